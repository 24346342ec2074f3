//! The backward pass: scores are recomputed, once. A task has one head of keys and values, or a fixed part of its keys.
//! Partial gradients of queries are added in a fixed order, so any number of threads gives the same bits.

use std::ops::Range;

use rayon::prelude::*;

use super::head_gradients::{HeadGradients, HeadInputs, add_gradients};
use super::shape::AttentionShape;
use super::tiles::{PANELS, copy_rows, pack_panels, padded};
use crate::aligned::Scratch;
use crate::errors::check_length;
use crate::float_product::tile_shape;
use crate::matrix::Matrix;
use crate::shared_rows::SharedRows;
use crate::{Kernels, ShapeError};

/// Inputs and outputs of the forward pass.
#[derive(Clone, Copy)]
pub struct AttentionForward<'a> {
    /// Queries.
    pub q: &'a [f32],
    /// Keys.
    pub k: &'a [f32],
    /// Values.
    pub v: &'a [f32],
    /// The output.
    pub out: &'a [f32],
    /// `[batch, heads, queries]`
    pub log_sums: &'a [f32],
}

/// The gradients; previous contents are overwritten.
pub struct AttentionGradients<'a> {
    /// Shaped like the queries.
    pub dq: &'a mut [f32],
    /// Shaped like the keys.
    pub dk: &'a mut [f32],
    /// Shaped like the values.
    pub dv: &'a mut [f32],
}

impl Kernels {
    /// The gradients of [`Kernels::attention`] with respect to queries, keys and values, given that of its output.
    ///
    /// # Errors
    /// If lengths do not match the shape.
    pub fn attention_backward(
        self,
        shape: &AttentionShape,
        forward: AttentionForward<'_>,
        dout: &[f32],
        gradients: AttentionGradients<'_>,
    ) -> Result<(), ShapeError> {
        let AttentionForward { q, k, v, out, log_sums } = forward;
        shape.check(q.len(), k.len(), v.len())?;
        shape.check(gradients.dq.len(), gradients.dk.len(), gradients.dv.len())?;
        check_length("attention output", out.len(), &[q.len()])?;
        check_length("gradient of the output", dout.len(), &[q.len()])?;
        check_length("log sums", log_sums.len(), &[shape.log_sums_len()])?;
        if shape.head_dim == 0 {
            return Ok(());
        }
        let AttentionShape { batch, kv_heads, keys, head_dim, .. } = *shape;
        let block = PANELS * tile_shape(self).1;
        let blocks = keys.div_ceil(block);
        // A function of the shape alone, so that sums are the same for any number of threads.
        let parts = MIN_TASKS.div_ceil((batch * kv_heads).max(1)).min(blocks).max(1);
        let mut partial = Scratch::new(if parts > 1 { parts * q.len() } else { 0 });
        let rows = q.len() / head_dim;
        let (dk, dv) = (SharedRows::new(gradients.dk, head_dim), SharedRows::new(gradients.dv, head_dim));
        let dq = match parts {
            1 => SharedRows::new(&mut *gradients.dq, head_dim),
            _ => SharedRows::new(&mut partial, head_dim),
        };
        let pass = BackwardPass { kernels: self, shape, forward, dout, dq, dk, dv };
        (0..batch * kv_heads * parts).into_par_iter().for_each(|task| {
            let (index, part) = (task / parts, task % parts);
            let keys = blocks * part / parts * block..(blocks * (part + 1) / parts * block).min(keys);
            pass.head((index / kv_heads, index % kv_heads), keys, part * rows);
        });
        if parts > 1 {
            let partial = &partial[..];
            gradients.dq.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, sums)| {
                sums.copy_from_slice(&partial[chunk * CHUNK..][..sums.len()]);
                for part in 1..parts {
                    let more = &partial[part * q.len() + chunk * CHUNK..];
                    sums.iter_mut().zip(more).for_each(|(sum, x)| *sum += x);
                }
            });
        }
        Ok(())
    }
}

/// With fewer heads than this, keys are split into parts.
const MIN_TASKS: usize = 8;

/// Values of the query gradients that are added at a time.
const CHUNK: usize = 8192;

/// What the tasks share.
struct BackwardPass<'a> {
    kernels: Kernels,
    shape: &'a AttentionShape,
    forward: AttentionForward<'a>,
    dout: &'a [f32],
    dq: SharedRows<'a>,
    dk: SharedRows<'a>,
    dv: SharedRows<'a>,
}

impl BackwardPass<'_> {
    /// Computes the gradients of some keys of a head, over all query heads that share them; query gradients are written to
    /// the rows from `dq_row` on.
    fn head(&self, (sequence, kv): (usize, usize), keys: Range<usize>, dq_row: usize) {
        let (kernels, shape) = (self.kernels, self.shape);
        let AttentionShape { heads, kv_heads, queries, head_dim, .. } = *shape;
        let block = PANELS * tile_shape(kernels).1;
        let width = padded(kernels, head_dim);
        let (key_rows, query_rows) = (keys.len().next_multiple_of(block), queries.next_multiple_of(block));
        let (key_len, query_len, panels_len) = (key_rows * width, query_rows * width, key_rows * head_dim);
        let mut scratch =
            Scratch::new(2 * panels_len + 3 * key_len + 3 * query_len + 2 * block * block + 3 * query_rows);
        let mut rest = &mut scratch[..];
        let mut take = |count: usize| {
            let buffer;
            (buffer, rest) = std::mem::take(&mut rest).split_at_mut(count);
            buffer
        };
        let [key_panels, value_panels] = [take(panels_len), take(panels_len)];
        let [key_copy, dk, dv] = [take(key_len), take(key_len), take(key_len)];
        let [query, dout, dq] = [take(query_len), take(query_len), take(query_len)];
        let [weights, score_gradients] = [take(block * block), take(block * block)];
        let [log_sums, deltas, limits] = [take(query_rows), take(query_rows), take(query_rows)];
        let key_head = shape.key_head(self.forward.k, sequence, kv);
        let value_head = shape.key_head(self.forward.v, sequence, kv);
        // Exponentials are computed as powers of two.
        pack_panels(kernels, key_head, keys.clone(), std::f32::consts::LOG2_E, key_panels);
        pack_panels(kernels, value_head, keys.clone(), 1.0, value_panels);
        copy_rows(key_head, keys.clone(), shape.scale, width, key_copy);
        dk.fill(0.0);
        dv.fill(0.0);
        for (query, limit) in limits.iter_mut().enumerate() {
            *limit = shape.visible_keys(query.min(queries.saturating_sub(1))) as f32;
        }
        let group = heads / kv_heads;
        for head in kv * group..(kv + 1) * group {
            copy_rows(
                shape.query_head(self.forward.q, sequence, head),
                0..queries,
                shape.scale,
                width,
                query,
            );
            let dout_head = shape.query_head(self.dout, sequence, head);
            copy_rows(dout_head, 0..queries, 1.0, width, dout);
            let out = shape.query_head(self.forward.out, sequence, head);
            let saved = &self.forward.log_sums[(sequence * heads + head) * queries..][..queries];
            fill_rows(log_sums, f32::INFINITY, |row| saved[row] * std::f32::consts::LOG2_E, queries);
            fill_rows(deltas, 0.0, |row| dot(out, dout_head, row), queries);
            dq.fill(0.0);
            let inputs = HeadInputs {
                first_key: keys.start,
                keys: keys.len(),
                queries,
                head_dim,
                width,
                key_panels,
                value_panels,
                key_rows: key_copy,
                query,
                dout,
                log_sums,
                deltas,
                limits,
            };
            let mut gradients = HeadGradients {
                dq: &mut *dq,
                dk: &mut *dk,
                dv: &mut *dv,
                weights: &mut *weights,
                score_gradients: &mut *score_gradients,
            };
            add_gradients(kernels, &inputs, &mut gradients);
            let head_rows = shape.offset_and_stride(sequence, head, heads, queries);
            self.write(self.dq, head_rows, dq_row, 0..queries, (dq, width));
        }
        let head_rows = shape.offset_and_stride(sequence, kv, kv_heads, shape.keys);
        self.write(self.dk, head_rows, 0, keys.clone(), (dk, width));
        self.write(self.dv, head_rows, 0, keys, (dv, width));
    }

    /// Copies sums to the rows of a head, which only this task writes.
    fn write(
        &self,
        to: SharedRows<'_>,
        (start, stride): (usize, usize),
        first_row: usize,
        rows: Range<usize>,
        (sums, width): (&[f32], usize),
    ) {
        let head_dim = self.shape.head_dim;
        for (row, sums) in rows.zip(sums.chunks_exact(width)) {
            // SAFETY: only this task writes these tokens of this head and of this part of the sums.
            let out = unsafe { to.segment(first_row + (start + row * stride) / head_dim, 0..head_dim) };
            out.copy_from_slice(&sums[..head_dim]);
        }
    }
}

/// Writes `value(row)` for the first `rows` elements and `padding` for the rest.
fn fill_rows(out: &mut [f32], padding: f32, value: impl Fn(usize) -> f32, rows: usize) {
    for (row, out) in out.iter_mut().enumerate() {
        *out = if row < rows { value(row) } else { padding };
    }
}

/// The dot product of two rows, with eight independent accumulators.
fn dot(a: Matrix<'_>, b: Matrix<'_>, row: usize) -> f32 {
    let mut sums = [0.0; 8];
    for (a, b) in a.row(row).chunks(8).zip(b.row(row).chunks(8)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}
