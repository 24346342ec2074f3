#![doc = include_str!("../README.md")]

pub mod chat;
pub mod checkpoint;
pub mod config;
mod error;
mod flops;
mod frame_encoder;
mod generation;
mod hub;
pub mod language;
mod one_vision;
mod ranking;
mod sampler;
mod tokenizer;
mod video_llm;
pub mod vision;
pub mod vq_attention;

pub use chat::{Chat, ChatTemplate};
pub use error::ModelError;
pub use frame_encoder::{FRAMES_AT_ONCE, FrameEncoder};
pub use generation::{Answer, GenerationOptions, Tokens};
pub use one_vision::OneVision;
pub use ranking::{Ranking, Watched};
pub use sampler::Sampling as TokenSampling;
pub use tokenizer::{TextStream, Tokenizer};
pub use video_llm::{VideoLlm, VisualTokens};
pub use vqtoken_nn::Precision;
