//! A table of learned vectors, for tokens or positions.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Int, Tensor, TensorData, assert_shape};

use crate::ops;
use crate::packed::{Pack, PackLayers, Packed, Wanted};

/// Configuration of an [`Embedding`].
#[derive(Config, Debug)]
pub struct EmbeddingConfig {
    /// Number of vectors.
    pub n_embedding: usize,
    /// Features of a vector.
    pub d_model: usize,
}

/// A table of vectors, looked up by index.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[n_embedding, d_model]`, initialized from N(0, 0.02).
    pub weight: Param<Tensor<2>>,
    /// Replaces the weight, which is then never initialized. For inference only.
    #[module(skip)]
    packed: Option<Packed>,
}

impl EmbeddingConfig {
    /// A table that is initialized on first use.
    pub fn init(&self, device: &Device) -> Embedding {
        let normal = Initializer::Normal { mean: 0.0, std: 0.02 };
        Embedding { weight: normal.init([self.n_embedding, self.d_model], device), packed: None }
    }
}

impl Embedding {
    /// The vectors of `ids`, in their order.
    ///
    /// # Shapes
    ///
    /// - output: `[ids.len(), d_model]`
    ///
    /// # Panics
    ///
    /// Panics if an id is not below `n_embedding`.
    pub fn forward(&self, ids: &[u32]) -> Tensor<2> {
        let [n_embedding, d_model] = self.shape();
        assert!(
            ids.iter().all(|&id| (id as usize) < n_embedding),
            "embedding: ids must be below {n_embedding}"
        );
        if let Some(packed) = &self.packed {
            let rows: Vec<f32> = ids.iter().flat_map(|&id| packed.row(id as usize)).collect();
            let data = TensorData::new(rows, [ids.len(), d_model]);
            return Tensor::from_data(data, &self.weight.lazy_device());
        }
        let weight = self.weight.val();
        let indices: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
        let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [ids.len()]), &weight.device());
        weight.select(0, indices)
    }

    /// The dot products of the inputs with every vector: the output layer of models with tied embeddings.
    ///
    /// # Shapes
    ///
    /// - x: `[.., d_model]`
    /// - output: `[.., n_embedding]`
    pub fn scores<const R: usize>(&self, x: Tensor<R>) -> Tensor<R> {
        let [_, d_model] = self.shape();
        assert_shape!(x, [.., d_model]);
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

    fn set_wanted(&mut self, wanted: Wanted) {
        if let Some(packed) = &mut self.packed {
            packed.set_wanted(wanted);
        }
    }
}

impl PackLayers for Embedding {
    fn for_each_packable(&mut self, path: &str, visit: &mut dyn FnMut(&str, &mut dyn Pack)) {
        visit(path, self);
    }
}
