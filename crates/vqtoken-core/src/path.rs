//! A code's path: how much of the picture it holds, where, and how spread out, over equal bins of time.

use std::ops::Range;

use rayon::prelude::*;

use crate::grid::GridShape;
use crate::index_map::IndexMap;
use crate::token_hash::TokenHash;

/// A code within one bin of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PathPoint {
    /// The share of the bin's cells that the code holds, in `[0, 1]`.
    pub presence: f32,
    /// The mean (row, column) of these cells, measured at cell centres, each axis in `[0, 1]`: cell 0 of 4 is at 0.125.
    pub centre: [f32; 2],
    /// The standard deviation of (row, column) over these cells, in the same units.
    pub spread: [f32; 2],
}

/// Weighted sums over cells. Rows, columns and weights are integers, and so are these sums: they are exact up to 2^53.
#[derive(Clone, Copy, Default)]
struct Moments {
    weight: f64,
    sum: [f64; 2],
    squares: [f64; 2],
}

impl TokenHash {
    /// The path of `code` over `bins` equal bins of time, `[bins]`.
    ///
    /// Time runs from 0 to 1: frame `t` of `T` covers `[t / T, (t + 1) / T)` and bin `b` covers `[b / bins, (b + 1) / bins)`. A frame
    /// counts in a bin by the part of the frame that lies in it, so every frame counts once in all, and any `T` fits:
    /// several frames share a bin, or a frame fills several. Where the code is absent all is 0.
    pub fn path(&self, code: u32, bins: usize) -> Vec<PathPoint> {
        let shape = self.shape();
        let mut moments = vec![Moments::default(); bins];
        let cells = self.cells(code).collect::<Vec<_>>();
        for of_frame in cells.chunk_by(|a, b| a.frame == b.frame) {
            let mut frame = Moments::default();
            for cell in of_frame {
                frame.add(1.0, &Moments::of_cell(cell.row as f64, cell.column as f64));
            }
            for (bin, overlap) in overlaps(of_frame[0].frame, shape.frames, bins) {
                moments[bin].add(overlap as f64, &frame);
            }
        }
        moments.iter().map(|moments| moments.point(shape)).collect()
    }

    /// The paths of all codes, `[K, bins, 5]`: presence, centre row, centre column, spread over rows, spread over columns.
    pub fn paths(&self, bins: usize) -> Vec<f32> {
        let points = self.map().paths(bins).into_iter().flat_map(|point| {
            [point.presence, point.centre[0], point.centre[1], point.spread[0], point.spread[1]]
        });
        points.collect()
    }
}

impl IndexMap {
    /// The [path](TokenHash::path) of every code, `[K, bins]`, from the labels as they are: memory grows with `K * bins` and not with the
    /// positions.
    pub fn paths(&self, bins: usize) -> Vec<PathPoint> {
        let (shape, codes) = (self.shape(), self.codes());
        let of_bin = |bin: usize| {
            let mut moments = vec![Moments::default(); codes];
            for frame in frames_of(bin, shape.frames, bins) {
                let overlap = overlaps(frame, shape.frames, bins).find(|(other, _)| *other == bin);
                let overlap = overlap.map_or(0, |(_, overlap)| overlap) as f64;
                for (row, labels) in self.frame(frame).chunks_exact(shape.width).enumerate() {
                    for (column, &label) in labels.iter().enumerate() {
                        moments[label as usize].add(overlap, &Moments::of_cell(row as f64, column as f64));
                    }
                }
            }
            moments.iter().map(|moments| moments.point(shape)).collect::<Vec<_>>()
        };
        // [bins][K]
        let points: Vec<Vec<PathPoint>> = (0..bins).into_par_iter().map(of_bin).collect();
        (0..codes).flat_map(|code| points.iter().map(move |points| points[code])).collect()
    }
}

/// The frames that reach into a bin.
fn frames_of(bin: usize, frames: usize, bins: usize) -> Range<usize> {
    bin * frames / bins..((bin + 1) * frames).div_ceil(bins)
}

/// The bins that a frame reaches into, and how far, in units of `1 / (frames * bins)` of the whole time.
fn overlaps(frame: usize, frames: usize, bins: usize) -> impl Iterator<Item = (usize, usize)> {
    let (from, to) = (frame * bins, (frame + 1) * bins);
    let touched = if bins == 0 { 0..0 } else { from / frames..to.div_ceil(frames) };
    touched.map(move |bin| (bin, to.min((bin + 1) * frames) - from.max(bin * frames)))
}

impl Moments {
    fn of_cell(row: f64, column: f64) -> Self {
        Self { weight: 1.0, sum: [row, column], squares: [row * row, column * column] }
    }

    fn add(&mut self, weight: f64, other: &Self) {
        self.weight += weight * other.weight;
        for axis in 0..2 {
            self.sum[axis] += weight * other.sum[axis];
            self.squares[axis] += weight * other.squares[axis];
        }
    }

    fn point(&self, shape: GridShape) -> PathPoint {
        if self.weight == 0.0 {
            return PathPoint::default();
        }
        let size = [shape.height as f64, shape.width as f64];
        // The overlaps of a bin add up to the number of frames.
        let mut point = PathPoint {
            presence: (self.weight / (shape.frames as f64 * size[0] * size[1])) as f32,
            ..PathPoint::default()
        };
        for (axis, size) in size.into_iter().enumerate() {
            let mean = self.sum[axis] / self.weight;
            let variance = (self.squares[axis] / self.weight - mean * mean).max(0.0);
            point.centre[axis] = ((mean + 0.5) / size) as f32;
            point.spread[axis] = (variance.sqrt() / size) as f32;
        }
        point
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index_map::IndexMap;

    fn hash(frames: usize, height: usize, width: usize, labels: &[u32]) -> TokenHash {
        TokenHash::new(&IndexMap::new(GridShape { frames, height, width }, 2, labels.to_vec()).unwrap())
    }

    #[test]
    fn a_moving_cell() {
        // Code 1 goes down the left column of a 2 x 2 picture.
        let path = hash(2, 2, 2, &[1, 0, 0, 0, 0, 0, 1, 0]).path(1, 2);
        let point = |row| PathPoint { presence: 0.25, centre: [row, 0.25], spread: [0.0, 0.0] };
        assert_eq!(path, [point(0.25), point(0.75)]);
        let whole = hash(2, 2, 2, &[1, 0, 0, 0, 0, 0, 1, 0]).path(1, 1);
        assert_eq!(whole, [PathPoint { presence: 0.25, centre: [0.5, 0.25], spread: [0.25, 0.0] }]);
    }

    #[test]
    fn frames_and_bins_that_do_not_match() {
        let presence = |frames: &[u32], bins| -> Vec<f32> {
            hash(frames.len(), 1, 1, frames).path(1, bins).iter().map(|point| point.presence).collect()
        };
        assert_eq!(presence(&[1], 3), [1.0, 1.0, 1.0]);
        assert_eq!(presence(&[1, 0], 4), [1.0, 1.0, 0.0, 0.0]);
        assert_eq!(presence(&[1, 0, 0, 1], 2), [0.5, 0.5]);
        // The middle frame of three lies half in each of two bins.
        assert_eq!(presence(&[0, 1, 0], 2), [1.0 / 3.0, 1.0 / 3.0]);
        assert_eq!(presence(&[1, 0], 3), [1.0, 0.5, 0.0]);
        assert!(presence(&[1], 0).is_empty());
    }

    #[test]
    fn absent_codes_are_all_zero() {
        assert_eq!(hash(1, 1, 2, &[0, 0]).path(1, 2), [PathPoint::default(); 2]);
        assert_eq!(hash(1, 1, 2, &[0, 0]).path(9, 1), [PathPoint::default()]);
    }

    #[test]
    fn all_codes_at_once() {
        let hash = hash(2, 1, 2, &[0, 1, 1, 1]);
        let expected: Vec<f32> = vec![
            0.5, 0.5, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, // code 0
            0.5, 0.5, 0.75, 0.0, 0.0, 1.0, 0.5, 0.5, 0.0, 0.25, // code 1
        ];
        assert_eq!(hash.paths(2), expected);
    }

    #[test]
    fn the_paths_of_the_map_are_those_of_each_code() {
        for (frames, bins) in [(1, 1), (1, 4), (3, 2), (7, 16), (16, 16), (50, 3), (5, 0)] {
            let shape = GridShape { frames, height: 3, width: 5 };
            let labels = (0..shape.len()).map(|i| (i * i / 7 % 9) as u32).collect();
            let map = IndexMap::new(shape, 11, labels).unwrap();
            let hash = TokenHash::new(&map);
            let each: Vec<PathPoint> = (0..11).flat_map(|code| hash.path(code, bins)).collect();
            assert!(map.paths(bins) == each, "{frames} frames, {bins} bins");
        }
    }
}
