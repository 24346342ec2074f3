#![doc = include_str!("../README.md")]

pub mod adamw;
mod answers;
mod beginnings;
pub mod checkpoint;
pub mod config;
pub mod data;
pub mod draws;
mod error;
pub mod fact_heads;
mod facts;
mod features;
pub mod learner;
mod llava_clips;
pub mod losses;
pub mod metrics;
pub mod objective;
pub mod patch_heads;
mod patches;
mod pieces;
pub mod plot;
pub mod reading;
mod run;
mod schedule;
mod shapes_clips;
mod stage;
mod start;
mod text;
mod truths;
mod words;

pub use config::TrainConfig;
pub use error::TrainError;
pub use llava_clips::LlavaClips;
pub use patches::Patches;
pub use run::{Folders, MODEL, run};
pub use shapes_clips::ShapesClips;
pub use stage::{CHECKPOINT, Event, METRICS};
