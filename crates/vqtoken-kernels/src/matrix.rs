//! Matrices on borrowed slices, and packing them into panels.

use rayon::prelude::*;
use std::ops::Range;

use crate::ShapeError;
use crate::errors::check_length;

/// A matrix `[rows, columns]` on a row-major slice, or the transpose of one.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// The row-major matrix `[rows, columns]` in `data`.
    ///
    /// # Errors
    /// If `data` has another length.
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Result<Self, ShapeError> {
        check_length("matrix", data.len(), &[rows, columns])?;
        Ok(Self { data, rows, columns, row_stride: columns, column_stride: 1 })
    }

    /// The matrix `[rows, columns]` whose rows start `row_stride` apart in `data`, which must reach to the end of the last one.
    pub(crate) fn strided(data: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        Self { data, rows, columns, row_stride, column_stride: 1 }
    }

    /// The transpose `[columns, rows]`, a view of the same data.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The underlying slice.
    pub(crate) fn data(&self) -> &'a [f32] {
        self.data
    }

    /// Row `row` of a matrix with contiguous rows.
    pub(crate) fn row(&self, row: usize) -> &'a [f32] {
        debug_assert_eq!(self.column_stride, 1);
        &self.data[row * self.row_stride..][..self.columns]
    }

    /// Whether the rows are contiguous.
    pub(crate) fn has_contiguous_rows(&self) -> bool {
        self.column_stride == 1
    }

    /// The data from a row and a column on, and the row stride, of a matrix with contiguous rows.
    pub(crate) fn from(&self, row: usize, column: usize) -> (&'a [f32], usize) {
        debug_assert!(self.has_contiguous_rows());
        (&self.data[row * self.row_stride + column..], self.row_stride)
    }

    /// Packs some rows for the left side of a product: panels of `width` rows, each `[depth, width]`, the last one
    /// zero-padded.
    pub(crate) fn pack_rows(&self, width: usize, rows: Range<usize>, depth: Range<usize>, out: &mut [f32]) {
        match width {
            1 => self.pack_panels::<1>(rows, depth, out),
            2 => self.pack_panels::<2>(rows, depth, out),
            3 => self.pack_panels::<3>(rows, depth, out),
            4 => self.pack_panels::<4>(rows, depth, out),
            5 => self.pack_panels::<5>(rows, depth, out),
            6 => self.pack_panels::<6>(rows, depth, out),
            8 => self.pack_panels::<8>(rows, depth, out),
            12 => self.pack_panels::<12>(rows, depth, out),
            16 => self.pack_panels::<16>(rows, depth, out),
            32 => self.pack_panels::<32>(rows, depth, out),
            _ => debug_assert!(false, "no tile has {width} rows or columns"),
        }
    }

    fn pack_panels<const W: usize>(&self, rows: Range<usize>, depth: Range<usize>, out: &mut [f32]) {
        let (mut first, mut out) = (rows.start, out);
        if self.column_stride != 1 && self.row_stride == 1 {
            let full = rows.len() / W;
            let (panels, rest) = out.split_at_mut(full * W * depth.len());
            self.pack_from_columns(first..first + full * W, depth.clone(), panels.as_chunks_mut::<W>().0);
            (first, out) = (first + full * W, rest);
        }
        for panel in out.chunks_exact_mut((W * depth.len()).max(1)) {
            let last = (first + W).min(rows.end);
            let (columns, _) = panel.as_chunks_mut::<W>();
            if last == first + W && self.column_stride == 1 {
                self.pack_from_rows(first, depth.clone(), columns);
            } else {
                self.pack_short_panel(first..last, depth.clone(), columns);
            }
            first = last;
        }
    }

    /// Packs whole panels of contiguous columns, all panels at once, so that each cache line is read once.
    fn pack_from_columns<const W: usize>(
        &self,
        rows: Range<usize>,
        depth: Range<usize>,
        out: &mut [[f32; W]],
    ) {
        let length = depth.len();
        for (index, column) in depth.enumerate() {
            let values = &self.data[column * self.column_stride..][rows.clone()];
            for (panel, values) in values.as_chunks::<W>().0.iter().enumerate() {
                out[panel * length + index] = *values;
            }
        }
    }

    /// Packs contiguous rows, eight values of each at a time.
    fn pack_from_rows<const W: usize>(&self, first: usize, depth: Range<usize>, columns: &mut [[f32; W]]) {
        let (blocks, rest) = columns.as_chunks_mut::<8>();
        let row = |i: usize| &self.data[(first + i) * self.row_stride..][depth.clone()];
        let rows: [&[[f32; 8]]; W] = std::array::from_fn(|i| row(i).as_chunks().0);
        for (index, block) in blocks.iter_mut().enumerate() {
            let values: [[f32; 8]; W] = std::array::from_fn(|i| rows[i][index]);
            for (j, column) in block.iter_mut().enumerate() {
                *column = std::array::from_fn(|i| values[i][j]);
            }
        }
        let done = blocks.len() * 8;
        for (j, column) in rest.iter_mut().enumerate() {
            *column = std::array::from_fn(|i| row(i)[done + j]);
        }
    }

    fn pack_short_panel<const W: usize>(
        &self,
        rows: Range<usize>,
        depth: Range<usize>,
        columns: &mut [[f32; W]],
    ) {
        for (column, out) in depth.zip(columns) {
            *out = [0.0; W];
            for (row, out) in rows.clone().zip(out) {
                *out = self.data[row * self.row_stride + column * self.column_stride];
            }
        }
    }

    /// Length of the matrix packed for the right side of a product.
    pub(crate) fn packed_len(&self, width: usize) -> usize {
        self.columns.next_multiple_of(width) * self.rows
    }

    /// Packs the matrix for the right side of a product: panels of `width` columns, each `[rows, width]`, the last one
    /// zero-padded.
    pub(crate) fn pack_columns(&self, width: usize, out: &mut [f32]) {
        let transposed = self.transposed();
        out.par_chunks_mut((self.rows * width).max(1)).enumerate().for_each(|(panel, out)| {
            let first = panel * width;
            transposed.pack_rows(width, first..(first + width).min(self.columns), 0..self.rows, out);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_and_its_copied_transpose_pack_alike() {
        let data: Vec<f32> = (0..35).map(|i| i as f32).collect();
        let copy: Vec<f32> = (0..35).map(|i| data[i % 5 * 7 + i / 5]).collect();
        let a = Matrix::new(&data, 5, 7).unwrap().transposed();
        let b = Matrix::new(&copy, 7, 5).unwrap();
        let (mut x, mut y) = (vec![f32::NAN; 24], vec![f32::NAN; 24]);
        a.pack_rows(4, 0..7, 1..4, &mut x);
        b.pack_rows(4, 0..7, 1..4, &mut y);
        assert_eq!(x, y);
        assert_eq!(x[..5], [7.0, 8.0, 9.0, 10.0, 14.0]);
        assert_eq!(x[12..17], [11.0, 12.0, 13.0, 0.0, 18.0]);
        let (mut x, mut y) = (vec![f32::NAN; a.packed_len(4)], vec![f32::NAN; b.packed_len(4)]);
        a.pack_columns(4, &mut x);
        b.pack_columns(4, &mut y);
        assert_eq!(x, y);
        assert_eq!(x[..6], [0.0, 7.0, 14.0, 21.0, 1.0, 8.0]);
    }

    #[test]
    fn a_slice_of_another_length_is_an_error() {
        let error = Matrix::new(&[0.0; 5], 2, 3).unwrap_err();
        assert!(error.to_string().contains("5 values"), "{error}");
        assert!(Matrix::new(&[], usize::MAX, 2).is_err());
    }
}
