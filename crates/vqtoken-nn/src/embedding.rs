//! A table of learnt vectors: words or positions.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::ops;
use crate::packed::{Pack, PackLayers, Packed};

/// Rows looked up by number.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[rows, d]`, drawn from N(0, 0.02).
    pub weight: Param<Tensor<2>>,
    /// Stands for the weight, which then is never drawn, in models that only infer.
    #[module(skip)]
    packed: Option<Packed>,
}

impl Embedding {
    /// A table of `rows` vectors of `d` features.
    pub fn new(rows: usize, d: usize, device: &Device) -> Self {
        Self { weight: Initializer::Normal { mean: 0.0, std: 0.02 }.init([rows, d], device), packed: None }
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
        if let Some(packed) = &self.packed {
            let rows: Vec<f32> = ids.iter().flat_map(|&id| packed.row(id as usize)).collect();
            let shape = [ids.len(), packed.inputs()];
            return Tensor::from_data(TensorData::new(rows, shape), &self.weight.lazy_device());
        }
        let weight = self.weight.val();
        let [rows, _] = weight.dims();
        assert!(ids.iter().all(|&id| (id as usize) < rows), "embedding: an id is not below {rows}");
        let ids: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
        let count = ids.len();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [count]), &weight.device());
        weight.select(0, ids)
    }

    /// The dot product of every row with every input: the output layer of models that tie it to the table.
    ///
    /// # Shapes
    ///
    /// - x: `[n, d]`
    /// - output: `[n, rows]`
    pub fn scores(&self, x: Tensor<2>) -> Tensor<2> {
        match &self.packed {
            Some(packed) => ops::packed_linear(x, packed, None, None),
            None => ops::linear(x, self.weight.val(), None),
        }
    }
}

impl Pack for Embedding {
    fn shape(&self) -> [usize; 2] {
        self.weight.lazy_shape().dims()
    }

    fn has_bias(&self) -> bool {
        false
    }

    fn packed_bytes(&self) -> usize {
        self.packed.as_ref().map_or(0, Packed::bytes)
    }

    fn set_packed(&mut self, packed: Packed) {
        self.packed = Some(packed);
    }
}

impl PackLayers for Embedding {
    fn for_each_packable(&mut self, path: &str, visit: &mut dyn FnMut(&str, &mut dyn Pack)) {
        visit(path, self);
    }
}
