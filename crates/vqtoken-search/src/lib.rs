#![doc = include_str!("../README.md")]

mod add;
mod best_span;
mod condition;
mod error;
mod export;
mod facts;
mod finder;
mod frame_watcher;
mod place;
mod repeats;
mod rerank;
mod search;
mod token_stream;
mod windows;

pub use add::{Added, Adder, Source, index_missing};
pub use condition::{Condition, ConditionError};
pub use error::SearchError;
pub use export::export_parquet;
pub use facts::{RECORDED, Time, file_facts};
pub use finder::{EmbeddedQuery, Finder};
pub use place::{Place, PlacedCode};
pub use repeats::{Repeat, repeats};
pub use search::{Filter, Found, Hit, Query, SearchOptions, search};
pub use token_stream::{TokenStream, TokenStreamError};
pub use windows::windows;
