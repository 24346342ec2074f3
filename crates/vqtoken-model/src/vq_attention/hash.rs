//! The VQ-attention over the token hash: each code reads where it was and how it moved, then the codes read each other.

use std::f32::consts::PI;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use vqtoken_core::{GridShape, IndexMap};
use vqtoken_nn::{
    Activation, FeedForward, LayerNorm, Linear, LinearConfig, MultiHeadAttention, MultiHeadAttentionConfig,
};

use super::occupancy::Occupancy;
use super::path_features::{PATH_FEATURES, path_features};

const LAYER_NORM_EPSILON: f64 = 1e-6;

/// Time, row and column.
const AXES: usize = 3;

/// Taken off the score of a coordinate where a code never stands.
const ABSENT: f32 = 1e4;

/// What a code that stands nowhere is divided by.
const SMALLEST_TOTAL: f32 = 1e-20;

/// A code attends over the positions that the token hash gives it, receives its path over time bins, and attends to
/// the other codes.
///
/// Nothing here looks at a code's number: renumbering the codes permutes the output. The cost grows linearly with the
/// number of positions, and any T, H, W and K fit.
#[derive(Module, Debug)]
pub struct HashVqAttention {
    /// What each head looks for among the features of a position.
    q_proj: Linear,
    /// The attended position features, back to the code's features.
    out_proj: Linear,
    path: FeedForward,
    norm1: LayerNorm,
    self_attn: MultiHeadAttention,
    norm2: LayerNorm,
    feed_forward: FeedForward,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    frequencies: usize,
    #[module(skip)]
    bins: usize,
}

impl HashVqAttention {
    /// A module for codes of `d` features.
    pub fn new(
        d: usize,
        heads: usize,
        frequencies: usize,
        bins: usize,
        feed_forward: usize,
        device: &Device,
    ) -> Self {
        let attended = heads * position_features(frequencies);
        Self {
            q_proj: LinearConfig::new(d, attended).init(device),
            out_proj: LinearConfig::new(attended, d).init(device),
            path: FeedForward::new([bins * PATH_FEATURES, feed_forward, d], Activation::Gelu, device),
            norm1: LayerNorm::new(d, LAYER_NORM_EPSILON, device),
            self_attn: MultiHeadAttentionConfig::even(d, heads).init(device),
            norm2: LayerNorm::new(d, LAYER_NORM_EPSILON, device),
            feed_forward: FeedForward::new([d, feed_forward, d], Activation::Gelu, device),
            heads,
            frequencies,
            bins,
        }
    }

    /// # Shapes
    ///
    /// - codebook, output: `[K, D]`
    /// - index_map: `[T, H, W]`
    pub fn forward(&self, codebook: Tensor<2>, index_map: &IndexMap) -> Tensor<2> {
        self.forward_batch(codebook.unsqueeze(), std::slice::from_ref(index_map)).squeeze_dim(0)
    }

    /// Several clips at once.
    ///
    /// # Shapes
    ///
    /// - codebooks, output: `[clips, K, D]`
    /// - index_maps: `[clips]`, each of the same `[T, H, W]`
    ///
    /// # Panics
    ///
    /// Panics if there is not one map for each codebook, or maps differ in shape.
    pub fn forward_batch(&self, codebooks: Tensor<3>, index_maps: &[IndexMap]) -> Tensor<3> {
        let [clips, codes, d] = codebooks.dims();
        assert_eq!(clips, index_maps.len(), "codebooks against index maps");
        let paths: Vec<f32> =
            index_maps.iter().flat_map(|map| path_features(map, codes, self.bins)).collect();
        let paths = TensorData::new(paths, [clips, codes, self.bins * PATH_FEATURES]);
        let paths = Tensor::<3>::from_data(paths, &codebooks.device());

        let positions = self.attend_positions(codebooks.clone().reshape([clips * codes, d]), index_maps);
        let x = codebooks
            + self.out_proj.forward(positions).reshape([clips, codes, d])
            + self.path.forward(paths);
        let x = x.clone() + self.self_attn.forward(self.norm1.forward(x));
        x.clone() + self.feed_forward.forward(self.norm2.forward(x))
    }

    /// Per code and head, the mean of the features of its positions, weighted by a softmax over these positions.
    ///
    /// A position's features are those of its time, its row and its column, so its score is a sum of three and its weight a
    /// product of three: the sums over positions are taken axis by axis.
    ///
    /// # Shapes
    ///
    /// - codes: `[clips * K, D]`
    /// - output: `[clips * K, heads * features]`; zeros for a code that stands nowhere
    fn attend_positions(&self, codes: Tensor<2>, index_maps: &[IndexMap]) -> Tensor<2> {
        let [rows, _] = codes.dims();
        let device = codes.device();
        let Some(GridShape { frames, height, width }) = index_maps.first().map(IndexMap::shape) else {
            return Tensor::zeros([rows, self.heads * position_features(self.frequencies)], &device);
        };
        let (heads, features) = (self.heads, coordinate_features(self.frequencies));
        let occupancy = Occupancy::new(index_maps, rows / index_maps.len());
        let query = self.q_proj.forward(codes) / (position_features(self.frequencies) as f64).sqrt();
        let query = query.reshape([rows, heads, AXES, features]);
        // Weights of an axis, and the features that they weigh with a one before them.
        let axis = |index: usize, count: usize, occupied: Vec<f32>| {
            let table = self.axis_table(count, &device);
            let query = query.clone().slice([0..rows, 0..heads, index..index + 1, 0..features]);
            let scores = query.reshape([rows * heads, features]).matmul(table.clone().transpose());
            let absent = Tensor::<3>::from_data(TensorData::new(occupied, [rows, 1, count]), &device);
            let scores = scores.reshape([rows, heads, count]) + (absent - 1.0) * ABSENT;
            let highest = scores.clone().detach().max_dim(2);
            let ones = Tensor::ones([count, 1], &device);
            ((scores - highest).exp(), Tensor::cat(vec![ones, table], 1))
        };
        let (times, time_table) = axis(0, frames, occupancy.of_frames());
        let (over_rows, row_table) = axis(1, height, occupancy.of_rows());
        let (over_columns, column_table) = axis(2, width, occupancy.of_columns());

        let wide = 1 + features;
        // [rows, W, heads * wide]: what a cell of a column adds.
        let column_values = (over_columns.unsqueeze_dim::<4>(3) * column_table.unsqueeze::<4>())
            .permute([0, 2, 1, 3])
            .reshape([rows, width, heads * wide]);
        let cells = TensorData::new(occupancy.into_cells(), [rows, frames * height, width]);
        let lines = Tensor::<3>::from_data(cells, &device).matmul(column_values);
        // [rows * heads, H, T * wide]
        let lines = lines.reshape([rows, frames, height, heads, wide]).permute([0, 3, 2, 1, 4]).reshape([
            rows * heads,
            height,
            frames * wide,
        ]);
        // [rows * heads, wide, H]
        let row_values = (over_rows.unsqueeze_dim::<4>(3) * row_table.unsqueeze::<4>())
            .permute([0, 1, 3, 2])
            .reshape([rows * heads, wide, height]);
        let planes = row_values.matmul(lines).reshape([rows * heads, wide, frames, wide]);
        let times = times.reshape([rows * heads, 1, frames]);

        let by_column = planes.clone().slice([0..rows * heads, 0..1, 0..frames, 0..wide]);
        let by_column = by_column.reshape([rows * heads, frames, wide]);
        let by_row = planes.slice([0..rows * heads, 1..wide, 0..frames, 0..1]);
        let by_row = by_row.reshape([rows * heads, features, frames]);
        let by_time = by_column.clone().slice([0..rows * heads, 0..frames, 0..1]).swap_dims(1, 2);
        let time_table = time_table.slice([0..frames, 1..wide]).unsqueeze::<3>();

        let column_sums = times.clone().matmul(by_column);
        let row_sums = by_row.matmul(times.clone().swap_dims(1, 2)).swap_dims(1, 2);
        let time_sums =
            (times * by_time).reshape([rows * heads, frames]).matmul(time_table.squeeze_dim::<2>(0));
        let total = column_sums.clone().slice([0..rows * heads, 0..1, 0..1]).clamp_min(SMALLEST_TOTAL);
        let column_sums = column_sums.slice([0..rows * heads, 0..1, 1..wide]);
        let sums = Tensor::cat(vec![time_sums.unsqueeze_dim::<3>(1), row_sums, column_sums], 2);
        (sums / total).reshape([rows, heads * position_features(self.frequencies)])
    }

    /// Features of every coordinate of an axis, `[count, features]`.
    fn axis_table(&self, count: usize, device: &Device) -> Tensor<2> {
        let table: Vec<f32> =
            (0..count).flat_map(|i| self.coordinate_features((i as f32 + 0.5) / count as f32)).collect();
        Tensor::from_data(TensorData::new(table, [count, coordinate_features(self.frequencies)]), device)
    }

    /// A coordinate in [0, 1] as it is, and the sines and cosines of its multiples by powers of two of half a turn.
    fn coordinate_features(&self, coordinate: f32) -> Vec<f32> {
        let waves = (0..self.frequencies).flat_map(|i| {
            let angle = PI * (1u64 << i.min(63)) as f32 * coordinate;
            [angle.sin(), angle.cos()]
        });
        std::iter::once(coordinate).chain(waves).collect()
    }
}

/// Features of a coordinate.
fn coordinate_features(frequencies: usize) -> usize {
    1 + 2 * frequencies
}

/// Features of a position.
fn position_features(frequencies: usize) -> usize {
    AXES * coordinate_features(frequencies)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Int;

    fn module(device: &Device) -> HashVqAttention {
        HashVqAttention::new(24, 4, 3, 5, 32, device)
    }

    fn codebook(codes: usize, device: &Device) -> Tensor<2> {
        let values = (0..codes * 24).map(|i| ((i * 37 + 11) as f32 * 0.1).sin()).collect::<Vec<_>>();
        Tensor::from_data(TensorData::new(values, [codes, 24]), device)
    }

    fn map(shape: GridShape, codes: usize) -> IndexMap {
        let labels = (0..shape.frames * shape.height * shape.width).map(|i| ((i * i + i / 3) % codes) as u32);
        IndexMap::new(shape, codes, labels.collect()).unwrap()
    }

    #[test]
    fn renumbering_permutes_the_output() {
        let device = Device::flex();
        let module = module(&device);
        for (frames, height, width, codes) in [(1, 1, 1, 1), (3, 4, 5, 5), (2, 6, 3, 7), (9, 2, 2, 12)] {
            let (codebook, map) = (codebook(codes, &device), map(GridShape { frames, height, width }, codes));
            let output: Vec<f32> = module.forward(codebook.clone(), &map).into_data().try_to_vec().unwrap();
            for shift in 0..codes {
                // Code c gets the number `codes - 1 - (c + shift) % codes`: a rotation of the reversed order.
                let new = |code: usize| codes - 1 - (code + shift) % codes;
                let mut old = vec![0_i64; codes];
                (0..codes).for_each(|code| old[new(code)] = code as i64);
                let labels = map.labels().iter().map(|&label| new(label as usize) as u32).collect();
                let renumbered = IndexMap::new(map.shape(), codes, labels).unwrap();
                let order = Tensor::<1, Int>::from_data(TensorData::new(old, [codes]), &device);
                let permuted = module.forward(codebook.clone().select(0, order), &renumbered);
                let permuted: Vec<f32> = permuted.into_data().try_to_vec().unwrap();
                for code in 0..codes {
                    for i in 0..24 {
                        let (a, b) = (permuted[new(code) * 24 + i], output[code * 24 + i]);
                        assert!((a - b).abs() < 1e-5, "code {code}, feature {i}: {a} and {b}");
                    }
                }
            }
        }
    }

    /// Position by position, as the module's documentation has it.
    #[test]
    fn attention_over_positions_is_a_softmax_over_them() {
        let device = Device::flex();
        let module = module(&device);
        let shape = GridShape { frames: 3, height: 4, width: 5 };
        let (codes, maps) = (4, [map(shape, 4), map(GridShape { ..shape }, 3)]);
        let maps = maps.map(|map| IndexMap::new(shape, codes, map.labels().to_vec()).unwrap());
        let codebooks = codebook(2 * codes, &device);
        let found: Vec<f32> =
            module.attend_positions(codebooks.clone(), &maps).into_data().try_to_vec().unwrap();
        let queries: Vec<f32> = module.q_proj.forward(codebooks).into_data().try_to_vec().unwrap();
        let features = position_features(3);
        let coordinate = |i: usize, count: usize| module.coordinate_features((i as f32 + 0.5) / count as f32);
        for row in 0..2 * codes {
            let cells = maps[row / codes].labels().iter().enumerate();
            let places: Vec<Vec<f32>> = cells
                .filter(|(_, label)| **label as usize == row % codes)
                .map(|(i, _)| {
                    [coordinate(i / 20, 3), coordinate(i / 5 % 4, 4), coordinate(i % 5, 5)].concat()
                })
                .collect();
            for head in 0..4 {
                let start = (row * 4 + head) * features;
                let query = &queries[start..start + features];
                let score = |place: &Vec<f32>| -> f32 {
                    let dot: f32 = query.iter().zip(place).map(|(q, p)| q * p).sum();
                    (dot / (features as f32).sqrt()).exp()
                };
                let total: f32 = places.iter().map(score).sum();
                for feature in 0..features {
                    let sum: f32 = places.iter().map(|place| score(place) * place[feature]).sum();
                    let expected = if places.is_empty() { 0.0 } else { sum / total };
                    let found = found[start + feature];
                    assert!(
                        (found - expected).abs() < 1e-5,
                        "code {row}, head {head}: {found} is not {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_path_shows() {
        let device = Device::flex();
        let module = module(&device);
        let shape = GridShape { frames: 4, height: 1, width: 4 };
        let moving = |rightward: bool| {
            let labels =
                (0..16).map(|i| u32::from(i % 4 == if rightward { i / 4 } else { 3 - i / 4 })).collect();
            let map = IndexMap::new(shape, 2, labels).unwrap();
            module.forward(codebook(2, &device), &map)
        };
        let difference: f32 = (moving(true) - moving(false)).abs().max().into_scalar();
        assert!(difference > 1e-3, "left and right look alike: {difference}");
    }

    #[test]
    fn any_size_and_an_absent_code_give_numbers() {
        let device = Device::flex();
        let module = module(&device);
        for (shape, codes) in [
            (GridShape { frames: 1, height: 1, width: 1 }, 1),
            (GridShape { frames: 7, height: 2, width: 3 }, 9),
            (GridShape { frames: 2, height: 1, width: 1 }, 8),
        ] {
            let labels = vec![0; shape.frames * shape.height * shape.width];
            let map = IndexMap::new(shape, codes, labels).unwrap();
            let output: Vec<f32> =
                module.forward(codebook(codes, &device), &map).into_data().try_to_vec().unwrap();
            assert!(output.iter().all(|value| value.is_finite()));
        }
    }
}
