//! A table of learnt vectors: words or positions.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Rows looked up by number.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[rows, d]`, drawn from N(0, 0.02).
    pub weight: Param<Tensor<2>>,
}

impl Embedding {
    /// A table of `rows` vectors of `d` features.
    pub fn new(rows: usize, d: usize, device: &Device) -> Self {
        Self { weight: Initializer::Normal { mean: 0.0, std: 0.02 }.init([rows, d], device) }
    }

    /// The rows `ids`, in their order.
    ///
    /// # Shapes
    ///
    /// - output: `[ids, d]`
    ///
    /// # Panics
    ///
    /// Panics if an id is not a row of the table.
    pub fn forward(&self, ids: &[u32]) -> Tensor<2> {
        let weight = self.weight.val();
        let [rows, _] = weight.dims();
        assert!(ids.iter().all(|&id| (id as usize) < rows), "embedding: an id is not below {rows}");
        let ids: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
        let count = ids.len();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [count]), &weight.device());
        weight.select(0, ids)
    }
}
