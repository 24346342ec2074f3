#![doc = include_str!("../README.md")]

mod adamw;
mod checkpoint;
mod clips;
mod config;
mod error;
mod feature_cache;
mod heads;
mod init;
mod input_file;
mod learner;
mod losses;
mod measures;
mod metrics;
mod micro_batch;
mod objectives;
mod plot;
mod retrieval_report;
mod rng;
mod run;
mod schedule;
mod stage;
mod tensors;
mod tokenized_conversation;
mod train_tokenizer;
mod trained_model;
mod visual_tokens;

pub use clips::llava::{LlavaError, LlavaRowError};
pub use config::{
    AnswersConfig, AuxiliaryLoss, Budgets, CodesConfig, ConfigError, DataConfig, InitialModel, KeepFirst,
    KeptTokens, LearningRates, LlavaConfig, LoadedModel, Mixture, NewModel, ObjectLabelsConfig,
    ObjectiveConfig, Part, PatchLabelsConfig, PooledConfig, RerankingConfig, RetrievalConfig, StageConfig,
    StageError, TrainConfig, VisualInput,
};
pub use error::{CheckpointError, FeatureError, PrototypesError, TokenizerError, TrainError};
pub use measures::Measures;
pub use metrics::read_metrics;
pub use plot::plot_metrics;
pub use retrieval_report::{ClipScore, RetrievalReport, RetrievalSetup, Share, retrieval_report};
pub use run::{EarlierRun, RunFolders, run};
pub use stage::{Event, METRICS};
