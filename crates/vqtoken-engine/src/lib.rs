#![doc = include_str!("../README.md")]

mod encode;
mod engine;
mod error;
mod question;

pub use encode::{
    EncodeEvent, EncodeJob, EncodeOutput, EncodeSource, EncodedVideo, Encoding, OnFrame,
};
pub use engine::{Engine, EngineOptions, Load};
pub use error::EngineError;
pub use question::{
    AnswerEvent, Answering, FinishReason, Finished, Piece, Question, Started, Subject, SubjectContent,
    TokenScore,
};
