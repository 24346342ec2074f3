//! Slices as NumPy arrays that keep their owner alive.

#![allow(unsafe_code, reason = "NumPy is given a raw pointer")]

use numpy::ndarray::{ArrayView, IxDyn};
use numpy::{Element, PyArrayDyn, PyArrayMethods};
use pyo3::prelude::*;

use crate::errors::Exception;

/// A read-only array of `shape` over values that belong to `owner`, which must be a frozen class of ours: nothing moves or changes them.
pub(crate) fn view<'py, T: Element>(
    values: &[T],
    shape: &[usize],
    owner: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyArrayDyn<T>>> {
    let view = ArrayView::from_shape(IxDyn(shape), values)
        .map_err(|error| Exception::Array.error(format!("values do not fit the shape {shape:?}: {error}")))?;
    // SAFETY: `values` live in `owner`, which the array keeps alive, and they are neither moved nor written.
    let array = unsafe { PyArrayDyn::borrow_from_array(&view, owner) };
    Ok(array.readwrite().make_nonwriteable().as_any().clone().cast_into()?)
}
