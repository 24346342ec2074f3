//! The modules of the vision side: SigLIP and the projector.

mod modules;
mod projector;
mod siglip;
mod siglip_encoder;

pub use modules::VisionModules;
pub use projector::{Projector, ProjectorConfig};
pub(crate) use siglip::Embeddings;
pub use siglip::VisionTower;
pub(crate) use siglip_encoder::{Encoder, EncoderConfig};
