//! The vision side of a model: what turns frames into tokens.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use vqtoken_core::{
    Budget, CodeOrder, GridShape, Quantization, QuantizerConfig, Source, TokenGrid, VideoTokens,
};
use vqtoken_nn::{PackLayers, Precision, Wanted, in_thread_pool};
use vqtoken_video::{Cancellation, Clip, PixelSpec, Pixels};

use crate::checkpoint::{Checkpoint, ModelFiles, packed_bytes, random_id, random_precision, randomize};
use crate::config::{OneVisionConfig, TrainedInput, VisionConfig, VqAttentionConfig};
use crate::error::ModelError;
use crate::tensors::to_vec;
use crate::vision::VisionModules;

/// Frames that go through the tower together; more would only take more memory.
pub const FRAMES_AT_ONCE: usize = 2;

/// Tower, projector, pixel specification and quantizer. Clones share their weights.
#[derive(Clone, Debug)]
pub struct VisionSide {
    id: String,
    config: VisionConfig,
    d: usize,
    code_order: CodeOrder,
    trained_input: TrainedInput,
    pixel_spec: PixelSpec,
    precision: Precision,
    modules: VisionModules,
    cancellation: Cancellation,
    device: Device,
}

impl VisionSide {
    /// Loads the vision side of a model, as [`Checkpoint::open`] finds it, in [`Precision::Auto`].
    ///
    /// # Errors
    ///
    /// If a file is missing or damaged, or configuration and tensors do not belong together.
    pub fn load(model: impl AsRef<Path>) -> Result<Self, ModelError> {
        Self::load_as(model, Precision::Auto)
    }

    /// [Loads](Self::load) it in a precision.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn load_as(model: impl AsRef<Path>, precision: Precision) -> Result<Self, ModelError> {
        Self::from_checkpoint(&Checkpoint::open(model)?, precision)
    }

    /// The vision side of an opened checkpoint.
    ///
    /// # Errors
    ///
    /// If a tensor cannot be read or holds values that are not finite.
    pub fn from_checkpoint(checkpoint: &Checkpoint, precision: Precision) -> Result<Self, ModelError> {
        let (config, device) = (checkpoint.config(), Device::flex());
        let precision = checkpoint.precision(precision);
        let modules = VisionModules::new(&config.vision, config.text.hidden_size, &device);
        let modules = checkpoint.build(modules, precision)?;
        Self::new(checkpoint.id(), config, checkpoint.files(), precision, modules)
    }

    /// A vision side of random weights, to measure what a real one of that shape would cost.
    ///
    /// # Errors
    ///
    /// If a layer cannot be packed.
    pub fn random(
        name: &str,
        config: &OneVisionConfig,
        files: &ModelFiles,
        precision: Precision,
        seed: u64,
    ) -> Result<Self, ModelError> {
        let precision = random_precision(precision)?;
        let modules = VisionModules::new(&config.vision, config.text.hidden_size, &Device::flex());
        let modules = randomize(modules, precision, seed)?;
        Self::new(&random_id(name, seed), config, files, precision, modules)
    }

    fn new(
        id: &str,
        config: &OneVisionConfig,
        files: &ModelFiles,
        precision: Precision,
        modules: VisionModules,
    ) -> Result<Self, ModelError> {
        // The released VQ-attention was trained on codes numbered as they were drawn.
        let code_order = match config.vq_attention {
            Some(VqAttentionConfig::Released { .. }) => CodeOrder::Raw,
            _ => CodeOrder::FirstAppearance,
        };
        Ok(Self {
            id: id.to_owned(),
            pixel_spec: files.pixel_spec(config.vision.image_size)?,
            config: config.vision.clone(),
            d: config.text.hidden_size,
            code_order,
            trained_input: config.trained_input(),
            precision,
            modules,
            cancellation: Cancellation::default(),
            device: Device::flex(),
        })
    }

    /// The same with a flag that ends whatever it computes with [`ModelError::Cancelled`] once it is set.
    #[must_use]
    pub fn with_cancellation(mut self, cancellation: Cancellation) -> Self {
        let flag = cancellation.clone();
        let wanted = Wanted::new(move || !flag.is_cancelled());
        self.modules.for_each_packable("", &mut |_, layer| layer.set_wanted(wanted.clone()));
        Self { cancellation, ..self }
    }

    /// Names the model in video tokens: its name and a checksum of its tower and projector.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The tower's shape.
    pub fn config(&self) -> &VisionConfig {
        &self.config
    }

    /// What the model's language side was trained to read in place of a video.
    pub fn trained_input(&self) -> TrainedInput {
        self.trained_input
    }

    /// Features of a token (D).
    pub fn features(&self) -> usize {
        self.d
    }

    /// The precision of the linear layers; never [`Precision::Auto`].
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Bytes of the packed weights.
    pub fn packed_bytes(&self) -> usize {
        packed_bytes(&self.modules)
    }

    /// How frames become pixel values.
    pub fn pixel_spec(&self) -> &PixelSpec {
        &self.pixel_spec
    }

    /// The quantizer's configuration under a budget.
    pub fn quantizer(&self, budget: Budget) -> QuantizerConfig {
        QuantizerConfig::new(budget).with_order(self.code_order)
    }

    /// Hidden states of the tower, before the projector, of pixels `[T, 3, S, S]`: `[T, N, Dv]`.
    ///
    /// # Errors
    ///
    /// If the values cannot be read back, or it was [cancelled](Self::with_cancellation).
    pub fn hidden_states(&self, pixels: &Pixels) -> Result<Vec<f32>, ModelError> {
        let shape = [pixels.frames, 3, pixels.size, pixels.size];
        let pixels = Tensor::from_data(TensorData::new(pixels.data.clone(), shape), &self.device);
        let hidden = in_thread_pool(|| to_vec(self.modules.hidden_states(pixels)))?;
        self.complete(hidden)
    }

    /// What has been computed, unless it was cancelled meanwhile: then products were left undone.
    fn complete(&self, values: Vec<f32>) -> Result<Vec<f32>, ModelError> {
        match self.cancellation.is_cancelled() {
            true => Err(ModelError::Cancelled),
            false => Ok(values),
        }
    }

    /// Tokens of pixels `[T, 3, S, S]`: `[T * H * W, D]`, part of a [token grid](Self::token_grid).
    ///
    /// # Errors
    ///
    /// If the values cannot be read back, or it was [cancelled](Self::with_cancellation).
    pub fn embed_pixels(&self, pixels: &Pixels) -> Result<Vec<f32>, ModelError> {
        self.embed_pixels_keeping(pixels, None)
    }

    /// [`Self::embed_pixels`]; the tower's hidden states `[T, N, Dv]`, of which the tokens are made, are appended to `states`.
    pub(super) fn embed_pixels_keeping(
        &self,
        pixels: &Pixels,
        mut states: Option<&mut Vec<f32>>,
    ) -> Result<Vec<f32>, ModelError> {
        let size = pixels.size;
        let mut tokens = Vec::new();
        for chunk in pixels.data.chunks(FRAMES_AT_ONCE * 3 * size * size) {
            let shape = [chunk.len() / (3 * size * size), 3, size, size];
            let chunk = Tensor::from_data(TensorData::new(chunk.to_vec(), shape), &self.device);
            let computed = in_thread_pool(|| {
                let hidden = self.modules.hidden_states_unless(&self.cancellation, chunk)?;
                let kept = states.is_some().then(|| to_vec(hidden.clone()));
                Some((kept, to_vec(self.modules.project(hidden))))
            });
            let (kept, computed) = computed.ok_or(ModelError::Cancelled)?;
            tokens.extend(self.complete(computed?)?);
            if let (Some(states), Some(kept)) = (&mut states, kept) {
                states.extend(kept?);
            }
        }
        Ok(tokens)
    }

    /// The token grid `[T, H, W, D]` of `frames` frames from all their tokens.
    ///
    /// # Errors
    ///
    /// If there are no frames, or more or fewer tokens than they have.
    pub fn token_grid(&self, frames: usize, tokens: Vec<f32>) -> Result<TokenGrid, ModelError> {
        if frames == 0 {
            return Err(ModelError::NoFrames);
        }
        let side = self.config.grid_side();
        let shape = GridShape { frames, height: side, width: side };
        Ok(TokenGrid::new(shape, self.d, tokens)?)
    }

    /// Video tokens of a clip from the quantization of its token grid.
    pub fn video_tokens(&self, clip: &Clip, quantization: Quantization, budget: Budget) -> VideoTokens {
        VideoTokens {
            source: Some(source_of(clip)),
            ..self.unnamed_tokens(clip.timestamps.clone(), quantization, budget)
        }
    }

    /// Video tokens of frames whose source is not known.
    pub(super) fn unnamed_tokens(
        &self,
        timestamps: Vec<f64>,
        quantization: Quantization,
        budget: Budget,
    ) -> VideoTokens {
        VideoTokens {
            codebook: quantization.codebook,
            index_map: quantization.index_map,
            timestamps,
            model: self.id.clone(),
            source: None,
            budget,
            windows: None,
            quality: Default::default(),
        }
    }
}

/// What video tokens keep of the clip that they were made from.
pub(super) fn source_of(clip: &Clip) -> Source {
    let info = &clip.info;
    Source {
        name: info.path.file_name().unwrap_or(info.path.as_os_str()).to_string_lossy().into_owned(),
        width: info.width,
        height: info.height,
        duration: info.duration.or(clip.timestamps.last().copied()).unwrap_or(0.0),
        bytes: info.file_bytes,
        frames: clip.decoded_frames,
    }
}
