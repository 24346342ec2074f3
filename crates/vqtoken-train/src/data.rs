//! What is learnt from: clips, and conversations about them.

use vqtoken_shapes::Scene;
use vqtoken_video::Frame;

use crate::draws::Draws;
use crate::error::TrainError;

/// Questions about a clip and their answers, in order; later ones may build on earlier ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// What kind of text the answers are; measured kind by kind.
    pub kind: Kind,
    /// Question and answer.
    pub turns: Vec<(String, String)>,
}

/// What kind of text an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A description.
    Description,
    /// A free answer to a question.
    Open,
    /// The letter of an option.
    Choice,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Description, Self::Open, Self::Choice];

    /// The measure that counts the right answers of this kind.
    pub fn measure(self) -> &'static str {
        match self {
            Self::Description => "descriptions_right",
            Self::Open => "open_right",
            Self::Choice => "choices_right",
        }
    }
}

impl Conversation {
    /// One question and its answer.
    pub fn single(kind: Kind, question: impl Into<String>, answer: impl Into<String>) -> Self {
        Self { kind, turns: vec![(question.into(), answer.into())] }
    }
}

/// What a clip is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// To learn from.
    Training,
    /// To see how well it goes; never learnt from.
    Validation,
}

/// Clips with conversations about them.
pub trait Clips: Sync {
    /// How many clips there are for a use.
    fn count(&self, of: Use) -> usize;

    /// The clip's number in the whole data set, which names its features.
    fn number(&self, of: Use, index: usize) -> usize;

    /// `frames` frames of a clip, evenly spaced.
    fn frames(&self, number: usize, frames: usize) -> Result<Vec<Frame>, TrainError>;

    /// So many conversations about a clip, drawn for a place of the run.
    fn conversations(&self, number: usize, count: usize, draws: &mut Draws) -> Vec<Conversation>;

    /// The conversations that a clip is validated with: the same every time.
    fn validation(&self, number: usize) -> Vec<Conversation>;

    /// The script of a clip, where it was rendered from one.
    fn scene(&self, _number: usize) -> Option<&Scene> {
        None
    }

    /// Everything that decides the pictures, in words: features made from others are not taken for these.
    fn pictures(&self) -> String;
}
