//! What makes vectors of texts, pictures and videos: a retriever that reads video tokens, or a whole SigLIP that reads frames.

use vqtoken_archive::{NewVectors, Space};
use vqtoken_core::VideoTokens;
use vqtoken_model::{MomentCutter, MomentOptions, Retriever, TokenRetriever, normalize_rows};
use vqtoken_video::Frame;

use crate::error::SearchError;
use crate::windows::windows;

/// Bytes of the longest query.
const LONGEST_QUERY: usize = 1 << 20;

/// Frames whose hidden states are kept for the vectors of codes; of longer videos every second one is dropped, as often as it takes.
const KEPT_FRAMES: usize = 32;

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
        let (scale, bias) = match self {
            Self::Tokens(retriever) => (retriever.logit_scale(), retriever.logit_bias()),
            Self::Pictures(retriever) => (retriever.logit_scale(), retriever.logit_bias()),
        };
        1.0 / (1.0 + (-(scale * cosine + bias)).exp())
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
        let frames = tokens.index_map.shape().frames;
        let windows = windows(frames);
        let moments = retriever.embed_windows(tokens, &windows)?;
        let spans = windows.iter().map(|window| span(tokens, window.start, window.end)).collect();
        let (features, whole) = (retriever.features(), 0..frames);
        let mut codes = vec![0.0; tokens.codebook.codes() * features];
        for embedded in retriever.embed_codes(tokens, std::slice::from_ref(&whole))? {
            for (code, vector) in embedded.codes.iter().zip(embedded.vectors.chunks_exact(features)) {
                codes[code * features..][..features].copy_from_slice(vector);
            }
        }
        Ok(NewVectors::new(spans, moments, codes))
    }

    /// Takes the frames of a video while it is encoded; none if the finder needs no frames.
    pub(crate) fn watcher(&self) -> Result<Option<FrameWatcher>, SearchError> {
        match self {
            Self::Tokens(_) => Ok(None),
            Self::Pictures(retriever) => Ok(Some(FrameWatcher::new(retriever)?)),
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

/// Makes moments of frames in order of time, and keeps what the vectors of codes are made of.
#[derive(Debug)]
pub(crate) struct FrameWatcher {
    retriever: Retriever,
    cutter: MomentCutter,
    spans: Vec<[f32; 2]>,
    moments: Vec<f32>,
    /// Indices of kept frames and their hidden states `[N, Dv]`.
    kept: Vec<(usize, Vec<f32>)>,
    stride: usize,
    frames: usize,
    last: f64,
}

impl FrameWatcher {
    fn new(retriever: &Retriever) -> Result<Self, SearchError> {
        Ok(Self {
            retriever: retriever.clone(),
            cutter: MomentCutter::new(retriever, MomentOptions::default())?,
            spans: Vec::new(),
            moments: Vec::new(),
            kept: Vec::new(),
            stride: 1,
            frames: 0,
            last: 0.0,
        })
    }

    /// Takes the next frame, shown at `time` seconds.
    pub(crate) fn push(&mut self, frame: &Frame, time: f64) -> Result<(), SearchError> {
        let hidden = self.retriever.hidden_states(&self.retriever.pixels(std::slice::from_ref(frame)))?;
        if let Some(moment) = self.cutter.push(time, &hidden)? {
            self.spans.push([moment.start as f32, moment.end as f32]);
            self.moments.extend(moment.vector);
        }
        if self.frames.is_multiple_of(self.stride) {
            if self.kept.len() == KEPT_FRAMES {
                self.stride *= 2;
                let stride = self.stride;
                self.kept.retain(|(index, _)| index.is_multiple_of(stride));
            }
            if self.frames.is_multiple_of(self.stride) {
                self.kept.push((self.frames, hidden));
            }
        }
        self.frames += 1;
        self.last = time;
        Ok(())
    }

    /// The vectors of the video, whose tokens are known now. A code's vector is the pooling head's of the mean of the hidden states in its cells.
    pub(crate) fn finish(mut self, tokens: &VideoTokens) -> Result<NewVectors, SearchError> {
        let [_, end] = span(tokens, 0, tokens.timestamps.len());
        if let Some(moment) = self.cutter.finish(f64::from(end).max(self.last))? {
            self.spans.push([moment.start as f32, moment.end as f32]);
            self.moments.extend(moment.vector);
        }
        let (shape, k) = (tokens.index_map.shape(), tokens.codebook.codes());
        let (features, side) = (self.retriever.hidden_features(), self.retriever.patches().isqrt());
        let (mut sums, mut counts) = (vec![0.0_f32; k * features], vec![0_u32; k]);
        for (frame, hidden) in self.kept.iter().filter(|(frame, _)| *frame < shape.frames) {
            let labels = tokens.index_map.frame(*frame);
            for (patch, hidden) in hidden.chunks_exact(features).enumerate() {
                // The cell in which the middle of the patch lies: the grids may differ.
                let cell = |place: usize, cells: usize| (2 * place + 1) * cells / (2 * side);
                let (row, column) = (cell(patch / side, shape.height), cell(patch % side, shape.width));
                let code = labels[row * shape.width + column] as usize;
                counts[code] += 1;
                let sum = &mut sums[code * features..][..features];
                sum.iter_mut().zip(hidden).for_each(|(sum, x)| *sum += x);
            }
        }
        for (sum, count) in sums.chunks_exact_mut(features).zip(&counts) {
            sum.iter_mut().for_each(|x| *x /= (*count).max(1) as f32);
        }
        let mut codes = self.retriever.pool_each(&sums)?;
        normalize_rows(&mut codes, self.retriever.features());
        // A code that no kept frame shows has no vector.
        for (vector, _) in
            codes.chunks_exact_mut(self.retriever.features()).zip(&counts).filter(|(_, n)| **n == 0)
        {
            vector.fill(0.0);
        }
        Ok(NewVectors::new(self.spans, self.moments, codes))
    }
}
