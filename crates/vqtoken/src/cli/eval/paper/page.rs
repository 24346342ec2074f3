//! The page of results, the same results as JSON, and the plot.

use crate::Budget;
use serde_json::json;

use super::super::data::Benchmark;
use super::super::reading::{Codes, Condition, Positions, Reading, Source};
use super::machine::Provenance;
use super::outcome::Outcome;
use super::plan::{BASELINES, FrameCounts, Role, Table};
use super::plot::{Level, Point, Series, svg};
use super::tables::{by_type, everything};

/// All results.
pub(super) struct Results<'a> {
    pub(super) benchmark: &'a Benchmark,
    pub(super) provenance: Provenance,
    pub(super) models: Vec<(Role, &'a str)>,
    pub(super) frames: FrameCounts,
    pub(super) tables: &'a [Table],
    pub(super) outcomes: &'a [Outcome],
    /// Rows that did not run, and why.
    pub(super) left_out: Vec<String>,
}

const NOTES: &str = "\
Brackets are 95% intervals, clustered by video, because questions about one video are not independent; *less unreduced* is the paired \
difference to the unreduced model on the same questions, in points, which is sharper than comparing two intervals. *Unparsed* answers name no \
option or several, *failed* ones do not exist; both count as wrong, and nothing is guessed. TokDense is accuracy over tokens. Reduced tokens \
keep the positions that they had in the unreduced sequence, as the unreduced model was trained; rows named *renumbered* have them at 0, 1, 2, .., as \
much published code does. Columns *paper* are NExT-QA with LLaVA-OneVision 0.5B: other data and a model hundreds of times larger, there to compare \
orders and distances, not numbers.";

const PAPER: &str = "\
- Intervals, paired differences between rows, and how many answers could not be parsed.
- Models that see no video, one frame of it, or its frames in a random order.
- What the unreduced model really reads: LLaVA-OneVision pools 32 frames to 6,273 tokens, so 32 tokens are 0.51% of its input and not 0.14%. 13.08 tokens \
are 0.056% of 23,328 and 0.112% of 11,664; the 0.07% of the abstract is 16 tokens, which no table has.
- Which accuracies of Table 2 were measured at 12 tokens: its column repeats Table 1's at 1,152 tokens.
- The same reducers on pooled tokens, where their authors put them, and most later reducers.
- At which positions the language model reads reduced tokens.
- VQToken on as many frames as the unreduced model reads.";

impl Results<'_> {
    /// `README.md`.
    pub(super) fn markdown(&self) -> String {
        let Self { benchmark, provenance, .. } = self;
        let first = self.outcomes.first().map(|outcome| &outcome.report);
        let (questions, videos) = first.map_or((0, 0), |report| (report.questions, report.videos));
        let chance =
            first.and_then(|report| report.chance).map(|chance| format!(" Guessing gives {chance:.2}%."));
        let models = self
            .models
            .iter()
            .map(|(role, id)| format!("| {} | `{}` | `{id}` |\n", role.name(), role.flag()));
        let missing = match benchmark.missing.len() {
            0 => "No video was missing.".to_owned(),
            count => format!(
                "{count} videos were missing; their {} questions were not asked.",
                benchmark.missing_questions()
            ),
        };
        let mut page = format!(
            "# Results on `{task}`, split `{split}`\n\n{questions} questions about {videos} videos. {missing}{chance}\n\n\
             Made by `vqtoken eval paper`; do not edit by hand.\n\n\
             | | |\n| --- | --- |\n| command | `{command}` |\n| commit | {commit} |\n| machine | {machine} |\n| date | {date} |\n\n\
             | model | flag | name@tower/weights precision |\n| --- | --- | --- |\n{models}\n{NOTES}\n\n\
             ![Accuracy over visual tokens](accuracy_over_tokens.svg)\n\n",
            task = benchmark.task,
            split = benchmark.split,
            chance = chance.unwrap_or_default(),
            command = provenance.command,
            commit = provenance.commit,
            machine = provenance.machine,
            date = provenance.date,
            models = models.collect::<String>(),
        );
        for table in self.tables.iter().filter_map(|table| table.markdown(self.outcomes)) {
            page.push_str(&table);
            page.push('\n');
        }
        let columns = self.columns_by_type();
        page.push_str(&format!("## By type of question\n\nAccuracy in percent.\n\n{}\n", by_type(&columns)));
        page.push_str(&format!("## What the paper leaves out, and is here or said here\n\n{PAPER}\n\n"));
        page.push_str(&format!("## What is left out here\n\n{}\n", self.left_out_text()));
        page.push_str(&format!("## Everything that ran\n\n{}", everything(self.outcomes)));
        page
    }

    fn left_out_text(&self) -> String {
        let failed = self.outcomes.iter().filter_map(|outcome| {
            Some(format!(
                "- {}: {}: failed: {}\n",
                outcome.role.name(),
                outcome.trial.reading,
                outcome.failure()?
            ))
        });
        let rows = self.left_out.iter().map(|line| format!("- {line}\n")).chain(failed).collect::<String>();
        format!(
            "- The whole grid without reduction: 23,328 tokens for 32 frames.\n- The paper's Table 4: other benchmarks, which need videos that are not ours to \
             give; `vqtoken eval` runs them.\n- The paper's other tables.\n{rows}"
        )
    }

    /// The columns of the table by type, as far as they ran.
    fn columns_by_type(&self) -> Vec<(&'static str, &Outcome)> {
        let FrameCounts { reduced, unreduced } = self.frames;
        let find = |label: &'static str, role: Role, source: &str, frames: usize, condition: Condition| {
            let outcome = self.outcomes.iter().find(|outcome| {
                let found = &outcome.trial.reading;
                let is_same = (outcome.role, found.frames, found.condition) == (role, frames, condition);
                is_same && found.source.to_string() == source
            })?;
            Some((label, outcome))
        };
        let (codes, adaptive) = ("vqtoken:32", "vqtoken:adaptive:elbow:12-32");
        let mut columns = vec![
            find("unreduced", Role::Unreduced, "pooled", unreduced, Condition::Whole),
            find("VQToken 32", Role::Vqtoken, codes, reduced, Condition::Whole),
            find("adaptive", Role::Vqtoken, adaptive, reduced, Condition::Whole),
        ];
        if reduced != unreduced {
            columns.push(find(
                "VQToken 32, frames matched",
                Role::Vqtoken,
                codes,
                unreduced,
                Condition::Whole,
            ));
        }
        columns.extend([
            find("codebook", Role::Codebook, "codebook:32", reduced, Condition::Whole),
            find("blind", Role::Vqtoken, codes, reduced, Condition::Blind),
            find("one frame", Role::Vqtoken, codes, reduced, Condition::SingleFrame),
            find("shuffled", Role::Vqtoken, codes, reduced, Condition::Shuffled),
        ]);
        columns.into_iter().flatten().collect()
    }

    /// `results.json`.
    pub(super) fn json(&self) -> anyhow::Result<String> {
        let models: serde_json::Map<_, _> =
            self.models.iter().map(|(role, id)| (role.name().to_owned(), json!(id))).collect();
        let value = json!({
            "provenance": self.provenance,
            "task": self.benchmark.task.name(),
            "split": self.benchmark.split,
            "models": models,
            "missing_videos": self.benchmark.missing,
            "left_out": self.left_out,
            "rows": self.outcomes.iter().map(Outcome::record).collect::<Vec<_>>(),
        });
        Ok(serde_json::to_string_pretty(&value)? + "\n")
    }

    /// `accuracy_over_tokens.svg`.
    pub(super) fn plot(&self) -> String {
        let scored = || self.outcomes.iter().filter(|outcome| outcome.failure().is_none());
        let whole = |outcome: &&Outcome| outcome.trial.reading.condition == Condition::Whole;
        let FrameCounts { reduced, unreduced } = self.frames;
        let series = |label: &str, role: Role, is_in: &dyn Fn(&Reading) -> bool| {
            let outcomes = scored().filter(whole).filter(|outcome| outcome.role == role);
            let inside = outcomes.filter(|outcome| is_in(&outcome.trial.reading));
            Series {
                label: label.to_owned(),
                points: inside.filter_map(|outcome| Point::of(&outcome.report)).collect(),
            }
        };
        let fixed = |reading: &Reading| matches!(reading.source, Source::Codes(_, Budget::Fixed(_)));
        let adaptive =
            |reading: &Reading| matches!(reading.source, Source::Codes(_, Budget::Adaptive { .. }));
        let pooled = |reading: &Reading| matches!(reading.source, Source::Pooled);
        let attended = |reading: &Reading| matches!(reading.source, Source::Codes(Codes::Attended, _));
        let mut all = vec![
            series("VQToken", Role::Vqtoken, &|r| attended(r) && fixed(r) && r.frames == reduced),
            series("no reduction", Role::Unreduced, &pooled),
            series("VQToken, adaptive", Role::Vqtoken, &|r| {
                attended(r) && adaptive(r) && r.frames == reduced
            }),
            series("codebook, trained so", Role::Codebook, &|r| r.frames == reduced),
        ];
        if reduced != unreduced {
            let matched = |r: &Reading| attended(r) && r.frames == unreduced;
            all.push(series("VQToken, frames matched", Role::Vqtoken, &matched));
        }
        for name in BASELINES {
            // At the positions and on the tokens that the unreduced model knows.
            let prefix = format!("pooled+{name}:");
            all.push(series(name, Role::Unreduced, &|reading| match &reading.source {
                Source::Reduced(reduced) => {
                    reduced.positions == Positions::Own && reduced.tokens().starts_with(&prefix)
                }
                _ => false,
            }));
        }
        all.retain(|series| !series.points.is_empty());
        let blind = self.outcomes.iter().find(|outcome| {
            outcome.role == Role::Vqtoken && outcome.trial.reading.condition == Condition::Blind
        });
        let level = |label: &str, accuracy: f64| Level { label: label.to_owned(), accuracy };
        let blind = blind.map(|outcome| level("question alone", outcome.report.accuracy));
        let chance = self.outcomes.first().and_then(|outcome| outcome.report.chance);
        let levels: Vec<Level> =
            chance.map(|chance| level("chance", chance)).into_iter().chain(blind).collect();
        svg(
            &format!("Accuracy over visual tokens, {} {}", self.benchmark.task, self.benchmark.split),
            &all,
            &levels,
        )
    }
}
