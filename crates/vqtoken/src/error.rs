//! One error for all that the library does.

use vqtoken_core::{
    BudgetError, CodebookError, GridError, IndexMapError, MapCodingError, QualityError, QuantizeError,
    ReduceError, VqtError,
};
use vqtoken_model::ModelError;
use vqtoken_video::VideoError;

use crate::picture::PictureError;

/// Any failure of this library. Its message is that of the part that failed: one line that names the thing at fault and the
/// remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A video cannot be opened, decoded or written.
    #[error(transparent)]
    Video(#[from] VideoError),
    /// A model cannot be loaded or used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A `.vqt` file cannot be read or written.
    #[error(transparent)]
    Vqt(#[from] VqtError),
    /// The quantizer refused tokens or a budget.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    /// A reducer does not exist, or refused tokens or an amount.
    #[error(transparent)]
    Reduce(#[from] ReduceError),
    /// A budget cannot be read.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// The quality of a file cannot be read.
    #[error(transparent)]
    Quality(#[from] QualityError),
    /// A token grid is malformed.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// A codebook is malformed.
    #[error(transparent)]
    Codebook(#[from] CodebookError),
    /// An index map is malformed.
    #[error(transparent)]
    IndexMap(#[from] IndexMapError),
    /// A coded index map is damaged.
    #[error(transparent)]
    MapCoding(#[from] MapCodingError),
    /// A picture cannot be drawn or written.
    #[error(transparent)]
    Picture(#[from] PictureError),
}
