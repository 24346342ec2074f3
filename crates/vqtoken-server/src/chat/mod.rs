//! `POST /v1/chat/completions`.
//!
//! | file | idea |
//! | --- | --- |
//! | `request.rs` | what a request may hold, for the description of the routes |
//! | `parameters.rs` | its parameters, each honoured, refused by name, or unknown and ignored |
//! | `messages.rs`, `parts.rs` | its messages: a conversation, and the video in it |
//! | `handler.rs` | from the request to the answer |
//! | `answer.rs` | the answer in one piece |
//! | `stream.rs` | the answer piece by piece |
//! | `response.rs` | what is sent |

mod answer;
pub(crate) mod handler;
mod messages;
mod parameters;
mod parts;
mod request;
mod response;
mod stream;
