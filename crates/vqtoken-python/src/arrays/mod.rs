//! Arrays of other libraries as slices, and slices as NumPy arrays: by reference wherever the type allows it.

mod borrowed;
mod dlpack;
mod token_grid;
mod views;

use std::sync::Arc;

use half::{bf16, f16};
use pyo3::prelude::*;
use vqtoken::{GridShape, IndexMap, SharedValues};

use crate::errors::{Exception, OrRaise};
use borrowed::{Borrowed, Element};

pub(crate) use token_grid::TokenGrid;
pub(crate) use views::view;

/// Values of an array as f32: by reference where they are f32 already.
pub(crate) struct FloatArray {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: SharedValues,
}

impl FloatArray {
    /// Values of a NumPy array or of anything with `__dlpack__`; `what` names it in messages.
    pub(crate) fn of(object: &Bound<'_, PyAny>, what: &str) -> PyResult<Self> {
        let array = Borrowed::of(object, what)?;
        let shape = array.shape().to_vec();
        let values: SharedValues = match array.element() {
            Element::F32 => Arc::new(array.into_floats(what)?),
            Element::F16 => widened(array.as_u16(what)?, |bits| f16::from_bits(bits).to_f32()),
            Element::Bf16 => widened(array.as_u16(what)?, |bits| bf16::from_bits(bits).to_f32()),
            other => {
                return Err(Exception::Array.error(format!(
                    "{what} has values of type {other}: give float32, float16 or bfloat16, such as by .astype(\"float32\")"
                )));
            }
        };
        Ok(Self { shape, values })
    }

    /// Rows of `[n, D]`: the values, and D.
    pub(crate) fn rows(object: &Bound<'_, PyAny>, what: &str) -> PyResult<(SharedValues, usize)> {
        let array = Self::of(object, what)?;
        match array.shape.as_slice() {
            &[_, features] => Ok((array.values, features)),
            shape => Err(wrong_shape(what, "[n, D]", shape)),
        }
    }
}

fn widened(values: &[u16], widen: impl Fn(u16) -> f32) -> SharedValues {
    Arc::new(values.iter().map(|&bits| widen(bits)).collect::<Vec<f32>>())
}

/// Bytes of an array of uint8, copied, and its shape.
pub(crate) fn bytes_of(object: &Bound<'_, PyAny>, what: &str) -> PyResult<(Vec<u8>, Vec<usize>)> {
    let array = Borrowed::of(object, what)?;
    Ok((array.as_bytes(what)?.to_vec(), array.shape().to_vec()))
}

/// An index map `[T, H, W]` from an array of labels; without `codes` it has as many as its largest label asks for.
pub(crate) fn index_map_of(object: &Bound<'_, PyAny>, codes: Option<usize>) -> PyResult<IndexMap> {
    let what = "index_map";
    let array = Borrowed::of(object, what)?;
    let labels = array.to_labels(what)?;
    let &[frames, height, width] = array.shape() else {
        return Err(wrong_shape(what, "[T, H, W]", array.shape()));
    };
    let largest = labels.iter().max().map_or(0, |&label| label as usize);
    IndexMap::new(GridShape { frames, height, width }, codes.unwrap_or(largest + 1), labels).or_raise()
}

/// Why an array of another shape is refused.
pub(crate) fn wrong_shape(what: &str, expected: &str, found: &[usize]) -> PyErr {
    Exception::Array.error(format!("{what} has the shape {found:?}: expected {expected}"))
}
