//! What can go wrong between a SigLIP checkpoint, texts and pictures.

/// A failure of texts and pictures in one space. Each message is one line that names the thing at fault and the remedy.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RetrievalError {
    /// The checkpoint has no text tower.
    #[error(
        "{checkpoint} has no text tower (no tensors text_model.*): give a whole SigLIP, such as google/siglip-so400m-patch14-384"
    )]
    NoTextTower {
        /// The checkpoint.
        checkpoint: String,
    },
    /// The checkpoint has no vision tower.
    #[error(
        "{checkpoint} has no vision tower (no tensors vision_model.*): give a whole SigLIP, such as google/siglip-so400m-patch14-384"
    )]
    NoVisionTower {
        /// The checkpoint.
        checkpoint: String,
    },
    /// The vision tower has no pooling head.
    #[error(
        "the vision tower of {checkpoint} has no pooling head (no tensors vision_model.head.*), without which pictures have no \
         vectors: give a whole SigLIP, such as google/siglip-so400m-patch14-384"
    )]
    NoHead {
        /// The checkpoint.
        checkpoint: String,
    },
    /// The preprocessor does something to pictures that is not supported.
    #[error("{file}: {problem}")]
    Preprocessor {
        /// The file.
        file: String,
        /// What it does.
        problem: String,
    },
    /// Values are not rows of hidden states.
    #[error(
        "{values} values are not {rows} rows of {features} features, which hidden states of this tower have"
    )]
    HiddenStates {
        /// How many values were given.
        values: usize,
        /// How many rows they were to be; 0 rows cannot be pooled.
        rows: usize,
        /// Features of a hidden state (Dv).
        features: usize,
    },
    /// Pixels are not of the tower's size.
    #[error(
        "{values} pixel values of {frames} frames of side {size} cannot be read: the tower reads sides of {expected}; use Retriever::pixels"
    )]
    Pixels {
        /// How many values were given.
        values: usize,
        /// How many frames they were to be.
        frames: usize,
        /// The side they were to have.
        size: usize,
        /// The tower's side.
        expected: usize,
    },
    /// Another tower's states are of more layers than this tower has.
    #[error("states after {given} layers cannot be continued by a tower of {layers}")]
    Layers {
        /// Layers that were computed.
        given: usize,
        /// Layers of the tower.
        layers: usize,
    },
    /// Frames are not in order of time.
    #[error("a frame at {time} s after one at {last} s: moments need frames in order of time")]
    Order {
        /// The time of the frame.
        time: f64,
        /// The time of the one before.
        last: f64,
    },
    /// Moments were asked for that cannot be cut.
    #[error("{what} is {value}: {expected}")]
    Moments {
        /// The option.
        what: &'static str,
        /// Its value.
        value: f64,
        /// What it has to be.
        expected: &'static str,
    },
    /// The token retriever was trained on another model's video tokens.
    #[error(
        "{retrieval} was trained on video tokens of {expected}, the model beside it is {found}: give the model that it belongs to"
    )]
    OtherModel {
        /// The token retriever's files.
        retrieval: String,
        /// The model that was given.
        found: String,
        /// The model that it was trained for.
        expected: String,
    },
    /// The model has no VQ-attention, which tells codes where they are and how they move.
    #[error(
        "{model} has no VQ-attention, without which codes do not say how anything moves: give a model that was trained with one"
    )]
    NoVqAttention {
        /// The model.
        model: String,
    },
    /// A window is not a range of the video's sampled frames.
    #[error(
        "the window of frames {start}..{end} is empty or goes beyond the video's {frames} sampled frames"
    )]
    Window {
        /// Its first frame.
        start: usize,
        /// The frame after its last.
        end: usize,
        /// Sampled frames of the video.
        frames: usize,
    },
    /// The codes of a window cannot be read.
    #[error("the video's codes cannot be compared with texts: {problem}; encode the video again")]
    Codes {
        /// What is wrong with them.
        problem: String,
    },
}
