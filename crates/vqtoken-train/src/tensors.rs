//! Between tensors and plain slices.

use burn::tensor::{Device, Int, Tensor, TensorData};

/// The device that everything is trained on: the CPU, with gradients.
pub(crate) fn training_device() -> Device {
    Device::flex().autodiff()
}

/// The numbers of a tensor, row by row.
#[expect(clippy::expect_used, reason = "float tensors hold f32 on the only device that is trained on")]
pub(crate) fn to_vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("float tensors hold f32")
}

/// The only number of a tensor.
pub(crate) fn scalar(tensor: &Tensor<1>) -> f64 {
    f64::from(tensor.clone().into_scalar::<f32>())
}

/// Indices as a tensor, `[n]`, for selecting rows and gathering classes.
pub(crate) fn indices(indices: &[u32], device: &Device) -> Tensor<1, Int> {
    let indices: Vec<i64> = indices.iter().map(|&index| i64::from(index)).collect();
    let count = indices.len();
    Tensor::from_data(TensorData::new(indices, [count]), device)
}
