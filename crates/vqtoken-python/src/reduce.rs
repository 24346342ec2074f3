//! `reduce`: a token grid by any reducer.

use numpy::{PyArray1, PyArray4, PyArrayDyn, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use vqtoken::Budget;

use crate::arrays::{TokenGrid, view};
use crate::errors::OrRaise;
use crate::quantize::{Quantization, maybe_long};

/// A kind of reducer.
#[pyclass(frozen, module = "vqtoken", get_all)]
pub(crate) struct ReducerInfo {
    /// The part before the colon.
    name: &'static str,
    /// One or two examples.
    usage: &'static str,
    /// What it does, in a line.
    description: &'static str,
    /// Where it was published.
    source: &'static str,
}

#[pymethods]
impl ReducerInfo {
    fn __repr__(&self) -> String {
        format!("ReducerInfo({}: {})", self.usage, self.description)
    }
}

/// All reducers, simple ones first.
pub(crate) fn reducers(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
    let infos = vqtoken::REDUCERS.iter().map(|info| ReducerInfo {
        name: info.name,
        usage: info.usage,
        description: info.description,
        source: info.source,
    });
    PyTuple::new(py, infos.map(|info| Py::new(py, info)).collect::<PyResult<Vec<_>>>()?)
}

/// A token grid reduced to M tokens.
#[pyclass(frozen, module = "vqtoken")]
pub(crate) struct Reduction {
    reduction: vqtoken::Reduction,
    /// Of the tokens as they were given: `[T, H, W]` or `[N]`.
    shape: Vec<usize>,
    budget: Option<Budget>,
}

#[pymethods]
impl Reduction {
    /// `[M, D]`, ordered by position, read-only.
    #[getter]
    fn tokens<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let tokens = &this.get().reduction.tokens;
        view(tokens.data(), &[tokens.len(), tokens.dim()], this.clone().into_any())
    }

    /// The position of each token in the unreduced sequence, `[M]`, ascending and below `sequence_length`.
    #[getter]
    fn positions<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        PyArray1::from_iter(py, self.reduction.positions.iter().map(|&position| position as i64))
    }

    /// Tokens of the unreduced sequence: N, or M where the method makes a new sequence.
    #[getter]
    fn sequence_length(&self) -> usize {
        self.reduction.sequence_length
    }

    /// The reduced token that each grid token went into, `[N]`; -1 where it was pruned.
    #[getter]
    fn assignment<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        PyArray1::from_iter(py, self.reduction.assignment.iter().map(|owner| owner.map_or(-1, i64::from)))
    }

    /// For `vqtoken`: codebook and index map, which go through a model's VQ-attention.
    #[getter]
    fn quantization(&self) -> Option<Quantization> {
        let quantization = self.reduction.quantization.clone()?;
        Some(Quantization::new(quantization, self.budget?, self.shape.clone()))
    }

    /// Floating-point operations by the definition of the method.
    #[getter]
    fn flops(&self) -> u64 {
        self.reduction.flops
    }

    fn __repr__(&self) -> String {
        format!("Reduction({} tokens to {})", self.reduction.assignment.len(), self.reduction.tokens.len())
    }
}

/// A token grid `[T, H, W, D]` (or `[N, D]`, one frame of one row) by a reducer, such as `"tome:32"` or `"dpc-knn:10%"`.
#[pyfunction]
pub(crate) fn reduce(py: Python<'_>, tokens: &Bound<'_, PyAny>, reducer: &str) -> PyResult<Reduction> {
    let (grid, shape) = TokenGrid::of(tokens)?;
    let budget = reducer.strip_prefix("vqtoken:").map(str::parse::<Budget>).transpose().or_raise()?;
    let reducer = vqtoken::reducer(reducer).or_raise()?;
    let reduction = maybe_long(py, shape.iter().product(), move || reducer.reduce(&grid).or_raise())?;
    Ok(Reduction { reduction, shape, budget })
}

/// Every frame's grid pooled to half its sides, rounded up, as LLaVA-OneVision does: `[T, H', W', D]`.
#[pyfunction]
pub(crate) fn pool<'py>(py: Python<'py>, tokens: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArray4<f32>>> {
    let (grid, shape) = TokenGrid::of(tokens)?;
    let pooled = maybe_long(py, shape.iter().product(), move || vqtoken::pool_bilinear(&grid).or_raise())?;
    let shape = pooled.shape();
    PyArray1::from_slice(py, pooled.data()).reshape([shape.frames, shape.height, shape.width, pooled.dim()])
}

/// TokDense: accuracy in percent per visual token that the language model reads.
#[pyfunction]
pub(crate) fn tok_dense(accuracy_percent: f64, tokens: f64) -> f64 {
    vqtoken::tok_dense(accuracy_percent, tokens)
}
