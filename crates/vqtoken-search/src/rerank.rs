//! Ordering anew what a search by words has found: a reranker reads the words and the tokens of each video together, and its logit and that of
//! the vectors decide together.

use vqtoken_archive::{Archive, MomentHit};
use vqtoken_core::VideoTokens;
use vqtoken_model::{TokenReranker, TokenRetriever};

use crate::error::SearchError;

/// Videos whose tokens are read for a query, at least: what is true of a query is hardly ever beyond them, and reading them takes well below a
/// second.
pub(crate) const RERANKED: usize = 200;

/// Videos whose tokens are in memory at a time.
const READ_AT_ONCE: usize = 64;

/// A video that was found, and what the reranker says about it.
pub(crate) struct Reranked {
    pub(crate) hit: MomentHit,
    /// That the words are true of the video; none if its tokens were not read.
    pub(crate) probability: Option<f32>,
}

impl Reranked {
    /// A video that only its vectors speak for.
    pub(crate) fn not_read(hit: MomentHit) -> Self {
        Self { hit, probability: None }
    }
}

/// The same videos, the one that the words are most probably true of first, by the mean of two logits: each of the two readers is wrong about other videos. Videos whose tokens cannot be read, or are of another model, come last, in the order
/// that they had.
pub(crate) fn rerank(
    archive: &Archive,
    (retriever, reranker): (&TokenRetriever, &TokenReranker),
    words: &str,
    found: Vec<MomentHit>,
) -> Result<Vec<Reranked>, SearchError> {
    let mut all = Vec::with_capacity(found.len());
    let mut found = found.into_iter().peekable();
    while found.peek().is_some() {
        let (mut read, mut unread) = (Vec::new(), Vec::new());
        for hit in found.by_ref().take(READ_AT_ONCE) {
            match tokens(archive, &hit) {
                Some(tokens) if reranker.reads_tokens_of(&tokens.model) => read.push((hit, tokens)),
                _ => unread.push(hit),
            }
        }
        let videos: Vec<&VideoTokens> = read.iter().map(|(_, tokens)| tokens).collect();
        let logits = reranker.logits(words, &videos)?;
        all.extend(read.into_iter().zip(logits).map(|((hit, _), logit)| {
            let mean = 0.5 * (logit + retriever.scoring().logit_of_cosine(hit.cosine));
            Reranked { hit, probability: Some(1.0 / (1.0 + (-mean).exp())) }
        }));
        all.extend(unread.into_iter().map(Reranked::not_read));
    }
    let key = |one: &Reranked| one.probability.unwrap_or(-1.0);
    all.sort_by(|a, b| key(b).total_cmp(&key(a)));
    Ok(all)
}

/// The tokens of a video. Why some cannot be read is told where the hit is made of them.
fn tokens(archive: &Archive, hit: &MomentHit) -> Option<VideoTokens> {
    let record = archive.get(&hit.id).ok()?;
    archive.tokens(&hit.id, &record.budget).ok()
}
