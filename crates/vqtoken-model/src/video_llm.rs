//! The whole model: the pair of a vision side and a language side.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use vqtoken_core::{Budget, VideoTokens};
use vqtoken_nn::Precision;
use vqtoken_video::Clip;

use crate::answering::{Answer, LanguageSide};
use crate::checkpoint::{Checkpoint, ModelFiles};
use crate::config::{OneVisionConfig, TrainedInput};
use crate::encoding::{Encoder, EncoderOptions, VisionSide};
use crate::error::ModelError;

/// A LLaVA-OneVision model that reads a video as video tokens. Clones share their weights.
///
/// Its vision side is loaded when a frame first needs it: questions about video tokens never do.
#[derive(Clone, Debug)]
pub struct VideoLlm {
    language: LanguageSide,
    vision: Arc<LazyVision>,
    config: OneVisionConfig,
}

#[derive(Debug)]
struct LazyVision {
    source: VisionSource,
    precision: Precision,
    loaded: OnceLock<VisionSide>,
    /// Held while it is loaded, so that two threads do not load it twice.
    loading: Mutex<()>,
}

#[derive(Debug)]
enum VisionSource {
    Checkpoint(Checkpoint),
    Random { name: String, config: OneVisionConfig, files: ModelFiles, seed: u64 },
}

impl VideoLlm {
    /// Loads a model, as [`Checkpoint::open`] finds it, in [`Precision::Auto`].
    ///
    /// # Errors
    ///
    /// If a file is missing or damaged, or configuration and tensors do not belong together.
    pub fn load(model: impl AsRef<Path>) -> Result<Self, ModelError> {
        Self::load_as(model, Precision::Auto)
    }

    /// [Loads](Self::load) a model in a precision.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn load_as(model: impl AsRef<Path>, precision: Precision) -> Result<Self, ModelError> {
        Self::from_checkpoint(Checkpoint::open(model)?, precision)
    }

    /// The model of an opened checkpoint.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn from_checkpoint(checkpoint: Checkpoint, precision: Precision) -> Result<Self, ModelError> {
        let language = LanguageSide::from_checkpoint(&checkpoint, precision)?;
        let config = checkpoint.config().clone();
        Ok(Self::new(language, config, VisionSource::Checkpoint(checkpoint), precision))
    }

    /// A model of random weights, to measure what a real one of that shape would cost.
    ///
    /// # Errors
    ///
    /// If the tokenizer of `files` does not fit the configuration.
    pub fn random(
        name: &str,
        config: OneVisionConfig,
        files: &ModelFiles,
        precision: Precision,
        seed: u64,
    ) -> Result<Self, ModelError> {
        let language = LanguageSide::random(name, &config, files, precision, seed)?;
        let source = VisionSource::Random {
            name: name.to_owned(),
            config: config.clone(),
            files: files.clone(),
            seed,
        };
        Ok(Self::new(language, config, source, precision))
    }

    fn new(
        language: LanguageSide,
        config: OneVisionConfig,
        source: VisionSource,
        precision: Precision,
    ) -> Self {
        let vision = LazyVision { source, precision, loaded: OnceLock::new(), loading: Mutex::new(()) };
        Self { language, vision: Arc::new(vision), config }
    }

    /// Names the model in video tokens: its name and a checksum of its vision side.
    pub fn id(&self) -> &str {
        self.language.id()
    }

    /// The model's shape.
    pub fn config(&self) -> &OneVisionConfig {
        &self.config
    }

    /// What the language model was trained to read in place of a video. Other input works, and costs accuracy.
    pub fn trained_input(&self) -> TrainedInput {
        self.language.trained_input()
    }

    /// What answers questions about video tokens.
    pub fn language(&self) -> &LanguageSide {
        &self.language
    }

    /// What turns frames into video tokens, loaded by the first call.
    ///
    /// # Errors
    ///
    /// If its weights cannot be read or hold values that are not finite.
    pub fn vision(&self) -> Result<&VisionSide, ModelError> {
        self.vision.get()
    }

    /// The precision of the linear layers; never [`Precision::Auto`].
    pub fn precision(&self) -> Precision {
        self.language.precision()
    }

    /// Bytes of the packed weights that have been loaded.
    pub fn packed_bytes(&self) -> usize {
        self.language.packed_bytes() + self.vision.loaded.get().map_or(0, VisionSide::packed_bytes)
    }

    /// [`VisionSide::encode`].
    ///
    /// # Errors
    ///
    /// As there, and as [`Self::vision`].
    pub fn encode(&self, clip: &Clip, budget: Budget) -> Result<VideoTokens, ModelError> {
        self.vision()?.encode(clip, budget)
    }

    /// [`VisionSide::encoder`].
    ///
    /// # Errors
    ///
    /// As there, and as [`Self::vision`].
    pub fn encoder(&self, options: EncoderOptions) -> Result<Encoder, ModelError> {
        self.vision()?.encoder(options)
    }

    /// [`LanguageSide::ask`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn ask(&self, tokens: &VideoTokens, question: &str) -> Result<Answer, ModelError> {
        self.language.ask(tokens, question)
    }
}

impl LazyVision {
    fn get(&self) -> Result<&VisionSide, ModelError> {
        if let Some(vision) = self.loaded.get() {
            return Ok(vision);
        }
        let _held = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(vision) = self.loaded.get() {
            return Ok(vision);
        }
        let vision = match &self.source {
            VisionSource::Checkpoint(checkpoint) => VisionSide::from_checkpoint(checkpoint, self.precision),
            VisionSource::Random { name, config, files, seed } => {
                VisionSide::random(name, config, files, self.precision, *seed)
            }
        }?;
        Ok(self.loaded.get_or_init(|| vision))
    }
}
