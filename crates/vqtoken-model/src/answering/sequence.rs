//! Texts that are read a part at a time and continued together, for programs that answer many questions at once.

use std::collections::VecDeque;

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
    /// Tokens, and the position of the next one, where each reading of a part ended.
    ends: Vec<(usize, usize)>,
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

    /// What it was when it had `tokens`; none where no part of it ended then.
    pub fn up_to(&self, tokens: usize) -> Option<Self> {
        let index = self.ends.iter().position(|&(end, _)| end == tokens)?;
        let (_, position) = self.ends[index];
        let cache = self.cache.truncated(tokens, position);
        Some(Self { cache, tokens, ends: self.ends[..=index].to_vec() })
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

/// A part of a text: token ids, and visual tokens after them if there are any.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextPart<'a> {
    /// Token ids.
    pub ids: &'a [u32],
    /// Visual tokens.
    pub visual: Option<&'a VisualTokens>,
}

/// What is left to read of a text, part by part.
#[derive(Clone, Debug)]
pub struct Unread {
    parts: VecDeque<PromptEmbeddings>,
}

impl Unread {
    /// How many tokens.
    pub fn tokens(&self) -> usize {
        self.parts.iter().map(PromptEmbeddings::count).sum()
    }

    /// Takes up to `most` tokens of the next part, and the parts after it as long as all are no more than `together`. A single token is
    /// taken alone: it is multiplied in another way, which is not always as exact.
    fn take(&mut self, most: usize, together: usize) -> Vec<PromptEmbeddings> {
        let Some(part) = self.parts.pop_front() else { return Vec::new() };
        let (next, rest) = part.split(most);
        rest.into_iter().for_each(|rest| self.parts.push_front(rest));
        let mut left = if next.count() > 1 { together.saturating_sub(next.count()) } else { 0 };
        let mut taken = vec![next];
        while let Some(part) = self.parts.pop_front_if(|part| (2..=left).contains(&part.count())) {
            left -= part.count();
            taken.push(part);
        }
        taken
    }
}

/// One of the texts of [`LanguageSide::read_some`].
#[derive(Debug)]
pub struct TextToRead<'a> {
    /// What is left of it.
    pub unread: &'a mut Unread,
    /// What has been read of it.
    pub sequence: &'a mut Sequence,
    /// What it is read for.
    pub purpose: Purpose,
    /// Set once nobody waits for it.
    pub cancellation: &'a Cancellation,
}

impl TextToRead<'_> {
    fn needs_logits(&self) -> bool {
        self.unread.tokens() == 0 && self.purpose == Purpose::Logits
    }
}

/// A text, and the parts of it that are read now.
type Taken<'a, 'b> = (&'a mut TextToRead<'b>, Vec<PromptEmbeddings>);

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
        Sequence { cache: self.new_cache(), tokens: 0, ends: Vec::new() }
    }

    /// Parts to be read one after the other where a text ends.
    ///
    /// # Errors
    ///
    /// If an id is not in the vocabulary, the visual tokens are another model's, or the text would be longer than the model can read.
    pub fn unread(&self, sequence: &Sequence, parts: &[TextPart<'_>]) -> Result<Unread, ModelError> {
        let (mut prompts, mut end) = (VecDeque::new(), sequence.position());
        for TextPart { ids, visual } in parts {
            self.check_ids(ids)?;
            visual.map_or(Ok(()), |visual| self.check_width(visual))?;
            if let Some(prompt) = PromptEmbeddings::new(self.modules(), ids, *visual, &[], end) {
                end = prompt.end();
                prompts.push_back(prompt);
            }
        }
        match self.config().max_positions {
            limit if end >= limit => Err(ModelError::PromptTooLong { tokens: end, limit }),
            _ => Ok(Unread { parts: prompts }),
        }
    }

    /// Reads up to `most` tokens of what is left of each of several texts. A text of which nothing is left then gets the logits after its
    /// last token, `[vocabulary]`, if its purpose is [`Purpose::Logits`].
    ///
    /// What comes out for a text does not depend on the others, nor on whether a part of it was read with those before or alone.
    ///
    /// # Errors
    ///
    /// If all are cancelled in the middle; the texts are of no use then.
    pub fn read_some(
        &self,
        texts: &mut [TextToRead<'_>],
        most: usize,
    ) -> Result<Vec<Option<Vec<f32>>>, ModelError> {
        let most = most.max(1);
        let together = if self.precision().is_alike_beside_any_rows() { most } else { 0 };
        let mut taken: Vec<Taken<'_, '_>> = texts
            .iter_mut()
            .map(|text| {
                let parts = text.unread.take(most, together);
                (text, parts)
            })
            .collect();
        let joins = |(_, parts): &Taken<'_, '_>| {
            together > 0 && parts.iter().map(PromptEmbeddings::count).sum::<usize>() > 1
        };
        let groups = taken.chunk_by_mut(|a, b| joins(a) && joins(b));
        let logits: Result<Vec<_>, _> =
            groups.map(|texts| in_thread_pool(|| self.read_together(texts))).collect();
        Ok(logits?.concat())
    }

    /// Reads what was taken of each text with one product of each layer for all.
    fn read_together(&self, texts: &mut [Taken<'_, '_>]) -> Result<Vec<Option<Vec<f32>>>, ModelError> {
        if texts.iter().all(|(_, parts)| parts.is_empty()) {
            return Ok(vec![None; texts.len()]);
        }
        let embeddings = texts.iter().flat_map(|(_, parts)| parts).map(|part| part.embeddings.clone());
        let embeddings = Tensor::cat(embeddings.collect(), 0); // [n, D]
        let cancellations: Vec<_> = texts.iter().map(|(text, _)| text.cancellation).collect();
        let is_wanted = || !cancellations.iter().all(|cancellation| cancellation.is_cancelled());
        let (mut caches, mut positions) = (Vec::new(), Vec::<Vec<&[usize]>>::new());
        for (text, parts) in texts.iter_mut() {
            let Sequence { cache, tokens, ends } = &mut *text.sequence;
            for part in &*parts {
                *tokens += part.count();
                ends.push((*tokens, part.end()));
            }
            caches.push(cache);
            positions.push(parts.iter().map(|part| &part.positions[..]).collect());
        }
        let hidden = self.modules().read_texts(embeddings, &positions, &mut caches, is_wanted);
        let hidden = hidden.ok_or(ModelError::Cancelled)?; // [n, D]
        let mut end = 0;
        let last_rows = texts.iter().map(|(text, parts)| {
            end += parts.iter().map(PromptEmbeddings::count).sum::<usize>();
            text.needs_logits().then(|| hidden.clone().narrow(0, end - 1, 1))
        });
        self.logits_of_each(last_rows.collect())
    }

    /// The logits of each row `[1, D]` that is there.
    fn logits_of_each(&self, rows: Vec<Option<Tensor<2>>>) -> Result<Vec<Option<Vec<f32>>>, ModelError> {
        let mut logits = vec![None; rows.len()];
        let (indices, rows): (Vec<_>, Vec<_>) =
            rows.into_iter().enumerate().filter_map(|(index, row)| Some((index, row?))).unzip();
        let at_once = if self.precision().is_alike_for_single_rows() { rows.len() } else { 1 };
        let width = self.config().vocabulary;
        for (indices, rows) in indices.chunks(at_once.max(1)).zip(rows.chunks(at_once.max(1))) {
            let values = to_vec(self.modules().logits(Tensor::cat(rows.to_vec(), 0)))?; // [rows, vocabulary]
            for (&index, values) in indices.iter().zip(values.chunks_exact(width)) {
                logits[index] = Some(values.to_vec());
            }
        }
        Ok(logits)
    }

    /// Reads the next token of each of several texts and returns the logits after it, `[texts, vocabulary]`.
    ///
    /// What comes out for a text does not depend on the others, nor on how many there are. It has the bits that
    /// [`Tokens`](super::generation::Tokens) has, except in bf16 where the CPU multiplies that natively.
    ///
    /// # Errors
    ///
    /// If an id is not in the vocabulary.
    pub fn step(&self, ids: &[u32], sequences: &mut [&mut Sequence]) -> Result<Vec<f32>, ModelError> {
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
            let mut logits = to_vec(modules.logits(hidden))?; // [texts, 1, vocabulary]
            logits.truncate(texts * self.config().vocabulary);
            Ok(logits)
        })
    }
}
