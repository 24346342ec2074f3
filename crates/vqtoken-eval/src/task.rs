//! The benchmarks.

use std::fmt;
use std::str::FromStr;

/// A benchmark, by how its questions are read, asked and scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// NExT-QA, multiple choice (Xiao et al., CVPR 2021).
    NextQa,
    /// NExT-QA, open-ended.
    NextQaOpen,
    /// ActivityNet-QA (Yu et al., AAAI 2019).
    ActivityNetQa,
    /// LongVideoBench (Wu et al., NeurIPS 2024).
    LongVideoBench,
    /// Video-MME without subtitles (Fu et al., 2024).
    VideoMme,
    /// EgoSchema (Mangalam et al., NeurIPS 2023); without answers other than those of the public subset.
    EgoSchema,
    /// Our moving shapes, multiple choice: the question is asked without options, and the option of the highest likelihood counts.
    Shapes,
    /// Our moving shapes, multiple choice with lettered options.
    ShapesLetters,
    /// Our moving shapes, open-ended: the same files, the text of the right option is the answer.
    ShapesOpen,
    /// Custom questions in LLaVA's JSON.
    Llava,
}

impl Task {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::NextQa,
        Self::NextQaOpen,
        Self::ActivityNetQa,
        Self::LongVideoBench,
        Self::VideoMme,
        Self::EgoSchema,
        Self::Shapes,
        Self::ShapesLetters,
        Self::ShapesOpen,
        Self::Llava,
    ];

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::NextQa => "nextqa",
            Self::NextQaOpen => "nextqa-open",
            Self::ActivityNetQa => "activitynetqa",
            Self::LongVideoBench => "longvideobench",
            Self::VideoMme => "videomme",
            Self::EgoSchema => "egoschema",
            Self::Shapes => "shapes",
            Self::ShapesLetters => "shapes-letters",
            Self::ShapesOpen => "shapes-open",
            Self::Llava => "llava",
        }
    }

    /// The split that papers report, where there are several.
    pub fn default_split(self) -> &'static str {
        match self {
            Self::NextQa | Self::NextQaOpen | Self::LongVideoBench => "val",
            _ => "test",
        }
    }

    /// Whether options are not shown to the model but ranked by likelihood.
    pub fn ranks(self) -> bool {
        self == Self::Shapes
    }

    /// Whether every question is asked without options.
    pub fn is_open(self) -> bool {
        matches!(self, Self::NextQaOpen | Self::ActivityNetQa | Self::ShapesOpen)
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An unknown benchmark.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a task: choose one of {}", Task::ALL.map(Task::name).join(", "))]
pub struct UnknownTask {
    /// What was asked for.
    pub name: String,
}

impl FromStr for Task {
    type Err = UnknownTask;

    fn from_str(name: &str) -> Result<Self, UnknownTask> {
        Self::ALL
            .into_iter()
            .find(|task| task.name() == name)
            .ok_or_else(|| UnknownTask { name: name.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for task in Task::ALL {
            assert_eq!(task.to_string().parse(), Ok(task));
        }
        let message = "next".parse::<Task>().unwrap_err().to_string();
        assert!(message.contains("\"next\"") && message.contains("nextqa, nextqa-open"), "{message}");
    }
}
