//! `TokenHash`: where and when each code occurs.

use numpy::{PyArray1, PyArray2, PyArray3, PyArrayMethods};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;

use crate::arrays::index_map_of;
use crate::errors::Exception;

/// Grid position to code, and code to its positions.
#[pyclass(frozen, module = "vqtoken")]
pub(crate) struct TokenHash(pub(crate) vqtoken::TokenHash);

/// Bins of time of a path where nobody says.
const BINS: usize = 16;

impl TokenHash {
    fn check(&self, code: u32) -> PyResult<u32> {
        match (code as usize) < self.0.codes() {
            true => Ok(code),
            false => {
                Err(PyIndexError::new_err(format!("there is no code {code}: there are {}", self.0.codes())))
            }
        }
    }
}

#[pymethods]
impl TokenHash {
    /// From labels `[T, H, W]`; without `codes`, as many as the largest label asks for.
    #[new]
    #[pyo3(signature = (index_map, codes = None))]
    fn new(index_map: &Bound<'_, PyAny>, codes: Option<usize>) -> PyResult<Self> {
        Ok(Self(vqtoken::TokenHash::new(&index_map_of(index_map, codes)?)))
    }

    /// `(T, H, W)`.
    #[getter]
    fn shape(&self) -> (usize, usize, usize) {
        let shape = self.0.shape();
        (shape.frames, shape.height, shape.width)
    }

    /// K.
    #[getter]
    fn codes(&self) -> usize {
        self.0.codes()
    }

    /// The code of a cell.
    fn code_at(&self, frame: usize, row: usize, column: usize) -> PyResult<u32> {
        self.0.code_at(frame, row, column).ok_or_else(|| {
            let shape = self.0.shape();
            PyIndexError::new_err(format!("({frame}, {row}, {column}) is outside the grid {shape}"))
        })
    }

    /// Indices into the flat `[T, H, W]` grid of a code's cells, ascending.
    fn positions<'py>(&self, py: Python<'py>, code: u32) -> PyResult<Bound<'py, PyArray1<u32>>> {
        Ok(PyArray1::from_slice(py, self.0.positions(self.check(code)?)))
    }

    /// Frame, row and column of a code's cells, `[n, 3]`.
    fn cells<'py>(&self, py: Python<'py>, code: u32) -> PyResult<Bound<'py, PyArray2<u32>>> {
        let cells = self.0.cells(self.check(code)?);
        let cells: Vec<u32> =
            cells.flat_map(|cell| [cell.frame as u32, cell.row as u32, cell.column as u32]).collect();
        PyArray1::from_vec(py, cells).reshape([self.0.positions(code).len(), 3])
    }

    /// The share of each frame that a code covers, `[T]`.
    fn presence<'py>(&self, py: Python<'py>, code: u32) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let code = self.check(code)?;
        Ok(PyArray1::from_iter(py, (0..self.0.shape().frames).map(|frame| self.0.presence(code, frame))))
    }

    /// Each code's presence, centre (row, column) and spread (rows, columns) in each of `bins` equal bins of time, `[K, bins, 5]`; all
    /// in `[0, 1]`. 16 bins if not given.
    #[pyo3(signature = (bins = BINS))]
    fn paths<'py>(&self, py: Python<'py>, bins: usize) -> PyResult<Bound<'py, PyArray3<f32>>> {
        const MOST: usize = 1 << 16;
        if bins == 0 || bins > MOST {
            return Err(Exception::Array.error(format!("{bins} bins of time: give 1 to {MOST}")));
        }
        PyArray1::from_vec(py, self.0.paths(bins)).reshape([self.0.codes(), bins, 5])
    }

    fn __repr__(&self) -> String {
        format!("TokenHash({} codes over {})", self.0.codes(), self.0.shape())
    }
}
