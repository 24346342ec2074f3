#![doc = include_str!("../README.md")]

mod answer;
mod encode;
mod engine;
mod error;
mod prefixes;
mod question;
mod queue;
mod reading;
mod shared;
mod stop_texts;
mod vision;
mod words;

pub use encode::{EncodeEvent, EncodeJob, EncodeOutput, EncodeSource, EncodedVideo, Encoding, OnFrame};
pub use engine::{Engine, EngineOptions, Load};
pub use error::EngineError;
pub use question::{
    AnswerEvent, Answering, FinishReason, Finished, Piece, Question, Started, Subject, SubjectContent,
    TokenScore,
};
