//! The vision side: frames in, video tokens out. It knows no language model.

mod encode_video;
mod encoder;
mod frame_embedder;
mod vision_side;

pub use encode_video::{Encoded, EncodingEvent, EncodingProgress};
pub use encoder::{Encoder, EncoderOptions};
pub use frame_embedder::{EmbeddedFrames, FrameEmbedder, VisionSeconds};
pub use vision_side::{FRAMES_AT_ONCE, VisionSide};
