//! Ordering anew what a search by words has found: a reranker looks up in the tokens of each video what the words ask for.

use vqtoken_archive::{Archive, MomentHit};
use vqtoken_core::VideoTokens;
use vqtoken_model::{Scoring, TokenRetriever};

use crate::error::SearchError;

/// Videos whose tokens are in memory at a time.
const READ_AT_ONCE: usize = 64;

/// The same videos, each with the probability that the words are true of it, the most probable first. Where tokens cannot be read, or are of
/// another model, the vectors alone decide.
pub(crate) fn rerank(
    archive: &Archive,
    retriever: &TokenRetriever,
    words: &str,
    found: Vec<MomentHit>,
) -> Result<Vec<(MomentHit, f32)>, SearchError> {
    let mut all = Vec::with_capacity(found.len());
    let mut found = found.into_iter().peekable();
    while found.peek().is_some() {
        let mut read = Vec::new();
        for hit in found.by_ref().take(READ_AT_ONCE) {
            match tokens(archive, retriever, &hit) {
                Some(tokens) => read.push((hit, tokens)),
                None => {
                    let probability = retriever.scoring().score_of_cosine(hit.cosine);
                    all.push((hit, probability));
                }
            }
        }
        let videos: Vec<&VideoTokens> = read.iter().map(|(_, tokens)| tokens).collect();
        let by_vectors = read.iter().map(|(hit, _)| retriever.scoring().logit_of_cosine(hit.cosine));
        let logits = retriever.rerank(words, &videos, &by_vectors.collect::<Vec<_>>())?;
        all.extend(read.into_iter().zip(logits).map(|((hit, _), logit)| (hit, Scoring::probability(logit))));
    }
    all.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    Ok(all)
}

/// The tokens of a video, if the reranker reads such. Why some cannot be read is told where the hit is made of them.
fn tokens(archive: &Archive, retriever: &TokenRetriever, hit: &MomentHit) -> Option<VideoTokens> {
    let record = archive.get(&hit.id).ok()?;
    let tokens = archive.tokens(&hit.id, &record.budget).ok()?;
    retriever.reranker()?.reads_tokens_of(&tokens.model).then_some(tokens)
}
