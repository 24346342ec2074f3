//! What makes vectors of texts, pictures and videos: a retriever that reads video tokens, or a whole SigLIP that reads frames.

use vqtoken_archive::{NewVectors, Space};
use vqtoken_core::VideoTokens;
use vqtoken_model::{Retriever, TokenRetriever, normalize_rows};
use vqtoken_video::Frame;

use crate::error::SearchError;
use crate::frame_watcher::FrameWatcher;
use crate::windows::windows;

/// Bytes of the longest query.
const LONGEST_QUERY: usize = 1 << 20;

/// A retriever of either kind.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Finder {
    /// Reads the codes of a video; what is searched needs neither frames nor the vision tower.
    Tokens(Box<TokenRetriever>),
    /// Reads frames.
    Pictures(Box<Retriever>),
}

/// A query as a vector.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EmbeddedQuery {
    /// `[E]`, of length 1.
    pub vector: Vec<f32>,
    /// What the user should know, such as that a text was cut.
    pub notes: Vec<String>,
}

impl EmbeddedQuery {
    /// A vector of the finder's space, of any length above 0.
    pub(crate) fn of(mut vector: Vec<f32>) -> Self {
        let features = vector.len();
        normalize_rows(&mut vector, features);
        Self { vector, notes: Vec::new() }
    }
}

impl Finder {
    /// The space of its vectors.
    pub fn space(&self) -> Space {
        match self {
            Self::Tokens(retriever) => Space::new(retriever.id(), retriever.features()),
            Self::Pictures(retriever) => Space::new(retriever.id(), retriever.features()),
        }
    }

    /// Whether it makes vectors of this model's video tokens: the vision side, which the part after `@` names, is the one it was trained with.
    pub(crate) fn reads_tokens_of(&self, model: &str) -> bool {
        let vision = |id: &str| id.rsplit('@').next().unwrap_or(id).to_owned();
        matches!(self, Self::Tokens(retriever) if vision(retriever.model()) == vision(model))
    }

    /// The probability that a text and a moment of this cosine belong together.
    pub fn probability(&self, cosine: f32) -> f32 {
        let scoring = match self {
            Self::Tokens(retriever) => retriever.scoring(),
            Self::Pictures(retriever) => retriever.scoring(),
        };
        scoring.score_of_cosine(cosine)
    }

    /// The vector of a text.
    ///
    /// # Errors
    /// If it is empty or has more than a million bytes.
    pub fn embed_words(&self, words: &str) -> Result<EmbeddedQuery, SearchError> {
        if words.trim().is_empty() {
            return Err(SearchError::EmptyQuery);
        }
        if words.len() > LONGEST_QUERY {
            return Err(SearchError::LongQuery { bytes: words.len(), most: LONGEST_QUERY });
        }
        let embedded = match self {
            Self::Tokens(retriever) => retriever.embed_texts(&[words])?,
            Self::Pictures(retriever) => retriever.embed_texts(&[words])?,
        };
        let cut = embedded.tokens_cut.first().copied().unwrap_or_default();
        let note = format!("the last {cut} tokens of the query were left out: the text tower reads no more");
        let notes = if cut > 0 { vec![note] } else { Vec::new() };
        Ok(EmbeddedQuery { vector: embedded.vectors, notes })
    }

    /// The vector of a picture.
    ///
    /// # Errors
    /// If the finder reads codes alone.
    pub fn embed_picture(&self, picture: &Frame) -> Result<EmbeddedQuery, SearchError> {
        match self {
            Self::Tokens(retriever) => Err(SearchError::NoPictures { finder: retriever.id().to_owned() }),
            Self::Pictures(retriever) => {
                Ok(EmbeddedQuery::of(retriever.embed_pictures(std::slice::from_ref(picture))?))
            }
        }
    }

    /// Vectors of a video from its tokens alone.
    ///
    /// # Errors
    /// If the finder needs frames, or the tokens are of another model.
    pub(crate) fn vectors_of_tokens(
        &self,
        name: &str,
        tokens: &VideoTokens,
    ) -> Result<NewVectors, SearchError> {
        let Self::Tokens(retriever) = self else {
            let finder = self.space().id;
            return Err(SearchError::NeedsFrames { name: name.to_owned(), finder });
        };
        let windows = windows(tokens.index_map.shape().frames);
        // The first window is the whole video.
        let (moments, of_codes) = retriever.embed_windows_and_first_codes(tokens, &windows)?;
        let spans = windows.iter().map(|window| span(tokens, window.start, window.end)).collect();
        let features = retriever.features();
        let mut codes = vec![0.0; tokens.codebook.codes() * features];
        for (code, vector) in of_codes.codes.iter().zip(of_codes.vectors.chunks_exact(features)) {
            codes[code * features..][..features].copy_from_slice(vector);
        }
        Ok(NewVectors::new(spans, moments, codes))
    }

    /// Takes the frames of a video while it is encoded; none if the finder needs no frames. With `shared_layers` it goes on from the hidden states
    /// of the tower that encodes, which has so many of its first layers.
    pub(crate) fn watcher(&self, shared_layers: Option<usize>) -> Result<Option<FrameWatcher>, SearchError> {
        match self {
            Self::Tokens(_) => Ok(None),
            Self::Pictures(retriever) => Ok(Some(FrameWatcher::new(retriever, shared_layers)?)),
        }
    }
}

/// From when to when the sampled frames `start..end` are shown, in seconds.
pub(crate) fn span(tokens: &VideoTokens, start: usize, end: usize) -> [f32; 2] {
    let times = &tokens.timestamps;
    let at = |index: usize| times.get(index).copied();
    let from = at(start).unwrap_or_default();
    let last = times.last().copied().unwrap_or_default();
    let step = if times.len() > 1 { (last - times[0]) / (times.len() - 1) as f64 } else { 0.0 };
    // The last frame is shown as long as the others, and never beyond the end of the video.
    let duration = tokens.source.as_ref().map_or(f64::INFINITY, |source| source.duration);
    let to = at(end).unwrap_or_else(|| (last + step).min(duration).max(last));
    [from as f32, to.max(from) as f32]
}
