//! The VQ-attention of the paper's equations 6 and 7.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData, assert_shape};
use vqtoken_core::IndexMap;
use vqtoken_nn::{Activation, Causality, FeedForward, FeedForwardConfig, Linear, LinearConfig, ops};

use super::AttentionError;

/// What follows the first layer of the MLP over the index map.
const MAP_ACTIVATION: Activation = Activation::Gelu;

/// Configuration of a [`PaperVqAttention`].
#[derive(Config, Debug)]
pub struct PaperVqAttentionConfig {
    /// Features of a code (D).
    pub d_model: usize,
    /// Positions of the index map, `T * H * W`.
    pub positions: usize,
}

/// `softmax(Q K^T / sqrt(D)) V` with queries and keys from the codebook and values from the index map.
///
/// The paper takes the values from an MLP over the flattened map and needs one row a code. Here a code's row is
/// its own indicator over the flattened map, so the values do not depend on how codes are numbered; the number of
/// positions is fixed when the module is made.
#[derive(Module, Debug)]
pub struct PaperVqAttention {
    q_proj: Linear,
    k_proj: Linear,
    map_mlp: FeedForward,
    v_proj: Linear,
}

impl PaperVqAttentionConfig {
    /// A module with parameters drawn when they are first read.
    pub fn init(&self, device: &Device) -> PaperVqAttention {
        let Self { d_model, positions } = *self;
        let square = || LinearConfig::new(d_model, d_model).init(device);
        let map_mlp = FeedForwardConfig {
            d_input: positions,
            d_inner: d_model,
            d_output: d_model,
            activation: MAP_ACTIVATION,
        };
        PaperVqAttention {
            q_proj: square(),
            k_proj: square(),
            map_mlp: map_mlp.init(device),
            v_proj: square(),
        }
    }
}

impl PaperVqAttention {
    /// # Shapes
    ///
    /// - codebook, output: `[K, D]`
    /// - index_map: `[T, H, W]` over K codes
    ///
    /// # Errors
    ///
    /// If the map has another number of positions than the module was made for.
    pub fn forward(&self, codebook: Tensor<2>, index_map: &IndexMap) -> Result<Tensor<2>, AttentionError> {
        let [d_model, expected] = self.map_mlp.fc1.weight.dims();
        assert_shape!(codebook, [index_map.codes(), d_model]);
        let found = index_map.labels().len();
        if found != expected {
            return Err(AttentionError::Positions { expected, found });
        }
        let one_head = |x: Tensor<2>| x.unsqueeze::<3>().unsqueeze_dim::<4>(2); // [1, K, 1, D]
        let query = one_head(self.q_proj.forward(codebook.clone()));
        let key = one_head(self.k_proj.forward(codebook));
        let value = one_head(self.v_proj.forward(self.map_values(index_map)));
        let attended = ops::attention(query, key, value, Causality::Bidirectional); // [1, K, 1, D]
        Ok(attended.squeeze_dim::<3>(2).squeeze_dim::<2>(0))
    }

    /// The MLP of each code's indicator over the positions, `[K, D]`.
    ///
    /// The first layer times an indicator is the sum of the layer's columns at the code's positions, so no indicator is made.
    fn map_values(&self, index_map: &IndexMap) -> Tensor<2> {
        let columns = self.map_mlp.fc1.weight.val().transpose(); // [positions, D]
        let ([positions, d_model], device) = (columns.dims(), columns.device());
        let labels = index_map.labels().iter().map(|&label| i64::from(label)).collect();
        let labels = Tensor::<1, Int>::from_data(TensorData::new::<i64, _>(labels, [positions]), &device);
        let sums = Tensor::zeros([index_map.codes(), d_model], &device); // [K, D]
        let sums = sums.select_assign(0, labels, columns, IndexingUpdateOp::Add); // [K, D]
        let sums = match &self.map_mlp.fc1.bias {
            Some(bias) => sums + bias.val().unsqueeze(), // [K, D]
            None => sums,
        };
        self.map_mlp.fc2.forward(ops::activate(sums, MAP_ACTIVATION)) // [K, D]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vqtoken_core::GridShape;

    const SHAPE: GridShape = GridShape { frames: 3, height: 4, width: 5 };

    /// Code 6 of 7 never occurs.
    fn map() -> IndexMap {
        IndexMap::new(SHAPE, 7, (0..60).map(|i| (i * i / 3) % 6).collect()).unwrap()
    }

    /// Values and the gradient of the first layer's weight.
    fn of_form(module: &PaperVqAttention, form: impl Fn(&PaperVqAttention) -> Tensor<2>) -> [Vec<f32>; 2] {
        let output = form(module);
        let weights = (0..7 * 8).map(|i| (i as f32 * 0.7).sin()).collect();
        let weights = Tensor::<2>::from_data(TensorData::new::<f32, _>(weights, [7, 8]), &output.device());
        let gradients = (output.clone() * weights).sum().backward();
        let gradient = module.map_mlp.fc1.weight.grad(&gradients).unwrap();
        [output, gradient].map(|x| x.into_data().try_to_vec().unwrap())
    }

    #[test]
    fn sums_of_columns_are_the_layer_of_indicators() {
        let device = Device::flex().autodiff();
        let module = PaperVqAttentionConfig::new(8, 60).init(&device);
        let dense = |module: &PaperVqAttention| {
            let mut indicator = vec![0.0_f32; 7 * 60];
            map().labels().iter().enumerate().for_each(|(i, &code)| indicator[code as usize * 60 + i] = 1.0);
            module.map_mlp.forward(Tensor::<2>::from_data(TensorData::new(indicator, [7, 60]), &device))
        };
        let (sparse, dense) = (of_form(&module, |module| module.map_values(&map())), of_form(&module, dense));
        for (sparse, dense) in sparse.iter().zip(&dense) {
            assert!(sparse.iter().zip(dense).all(|(a, b)| (a - b).abs() < 1e-6), "{sparse:?}\n{dense:?}");
        }
    }
}
