//! What can be wrong with a `.vqt` file.

use std::io;
use std::path::PathBuf;

use vqtoken_files::{LimitError, WriteError, quoted};

use crate::budget::BudgetError;
use crate::codebook::CodebookError;
use crate::index_map::IndexMapError;
use crate::map_coding::MapCodingError;

/// Why bytes are not video tokens, or video tokens cannot become bytes.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VqtFormatError {
    /// It is not a safetensors file, or one of something else.
    #[error("not a .vqt file, or its header is damaged: {reason}: make one with `vqtoken encode`")]
    NotVqt {
        /// What gave it away.
        reason: String,
    },
    /// The file asks for more than the limits allow.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// There are fewer or more bytes than the header says.
    #[error(
        "the file has {found} bytes, which is not what its header describes: it was cut short or added to: copy or encode it again"
    )]
    Length {
        /// The number of bytes.
        found: usize,
    },
    /// The header is longer than any reader accepts.
    #[error(
        "a header of {bytes} bytes is longer than the 1 MiB a .vqt file may have: shorten the names in it"
    )]
    LongHeader {
        /// Its length.
        bytes: usize,
    },
    /// Written by a newer program.
    #[error("format version {version} is newer than this program reads ({known}): update vqtoken")]
    Newer {
        /// The file's.
        version: u64,
        /// The newest one known here.
        known: u64,
    },
    /// Some byte is not what was written.
    #[error("the checksum is {found} instead of {expected}, the file is damaged: copy or encode it again")]
    Checksum {
        /// What the file says.
        expected: String,
        /// What its bytes give.
        found: String,
    },
    /// A metadata entry does not exist.
    #[error("the metadata has no {key:?}: encode the video again")]
    MissingMetadata {
        /// Its key.
        key: &'static str,
    },
    /// A metadata entry cannot be read.
    #[error("the metadata entry {key:?} is {value:?} instead of {expected}: encode the video again")]
    Metadata {
        /// Its key.
        key: &'static str,
        /// What it says.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A tensor does not exist.
    #[error("there is no tensor {tensor:?}: encode the video again")]
    MissingTensor {
        /// Its name.
        tensor: &'static str,
    },
    /// A tensor that this version of the format does not have.
    #[error("the tensor {tensor:?} does not belong in a .vqt file: encode the video again")]
    UnexpectedTensor {
        /// Its name.
        tensor: String,
    },
    /// A tensor has another type or number of axes.
    #[error("the tensor {tensor:?} is {found} instead of {expected}: encode the video again")]
    Tensor {
        /// Its name.
        tensor: &'static str,
        /// Type and shape.
        found: String,
        /// Type and shape.
        expected: &'static str,
    },
    /// A tensor holds NaN or an infinity.
    #[error("value {index} of {tensor:?} is not a finite number: encode the video again")]
    NotFinite {
        /// The tensor.
        tensor: &'static str,
        /// Its first such value, counted through the flat tensor.
        index: usize,
    },
    /// Codebook and index map do not belong together.
    #[error(
        "the codebook has {codes} codes but the index map is over {labelled}: take both from one quantization"
    )]
    Codes {
        /// K of the codebook.
        codes: usize,
        /// K of the index map.
        labelled: usize,
    },
    /// There is not one timestamp for each frame.
    #[error(
        "the index map has {frames} frames but there are {timestamps} timestamps: give one for each frame"
    )]
    Timestamps {
        /// T.
        frames: usize,
        /// The number of timestamps.
        timestamps: usize,
    },
    /// Steps and scale of an int8 code do not belong together.
    #[error(
        "code {code} of \"codebook\" has a scale of {scale} that does not suit its steps, of which the largest must be 127, or 0 with a scale of 0: encode the video again"
    )]
    Scale {
        /// The code.
        code: usize,
        /// What one step is said to stand for.
        scale: f32,
    },
    /// The codebook is not valid.
    #[error("tensor \"codebook\": {0}")]
    Codebook(#[from] CodebookError),
    /// The index map is not valid.
    #[error("tensor \"index_map\": {0}")]
    IndexMap(#[from] IndexMapError),
    /// The coded index map is not valid.
    #[error("tensor \"index_map_coded\": {0}")]
    MapCoding(#[from] MapCodingError),
    /// The budget of the video or of its windows allows no code.
    #[error("metadata entry \"budget\" or \"window.total\": {0}")]
    Budget(#[from] BudgetError),
}

/// Why a `.vqt` file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VqtError {
    /// What is in the file, or should be, is wrong.
    #[error("{}: {cause}", quoted(path))]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: VqtFormatError,
    },
    /// It is a folder, a device or the like.
    #[error("{} is not a file: give the path of a .vqt file", quoted(path))]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The system cannot read it.
    #[error("{} cannot be read: {cause}", quoted(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}
