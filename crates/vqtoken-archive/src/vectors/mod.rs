//! The vectors by which videos are found: moments and codes in append-only segments, and the index over them.

mod best;
mod index;
mod kinds;
mod rotation;
mod rounding;
mod segment;
mod segment_layout;
mod segment_writer;
mod store;

pub use index::Scan;
pub use kinds::{MomentHit, NewVectors, Space, SpaceTotals, StoredVectors, VectorKind};
pub(crate) use segment_layout::MOST_FEATURES;
pub use store::{Compacted, DamagedPart};
pub(crate) use store::{Indices, remove_unknown_segments};
