//! The rows of the tables, and the paper's figures for them.

use crate::{Budget, Rule};

use super::super::reading::{Codes, Condition, Grid, Positions, Reading, Reduced, Source};

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
/// Those that are also measured at the share of pooled tokens that the unreduced model was mostly trained on.
const QUARTERS: [&str; 8] =
    ["random", "uniform", "norm", "tome", "video-tome", "dpc-knn", "vidcom2", "fastvid"];
const QUARTER: &str = "25%";

/// The model that a row asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// The model trained on codes through VQ-attention.
    Vqtoken,
    /// The same language model trained on pooled tokens.
    Unreduced,
    /// The same language model trained on bare codes.
    Codebook,
    /// The same language model trained on the questions alone.
    Blind,
}

impl Role {
    pub(super) const ALL: [Self; 4] = [Self::Vqtoken, Self::Unreduced, Self::Codebook, Self::Blind];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Vqtoken => "vqtoken",
            Self::Unreduced => "unreduced",
            Self::Codebook => "codebook",
            Self::Blind => "blind",
        }
    }

    /// The flag that names its model.
    pub(super) fn flag(self) -> &'static str {
        match self {
            Self::Vqtoken => "--model",
            Self::Unreduced => "--unreduced",
            Self::Codebook => "--codebook",
            Self::Blind => "--blind",
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
    /// One line for each label, one column for each budget.
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

    /// The same with reduced tokens at positions 0, 1, 2, .., about which the paper has no figures.
    fn renumbered(&self) -> Self {
        let mut row = Self { label: format!("{}, renumbered", self.label), paper: None, ..self.clone() };
        if let Source::Reduced(reduced) = &mut row.reading.source {
            reduced.positions = Positions::Renumbered;
        }
        row
    }
}

impl FrameCounts {
    fn codes(self, codes: Codes, budget: Budget) -> Reading {
        Reading::new(Source::Codes(codes, budget), self.reduced)
    }

    fn vqtoken(self, label: &str, budget: Budget) -> Row {
        Row::new(label, Role::Vqtoken, self.codes(Codes::Attended, budget))
    }

    /// A row of codes with the frames that the unreduced model reads.
    fn matched_frames(self, row: Row) -> Row {
        let reading = Reading { frames: self.unreduced, ..row.reading };
        Row { label: format!("{}, frames matched", row.label), reading, paper: None, ..row }
    }

    fn unreduced(self) -> Row {
        self.pooled("no reduction", self.unreduced)
    }

    fn pooled(self, label: &str, frames: usize) -> Row {
        Row::new(label, Role::Unreduced, Reading::new(Source::Pooled, frames))
    }

    /// A training-free reducer with its tokens at their own positions.
    #[expect(clippy::expect_used, reason = "a test makes all rows")]
    fn baseline(self, label: &str, grid: Grid, reducer: &str) -> Row {
        let reduced = Reduced::new(grid, reducer).expect("the plan names reducers that exist");
        let frames = if grid == Grid::Pooled { self.unreduced } else { self.reduced };
        Row::new(label, Role::Unreduced, Reading::new(Source::Reduced(reduced), frames))
    }

    /// All tables.
    pub(super) fn tables(self) -> Vec<Table> {
        vec![
            self.efficiency(),
            self.budgets(),
            self.budgets_of_pooled(),
            self.quarters(),
            self.adaptive(),
            self.ablation(),
            self.matched(),
            self.conditions(),
            self.curve(),
        ]
    }

    fn efficiency(self) -> Table {
        let share = |label: &str, reducer: &str, accuracy: f64| {
            let row = self.baseline(label, Grid::Whole, reducer).paper(accuracy, 1152.0);
            let renumbered = row.renumbered();
            [row, renumbered]
        };
        let adaptive = self.vqtoken("VQToken, adaptive", Budget::PAPER_ADAPTIVE).paper(57.72, 13.08);
        let fixed = self.vqtoken("VQToken, fixed", Budget::PAPER_FIXED).paper(57.46, 32.0);
        let mut rows = vec![self.unreduced().paper(58.38, 11_664.0)];
        rows.extend(share("pruning, 10%", "norm:10%", 29.12));
        rows.extend(share("ToMe, 10%", "tome:10%", 35.72));
        rows.extend(share("VidToMe, 10%", "video-tome:10%", 39.64));
        rows.push(self.pooled("pooling, twice the frames", 2 * self.unreduced).paper(57.20, 3136.0));
        rows.extend([self.matched_frames(adaptive.clone()), self.matched_frames(fixed.clone())]);
        rows.extend([adaptive, fixed]);
        Table {
            title: "Efficiency (the paper's Table 1)",
            text: "Two complexities, kept apart: of the reducer (with VQ-attention), and of the language model after it. Operations are counted from the methods' \
                   definitions, seconds measured; all are means over questions as if each were asked alone. Training-free reducers work on the unreduced model.",
            columns: Columns::Cost,
            rows,
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
            let figures = published.iter().find(|(known, _)| *known == name).map(|(_, figures)| figures);
            let of_budget = |(index, budget): (usize, usize)| {
                let row = match name {
                    "vqtoken" => self.vqtoken("VQToken", Budget::Fixed(budget)),
                    name => self.baseline(name, Grid::Whole, &format!("{name}:{budget}")),
                };
                Row { paper: figures.map(|figures| (figures[index], budget as f64)), ..row }
            };
            let own: Vec<Row> = BUDGETS.into_iter().enumerate().map(of_budget).collect();
            let renumbered: Vec<Row> = own.iter().map(Row::renumbered).collect();
            rows.extend(own);
            rows.extend(renumbered.into_iter().filter(|_| name != "vqtoken"));
        }
        Table {
            title: "Fixed budgets (the paper's Table 2)",
            text: "All of them reduce the same token grid of the same frames. Training-free reducers work on the unreduced model, whose language model never saw so few \
                   tokens; VQToken was trained on them. *Renumbered* tokens stand at positions 0, 1, 2, ..; the others keep those that they had in the grid. \
                   Either way these are not the positions of the pooled grids that the unreduced model was trained on, so the next two tables are fairer to training-free reducers.",
            columns: Columns::Budgets,
            rows,
        }
    }

    fn budgets_of_pooled(self) -> Table {
        let rows = BASELINES.into_iter().flat_map(|name| {
            let row = |budget| self.baseline(name, Grid::Pooled, &format!("{name}:{budget}"));
            let own = BUDGETS.map(row);
            let renumbered = own.each_ref().map(Row::renumbered);
            own.into_iter().chain(renumbered)
        });
        Table {
            title: "Fixed budgets, out of what the unreduced model was trained on",
            text: "The same reducers on the pooled tokens of the unreduced model's own frames, which is where their authors put them, at the positions that it was trained on. Not in \
                   the paper.",
            columns: Columns::Budgets,
            rows: rows.collect(),
        }
    }

    fn quarters(self) -> Table {
        let rows = QUARTERS.into_iter().flat_map(|name| {
            let row = self.baseline(name, Grid::Pooled, &format!("{name}:{QUARTER}"));
            let renumbered = row.renumbered();
            [row, renumbered]
        });
        Table {
            title: "A quarter of what the unreduced model was trained on",
            text: "Not in the paper. The unreduced model learnt most of what it knows from a random quarter of the pooled tokens, each at its own position, so this is the \
                   fairest case for training-free reducers, and `random` without renumbering is what the model was trained to read.",
            columns: Columns::Accuracy,
            rows: [self.unreduced()].into_iter().chain(rows).collect(),
        }
    }

    fn adaptive(self) -> Table {
        let of = |min, rule| Budget::Adaptive { min, max: BUDGETS[1], rule };
        let baselines = [
            self.baseline("DyCoke", Grid::Pooled, "dycoke:p=0.7").paper(57.7, 1662.0),
            self.baseline("EVS", Grid::Pooled, "evs:q=0.75"),
            self.baseline("STTM", Grid::Pooled, "sttm:th=0.8"),
            self.baseline("LLaVA-Scissor", Grid::Pooled, "scissor:tau=0.9"),
        ];
        let mut rows = vec![
            self.vqtoken("VQToken, elbow of 12 to 32", Budget::PAPER_ADAPTIVE).paper(57.72, 13.08),
            self.vqtoken("VQToken, elbow of 8 to 32", of(8, Rule::Elbow)),
            self.vqtoken("VQToken, silhouette", of(BUDGETS[0], Rule::Silhouette)),
            self.pooled("pooling, twice the frames", 2 * self.unreduced).paper(57.2, 3136.0),
        ];
        for row in baselines {
            let renumbered = row.renumbered();
            rows.extend([row, renumbered]);
        }
        Table {
            title: "Adaptive budgets (the paper's Table 3)",
            text: "The method chooses how many tokens each video gets. Training-free reducers work on the pooled tokens of the unreduced model.",
            columns: Columns::Accuracy,
            rows,
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
        let vqtoken = self.vqtoken("VQToken", Budget::PAPER_FIXED).paper(57.44, 32.0);
        let adaptive = self.vqtoken("VQToken, adaptive", Budget::PAPER_ADAPTIVE);
        let codebook = self.codes(Codes::Bare, Budget::PAPER_FIXED);
        let codebook = Row::new("codebook only", Role::Codebook, codebook);
        let rows = vec![
            self.unreduced().paper(57.71, 23_328.0),
            self.matched_frames(vqtoken.clone()),
            self.matched_frames(adaptive),
            self.matched_frames(codebook.clone()),
            vqtoken,
            codebook,
        ];
        Table {
            title: "Matched training (the paper's Table 7)",
            text: "The same language model, trained on the same questions with each kind of token. *Frames matched* rows read the frames that the unreduced model reads, so \
                   that nothing but the tokens differs; the others read more frames, which does not raise their number of tokens.",
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
        let blind =
            Row::new("question alone, trained so", Role::Blind, self.codes(Codes::Bare, Budget::PAPER_FIXED));
        let rows = whole.into_iter().flat_map(|row| {
            let under = conditions.map(|(suffix, condition)| {
                Row { label: format!("{}{suffix}", row.label), ..row.clone() }.under(condition)
            });
            [row].into_iter().chain(under)
        });
        Table {
            title: "What the paper leaves out: without the video, without motion, without order",
            text: "How much of the accuracy needs the video at all, more than one frame of it, and their order. Without these rows a small loss by reduction may only say \
                   that the questions do not need the video: NExT-QA's authors report 43.76% for a model that reads the question alone. A model that was trained with videos \
                   and is asked without one may do worse than it could; *trained so* is a model that has only ever seen questions.",
            columns: Columns::Accuracy,
            rows: rows.chain([blind.under(Condition::Blind)]).collect(),
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
        assert_eq!(rows, [12, 69, 66, 17, 12, 7, 6, 9, 8]);
        let readings: Vec<_> = tables[0].rows.iter().map(|row| row.reading.to_string()).collect();
        assert_eq!(readings[0], "pooled of 8 frames");
        assert_eq!(readings[1..3], ["norm:10% of 32 frames", "norm:10%@renumbered of 32 frames"]);
        assert_eq!(readings[7], "pooled of 16 frames");
        assert_eq!(readings[9], "vqtoken:32 of 8 frames");
        assert_eq!(readings[11], "vqtoken:32 of 32 frames");
        assert_eq!((tables[0].rows[1].paper, tables[0].rows[2].paper), (Some((29.12, 1152.0)), None));
        let labels: Vec<_> = tables[1].rows[..9].iter().map(|row| row.label.as_str()).collect();
        assert_eq!(labels, [["VQToken"; 3], ["norm"; 3], ["norm, renumbered"; 3]].concat());
        assert_eq!(tables[1].rows[0].paper, Some((57.03, 12.0)));
        assert_eq!(tables[2].rows[0].reading.to_string(), "pooled+norm:12 of 8 frames");
        assert_eq!(tables[3].rows[1].reading.to_string(), "pooled+random:25% of 8 frames");
        assert_eq!(tables[7].rows[7].reading.to_string(), "vqtoken:32 of 32 frames, shuffled");
    }
}
