#![doc = include_str!("../README.md")]

mod address;
mod error;
mod fetch;
mod host;
mod resolve;
#[cfg(test)]
mod tests;

pub use address::is_public;
pub use error::FetchError;
pub use fetch::{FetchOptions, Fetched, Fetcher};
pub use host::{HostPattern, HostPatternError};
pub use resolve::{Resolve, SystemResolver};
