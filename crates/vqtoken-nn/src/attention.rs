//! Multi-head attention, the same for the vision tower, the language model and the VQ-attention.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor, assert_shape};

use crate::kv_cache::KvCache;
use crate::linear::{Linear, LinearConfig};
use crate::rotary::RotaryAngles;
use crate::thread_pool::join_for_single_row;
use crate::{Causality, ops, pack_layers};

/// Configuration of a [`MultiHeadAttention`] layer.
#[derive(Config, Debug)]
pub struct MultiHeadAttentionConfig {
    /// Features of a token.
    pub d_model: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads, by default `heads`; fewer make it grouped-query attention.
    pub kv_heads: Option<usize>,
    /// Features of a head, by default `d_model / heads`.
    pub head_dim: Option<usize>,
    /// Whether the query, key and value projections have a bias.
    #[config(default = true)]
    pub input_bias: bool,
    /// Whether the output projection has a bias.
    #[config(default = true)]
    pub output_bias: bool,
}

/// Projections of tokens to queries, keys and values, [attention](ops::attention), and a projection back.
#[derive(Module, Debug)]
pub struct MultiHeadAttention {
    /// `d_model` to `heads * head_dim`.
    pub q_proj: Linear,
    /// `d_model` to `kv_heads * head_dim`.
    pub k_proj: Linear,
    /// `d_model` to `kv_heads * head_dim`.
    pub v_proj: Linear,
    /// `heads * head_dim` to `d_model`.
    pub out_proj: Linear,
    #[module(skip)]
    head_dim: usize,
}

impl MultiHeadAttentionConfig {
    /// A layer with parameters initialized as in [`LinearConfig::init`].
    pub fn init(&self, device: &Device) -> MultiHeadAttention {
        let head_dim = self.head_dim.unwrap_or(self.d_model / self.heads.max(1));
        let d_query = self.heads * head_dim;
        let d_key = self.kv_heads.unwrap_or(self.heads) * head_dim;
        let linear =
            |d_input, d_output, bias| LinearConfig::new(d_input, d_output).with_bias(bias).init(device);
        MultiHeadAttention {
            q_proj: linear(self.d_model, d_query, self.input_bias),
            k_proj: linear(self.d_model, d_key, self.input_bias),
            v_proj: linear(self.d_model, d_key, self.input_bias),
            out_proj: linear(d_query, self.d_model, self.output_bias),
            head_dim,
        }
    }
}

impl MultiHeadAttention {
    /// Self-attention: every token attends to every token of its sequence. The output is added to `residual`.
    ///
    /// # Shapes
    ///
    /// - x, residual, output: `[batch, n, d_model]`
    pub fn forward_added(&self, x: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        assert_shape!(residual, [.., self.q_proj.d_input()]);
        let attended = self.attend_to_itself(x); // [batch, n, heads * head_dim]
        self.out_proj.forward_added(attended, residual) // [batch, n, d_model]
    }

    /// Self-attention: every token attends to every token of its sequence.
    ///
    /// # Shapes
    ///
    /// - x, output: `[batch, n, d_model]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.out_proj.forward(self.attend_to_itself(x)) // [batch, n, d_model]
    }

    /// Cross-attention: tokens of `x` attend to those of `memory`.
    ///
    /// # Shapes
    ///
    /// - x, output: `[batch, n, d_model]`
    /// - memory: `[batch, m, d_model]`
    pub fn forward_cross(&self, x: Tensor<3>, memory: Tensor<3>) -> Tensor<3> {
        assert_shape!(x, [.., self.q_proj.d_input()]);
        assert_shape!(memory, [.., self.k_proj.d_input()]);
        let query = self.q_proj.forward(x); // [batch, n, heads * head_dim]
        let [key, value] = Linear::forward_all([&self.k_proj, &self.v_proj], memory); // [batch, m, kv_heads * head_dim]
        self.out_proj.forward(self.attend([query, key, value])) // [batch, n, d_model]
    }

    /// Causal self-attention: tokens attend to the ones in `cache`, to those of `x` before them and to themselves. The keys
    /// and values of `x` are added to `cache`, the output to `residual`.
    ///
    /// # Shapes
    ///
    /// - x, residual, output: `[batch, n, d_model]`
    pub fn forward_causal(
        &self,
        x: Tensor<3>,
        residual: Tensor<3>,
        angles: &RotaryAngles,
        cache: &mut KvCache,
    ) -> Tensor<3> {
        let (query, key, value) = self.project_causal(x, &residual, angles);
        let (keys, values) = cache.extend(key, value); // [batch, cached + n, kv_heads, head_dim]
        let attended = ops::attention(query, keys, values, Causality::Causal); // [batch, n, heads, head_dim]
        self.out_proj.forward_added(merge_heads(attended), residual) // [batch, n, d_model]
    }

    /// [`Self::forward_causal`] for the next tokens of several texts, one text after the other. Each attends to its own cache, and the
    /// caches may hold any number of tokens. A text may go on for several parts, which attend as if they were read one after the other.
    ///
    /// # Shapes
    ///
    /// - x, residual, output: `[1, n, d_model]`
    /// - angles: of `[n]` positions
    /// - counts: `[texts]` of `[parts]`, how many of the `n` tokens are in each part
    /// - caches: `[texts]`, of one text each
    pub fn forward_texts(
        &self,
        x: Tensor<3>,
        residual: Tensor<3>,
        angles: &RotaryAngles,
        counts: &[Vec<usize>],
        caches: &mut [&mut KvCache],
    ) -> Tensor<3> {
        assert_shape!(x, [1, counts.iter().flatten().sum(), self.q_proj.d_input()]);
        assert_eq!(counts.len(), caches.len(), "attention of several texts: counts against caches");
        if let ([cache], [parts]) = (&mut *caches, counts)
            && parts.len() == 1
        {
            return self.forward_causal(x, residual, angles, cache);
        }
        let (query, key, value) = self.project_causal(x, &residual, angles);
        let (mut start, mut attended) = (0, Vec::new());
        for (parts, cache) in counts.iter().zip(caches) {
            for &count in parts {
                let of_part = |x: &Tensor<4>| x.clone().narrow(1, start, count);
                let (query, key, value) = (of_part(&query), of_part(&key), of_part(&value));
                start += count;
                let (keys, values) = cache.extend(key, value); // [1, cached + count, kv_heads, head_dim]
                attended.push(ops::attention(query, keys, values, Causality::Causal)); // [1, count, heads, head_dim]
            }
        }
        let attended = Tensor::cat(attended, 1); // [1, n, heads, head_dim]
        self.out_proj.forward_added(merge_heads(attended), residual) // [1, n, d_model]
    }

    /// Rotated queries `[batch, n, heads, head_dim]`, rotated keys and values `[batch, n, kv_heads, head_dim]`.
    fn project_causal(
        &self,
        x: Tensor<3>,
        residual: &Tensor<3>,
        angles: &RotaryAngles,
    ) -> (Tensor<4>, Tensor<4>, Tensor<4>) {
        let [batch, n, _] = x.dims();
        assert_shape!(x, [batch, n, self.q_proj.d_input()]);
        assert_shape!(residual, [batch, n, self.q_proj.d_input()]);
        let [query, key, value] = match n {
            1 => {
                let (query, [key, value]) = join_for_single_row(
                    n,
                    || self.q_proj.forward(x.clone()), // [batch, 1, heads * head_dim]
                    || [&self.k_proj, &self.v_proj].map(|layer| layer.forward(x.clone())), // [batch, 1, kv_heads * head_dim]
                );
                [query, key, value]
            }
            _ => self.project(x),
        }
        .map(|x| self.split_heads(x));
        (angles.rotate(query), angles.rotate(key), value)
    }

    /// [`Self::forward_causal`] for the next token of each of several texts, whose caches may hold any number of tokens.
    ///
    /// # Shapes
    ///
    /// - x, residual, output: `[texts, 1, d_model]`
    /// - angles: of `[texts]` positions
    /// - caches: `[texts]`, of one text each
    pub fn forward_step(
        &self,
        x: Tensor<3>,
        residual: Tensor<3>,
        angles: &RotaryAngles,
        caches: &mut [&mut KvCache],
    ) -> Tensor<3> {
        let texts = caches.len();
        assert_shape!(x, [texts, 1, self.q_proj.d_input()]);
        assert_shape!(residual, [texts, 1, self.q_proj.d_input()]);
        let [query, key, value] = self.project(x).map(|x| self.split_heads(x)); // [texts, 1, heads or kv_heads, head_dim]
        let (query, key) = (angles.rotate(query), angles.rotate(key));
        let attended = ops::step_attention(query, key, value, caches); // [texts, 1, heads, head_dim]
        self.out_proj.forward_added(merge_heads(attended), residual) // [texts, 1, d_model]
    }

    /// Queries `[batch, n, heads * head_dim]`, keys and values `[batch, n, kv_heads * head_dim]`.
    fn project(&self, x: Tensor<3>) -> [Tensor<3>; 3] {
        Linear::forward_all([&self.q_proj, &self.k_proj, &self.v_proj], x)
    }

    /// Self-attention without the output projection, `[batch, n, heads * head_dim]`.
    fn attend_to_itself(&self, x: Tensor<3>) -> Tensor<3> {
        assert_shape!(x, [.., self.q_proj.d_input()]);
        self.attend(self.project(x))
    }

    /// Attention of queries, keys and values of all heads, `[batch, n, heads * head_dim]`.
    fn attend(&self, projections: [Tensor<3>; 3]) -> Tensor<3> {
        let [query, key, value] = projections.map(|x| self.split_heads(x));
        merge_heads(ops::attention(query, key, value, Causality::Bidirectional))
    }

    /// `[batch, n, heads * head_dim]` to `[batch, n, heads, head_dim]`.
    fn split_heads(&self, x: Tensor<3>) -> Tensor<4> {
        let [batch, n, features] = x.dims();
        x.reshape([batch, n, features / self.head_dim, self.head_dim])
    }
}

/// `[batch, n, heads, head_dim]` to `[batch, n, heads * head_dim]`.
fn merge_heads(x: Tensor<4>) -> Tensor<3> {
    let [batch, n, heads, head_dim] = x.dims();
    x.reshape([batch, n, heads * head_dim])
}

pack_layers!(MultiHeadAttention { q_proj, k_proj, v_proj, out_proj });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rotary::RotaryConfig;
    use crate::testing::{assert_close, values};

    #[test]
    fn steps_with_the_cache_equal_one_pass_over_the_prompt() {
        let device = Device::flex();
        let config = MultiHeadAttentionConfig::new(12, 6).with_kv_heads(Some(2)).with_head_dim(Some(4));
        let layer = config.init(&device);
        let rotary = RotaryConfig::new(4).init();
        let (n, d) = (7, 12);
        let x = Tensor::<1>::from_floats(values(n * d, 5).as_slice(), &device).reshape([1, n, d]);

        let positions: Vec<usize> = (0..n).collect();
        let angles = rotary.angles(&positions);
        let whole = layer.forward_causal(x.clone(), x.clone(), &angles, &mut KvCache::default());
        let mut cache = KvCache::default();
        let steps: Vec<_> = (0..n)
            .map(|i| {
                let token = x.clone().slice([0..1, i..i + 1, 0..d]);
                layer.forward_causal(token.clone(), token, &rotary.angles(&[i]), &mut cache)
            })
            .collect();
        let expected: Vec<f32> = whole.into_data().try_to_vec().unwrap();
        assert_close(Tensor::cat(steps, 1), &expected, 1e-5);
    }

    /// Six heads of four features over twelve, two of keys and values.
    fn grouped_layer() -> MultiHeadAttention {
        let config = MultiHeadAttentionConfig::new(12, 6).with_kv_heads(Some(2)).with_head_dim(Some(4));
        config.init(&Device::flex())
    }

    /// `n` tokens of that layer, `[1, n, 12]`.
    fn input(n: usize, seed: u32) -> Tensor<3> {
        Tensor::<1>::from_floats(values(n * 12, seed).as_slice(), &Device::flex()).reshape([1, n, 12])
    }

    #[test]
    fn several_texts_are_read_as_each_alone() {
        let layer = grouped_layer();
        let rotary = RotaryConfig::new(4).init();
        // Of 2, 0 and 5 tokens, and the next 3, 4 and 1 of each, which are read as parts of 2 and 1, 4, and 1.
        let read = [2, 0, 5].map(|n: usize| {
            let mut cache = KvCache::default();
            if n > 0 {
                let (x, positions) = (input(n, n as u32), (0..n).collect::<Vec<_>>());
                layer.forward_causal(x.clone(), x, &rotary.angles(&positions), &mut cache);
            }
            cache
        });
        let (counts, starts) = ([3, 4, 1], [2, 0, 5]);
        let next = [input(3, 6), input(4, 7), input(1, 8)];
        let positions = |text: usize| (starts[text]..starts[text] + counts[text]).collect::<Vec<_>>();
        let alone: Vec<Tensor<3>> = (0..3)
            .map(|text| {
                let (x, mut cache) = (next[text].clone(), read[text].clone());
                layer.forward_causal(x.clone(), x, &rotary.angles(&positions(text)), &mut cache)
            })
            .collect();
        let x = Tensor::cat(next.to_vec(), 1);
        let angles = rotary.angles(&[positions(0), positions(1), positions(2)].concat());
        let mut caches = read;
        let mut borrowed: Vec<&mut KvCache> = caches.iter_mut().collect();
        let parts = [vec![2, 1], vec![4], vec![1]];
        let together = layer.forward_texts(x.clone(), x, &angles, &parts, &mut borrowed);
        assert_eq!(caches.map(|cache| cache.len()), [5, 4, 6]);
        let expected: Vec<f32> = Tensor::cat(alone, 1).into_data().try_to_vec().unwrap();
        assert_close(together, &expected, 1e-5);
    }

    #[test]
    fn a_step_of_several_texts_is_a_step_of_each() {
        let layer = grouped_layer();
        let rotary = RotaryConfig::new(4).init();
        // Texts of 3, 1 and 6 tokens, and the next one of each.
        let mut caches: Vec<KvCache> = [(3, 1), (1, 2), (6, 3)]
            .map(|(n, seed)| {
                let mut cache = KvCache::default();
                let positions: Vec<usize> = (0..n).collect();
                let x = input(n, seed);
                layer.forward_causal(x.clone(), x, &rotary.angles(&positions), &mut cache);
                cache
            })
            .into();
        let next = [input(1, 4), input(1, 5), input(1, 6)];
        let alone: Vec<Tensor<3>> = (0..3)
            .map(|text| {
                let (x, mut cache) = (next[text].clone(), caches[text].clone());
                let angles = rotary.angles(&[cache.len()]);
                layer.forward_causal(x.clone(), x, &angles, &mut cache)
            })
            .collect();
        let x = Tensor::cat(next.to_vec(), 0);
        let angles = rotary.angles(&[3, 1, 6]);
        let mut caches: Vec<&mut KvCache> = caches.iter_mut().collect();
        let together = layer.forward_step(x.clone(), x, &angles, &mut caches);
        assert_eq!(caches[2].len(), 7);
        let expected: Vec<f32> = Tensor::cat(alone, 0).into_data().try_to_vec().unwrap();
        assert_close(together, &expected, 1e-5);
    }
}
