//! The whole model: frames to video tokens, video tokens and a question to an answer.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use vqtoken_core::{
    Budget, CodeOrder, Codebook, GridShape, IndexMap, Quantization, QuantizerConfig, QuantizerStream,
    Reducer, Source, TokenGrid, VideoTokens, pool_bilinear,
};
use vqtoken_kernels::Kernels;
use vqtoken_nn::kernel_ops::in_pool;
use vqtoken_nn::{PackLayers, Precision};
use vqtoken_video::{Clip, PixelSpec, Pixels};

use crate::chat::{Chat, ChatTemplate};
use crate::checkpoint::{Filler, ModelFiles, Weights, is_unused_by_design, randomize};
use crate::config::{OneVisionConfig, VqAttentionConfig};
use crate::error::ModelError;
use crate::frame_encoder::{FRAMES_AT_ONCE, FrameEncoder};
use crate::generation::{Answer, GenerationOptions, Tokens};
use crate::language::LanguageCache;
use crate::one_vision::OneVision;
use crate::tokenizer::Tokenizer;

/// A LLaVA-OneVision model that reads a video as video tokens.
#[derive(Clone, Debug)]
pub struct VideoLlm {
    config: OneVisionConfig,
    id: String,
    device: Device,
    model: OneVision,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    end_tokens: Vec<u32>,
    pixel_spec: PixelSpec,
    precision: Precision,
}

/// What the language model reads in place of the video, `[M, D]`.
#[derive(Clone, Debug)]
pub struct VisualTokens {
    tensor: Tensor<2>,
}

impl VisualTokens {
    /// How many (M), the `image_newline` behind them not counted.
    pub fn count(&self) -> usize {
        self.tensor.dims()[0]
    }

    /// The numbers, `[M, D]`.
    pub fn to_vec(&self) -> Vec<f32> {
        self.tensor.to_data().try_to_vec().unwrap_or_default()
    }
}

impl VideoLlm {
    /// Loads a model directory in any of the public layouts; with the feature `hub` also a model of the Hugging Face
    /// hub by its id, such as `llava-hf/llava-onevision-qwen2-0.5b-ov-hf`. Its weights are packed for inference in
    /// [`Precision::Auto`].
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
        let model = model.as_ref();
        if !model.exists()
            && let Some(id) = crate::hub::repository_id(model)
        {
            return Self::load_directory(id, &crate::hub::fetch(id)?, precision);
        }
        let name = model.file_name().unwrap_or(model.as_os_str()).to_string_lossy();
        Self::load_directory(&name, model, precision)
    }

    fn load_directory(name: &str, directory: &Path, precision: Precision) -> Result<Self, ModelError> {
        Self::from_parts(name, &ModelFiles::open(directory)?, &Weights::open(directory)?, precision)
    }

    /// Puts a model together from its files; `name` becomes part of its [id](Self::id).
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn from_parts(
        name: &str,
        files: &ModelFiles,
        weights: &Weights,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        Kernels::from_env()?;
        let precision = precision.resolve(weights.are_bf16());
        let device = Device::flex();
        let config_file = files.place.join("config.json").display().to_string();
        let mut config = OneVisionConfig::parse(&config_file, &files.config)?;
        refuse_more_layers_than_tensors(&config_file, &config, weights)?;
        if config.vq_attention.is_none() {
            config.vq_attention = released_attention(weights);
        }
        let mut filler = Filler::new(weights, &device);
        let mut model = OneVision::new(&config, &device);
        filler.pack(&mut model, precision);
        let model = filler.fill(model);
        let id = format!("{name}@{:08x}", filler.vision_checksum());
        filler.finish(|name| is_unused_by_design(name, &config))?;
        Self::of_modules(id, config, model, files, precision)
    }

    /// A model of random weights, as a stand-in of the same shape for measuring what a real one would cost.
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
        Kernels::from_env()?;
        // Nothing is lost by bf16 where there was nothing.
        let precision = precision.resolve(true);
        let model = randomize(OneVision::new(&config, &Device::flex()), precision, seed)?;
        Self::of_modules(format!("{name}@random{seed}"), config, model, files, precision)
    }

    fn of_modules(
        id: String,
        config: OneVisionConfig,
        model: OneVision,
        files: &ModelFiles,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        let tokenizer_file = files.place.join("tokenizer.json");
        Ok(Self {
            id,
            model,
            tokenizer: Tokenizer::from_bytes(&tokenizer_file, &files.tokenizer, config.text.vocabulary)?,
            template: files.template.clone(),
            end_tokens: files.end_tokens(&config.text.end_tokens)?,
            pixel_spec: files.pixel_spec(config.vision.image_size)?,
            config,
            device: Device::flex(),
            precision,
        })
    }

    /// The precision that the weights of the linear layers are kept in; never [`Precision::Auto`].
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Bytes of the packed weights.
    pub fn packed_bytes(&self) -> usize {
        self.packed_bytes_of("")
    }

    /// Bytes of the packed weights that every word of an answer reads.
    pub fn language_bytes(&self) -> usize {
        self.packed_bytes_of("language_model") + self.packed_bytes_of("lm_head")
    }

    fn packed_bytes_of(&self, part: &str) -> usize {
        let mut bytes = 0;
        // Clones share their numbers.
        self.model.clone().for_each_packable("", &mut |path, layer| {
            bytes += if path.starts_with(part) { layer.packed_bytes() } else { 0 };
        });
        bytes
    }

    /// The model's shape.
    pub fn config(&self) -> &OneVisionConfig {
        &self.config
    }

    /// Names the model in video tokens: its name and a checksum of its vision tower and projector.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// How frames become pixel values for this model.
    pub fn pixel_spec(&self) -> &PixelSpec {
        &self.pixel_spec
    }

    /// Tokens that end an answer.
    pub fn end_tokens(&self) -> &[u32] {
        &self.end_tokens
    }

    /// The tokens of pixels `[T, 3, S, S]`, `[T * H * W, D]`: part of a [token grid](Self::token_grid).
    pub fn embed_pixels(&self, pixels: &Pixels) -> Result<Vec<f32>, ModelError> {
        let size = pixels.size;
        let mut tokens = Vec::new();
        for chunk in pixels.data.chunks(FRAMES_AT_ONCE * 3 * size * size) {
            let shape = [chunk.len() / (3 * size * size), 3, size, size];
            let chunk = Tensor::from_data(TensorData::new(chunk.to_vec(), shape), &self.device);
            tokens.extend(in_pool(|| to_vec(self.model.token_grid(chunk)))?);
        }
        Ok(tokens)
    }

    /// The token grid `[T, H, W, D]` of `frames` frames from all their tokens.
    ///
    /// # Errors
    ///
    /// If there are more or fewer tokens than that.
    pub fn token_grid(&self, frames: usize, tokens: Vec<f32>) -> Result<TokenGrid, ModelError> {
        if frames == 0 {
            return Err(ModelError::NoFrames);
        }
        let side = self.config.vision.grid_side();
        let shape = GridShape { frames, height: side, width: side };
        Ok(TokenGrid::new(shape, self.config.text.hidden_size, tokens)?)
    }

    /// Hidden states of the vision tower, `[T, N, Dv]`, before the projector.
    pub fn hidden_states(&self, pixels: &Pixels) -> Result<Vec<f32>, ModelError> {
        let shape = [pixels.frames, 3, pixels.size, pixels.size];
        to_vec(
            self.model
                .hidden_states(Tensor::from_data(TensorData::new(pixels.data.clone(), shape), &self.device)),
        )
    }

    /// The token grid of a clip. Pixel values are made for a few frames at a time; a frame that repeats the one before it
    /// is not computed again.
    pub fn embed(&self, clip: &Clip) -> Result<TokenGrid, ModelError> {
        let mut tokens = Vec::new();
        let mut encoder = FrameEncoder::new(self, 0.0);
        for frame in &clip.frames {
            if encoder.take(frame.clone()) {
                tokens.extend(encoder.encode()?);
            }
        }
        tokens.extend(encoder.encode()?);
        self.token_grid(clip.frames.len(), tokens)
    }

    /// How this model quantizes. The released VQ-attention was trained on codes numbered as they were drawn; for all
    /// others the numbers follow the first appearance.
    pub fn quantizer(&self, budget: Budget) -> QuantizerConfig {
        let order = match self.config.vq_attention {
            Some(VqAttentionConfig::Released { .. }) => CodeOrder::Raw,
            _ => CodeOrder::FirstAppearance,
        };
        QuantizerConfig { budget, order, ..QuantizerConfig::default() }
    }

    /// Video tokens of a clip. No more than a block of tokens is held at a time, so a clip may be as long as its frames fit.
    pub fn encode(&self, clip: &Clip, budget: Budget) -> Result<VideoTokens, ModelError> {
        let mut stream = QuantizerStream::new(self.quantizer(budget))?;
        let mut encoder = FrameEncoder::new(self, 0.0);
        for (index, frame) in clip.frames.iter().enumerate() {
            if encoder.take(frame.clone()) || index + 1 == clip.frames.len() {
                let frames = encoder.due();
                stream.push(&self.token_grid(frames, encoder.encode()?)?)?;
            }
        }
        Ok(self.video_tokens(clip, stream.finish()?, budget))
    }

    /// Video tokens of a clip whose token grid has been quantized.
    pub fn video_tokens(&self, clip: &Clip, quantization: Quantization, budget: Budget) -> VideoTokens {
        let info = &clip.info;
        let name = info.path.file_name().unwrap_or(info.path.as_os_str()).to_string_lossy().into_owned();
        VideoTokens {
            codebook: quantization.codebook,
            index_map: quantization.index_map,
            timestamps: clip.timestamps.clone(),
            model: self.id.clone(),
            source: Some(Source {
                name,
                width: info.width,
                height: info.height,
                duration: info.duration.or(clip.timestamps.last().copied()).unwrap_or(0.0),
                bytes: info.file_bytes,
                frames: clip.decoded_frames,
            }),
            budget,
            windows: None,
            quality: Default::default(),
        }
    }

    /// Visual tokens of video tokens: the codes with their motion written in by the VQ-attention, or the bare codes if
    /// the checkpoint has none.
    ///
    /// # Errors
    ///
    /// If another model made the video tokens.
    pub fn visual_tokens(&self, tokens: &VideoTokens) -> Result<VisualTokens, ModelError> {
        if checksum_of(&tokens.model) != checksum_of(&self.id) {
            return Err(ModelError::OtherModel { found: tokens.model.clone(), expected: self.id.clone() });
        }
        self.visual_tokens_of(&tokens.codebook, &tokens.index_map)
    }

    /// Visual tokens of a codebook and an index map, whoever made them.
    pub fn visual_tokens_of(
        &self,
        codebook: &Codebook,
        index_map: &IndexMap,
    ) -> Result<VisualTokens, ModelError> {
        let codes = self.visual_tokens_from(codebook.data(), codebook.dim())?;
        Ok(VisualTokens { tensor: in_pool(|| self.model.visual_tokens(codes.tensor, index_map))? })
    }

    /// Visual tokens of a grid by any reducer; codes, where it gives some, go through the VQ-attention.
    pub fn reduced_tokens(
        &self,
        grid: &TokenGrid,
        reducer: &dyn Reducer,
    ) -> Result<VisualTokens, ModelError> {
        let reduction = reducer.reduce(grid)?;
        match &reduction.quantization {
            Some(quantization) => self.visual_tokens_of(&quantization.codebook, &quantization.index_map),
            None => self.visual_tokens_from(reduction.tokens.data(), reduction.tokens.dim()),
        }
    }

    /// The unreduced baseline: every frame's grid pooled to half its sides, as LLaVA-OneVision does.
    pub fn pooled_tokens(&self, grid: &TokenGrid) -> Result<VisualTokens, ModelError> {
        let pooled = pool_bilinear(grid)?;
        self.visual_tokens_from(pooled.data(), pooled.dim())
    }

    /// Visual tokens from numbers `[M, D]` of any origin.
    pub fn visual_tokens_from(&self, values: &[f32], d: usize) -> Result<VisualTokens, ModelError> {
        if d != self.config.text.hidden_size || values.is_empty() || !values.len().is_multiple_of(d) {
            return Err(ModelError::VisualTokens(format!(
                "{} numbers in rows of {d} are no visual tokens of {} features",
                values.len(),
                self.config.text.hidden_size
            )));
        }
        let data = TensorData::new(values.to_vec(), [values.len() / d, d]);
        Ok(VisualTokens { tensor: Tensor::from_data(data, &self.device) })
    }

    /// The answer to a question about video tokens, greedy; nothing is decoded or looked at again.
    pub fn ask(&self, tokens: &VideoTokens, question: &str) -> Result<Answer<'_>, ModelError> {
        let visual = self.visual_tokens(tokens)?;
        self.chat(Some(&visual), &Chat::new(question), &GenerationOptions::default())
    }

    /// The next answer of a conversation, about visual tokens or about text alone.
    pub fn chat(
        &self,
        visual: Option<&VisualTokens>,
        chat: &Chat,
        options: &GenerationOptions,
    ) -> Result<Answer<'_>, ModelError> {
        Ok(Tokens::new(self, self.chat_prompt(visual, chat)?, options)?.text())
    }

    /// Embeddings of a conversation up to where the next answer begins, `[n, D]`.
    pub(crate) fn chat_prompt(
        &self,
        visual: Option<&VisualTokens>,
        chat: &Chat,
    ) -> Result<Tensor<2>, ModelError> {
        let (before, after) = self.chat_ids(chat, visual.is_some())?;
        self.prompt(&before, visual, &after)
    }

    /// Ids of a conversation before and behind its video; without one all of them are before it.
    pub(crate) fn chat_ids(&self, chat: &Chat, visual: bool) -> Result<(Vec<u32>, Vec<u32>), ModelError> {
        let prompt = self.template.render(chat, visual)?;
        let before = self.tokenizer.encode(&prompt.before)?;
        let after = self.tokenizer.encode(prompt.after.as_deref().unwrap_or_default())?;
        Ok((before, after))
    }

    /// The tokens that follow a prompt of ids with visual tokens (and one `image_newline` behind them) between them.
    pub fn generate(
        &self,
        before: &[u32],
        visual: Option<&VisualTokens>,
        after: &[u32],
        options: &GenerationOptions,
    ) -> Result<Tokens<'_>, ModelError> {
        Tokens::new(self, self.prompt(before, visual, after)?, options)
    }

    /// Logits at every position of such a prompt, `[positions, vocabulary]`.
    ///
    /// # Errors
    ///
    /// If the prompt is empty.
    pub fn logits(
        &self,
        before: &[u32],
        visual: Option<&VisualTokens>,
        after: &[u32],
    ) -> Result<Vec<f32>, ModelError> {
        let embeddings = self.prompt(before, visual, after)?;
        in_pool(|| to_vec(self.model.logits(self.model.read(embeddings, &mut self.new_cache()))))
    }

    pub(crate) fn prompt(
        &self,
        before: &[u32],
        visual: Option<&VisualTokens>,
        after: &[u32],
    ) -> Result<Tensor<2>, ModelError> {
        if before.is_empty() && visual.is_none() && after.is_empty() {
            return Err(ModelError::Question("the prompt is empty: say what you want to know"));
        }
        Ok(self.model.prompt(before, visual.map(|visual| visual.tensor.clone()), after))
    }

    pub(crate) fn modules(&self) -> &OneVision {
        &self.model
    }

    pub(crate) fn new_cache(&self) -> LanguageCache {
        self.model.new_cache()
    }

    /// Reads one more token and returns the logits behind it, `[vocabulary]`.
    pub(crate) fn logits_behind_token(
        &self,
        token: u32,
        cache: &mut LanguageCache,
    ) -> Result<Vec<f32>, ModelError> {
        self.last_logits(self.model.prompt(&[token], None, &[]), cache)
    }

    /// Reads embeddings `[n, D]` and returns the logits behind the last of them, `[vocabulary]`.
    pub(crate) fn last_logits(
        &self,
        embeddings: Tensor<2>,
        cache: &mut LanguageCache,
    ) -> Result<Vec<f32>, ModelError> {
        in_pool(|| {
            let [count, d] = embeddings.dims();
            let hidden = self.model.read(embeddings, cache);
            to_vec(self.model.logits(hidden.slice([count - 1..count, 0..d])))
        })
    }
}

pub(crate) fn to_vec<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ModelError> {
    tensor.into_data().try_to_vec().map_err(|error| ModelError::VisualTokens(error.to_string()))
}

/// The part of a model's id that its weights decide.
fn checksum_of(id: &str) -> &str {
    id.rsplit('@').next().unwrap_or(id)
}

/// The published VQ-attention, if the weights hold it.
fn released_attention(weights: &Weights) -> Option<VqAttentionConfig> {
    /// Of torch's `TransformerDecoderLayer` as published; the tensors do not tell.
    const HEADS: usize = 8;
    let &[_, patches] = weights.shape("vq_attention.to_q_proj.weight")? else { return None };
    let &[feed_forward, _] = weights.shape("vq_attention.feed_forward.fc1.weight")? else { return None };
    Some(VqAttentionConfig::Released { heads: HEADS, patches, feed_forward })
}

/// A layer has several tensors, so a file with fewer tensors than layers cannot be meant; this keeps a damaged
/// configuration from asking for a billion of them.
fn refuse_more_layers_than_tensors(
    file: &str,
    config: &OneVisionConfig,
    weights: &Weights,
) -> Result<(), ModelError> {
    let layers = config.vision.layers + config.text.layers;
    match layers <= weights.len() {
        true => Ok(()),
        false => Err(ModelError::Config {
            file: file.to_owned(),
            problem: format!("it speaks of {layers} layers, the weights are {} tensors", weights.len()),
        }),
    }
}
