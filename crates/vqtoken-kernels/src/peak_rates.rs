//! Peak rates of the machine, measured: multiply-adds in registers and memory bandwidth.

use std::hint::black_box;
use std::time::Instant;

use rayon::prelude::*;

#[cfg(target_arch = "x86_64")]
use crate::Isa;
use crate::simd::{Simd, kernel};
use crate::{Kernels, WeightKind};

/// Independent accumulators: enough to hide the latency of two multiply-add units.
const CHAINS: usize = 12;

#[inline(always)]
fn multiply_add_generic<S: Simd>(s: S, rounds: usize) -> usize {
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

kernel!(
    /// Multiplies and adds `f32` in registers; returns the number of operations.
    fn multiply_add(rounds: usize) -> usize = multiply_add_generic
);

/// Multiplies and adds pairs of `i16`, as int8 products with AVX2 do; returns the number of operations.
///
/// # Safety
/// The CPU must support AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn multiply_pairs(rounds: usize) -> usize {
    use std::arch::x86_64::*;
    let mut factor = black_box(_mm256_set1_epi16(3));
    let mut sums = [_mm256_setzero_si256(); CHAINS];
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(factor, factor));
        }
        // Otherwise the compiler hoists the product out of the loop.
        factor = black_box(factor);
    }
    black_box(sums);
    2 * CHAINS * 16 * rounds
}

impl Kernels {
    /// Operations a second of a loop of the instructions that multiply a kind of weights, in registers, on all threads of the
    /// pool.
    ///
    /// Takes some tens of milliseconds. The clock rate varies, so take the best of several calls.
    pub fn measure_peak(self, kind: WeightKind) -> f64 {
        const ROUNDS: usize = 3_000_000;
        let threads = rayon::current_num_threads();
        let start = Instant::now();
        let operations: usize = (0..threads).into_par_iter().map(|_| self.multiply(kind, ROUNDS)).sum();
        operations as f64 / start.elapsed().as_secs_f64()
    }

    /// Multiplies for about `12 * rounds` instructions on this thread; returns the number of operations. Instruction sets
    /// that cannot multiply bf16 or int8 natively widen them to `f32`.
    fn multiply(self, kind: WeightKind, rounds: usize) -> usize {
        match kind {
            #[cfg(target_arch = "x86_64")]
            WeightKind::Bf16 if self.isa() == Isa::Amx => {
                // SAFETY: kernels of AMX exist only if AMX is available.
                unsafe { crate::amx::multiply_bf16(rounds) }
            }
            #[cfg(target_arch = "x86_64")]
            WeightKind::Int8 if self.isa() == Isa::Amx => {
                // SAFETY: as above.
                unsafe { crate::amx::multiply_int8(rounds) }
            }
            #[cfg(target_arch = "x86_64")]
            WeightKind::Bf16 if self.has_bf16_dot() => {
                // SAFETY: `has_bf16_dot` asked the CPU.
                unsafe { crate::avx512_dot_products::multiply_bf16(rounds) }
            }
            #[cfg(target_arch = "x86_64")]
            WeightKind::Int8 if self.has_vnni() => {
                // SAFETY: `has_vnni` asked the CPU.
                unsafe { crate::avx512_dot_products::multiply_int8(rounds) }
            }
            #[cfg(target_arch = "x86_64")]
            WeightKind::Int8 if self.isa() >= Isa::Avx2 => {
                // SAFETY: kernels of AVX2 or above exist only if the CPU supports AVX2.
                unsafe { multiply_pairs(rounds) }
            }
            _ => multiply_add(self, rounds),
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
            for kind in [WeightKind::F32, WeightKind::Bf16, WeightKind::Int8] {
                assert!(kernels.multiply(kind, 10) > 0, "{kernels:?} {kind:?}");
            }
        }
    }
}
