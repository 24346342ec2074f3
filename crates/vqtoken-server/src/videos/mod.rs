//! Videos: stored, shown, encoded once.
//!
//! | file | idea |
//! | --- | --- |
//! | `reading.rs` | which frames are looked at, and what is made of them |
//! | `prepare.rs` | from a video to what the language model reads: the store first, the encoder if need be |
//! | `jobs.rs` | encodings under way, each shared by all who wait for it |
//! | `keep_frames.rs` | sampled frames as JPEG |
//! | `fewer.rs` | other numbers of codes from the merge tree |
//! | `upload.rs` | `POST /v1/videos` |
//! | `append.rs` | `POST /v1/videos/append`: a stream of `.vqt` files |
//! | `library.rs`, `object.rs` | list, show, remove |
//! | `search.rs` | `GET /v1/search`: stored videos by words |
//! | `views.rs`, `tree.rs` | index map, tokens, picture and frames; the merge tree |

pub(crate) mod append;
pub(crate) mod fewer;
pub(crate) mod given_tokens;
pub(crate) mod jobs;
pub(crate) mod keep_frames;
pub(crate) mod library;
pub(crate) mod object;
pub(crate) mod prepare;
pub(crate) mod reading;
pub(crate) mod search;
pub(crate) mod store;
pub(crate) mod tree;
pub(crate) mod upload;
pub(crate) mod views;
