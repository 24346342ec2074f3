//! The VQ-attention of the paper's equations 6 and 7.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use vqtoken_core::{IndexMap, TokenHash};
use vqtoken_nn::{Activation, FeedForward, Linear, LinearConfig, ops};

use crate::error::ModelError;

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

impl PaperVqAttention {
    /// A module for codes of `d` features over an index map of `positions` cells.
    pub fn new(d: usize, positions: usize, device: &Device) -> Self {
        let square = || LinearConfig::new(d, d).init(device);
        Self {
            q_proj: square(),
            k_proj: square(),
            map_mlp: FeedForward::new([positions, d, d], Activation::Gelu, device),
            v_proj: square(),
        }
    }

    /// # Shapes
    ///
    /// - codebook, output: `[K, D]`
    /// - index_map: `[T, H, W]`
    ///
    /// # Errors
    ///
    /// If the map has another number of positions than the module was made for.
    pub fn forward(&self, codebook: Tensor<2>, index_map: &IndexMap) -> Result<Tensor<2>, ModelError> {
        let positions = index_map.labels().len();
        let [_, expected] = self.map_mlp.fc1.weight.dims();
        if positions != expected {
            return Err(ModelError::AttentionInput(format!(
                "this checkpoint's VQ-attention reads index maps of {expected} positions, the video tokens have \
                 {positions}: sample as many frames as it was trained with"
            )));
        }
        let codes = codebook.dims()[0];
        let hash = TokenHash::new(index_map);
        let mut indicator = vec![0.0_f32; codes * positions];
        for code in 0..codes {
            for &position in hash.positions(code as u32) {
                indicator[code * positions + position as usize] = 1.0;
            }
        }
        let indicator =
            Tensor::<2>::from_data(TensorData::new(indicator, [codes, positions]), &codebook.device());

        let one_head = |x: Tensor<2>| x.unsqueeze::<3>().unsqueeze_dim::<4>(2);
        let query = one_head(self.q_proj.forward(codebook.clone()));
        let key = one_head(self.k_proj.forward(codebook));
        let value = one_head(self.v_proj.forward(self.map_mlp.forward(indicator)));
        Ok(ops::attention(query, key, value, false).squeeze_dim::<3>(2).squeeze_dim::<2>(0))
    }
}
