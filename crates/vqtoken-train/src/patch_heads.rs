//! Heads that read shape, colour and place off the tokens of single frames.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};
use vqtoken_nn::{Linear, LinearConfig, ops};
use vqtoken_shapes::{Colour, Shape};

use crate::losses::unit_rows;

/// Classes of shapes and of colours, "nothing" being the first of each.
pub const SHAPES: usize = Shape::ALL.len() + 1;
/// See [`SHAPES`].
pub const COLOURS: usize = Colour::ALL.len() + 1;

/// How sharply cosines become probabilities.
const SHARPNESS: f64 = 12.0;

/// Prototypes of classes, compared with tokens by their cosine as the quantizer compares them, and a map to places.
#[derive(Module, Debug)]
pub struct PatchHeads {
    /// `[SHAPES, D]`
    shapes: Param<Tensor<2>>,
    /// `[COLOURS, D]`
    colours: Param<Tensor<2>>,
    place: Linear,
}

/// What the heads say about tokens.
#[derive(Clone, Debug)]
pub struct PatchGuesses {
    /// `[n, SHAPES]`
    pub shapes: Tensor<2>,
    /// `[n, COLOURS]`
    pub colours: Tensor<2>,
    /// Row and column, each in `[-1, 1]`, `[n, 2]`.
    pub place: Tensor<2>,
}

impl PatchHeads {
    /// Heads for tokens of `d` features.
    pub fn new(d: usize, device: &Device) -> Self {
        let prototypes = |classes| {
            Initializer::Normal { mean: 0.0, std: (d as f64).sqrt().recip() }.init([classes, d], device)
        };
        Self {
            shapes: prototypes(SHAPES),
            colours: prototypes(COLOURS),
            place: LinearConfig::new(d, 2).init(device),
        }
    }

    /// # Shapes
    ///
    /// - tokens: `[n, D]`
    pub fn forward(&self, tokens: Tensor<2>) -> PatchGuesses {
        let [_, d] = tokens.dims();
        let unit = unit_rows(tokens);
        let compare =
            |prototypes: Tensor<2>| ops::linear(unit.clone(), unit_rows(prototypes), None) * SHARPNESS;
        PatchGuesses {
            shapes: compare(self.shapes.val()),
            colours: compare(self.colours.val()),
            place: self.place.forward(unit.clone() * (d as f64).sqrt()),
        }
    }
}
