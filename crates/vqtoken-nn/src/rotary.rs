//! Rotary position embedding (Su et al., 2021) in the half-split form of Qwen2 and Llama.

use burn::tensor::Tensor;

use crate::kernel_ops::Angles;
use crate::ops;

/// Turns pairs of features `(i, i + head_dim / 2)` by an angle that grows with the position.
#[derive(Clone, Copy, Debug)]
pub struct Rotary {
    head_dim: usize,
    theta: f32,
}

/// Cosines and sines of some positions, shared by all layers of a forward pass.
#[derive(Clone, Debug)]
pub struct RotaryAngles(Angles);

impl Rotary {
    /// `head_dim` is even; `theta` is the base of the wavelengths (1e6 for Qwen2).
    pub fn new(head_dim: usize, theta: f32) -> Self {
        Self { head_dim, theta }
    }

    /// Angles of positions, computed in f32 as the public implementations do: `[n]` of them for all texts of a batch, or
    /// `[batch * n]` if each has its own.
    pub fn angles(&self, positions: &[usize]) -> RotaryAngles {
        let half = self.head_dim / 2;
        let frequencies: Vec<f32> =
            (0..half).map(|i| 1.0 / self.theta.powf(2.0 * i as f32 / self.head_dim as f32)).collect();
        let table = |function: fn(f32) -> f32| {
            let of = |&position: &usize| frequencies.iter().map(move |f| function(position as f32 * f));
            positions.iter().flat_map(of).collect()
        };
        RotaryAngles(Angles { cos: table(f32::cos), sin: table(f32::sin) })
    }
}

impl RotaryAngles {
    /// # Shapes
    ///
    /// - x, output: `[batch, count, heads, head_dim]`
    pub fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, count, heads, head_dim] = x.dims();
        if self.0.cos.len() == count * head_dim / 2 {
            return ops::rotate(x, &self.0);
        }
        let flat = x.reshape([1, batch * count, heads, head_dim]);
        ops::rotate(flat, &self.0).reshape([batch, count, heads, head_dim])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, numbers};
    use burn::tensor::Device;

    #[test]
    fn rotation_depends_on_the_distance_alone() {
        let device = Device::flex();
        let rotary = Rotary::new(8, 1e4);
        let at = |seed, position| {
            let x = Tensor::<1>::from_floats(numbers(8, seed).as_slice(), &device).reshape([1, 1, 1, 8]);
            rotary.angles(&[position]).rotate(x)
        };
        let near = (at(1, 3) * at(2, 5)).sum();
        let far: f32 = (at(1, 103) * at(2, 105)).sum().into_scalar();
        assert_close(near, &[far], 1e-4);
    }

    #[test]
    fn position_zero_stays() {
        let device = Device::flex();
        let x = numbers(2 * 6, 4);
        let tensor = Tensor::<1>::from_floats(x.as_slice(), &device).reshape([1, 1, 2, 6]);
        assert_close(Rotary::new(6, 1e6).angles(&[0]).rotate(tensor), &x, 0.0);
    }
}
