//! Attention of codes over the positions of a grid that carry their label, in time linear in the positions.
//!
//! Every position has one label, so a code's sums run over its own positions alone and all codes together read each position once.
//! A position is described by features of its frame, its row and its column; these are its key and its value. Its score is a
//! sum of three, so its weight is a product of three, and exponentials are taken of coordinates, not of positions.
//!
//! The output is the gradient of `ln sum exp(q . x)` by the query, so its derivative by the query is a symmetric matrix, and
//! the gradient `dq` is the derivative of the output along `dout`: the backward pass is the forward pass in [dual numbers](Dual).

mod block;
mod number;
mod softmax;

use rayon::prelude::*;

use crate::errors::check_length;
use crate::{Kernels, ShapeError};

use block::Block;
use number::{Dual, Number};
use softmax::CodeSoftmax;

/// Positions of the frames that are read together. It must not depend on the threads.
const BLOCK: usize = 1 << 16;

/// Frames, rows and columns.
const AXES: usize = 3;

/// Labelled grids, and the features of their coordinates.
#[derive(Clone, Copy, Debug)]
pub struct PositionAttention<'a> {
    /// For each clip the label of every position, `[frames, height, width]`.
    pub labels: &'a [&'a [u32]],
    /// Frames, height and width.
    pub shape: [usize; 3],
    /// Codes of a clip; labels are below that.
    pub codes: usize,
    /// Heads, each with queries of its own.
    pub heads: usize,
    /// Features of a coordinate.
    pub features: usize,
    /// The features of each frame `[frames, features]`, row `[height, features]` and column `[width, features]`.
    pub tables: [&'a [f32]; 3],
}

impl PositionAttention<'_> {
    /// Numbers of the queries, and of the output.
    pub fn query_len(&self) -> usize {
        self.labels.len() * self.codes * self.code_len()
    }

    /// Numbers of the queries of one code.
    fn code_len(&self) -> usize {
        self.heads * AXES * self.features
    }

    fn check(&self, q: usize, out: usize) -> Result<(), ShapeError> {
        let [frames, height, width] = self.shape;
        for labels in self.labels {
            check_length("labels", labels.len(), &[frames, height, width])?;
            if let Some(&label) = labels.iter().find(|&&label| label as usize >= self.codes) {
                let (left, right) = (label as usize, self.codes);
                return Err(ShapeError::Mismatch {
                    what: "label",
                    left,
                    right,
                    remedy: "labels are below the number of codes",
                });
            }
        }
        for (count, table) in self.shape.into_iter().zip(self.tables) {
            check_length("features of coordinates", table.len(), &[count, self.features])?;
        }
        let shape = [self.labels.len(), self.codes, self.heads, AXES, self.features];
        check_length("position queries", q, &shape)?;
        check_length("position output", out, &shape)
    }
}

impl Kernels {
    /// For each code and head the mean of the features of the code's positions, weighted by `softmax(q . x)` over them; zeros for a
    /// code without positions, or whose positions' scores lie more than 700 below those of its coordinates, each for itself.
    ///
    /// - q, out: `[clips, codes, heads, 3, features]`; `out` may hold anything before
    ///
    /// Time grows with `positions * heads` and with `features` for each coordinate that a code occurs at in a block of frames; memory beyond
    /// `out` is about 8 bytes a number of `out`. Sums are in `f64`, in the order of the positions.
    ///
    /// # Errors
    /// Lengths do not fit, or a label is not below the number of codes.
    pub fn position_attention(
        self,
        attention: &PositionAttention<'_>,
        q: &[f32],
        out: &mut [f32],
    ) -> Result<(), ShapeError> {
        attention.check(q.len(), out.len())?;
        attend(attention, |index| f64::from(q[index]), |mean: f64| mean, out);
        Ok(())
    }

    /// The gradient by the queries, `dq`, from that by the output, `dout`; both are shaped like `q`, and `dq` may hold anything before.
    ///
    /// # Errors
    /// As [`Kernels::position_attention`].
    pub fn position_attention_backward(
        self,
        attention: &PositionAttention<'_>,
        q: &[f32],
        dout: &[f32],
        dq: &mut [f32],
    ) -> Result<(), ShapeError> {
        attention.check(q.len(), dq.len())?;
        check_length("gradient of the position output", dout.len(), &[q.len()])?;
        let query = |index| Dual { value: f64::from(q[index]), slope: f64::from(dout[index]) };
        attend(attention, query, |mean: Dual| mean.slope, dq);
        Ok(())
    }
}

/// Computes the means with the queries that `query` gives for each index, and writes what `result` says of each.
fn attend<N: Number>(
    attention: &PositionAttention<'_>,
    query: impl Fn(usize) -> N + Sync,
    result: impl Fn(N) -> f64 + Sync,
    out: &mut [f32],
) {
    let code_len = attention.code_len();
    if out.is_empty() {
        return;
    }
    let clips = out.par_chunks_exact_mut(attention.codes * code_len).zip(attention.labels).enumerate();
    clips.for_each(|(clip, (out, labels))| {
        let code_query = |code: usize| -> Vec<N> {
            let start = (clip * attention.codes + code) * code_len;
            (start..start + code_len).map(&query).collect()
        };
        let softmaxes = read_clip(attention, labels, &code_query);
        for (out, softmax) in out.chunks_exact_mut(code_len).zip(softmaxes) {
            match softmax {
                Some(softmax) => {
                    out.iter_mut().zip(softmax.means()).for_each(|(out, mean)| *out = result(mean) as f32);
                }
                None => out.fill(0.0),
            }
        }
    });
}

/// For each code of a clip the softmax over its positions, none for a code without any, `[codes]`.
fn read_clip<N: Number>(
    attention: &PositionAttention<'_>,
    labels: &[u32],
    query: &(impl Fn(usize) -> Vec<N> + Sync),
) -> Vec<Option<CodeSoftmax<N>>> {
    let [_, height, width] = attention.shape;
    let cells = (height * width).max(1);
    let frames = (BLOCK / cells).max(1);
    let mut softmaxes: Vec<Option<CodeSoftmax<N>>> = Vec::new();
    softmaxes.resize_with(attention.codes, || None);
    for (index, labels) in labels.chunks(frames * cells).enumerate() {
        let block = Block::new(labels, attention.codes, height, width);
        softmaxes.par_iter_mut().enumerate().for_each(|(code, softmax)| {
            let positions = block.positions(code);
            if positions.is_empty() {
                return;
            }
            softmax.get_or_insert_with(|| CodeSoftmax::new(attention.heads, attention.features)).read(
                &block.lines(positions),
                &query(code),
                attention,
                index * frames,
            );
        });
    }
    softmaxes
}

#[cfg(test)]
mod tests;
