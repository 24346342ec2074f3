//! What can be given as a video.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyList, PyString};
use vqtoken::Sampling;

use crate::arrays::wrong_shape;
use crate::errors::{Exception, OrRaise};
use crate::frames::Times;

/// Frames to take of a video, and when they are shown.
#[derive(Clone, Default)]
pub(crate) struct SamplingArguments {
    pub(crate) frames: Option<usize>,
    pub(crate) fps: Option<f64>,
    pub(crate) timestamps: Option<Vec<f64>>,
}

/// A video as it was given.
pub(crate) enum VideoSource<'py> {
    /// A file, or a folder of images.
    Path(PathBuf, Sampling),
    /// Frames in memory or still to come.
    Frames(Bound<'py, PyIterator>, Times),
}

/// Frames that are sampled where nobody says how many.
const FRAMES: usize = 32;

impl<'py> VideoSource<'py> {
    /// A path, an array `[T, H, W, 3]` of uint8, or an iterable of arrays `[H, W, 3]`.
    pub(crate) fn of(video: &Bound<'py, PyAny>, sampling: SamplingArguments) -> PyResult<Self> {
        if let Some(path) = path_of(video)? {
            return Ok(Self::Path(path, sampling.of_file()?));
        }
        if video.hasattr("shape")? {
            return of_array(video, sampling);
        }
        if video.is_instance_of::<PyBytes>() || video.is_instance_of::<PyDict>() {
            return Err(not_a_video(video));
        }
        if sampling.frames.is_some() {
            return Err(Exception::Array.error(
                "frames= samples a file or an array; all frames of an iterator are taken: leave it out",
            ));
        }
        let frames = video.try_iter().map_err(|_| not_a_video(video))?;
        Ok(Self::Frames(frames, Times::of(sampling.timestamps, sampling.fps)?))
    }
}

impl SamplingArguments {
    /// Whether any was given.
    pub(crate) fn is_given(&self) -> bool {
        self.frames.is_some() || self.fps.is_some() || self.timestamps.is_some()
    }

    fn of_file(&self) -> PyResult<Sampling> {
        if self.timestamps.is_some() {
            return Err(
                Exception::Array.error("timestamps= belongs to frames; a file has its own: leave it out")
            );
        }
        match (self.frames, self.fps) {
            (Some(_), Some(_)) => {
                Err(Exception::Array
                    .error("frames= and fps= both say how a file is sampled: give one of them"))
            }
            (None, Some(fps)) => Ok(Sampling::Fps(fps)),
            (Some(0), None) => Err(Exception::Array.error("0 frames show nothing: give at least 1")),
            (frames, None) => Ok(Sampling::Uniform(frames.unwrap_or(FRAMES))),
        }
    }
}

/// A path that was given as text or as an object with `__fspath__`.
pub(crate) fn path_of(video: &Bound<'_, PyAny>) -> PyResult<Option<PathBuf>> {
    match video.is_instance_of::<PyString>() || video.hasattr("__fspath__")? {
        true => Ok(Some(video.extract()?)),
        false => Ok(None),
    }
}

fn of_array<'py>(video: &Bound<'py, PyAny>, sampling: SamplingArguments) -> PyResult<VideoSource<'py>> {
    let shape: Vec<usize> = video.getattr("shape")?.extract()?;
    let &[count, _, _, 3] = shape.as_slice() else {
        return Err(wrong_shape("the array of frames", "[T, H, W, 3]", &shape));
    };
    let times = Times::of(sampling.timestamps, sampling.fps)?;
    let Some(frames) = sampling.frames else {
        return Ok(VideoSource::Frames(video.try_iter()?, times));
    };
    let shown = (0..count).map(|index| times.at(index)).collect::<PyResult<Vec<f64>>>()?;
    let indices = Sampling::Uniform(frames).indices(&shown).or_raise()?;
    let sampled = indices.iter().map(|&index| video.get_item(index)).collect::<PyResult<Vec<_>>>()?;
    let times = Times::Given(indices.iter().map(|&index| shown[index]).collect());
    let sampled = PyList::new(video.py(), sampled)?;
    Ok(VideoSource::Frames(sampled.try_iter()?, times))
}

fn not_a_video(video: &Bound<'_, PyAny>) -> PyErr {
    let kind = video.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string());
    let remedy = match video.is_instance_of::<PyBytes>() {
        true => "write the bytes to a file, and give its path",
        false => "give a path, an array [T, H, W, 3] of uint8, or an iterable of arrays [H, W, 3]",
    };
    Exception::Array.error(format!("a {kind} is not a video: {remedy}"))
}
