//! What can go wrong between a checkpoint, a clip and an answer.

use std::path::PathBuf;

use vqtoken_core::{GridError, QuantizeError, ReduceError};

use crate::hub::HubError;
use crate::retrieval::RetrievalError;
use crate::vq_attention::AttentionError;
use vqtoken_files::{LimitError, WriteError, quoted};

/// Every failure of this crate. Each message is one line that names the thing at fault and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The model directory does not exist.
    #[error(
        "no model at {}: give a directory that holds config.json, model.safetensors and tokenizer.json",
        quoted(path)
    )]
    NotFound {
        /// What was asked for.
        path: PathBuf,
    },
    /// A file of the checkpoint cannot be read.
    #[error("{} cannot be read: {source}", quoted(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file asks for more than is allowed.
    #[error("{}: {source}", quoted(path))]
    Limit {
        /// The file.
        path: PathBuf,
        /// Which limit, and by how much.
        source: LimitError,
    },
    /// The weights are of another format than safetensors.
    #[error(
        "{} holds weights as {format}, and only safetensors can be read: take the checkpoint in safetensors or convert it",
        quoted(path)
    )]
    WeightFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: &'static str,
    },
    /// The weights are quantized.
    #[error(
        "{file} belongs to weights quantized by {method}, which cannot be read: take the checkpoint in f16, bf16 or f32;          --precision int8 then quantizes it while it is loaded"
    )]
    Quantized {
        /// The file or folder.
        file: String,
        /// What quantized them.
        method: String,
    },
    /// An adapter whose base model is not known or cannot be had.
    #[error(
        "{} is a LoRA adapter, not a whole model, and its base model {} ({problem}): give the base model with --base DIR|HUB_ID",
        quoted(adapter),
        quoted_or(base.as_deref(), "is not named")
    )]
    AdapterBase {
        /// The adapter's folder.
        adapter: PathBuf,
        /// What the adapter calls its base model.
        base: Option<String>,
        /// Why it cannot be had.
        problem: String,
    },
    /// A base model was named for what is no adapter.
    #[error("{} is a whole model and needs no base model: leave out --base", quoted(model))]
    NoAdapter {
        /// The model.
        model: PathBuf,
    },
    /// An adapter of a kind that cannot be read.
    #[error(
        "the adapter {} has {feature}, which cannot be read; plain LoRA can: merge it into its base model with PEFT's merge_and_unload",
        quoted(adapter)
    )]
    AdapterKind {
        /// The adapter's folder.
        adapter: PathBuf,
        /// What it has.
        feature: String,
    },
    /// A tensor of an adapter fits no tensor of its base model.
    #[error(
        "the adapter {}: tensor {name} fits no tensor of the base model: is it the base that the adapter was trained on?",
        quoted(adapter)
    )]
    AdapterTensor {
        /// The adapter's folder.
        adapter: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A token id is outside the vocabulary.
    #[error(
        "token {id} is outside the language model's vocabulary of {vocabulary}: is the tokenizer this model's?"
    )]
    TokenId {
        /// The id.
        id: u32,
        /// Rows of the embedding table.
        vocabulary: usize,
    },
    /// The only token that ends an answer is outside the vocabulary.
    #[error(
        "{}: eos_token_id {id} of generation_config.json or config.json is outside the vocabulary of {vocabulary}: \
         are these the files of this checkpoint?",
        quoted(checkpoint)
    )]
    EndToken {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// The id.
        id: u32,
        /// Rows of the embedding table.
        vocabulary: usize,
    },
    /// A model directory cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A configuration file is not what it should be.
    #[error("{file}: {problem}")]
    Config {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A weight file is damaged or is no safetensors file.
    #[error("{file} is damaged or no safetensors file ({problem}): download or copy it again")]
    Weights {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Tensors that the configuration asks for are not in the weight files.
    #[error("{checkpoint} lacks {}: is config.json the one that belongs to these weights?", name_list(names))]
    MissingTensors {
        /// The checkpoint.
        checkpoint: String,
        /// Their names.
        names: Vec<String>,
    },
    /// Tensors that no part of the model takes.
    #[error(
        "{checkpoint} holds {} that config.json gives no place: is it the one that belongs to these weights?",
        name_list(names)
    )]
    UnexpectedTensors {
        /// The checkpoint.
        checkpoint: String,
        /// Their names.
        names: Vec<String>,
    },
    /// A tensor has another shape than the configuration says.
    #[error("{checkpoint}: tensor {name} has shape {found:?}, config.json makes it {expected:?}")]
    TensorShape {
        /// The checkpoint.
        checkpoint: String,
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that the configuration gives it.
        expected: Vec<usize>,
    },
    /// A tensor holds something other than f64, f32, f16 or bf16 numbers.
    #[error(
        "{checkpoint}: tensor {name} is {found}; f64, f32, f16 and bf16 can be read: convert the checkpoint"
    )]
    TensorType {
        /// The checkpoint.
        checkpoint: String,
        /// The tensor.
        name: String,
        /// Its element type.
        found: String,
    },
    /// A tensor holds NaN or an infinity.
    #[error("{checkpoint}: tensor {name} holds NaN or an infinity: the file is damaged, copy it again")]
    TensorNotFinite {
        /// The checkpoint.
        checkpoint: String,
        /// The tensor.
        name: String,
    },
    /// The tokenizer cannot be read or does not fit the model.
    #[error("{file}: {problem}")]
    Tokenizer {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// The checkpoint's chat template cannot be rendered.
    #[error("the chat template of {file} cannot be used: {problem}")]
    Template {
        /// Where the template stands.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// The question is empty or holds the video's placeholder.
    #[error("{0}")]
    Question(&'static str),
    /// A generation option makes no sense.
    #[error("{0}")]
    Generation(String),
    /// The prompt and the answer do not fit into the language model.
    #[error(
        "the prompt of {tokens} tokens leaves no room in the language model's {limit}: ask for fewer visual tokens or shorten the question"
    )]
    PromptTooLong {
        /// Tokens of the prompt, the visual ones included.
        tokens: usize,
        /// What the model was made for.
        limit: usize,
    },
    /// The work's [`Cancellation`](vqtoken_video::Cancellation) was set.
    #[error("the work was cancelled")]
    Cancelled,
    /// Video tokens of another model.
    #[error(
        "these video tokens were made by {found}, the model here is {expected}: encode the video again with this model"
    )]
    OtherModel {
        /// The model named in the video tokens.
        found: String,
        /// The model that was to read them.
        expected: String,
    },
    /// Visual tokens do not have the language model's width.
    #[error(
        "{values} values in rows of {d} are not visual tokens: the language model reads rows of {expected}"
    )]
    VisualTokens {
        /// Values given.
        values: usize,
        /// The length of a row.
        d: usize,
        /// Features of the language model.
        expected: usize,
    },
    /// Positions do not fit the visual tokens that they were given for.
    #[error(
        "{positions} positions do not fit {tokens} visual tokens in a sequence of {sequence_length}: give one a token, \
         ascending and within the sequence"
    )]
    VisualPositions {
        /// How many visual tokens there are.
        tokens: usize,
        /// How many positions were given.
        positions: usize,
        /// Positions of the unreduced sequence.
        sequence_length: usize,
    },
    /// The VQ-attention cannot read the video tokens.
    #[error(transparent)]
    Attention(#[from] AttentionError),
    /// Texts and pictures cannot be compared.
    #[error(transparent)]
    Retrieval(#[from] RetrievalError),
    /// Values cannot be read back from the device.
    #[error("tensor values cannot be read back: {0}")]
    TensorData(String),
    /// The video cannot be opened or decoded.
    #[error(transparent)]
    Video(#[from] vqtoken_video::VideoError),
    /// The clip has no frames.
    #[error("the clip has no frames: sample at least one")]
    NoFrames,
    /// The token grid is malformed.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// The quantizer refused.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    /// A reducer cannot reduce the token grid.
    #[error(transparent)]
    Reduce(#[from] ReduceError),
    /// Weights cannot be packed.
    #[error("the weights cannot be packed: {0}")]
    Pack(#[from] vqtoken_kernels::ShapeError),
    /// The instruction set that was asked for cannot be had.
    #[error(transparent)]
    InstructionSet(#[from] vqtoken_kernels::IsaError),
    /// A packed model was to be saved.
    #[error("this model's weights were packed for inference: save the model that was trained")]
    Packed,
    /// The model hub refused or cannot be reached.
    #[error(transparent)]
    Hub(#[from] HubError),
}

fn quoted_or(base: Option<&str>, none: &str) -> String {
    match base {
        Some(base) => format!("{} cannot be had", quoted(base)),
        None => none.to_owned(),
    }
}

/// The first few names of a list, and how many more there are.
fn name_list(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    let what = if names.len() == 1 { "the tensor" } else { "the tensors" };
    match names.len().saturating_sub(SHOWN) {
        0 => format!("{what} {shown}"),
        more => format!("{what} {shown} and {more} more"),
    }
}
