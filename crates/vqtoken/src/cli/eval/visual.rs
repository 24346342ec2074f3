//! From a token grid to what a reading gives the language model, with what that cost.

use std::time::Instant;

use vqtoken::{Budget, Codebook, IndexMap, TokenGrid, VisualTokens, quantize};
use vqtoken_core::{pool_bilinear, quantizer_flops};
use vqtoken_eval::PerStage;
use vqtoken_model::PrefilledVideo;

use super::ablation::{random_codes, shuffled};
use super::flops;
use super::frames::Seen;
use super::models::Subject;
use super::reading::{Codes, Reading, What};

/// Operations of pooling for each number of a pooled token: four weighted cells.
const POOLING: f64 = 7.0;

/// What the language model reads of a video, and what all stages before it cost.
pub(super) struct Visual {
    /// None if it is asked blindly.
    pub(super) tokens: Option<VisualTokens>,
    /// The prefilled prompt, where options are ranked, and the seconds that it took.
    pub(super) prefilled: Option<(PrefilledVideo, f64)>,
    pub(super) seconds: PerStage,
    pub(super) flops: PerStage,
}

impl Visual {
    /// Nothing.
    pub(super) fn blind() -> Self {
        Self { tokens: None, prefilled: None, seconds: PerStage::default(), flops: PerStage::default() }
    }

    /// A reading of a token grid.
    pub(super) fn new(
        subject: &Subject,
        reading: &Reading,
        seen: &Seen,
        video: &str,
    ) -> anyhow::Result<Self> {
        let (config, grid) = (subject.model.config(), &seen.grid);
        let d = config.text.hidden_size;
        let frames = grid.shape().frames;
        let seconds =
            PerStage { decode: seen.decode, pixels: seen.pixels, vision: seen.vision, ..PerStage::default() };
        let vision = config.vision.flops(frames) + config.vision.projector_flops(d, frames);
        let mut visual = Self { seconds, flops: PerStage { vision, ..PerStage::default() }, ..Self::blind() };
        let tokens = match &reading.what {
            What::Codes(codes, budget) => visual.codes(subject, *codes, *budget, grid, video)?,
            What::Pooled => {
                let pooled = visual.pooled(grid)?;
                subject.model.language().tokens_of(pooled.data(), d)?
            }
            What::Reduced { reducer, of_pooled } => {
                let pooled = of_pooled.then(|| visual.pooled(grid)).transpose()?;
                let start = Instant::now();
                let reduction = reducer.reduce(pooled.as_ref().unwrap_or(grid))?;
                visual.seconds.quantize += start.elapsed().as_secs_f64();
                visual.flops.quantize += reduction.flops as f64;
                subject.model.language().tokens_of(reduction.tokens.data(), d)?
            }
        };
        Ok(Self { tokens: Some(tokens), ..visual })
    }

    /// Lets the language model read the tokens, once for all questions about them.
    pub(super) fn prefill(mut self, subject: &Subject) -> anyhow::Result<Self> {
        let start = Instant::now();
        let prefilled = subject.model.language().prefill(self.tokens.as_ref())?;
        self.prefilled = Some((prefilled, start.elapsed().as_secs_f64()));
        Ok(self)
    }

    fn pooled(&mut self, grid: &TokenGrid) -> anyhow::Result<TokenGrid> {
        let start = Instant::now();
        let pooled = pool_bilinear(grid)?;
        self.seconds.quantize += start.elapsed().as_secs_f64();
        self.flops.quantize += POOLING * pooled.data().len() as f64;
        Ok(pooled)
    }

    fn codes(
        &mut self,
        subject: &Subject,
        codes: Codes,
        budget: Budget,
        grid: &TokenGrid,
        video: &str,
    ) -> anyhow::Result<VisualTokens> {
        let start = Instant::now();
        let quantization = quantize(grid, &subject.model.vision()?.quantizer(budget))?;
        self.seconds.quantize += start.elapsed().as_secs_f64();
        let flops = quantizer_flops(grid.shape().len(), grid.dim(), &quantization.stats);
        self.flops.quantize += flops.total() as f64;

        let start = Instant::now();
        let tokens = attended(subject, codes, &quantization.codebook, &quantization.index_map, video)?;
        self.seconds.attention += start.elapsed().as_secs_f64();
        let config = subject.model.config().vq_attention.as_ref().filter(|_| codes != Codes::Bare);
        self.flops.attention +=
            flops::attention(config, grid.shape(), quantization.codebook.codes(), grid.dim());
        Ok(tokens)
    }
}

fn attended(
    subject: &Subject,
    codes: Codes,
    codebook: &Codebook,
    index_map: &IndexMap,
    video: &str,
) -> anyhow::Result<VisualTokens> {
    let language = subject.model.language();
    let d = codebook.dim();
    Ok(match codes {
        Codes::Attended => language.attend(codebook, index_map)?,
        Codes::Bare => language.tokens_of(codebook.data(), d)?,
        Codes::RandomMap => language.attend(codebook, &shuffled(index_map, video)?)?,
        Codes::RandomCodebook => language.attend(&random_codes(codebook, video)?, index_map)?,
        Codes::RandomAttention => match &subject.untrained {
            Some(untrained) => language.tokens_of(&untrained.forward(codebook, index_map)?, d)?,
            None => anyhow::bail!(
                "{} has no VQ-attention that could be made random: choose another reading",
                subject.model.id()
            ),
        },
    })
}
