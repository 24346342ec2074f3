//! Values out of tensors.

use burn::tensor::Tensor;

use crate::error::ModelError;

/// The values of a tensor, in row-major order.
pub(crate) fn to_vec<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ModelError> {
    tensor.into_data().try_into_vec().map_err(|error| ModelError::TensorData(error.to_string()))
}
