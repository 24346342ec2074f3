//! The index map: for each cell of the token grid the code it was assigned to, `[T, H, W]`.

use crate::grid::{GridError, GridShape, Position};

/// Labels `[T, H, W]`, each below K.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexMap {
    shape: GridShape,
    codes: usize,
    labels: Vec<u32>,
}

impl IndexMap {
    /// Takes `labels` as `[T, H, W]` over `codes` = K codes.
    ///
    /// # Errors
    /// If the shape is empty or has 2^32 cells, `labels` has another length, or a label is not below K.
    pub fn new(shape: GridShape, codes: usize, labels: Vec<u32>) -> Result<Self, IndexMapError> {
        let expected = shape.checked()?;
        if labels.len() != expected {
            return Err(IndexMapError::Length { shape, expected, found: labels.len() });
        }
        match labels.iter().position(|&label| label as usize >= codes) {
            Some(index) => {
                let Position { frame, row, column } = shape.position(index).unwrap_or_default();
                Err(IndexMapError::Label { label: labels[index], codes, frame, row, column })
            }
            None => Ok(Self { shape, codes, labels }),
        }
    }

    /// `[T, H, W]`.
    pub fn shape(&self) -> GridShape {
        self.shape
    }

    /// K.
    pub fn codes(&self) -> usize {
        self.codes
    }

    /// All labels, `[T, H, W]`.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The labels of frame `frame`, `[H, W]`.
    ///
    /// # Panics
    /// If `frame >= T`, like a slice.
    pub fn frame(&self, frame: usize) -> &[u32] {
        let tokens = self.shape.tokens_per_frame();
        &self.labels[frame * tokens..][..tokens]
    }
}

/// Why labels are not an index map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexMapError {
    /// The shape cannot be one of a grid.
    #[error(transparent)]
    Shape(#[from] GridError),
    /// `labels` has another length than the shape says.
    #[error("an index map of shape [T, H, W] = {shape} needs {expected} labels, but {found} were given")]
    Length {
        /// What was asked for.
        shape: GridShape,
        /// `T * H * W`.
        expected: usize,
        /// The length of `labels`.
        found: usize,
    },
    /// A label names a code that does not exist.
    #[error(
        "the label at frame {frame}, row {row}, column {column} is {label}, but there are only {codes} codes (0 is the first)"
    )]
    Label {
        /// The label.
        label: u32,
        /// K.
        codes: usize,
        /// f of the first such label.
        frame: usize,
        /// h.
        row: usize,
        /// w.
        column: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_label_out_of_range_is_named() {
        let shape = GridShape { frames: 2, height: 1, width: 2 };
        let error = IndexMap::new(shape, 2, vec![0, 1, 1, 2]).unwrap_err();
        assert_eq!(error, IndexMapError::Label { label: 2, codes: 2, frame: 1, row: 0, column: 1 });
        assert_eq!(IndexMap::new(shape, 3, vec![0, 1, 1, 2]).unwrap().frame(1), [1, 2]);
    }
}
