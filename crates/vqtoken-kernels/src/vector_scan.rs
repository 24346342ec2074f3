//! One query against many stored vectors: int8 rows, and sketches of one bit a feature.

use crate::Kernels;
use crate::errors::{ShapeError, check_length};
use crate::simd::{Simd, kernel};

/// Independent sums of a dot product; a fixed number, so that every instruction set adds in the same order.
const SUMS: usize = 32;

/// Bits of a query's features in [`Kernels::sketch_products`].
pub const SKETCH_PLANES: usize = 4;

impl Kernels {
    /// Dot products of `query [E]` with int8 `rows [n, E]` (bytes as they lie in a file) to `out [n]`; scales of the rows are not applied.
    ///
    /// # Errors
    /// If the lengths do not match.
    pub fn int8_row_products(self, query: &[f32], rows: &[u8], out: &mut [f32]) -> Result<(), ShapeError> {
        check_length("rows of int8", rows.len(), &[out.len(), query.len()])?;
        int8_products(self, query, rows, out);
        Ok(())
    }

    /// Sums of a query over the set bits of each sketch: `planes [4, W]` are the bits of the query's features from the lowest (a feature is a number
    /// from 0 to 15), `sketches [n, W]` 64-bit words in little-endian bytes, `out [n]` the sums.
    ///
    /// # Errors
    /// If the lengths do not match.
    pub fn sketch_products(self, planes: &[u64], sketches: &[u8], out: &mut [u32]) -> Result<(), ShapeError> {
        let words = planes.len() / SKETCH_PLANES;
        check_length("planes of a query", planes.len(), &[SKETCH_PLANES, words])?;
        check_length("bytes of sketches", sketches.len(), &[out.len(), words, 8])?;
        sketch_sums(self, planes, sketches, out);
        Ok(())
    }
}

#[inline(always)]
fn int8_products_generic<S: Simd>(_: S, query: &[f32], rows: &[u8], out: &mut [f32]) {
    if query.is_empty() {
        return out.fill(0.0);
    }
    for (row, out) in rows.chunks_exact(query.len()).zip(out) {
        let mut sums = [0.0_f32; SUMS];
        let (groups, rest) = query.as_chunks::<SUMS>();
        let (row_groups, row_rest) = row.as_chunks::<SUMS>();
        for (query, row) in groups.iter().zip(row_groups) {
            for lane in 0..SUMS {
                sums[lane] += query[lane] * f32::from(row[lane].cast_signed());
            }
        }
        let mut sum: f32 = rest.iter().zip(row_rest).map(|(x, y)| x * f32::from(y.cast_signed())).sum();
        // In halves: the same order for any width of vectors.
        let mut width = SUMS / 2;
        while width > 0 {
            for lane in 0..width {
                sums[lane] += sums[lane + width];
            }
            width /= 2;
        }
        sum += sums[0];
        *out = sum;
    }
}

#[inline(always)]
fn sketch_sums_generic<S: Simd>(_: S, planes: &[u64], sketches: &[u8], out: &mut [u32]) {
    let words = planes.len() / SKETCH_PLANES;
    if words == 0 {
        return out.fill(0);
    }
    let (first, rest) = planes.split_at(words);
    let (second, rest) = rest.split_at(words);
    let (third, fourth) = rest.split_at(words);
    for (sketch, out) in sketches.chunks_exact(words * 8).zip(out) {
        let (bytes, _) = sketch.as_chunks::<8>();
        let mut sums = [0_u64; SKETCH_PLANES];
        for ((((bytes, a), b), c), d) in bytes.iter().zip(first).zip(second).zip(third).zip(fourth) {
            let word = u64::from_le_bytes(*bytes);
            sums[0] += u64::from((word & a).count_ones());
            sums[1] += u64::from((word & b).count_ones());
            sums[2] += u64::from((word & c).count_ones());
            sums[3] += u64::from((word & d).count_ones());
        }
        *out = (sums[0] + 2 * sums[1] + 4 * sums[2] + 8 * sums[3]) as u32;
    }
}

kernel!(fn int8_products(query: &[f32], rows: &[u8], out: &mut [f32]) = int8_products_generic);
kernel!(fn sketch_sums(planes: &[u64], sketches: &[u8], out: &mut [u32]) = sketch_sums_generic);

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(seed: u64) -> impl FnMut() -> u64 {
        let mut state = seed;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        }
    }

    #[test]
    fn products_of_int8_rows_are_those_of_a_loop() {
        let mut next = numbers(1);
        for (n, e) in [(0, 8), (1, 1), (3, 31), (5, 32), (4, 100), (2, 1152)] {
            let query: Vec<f32> = (0..e).map(|_| next() as f32 / 2_f32.powi(31) - 0.5).collect();
            let rows: Vec<u8> = (0..n * e).map(|_| next() as u8).collect();
            for kernels in Kernels::available() {
                let mut out = vec![0.0; n];
                kernels.int8_row_products(&query, &rows, &mut out).unwrap();
                for (row, found) in rows.chunks_exact(e).zip(&out) {
                    let pairs = query.iter().zip(row);
                    let expected: f64 = pairs.map(|(x, y)| f64::from(*x) * f64::from(*y as i8)).sum();
                    assert!((f64::from(*found) - expected).abs() < 2e-3, "{kernels:?} {e}");
                }
            }
        }
        let wrong = Kernels::best().int8_row_products(&[1.0], &[1, 2, 3], &mut [0.0; 2]);
        assert!(wrong.is_err());
    }

    #[test]
    fn sums_over_sketches_are_those_of_a_loop() {
        let mut next = numbers(2);
        for (n, words) in [(0, 1), (1, 1), (3, 4), (2, 5), (7, 18)] {
            let query: Vec<u8> = (0..words * 64).map(|_| (next() % 16) as u8).collect();
            let mut planes = vec![0_u64; 4 * words];
            for (index, value) in query.iter().enumerate() {
                for plane in 0..4 {
                    planes[plane * words + index / 64] |= u64::from(value >> plane & 1) << (index % 64);
                }
            }
            let sketches: Vec<u8> = (0..n * words * 8).map(|_| next() as u8).collect();
            for kernels in Kernels::available() {
                let mut out = vec![0; n];
                kernels.sketch_products(&planes, &sketches, &mut out).unwrap();
                for (sketch, found) in sketches.chunks_exact(words * 8).zip(&out) {
                    let bit = |index: usize| u32::from(sketch[index / 8] >> (index % 8) & 1);
                    let expected: u32 =
                        (0..words * 64).map(|index| bit(index) * u32::from(query[index])).sum();
                    assert_eq!(*found, expected);
                }
            }
        }
        assert!(Kernels::best().sketch_products(&[0; 4], &[0; 7], &mut [0]).is_err());
    }
}
