//! When in a video a text is true.

use vqtoken_archive::{Archive, Space};
use vqtoken_core::VideoTokens;
use vqtoken_model::{TokenRetriever, cosine};

use crate::error::SearchError;
use crate::finder::span;
use crate::windows::windows;

/// Moments of a video whose codes are read.
const MOMENTS_READ: usize = 32;

/// What is looked for.
#[derive(Clone, Copy)]
pub(crate) struct EmbeddedWords<'a> {
    pub(crate) words: &'a str,
    /// Their vector, `[E]`.
    pub(crate) vector: &'a [f32],
}

/// From when to when a video shows what words say, in seconds: as the reranker knows it, if the retriever has one, else the video's moment
/// with the code that is nearest to the words' vector. Of the many moments of a long video only those are read whose own vectors are nearest.
pub(crate) fn best_span(
    archive: &Archive,
    space: &Space,
    retriever: &TokenRetriever,
    id: &str,
    tokens: &VideoTokens,
    text: EmbeddedWords<'_>,
) -> Result<[f32; 2], SearchError> {
    let reranker = retriever.reranker().filter(|reranker| reranker.reads_tokens_of(&tokens.model));
    let known = reranker.map(|reranker| reranker.seconds(text.words, tokens)).transpose()?.flatten();
    if let Some(seconds) = known {
        return Ok(seconds.map(|time| time as f32));
    }
    let text = text.vector;
    let Some(stored) = archive.moment_vectors(space, id)? else { return Ok([0.0; 2]) };
    let cosines = stored.vectors.chunks_exact(space.features).map(|moment| cosine(moment, text));
    let mut nearest: Vec<(f32, [f32; 2])> = cosines.zip(stored.spans.iter().copied()).collect();
    nearest.sort_by(|a, b| b.0.total_cmp(&a.0));
    nearest.truncate(MOMENTS_READ);
    let frames = windows(tokens.index_map.shape().frames);
    let window_of = |wanted: [f32; 2]| {
        frames.iter().find(|window| span(tokens, window.start, window.end) == wanted).cloned()
    };
    let (spans, found): (Vec<_>, Vec<_>) =
        nearest.iter().filter_map(|&(_, span)| Some((span, window_of(span)?))).unzip();
    let codes = retriever.embed_codes(tokens, &found)?;
    let logits = codes.iter().map(|codes| retriever.best_code(text, codes).map(|(_, logit)| logit));
    let best = spans.iter().zip(logits).max_by(|a, b| {
        let [a, b] = [a, b].map(|(_, logit)| logit.unwrap_or(f32::NEG_INFINITY));
        a.total_cmp(&b)
    });
    let nearest = nearest.first().map_or([0.0; 2], |(_, span)| *span);
    Ok(best.map_or(nearest, |(span, _)| *span))
}
