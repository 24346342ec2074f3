//! `VideoTokens`: a codebook, an index map, and what is needed to read them again.

use std::path::PathBuf;
use std::sync::Arc;

use numpy::PyArrayDyn;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use vqtoken::picture::{self, PictureOptions};
use vqtoken::{Frame, Quality};

use crate::arrays::view;
use crate::errors::{Exception, OrRaise};
use crate::frames::frame_of;
use crate::token_hash::TokenHash;
use crate::work;

/// A clip as the language model needs it, and as a `.vqt` file keeps it.
#[pyclass(frozen, module = "vqtoken")]
pub(crate) struct VideoTokens {
    pub(crate) tokens: Arc<vqtoken::VideoTokens>,
    warnings: Vec<String>,
}

impl VideoTokens {
    pub(crate) fn new(tokens: vqtoken::VideoTokens, warnings: Vec<String>) -> Self {
        Self { tokens: Arc::new(tokens), warnings }
    }

    fn at(&self, quality: Option<&str>) -> PyResult<vqtoken::VideoTokens> {
        let quality = quality.map_or(Ok(self.tokens.quality), str::parse::<Quality>).or_raise()?;
        Ok(vqtoken::VideoTokens { quality, ..(*self.tokens).clone() })
    }
}

#[pymethods]
impl VideoTokens {
    /// Reads a `.vqt` file.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        Ok(Self::new(py.detach(|| vqtoken::VideoTokens::load(path)).or_raise()?, Vec::new()))
    }

    /// Reads the bytes of a `.vqt` file.
    #[staticmethod]
    fn from_bytes(data: &[u8]) -> PyResult<Self> {
        let read = vqtoken::VideoTokens::from_bytes(data);
        let tokens = read.map_err(|error| Exception::Tokens.error(error.to_string()))?;
        Ok(Self::new(tokens, Vec::new()))
    }

    /// Writes a `.vqt` file. `quality` says how precisely it keeps the codes: `"exact"`, `"bf16"` or `"int8"`; as they were read, or bf16,
    /// if not given.
    #[pyo3(signature = (path, *, quality = None))]
    fn save(&self, py: Python<'_>, path: PathBuf, quality: Option<&str>) -> PyResult<()> {
        let tokens = self.at(quality)?;
        py.detach(|| tokens.save(path)).or_raise()
    }

    /// The bytes of a `.vqt` file.
    #[pyo3(signature = (*, quality = None))]
    fn to_bytes<'py>(&self, py: Python<'py>, quality: Option<&str>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.at(quality)?.to_bytes();
        let bytes = bytes.map_err(|error| Exception::Tokens.error(error.to_string()))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// `[K, D]`, read-only: the memory of this object.
    #[getter]
    fn codebook<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let codebook = &this.get().tokens.codebook;
        view(codebook.data(), &[codebook.codes(), codebook.dim()], this.clone().into_any())
    }

    /// The code of each cell, `[T, H, W]`, read-only: the memory of this object.
    #[getter]
    fn index_map<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyArrayDyn<u32>>> {
        let map = &this.get().tokens.index_map;
        let shape = map.shape();
        view(map.labels(), &[shape.frames, shape.height, shape.width], this.clone().into_any())
    }

    /// When each sampled frame is shown, in seconds, `[T]`, read-only: the memory of this object.
    #[getter]
    fn timestamps<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
        let times = &this.get().tokens.timestamps;
        view(times, &[times.len()], this.clone().into_any())
    }

    /// `(T, H, W)`.
    #[getter]
    fn shape(&self) -> (usize, usize, usize) {
        let shape = self.tokens.index_map.shape();
        (shape.frames, shape.height, shape.width)
    }

    /// K.
    #[getter]
    fn codes(&self) -> usize {
        self.tokens.codebook.codes()
    }

    /// The model whose vision side made the tokens; only its language side can read them.
    #[getter]
    fn model(&self) -> &str {
        &self.tokens.model
    }

    /// The video they were made from, if that is known: name, width, height, duration in seconds, bytes, frames.
    #[getter]
    fn source<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Some(source) = &self.tokens.source else { return Ok(None) };
        let entries = PyDict::new(py);
        entries.set_item("name", &source.name)?;
        entries.set_item("width", source.width)?;
        entries.set_item("height", source.height)?;
        entries.set_item("duration", source.duration)?;
        entries.set_item("bytes", source.bytes)?;
        entries.set_item("frames", source.frames)?;
        Ok(Some(entries))
    }

    /// Seconds of the video, or to its last sampled frame if its length is not known.
    #[getter]
    fn duration(&self) -> f64 {
        let of_source = self.tokens.source.as_ref().map(|source| source.duration);
        of_source.or(self.tokens.timestamps.last().copied()).unwrap_or(0.0)
    }

    /// The budget they were made with.
    #[getter]
    fn budget(&self) -> String {
        self.tokens.budget.to_string()
    }

    /// How precisely a file keeps the codes.
    #[getter]
    fn quality(&self) -> String {
        self.tokens.quality.to_string()
    }

    /// What had to be said of the video when it was encoded; empty for tokens that were read.
    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    /// Where and when each code occurs.
    fn hash(&self) -> TokenHash {
        TokenHash(vqtoken::TokenHash::new(&self.tokens.index_map))
    }

    /// Frames over their index maps, one colour a code, and the codes' paths, as PNG. `frames` are those that were encoded,
    /// `[T, H, W, 3]` of uint8; without them the index maps are drawn alone.
    #[pyo3(signature = (frames = None, *, width = None))]
    fn picture<'py>(
        &self,
        py: Python<'py>,
        frames: Option<&Bound<'py, PyAny>>,
        width: Option<usize>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let frames = frames.map(frames_of).transpose()?;
        let (tokens, options) = (self.tokens.clone(), PictureOptions { width, ..PictureOptions::default() });
        let png = work::run(py, None, move |_| {
            let image = picture::draw(&tokens, frames.as_deref(), &options).or_raise()?;
            picture::png(&image).map_err(|error| Exception::Tokens.error(error.to_string()))
        })?;
        Ok(PyBytes::new(py, &png))
    }

    /// For notebooks.
    fn _repr_png_<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.picture(py, None, None)
    }

    fn __repr__(&self) -> String {
        let shape = self.tokens.index_map.shape();
        format!("VideoTokens({} codes over {shape}, {:.1} s)", self.codes(), self.duration())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| other.get().tokens == self.tokens)
    }

    /// For pickle: the exact codes, whatever quality a file keeps.
    fn __reduce__<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let py = this.py();
        let restore = this.get_type().getattr("_restore")?;
        let this = this.get();
        let state = (this.to_bytes(py, Some("exact"))?, this.quality(), this.warnings());
        PyTuple::new(py, [restore, state.into_pyobject(py)?.into_any()])
    }

    #[staticmethod]
    fn _restore(data: &[u8], quality: &str, warnings: Vec<String>) -> PyResult<Self> {
        let tokens = Self::from_bytes(data)?.at(Some(quality))?;
        Ok(Self::new(tokens, warnings))
    }
}

fn frames_of(array: &Bound<'_, PyAny>) -> PyResult<Vec<Frame>> {
    array.try_iter()?.enumerate().map(|(index, frame)| frame_of(&frame?, index)).collect()
}
