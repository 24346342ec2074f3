//! The modules of the vision side: SigLIP and the projector.

mod modules;
mod projector;
mod siglip;

pub use modules::VisionModules;
pub use projector::{Projector, ProjectorConfig};
pub use siglip::VisionTower;
