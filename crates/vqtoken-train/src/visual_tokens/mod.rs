//! The visual tokens of clips, with gradients where the parts that compute them learn.

mod codes;
mod pooled;
mod subset;

use burn::tensor::{Device, Tensor, TensorData};
use vqtoken_core::{Budget, GridShape, IndexMap, QuantizerConfig, TokenGrid, quantize};
use vqtoken_model::OneVision;
use vqtoken_video::PixelSpec;

use self::codes::{code_means, commitment_loss};
use self::pooled::pool_grid;
pub(crate) use self::subset::Keep;
use crate::clips::Clips;
use crate::error::TrainError;
use crate::feature_cache::{Codes, FeatureCache};
use crate::losses::unit_rows;
use crate::tensors::to_vec;

/// What the visual tokens of a clip are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Codes of this many, after the VQ-attention.
    VqToken(usize),
    /// This many bare codes.
    Codebook(usize),
    /// The cells of every frame's pooled grid.
    Pooled,
}

/// The visual tokens of a batch of clips.
#[derive(Debug)]
pub(crate) struct VisualTokens {
    /// `[clips, M, D]`
    pub(crate) tokens: Tensor<3>,
    /// Where each code occurs, `[clips]` times `[T, H, W]`; empty where tokens are not codes.
    pub(crate) maps: Vec<IndexMap>,
    /// The commitment loss, `[1]`, where codes are computed rather than read.
    pub(crate) commitment: Option<Tensor<1>>,
    /// The positions of each clip's tokens among all of the clip's, `[clips]` times `[M]`, ascending.
    pub(crate) positions: Vec<Vec<usize>>,
    /// How many tokens a clip has in all.
    pub(crate) total: usize,
}

impl VisualTokens {
    /// All tokens of clips, `[clips, M, D]`.
    fn all(tokens: Tensor<3>, maps: Vec<IndexMap>, commitment: Option<Tensor<1>>) -> Self {
        let [clips, total, _] = tokens.dims();
        let positions = vec![(0..total).collect(); clips];
        Self { tokens, maps, commitment, positions, total }
    }
}

/// Where the token grids of clips come from.
#[derive(Debug)]
pub(crate) enum GridSource {
    /// They are frozen: their features are read from disk.
    Cached(FeatureCache),
    /// They are computed by the tower and the projector, with gradients to what learns.
    Computed {
        /// Frames of a clip.
        frames: usize,
        /// How frames become pixels.
        pixel_spec: PixelSpec,
    },
}

/// From clips to visual tokens.
#[derive(Debug)]
pub(crate) struct VisualTokenSource {
    /// Where their grids come from.
    pub(crate) grids: GridSource,
    /// Where tensors go.
    pub(crate) device: Device,
}

impl VisualTokenSource {
    /// The visual tokens of clips.
    ///
    /// # Errors
    ///
    /// If a clip or its features cannot be read.
    pub(crate) fn read(
        &self,
        model: &OneVision,
        clips: &dyn Clips,
        indices: &[usize],
        kind: TokenKind,
    ) -> Result<VisualTokens, TrainError> {
        match (&self.grids, kind) {
            (GridSource::Cached(cache), TokenKind::Pooled) => {
                let pooled = cache.pooled(indices)?;
                let [d] = model.language.image_newline().dims();
                let count = pooled.first().map_or(0, |values| values.len() / d);
                let data = TensorData::new(pooled.concat(), [indices.len(), count, d]);
                Ok(VisualTokens::all(Tensor::from_data(data, &self.device), Vec::new(), None))
            }
            (GridSource::Cached(cache), TokenKind::VqToken(budget) | TokenKind::Codebook(budget)) => {
                let (codebooks, maps) = self.stack(&cache.codes(indices, budget)?, budget)?;
                let tokens = after_attention(model, kind, codebooks, &maps)?;
                Ok(VisualTokens::all(tokens, maps, None))
            }
            (GridSource::Computed { frames, pixel_spec }, kind) => {
                let grid = |&clip: &usize| {
                    let pixels = pixel_spec.pixels(&clips.frames(clip, *frames)?);
                    let shape = [pixels.frames, 3, pixels.size, pixels.size];
                    let pixels = Tensor::from_data(TensorData::new(pixels.data, shape), &self.device);
                    Ok(model.vision.tokens(pixels)) // [T, N, D]
                };
                let grids = indices.iter().map(grid);
                match kind {
                    TokenKind::Pooled => {
                        let pooled = grids.map(|grid| Ok(pool_grid(grid?)));
                        let pooled = pooled.collect::<Result<Vec<_>, TrainError>>()?;
                        Ok(VisualTokens::all(Tensor::stack(pooled, 0), Vec::new(), None))
                    }
                    TokenKind::VqToken(budget) | TokenKind::Codebook(budget) => {
                        codes_of_grids(model, grids, kind, budget)
                    }
                }
            }
        }
    }

    /// Codebooks as one tensor, `[clips, budget, D]`. A clip with fewer codes gets zeros for the others.
    fn stack(&self, codes: &[Codes], budget: usize) -> Result<(Tensor<3>, Vec<IndexMap>), TrainError> {
        let d = codes.first().map_or(0, |codes| codes.codebook.dim());
        let mut values = Vec::with_capacity(codes.len() * budget * d);
        let mut maps = Vec::with_capacity(codes.len());
        for (index, codes) in codes.iter().enumerate() {
            values.extend_from_slice(codes.codebook.data());
            values.resize((index + 1) * budget * d, 0.0);
            maps.push(with_codes(&codes.index_map, budget)?);
        }
        let data = TensorData::new(values, [codes.len(), budget, d]);
        Ok((Tensor::from_data(data, &self.device), maps))
    }
}

/// Codes of token grids `[T, N, D]`, with gradients through the means that codes are.
fn codes_of_grids(
    model: &OneVision,
    grids: impl Iterator<Item = Result<Tensor<3>, TrainError>>,
    kind: TokenKind,
    budget: usize,
) -> Result<VisualTokens, TrainError> {
    let (mut codebooks, mut commitments, mut maps) = (Vec::new(), Vec::new(), Vec::new());
    for grid in grids {
        let grid = grid?;
        let [frames, patches, d] = grid.dims();
        let side = patches.isqrt();
        let shape = GridShape { frames, height: side, width: side };
        let tokens = grid.reshape([frames * patches, d]); // [T * N, D]
        let config = QuantizerConfig::new(Budget::Fixed(budget.min(frames * patches)));
        let values = to_vec(tokens.clone().detach());
        let map = with_codes(&quantize(&TokenGrid::new(shape, d, values)?, &config)?.index_map, budget)?;
        let unit = unit_rows(tokens); // [T * N, D]
        let codes = code_means(unit.clone(), map.labels(), budget); // [K, D]
        commitments.push(commitment_loss(unit, codes.clone(), map.labels())); // [1]
        codebooks.push(codes);
        maps.push(map);
    }
    let count = commitments.len();
    let commitment = commitments.into_iter().reduce(|a, b| a + b).map(|sum| sum / count as f32);
    let codebooks = Tensor::stack::<3>(codebooks, 0); // [clips, K, D]
    Ok(VisualTokens::all(after_attention(model, kind, codebooks, &maps)?, maps, commitment))
}

/// Codebooks `[clips, K, D]` after the VQ-attention, if there is to be one.
fn after_attention(
    model: &OneVision,
    kind: TokenKind,
    codebooks: Tensor<3>,
    maps: &[IndexMap],
) -> Result<Tensor<3>, TrainError> {
    match kind {
        TokenKind::VqToken(_) => Ok(model.language.visual_tokens_batch(codebooks, maps)?),
        TokenKind::Codebook(_) | TokenKind::Pooled => Ok(codebooks),
    }
}

/// The map with its labels, of a codebook that has room for more codes.
fn with_codes(map: &IndexMap, codes: usize) -> Result<IndexMap, TrainError> {
    Ok(IndexMap::new(map.shape(), codes, map.labels().to_vec())?)
}
