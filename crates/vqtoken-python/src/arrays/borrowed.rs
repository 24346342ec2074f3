//! The memory of somebody else's array.
//!
//! Python may write to an array while Rust reads it without the interpreter's lock, as it may while NumPy does: the values that are then
//! read are either the old or the new ones, and no result of such a race is promised.

#![allow(unsafe_code, reason = "arrays of other libraries are raw pointers")]

use std::fmt;
use std::slice;

use numpy::{PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::dlpack;
use crate::errors::Exception;

/// The type of an array's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Element {
    F32,
    F16,
    Bf16,
    U8,
    I32,
    U32,
    I64,
    Other(String),
}

impl Element {
    fn size(&self) -> usize {
        match self {
            Self::U8 => 1,
            Self::F16 | Self::Bf16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::I64 => 8,
            Self::Other(_) => 0,
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::U8 => "uint8",
            Self::I32 => "int32",
            Self::U32 => "uint32",
            Self::I64 => "int64",
            Self::Other(name) => name,
        })
    }
}

/// An array on the CPU whose values follow each other, kept alive by its owner.
pub(super) struct Borrowed {
    pub(super) element: Element,
    pub(super) shape: Vec<usize>,
    pub(super) data: *const u8,
    #[expect(dead_code, reason = "keeps the memory alive")]
    pub(super) owner: Py<PyAny>,
}

impl Borrowed {
    /// The memory of a NumPy array or of anything with `__dlpack__`.
    pub(super) fn of(object: &Bound<'_, PyAny>, what: &str) -> PyResult<Self> {
        let array = match object.cast::<PyUntypedArray>() {
            Ok(array) => of_numpy(array, what)?,
            Err(_) if object.hasattr("__dlpack__")? => dlpack::import(object, what)?,
            // Pictures of Pillow, for example.
            Err(_) if object.hasattr("__array_interface__")? => {
                let array = object.py().import("numpy")?.call_method1("asarray", (object,))?;
                of_numpy(array.cast()?, what)?
            }
            Err(_) => {
                return Err(Exception::Array.error(format!(
                    "{what} is a {}: expected a NumPy array, or an array with __dlpack__ such as a torch tensor",
                    object.get_type().name()?
                )));
            }
        };
        let size = array.element.size();
        if size > 0 && array.data.addr() % size != 0 {
            return Err(Exception::Array.error(format!("{what} is not aligned in memory: give a copy of it")));
        }
        Ok(array)
    }

    pub(super) fn element(&self) -> &Element {
        &self.element
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// All values.
    ///
    /// # Safety
    ///
    /// `T` has the size and alignment of the element, and any bits are a `T`.
    unsafe fn slice<T>(&self) -> &[T] {
        match self.len() {
            // An empty array may have no memory at all.
            0 => &[],
            // SAFETY: the owner keeps this memory, and `of` has checked that it is contiguous and aligned.
            len => unsafe { slice::from_raw_parts(self.data.cast(), len) },
        }
    }

    pub(super) fn as_bytes(&self, what: &str) -> PyResult<&[u8]> {
        match self.element {
            // SAFETY: the element is a byte.
            Element::U8 => Ok(unsafe { self.slice() }),
            _ => Err(self.wrong_type(what, "uint8")),
        }
    }

    /// The bits of values of two bytes.
    pub(super) fn as_u16(&self, what: &str) -> PyResult<&[u16]> {
        match self.element {
            // SAFETY: the element has two bytes.
            Element::F16 | Element::Bf16 => Ok(unsafe { self.slice() }),
            _ => Err(self.wrong_type(what, "float16 or bfloat16")),
        }
    }

    /// Labels of an index map.
    pub(super) fn to_labels(&self, what: &str) -> PyResult<Vec<u32>> {
        let negative =
            || Exception::Array.error(format!("{what} has labels that are negative or above 2^32 - 1"));
        // SAFETY: each branch takes the type of the element.
        unsafe {
            match self.element {
                Element::U32 => Ok(self.slice::<u32>().to_vec()),
                Element::I32 => labels(self.slice::<i32>()).ok_or_else(negative),
                Element::I64 => labels(self.slice::<i64>()).ok_or_else(negative),
                _ => Err(self.wrong_type(what, "uint32, int32 or int64")),
            }
        }
    }

    /// The same array as values that Rust can keep.
    pub(super) fn into_floats(self, what: &str) -> PyResult<Floats> {
        match self.element {
            Element::F32 => Ok(Floats(self)),
            _ => Err(self.wrong_type(what, "float32")),
        }
    }

    fn wrong_type(&self, what: &str, expected: &str) -> PyErr {
        Exception::Array.error(format!("{what} has values of type {}: expected {expected}", self.element))
    }
}

fn labels<T: Copy + TryInto<u32>>(values: &[T]) -> Option<Vec<u32>> {
    values.iter().map(|&value| value.try_into().ok()).collect()
}

/// An array of f32.
pub(super) struct Floats(Borrowed);

// SAFETY: the memory is only read, and the owner is only dropped, which PyO3 puts off to a thread that holds the interpreter's lock.
unsafe impl Send for Floats {}
// SAFETY: as above.
unsafe impl Sync for Floats {}

impl AsRef<[f32]> for Floats {
    fn as_ref(&self) -> &[f32] {
        // SAFETY: the element is f32.
        unsafe { self.0.slice() }
    }
}

fn of_numpy(array: &Bound<'_, PyUntypedArray>, what: &str) -> PyResult<Borrowed> {
    let dtype = array.dtype();
    let is_native = dtype.is_native_byteorder().unwrap_or(true);
    let element = match (is_native, dtype.kind(), dtype.itemsize()) {
        (false, ..) => Element::Other(format!("{} in another byte order", dtype.str()?)),
        (_, b'f', 4) => Element::F32,
        (_, b'f', 2) => Element::F16,
        (_, b'u', 1) => Element::U8,
        (_, b'i', 4) => Element::I32,
        (_, b'u', 4) => Element::U32,
        (_, b'i', 8) => Element::I64,
        // The package ml_dtypes adds this type.
        (_, _, 2) if dtype.str()? == "bfloat16" => Element::Bf16,
        _ => Element::Other(dtype.str()?.to_string()),
    };
    if !array.is_c_contiguous() {
        return Err(not_contiguous(what));
    }
    // SAFETY: the pointer is only asked for, and has the type of bytes here.
    let data = unsafe { array.as_any().cast_unchecked::<PyArrayDyn<u8>>() }.data();
    Ok(Borrowed {
        element,
        shape: array.shape().to_vec(),
        data: data.cast_const(),
        owner: array.clone().into_any().unbind(),
    })
}

/// Why an array with gaps, or with another order of axes, is refused.
pub(super) fn not_contiguous(what: &str) -> PyErr {
    Exception::Array.error(format!(
        "{what} is not contiguous in memory: give numpy.ascontiguousarray(..) of it, or .contiguous() of a tensor"
    ))
}
