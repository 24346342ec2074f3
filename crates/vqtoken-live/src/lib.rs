#![doc = include_str!("../README.md")]

mod answerer;
mod answers;
mod error;
mod event;
mod folder;
mod live;
mod options;
mod queue;
mod source;
mod standing;
mod stream;
mod thinning;
mod window;

pub use answerer::{AnswerError, Answerer, LanguageAnswerer};
pub use error::LiveError;
pub use event::LiveEvent;
pub use live::{Live, LiveStatus, Offered};
pub use options::LiveOptions;
pub use source::{LiveSource, SourceOptions, Speed, feed};
pub use standing::StandingQuestions;
pub use stream::{ClosedWindow, LiveStream};
pub use window::Window;
