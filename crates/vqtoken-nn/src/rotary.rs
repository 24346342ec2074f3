//! Rotary position embedding (Su et al., 2021) in the half-split layout of Qwen2 and Llama.

use burn::config::Config;
use burn::tensor::Tensor;

use crate::kernel_ops::Angles;
use crate::ops;

/// Configuration of a [`Rotary`] embedding.
#[derive(Config, Debug)]
pub struct RotaryConfig {
    /// Features of a head, an even number.
    pub head_dim: usize,
    /// The base of the wavelengths; Qwen2 uses 1e6.
    #[config(default = 1e4)]
    pub theta: f32,
}

/// Rotates pairs of features `(i, i + head_dim / 2)` by an angle proportional to the position.
#[derive(Clone, Copy, Debug)]
pub struct Rotary {
    head_dim: usize,
    theta: f32,
}

/// Cosines and sines of the angles of some positions, shared by all layers of a forward pass.
#[derive(Clone, Debug)]
pub struct RotaryAngles(Angles);

impl RotaryConfig {
    /// The embedding; it has no parameters.
    ///
    /// # Panics
    ///
    /// Panics if `head_dim` is odd.
    pub fn init(&self) -> Rotary {
        assert!(self.head_dim.is_multiple_of(2), "rotary: head_dim {} must be even", self.head_dim);
        Rotary { head_dim: self.head_dim, theta: self.theta }
    }
}

impl Rotary {
    /// The angles of positions, computed in f32 as the public implementations do: `[n]` positions that all sequences of a
    /// batch share, or `[batch * n]` if each has its own.
    pub fn angles(&self, positions: &[usize]) -> RotaryAngles {
        let half = self.head_dim / 2;
        let frequencies: Vec<f32> =
            (0..half).map(|i| 1.0 / self.theta.powf(2.0 * i as f32 / self.head_dim as f32)).collect();
        let table = |function: fn(f32) -> f32| {
            let row = |&position: &usize| frequencies.iter().map(move |f| function(position as f32 * f));
            positions.iter().flat_map(row).collect()
        };
        RotaryAngles(Angles { cos: table(f32::cos), sin: table(f32::sin) })
    }
}

impl RotaryAngles {
    /// # Shapes
    ///
    /// - x, output: `[batch, n, heads, head_dim]`
    ///
    /// # Panics
    ///
    /// Panics if these are not the angles of `n` or of `batch * n` positions.
    pub fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, n, heads, head_dim] = x.dims();
        if self.0.cos.len() == n * head_dim / 2 {
            return ops::rotate(x, &self.0);
        }
        let flat = x.reshape([1, batch * n, heads, head_dim]); // [1, batch * n, heads, head_dim]
        ops::rotate(flat, &self.0).reshape([batch, n, heads, head_dim])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, values};
    use burn::tensor::Device;

    #[test]
    fn products_depend_only_on_the_distance_of_positions() {
        let device = Device::flex();
        let rotary = RotaryConfig::new(8).init();
        let at = |seed, position| {
            let x = Tensor::<1>::from_floats(values(8, seed).as_slice(), &device).reshape([1, 1, 1, 8]);
            rotary.angles(&[position]).rotate(x)
        };
        let near = (at(1, 3) * at(2, 5)).sum();
        let far: f32 = (at(1, 103) * at(2, 105)).sum().into_scalar();
        assert_close(near, &[far], 1e-4);
    }

    #[test]
    fn position_zero_is_not_rotated() {
        let device = Device::flex();
        let x = values(2 * 6, 4);
        let tensor = Tensor::<1>::from_floats(x.as_slice(), &device).reshape([1, 1, 2, 6]);
        assert_close(RotaryConfig::new(6).with_theta(1e6).init().angles(&[0]).rotate(tensor), &x, 0.0);
    }
}
