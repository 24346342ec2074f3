//! Which files of a folder are a benchmark's annotations.

use std::path::{Path, PathBuf};

use vqtoken_files::Limits;

use super::{Annotations, ReadError};
use crate::folder::files_below;
use crate::task::Task;

/// Annotations are looked for this many folders below the one that was named.
const DEPTH: usize = 3;

impl Task {
    /// The annotations of a split (`val`, `test`, ..) somewhere in a folder, by the names their authors gave them.
    pub fn find(self, folder: &Path, split: &str) -> Result<Annotations, ReadError> {
        let files =
            files_below(folder, DEPTH).map_err(|source| ReadError::Io { path: folder.into(), source })?;
        let names = self.names(split);
        let first = |names: &[String]| -> Option<PathBuf> {
            names.iter().find_map(|name| files.iter().find(|file| file.ends_with(name)).cloned())
        };
        let questions: Vec<String> = names.iter().map(|(questions, _)| questions.clone()).collect();
        let found = names.iter().find_map(|(questions, answers)| {
            let questions = first(std::slice::from_ref(questions))?;
            // The answers that stand beside the questions come before any others.
            let answers = answers.as_ref().and_then(|name| {
                let beside = questions.with_file_name(name);
                if files.contains(&beside) { Some(beside) } else { first(std::slice::from_ref(name)) }
            });
            Some(Annotations { questions, answers, limits: Limits::default() })
        });
        found.ok_or_else(|| ReadError::NotFound { path: folder.into(), looked: questions.join(" or ") })
    }

    /// The names of the file with the questions and of the one with the answers, the likeliest first.
    fn names(self, split: &str) -> Vec<(String, Option<String>)> {
        let validation = if split == "val" { "validation" } else { split };
        let shard = format!("{split}-00000-of-00001.parquet");
        let long_shard = format!("{validation}-00000-of-00001.parquet");
        let one = |name: String| (name, None);
        match self {
            Self::NextQa => vec![
                one(format!("{split}.csv")),
                one(format!("nextqa_mc_{split}.csv")),
                one(format!("MC/{shard}")),
                one(format!("mc/{shard}")),
            ],
            Self::NextQaOpen => vec![
                one(format!("nextqa_oe_{split}.csv")),
                one(format!("OE/{long_shard}")),
                one(format!("{split}.csv")),
            ],
            Self::ActivityNetQa => vec![
                (format!("{split}_q.json"), Some(format!("{split}_a.json"))),
                (format!("activitynetqa_{split}_q.json"), Some(format!("activitynetqa_{split}_a.json"))),
                one(shard),
            ],
            Self::LongVideoBench => {
                let name =
                    if split == "test" { "lvb_test_wo_gt.json".into() } else { format!("lvb_{split}.json") };
                vec![one(name), one(long_shard)]
            }
            Self::VideoMme => vec![one(format!("videomme/{shard}")), one(shard), one("videomme.json".into())],
            Self::EgoSchema => vec![
                ("questions.json".into(), Some("subset_answers.json".into())),
                one(format!("Subset/{shard}")),
            ],
            Self::Shapes | Self::ShapesLetters | Self::ShapesOpen => {
                vec![one(format!("{split}.csv")), one(format!("{split}.json"))]
            }
            Self::Llava => vec![one(format!("{split}.json"))],
        }
    }
}
