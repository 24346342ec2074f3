//! `TokenGrid`: patch embeddings as the quantizer and the reducers take them.

use numpy::PyArrayDyn;
use pyo3::prelude::*;
use vqtoken::GridShape;

use super::{FloatArray, view, wrong_shape};
use crate::errors::OrRaise;

/// Patch embeddings of a clip, `[T, H, W, D]`.
///
/// float32 arrays are taken by reference, so writing to them changes the grid; others are widened. `[N, D]` is one frame of one row.
#[pyclass(frozen, module = "vqtoken")]
pub(crate) struct TokenGrid {
    grid: vqtoken::TokenGrid,
    /// As it was given: `[T, H, W, D]` or `[N, D]`.
    shape: Vec<usize>,
}

impl TokenGrid {
    /// The grid of an array, or of a `TokenGrid`, and the shape of its tokens: `[T, H, W]` or `[N]`.
    pub(crate) fn of(object: &Bound<'_, PyAny>) -> PyResult<(vqtoken::TokenGrid, Vec<usize>)> {
        let given;
        let made;
        let grid = match object.cast::<Self>() {
            Ok(grid) => {
                given = grid.clone();
                given.get()
            }
            Err(_) => {
                made = Self::new(object)?;
                &made
            }
        };
        Ok((grid.grid.clone(), grid.shape[..grid.shape.len() - 1].to_vec()))
    }
}

#[pymethods]
impl TokenGrid {
    #[new]
    fn new(tokens: &Bound<'_, PyAny>) -> PyResult<Self> {
        let array = FloatArray::of(tokens, "tokens")?;
        let (shape, features) = match array.shape.as_slice() {
            &[frames, height, width, features] => (GridShape { frames, height, width }, features),
            &[count, features] => (GridShape { frames: 1, height: 1, width: count }, features),
            shape => return Err(wrong_shape("tokens", "[T, H, W, D] or [N, D]", shape)),
        };
        let grid = vqtoken::TokenGrid::shared(shape, features, array.values).or_raise()?;
        Ok(Self { grid, shape: array.shape })
    }

    /// All values, `[T, H, W, D]` or `[N, D]`, read-only: the memory of the array that they came from.
    #[getter]
    fn data<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        view(this.get().grid.data(), &this.get().shape, this.clone().into_any())
    }

    /// As it was given.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, pyo3::types::PyTuple>> {
        pyo3::types::PyTuple::new(py, &self.shape)
    }

    fn __repr__(&self) -> String {
        format!("TokenGrid({:?})", self.shape)
    }
}
