//! Exceptions: the classes of `vqtoken.errors` with the messages of the library.

use std::ffi::CString;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// A class of `vqtoken.errors`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Exception {
    Video,
    Model,
    Tokens,
    Reduce,
    Array,
    Fork,
}

impl Exception {
    fn name(self) -> &'static str {
        match self {
            Self::Video => "VideoError",
            Self::Model => "ModelError",
            Self::Tokens => "TokensError",
            Self::Reduce => "ReduceError",
            Self::Array => "ArrayError",
            Self::Fork => "ForkError",
        }
    }

    /// An exception of this class. Work that nobody waits for can fail while the interpreter ends and has no classes any more: then it is
    /// one that nobody will see.
    pub(crate) fn error(self, message: impl Into<String>) -> PyErr {
        let message = message.into();
        let of_class = |py: Python<'_>| {
            let class = py.import("vqtoken.errors").and_then(|module| module.getattr(self.name()));
            match class.and_then(|class| Ok(class.cast_into::<PyType>()?)) {
                Ok(class) => PyErr::from_type(class, message.clone()),
                Err(error) => error,
            }
        };
        Python::try_attach(of_class).unwrap_or_else(|| PyRuntimeError::new_err(message.clone()))
    }
}

/// Failures of the library as exceptions.
pub(crate) trait OrRaise<T> {
    /// The value, or an exception.
    fn or_raise(self) -> PyResult<T>;
}

impl<T, E: Into<vqtoken::Error>> OrRaise<T> for Result<T, E> {
    fn or_raise(self) -> PyResult<T> {
        self.map_err(|error| raise(error.into()))
    }
}

fn raise(error: vqtoken::Error) -> PyErr {
    use vqtoken::Error::{
        Budget, Codebook, Grid, IndexMap, MapCoding, Model, Picture, Quality, Quantize, Reduce, Video, Vqt,
    };
    let exception = match &error {
        Video(_) | Model(vqtoken::ModelError::Video(_)) => Exception::Video,
        Model(vqtoken::ModelError::Quantize(_) | vqtoken::ModelError::Reduce(_)) => Exception::Reduce,
        Quantize(_) | Reduce(_) | Budget(_) => Exception::Reduce,
        Grid(_) | Codebook(_) | IndexMap(_) => Exception::Array,
        Vqt(_) | MapCoding(_) | Quality(_) | Picture(_) => Exception::Tokens,
        _ => Exception::Model,
    };
    exception.error(message(&error))
}

/// The message of an error and those of its causes that it does not hold already.
fn message(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.map(ToString::to_string).fold(error.to_string(), |message, cause| match message.contains(&cause) {
        true => message,
        false => format!("{message}: {cause}"),
    })
}

/// Issues a `VqtokenWarning` for the caller's line.
pub(crate) fn warn(py: Python<'_>, text: &str) -> PyResult<()> {
    let category = py.import("vqtoken.errors")?.getattr("VqtokenWarning")?;
    let text = CString::new(text.replace('\0', " "))?;
    PyErr::warn(py, &category, &text, 1)
}
