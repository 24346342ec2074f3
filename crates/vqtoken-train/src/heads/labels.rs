//! Heads that predict the labels of the object that a token shows.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use vqtoken_nn::{Linear, LinearConfig};
use vqtoken_shapes::OBJECT_LABELS;

use crate::losses::unit_rows;

/// Configuration of [`LabelHeads`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct LabelHeadsConfig {
    /// Features of a token.
    pub(crate) d_token: usize,
}

/// One linear map from a token to the classes of all labels.
#[derive(Module, Debug)]
pub(crate) struct LabelHeads {
    classes: Linear,
}

impl LabelHeadsConfig {
    /// Heads whose parameters are drawn when they are first read.
    pub(crate) fn init(&self, device: &Device) -> LabelHeads {
        let classes = OBJECT_LABELS.iter().map(|label| label.classes).sum();
        LabelHeads { classes: LinearConfig::new(self.d_token, classes).init(device) }
    }
}

impl LabelHeads {
    /// Logits of every label. Only the direction of a token counts, as after the language model's first norm.
    ///
    /// # Shapes
    ///
    /// - tokens: `[n, D]`
    /// - output: `[n, classes]` for each of [`OBJECT_LABELS`]
    pub(crate) fn forward(&self, tokens: Tensor<2>) -> Vec<Tensor<2>> {
        let [n, d] = tokens.dims();
        let unit = unit_rows(tokens); // [n, D]
        let logits = self.classes.forward(unit * (d as f64).sqrt()); // [n, classes of all labels]
        let mut first = 0;
        OBJECT_LABELS
            .iter()
            .map(|label| {
                let range = first..first + label.classes;
                first = range.end;
                logits.clone().slice([0..n, range]) // [n, classes]
            })
            .collect()
    }
}
