//! Benchmarks for video question answering: reading, asking, scoring.

mod folder;
mod item;
mod prompt;
mod read;
mod task;
mod videos;

pub use item::{Expected, Item, Label, letter, option_of_letter};
pub use prompt::prompt;
pub use read::{Annotations, Place, ReadError};
pub use task::{Task, UnknownTask};
pub use videos::{MissingVideo, VideoFolder};
