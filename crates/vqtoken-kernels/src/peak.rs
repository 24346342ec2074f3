//! What the machine can do at most: the measure that kernels' shares refer to.

use std::hint::black_box;
use std::time::Instant;

use rayon::prelude::*;

use crate::simd::{Simd, kernel};
use crate::{Kernels, WeightKind};

/// Independent sums: enough to cover the latency of two multiply-add units.
const CHAINS: usize = 12;

#[inline(always)]
fn chains<S: Simd>(s: S, rounds: usize) -> usize {
    let (factor, addend) = (s.splat(black_box(0.999)), s.splat(black_box(0.001)));
    let mut sums = [s.splat(0.0); CHAINS];
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = s.fma(*sum, factor, addend);
        }
    }
    for sum in sums {
        black_box(s.lanes(sum));
    }
    2 * CHAINS * S::LANES * rounds
}

kernel!(fn multiply_add(rounds: usize) -> usize = chains);

impl Kernels {
    /// Operations a second of a loop of nothing but what multiplies weights of a kind, in registers, on all threads of the
    /// pool at once.
    ///
    /// Takes some tens of milliseconds; the clock rises and falls, so take the best of several.
    pub fn measure_peak(self, kind: WeightKind) -> f64 {
        let _ = kind;
        let threads = rayon::current_num_threads();
        let start = Instant::now();
        let operations: usize = (0..threads).into_par_iter().map(|_| multiply_add(self, 3_000_000)).sum();
        operations as f64 / start.elapsed().as_secs_f64()
    }

    /// Bytes a second of reading a buffer far larger than the caches, on all threads of the pool.
    pub fn measure_bandwidth(self) -> f64 {
        let buffer = vec![1.0_f32; 1 << 26];
        let pieces = buffer.len() / (8 * rayon::current_num_threads());
        let mut best = f64::MAX;
        for _ in 0..3 {
            let start = Instant::now();
            buffer.par_chunks(pieces.max(1)).for_each(|piece| {
                black_box(sum(self, piece));
            });
            best = best.min(start.elapsed().as_secs_f64());
        }
        (buffer.len() * 4) as f64 / best
    }
}

#[inline(always)]
fn sum_of<S: Simd>(s: S, x: &[f32]) -> f32 {
    let mut sums = [s.splat(0.0); 8];
    for x in x.chunks_exact(8 * S::LANES) {
        for (sum, x) in sums.iter_mut().zip(x.chunks_exact(S::LANES)) {
            *sum = s.add(*sum, s.load(x));
        }
    }
    let mut total = sums[0];
    for sum in &sums[1..] {
        total = s.add(total, *sum);
    }
    s.sum(total)
}

kernel!(fn sum(x: &[f32]) -> f32 = sum_of);
