//! From a reduced grid to what a reading gives the language model, with what that cost.

use std::cell::OnceCell;
use std::time::Instant;

use crate::{Codebook, IndexMap, VisualTokens};
use vqtoken_eval::PerStage;
use vqtoken_model::{ModelError, PrefilledVideo};

use super::ablation::{random_codes, shuffled};
use super::flops;
use super::models::LoadedModel;
use super::reading::{Codes, Positions, Source};
use super::reduced_grid::{Content, ReducedGrid};

/// What the language model reads of a video, and what all stages before it cost. The default is no video: the question
/// alone is asked.
#[derive(Default)]
pub(super) struct Visual {
    pub(super) tokens: Option<VisualTokens>,
    pub(super) seconds: PerStage,
    pub(super) flops: PerStage,
    /// The language model after having read them, and the seconds that it took.
    prefilled: OnceCell<(PrefilledVideo, f64)>,
}

impl Visual {
    /// What a reading gives of a reduced grid; `video` seeds what is random about it.
    pub(super) fn new(
        model: &LoadedModel,
        source: &Source,
        reduced: &ReducedGrid,
        video: &str,
    ) -> anyhow::Result<Self> {
        let llm = &model.video_llm;
        let mut visual = Self { seconds: reduced.seconds, flops: reduced.flops, ..Self::default() };
        let tokens = match &reduced.content {
            Content::Pooled(grid) => llm.language().tokens_of(grid.data(), grid.dim())?,
            Content::Reduction(reduction) => {
                let tokens = llm.language().tokens_of(reduction.tokens.data(), reduction.tokens.dim())?;
                match source {
                    Source::Reduced(source) if source.positions == Positions::Own => {
                        tokens.at_positions(reduction.positions.clone(), reduction.sequence_length)?
                    }
                    _ => tokens,
                }
            }
            Content::Quantization(quantization) => {
                let (codebook, index_map) = (&quantization.codebook, &quantization.index_map);
                let codes = if let Source::Codes(codes, _) = source { *codes } else { Codes::Bare };
                let start = Instant::now();
                let tokens = visual_tokens_of_codes(model, codes, codebook, index_map, video)?;
                visual.seconds.attention = start.elapsed().as_secs_f64();
                let attention = llm.config().vq_attention.as_ref().filter(|_| codes != Codes::Bare);
                visual.flops.attention =
                    flops::attention(attention, reduced.shape, codebook.codes(), codebook.dim());
                tokens
            }
        };
        visual.tokens = Some(tokens);
        Ok(visual)
    }

    /// The language model after having read the tokens, once for all questions about them, and the seconds that it took.
    pub(super) fn prefilled(&self, model: &LoadedModel) -> Result<(&PrefilledVideo, f64), ModelError> {
        if let Some((prefilled, seconds)) = self.prefilled.get() {
            return Ok((prefilled, *seconds));
        }
        let start = Instant::now();
        let prefilled = model.video_llm.language().prefill(self.tokens.as_ref())?;
        let (prefilled, seconds) = self.prefilled.get_or_init(|| (prefilled, start.elapsed().as_secs_f64()));
        Ok((prefilled, *seconds))
    }
}

fn visual_tokens_of_codes(
    model: &LoadedModel,
    codes: Codes,
    codebook: &Codebook,
    index_map: &IndexMap,
    video: &str,
) -> anyhow::Result<VisualTokens> {
    let llm = &model.video_llm;
    let d = codebook.dim();
    Ok(match codes {
        Codes::Attended => llm.language().attend(codebook, index_map)?,
        Codes::Bare => llm.language().tokens_of(codebook.data(), d)?,
        Codes::RandomMap => llm.language().attend(codebook, &shuffled(index_map, video)?)?,
        Codes::RandomCodebook => llm.language().attend(&random_codes(codebook, video)?, index_map)?,
        Codes::RandomAttention => match &model.untrained {
            Some(untrained) => llm.language().tokens_of(&untrained.forward(codebook, index_map)?, d)?,
            None => anyhow::bail!(
                "{} has no VQ-attention that could be made random: choose another reading",
                llm.id()
            ),
        },
    })
}
