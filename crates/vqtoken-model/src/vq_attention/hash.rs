//! The VQ-attention over the token hash: each code reads where it was and how it moved, then the codes read each other.

use std::f32::consts::PI;

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, assert_shape};
use vqtoken_core::{GridShape, IndexMap};
use vqtoken_nn::ops::{PositionAttention, position_attention};
use vqtoken_nn::{
    Activation, FeedForward, FeedForwardConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig,
    MultiHeadAttention, MultiHeadAttentionConfig,
};

use super::path_features::{PATH_FEATURES, path_features};

const LAYER_NORM_EPSILON: f64 = 1e-6;

/// Time, row and column.
const AXES: usize = 3;

/// Configuration of a [`HashVqAttention`].
#[derive(Config, Debug)]
pub struct HashVqAttentionConfig {
    /// Features of a code (D).
    pub d_model: usize,
    /// Attention heads, over positions and between codes; a divisor of `d_model`.
    pub heads: usize,
    /// Frequencies of the position features, per axis.
    pub frequencies: usize,
    /// Time bins of a code's path, at least one.
    pub bins: usize,
    /// Inner features of the feed-forward blocks.
    pub feed_forward: usize,
}

/// A code attends over the positions that the token hash gives it, receives its path over time bins, and attends to
/// the other codes.
///
/// The label of a code does not matter: renumbering the codes permutes the output. Any T, H, W and K fit. Time is linear
/// in the positions and, for the attention between codes, quadratic in K; memory grows with K and not with the positions.
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

impl HashVqAttentionConfig {
    /// A module with parameters drawn when they are first read.
    pub fn init(&self, device: &Device) -> HashVqAttention {
        let Self { d_model, heads, frequencies, bins, feed_forward } = *self;
        let attended = heads * AXES * coordinate_features(frequencies);
        let block = |d_input| {
            let activation = Activation::Gelu;
            FeedForwardConfig { d_input, d_inner: feed_forward, d_output: d_model, activation }.init(device)
        };
        let norm = || LayerNormConfig::new(d_model).with_epsilon(LAYER_NORM_EPSILON).init(device);
        HashVqAttention {
            q_proj: LinearConfig::new(d_model, attended).init(device),
            out_proj: LinearConfig::new(attended, d_model).init(device),
            path: block(bins * PATH_FEATURES),
            norm1: norm(),
            self_attn: MultiHeadAttentionConfig::new(d_model, heads).init(device),
            norm2: norm(),
            feed_forward: block(d_model),
            heads,
            frequencies,
            bins,
        }
    }
}

impl HashVqAttention {
    /// # Shapes
    ///
    /// - codebook, output: `[K, D]`
    /// - index_map: `[T, H, W]` over K codes
    pub fn forward(&self, codebook: Tensor<2>, index_map: &IndexMap) -> Tensor<2> {
        self.forward_batch(codebook.unsqueeze(), std::slice::from_ref(index_map)).squeeze_dim(0)
    }

    /// Several clips at once.
    ///
    /// # Shapes
    ///
    /// - codebooks, output: `[clips, K, D]`
    /// - index_maps: `[clips]`, each of the same `[T, H, W]` over K codes
    ///
    /// # Panics
    ///
    /// Panics if there is not one map for each codebook, or maps differ in shape or in K.
    pub fn forward_batch(&self, codebooks: Tensor<3>, index_maps: &[IndexMap]) -> Tensor<3> {
        let [clips, codes, d] = codebooks.dims();
        assert_shape!(codebooks, [index_maps.len(), codes, self.d_model()]);
        for map in index_maps {
            assert_eq!(map.codes(), codes, "hash attention: codes of an index map against the codebook's");
            assert_eq!(map.shape(), index_maps[0].shape(), "hash attention: index maps of one batch");
        }
        let paths = index_maps.iter().flat_map(|map| path_features(map, self.bins)).collect::<Vec<f32>>();
        let paths = TensorData::new(paths, [clips, codes, self.bins * PATH_FEATURES]);
        let paths = Tensor::<3>::from_data(paths, &codebooks.device()); // [clips, K, bins * PATH_FEATURES]
        let attended = self.attend_positions(codebooks.clone(), index_maps); // [clips, K, heads * 3 * features]

        let x = codebooks + self.out_proj.forward(attended) + self.path.forward(paths); // [clips, K, D]
        let x = x.clone() + self.self_attn.forward(self.norm1.forward(x)); // [clips, K, D]
        let output = x.clone() + self.feed_forward.forward(self.norm2.forward(x)); // [clips, K, D]
        assert_shape!(output, [clips, codes, d]);
        output
    }

    /// Per code and head, the mean of the features of its positions, weighted by a softmax over these positions.
    ///
    /// A position's features are those of its time, its row and its column.
    ///
    /// # Shapes
    ///
    /// - codebooks: `[clips, K, D]`
    /// - output: `[clips, K, heads * 3 * features]`; zeros for a code without positions
    fn attend_positions(&self, codebooks: Tensor<3>, index_maps: &[IndexMap]) -> Tensor<3> {
        let [_, codes, _] = codebooks.dims();
        let shape = index_maps.first().map(IndexMap::shape);
        let GridShape { frames, height, width } =
            shape.unwrap_or(GridShape { frames: 0, height: 0, width: 0 });
        let shape = [frames, height, width];
        let tables = shape.map(|count| self.axis_table(count));
        let labels: Vec<&[u32]> = index_maps.iter().map(IndexMap::labels).collect();
        let attention = PositionAttention {
            labels: &labels,
            shape,
            codes,
            heads: self.heads,
            features: coordinate_features(self.frequencies),
            tables: tables.each_ref().map(Vec::as_slice),
        };
        let scale = (AXES as f64 * coordinate_features(self.frequencies) as f64).sqrt();
        let query = self.q_proj.forward(codebooks) / scale; // [clips, K, heads * 3 * features]
        position_attention(query, &attention)
    }

    /// Features of every coordinate of an axis, `[count, features]`.
    fn axis_table(&self, count: usize) -> Vec<f32> {
        (0..count).flat_map(|i| self.coordinate_features((i as f32 + 0.5) / count as f32)).collect()
    }

    /// A coordinate in [0, 1] as it is, and the sines and cosines of its multiples by powers of two of half a turn.
    fn coordinate_features(&self, coordinate: f32) -> impl Iterator<Item = f32> {
        let waves = (0..self.frequencies).flat_map(move |i| {
            let angle = PI * (1u64 << i.min(63)) as f32 * coordinate;
            [angle.sin(), angle.cos()]
        });
        std::iter::once(coordinate).chain(waves)
    }

    /// D.
    fn d_model(&self) -> usize {
        let [d_model, _] = self.out_proj.weight.lazy_shape().dims();
        d_model
    }
}

/// Features of a coordinate.
fn coordinate_features(frequencies: usize) -> usize {
    1 + 2 * frequencies
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Int;

    fn module(device: &Device) -> HashVqAttention {
        HashVqAttentionConfig::new(24, 4, 3, 5, 32).init(device)
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
        let (codes, maps) = (4, [map(shape, 4), map(shape, 3)]);
        let maps = maps.map(|map| IndexMap::new(shape, codes, map.labels().to_vec()).unwrap());
        let codebooks = codebook(2 * codes, &device).reshape([2, codes, 24]);
        let found: Vec<f32> =
            module.attend_positions(codebooks.clone(), &maps).into_data().try_to_vec().unwrap();
        let queries: Vec<f32> = module.q_proj.forward(codebooks).into_data().try_to_vec().unwrap();
        let features = AXES * coordinate_features(3);
        let coordinate = |i: usize, count: usize| -> Vec<f32> {
            module.coordinate_features((i as f32 + 0.5) / count as f32).collect()
        };
        for row in 0..2 * codes {
            let cells = maps[row / codes].labels().iter().enumerate();
            let positions: Vec<Vec<f32>> = cells
                .filter(|(_, label)| **label as usize == row % codes)
                .map(|(i, _)| {
                    [coordinate(i / 20, 3), coordinate(i / 5 % 4, 4), coordinate(i % 5, 5)].concat()
                })
                .collect();
            for head in 0..4 {
                let start = (row * 4 + head) * features;
                let query = &queries[start..start + features];
                let weight = |position: &Vec<f32>| -> f32 {
                    let dot: f32 = query.iter().zip(position).map(|(q, p)| q * p).sum();
                    (dot / (features as f32).sqrt()).exp()
                };
                let total: f32 = positions.iter().map(weight).sum();
                for feature in 0..features {
                    let sum: f32 =
                        positions.iter().map(|position| weight(position) * position[feature]).sum();
                    let expected = if positions.is_empty() { 0.0 } else { sum / total };
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
