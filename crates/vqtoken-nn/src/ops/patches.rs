//! Square patches of pictures, as vision transformers read them.

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use super::has_kernels;
use crate::kernel_ops::PatchOps;

/// Cuts pictures into patches; pixels right of and below the last whole patch are left out.
///
/// # Shapes
///
/// - pixels: `[pictures, channels, height, width]`
/// - output: `[pictures, patches, channels * size * size]`, patches in rows from the top left
///
/// # Panics
///
/// Panics if `size` is 0.
pub fn patches(pixels: Tensor<4>, size: usize) -> Tensor<3> {
    assert!(size > 0, "patches: of no size");
    match has_kernels(&pixels) {
        true => Tensor::from_dispatch(<Dispatch as PatchOps>::kernel_patches(pixels.into_dispatch(), size)),
        false => by_views(pixels, size),
    }
}

fn by_views(pixels: Tensor<4>, size: usize) -> Tensor<3> {
    let [pictures, channels, height, width] = pixels.dims();
    let (rows, columns) = (height / size, width / size);
    pixels
        .slice([0..pictures, 0..channels, 0..rows * size, 0..columns * size])
        .reshape([pictures, channels, rows, size, columns, size])
        .permute([0, 2, 4, 1, 3, 5])
        .reshape([pictures, rows * columns, channels * size * size])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::values;
    use burn::tensor::Device;

    /// Of pictures that whole patches do not fill, and of views.
    #[test]
    fn patches_and_their_gradients_equal_those_of_views() {
        for (shape, size) in [([2, 3, 11, 7], 3), ([1, 1, 4, 8], 4), ([2, 2, 5, 5], 1), ([1, 2, 6, 9], 5)] {
            let device = Device::flex().autodiff();
            let random = |seed| {
                let values = values(shape.iter().product(), seed);
                Tensor::<1>::from_floats(values.as_slice(), &device)
            };
            let pixels = random(1).reshape(shape).swap_dims(2, 3).require_grad();
            let of = |cut: fn(Tensor<4>, usize) -> Tensor<3>| {
                let output = cut(pixels.clone(), size);
                let count = output.dims().iter().product();
                let loss = (output.clone().reshape([count]) * random(2).narrow(0, 0, count)).sum();
                let gradient = pixels.grad(&loss.backward()).unwrap();
                let of = |data: burn::tensor::TensorData| data.try_to_vec::<f32>().unwrap();
                (output.dims(), of(output.into_data()), of(gradient.into_data()))
            };
            assert_eq!(of(patches), of(by_views), "{shape:?} in patches of {size}");
        }
    }
}
