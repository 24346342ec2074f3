//! What a reading leaves of a token grid before any part of a model reads it, and what that cost.

use std::any::Any;
use std::time::Instant;

use crate::{GridShape, TokenGrid, quantize};
use vqtoken_core::{Amount, Quantization, Reduction, Tome, pool_bilinear, quantizer_flops};
use vqtoken_eval::PerStage;

use super::frames::TimedGrid;
use super::models::LoadedModel;
use super::reading::{Grid, Reading, Source};

/// Operations of pooling for each value of a pooled token: four weighted cells.
const POOLING: f64 = 7.0;

/// A reduced grid. Readings that differ only in what a model does with it share one.
pub(super) struct ReducedGrid {
    pub(super) content: Content,
    /// Of the grid that was reduced.
    pub(super) shape: GridShape,
    pub(super) seconds: PerStage,
    pub(super) flops: PerStage,
}

/// What is left.
pub(super) enum Content {
    Pooled(TokenGrid),
    Reduction(Reduction),
    Quantization(Quantization),
}

impl ReducedGrid {
    /// Everything that decides the result for a video.
    pub(super) fn key(model: &LoadedModel, reading: &Reading) -> String {
        let source = match &reading.source {
            Source::Codes(_, budget) => format!("{:?}", model.vision.quantizer(*budget)),
            Source::Pooled => "pooled".to_owned(),
            Source::Reduced(reduced) => reduced.tokens(),
        };
        format!("{} {} {:?} {source}", model.tower, reading.frames, reading.condition)
    }

    /// Reduces a grid as `reading` says. `planned` are the readings of the same frames that are still to come: ToMe to several
    /// amounts takes about as long as to one, so those of `planned` are computed, too.
    pub(super) fn of(
        model: &LoadedModel,
        reading: &Reading,
        planned: &[&Reading],
        grid: &TimedGrid,
    ) -> anyhow::Result<Vec<(String, Self)>> {
        let (key, tokens, start) = (Self::key(model, reading), &grid.tokens, Instant::now());
        let done = |content, flops| Self::new(model, grid, content, start.elapsed().as_secs_f64(), flops);
        match &reading.source {
            Source::Codes(_, budget) => {
                let quantization = quantize(tokens, &model.vision.quantizer(*budget))?;
                let flops = quantizer_flops(tokens.shape().len(), tokens.dim(), &quantization.stats).total();
                Ok(vec![(key, done(Content::Quantization(quantization), flops as f64))])
            }
            Source::Pooled => {
                let pooled = pool_bilinear(tokens)?;
                let flops = pooling_flops(&pooled);
                Ok(vec![(key, done(Content::Pooled(pooled), flops))])
            }
            Source::Reduced(reduced) => {
                let pooled = if reduced.grid == Grid::Pooled { Some(pool_bilinear(tokens)?) } else { None };
                let pooling = pooled.as_ref().map_or(0.0, pooling_flops);
                let input = pooled.as_ref().unwrap_or(tokens);
                let mut results = Vec::new();
                let mut add = |key, reduction: Reduction| {
                    let flops = pooling + reduction.flops as f64;
                    results.push((key, done(Content::Reduction(reduction), flops)));
                };
                let wanted = tome_amounts(model, reading, planned, input);
                if wanted.is_empty() {
                    add(key, reduced.reducer.reduce(input)?);
                } else {
                    let amounts: Vec<Amount> = wanted.iter().map(|(_, amount)| *amount).collect();
                    Tome::reduce_each(&amounts, input, |index, reduction| {
                        add(wanted[index].0.clone(), reduction);
                    })?;
                }
                Ok(results)
            }
        }
    }

    fn new(model: &LoadedModel, grid: &TimedGrid, content: Content, quantize: f64, reducing: f64) -> Self {
        let (shape, d) = (grid.tokens.shape(), grid.tokens.dim());
        let config = model.video_llm.config();
        let tower = config.vision.flops(shape.frames) + config.vision.projector_flops(d, shape.frames);
        let TimedGrid { decode, pixels, vision, .. } = *grid;
        Self {
            content,
            shape,
            seconds: PerStage { decode, pixels, vision, quantize, ..PerStage::default() },
            flops: PerStage { vision: tower, quantize: reducing, ..PerStage::default() },
        }
    }
}

/// The amounts that ToMe reduces `grid` to for a reading and those planned, each once, with their keys; none for another reducer.
fn tome_amounts(
    model: &LoadedModel,
    reading: &Reading,
    planned: &[&Reading],
    grid: &TokenGrid,
) -> Vec<(String, Amount)> {
    let amount = |source: &Source| {
        let Source::Reduced(reduced) = source else { return None };
        let reducer: &dyn Any = reduced.reducer.as_ref();
        Some((reduced.grid, reducer.downcast_ref::<Tome>()?.amount))
    };
    let Some((kind, first)) = amount(&reading.source) else { return Vec::new() };
    let mut wanted = vec![(ReducedGrid::key(model, reading), first)];
    for other in planned {
        let key = ReducedGrid::key(model, other);
        let is_new = wanted.iter().all(|(known, _)| *known != key);
        match amount(&other.source) {
            // An amount that the grid does not have fails when its own turn comes.
            Some((of, amount)) if of == kind && is_new && amount.tokens(grid).is_ok() => {
                wanted.push((key, amount));
            }
            _ => {}
        }
    }
    wanted
}

fn pooling_flops(pooled: &TokenGrid) -> f64 {
    POOLING * pooled.data().len() as f64
}
