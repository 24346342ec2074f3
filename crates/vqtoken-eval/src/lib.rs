//! Benchmarks for video question answering: reads the files their authors publish, asks a model the questions, and scores the
//! answers as the authors do.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//! use std::path::Path;
//! use vqtoken_eval::{Answerer, Failed, Report, Run, Task, VideoFolder, Videos, run};
//! # fn evaluate(model: &mut dyn Answerer) -> Result<(), Box<dyn std::error::Error>> {
//!
//! let (task, data) = (Task::NextQa, Path::new("nextqa"));
//! let annotations = task.find(data, "val")?;
//! let items = annotations.read(task)?.items;
//! let videos = VideoFolder::scan(data, Some(&annotations))?.locate(&items);
//! let plan = Run {
//!     task,
//!     items: &items,
//!     videos: Videos::At(&videos.paths),
//!     samples: Path::new("nextqa.jsonl"),
//!     settings: "vqtoken 32",
//!     seed: 0,
//!     failed: Failed::Keep,
//! };
//! let samples = run(&plan, model, &mut |_| ControlFlow::Continue(()))?;
//! println!("{}", Report::new(task, plan.settings, &items, &samples, videos.missing));
//! # Ok(())
//! # }
//! ```

mod answer;
mod file_name;
mod folder;
mod grade;
mod item;
mod parse;
mod prompt;
mod read;
mod run;
mod sample;
mod samples_file;
mod score;
mod task;
mod videos;

pub use answer::{Answer, Answerer, Ask, PerStage};
pub use grade::best_option;
pub use item::{Expected, Item, Label, letter, option_of_letter};
pub use parse::{Parsed, parse_choice};
pub use prompt::prompt;
pub use read::{
    Annotations, ConversationError, LeftOut, Questions, ReadError, RowLocation, questions_and_answers,
};
pub use run::{Progress, Run, Videos, run, run_together};
pub use sample::Sample;
pub use samples_file::{Failed, SamplesError, read_samples};
pub use score::{
    Classes, Difference, Estimate, Facet, Failure, JudgeReport, PublishedActivityNet, Report, Score, Verdict,
    clustered_mean, clustered_ratio, clustered_share, comparison_table, judge_report, paired_difference,
    published_activitynet, read_predictions, read_verdicts, write_judge_requests,
};
pub use task::{Task, UnknownTask};
pub use videos::{AmbiguousVideo, LocatedVideos, MissingVideo, VideoFolder};
