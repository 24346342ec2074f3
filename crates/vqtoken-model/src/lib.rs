#![doc = include_str!("../README.md")]

mod answering;
pub mod checkpoint;
pub mod config;
mod encoding;
mod error;
mod flops;
mod hub;
mod language;
mod one_vision;
mod retrieval;
mod tensors;
mod text;
mod video_input;
mod video_llm;
mod vision;
mod vq_attention;

pub use answering::{
    Answer, ChatIds, GenerationOptions, LanguageSide, PrefilledVideo, Purpose, Ranking, Sampler,
    SamplingOptions, Sequence, TextPart, TextToRead, Tokens, Unread, VisualTokens,
};
pub use config::{CodeKind, TrainedInput};
pub use encoding::{
    EmbeddedFrames, Encoded, Encoder, EncoderOptions, EncodingEvent, EncodingProgress, FRAMES_AT_ONCE,
    FrameEmbedder, VisionSeconds, VisionSide,
};
pub use error::ModelError;
pub use hub::HubError;
pub use language::{LanguageCache, LanguageModel, LanguageModules};
pub use one_vision::OneVision;
pub use retrieval::{
    CodeFacts, CodeVectors, CodeWindow, EmbeddedCodes, EmbeddedTexts, Moment, MomentCutter, MomentOptions,
    RetrievalError, RetrievalFiles, RetrievalTokenizer, Retriever, Scoring, TextIds, TokenReranker,
    TokenRerankerConfig, TokenRerankerModules, TokenRetriever, TokenRetrieverConfig, TokenRetrieverModules,
    cosine, mini, normalize_rows, window_seconds,
};
pub use text::{Chat, ChatTemplate, JinjaTemplate, Prompt, TextStream, Tokenizer, VideoInPrompt};
pub use video_input::VideoInput;
pub use video_llm::VideoLlm;
pub use vision::{Projector, ProjectorConfig, VisionModules, VisionTower};
pub use vq_attention::{
    AttentionError, CodeReader, HashVqAttention, HashVqAttentionConfig, PaperVqAttention,
    PaperVqAttentionConfig, ReleasedVqAttention, ReleasedVqAttentionConfig, VqAttention,
};
pub use vqtoken_nn::{Precision, PrecisionError};
