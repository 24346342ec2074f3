//! Heads that predict shape, colour and position of single frames' patches.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};
use vqtoken_nn::{Linear, LinearConfig, ops};
use vqtoken_shapes::{Colour, Shape};

use crate::losses::unit_rows;

/// Class 0 is "nothing", in shapes and in colours.
const SHAPE_CLASSES: usize = Shape::ALL.len() + 1;
const COLOUR_CLASSES: usize = Colour::ALL.len() + 1;

/// The factor from cosines to logits.
const SHARPNESS: f64 = 12.0;

/// Configuration of [`PatchHeads`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct PatchHeadsConfig {
    /// Features of a token.
    pub(crate) d_token: usize,
}

/// Prototypes of classes, which tokens are compared with by cosine as the quantizer compares them, and a linear map to
/// positions.
#[derive(Module, Debug)]
pub(crate) struct PatchHeads {
    /// `[shape classes, D]`
    shapes: Param<Tensor<2>>,
    /// `[colour classes, D]`
    colours: Param<Tensor<2>>,
    position: Linear,
}

/// What the heads predict for `n` tokens.
#[derive(Clone, Debug)]
pub(crate) struct PatchPredictions {
    /// Logits, `[n, shape classes]`.
    pub(crate) shapes: Tensor<2>,
    /// Logits, `[n, colour classes]`.
    pub(crate) colours: Tensor<2>,
    /// Row and column, each in `[-1, 1]`, `[n, 2]`.
    pub(crate) positions: Tensor<2>,
}

impl PatchHeadsConfig {
    /// Heads whose parameters are drawn when they are first read.
    pub(crate) fn init(&self, device: &Device) -> PatchHeads {
        let d = self.d_token;
        let prototypes = |classes| {
            Initializer::Normal { mean: 0.0, std: (d as f64).sqrt().recip() }.init([classes, d], device)
        };
        PatchHeads {
            shapes: prototypes(SHAPE_CLASSES),
            colours: prototypes(COLOUR_CLASSES),
            position: LinearConfig::new(d, 2).init(device),
        }
    }
}

impl PatchHeads {
    /// # Shapes
    ///
    /// - tokens: `[n, D]`
    pub(crate) fn forward(&self, tokens: Tensor<2>) -> PatchPredictions {
        let [_, d] = tokens.dims();
        assert_eq!(self.shapes.dims(), [SHAPE_CLASSES, d], "prototypes have the width of tokens");
        let unit = unit_rows(tokens); // [n, D]
        let compare =
            |prototypes: Tensor<2>| ops::linear(unit.clone(), unit_rows(prototypes), None) * SHARPNESS;
        PatchPredictions {
            shapes: compare(self.shapes.val()),   // [n, shape classes]
            colours: compare(self.colours.val()), // [n, colour classes]
            positions: self.position.forward(unit.clone() * (d as f64).sqrt()), // [n, 2]
        }
    }
}
