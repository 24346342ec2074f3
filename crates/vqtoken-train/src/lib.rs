#![doc = include_str!("../README.md")]

pub mod adamw;
pub mod checkpoint;
pub mod config;
pub mod draws;
mod error;
pub mod learner;
pub mod losses;
pub mod metrics;
pub mod objective;
pub mod patch_heads;
mod patches;
mod run;
mod schedule;
mod stage;
mod start;
mod words;

pub use config::TrainConfig;
pub use error::TrainError;
pub use patches::Patches;
pub use run::{MODEL, run};
pub use stage::{CHECKPOINT, Event, METRICS};
