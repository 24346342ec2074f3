//! How pictures become pixel values: what `preprocessor_config.json` says, as far as it is supported.

use rayon::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use vqtoken_files::quoted;
use vqtoken_video::{Frame, PixelSpec, Pixels};

use super::bilinear::resize_bilinear;
use super::error::RetrievalError;
use crate::checkpoint::ModelFiles;
use crate::error::ModelError;

/// Size, filter and normalisation of pictures.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Preprocessor {
    spec: PixelSpec,
    filter: Filter,
}

/// How a picture is resized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    /// Of SigLIP 2.
    Bilinear,
    /// Of SigLIP.
    Bicubic,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct File {
    do_resize: Option<bool>,
    do_rescale: Option<bool>,
    do_normalize: Option<bool>,
    do_center_crop: Option<bool>,
    do_pad: Option<bool>,
    size: Option<Value>,
    resample: Option<i64>,
    rescale_factor: Option<f64>,
}

impl Preprocessor {
    /// Reads the preprocessor of a checkpoint whose tower takes pictures of `size` by `size` pixels.
    ///
    /// # Errors
    ///
    /// If it is damaged or does what is not supported.
    pub(super) fn new(files: &ModelFiles, size: usize) -> Result<Self, ModelError> {
        let spec = files.pixel_spec(size)?;
        let Some(text) = &files.preprocessor else { return Ok(Self { spec, filter: Filter::Bicubic }) };
        let bad = |problem: String| RetrievalError::Preprocessor {
            file: quoted(&files.place.join("preprocessor_config.json")).to_string(),
            problem,
        };
        let file: File = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
        file.refuse_other_steps(size).map_err(bad)?;
        let filter = match file.resample {
            None | Some(3) => Filter::Bicubic,
            Some(2) => Filter::Bilinear,
            Some(other) => {
                let problem = format!("resample {other} is not supported; 2 (bilinear) and 3 (bicubic) are");
                return Err(bad(problem).into());
            }
        };
        Ok(Self { spec, filter })
    }

    /// The side of the pictures that the tower takes.
    pub(super) fn size(&self) -> usize {
        self.spec.size
    }

    /// Pixel values of frames, `[T, 3, S, S]`.
    pub(super) fn pixels(&self, frames: &[Frame]) -> Pixels {
        match self.filter {
            Filter::Bicubic => self.spec.pixels(frames),
            Filter::Bilinear => {
                let size = self.spec.size;
                let resized: Vec<Frame> =
                    frames.par_iter().map(|frame| resize_bilinear(frame, size)).collect();
                self.spec.pixels(&resized)
            }
        }
    }
}

impl File {
    fn refuse_other_steps(&self, size: usize) -> Result<(), String> {
        for (name, value) in [
            ("do_resize", self.do_resize),
            ("do_rescale", self.do_rescale),
            ("do_normalize", self.do_normalize),
        ] {
            if value == Some(false) {
                return Err(format!(
                    "{name} is false, which is not supported: pictures are always resized, rescaled and normalised"
                ));
            }
        }
        for (name, value) in [("do_center_crop", self.do_center_crop), ("do_pad", self.do_pad)] {
            if value == Some(true) {
                return Err(format!(
                    "{name} is true, which is not supported: pictures are resized to a square as a whole"
                ));
            }
        }
        if let Some(factor) = self.rescale_factor.filter(|factor| (factor * 255.0 - 1.0).abs() > 1e-6) {
            return Err(format!("rescale_factor {factor} is not supported; 1/255 is"));
        }
        let Some(stated) = &self.size else { return Ok(()) };
        let sides = match stated {
            Value::Number(_) => [stated, stated],
            _ => [&stated["height"], &stated["width"]],
        };
        match sides.iter().all(|side| side.as_u64() == Some(size as u64)) {
            true => Ok(()),
            false => Err(format!("size is {stated}; the vision tower takes pictures of {size} by {size}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> Option<String> {
        let file: File = serde_json::from_str(json).unwrap();
        file.refuse_other_steps(56).err()
    }

    #[test]
    fn steps_that_would_change_the_pixels_are_refused() {
        assert_eq!(
            refusal(r#"{"size": {"height": 56, "width": 56}, "rescale_factor": 0.00392156862745098}"#),
            None
        );
        for (json, problem) in [
            (r#"{"do_resize": false}"#, "do_resize is false"),
            (r#"{"do_center_crop": true}"#, "do_center_crop is true"),
            (r#"{"rescale_factor": 0.0078125}"#, "rescale_factor 0.0078125"),
            (r#"{"size": {"height": 56, "width": 70}}"#, "size is"),
            (r#"{"size": {"shortest_edge": 56}}"#, "size is"),
        ] {
            let found = refusal(json).unwrap();
            assert!(found.contains(problem), "{found}");
        }
    }
}
