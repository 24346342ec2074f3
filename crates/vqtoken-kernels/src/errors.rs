//! The error of calls with wrong shapes.

/// Lengths or sizes that do not match.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// A slice is too short or too long for the shape given with it.
    #[error("{what}: {found} values, but shape {shape:?} has {expected}: pass a slice of that length")]
    Length {
        /// The slice.
        what: &'static str,
        /// The shape that it should have.
        shape: Vec<usize>,
        /// Values of that shape.
        expected: usize,
        /// Values in the slice.
        found: usize,
    },
    /// Two sizes that must be equal, or divide each other, do not.
    #[error("{what}: {left} does not match {right}: {remedy}")]
    Mismatch {
        /// The sizes.
        what: &'static str,
        /// The first.
        left: usize,
        /// The second.
        right: usize,
        /// What would make them fit.
        remedy: &'static str,
    },
}

/// Checks that a slice has as many values as its shape.
pub(crate) fn check_length(what: &'static str, found: usize, shape: &[usize]) -> Result<(), ShapeError> {
    let expected =
        shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size)).unwrap_or(usize::MAX);
    if found == expected {
        Ok(())
    } else {
        Err(ShapeError::Length { what, shape: shape.to_vec(), expected, found })
    }
}

/// Checks that two sizes are equal.
pub(crate) fn check_equal(
    what: &'static str,
    left: usize,
    right: usize,
    remedy: &'static str,
) -> Result<(), ShapeError> {
    if left == right { Ok(()) } else { Err(ShapeError::Mismatch { what, left, right, remedy }) }
}
