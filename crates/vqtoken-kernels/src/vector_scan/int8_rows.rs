//! Dot products of one query with int8 rows.

use crate::Kernels;
use crate::errors::{ShapeError, check_length};
use crate::simd::{Simd, kernel};

/// Independent sums of a dot product; a fixed number, so that every instruction set adds in the same order.
const SUMS: usize = 32;

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

kernel!(fn int8_products(query: &[f32], rows: &[u8], out: &mut [f32]) = int8_products_generic);

#[cfg(test)]
mod tests {
    use super::super::tests::numbers;
    use super::*;

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
}
