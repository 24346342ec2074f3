//! Arrays that come as DLPack capsules, as torch gives them: <https://dmlc.github.io/dlpack/latest/c_api.html>.

#![allow(unsafe_code, reason = "a capsule holds a raw pointer to a C structure")]

use std::ffi::c_void;
use std::slice;

use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use super::borrowed::{Borrowed, Element, not_contiguous};
use crate::errors::Exception;

#[repr(C)]
struct Device {
    kind: i32,
    id: i32,
}

#[repr(C)]
struct DataType {
    code: u8,
    bits: u8,
    lanes: u16,
}

/// `DLTensor`, with which a `DLManagedTensor` begins.
#[repr(C)]
struct Tensor {
    data: *mut c_void,
    device: Device,
    axes: i32,
    data_type: DataType,
    shape: *const i64,
    strides: *const i64,
    byte_offset: u64,
}

const CPU: i32 = 1;

/// The memory of an array with `__dlpack__`. The capsule is kept and never marked as used, so its own destructor frees what it holds.
pub(super) fn import(object: &Bound<'_, PyAny>, what: &str) -> PyResult<Borrowed> {
    let unreadable =
        |error: PyErr| Exception::Array.error(format!("{what} cannot be read: {}", error.value(object.py())));
    if object.hasattr("__dlpack_device__")? {
        let device = object.call_method0("__dlpack_device__").map_err(unreadable)?;
        let (kind, _): (i32, i32) = device.extract()?;
        check_device(kind, what)?;
    }
    let capsule = object.call_method0("__dlpack__").map_err(unreadable)?;
    let capsule = capsule.cast_into::<PyCapsule>()?;
    // SAFETY: a capsule of this name points to a `DLManagedTensor`, which lives as long as the capsule.
    let tensor = unsafe { capsule.pointer_checked(Some(c"dltensor"))?.cast::<Tensor>().as_ref() };
    check_device(tensor.device.kind, what)?;
    let axes = usize::try_from(tensor.axes).unwrap_or(0);
    // SAFETY: `shape` has a value for each axis; it may be null where there is none.
    let shape = match axes {
        0 => &[][..],
        _ => unsafe { slice::from_raw_parts(tensor.shape, axes) },
    };
    let shape: Vec<usize> = shape.iter().map(|&side| usize::try_from(side).unwrap_or(0)).collect();
    // SAFETY: `strides` is null, which means row-major, or has a value for each axis.
    let strides = match tensor.strides.is_null() || axes == 0 {
        true => None,
        false => Some(unsafe { slice::from_raw_parts(tensor.strides, axes) }),
    };
    if strides.is_some_and(|strides| !is_row_major(&shape, strides)) {
        return Err(not_contiguous(what));
    }
    let offset = usize::try_from(tensor.byte_offset).unwrap_or(0);
    let data = tensor.data.cast::<u8>().cast_const().wrapping_add(offset);
    Ok(Borrowed { element: element(&tensor.data_type), shape, data, owner: capsule.into_any().unbind() })
}

fn check_device(kind: i32, what: &str) -> PyResult<()> {
    match kind {
        CPU => Ok(()),
        _ => {
            Err(Exception::Array
                .error(format!("{what} is on another device than the CPU: give .cpu() of it")))
        }
    }
}

fn element(data_type: &DataType) -> Element {
    match (data_type.code, data_type.bits, data_type.lanes) {
        (0, 32, 1) => Element::I32,
        (0, 64, 1) => Element::I64,
        (1, 8, 1) => Element::U8,
        (1, 32, 1) => Element::U32,
        (2, 16, 1) => Element::F16,
        (2, 32, 1) => Element::F32,
        (4, 16, 1) => Element::Bf16,
        (code, bits, lanes) => Element::Other(match (code, lanes) {
            (0, 1) => format!("int{bits}"),
            (1, 1) => format!("uint{bits}"),
            (2, 1) => format!("float{bits}"),
            _ => format!("code {code} of DLPack with {bits} bits and {lanes} lanes"),
        }),
    }
}

/// Whether each axis's stride, in elements, is the product of the sides after it. Axes of length 1 may have any.
fn is_row_major(shape: &[usize], strides: &[i64]) -> bool {
    let mut expected = 1;
    shape.iter().zip(strides).rev().all(|(&side, &stride)| {
        let fits = side == 1 || usize::try_from(stride) == Ok(expected);
        expected *= side.max(1);
        fits
    }) || shape.contains(&0)
}
