//! Matrices on borrowed slices, and their packing into panels.

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
    /// The matrix `[rows, columns]` that lies row by row in `data`.
    ///
    /// # Errors
    /// `data` has another length.
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Result<Self, ShapeError> {
        check_length("matrix", data.len(), &[rows, columns])?;
        Ok(Self { data, rows, columns, row_stride: columns, column_stride: 1 })
    }

    /// The matrix `[rows, columns]` whose rows start `row_stride` apart in `data`, which reaches to the last one's end.
    pub(crate) fn strided(data: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        Self { data, rows, columns, row_stride, column_stride: 1 }
    }

    /// The transpose `[columns, rows]`; nothing is moved.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The numbers as they lie.
    pub(crate) fn numbers(&self) -> &'a [f32] {
        self.data
    }

    /// Row `row` of a matrix that is not transposed.
    pub(crate) fn row(&self, row: usize) -> &'a [f32] {
        debug_assert_eq!(self.column_stride, 1);
        &self.data[row * self.row_stride..][..self.columns]
    }

    /// Whether the numbers of a row lie one after the other.
    pub(crate) fn has_whole_rows(&self) -> bool {
        self.column_stride == 1
    }

    /// What begins at a row and a column of a matrix that has whole rows, and how far its rows are apart.
    pub(crate) fn from(&self, row: usize, column: usize) -> (&'a [f32], usize) {
        debug_assert!(self.has_whole_rows());
        (&self.data[row * self.row_stride + column..], self.row_stride)
    }

    /// Packs some rows for the left side of a product: panels of `width` rows, each `[depth, width]`, short ones filled
    /// up with zeros.
    pub(crate) fn pack_rows(&self, width: usize, rows: Range<usize>, depth: Range<usize>, out: &mut [f32]) {
        match width {
            4 => self.pack_panels::<4>(rows, depth, out),
            6 => self.pack_panels::<6>(rows, depth, out),
            8 => self.pack_panels::<8>(rows, depth, out),
            12 => self.pack_panels::<12>(rows, depth, out),
            16 => self.pack_panels::<16>(rows, depth, out),
            32 => self.pack_panels::<32>(rows, depth, out),
            _ => debug_assert!(false, "no tile has {width} rows or columns"),
        }
    }

    fn pack_panels<const W: usize>(&self, rows: Range<usize>, depth: Range<usize>, out: &mut [f32]) {
        let mut first = rows.start;
        for panel in out.chunks_exact_mut((W * depth.len()).max(1)) {
            let last = (first + W).min(rows.end);
            let (places, _) = panel.as_chunks_mut::<W>();
            if last < first + W {
                self.pack_short_panel(first..last, depth.clone(), places);
            } else if self.column_stride == 1 {
                self.pack_from_rows(first, depth.clone(), places);
            } else if self.row_stride == 1 {
                for (column, place) in depth.clone().zip(places) {
                    let numbers = &self.data[first + column * self.column_stride..];
                    place.copy_from_slice(&numbers[..W]);
                }
            } else {
                self.pack_short_panel(first..last, depth.clone(), places);
            }
            first = last;
        }
    }

    /// Rows that lie one number after the other, eight numbers of each at a time.
    fn pack_from_rows<const W: usize>(&self, first: usize, depth: Range<usize>, places: &mut [[f32; W]]) {
        let (blocks, rest) = places.as_chunks_mut::<8>();
        let row = |i: usize| &self.data[(first + i) * self.row_stride..][depth.clone()];
        let rows: [&[[f32; 8]]; W] = std::array::from_fn(|i| row(i).as_chunks().0);
        for (index, block) in blocks.iter_mut().enumerate() {
            let numbers: [[f32; 8]; W] = std::array::from_fn(|i| rows[i][index]);
            for (j, place) in block.iter_mut().enumerate() {
                *place = std::array::from_fn(|i| numbers[i][j]);
            }
        }
        let done = blocks.len() * 8;
        for (j, place) in rest.iter_mut().enumerate() {
            *place = std::array::from_fn(|i| row(i)[done + j]);
        }
    }

    fn pack_short_panel<const W: usize>(
        &self,
        rows: Range<usize>,
        depth: Range<usize>,
        places: &mut [[f32; W]],
    ) {
        for (column, place) in depth.zip(places) {
            *place = [0.0; W];
            for (row, place) in rows.clone().zip(place) {
                *place = self.data[row * self.row_stride + column * self.column_stride];
            }
        }
    }

    /// How long the matrix is when it is packed for the right side of a product.
    pub(crate) fn packed_len(&self, width: usize) -> usize {
        self.columns.next_multiple_of(width) * self.rows
    }

    /// Packs the matrix for the right side of a product: panels of `width` columns, each `[rows, width]`, the last one
    /// filled up with zeros.
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
    fn packing_a_matrix_and_its_copied_transpose_is_the_same() {
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
        assert!(error.to_string().contains("5 numbers"), "{error}");
        assert!(Matrix::new(&[], usize::MAX, 2).is_err());
    }
}
