//! Texts that are read a part at a time and continued together, for programs that answer many questions at once.

use burn::tensor::Tensor;
use vqtoken_nn::in_thread_pool;
use vqtoken_video::Cancellation;

use super::language_side::LanguageSide;
use super::prompt::PromptEmbeddings;
use super::visual_tokens::VisualTokens;
use crate::error::ModelError;
use crate::language::LanguageCache;
use crate::tensors::to_vec;
use crate::text::{Chat, VideoInPrompt};

/// A text that the language model has read: keys and values, and where it goes on. A clone can be continued on its own.
#[derive(Clone, Debug)]
pub struct Sequence {
    cache: LanguageCache,
    tokens: usize,
}

impl Sequence {
    /// Tokens read, the visual ones included.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// The position of the token that is read next.
    pub fn position(&self) -> usize {
        self.cache.position()
    }

    /// Bytes of its keys and values.
    pub fn bytes(&self) -> usize {
        self.cache.bytes()
    }
}

/// A conversation as token ids: those before its video, which all first questions about the video share, and those after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatIds {
    /// Before the visual tokens; empty where there is no video.
    pub before: Vec<u32>,
    /// After them.
    pub after: Vec<u32>,
}

/// What a text is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// More text follows: keys and values are all that is needed.
    Cache,
    /// The next token is drawn.
    Logits,
}

/// What is left to read of a text.
#[derive(Clone, Debug)]
pub struct Unread {
    prompt: Option<PromptEmbeddings>,
}

impl Unread {
    /// How many tokens.
    pub fn tokens(&self) -> usize {
        self.prompt.as_ref().map_or(0, PromptEmbeddings::count)
    }
}

impl LanguageSide {
    /// The token ids of a conversation.
    ///
    /// # Errors
    ///
    /// If it cannot be rendered, or asks nothing.
    pub fn chat_parts(&self, chat: &Chat, video: VideoInPrompt) -> Result<ChatIds, ModelError> {
        chat.check()?;
        let (before, after) = self.chat_ids(chat, video)?;
        Ok(match video {
            VideoInPrompt::Present => ChatIds { before, after },
            VideoInPrompt::Absent => ChatIds { before: Vec::new(), after: before },
        })
    }

    /// An empty text.
    pub fn sequence(&self) -> Sequence {
        Sequence { cache: self.new_cache(), tokens: 0 }
    }

    /// Token ids, and visual tokens after them if there are any, to be read where a text ends.
    ///
    /// # Errors
    ///
    /// If an id is not in the vocabulary, or the text would be longer than the model can read.
    pub fn unread(
        &self,
        sequence: &Sequence,
        ids: &[u32],
        visual: Option<&VisualTokens>,
    ) -> Result<Unread, ModelError> {
        self.check_ids(ids)?;
        let prompt = PromptEmbeddings::new(self.modules(), ids, visual, &[], sequence.position());
        let (tokens, limit) = (prompt.as_ref().map_or(0, PromptEmbeddings::end), self.config().max_positions);
        match tokens >= limit {
            true => Err(ModelError::PromptTooLong { tokens, limit }),
            false => Ok(Unread { prompt }),
        }
    }

    /// Reads up to `most` tokens of what is left. When nothing is left afterwards and `purpose` is [`Purpose::Logits`], the
    /// logits after the last token are returned, `[vocabulary]`.
    ///
    /// # Errors
    ///
    /// If `cancellation` is set in the middle; the text is of no use then.
    pub fn read_some(
        &self,
        unread: &mut Unread,
        most: usize,
        sequence: &mut Sequence,
        purpose: Purpose,
        cancellation: &Cancellation,
    ) -> Result<Option<Vec<f32>>, ModelError> {
        let Some(prompt) = unread.prompt.take() else { return Ok(None) };
        let (next, rest) = prompt.split(most.max(1));
        unread.prompt = rest;
        let needs_logits = unread.prompt.is_none() && purpose == Purpose::Logits;
        sequence.tokens += next.count();
        let PromptEmbeddings { embeddings, positions } = next;
        in_thread_pool(|| {
            let cache = &mut sequence.cache;
            let hidden =
                self.modules().read_unless(cancellation, embeddings.unsqueeze::<3>(), &positions, cache);
            let hidden: Tensor<2> = hidden.ok_or(ModelError::Cancelled)?.squeeze_dim(0);
            let [count, _] = hidden.dims();
            needs_logits.then(|| to_vec(self.modules().logits(hidden.narrow(0, count - 1, 1)))).transpose()
        })
    }

    /// Reads the next token of each of several texts and returns the logits after it, `[texts]` of `[vocabulary]`.
    ///
    /// What comes out for a text does not depend on the others, nor on how many there are. It has the bits that
    /// [`Tokens`](super::generation::Tokens) has, except in bf16 where the CPU multiplies that natively.
    ///
    /// # Errors
    ///
    /// If an id is not in the vocabulary.
    pub fn step(&self, ids: &[u32], sequences: &mut [&mut Sequence]) -> Result<Vec<Vec<f32>>, ModelError> {
        self.check_ids(ids)?;
        // Where a product with a single row rounds otherwise, a text alone gets a companion, of which nothing is kept.
        let needs_companion = sequences.len() == 1 && !self.precision().is_alike_for_single_rows();
        let mut companion = needs_companion.then(|| sequences[0].clone());
        let texts = sequences.len();
        sequences.iter_mut().for_each(|sequence| sequence.tokens += 1);
        let mut caches: Vec<_> = sequences.iter_mut().map(|sequence| &mut sequence.cache).collect();
        caches.extend(companion.as_mut().map(|companion| &mut companion.cache));
        let ids: Vec<u32> = ids.iter().copied().cycle().take(caches.len()).collect();
        in_thread_pool(|| {
            let modules = self.modules();
            let embeddings = modules.embed(&ids).unsqueeze_dim(1); // [texts, 1, D]
            let hidden = modules.read_step(embeddings, &mut caches); // [texts, 1, D]
            let logits = to_vec(modules.logits(hidden))?; // [texts, 1, vocabulary]
            Ok(logits.chunks_exact(self.config().vocabulary).take(texts).map(<[f32]>::to_vec).collect())
        })
    }
}
