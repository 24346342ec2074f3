//! Plain matrix products, with operands transposed or not, as gradients of linear layers need them.

use crate::aligned::Scratch;
use crate::epilogue::Epilogue;
use crate::errors::{check_equal, check_length};
use crate::float_product::{FloatProduct, tile_shape};
use crate::long_product::{is_long, multiply_long};
use crate::product::multiply;
use crate::{Kernels, Matrix, ShapeError};

impl Kernels {
    /// `out [M, N] = left [M, K] right [K, N]`, overwriting `out`.
    ///
    /// The gradients of `y = x W^T` are `dx = dy W` and `dW = dy^T x`: pass [`Matrix::transposed`] operands.
    ///
    /// # Errors
    /// If the sizes do not match, or `out` has another length.
    pub fn matmul(self, left: Matrix<'_>, right: Matrix<'_>, out: &mut [f32]) -> Result<(), ShapeError> {
        self.product(left, right, out, Epilogue::default())
    }

    /// `out [M, N] = left [M, K] right [K, N] + bias [N]`, added to each row; overwrites `out`.
    ///
    /// # Errors
    /// If the sizes do not match, or `bias` or `out` has another length.
    pub fn matmul_bias(
        self,
        left: Matrix<'_>,
        right: Matrix<'_>,
        bias: &[f32],
        out: &mut [f32],
    ) -> Result<(), ShapeError> {
        check_length("bias", bias.len(), &[right.columns()])?;
        self.product(left, right, out, Epilogue { bias: Some(bias), ..Epilogue::default() })
    }

    /// `out [M, N] += left [M, K] right [K, N]`: gradients that are summed over batches.
    ///
    /// # Errors
    /// If the sizes do not match, or `out` has another length.
    pub fn matmul_add(self, left: Matrix<'_>, right: Matrix<'_>, out: &mut [f32]) -> Result<(), ShapeError> {
        self.product(left, right, out, Epilogue { add_output: true, ..Epilogue::default() })
    }

    fn product(
        self,
        left: Matrix<'_>,
        right: Matrix<'_>,
        out: &mut [f32],
        epilogue: Epilogue<'_>,
    ) -> Result<(), ShapeError> {
        let what = "columns of left and rows of right";
        check_equal(what, left.columns(), right.rows(), "transpose one of them")?;
        check_length("product", out.len(), &[left.rows(), right.columns()])?;
        if epilogue.bias.is_none() && is_long(left.rows(), right.columns(), left.columns()) {
            multiply_long(self, left, right, out, epilogue.add_output);
            return Ok(());
        }
        let width = tile_shape(self).1;
        let mut panels = Scratch::new(right.packed_len(width));
        right.pack_columns(width, &mut panels);
        let product = FloatProduct { kernels: self, left, panels: &panels };
        multiply(self, product, (left.rows(), right.columns()), out, &epilogue);
        Ok(())
    }
}
