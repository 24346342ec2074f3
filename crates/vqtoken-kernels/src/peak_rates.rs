//! Peak rates of the machine, measured: multiply-adds on operands that stay in the first-level cache, and memory bandwidth.

use std::hint::black_box;
use std::time::Instant;

use rayon::prelude::*;
use vqtoken_random::SplitMix64;

#[cfg(target_arch = "x86_64")]
use crate::Isa;
use crate::aligned::{Aligned, Number};
use crate::float_product::{float_tile, tile_shape};
use crate::int8::Int8Path;
use crate::simd::{Simd, kernel};
use crate::{Kernels, WeightKind};

/// Bytes of the operands of a tile: they stay in a first-level cache of 32 KiB.
const OPERANDS: usize = 24 << 10;

/// Operations of a measurement on one thread, about.
const OPERATIONS: usize = 600_000_000;

impl Kernels {
    /// Operations a second of the register tile for a kind of weights, on random operands in the first-level cache, on all threads of the pool.
    ///
    /// Takes some tens of milliseconds. The clock rate varies, so take the best of several calls.
    pub fn measure_peak(self, kind: WeightKind) -> f64 {
        let threads = rayon::current_num_threads();
        let start = Instant::now();
        let operations: usize = (0..threads).into_par_iter().map(|_| self.multiply(kind, OPERATIONS)).sum();
        operations as f64 / start.elapsed().as_secs_f64()
    }

    /// Multiplies for about so many operations on this thread; returns their number. Instruction sets that cannot multiply bf16 natively widen it to
    /// `f32`. The loops of AMX and of AVX-512 BF16 stay in registers.
    fn multiply(self, kind: WeightKind, operations: usize) -> usize {
        match kind {
            #[cfg(target_arch = "x86_64")]
            WeightKind::Bf16 if self.isa() == Isa::Amx => {
                // SAFETY: kernels of AMX exist only if AMX is available.
                unsafe { crate::amx::multiply_bf16(operations / 32_768) }
            }
            #[cfg(target_arch = "x86_64")]
            WeightKind::Int8 | WeightKind::Int8Coarse if self.isa() == Isa::Amx => {
                // SAFETY: as above.
                unsafe { crate::amx::multiply_int8(operations / 32_768) }
            }
            #[cfg(target_arch = "x86_64")]
            WeightKind::Bf16 if self.has_bf16_dot() => {
                // SAFETY: `has_bf16_dot` asked the CPU.
                unsafe { crate::avx512_dot_products::multiply_bf16(operations / 768) }
            }
            WeightKind::Int8 | WeightKind::Int8Coarse => {
                let path = Int8Path::of(self, kind == WeightKind::Int8Coarse);
                let shape @ [rows, columns] = [path.rows(), path.columns()];
                let depth = depth_of(rows * 4 / path.group() + columns);
                let words = rows * path.left_words(depth);
                let left: Aligned<i32> = random(words, |bits| (bits & 0x7F7F_7F7F) as i32);
                let right: Aligned<i8> = random(path.panel_len(depth), |bits| bits as i8);
                multiply_tiles(shape, depth, operations, |out| path.tile(&left, &right, out))
            }
            _ => {
                let (rows, columns) = tile_shape(self);
                let depth = depth_of(4 * (rows + columns));
                let unit = |bits: u64| bits as u32 as f32 / u32::MAX as f32 - 0.5;
                let (left, right) = (random(rows * depth, unit), random(columns * depth, unit));
                multiply_tiles([rows, columns], depth, operations, |out| {
                    float_tile(self, &left, &right, out);
                })
            }
        }
    }

    /// Bytes a second of reading a buffer much larger than the caches, on all threads of the pool.
    pub fn measure_bandwidth(self) -> f64 {
        let buffer = vec![1.0_f32; 1 << 26];
        let chunk = buffer.len() / (8 * rayon::current_num_threads());
        let mut best = f64::MAX;
        for _ in 0..3 {
            let start = Instant::now();
            buffer.par_chunks(chunk.max(1)).for_each(|chunk| {
                black_box(sum(self, chunk));
            });
            best = best.min(start.elapsed().as_secs_f64());
        }
        (buffer.len() * 4) as f64 / best
    }
}

/// The length of a tile's sums, for so many bytes of its operands at each step.
fn depth_of(bytes: usize) -> usize {
    (OPERANDS / bytes).next_multiple_of(4)
}

/// Random operands.
fn random<T: Number>(len: usize, number: impl Fn(u64) -> T) -> Aligned<T> {
    let mut random = SplitMix64::new(1);
    let mut values = Aligned::zeros(len);
    values.iter_mut().for_each(|value| *value = number(random.next_u64()));
    values
}

/// Computes tiles until there were so many operations; returns their number.
fn multiply_tiles(
    [rows, columns]: [usize; 2],
    depth: usize,
    operations: usize,
    tile: impl Fn(&mut [f32]),
) -> usize {
    let of_tile = 2 * rows * columns * depth;
    let tiles = operations.div_ceil(of_tile);
    let mut out = Aligned::zeros(rows * columns);
    for _ in 0..tiles {
        tile(black_box(&mut out));
    }
    tiles * of_tile
}

#[inline(always)]
fn sum_generic<S: Simd>(s: S, x: &[f32]) -> f32 {
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

kernel!(fn sum(x: &[f32]) -> f32 = sum_generic);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_weights_has_a_peak_on_every_instruction_set() {
        for kernels in Kernels::available() {
            for kind in [WeightKind::F32, WeightKind::Bf16, WeightKind::Int8, WeightKind::Int8Coarse] {
                assert!(kernels.multiply(kind, 100_000) > 0, "{kernels:?} {kind:?}");
            }
        }
    }
}
