//! The data: clips, and conversations about them.

pub(crate) mod llava;
pub(crate) mod shapes;

use vqtoken_shapes::Scene;
use vqtoken_video::Frame;

use crate::error::TrainError;
use crate::rng::Rng;

/// Questions about a clip and their answers, in order; later ones may refer to earlier ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conversation {
    /// What kind of text the answers are. Accuracy is measured for each kind.
    pub(crate) kind: AnswerKind,
    /// Pairs of question and answer.
    pub(crate) turns: Vec<(String, String)>,
}

/// What kind of text an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerKind {
    /// A description.
    Description,
    /// A free answer to a question.
    Open,
    /// The letter of an option.
    Choice,
}

impl AnswerKind {
    /// Every kind.
    pub(crate) const ALL: [Self; 3] = [Self::Description, Self::Open, Self::Choice];

    /// The name of this kind's accuracy in logs.
    pub(crate) fn measure(self) -> &'static str {
        match self {
            Self::Description => "descriptions_right",
            Self::Open => "open_right",
            Self::Choice => "choices_right",
        }
    }
}

impl Conversation {
    /// One question and its answer.
    fn single(kind: AnswerKind, question: impl Into<String>, answer: impl Into<String>) -> Self {
        Self { kind, turns: vec![(question.into(), answer.into())] }
    }
}

/// What a clip is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Training.
    Training,
    /// Validation; never trained on.
    Validation,
}

/// Clips with conversations about them. A clip is named by its index in the whole data set.
pub(crate) trait Clips: Sync {
    /// The number of clips for a use.
    fn count(&self, of: Use) -> usize;

    /// The index in the whole data set of a clip for a use, given its index among these.
    fn index(&self, of: Use, position: usize) -> usize;

    /// `frames` frames of a clip, evenly spaced.
    fn frames(&self, clip: usize, frames: usize) -> Result<Vec<Frame>, TrainError>;

    /// `count` conversations about a clip, drawn with `rng`.
    fn conversations(&self, clip: usize, count: usize, rng: &mut Rng) -> Vec<Conversation>;

    /// The conversations that a clip is validated with, the same every time.
    fn validation(&self, clip: usize) -> Vec<Conversation>;

    /// The scene that a clip is rendered from, if it is rendered.
    fn scene(&self, clip: usize) -> Option<&Scene>;

    /// A text that differs where clips show other pictures; cached features belong to it.
    fn pictures(&self) -> String;

    /// Indices of the first `count` validation clips, or of all if there are fewer.
    fn validation_clips(&self, count: usize) -> Vec<usize> {
        let count = count.min(self.count(Use::Validation));
        (0..count).map(|position| self.index(Use::Validation, position)).collect()
    }
}
