//! `VqAttention`: codes to visual tokens for programs that bring their own language model.

use std::path::PathBuf;

use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use vqtoken::checkpoint::Checkpoint;
use vqtoken::{CodeReader, Codebook, IndexMap, ModelError};

use crate::arrays::{FloatArray, index_map_of};
use crate::errors::OrRaise;
use crate::work;

/// The VQ-attention of a checkpoint alone, without a vision tower or a language model.
#[pyclass(frozen, module = "vqtoken")]
pub(crate) struct VqAttention(Box<CodeReader>);

#[pymethods]
impl VqAttention {
    /// Of a model directory or hub id; `None` where the checkpoint has no VQ-attention.
    #[staticmethod]
    fn load(py: Python<'_>, model: PathBuf) -> PyResult<Option<Self>> {
        let reader = work::run(py, None, move |_| {
            CodeReader::from_checkpoint(&Checkpoint::open(model).or_raise()?).or_raise()
        })?;
        Ok(reader.map(|reader| Self(Box::new(reader))))
    }

    /// Visual tokens `[M, D]` of codes `[K, D]` and an index map `[T, H, W]`.
    fn attend<'py>(
        &self,
        py: Python<'py>,
        codebook: &Bound<'py, PyAny>,
        index_map: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        attended(py, codebook, index_map, |codebook, map| self.0.attend(codebook, map))
    }
}

/// Visual tokens `[M, D]` that `attend` makes of arrays: codes `[K, D]` and an index map `[T, H, W]`.
pub(crate) fn attended<'py>(
    py: Python<'py>,
    codebook: &Bound<'py, PyAny>,
    index_map: &Bound<'py, PyAny>,
    attend: impl FnOnce(&Codebook, &IndexMap) -> Result<Vec<f32>, ModelError> + Send,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let codebook = codebook_of(codebook)?;
    let map = index_map_of(index_map, Some(codebook.codes()))?;
    work::check_not_forked()?;
    let values = py.detach(|| attend(&codebook, &map)).or_raise()?;
    let rows = values.len() / codebook.dim();
    PyArray1::from_vec(py, values).reshape([rows, codebook.dim()])
}

/// A codebook `[K, D]` from an array.
fn codebook_of(array: &Bound<'_, PyAny>) -> PyResult<Codebook> {
    let (values, features) = FloatArray::rows(array, "codebook")?;
    let values = (*values).as_ref();
    let codes = values.len().checked_div(features).unwrap_or(0);
    Codebook::new(codes, features, values.to_vec()).or_raise()
}
