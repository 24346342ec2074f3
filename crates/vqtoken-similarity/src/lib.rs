#![doc = include_str!("../README.md")]

mod alignment;
mod candidates;
mod close_look;
mod comparison;
mod duplicates;
mod error;
mod fine_frames;
mod frames;
mod line;
mod mean;
mod picture;
mod picture_area;
mod prepare;
mod projection;
mod signature;
mod signature_bytes;

pub use alignment::Alignment;
pub use candidates::{Candidate, candidates};
pub use comparison::{Comparison, align, similarity};
pub use duplicates::{Duplicate, DuplicateOptions, Duplicates, duplicates};
pub use error::{SignatureFormatError, SimilarityError};
pub use line::Stretch;
pub use mean::ArchiveMean;
pub use signature::Signature;
