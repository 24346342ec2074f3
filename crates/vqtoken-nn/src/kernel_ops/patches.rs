//! Square patches of pictures, on `Flex` and `Autodiff<Flex>`.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use rayon::prelude::*;

use super::{FlexTensor, dense, dims, slice, tensor, zeros};

/// The operation that cuts pictures.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait PatchOps: Backend {
    /// `[pictures, channels, height, width]` to `[pictures, patches, channels * size * size]`, patches in rows from the top left.
    fn kernel_patches(pixels: FloatTensor<Self>, size: usize) -> FloatTensor<Self>;
}

impl PatchOps for Flex {
    fn kernel_patches(pixels: FlexTensor, size: usize) -> FlexTensor {
        let pixels = dense(pixels);
        let pictures = Pictures { shape: dims(&pixels), size };
        let shape = [pictures.shape[0], pictures.patches(), pictures.patch_len()];
        let mut patches = zeros(shape.iter().product());
        pictures.cut(slice(&pixels), &mut patches);
        tensor(patches, shape.into())
    }
}

impl<C: CheckpointStrategy> PatchOps for Autodiff<Flex, C> {
    fn kernel_patches(pixels: FloatTensor<Self>, size: usize) -> FloatTensor<Self> {
        let node = pixels.node();
        let pixels = pixels.into_primitive();
        let pictures = Pictures { shape: dims(&pixels), size };
        let patches = Flex::kernel_patches(pixels, size);
        match PatchGradient.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(pictures, patches),
            OpsKind::UnTracked(prepared) => prepared.finish(patches),
        }
    }
}

/// Pictures `[pictures, channels, height, width]` and the width of their patches; what lies right of or below the last whole patch belongs to none.
#[derive(Clone, Debug)]
struct Pictures {
    shape: [usize; 4],
    size: usize,
}

impl Pictures {
    /// Rows and columns of patches.
    fn grid(&self) -> [usize; 2] {
        [self.shape[2] / self.size, self.shape[3] / self.size]
    }

    fn patches(&self) -> usize {
        self.grid().iter().product()
    }

    fn patch_len(&self) -> usize {
        self.shape[1] * self.size * self.size
    }

    /// Copies pixels to patches.
    fn cut(&self, pixels: &[f32], patches: &mut [f32]) {
        let ([_, channels, height, width], size, [rows, columns]) = (self.shape, self.size, self.grid());
        patches.par_chunks_mut((columns * self.patch_len()).max(1)).enumerate().for_each(
            |(index, patches)| {
                let (picture, row) = (index / rows, index % rows);
                for (line, to) in patches.chunks_exact_mut(size).enumerate() {
                    let (column, channel, y) = (line / size / channels, line / size % channels, line % size);
                    let start = ((picture * channels + channel) * height + row * size + y) * width;
                    to.copy_from_slice(&pixels[start + column * size..][..size]);
                }
            },
        );
    }

    /// Copies patches back to where they were cut.
    fn paste(&self, patches: &[f32], pixels: &mut [f32]) {
        let ([_, channels, height, width], size, [rows, columns]) = (self.shape, self.size, self.grid());
        pixels.par_chunks_mut((height * width).max(1)).enumerate().for_each(|(index, plane)| {
            let (picture, channel) = (index / channels, index % channels);
            for (y, line) in plane.chunks_exact_mut(width).take(rows * size).enumerate() {
                for (column, to) in line.chunks_exact_mut(size).enumerate() {
                    let patch = (picture * rows + y / size) * columns + column;
                    let start = patch * self.patch_len() + (channel * size + y % size) * size;
                    to.copy_from_slice(&patches[start..][..size]);
                }
            }
        });
    }
}

#[derive(Debug)]
struct PatchGradient;

impl Backward<Flex, 1> for PatchGradient {
    type State = Pictures;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let pictures = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, grads, |dpatches| {
            let mut dpixels = zeros(pictures.shape.iter().product());
            pictures.paste(slice(&dense(dpatches)), &mut dpixels);
            tensor(dpixels, pictures.shape.into())
        });
    }
}
