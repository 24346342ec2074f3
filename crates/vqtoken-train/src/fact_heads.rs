//! Heads that read facts about objects off the tokens of their codes.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use vqtoken_nn::{Linear, LinearConfig};
use vqtoken_shapes::FACTS;

use crate::losses::unit_rows;

/// One linear map from a token to the classes of all facts.
#[derive(Module, Debug)]
pub struct FactHeads {
    classes: Linear,
}

impl FactHeads {
    /// Heads for tokens of `d` features.
    pub fn new(d: usize, device: &Device) -> Self {
        let classes = FACTS.iter().map(|fact| fact.classes).sum();
        Self { classes: LinearConfig::new(d, classes).init(device) }
    }

    /// Logits of every fact. Tokens count by their direction, as behind the language model's first norm.
    ///
    /// # Shapes
    ///
    /// - tokens: `[n, D]`
    /// - output: for each of [`FACTS`] `[n, classes]`
    pub fn forward(&self, tokens: Tensor<2>) -> Vec<Tensor<2>> {
        let [n, d] = tokens.dims();
        let logits = self.classes.forward(unit_rows(tokens) * (d as f64).sqrt());
        let mut first = 0;
        FACTS
            .iter()
            .map(|fact| {
                let range = first..first + fact.classes;
                first = range.end;
                logits.clone().slice([0..n, range])
            })
            .collect()
    }
}
