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
    /// Our moving shapes, multiple choice: the question is asked as it stands, and the option counts that the model is likeliest
    /// to answer with.
    Shapes,
    /// Our moving shapes, the options shown with letters, one of which is to be answered.
    ShapesLetters,
    /// Our moving shapes with open answers: the same files, the text of the right option is the answer.
    ShapesOpen,
    /// Anybody's questions in LLaVA's JSON.
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

    /// The split that is scored in papers, where one is to be chosen.
    pub fn default_split(self) -> &'static str {
        match self {
            Self::NextQa | Self::NextQaOpen | Self::LongVideoBench => "val",
            _ => "test",
        }
    }

    /// Whether options are not shown to the model but ranked by how likely it would answer with each.
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

/// A name that is no benchmark's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no task: choose one of {}", Task::ALL.map(Task::name).join(", "))]
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
