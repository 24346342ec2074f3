//! What can go wrong when videos are added or searched.

use vqtoken_archive::ArchiveError;
use vqtoken_model::ModelError;
use vqtoken_similarity::SimilarityError;
use vqtoken_video::VideoError;

use crate::condition::ConditionError;

/// Why a video was not added, or a search not made. Every message is one line: what, where, remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// The archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The model or the retriever.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The video.
    #[error(transparent)]
    Video(#[from] VideoError),
    /// A `.vqt` file.
    #[error(transparent)]
    Tokens(#[from] vqtoken_core::VqtError),
    /// Two videos could not be compared.
    #[error(transparent)]
    Similarity(#[from] SimilarityError),
    /// A condition on facts.
    #[error(transparent)]
    Condition(#[from] ConditionError),
    /// The query has no words.
    #[error("the query is empty: say what you look for")]
    EmptyQuery,
    /// The query is very long.
    #[error("the query has {bytes} bytes, and may have {most}: say it in a sentence or two")]
    LongQuery {
        /// Bytes that it has.
        bytes: usize,
        /// Bytes that it may have.
        most: usize,
    },
    /// The retriever reads codes alone.
    #[error(
        "{finder} compares texts with codes and cannot read a picture: use --like with a video, or a SigLIP checkpoint with --retriever"
    )]
    NoPictures {
        /// The retriever.
        finder: String,
    },
    /// The retriever needs frames, and there are only tokens.
    #[error("{name}: {finder} needs the frames of a video, and a .vqt file has none: add the video instead")]
    NeedsFrames {
        /// What was added.
        name: String,
        /// The retriever.
        finder: String,
    },
    /// Nothing in the archive was made by this retriever.
    #[error(
        "the archive has no vectors of {space}, only of {}: search with the retriever they were made with, or add the videos again with this one",
        stored.join(", ")
    )]
    OtherSpace {
        /// The retriever asked for.
        space: String,
        /// The ids of the spaces there are.
        stored: Vec<String>,
    },
    /// A stretch of a video has no frames.
    #[error("{name} has no sampled frame between {from} s and {to} s: choose another stretch")]
    EmptyStretch {
        /// The video.
        name: String,
        /// Seconds.
        from: f64,
        /// Seconds.
        to: f64,
    },
    /// A time that is none.
    #[error(
        "invalid time {text:?}: give a year, a date or a date and time, such as 2024, 2024-05-01 or 2024-05-01T12:30"
    )]
    Time {
        /// The text given.
        text: String,
    },
    /// The exported file could not be written.
    #[error("{path}: cannot be written: {source}: check the disk and the permissions")]
    Export {
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
}
