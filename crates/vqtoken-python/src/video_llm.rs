//! `VideoLlm`: a vision side and a language side.

use std::path::PathBuf;

use numpy::{PyArray1, PyArray2, PyArray4, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyString;
use vqtoken::checkpoint::Checkpoint;
use vqtoken::{Limits, Pixels, Precision, Quality, TrainedInput, VisualTokens, builtin};

use crate::arrays::{FloatArray, wrong_shape};
use crate::ask::{Answer, answers, begun, chat_of, generation_options};
use crate::encode::{encode, encoder_options, token_grid};
use crate::errors::{Exception, OrRaise, warn};
use crate::reading::Reading;
use crate::video_source::{SamplingArguments, VideoSource};
use crate::video_tokens::VideoTokens;
use crate::vq_attention::attended;
use crate::work;

/// A model that reads a whole video as a few dozen discrete tokens. Its vision side is loaded when a frame first needs it.
#[pyclass(frozen, module = "vqtoken")]
pub(crate) struct VideoLlm(Box<vqtoken::VideoLlm>);

const DEMONSTRATION: &str = "the built-in model is a demonstration: it knows clips of moving shapes alone. Name another model: VideoLlm.load(\"..\")";

const POOLED_BY_DEFAULT: &str = "this checkpoint was trained on pooled patches, so the video is read as these. Fewer tokens: \
     reducer=\"dpc-knn:10%\" (needs no training), or tokens=32 with a checkpoint trained on codes";

const UNTRAINED_CODES: &str = "this checkpoint was trained on pooled patches and has never seen codes, so its answers about codes \
     are worse: ask about the video with reducer=\"pooled\", or train a checkpoint on codes with `vqtoken train`";

/// What a question is about.
struct Subject<'a, 'py> {
    video: &'a Bound<'py, PyAny>,
    reducer: Option<&'a str>,
    tokens: Option<&'a Bound<'py, PyAny>>,
    sampling: SamplingArguments,
    progress: Option<&'a Bound<'py, PyAny>>,
}

#[pymethods]
impl VideoLlm {
    /// Loads a model directory, or a model by its hub id, such as `llava-hf/llava-onevision-qwen2-0.5b-ov-hf`; without a name the
    /// built-in model. `precision` is `"auto"`, `"f32"`, `"bf16"`, `"int8"` or `"int4"`; `base` names the base model of a LoRA adapter.
    #[staticmethod]
    #[pyo3(signature = (model = None, *, precision = "auto", base = None))]
    fn load(
        py: Python<'_>,
        model: Option<PathBuf>,
        precision: &str,
        base: Option<PathBuf>,
    ) -> PyResult<Self> {
        let precision: Precision =
            precision.parse().map_err(|error| Exception::Model.error(format!("{error}")))?;
        if model.is_none() {
            warn(py, DEMONSTRATION)?;
        }
        let model = work::run(py, None, move |_| {
            let checkpoint = match (model, base) {
                (Some(model), base) => Checkpoint::open_with(model, base.as_deref(), &Limits::default()),
                (None, None) => builtin::checkpoint(),
                (None, Some(_)) => {
                    let message = "base= names the base model of an adapter: give the adapter, too";
                    return Err(Exception::Model.error(message));
                }
            };
            vqtoken::VideoLlm::from_checkpoint(checkpoint.or_raise()?, precision).or_raise()
        })?;
        Ok(Self(Box::new(model)))
    }

    /// Names the model in video tokens: its name and a checksum of its vision side.
    #[getter]
    fn id(&self) -> &str {
        self.0.id()
    }

    /// What the language model was trained to read in place of a video: `"pooled"` or a kind of codes.
    #[getter]
    fn trained_input(&self) -> String {
        self.0.trained_input().to_string()
    }

    /// How weights are kept and multiplied.
    #[getter]
    fn precision(&self) -> String {
        self.0.precision().to_string()
    }

    /// D, the width of a token.
    #[getter]
    fn features(&self) -> usize {
        self.0.config().text.hidden_size
    }

    /// H = W of the token grid.
    #[getter]
    fn grid_side(&self) -> usize {
        self.0.config().vision.grid_side()
    }

    /// S, the side of the pictures that the tower reads.
    #[getter]
    fn image_size(&self) -> usize {
        self.0.config().vision.image_size
    }

    /// Video tokens of a file, a folder of images, an array of frames `[T, H, W, 3]` uint8, or an iterable of frames `[H, W, 3]`.
    ///
    /// A file is sampled at `frames` frames evenly (32) or at `fps` frames a second. Of an array `frames` are sampled, if given; frames in
    /// memory are shown at `timestamps`, or at `fps`, or one a second. `tokens` is the budget: a number or `"adaptive[:RULE[:MIN-MAX]]"`;
    /// `window` cuts the video into windows of so many seconds with a codebook each, and `total` quantizes their codes once more.
    /// `progress(frames, expected)` is called while it works.
    #[pyo3(signature = (
        video, *, frames = None, fps = None, timestamps = None, tokens = None, window = None, total = None, near_repeats = 0.0,
        seed = 0, progress = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "Python's keyword arguments")]
    fn encode(
        &self,
        py: Python<'_>,
        video: &Bound<'_, PyAny>,
        frames: Option<usize>,
        fps: Option<f64>,
        timestamps: Option<Vec<f64>>,
        tokens: Option<&Bound<'_, PyAny>>,
        window: Option<f64>,
        total: Option<&Bound<'_, PyAny>>,
        near_repeats: f64,
        seed: u64,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<VideoTokens> {
        let options = encoder_options(tokens, window, total, near_repeats, seed)?;
        let source = VideoSource::of(video, SamplingArguments { frames, fps, timestamps })?;
        if self.0.trained_input() == TrainedInput::Pooled {
            warn(py, UNTRAINED_CODES)?;
        }
        let (tokens, warnings) = encode(py, &self.0, source, options, progress)?;
        warnings.iter().try_for_each(|warning| warn(py, warning))?;
        let tokens = vqtoken::VideoTokens { quality: Quality::Bf16, ..tokens };
        Ok(VideoTokens::new(tokens, warnings))
    }

    /// The answer to a question about a video, or a list of answers, each on its own, to a list of questions.
    ///
    /// `video` is what `encode` takes, or `VideoTokens`, or None to ask about nothing. `reducer` says what stands for the video: `"vqtoken"`
    /// (codes, as `tokens` says), `"pooled"`, another reducer with its budget, such as `"tome:32"`, or `"pooled+tome:32"` of the pooled
    /// grid; `"@renumbered"` after either counts positions 0, 1, 2, ... By default it is what the model was trained to read.
    #[pyo3(signature = (
        video, question, *, system = None, reducer = None, tokens = None, frames = None, fps = None, timestamps = None,
        max_tokens = 128, temperature = 0.0, top_p = 1.0, top_k = 0, seed = 0, progress = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "Python's keyword arguments")]
    fn ask<'py>(
        &self,
        py: Python<'py>,
        video: &Bound<'py, PyAny>,
        question: &Bound<'py, PyAny>,
        system: Option<&str>,
        reducer: Option<&str>,
        tokens: Option<&Bound<'py, PyAny>>,
        frames: Option<usize>,
        fps: Option<f64>,
        timestamps: Option<Vec<f64>>,
        max_tokens: usize,
        temperature: f32,
        top_p: f32,
        top_k: usize,
        seed: u64,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = generation_options(max_tokens, temperature, top_p, top_k, seed)?;
        let is_one = question.is_instance_of::<PyString>();
        let questions: Vec<String> = match is_one {
            true => vec![question.extract()?],
            false => question.extract()?,
        };
        let chats =
            questions.iter().map(|question| chat_of(question, system)).collect::<PyResult<Vec<_>>>()?;
        let sampling = SamplingArguments { frames, fps, timestamps };
        let visual = self.visual_tokens(py, Subject { video, reducer, tokens, sampling, progress })?;
        let mut answers = answers(py, &self.0, visual, chats, options)?;
        match is_one {
            true => Ok(answers.pop().unwrap_or_default().into_pyobject(py)?.into_any()),
            false => answers.into_pyobject(py),
        }
    }

    /// The answer to a question about a video, piece by piece; arguments as for `ask`.
    #[pyo3(signature = (
        video, question, *, system = None, reducer = None, tokens = None, frames = None, fps = None, timestamps = None,
        max_tokens = 128, temperature = 0.0, top_p = 1.0, top_k = 0, seed = 0, progress = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "Python's keyword arguments")]
    fn ask_stream<'py>(
        &self,
        py: Python<'py>,
        video: &Bound<'py, PyAny>,
        question: &str,
        system: Option<&str>,
        reducer: Option<&str>,
        tokens: Option<&Bound<'py, PyAny>>,
        frames: Option<usize>,
        fps: Option<f64>,
        timestamps: Option<Vec<f64>>,
        max_tokens: usize,
        temperature: f32,
        top_p: f32,
        top_k: usize,
        seed: u64,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Answer> {
        let options = generation_options(max_tokens, temperature, top_p, top_k, seed)?;
        let chat = chat_of(question, system)?;
        let sampling = SamplingArguments { frames, fps, timestamps };
        let visual = self.visual_tokens(py, Subject { video, reducer, tokens, sampling, progress })?;
        begun(py, &self.0, visual, chat, options)
    }

    /// The unreduced token grid of a video, `[T, H, W, D]`; arguments as for `encode`.
    #[pyo3(signature = (video, *, frames = None, fps = None, near_repeats = 0.0, progress = None))]
    fn token_grid<'py>(
        &self,
        py: Python<'py>,
        video: &Bound<'py, PyAny>,
        frames: Option<usize>,
        fps: Option<f64>,
        near_repeats: f64,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyArray4<f32>>> {
        let source = VideoSource::of(video, SamplingArguments { frames, fps, timestamps: None })?;
        let (grid, warnings) = token_grid(py, &self.0, source, near_repeats, progress)?;
        warnings.iter().try_for_each(|warning| warn(py, warning))?;
        let (shape, features) = (grid.shape(), grid.dim());
        PyArray1::from_slice(py, grid.data()).reshape([shape.frames, shape.height, shape.width, features])
    }

    /// Tokens of normalised pixels `[T, 3, S, S]`: `[T, H, W, D]`.
    fn embed_pixels<'py>(
        &self,
        py: Python<'py>,
        pixels: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray4<f32>>> {
        let size = self.image_size();
        let array = FloatArray::of(pixels, "pixels")?;
        let &[frames, 3, height, width] = array.shape.as_slice() else {
            return Err(wrong_shape("pixels", &format!("[T, 3, {size}, {size}]"), &array.shape));
        };
        if (height, width) != (size, size) || frames == 0 {
            return Err(wrong_shape("pixels", &format!("[T, 3, {size}, {size}]"), &array.shape));
        }
        let pixels = Pixels { data: (*array.values).as_ref().to_vec(), frames, size };
        let model = self.0.clone();
        let tokens = work::run(py, None, move |watch| {
            let vision = model.vision().or_raise()?.clone().with_cancellation(watch.cancellation.clone());
            vision.embed_pixels(&pixels).or_raise()
        })?;
        let side = self.grid_side();
        PyArray1::from_vec(py, tokens).reshape([frames, side, side, self.features()])
    }

    /// Visual tokens `[M, D]` of codes `[K, D]` and their index map `[T, H, W]`: through the VQ-attention, or the codes themselves where
    /// the model has none.
    fn attend<'py>(
        &self,
        py: Python<'py>,
        codebook: &Bound<'py, PyAny>,
        index_map: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let language = self.0.language();
        attended(py, codebook, index_map, |codebook, map| {
            language.attend(codebook, map).and_then(|visual| visual.to_vec())
        })
    }

    /// Logits `[positions, vocabulary]` of a prompt of token ids, with visual tokens `[M, D]` and one `image_newline` between them.
    ///
    /// `positions` `[M]` and `sequence_length` say where the visual tokens stand in an unreduced sequence, as `Reduction` has them; one
    /// after the other if not given.
    #[pyo3(signature = (before, visual = None, after = Vec::new(), *, positions = None, sequence_length = None))]
    fn logits<'py>(
        &self,
        py: Python<'py>,
        before: Vec<u32>,
        visual: Option<&Bound<'py, PyAny>>,
        after: Vec<u32>,
        positions: Option<Vec<usize>>,
        sequence_length: Option<usize>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let visual = visual.map(|visual| FloatArray::rows(visual, "visual")).transpose()?;
        let language = self.0.language().clone();
        let logits = work::run(py, None, move |_| {
            let visual = visual
                .map(|(values, features)| language.tokens_of((*values).as_ref(), features))
                .transpose()
                .or_raise()?;
            let visual = match (visual, positions, sequence_length) {
                (Some(visual), Some(positions), Some(length)) => {
                    Some(visual.at_positions(positions, length).or_raise()?)
                }
                (visual, None, None) => visual,
                _ => {
                    let message = "positions= and sequence_length= go together, and with visual=";
                    return Err(Exception::Array.error(message));
                }
            };
            language.logits(&before, visual.as_ref(), &after).or_raise()
        })?;
        let vocabulary = self.0.config().text.vocabulary;
        let rows = logits.len() / vocabulary;
        PyArray1::from_vec(py, logits).reshape([rows, vocabulary])
    }

    fn __repr__(&self) -> String {
        format!("VideoLlm({}, {})", self.id(), self.precision())
    }
}

impl VideoLlm {
    /// What the language model reads in place of a video; none where nothing is asked about.
    fn visual_tokens(&self, py: Python<'_>, subject: Subject<'_, '_>) -> PyResult<Option<VisualTokens>> {
        let Subject { video, reducer, tokens, sampling, progress } = subject;
        let is_given = reducer.is_some() || tokens.is_some() || sampling.is_given();
        let language = self.0.language();
        if video.is_none() || video.is_instance_of::<VideoTokens>() {
            if is_given {
                return Err(Exception::Reduce.error(
                    "reducer=, tokens=, frames=, fps= and timestamps= say how a video is read, and here is none to read: leave them out",
                ));
            }
            let Ok(tokens) = video.cast::<VideoTokens>() else { return Ok(None) };
            self.warn_of(py, &Reading::Codes, true)?;
            let tokens = tokens.get().tokens.clone();
            return py.detach(|| language.visual_tokens(&tokens)).or_raise().map(Some);
        }
        let asked_for = reducer.map(Reading::parse).transpose()?;
        if matches!(asked_for, Some(Reading::Reduced(_))) && tokens.is_some() {
            return Err(Exception::Reduce.error(
                "tokens= belongs to the codes of reducer=\"vqtoken\": another reducer has its budget in its name, such as tome:32",
            ));
        }
        let asked_for = asked_for.or(tokens.map(|_| Reading::Codes));
        let was_asked_for = asked_for.is_some();
        let reading = asked_for.map_or_else(|| Reading::trained(self.0.trained_input()), Ok)?;
        self.warn_of(py, &reading, was_asked_for)?;
        let source = VideoSource::of(video, sampling)?;
        let (visual, warnings) = match reading {
            Reading::Reduced(reduced) => {
                let (grid, warnings) = token_grid(py, &self.0, source, 0.0, progress)?;
                let language = language.clone();
                (work::run(py, None, move |_| reduced.visual_tokens(&language, &grid))?, warnings)
            }
            Reading::Codes => {
                let options = encoder_options(tokens, None, None, 0.0, 0)?;
                let (tokens, warnings) = encode(py, &self.0, source, options, progress)?;
                (py.detach(|| language.visual_tokens(&tokens)).or_raise()?, warnings)
            }
        };
        warnings.iter().try_for_each(|warning| warn(py, warning))?;
        Ok(Some(visual))
    }

    /// Says where a video is read otherwise than the user or the model's training would have it.
    fn warn_of(&self, py: Python<'_>, reading: &Reading, was_asked_for: bool) -> PyResult<()> {
        match (self.0.trained_input(), reading) {
            (TrainedInput::Pooled, Reading::Codes) => warn(py, UNTRAINED_CODES),
            (TrainedInput::Pooled, _) if !was_asked_for => warn(py, POOLED_BY_DEFAULT),
            _ => Ok(()),
        }
    }
}
