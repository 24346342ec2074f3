//! Which rows the tables have, and what the paper says in the same place.

use vqtoken::{Budget, Rule};

use super::super::reading::{Codes, Condition, Reading, What};

/// The budgets of Table 2.
pub(super) const BUDGETS: [usize; 3] = [12, 32, 64];
/// The budgets of the curve.
const CURVE: [usize; 8] = [2, 4, 8, 12, 16, 32, 64, 128];
/// Training-free reducers that reach every budget; the first three are the paper's.
pub(super) const BASELINES: [&str; 11] = [
    "norm",
    "tome",
    "video-tome",
    "uniform",
    "random",
    "dpc-knn",
    "evs",
    "vidcom2",
    "fastvid",
    "holitom",
    "scissor",
];
/// Those of them that are also given the tokens that the unreduced model was trained on.
pub(super) const ON_POOLED: [&str; 5] = ["norm", "tome", "video-tome", "dpc-knn", "fastvid"];

/// Whose tokens a row reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// The model trained on codes through VQ-attention.
    Vqtoken,
    /// The same language model trained on pooled tokens.
    Unreduced,
    /// The same language model trained on bare codes.
    Codebook,
}

impl Role {
    pub(super) const ALL: [Self; 3] = [Self::Vqtoken, Self::Unreduced, Self::Codebook];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Vqtoken => "vqtoken",
            Self::Unreduced => "unreduced",
            Self::Codebook => "codebook",
        }
    }

    /// The flag that names its model.
    pub(super) fn flag(self) -> &'static str {
        match self {
            Self::Vqtoken => "--model",
            Self::Unreduced => "--unreduced",
            Self::Codebook => "--codebook",
        }
    }
}

/// A row of a table.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) label: String,
    pub(super) role: Role,
    pub(super) reading: Reading,
    /// Accuracy and tokens in the paper's row.
    pub(super) paper: Option<(f64, f64)>,
}

/// Which columns a table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    Accuracy,
    /// Also seconds and operations of the reducer and of the language model, apart from each other.
    Cost,
    /// One line for each reducer, one column for each budget.
    Budgets,
}

/// A table.
pub(super) struct Table {
    pub(super) title: &'static str,
    pub(super) text: &'static str,
    pub(super) columns: Columns,
    pub(super) rows: Vec<Row>,
}

/// Frames of the two kinds of model.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameCounts {
    pub(super) reduced: usize,
    pub(super) unreduced: usize,
}

impl Row {
    fn new(label: &str, role: Role, reading: Reading) -> Self {
        Self { label: label.to_owned(), role, reading, paper: None }
    }

    fn paper(self, accuracy: f64, tokens: f64) -> Self {
        Self { paper: Some((accuracy, tokens)), ..self }
    }

    fn under(mut self, condition: Condition) -> Self {
        self.reading.condition = condition;
        self
    }
}

impl FrameCounts {
    fn codes(self, codes: Codes, budget: Budget) -> Reading {
        Reading::new(What::Codes(codes, budget), self.reduced)
    }

    fn vqtoken(self, label: &str, budget: Budget) -> Row {
        Row::new(label, Role::Vqtoken, self.codes(Codes::Attended, budget))
    }

    fn unreduced(self) -> Row {
        self.pooled("no reduction", self.unreduced)
    }

    fn pooled(self, label: &str, frames: usize) -> Row {
        Row::new(label, Role::Unreduced, Reading::new(What::Pooled, frames))
    }

    /// A training-free reducer; none only if its name were unknown.
    fn baseline(self, label: &str, reducer: &str, of_pooled: bool) -> Option<Row> {
        let what = What::Reduced { reducer: vqtoken::reducer(reducer).ok()?.into(), of_pooled };
        let frames = if of_pooled { self.unreduced } else { self.reduced };
        Some(Row::new(label, Role::Unreduced, Reading::new(what, frames)))
    }

    /// All tables.
    pub(super) fn tables(self) -> Vec<Table> {
        vec![
            self.efficiency(),
            self.budgets(),
            self.budgets_of_pooled(),
            self.adaptive(),
            self.ablation(),
            self.matched(),
            self.conditions(),
            self.curve(),
        ]
    }

    fn efficiency(self) -> Table {
        let share = |label: &str, reducer: &str, accuracy: f64| {
            Some(self.baseline(label, reducer, false)?.paper(accuracy, 1152.0))
        };
        let rows = [
            Some(self.unreduced().paper(58.38, 11_664.0)),
            share("pruning, 10%", "norm:10%", 29.12),
            share("ToMe, 10%", "tome:10%", 35.72),
            share("VidToMe, 10%", "video-tome:10%", 39.64),
            Some(self.pooled("pooling, twice the frames", 2 * self.unreduced).paper(57.20, 3136.0)),
            Some(self.vqtoken("VQToken, adaptive", Budget::PAPER_ADAPTIVE).paper(57.72, 13.08)),
            Some(self.vqtoken("VQToken, fixed", Budget::PAPER_FIXED).paper(57.46, 32.0)),
        ];
        Table {
            title: "Efficiency (the paper's Table 1)",
            text: "Two complexities, kept apart: of the reducer (with VQ-attention), and of the language model behind it. Operations are counted from the methods' \
                   definitions, seconds measured; all are means over questions as if each were asked alone. Training-free reducers work on the unreduced model.",
            columns: Columns::Cost,
            rows: rows.into_iter().flatten().collect(),
        }
    }

    fn budgets(self) -> Table {
        let published: [(&str, [f64; 3]); 4] = [
            ("vqtoken", [57.03, 57.46, 57.10]),
            ("norm", [29.12, 34.5, 31.31]),
            ("tome", [35.72, 38.5, 40.1]),
            ("video-tome", [39.64, 45.1, 46.2]),
        ];
        let mut rows = Vec::new();
        for name in ["vqtoken"].into_iter().chain(BASELINES) {
            for (place, budget) in BUDGETS.into_iter().enumerate() {
                let row = match name {
                    "vqtoken" => Some(self.vqtoken("VQToken", Budget::Fixed(budget))),
                    name => self.baseline(name, &format!("{name}:{budget}"), false),
                };
                let paper =
                    published.iter().find(|(known, _)| *known == name).map(|(_, figures)| figures[place]);
                rows.extend(row.map(|row| Row { paper: paper.map(|paper| (paper, budget as f64)), ..row }));
            }
        }
        Table {
            title: "Fixed budgets (the paper's Table 2)",
            text: "All of them reduce the same token grid of the same frames. Training-free reducers work on the unreduced model, whose language model never saw so few \
                   tokens; VQToken was trained on them.",
            columns: Columns::Budgets,
            rows,
        }
    }

    fn budgets_of_pooled(self) -> Table {
        let row = |name: &'static str, budget| self.baseline(name, &format!("{name}:{budget}"), true);
        let rows = ON_POOLED
            .into_iter()
            .flat_map(|name| BUDGETS.into_iter().filter_map(move |budget| row(name, budget)));
        Table {
            title: "Fixed budgets, out of what the unreduced model was trained on",
            text: "The same reducers on the pooled tokens of the unreduced model's own frames, which is where their authors put them. Not in the paper.",
            columns: Columns::Budgets,
            rows: rows.collect(),
        }
    }

    fn adaptive(self) -> Table {
        let of = |min, rule| Budget::Adaptive { min, max: BUDGETS[1], rule };
        let rows = [
            Some(self.vqtoken("VQToken, elbow of 12 to 32", Budget::PAPER_ADAPTIVE).paper(57.72, 13.08)),
            Some(self.vqtoken("VQToken, elbow of 8 to 32", of(8, Rule::Elbow))),
            Some(self.vqtoken("VQToken, silhouette", of(BUDGETS[0], Rule::Silhouette))),
            Some(self.pooled("pooling, twice the frames", 2 * self.unreduced).paper(57.2, 3136.0)),
            self.baseline("DyCoke", "dycoke:p=0.7", true).map(|row| row.paper(57.7, 1662.0)),
            self.baseline("EVS", "evs:q=0.75", true),
            self.baseline("STTM", "sttm:th=0.8", true),
            self.baseline("LLaVA-Scissor", "scissor:tau=0.9", true),
        ];
        Table {
            title: "Adaptive budgets (the paper's Table 3)",
            text: "The method chooses how many tokens each video gets. Training-free reducers work on the pooled tokens of the unreduced model.",
            columns: Columns::Accuracy,
            rows: rows.into_iter().flatten().collect(),
        }
    }

    fn ablation(self) -> Table {
        let of = |label: &str, role, codes| Row::new(label, role, self.codes(codes, Budget::PAPER_FIXED));
        let rows = vec![
            self.unreduced().paper(57.2, 23_328.0),
            of("codebook only, trained so", Role::Codebook, Codes::Bare).paper(35.2, 32.0),
            of("codebook only, VQ-attention left out", Role::Vqtoken, Codes::Bare),
            of("codebook and hash, attention untrained", Role::Vqtoken, Codes::RandomAttention)
                .paper(38.9, 134.0),
            of("codebook and attention, random index map", Role::Vqtoken, Codes::RandomMap).paper(46.9, 32.0),
            of("hash and attention, random codebook", Role::Vqtoken, Codes::RandomCodebook),
            of("all three", Role::Vqtoken, Codes::Attended).paper(57.5, 32.0),
        ];
        Table {
            title: "Ablation (the paper's Table 6)",
            text: "*Trained so* is a model of its own. The others are the VQToken model with one part replaced when it is asked: VQ-attention parameters as they are before \
                   training; the index map's labels shuffled over all positions; random vectors of the codes' lengths in place of the codes.",
            columns: Columns::Accuracy,
            rows,
        }
    }

    fn matched(self) -> Table {
        let codebook = self.codes(Codes::Bare, Budget::PAPER_FIXED);
        let rows = vec![
            self.unreduced().paper(57.71, 23_328.0),
            self.vqtoken("VQToken", Budget::PAPER_FIXED).paper(57.44, 32.0),
            Row::new("codebook only", Role::Codebook, codebook),
        ];
        Table {
            title: "Matched training (the paper's Table 7)",
            text: "The same language model, trained on the same questions with each kind of token.",
            columns: Columns::Accuracy,
            rows,
        }
    }

    fn conditions(self) -> Table {
        let conditions = [
            (", question alone", Condition::Blind),
            (", frame in the middle", Condition::SingleFrame),
            (", frames shuffled", Condition::Shuffled),
        ];
        let whole = [self.unreduced(), self.vqtoken("VQToken", Budget::PAPER_FIXED)];
        let rows = whole.into_iter().flat_map(|row| {
            let under = conditions.map(|(suffix, condition)| {
                Row { label: format!("{}{suffix}", row.label), ..row.clone() }.under(condition)
            });
            [row].into_iter().chain(under)
        });
        Table {
            title: "What the paper leaves out: without the video, without motion, without order",
            text: "How much of the accuracy needs the video at all, more than one frame of it, and their order. Without these rows a small loss by reduction may only say \
                   that the questions do not need the video: NExT-QA's authors report 43.76% for a model that reads the question alone.",
            columns: Columns::Accuracy,
            rows: rows.collect(),
        }
    }

    fn curve(self) -> Table {
        let rows =
            CURVE.map(|budget| self.vqtoken(&format!("VQToken, {budget} codes"), Budget::Fixed(budget)));
        Table {
            title: "Accuracy over tokens",
            text: "VQToken at other budgets than the one it was trained with.",
            columns: Columns::Accuracy,
            rows: rows.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_all_their_rows() {
        let tables = FrameCounts { reduced: 32, unreduced: 8 }.tables();
        let rows: Vec<usize> = tables.iter().map(|table| table.rows.len()).collect();
        assert_eq!(rows, [7, 36, 15, 8, 7, 3, 8, 8]);
        let readings: Vec<_> = tables[0].rows.iter().map(|row| row.reading.to_string()).collect();
        assert_eq!(readings[0], "pooled of 8 frames");
        assert_eq!(readings[1], "norm:10% of 32 frames");
        assert_eq!(readings[4], "pooled of 16 frames");
        assert_eq!(readings[6], "vqtoken:32 of 32 frames");
        assert_eq!(tables[1].rows[0].paper, Some((57.03, 12.0)));
        assert_eq!(tables[2].rows[0].reading.to_string(), "pooled+norm:12 of 8 frames");
        assert_eq!(tables[6].rows[7].reading.to_string(), "vqtoken:32 of 32 frames, shuffled");
    }
}
