//! The questions of a benchmark and their videos.

use std::path::{Path, PathBuf};

use clap::Args;
use vqtoken_eval::{Annotations, Item, LeftOut, MissingVideo, Task, VideoFolder, Videos};
use vqtoken_files::{Limits, quoted};

use super::super::{UsageError, output};

/// Which questions.
#[derive(Args, Clone, Debug)]
pub(super) struct DataArguments {
    /// Folder with the files that the benchmark's authors publish, and the videos anywhere below it; or the file with the questions
    // Optional in type only: beside a subcommand it is not asked for.
    #[arg(long, value_name = "DIR", required = true)]
    data: Option<PathBuf>,

    /// Folder of the videos, if they are elsewhere
    #[arg(long, value_name = "DIR")]
    pub(super) videos: Option<PathBuf>,

    /// Split of the benchmark, such as val or test [default: the one that papers report]
    #[arg(long, value_name = "SPLIT")]
    split: Option<String>,

    /// The first N questions only; a later run without it goes on from there
    #[arg(long, value_name = "N", value_parser = super::super::at_least_one)]
    limit: Option<usize>,
}

/// A benchmark, ready to be asked.
pub(super) struct Benchmark {
    pub(super) task: Task,
    pub(super) split: String,
    pub(super) items: Vec<Item>,
    /// Where videos were looked for.
    folder: PathBuf,
    paths: Vec<Option<PathBuf>>,
    pub(super) missing: Vec<MissingVideo>,
    pub(super) left_out: LeftOut,
    /// What the user should know of the choice of videos.
    pub(super) warnings: Vec<String>,
}

impl Benchmark {
    /// Reads the questions and looks for their videos.
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub(super) fn open(task: Task, arguments: &DataArguments, limits: Limits) -> anyhow::Result<Self> {
        let data = arguments.data.as_deref().ok_or_else(|| {
            UsageError("there is no --data: name the folder of questions and videos".to_owned())
        })?;
        let split = arguments.split.clone().unwrap_or_else(|| task.default_split().to_owned());
        let (annotations, below) = if data.is_file() {
            (Annotations::one(data), data.parent().filter(|folder| !folder.as_os_str().is_empty()))
        } else {
            (task.find(data, &split)?, Some(data))
        };
        let annotations = annotations.with_limits(limits);
        let questions = annotations.read(task)?;
        let (mut items, left_out) = (questions.items, questions.left_out);
        items.truncate(arguments.limit.unwrap_or(usize::MAX));
        let folder = arguments.videos.as_deref().or(below).unwrap_or(Path::new(".")).to_owned();
        let located = VideoFolder::scan(&folder, Some(&annotations))?.locate(&items);
        let warnings = located.ambiguous.iter().map(ToString::to_string).collect();
        Ok(Self {
            task,
            split,
            items,
            folder,
            paths: located.paths,
            missing: located.missing,
            left_out,
            warnings,
        })
    }

    /// Tells the user which rows were left out, and where the choice of a video was not clear.
    pub(super) fn report_left_out(&self) {
        if self.left_out.rows() > 0 {
            output::note(format_args!("left out: {}", self.left_out));
        }
        let shown = 5;
        self.warnings.iter().take(shown).for_each(|warning| output::note(format_args!("warning: {warning}")));
        if self.warnings.len() > shown {
            output::note(format_args!("warning: and {} more such videos", self.warnings.len() - shown));
        }
    }

    /// Tells the user which videos are missing.
    ///
    /// # Errors
    ///
    /// If all are.
    pub(super) fn report_missing_videos(&self) -> anyhow::Result<()> {
        if self.missing.is_empty() {
            return Ok(());
        }
        let (videos, questions) = (self.missing.len(), self.missing_questions());
        let names: Vec<&str> = self.missing.iter().take(5).map(|missing| missing.video.as_str()).collect();
        let names = names.join(", ") + if videos > names.len() { ", …" } else { "" };
        if self.paths.iter().all(Option::is_none) {
            anyhow::bail!(
                "none of the {videos} videos is below {}: name their folder with --videos, or ask without them with --blind \
                 (missing: {names})",
                quoted(&self.folder)
            );
        }
        output::note(format_args!(
            "missing: {videos} videos, whose {questions} questions are not asked: {names}"
        ));
        Ok(())
    }

    /// Questions of missing videos.
    pub(super) fn missing_questions(&self) -> usize {
        self.missing.iter().map(|missing| missing.questions).sum()
    }

    /// Questions whose video is there.
    pub(super) fn videos(&self) -> Videos<'_> {
        Videos::At(&self.paths)
    }
}
