//! The VQ-attention over the token hash: each code reads where it was and how it moved, then the codes read each other.

use std::f32::consts::PI;

use burn::module::Module;
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData};
use vqtoken_core::{IndexMap, TokenHash};
use vqtoken_nn::{
    Activation, FeedForward, LayerNorm, Linear, LinearConfig, MultiHeadAttention, MultiHeadAttentionConfig,
};

const LAYER_NORM_EPSILON: f64 = 1e-6;

/// Time, row and column.
const AXES: usize = 3;

/// Presence, centre (row, column) and spread (row, column) of a code in a time bin.
const PATH_FEATURES: usize = 5;

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
        let [codes, _] = codebook.dims();
        let device = codebook.device();
        let hash = TokenHash::new(index_map);
        let paths = TensorData::new(hash.paths(self.bins), [codes, self.bins * PATH_FEATURES]);

        let placed = codebook.clone()
            + self.out_proj.forward(self.attend_positions(codebook, index_map))
            + self.path.forward(Tensor::<2>::from_data(paths, &device));
        let x = placed.unsqueeze::<3>();
        let x = x.clone() + self.self_attn.forward(self.norm1.forward(x));
        let x = x.clone() + self.feed_forward.forward(self.norm2.forward(x));
        x.squeeze_dim(0)
    }

    /// Per code and head, the mean of the features of its positions, weighted by a softmax over these positions.
    ///
    /// # Shapes
    ///
    /// - codebook: `[K, D]`
    /// - output: `[K, heads * features]`; zeros for a code that stands nowhere
    fn attend_positions(&self, codebook: Tensor<2>, index_map: &IndexMap) -> Tensor<2> {
        let [codes, _] = codebook.dims();
        let device = codebook.device();
        let labels = index_map.labels();
        let (positions, heads) = (labels.len(), self.heads);
        let features = position_features(self.frequencies);

        let place = TensorData::new(self.position_table(index_map), [positions, 1, features]);
        let place = Tensor::<3>::from_data(place, &device);
        let label_ids = labels.iter().map(|&label| i64::from(label)).collect::<Vec<_>>();
        let label_ids = Tensor::<1, Int>::from_data(TensorData::new(label_ids, [positions]), &device);

        let query = self.q_proj.forward(codebook) / (features as f64).sqrt();
        let query = query.select(0, label_ids.clone()).reshape([positions, heads, features]);
        let scores = (query * place.clone()).sum_dim(2).reshape([positions, heads]);
        let highest = highest_of_each_code(&scores, labels, codes);
        let weights = (scores - highest.select(0, label_ids.clone())).exp();

        let total = Tensor::zeros([codes, heads], &device).select_assign(
            0,
            label_ids.clone(),
            weights.clone(),
            IndexingUpdateOp::Add,
        );
        let weighted =
            (weights.reshape([positions, heads, 1]) * place).reshape([positions, heads * features]);
        let sum = Tensor::zeros([codes, heads * features], &device).select_assign(
            0,
            label_ids,
            weighted,
            IndexingUpdateOp::Add,
        );
        // A code that stands somewhere has its highest score weighted by one, so the clamp only spares the others
        // a division by zero.
        let total = total.clamp_min(1.0).reshape([codes, heads, 1]);
        (sum.reshape([codes, heads, features]) / total).reshape([codes, heads * features])
    }

    /// Features of every position, `[T * H * W, features]`: each coordinate in [0, 1] as it is, and the sines and
    /// cosines of its multiples by powers of two of half a turn.
    fn position_table(&self, index_map: &IndexMap) -> Vec<f32> {
        let shape = index_map.shape();
        let axis = |count: usize| -> Vec<Vec<f32>> {
            (0..count).map(|i| self.coordinate_features((i as f32 + 0.5) / count as f32)).collect()
        };
        let (times, rows, columns) = (axis(shape.frames), axis(shape.height), axis(shape.width));
        let mut table = Vec::with_capacity(index_map.labels().len() * position_features(self.frequencies));
        for time in &times {
            for row in &rows {
                for column in &columns {
                    for coordinate in [time, row, column] {
                        table.extend_from_slice(coordinate);
                    }
                }
            }
        }
        table
    }

    fn coordinate_features(&self, coordinate: f32) -> Vec<f32> {
        let waves = (0..self.frequencies).flat_map(|i| {
            let angle = PI * (1u64 << i.min(63)) as f32 * coordinate;
            [angle.sin(), angle.cos()]
        });
        std::iter::once(coordinate).chain(waves).collect()
    }
}

/// Features of a position.
fn position_features(frequencies: usize) -> usize {
    AXES * (1 + 2 * frequencies)
}

/// The highest score of each code and head, `[K, heads]`, without gradient: a softmax does not change with it.
fn highest_of_each_code(scores: &Tensor<2>, labels: &[u32], codes: usize) -> Tensor<2> {
    let [_, heads] = scores.dims();
    let values = scores.clone().detach().into_data();
    let values: &[f32] = values.as_slice().unwrap_or_default();
    let mut highest = vec![f32::MIN; codes * heads];
    for (scores, &label) in values.chunks_exact(heads).zip(labels) {
        let row = &mut highest[label as usize * heads..][..heads];
        for (high, score) in row.iter_mut().zip(scores) {
            *high = high.max(*score);
        }
    }
    Tensor::from_data(TensorData::new(highest, [codes, heads]), &scores.device())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vqtoken_core::GridShape;

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
