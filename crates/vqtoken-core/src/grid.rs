//! The token grid: a clip's patch embeddings after the projector, `[T, H, W, D]`.

use std::fmt;
use std::sync::Arc;

/// How many frames, rows and columns of tokens a clip has: `[T, H, W]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GridShape {
    /// T, the number of sampled frames.
    pub frames: usize,
    /// H, the rows of patches in a frame.
    pub height: usize,
    /// W, the columns of patches in a frame.
    pub width: usize,
}

/// One cell of a token grid, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// f, the frame.
    pub frame: usize,
    /// h, the row from the top.
    pub row: usize,
    /// w, the column from the left.
    pub column: usize,
}

impl GridShape {
    /// `T * H * W`, the number of tokens; `None` if that does not fit in `usize`.
    pub fn checked_len(&self) -> Option<usize> {
        self.frames.checked_mul(self.height)?.checked_mul(self.width)
    }

    /// `T * H * W`, the number of tokens; `usize::MAX` if it does not fit, which no grid of tokens can have.
    pub fn len(&self) -> usize {
        self.checked_len().unwrap_or(usize::MAX)
    }

    /// Whether the grid has no tokens at all.
    pub fn is_empty(&self) -> bool {
        self.frames == 0 || self.height == 0 || self.width == 0
    }

    /// `H * W`, the number of tokens in a frame; `usize::MAX` if it does not fit.
    pub fn tokens_per_frame(&self) -> usize {
        self.height.saturating_mul(self.width)
    }

    /// The place of a cell in a flat `[T, H, W]` slice, or `None` if it is outside the grid.
    pub fn index(&self, position: Position) -> Option<usize> {
        let inside =
            position.frame < self.frames && position.row < self.height && position.column < self.width;
        (inside && self.checked_len().is_some())
            .then(|| (position.frame * self.height + position.row) * self.width + position.column)
    }

    /// The cell at a place in a flat `[T, H, W]` slice, or `None` if the slice is not that long.
    pub fn position(&self, index: usize) -> Option<Position> {
        (index < self.checked_len()?).then(|| Position {
            frame: index / (self.height * self.width),
            row: index / self.width % self.height,
            column: index % self.width,
        })
    }

    /// The number of tokens of a grid that may exist: at least one, and fewer than 2^32.
    pub(crate) fn checked(&self) -> Result<usize, GridError> {
        match self.checked_len() {
            Some(0) => Err(GridError::Empty { shape: *self }),
            // Places in a grid are kept as `u32`.
            Some(tokens) if u32::try_from(tokens).is_ok() => Ok(tokens),
            _ => Err(GridError::TooLarge { shape: *self }),
        }
    }
}

impl fmt::Display for GridShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}, {}]", self.frames, self.height, self.width)
    }
}

/// The patch embeddings of a clip, `[T, H, W, D]`, row-major. Clones share the values.
#[derive(Clone)]
pub struct TokenGrid {
    shape: GridShape,
    dim: usize,
    data: SharedValues,
}

/// Values that somebody else may own, such as an array of another language.
pub type SharedValues = Arc<dyn AsRef<[f32]> + Send + Sync>;

impl TokenGrid {
    /// Takes `data` as `[T, H, W, D]`. Values may be anything here; [`crate::quantize`] asks for finite ones.
    ///
    /// # Errors
    /// If an axis is 0, if there are 2^32 tokens or more, or if `data` is not as long as they say.
    pub fn new(shape: GridShape, dim: usize, data: Vec<f32>) -> Result<Self, GridError> {
        Self::shared(shape, dim, Arc::new(data))
    }

    /// The same of values that are not copied.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn shared(shape: GridShape, dim: usize, data: SharedValues) -> Result<Self, GridError> {
        let tokens = shape.checked()?;
        if dim == 0 {
            return Err(GridError::NoChannels);
        }
        let expected = tokens.checked_mul(dim).ok_or(GridError::TooLarge { shape })?;
        let found = (*data).as_ref().len();
        if found != expected {
            return Err(GridError::Length { shape, dim, expected, found });
        }
        Ok(Self { shape, dim, data })
    }

    /// `[T, H, W]`.
    pub fn shape(&self) -> GridShape {
        self.shape
    }

    /// D, the channels of a token.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All values, `[T, H, W, D]`.
    pub fn data(&self) -> &[f32] {
        (*self.data).as_ref()
    }

    /// Token `index` of `[T, H, W]` flattened, `[D]`.
    ///
    /// # Panics
    /// If `index >= T * H * W`, like a slice.
    pub fn token(&self, index: usize) -> &[f32] {
        &self.data()[index * self.dim..][..self.dim]
    }
}

impl PartialEq for TokenGrid {
    fn eq(&self, other: &Self) -> bool {
        (self.shape, self.dim, self.data()) == (other.shape, other.dim, other.data())
    }
}

impl fmt::Debug for TokenGrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shape, dim, .. } = self;
        f.debug_struct("TokenGrid").field("shape", shape).field("dim", dim).finish_non_exhaustive()
    }
}

/// Why values are not a token grid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GridError {
    /// An axis is 0.
    #[error("a grid of shape [T, H, W] = {shape} has no tokens: give at least one frame, row and column")]
    Empty {
        /// What was asked for.
        shape: GridShape,
    },
    /// D is 0.
    #[error("tokens of 0 channels carry nothing: give a dimension D of at least 1")]
    NoChannels,
    /// More tokens than one clip may have, or more values than fit in `usize`.
    #[error(
        "a grid of shape [T, H, W] = {shape} is larger than the 2^32 - 1 tokens one clip may have: sample fewer frames"
    )]
    TooLarge {
        /// What was asked for.
        shape: GridShape,
    },
    /// `data` has another length than the shape says.
    #[error(
        "a grid of shape [T, H, W] = {shape} with D = {dim} needs {expected} values, but {found} were given"
    )]
    Length {
        /// What was asked for.
        shape: GridShape,
        /// D.
        dim: usize,
        /// `T * H * W * D`.
        expected: usize,
        /// The length of `data`.
        found: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_positions_are_inverse() {
        let shape = GridShape { frames: 2, height: 3, width: 4 };
        for index in 0..shape.len() {
            assert_eq!(shape.index(shape.position(index).unwrap()), Some(index));
        }
        assert_eq!(shape.position(24), None);
        assert_eq!(shape.index(Position { frame: 0, row: 3, column: 0 }), None);
    }

    #[test]
    fn sizes_are_checked() {
        let shape = |frames, height, width| GridShape { frames, height, width };
        assert!(matches!(TokenGrid::new(shape(0, 1, 1), 1, vec![]), Err(GridError::Empty { .. })));
        assert_eq!(TokenGrid::new(shape(1, 1, 1), 0, vec![]), Err(GridError::NoChannels));
        assert!(matches!(
            TokenGrid::new(shape(usize::MAX, 2, 1), 1, vec![]),
            Err(GridError::TooLarge { .. })
        ));
        assert!(matches!(
            TokenGrid::new(shape(usize::MAX, 1, 1), 2, vec![]),
            Err(GridError::TooLarge { .. })
        ));
        let error = TokenGrid::new(shape(1, 2, 2), 3, vec![0.0; 11]).unwrap_err();
        assert!(error.to_string().contains("needs 12 values, but 11"));
    }
}
