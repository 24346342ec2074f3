//! What the transformers cost, counted from their shapes: a multiplication and an addition are two operations; norms,
//! activations, softmax and rotary positions, which are far below one percent, are left out.

use crate::config::{TextConfig, VisionConfig};

impl VisionConfig {
    /// Operations of the tower on `frames` frames.
    pub fn flops(&self, frames: usize) -> f64 {
        let [n, d, inner, patch] =
            [self.grid_side() * self.grid_side(), self.hidden_size, self.intermediate_size, self.patch_size]
                .map(|size| size as f64);
        let projections = 4.0 * 2.0 * n * d * d;
        let feed_forward = 2.0 * 2.0 * n * d * inner;
        let attention = 2.0 * 2.0 * n * n * d;
        let embedding = 2.0 * n * 3.0 * patch * patch * d;
        frames as f64 * (self.layers as f64 * (projections + feed_forward + attention) + embedding)
    }

    /// Operations of the projector to `d_text` features on `frames` frames.
    pub fn projector_flops(&self, d_text: usize, frames: usize) -> f64 {
        let positions = (frames * self.grid_side() * self.grid_side()) as f64;
        2.0 * positions * (self.hidden_size as f64 + d_text as f64) * d_text as f64
    }
}

impl TextConfig {
    /// Operations of reading `count` positions behind `past` others, and of the logits behind the last of them. Only what a
    /// position may attend to is counted.
    pub fn flops(&self, count: usize, past: usize) -> f64 {
        let [d, inner, queries, keys, n, past] = [
            self.hidden_size,
            self.intermediate_size,
            self.heads * self.head_dim,
            self.key_heads * self.head_dim,
            count,
            past,
        ]
        .map(|size| size as f64);
        let projections = 2.0 * n * d * (2.0 * queries + 2.0 * keys);
        let feed_forward = 3.0 * 2.0 * n * d * inner;
        let seen = n * past + n * (n + 1.0) / 2.0;
        let attention = 2.0 * 2.0 * queries * seen;
        let logits = 2.0 * d * self.vocabulary as f64;
        self.layers as f64 * (projections + feed_forward + attention) + logits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_models_cost_what_is_known_of_them() {
        let tower = VisionConfig::siglip_so400m();
        assert!((tower.flops(1) / 641.8e9 - 1.0).abs() < 1e-3, "{}", tower.flops(1));
        assert_eq!(tower.flops(3), 3.0 * tower.flops(1));
        // Two operations a weight: 0.494e9 weights, of which the embedding table is read once, for the logits.
        let step = TextConfig::qwen2_0_5b().flops(1, 0);
        assert!((step / (2.0 * 0.494e9) - 1.0).abs() < 0.01, "{step}");
    }
}
