//! The compiled part of the Python package `vqtoken`: the facade's types as Python classes.
//!
//! | file | idea |
//! | --- | --- |
//! | `arrays/` | arrays of NumPy and torch as slices, and slices as arrays, without copies |
//! | `work.rs` | long work without the interpreter's lock: Ctrl-C, progress, forked processes |
//! | `video_source.rs`, `frames.rs` | what can be given as a video: a path, an array, an iterator of frames |
//! | `video_llm.rs`, `encode.rs`, `ask.rs` | the model; frames to video tokens; questions to answers |
//! | `reading.rs` | what stands for a video in a prompt: codes, or a reduced grid |
//! | `vq_attention.rs` | codes to visual tokens |
//! | `video_tokens.rs`, `token_hash.rs` | video tokens, and where their codes are |
//! | `quantize.rs`, `reduce.rs` | the method and the reducers on arrays |
//! | `errors.rs` | exceptions |

mod arrays;
mod ask;
mod encode;
mod errors;
mod frames;
mod quantize;
mod reading;
mod reduce;
mod token_hash;
mod video_llm;
mod video_source;
mod video_tokens;
mod vq_attention;
mod work;

use pyo3::prelude::*;

/// Python's allocator aligns to 16 bytes, and tensors may ask for more: a class keeps them in a box.
macro_rules! assert_fits_python {
    ($($class:ty),+ $(,)?) => { $(const _: () = assert!(align_of::<$class>() <= 16);)+ };
}
assert_fits_python!(
    arrays::TokenGrid,
    ask::Answer,
    quantize::CurvePoint,
    quantize::Quantization,
    reduce::ReducerInfo,
    reduce::Reduction,
    token_hash::TokenHash,
    video_llm::VideoLlm,
    video_tokens::VideoTokens,
    vq_attention::VqAttention,
);

#[pymodule]
mod _vqtoken {
    use std::ffi::OsString;

    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::arrays::TokenGrid;
    #[pymodule_export]
    use crate::ask::Answer;
    #[pymodule_export]
    use crate::quantize::{CurvePoint, Quantization, check_budget, quantize};
    #[pymodule_export]
    use crate::reduce::{ReducerInfo, Reduction, pool, reduce, tok_dense};
    #[pymodule_export]
    use crate::token_hash::TokenHash;
    #[pymodule_export]
    use crate::video_llm::VideoLlm;
    #[pymodule_export]
    use crate::video_tokens::VideoTokens;
    #[pymodule_export]
    use crate::vq_attention::VqAttention;
    #[pymodule_export]
    use crate::work::{set_threads, threads};

    /// Runs the command `vqtoken` in this process and returns its exit code. `arguments` starts with the program's name.
    #[pyfunction]
    fn run_command_line(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
        py.detach(|| vqtoken::command_line(arguments))
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("REDUCERS", crate::reduce::reducers(module.py())?)
    }
}
