#![doc = include_str!("../README.md")]

mod archive;
mod catalogue;
mod catalogue_vectors;
mod content;
mod error;
mod frames;
mod key;
mod layout;
mod lock;
mod recency;
mod record;
mod recovery;
mod schema;
mod vectors;

pub use archive::{Archive, ArchiveOptions};
pub use content::{ContentHash, ContentHashError, ContentHasher};
pub use error::ArchiveError;
pub use key::VideoKey;
pub use record::{FINE, NewVideo, Page, TokenSet, VideoRecord};
pub use recovery::{Loss, Recovery};
pub use vectors::{
    Compacted, DamagedPart, MomentHit, NewVectors, Scan, Space, SpaceTotals, StoredVectors, VectorKind,
};
