//! Checkpoints: their files, their tensors under one set of names whatever the layout, and modules filled from them.

mod directory;
mod fill;
mod layout;
mod pack;
mod random;
mod save;
mod weights;

pub use directory::ModelFiles;
pub use fill::{Filler, is_unused_by_design};
pub use layout::{enter, exit};
pub use random::randomize;
pub use save::save;
pub use weights::Weights;
