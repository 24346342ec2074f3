//! Floating-point operations of the VQ-attention and of answering, counted from shapes as everywhere: a multiplication and an
//! addition are two; norms, activations and softmax are left out.

use crate::GridShape;
use vqtoken_model::config::{TextConfig, VqAttentionConfig};

/// Presence, centre and spread of a code in a time bin of its path.
const PATH_FEATURES: f64 = 5.0;

/// Of the VQ-attention over `codes` codes of `d` features; 0 without one.
pub(super) fn attention(config: Option<&VqAttentionConfig>, shape: GridShape, codes: usize, d: usize) -> f64 {
    let (k, d, positions) = (codes as f64, d as f64, shape.len() as f64);
    let feed_forward = |count: f64, inner: usize| 4.0 * count * d * inner as f64;
    // Four projections, the scores and the weighted sum.
    let attend = |count: f64| 8.0 * count * d * d + 4.0 * count * count * d;
    match config {
        None => 0.0,
        Some(VqAttentionConfig::Released { patches, feed_forward: inner, .. }) => {
            let count = shape.frames.max(codes) as f64;
            2.0 * count * *patches as f64 * d + 2.0 * attend(count) + feed_forward(count, *inner)
        }
        Some(VqAttentionConfig::Paper { positions }) => {
            // Queries, keys and values; the first layer of the map's MLP reads as many ones as there are positions.
            2.0 * *positions as f64 * d + 4.0 * 2.0 * k * d * d + 4.0 * k * k * d
        }
        Some(VqAttentionConfig::Hash { heads, frequencies, bins, feed_forward: inner }) => {
            let attended = (heads * 3 * (1 + 2 * frequencies)) as f64;
            let over_positions = 2.0 * 2.0 * k * d * attended + 2.0 * 2.0 * positions * attended;
            let path = 2.0 * k * *inner as f64 * (*bins as f64 * PATH_FEATURES + d);
            over_positions + path + attend(k) + feed_forward(k, *inner)
        }
    }
}

/// Of reading a prompt, and of the tokens generated after it: each is read once more but the last.
pub(super) fn answer(config: &TextConfig, prompt: usize, generated: usize) -> (f64, f64) {
    let read = (0..generated.saturating_sub(1)).map(|token| config.flops(1, prompt + token));
    (config.flops(prompt, 0), read.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_hand() {
        let shape = GridShape { frames: 2, height: 2, width: 2 };
        assert_eq!(attention(None, shape, 3, 4), 0.0);
        let released = VqAttentionConfig::Released { heads: 1, patches: 4, feed_forward: 5 };
        // Three rows: in 2*3*4*4, two attentions of 8*3*16 + 4*9*4, feed-forward 4*3*4*5.
        assert_eq!(attention(Some(&released), shape, 3, 4), 96.0 + 2.0 * (384.0 + 144.0) + 240.0);
        let paper = VqAttentionConfig::Paper { positions: 8 };
        assert_eq!(attention(Some(&paper), shape, 3, 4), 64.0 + 384.0 + 144.0);
        let hash = VqAttentionConfig::Hash { heads: 1, frequencies: 0, bins: 2, feed_forward: 5 };
        // Three features of a position: 4*3*4*3 + 4*8*3, path 2*3*5*(10 + 4), attention and feed-forward as above.
        assert_eq!(attention(Some(&hash), shape, 3, 4), 144.0 + 96.0 + 420.0 + 528.0 + 240.0);
    }

    #[test]
    fn the_last_token_is_not_read_again() {
        let config = TextConfig::qwen2_0_5b();
        let of = |generated| answer(&config, 40, generated);
        assert_eq!(of(0), (config.flops(40, 0), 0.0));
        assert_eq!(of(1).1, 0.0);
        assert_eq!(of(3).1, config.flops(1, 40) + config.flops(1, 41));
    }
}
