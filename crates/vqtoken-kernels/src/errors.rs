//! What callers can get wrong.

/// Shapes that do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// A slice is too short or too long for the shape given with it.
    #[error(
        "{what} holds {found} numbers where its shape {shape} needs {expected}: pass a slice of that length"
    )]
    Length {
        /// Which slice.
        what: &'static str,
        /// The shape, written out.
        shape: String,
        /// How many numbers the shape needs.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// Two sizes that must be equal, or divide each other, do not.
    #[error("{what}: {left} does not fit {right}: {remedy}")]
    Mismatch {
        /// Which sizes.
        what: &'static str,
        /// The first.
        left: usize,
        /// The second.
        right: usize,
        /// What would make them fit.
        remedy: &'static str,
    },
}

/// Checks that a slice has as many numbers as its shape.
pub(crate) fn check_length(what: &'static str, found: usize, shape: &[usize]) -> Result<(), ShapeError> {
    let expected =
        shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size)).unwrap_or(usize::MAX);
    if found == expected {
        Ok(())
    } else {
        Err(ShapeError::Length { what, shape: format!("{shape:?}"), expected, found })
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
