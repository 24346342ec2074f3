//! Multi-head attention, the same for the vision tower, the language model and the VQ-attention.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::kernel_ops::both;
use crate::kv_cache::KvCache;
use crate::linear::{Linear, LinearConfig};
use crate::ops;
use crate::pack_layers;
use crate::rotary::RotaryAngles;

/// Configuration of a [`MultiHeadAttention`] layer.
#[derive(Config, Debug)]
pub struct MultiHeadAttentionConfig {
    /// Features of a token.
    pub d_model: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; fewer than `heads` makes it grouped-query attention.
    pub key_heads: usize,
    /// Features of a head.
    pub head_dim: usize,
    /// Whether queries, keys and values have a bias.
    #[config(default = true)]
    pub input_bias: bool,
    /// Whether the output has a bias.
    #[config(default = true)]
    pub output_bias: bool,
}

/// Projections of tokens to queries, keys and values, [attention](ops::attention), and a projection back.
#[derive(Module, Debug)]
pub struct MultiHeadAttention {
    /// `d_model` to `heads * head_dim`.
    pub q_proj: Linear,
    /// `d_model` to `key_heads * head_dim`.
    pub k_proj: Linear,
    /// `d_model` to `key_heads * head_dim`.
    pub v_proj: Linear,
    /// `heads * head_dim` to `d_model`.
    pub out_proj: Linear,
    #[module(skip)]
    head_dim: usize,
}

impl MultiHeadAttentionConfig {
    /// As many key heads as query heads, which share the features evenly.
    pub fn even(d_model: usize, heads: usize) -> Self {
        Self::new(d_model, heads, heads, d_model / heads)
    }

    /// A layer with parameters drawn as in [`LinearConfig::init`].
    pub fn init(&self, device: &Device) -> MultiHeadAttention {
        let linear =
            |d_input, d_output, bias| LinearConfig::new(d_input, d_output).with_bias(bias).init(device);
        let (inner, key_inner) = (self.heads * self.head_dim, self.key_heads * self.head_dim);
        MultiHeadAttention {
            q_proj: linear(self.d_model, inner, self.input_bias),
            k_proj: linear(self.d_model, key_inner, self.input_bias),
            v_proj: linear(self.d_model, key_inner, self.input_bias),
            out_proj: linear(inner, self.d_model, self.output_bias),
            head_dim: self.head_dim,
        }
    }
}

impl MultiHeadAttention {
    /// Every token attends to every token of the same batch entry; the output is added to `residual`.
    ///
    /// # Shapes
    ///
    /// - x, residual, output: `[batch, n, d_model]`
    pub fn forward_added(&self, x: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        let attended = self.attend(x.clone(), x);
        self.out_proj.forward_added(attended, residual)
    }

    /// Every token attends to every token of the same batch entry.
    ///
    /// # Shapes
    ///
    /// - x, output: `[batch, n, d_model]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.forward_cross(x.clone(), x)
    }

    /// Tokens of `x` attend to those of `memory`.
    ///
    /// # Shapes
    ///
    /// - x, output: `[batch, n, d_model]`
    /// - memory: `[batch, m, d_model]`
    pub fn forward_cross(&self, x: Tensor<3>, memory: Tensor<3>) -> Tensor<3> {
        self.out_proj.forward(self.attend(x, memory))
    }

    /// Tokens attend to those before them: the ones in `cache`, which this call extends, and the ones in `x`. The output
    /// is added to `residual`.
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
        let project = |projection: &Linear, x: &Tensor<3>| self.split(projection.forward(x.clone()));
        let (query, (key, value)) = both(
            x.dims()[1],
            || angles.rotate(project(&self.q_proj, &x)),
            || (angles.rotate(project(&self.k_proj, &x)), project(&self.v_proj, &x)),
        );
        let (keys, values) = cache.extend(key, value);
        self.out_proj.forward_added(merge(ops::attention(query, keys, values, true)), residual)
    }

    /// What the heads gather, side by side: `[batch, n, heads * head_dim]`.
    fn attend(&self, x: Tensor<3>, memory: Tensor<3>) -> Tensor<3> {
        let query = self.split(self.q_proj.forward(x));
        let key = self.split(self.k_proj.forward(memory.clone()));
        let value = self.split(self.v_proj.forward(memory));
        merge(ops::attention(query, key, value, false))
    }

    /// `[batch, n, heads * head_dim]` to `[batch, n, heads, head_dim]`.
    fn split(&self, x: Tensor<3>) -> Tensor<4> {
        let [batch, n, inner] = x.dims();
        x.reshape([batch, n, inner / self.head_dim, self.head_dim])
    }
}

/// `[batch, n, heads, head_dim]` to `[batch, n, heads * head_dim]`.
fn merge(x: Tensor<4>) -> Tensor<3> {
    let [batch, n, heads, head_dim] = x.dims();
    x.reshape([batch, n, heads * head_dim])
}

pack_layers!(MultiHeadAttention { q_proj, k_proj, v_proj, out_proj });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rotary::Rotary;
    use crate::testing::{assert_close, numbers};

    #[test]
    fn a_step_with_the_cache_equals_the_whole_prompt() {
        let device = Device::flex();
        let layer = MultiHeadAttentionConfig::new(12, 6, 2, 4).init(&device);
        let rotary = Rotary::new(4, 1e4);
        let (n, d) = (7, 12);
        let x = Tensor::<1>::from_floats(numbers(n * d, 5).as_slice(), &device).reshape([1, n, d]);

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
}
