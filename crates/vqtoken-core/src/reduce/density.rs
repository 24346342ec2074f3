//! DPC-KNN: the density around each token, the distance to the next denser one, and clusters around the peaks.

use rayon::prelude::*;

use super::choose::largest;
use super::nearest::{ROWS, each_product, gather};
use crate::products::product;

/// Points with the Euclidean distances of Chat-UniVi, divided by the root of D.
pub(crate) struct Points {
    dim: usize,
    /// Scaled by a power of two, so that no product overflows; `[N, D]`.
    rows: Vec<f32>,
    /// The product of each with itself.
    squares: Vec<f32>,
    /// What makes a squared distance of `rows` one of the points, divided by D.
    unit: f64,
}

impl Points {
    /// `rows` are `[N, dim]`.
    pub(crate) fn new(rows: &[f32], dim: usize) -> Self {
        let most = rows.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        let scale = if most > 0.0 { 2f64.powi(-(f64::from(most).log2().floor() as i32)) } else { 1.0 };
        let rows: Vec<f32> = rows.iter().map(|&value| (f64::from(value) * scale) as f32).collect();
        let squares = rows.chunks_exact(dim).map(|row| product(row, row)).collect();
        Self { dim, rows, squares, unit: 1.0 / (scale * scale * dim as f64) }
    }

    pub(crate) fn len(&self) -> usize {
        self.squares.len()
    }

    /// Calls `visit` with the squared distance of each of some points to each of `columns`, in the units of `rows`.
    fn each_distance(
        &self,
        first: usize,
        count: usize,
        columns: &Self,
        mut visit: impl FnMut(usize, usize, f32),
    ) {
        let rows = &self.rows[first * self.dim..][..count * self.dim];
        each_product(rows, &columns.rows, self.dim, |row, column, product| {
            let squared = self.squares[first + row] + columns.squares[column] - 2.0 * product;
            visit(row, column, squared.max(0.0));
        });
    }

    /// One result for each point, made of blocks of points.
    fn by_block<R: Send>(&self, of_block: impl Fn(usize, usize) -> Vec<R> + Sync) -> Vec<R> {
        let blocks = (0..self.len().div_ceil(ROWS)).into_par_iter();
        blocks.flat_map_iter(|block| of_block(block * ROWS, ROWS.min(self.len() - block * ROWS))).collect()
    }

    /// Density times the distance to the nearest denser point (for the densest, the largest distance of all), `[N]`.
    ///
    /// Density is `exp(-mean squared distance to the k nearest)`, the point itself being one of them as in the source. Of equally
    /// dense points the first is the denser, where the source adds noise. Two passes over all pairs: `4 N^2 D`.
    pub(crate) fn peaks(&self, k: usize) -> Vec<f64> {
        let k = k.min(self.len());
        let of_block = |first, count| {
            let mut found = vec![(Vec::with_capacity(k + 1), 0.0f32); count];
            self.each_distance(first, count, self, |row, _, distance| {
                let (nearest, farthest) = &mut found[row];
                *farthest = farthest.max(distance);
                if nearest.len() < k || nearest.last().is_some_and(|&last| distance < last) {
                    nearest.insert(nearest.partition_point(|&other| other <= distance), distance);
                    nearest.truncate(k);
                }
            });
            let mean =
                |nearest: Vec<f32>| nearest.iter().map(|&near| f64::from(near)).sum::<f64>() / k as f64;
            found.into_iter().map(|(nearest, farthest)| (mean(nearest), farthest)).collect()
        };
        let (spacing, farthest): (Vec<f64>, Vec<f32>) = self.by_block(of_block).into_iter().unzip();
        let farthest = farthest.into_iter().fold(0.0, f32::max);
        let mut by_density: Vec<usize> = (0..self.len()).collect();
        by_density.sort_by(|&a, &b| spacing[a].total_cmp(&spacing[b]));
        let mut ranks = vec![0; self.len()];
        by_density.iter().enumerate().for_each(|(rank, &point)| ranks[point] = rank);
        let of_block = |first: usize, count| {
            let mut found = vec![f32::INFINITY; count];
            self.each_distance(first, count, self, |row, column, distance| {
                if ranks[column] < ranks[first + row] && distance < found[row] {
                    found[row] = distance;
                }
            });
            found
        };
        let to_denser = self.by_block(of_block).into_iter().map(|distance| distance.min(farthest));
        let peak = |(distance, &spacing): (f32, &f64)| {
            (f64::from(distance) * self.unit).sqrt() * (-spacing * self.unit).exp()
        };
        to_denser.zip(&spacing).map(peak).collect()
    }

    /// The indices of the `count` highest peaks, ascending; `count` is at most N.
    pub(crate) fn centres(&self, count: usize, k: usize) -> Vec<usize> {
        largest(&self.peaks(k), count)
    }

    /// The label of each point, `[N]`: that of the nearest of these centres, ties to the first; a centre's own is its own.
    pub(crate) fn assign(&self, centres: &[usize]) -> Vec<u32> {
        let columns = Self {
            rows: gather(&self.rows, self.dim, centres.iter().copied()),
            squares: centres.iter().map(|&centre| self.squares[centre]).collect(),
            ..*self
        };
        let of_block = |first, count| {
            let mut found = vec![(0, f32::INFINITY); count];
            self.each_distance(first, count, &columns, |row, column, distance| {
                if distance < found[row].1 {
                    found[row] = (column as u32, distance);
                }
            });
            found
        };
        let mut labels: Vec<u32> = self.by_block(of_block).into_iter().map(|(label, _)| label).collect();
        centres.iter().enumerate().for_each(|(label, &centre)| labels[centre] = label as u32);
        labels
    }

    /// The label of each point, `[N]`, among clusters around the `count` highest peaks.
    pub(crate) fn cluster(&self, count: usize, k: usize) -> Vec<u32> {
        self.assign(&self.centres(count, k))
    }

    /// What [`Self::peaks`] and [`Self::assign`] take for `points` points and `clusters` clusters by definition: every distance once,
    /// three operations to make it of a product, and the products with the centres.
    pub(crate) fn flops(points: usize, clusters: usize, dim: usize) -> u64 {
        (points * points * (2 * dim + 3) + 2 * points * clusters * dim) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_worked_by_hand() {
        // 0, 1, 2 and 10 on a line, k = 2: the nearest two of each are itself and one at distance 1, 1, 1 and 8. Densities e^-1/2 for
        // the first three, e^-32 for the last. The first of equals is the densest: largest distance 10. Then 1 from 1 to 0, 1 from 2
        // to 1, 8 from 10 to 2.
        let points = Points::new(&[0.0, 1.0, 2.0, 10.0], 1);
        let peaks = points.peaks(2);
        let density = (-0.5f64).exp();
        for (found, expected) in peaks.iter().zip([10.0 * density, density, density, 8.0 * (-32.0f64).exp()])
        {
            assert!((found - expected).abs() < 1e-6 * expected, "{found} {expected}");
        }
        assert_eq!(points.cluster(1, 2), [0, 0, 0, 0]);
        // Centres 0 and 1: 2 and 10 are nearer to 1.
        assert_eq!(points.cluster(2, 2), [0, 1, 1, 1]);
        assert_eq!(points.cluster(4, 2), [0, 1, 2, 3]);
    }

    #[test]
    fn two_channels_divide_by_their_root() {
        // (0, 0) and (3, 4) are 5 apart, 5 / root 2 by this measure; with k = 1 both densities are 1.
        let peaks = Points::new(&[0.0, 0.0, 3.0, 4.0], 2).peaks(1);
        assert!(peaks.iter().all(|peak| (peak - 5.0 / 2f64.sqrt()).abs() < 1e-6), "{peaks:?}");
    }

    #[test]
    fn extremes_stay_finite() {
        for rows in [[f32::MAX, -f32::MAX, 0.0], [f32::from_bits(1), 0.0, 0.0], [0.0; 3]] {
            let points = Points::new(&rows, 1);
            assert!(points.peaks(5).iter().all(|peak| peak.is_finite()));
            assert_eq!(points.cluster(3, 5), [0, 1, 2]);
        }
    }
}
