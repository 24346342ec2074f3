//! A head that predicts how the object that a token shows has moved.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use vqtoken_nn::{Linear, LinearConfig};

use crate::losses::unit_rows;

/// Configuration of [`TrajectoryHeads`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrajectoryHeadsConfig {
    /// Features of a token.
    pub(crate) d_token: usize,
    /// Frames of a clip.
    pub(crate) frames: usize,
}

/// One linear map from a token to displacements.
#[derive(Module, Debug)]
pub(crate) struct TrajectoryHeads {
    displacements: Linear,
}

impl TrajectoryHeadsConfig {
    /// Heads whose parameters are drawn when they are first read.
    pub(crate) fn init(&self, device: &Device) -> TrajectoryHeads {
        let displacements = 2 * self.frames.saturating_sub(1);
        TrajectoryHeads { displacements: LinearConfig::new(self.d_token, displacements).init(device) }
    }
}

impl TrajectoryHeads {
    /// Displacements (down, right) since each earlier frame, the nearest first.
    ///
    /// # Shapes
    ///
    /// - tokens: `[n, D]`
    /// - output: `[n, 2 * (frames - 1)]`
    pub(crate) fn forward(&self, tokens: Tensor<2>) -> Tensor<2> {
        let [_, d] = tokens.dims();
        let unit = unit_rows(tokens); // [n, D]
        self.displacements.forward(unit * (d as f64).sqrt()) // [n, 2 * (frames - 1)]
    }
}
