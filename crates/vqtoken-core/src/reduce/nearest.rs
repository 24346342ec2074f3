//! Products of all rows with all columns, a block at a time: a matrix of tokens x tokens is never held.

use rayon::prelude::*;

use crate::products::products;

/// Rows and columns of a block: both together fit a core's cache at a thousand channels.
pub(crate) const ROWS: usize = 64;
const COLUMNS: usize = 48;

/// Values that are compared at once.
const LANES: usize = 16;

/// Calls `visit` with a row's index, the index of the first of some columns, and the products of the row with them; for one row, columns
/// come in order. Rows and columns are `[_, dim]`.
fn each_run(rows: &[f32], columns: &[f32], dim: usize, mut visit: impl FnMut(usize, usize, &[f32])) {
    let mut block = vec![0.0; rows.len() / dim * COLUMNS];
    for (first, columns) in columns.chunks(COLUMNS * dim).enumerate() {
        let count = columns.len() / dim;
        let block = &mut block[..rows.len() / dim * count];
        products(rows, columns, dim, block);
        for (row, products) in block.chunks_exact(count).enumerate() {
            visit(row, first * COLUMNS, products);
        }
    }
}

/// Calls `visit` with the product of each row `[_, dim]` with each column `[_, dim]`; for one row, columns come in order.
pub(crate) fn each_product(
    rows: &[f32],
    columns: &[f32],
    dim: usize,
    mut visit: impl FnMut(usize, usize, f32),
) {
    each_run(rows, columns, dim, |row, first, products| {
        for (column, &product) in products.iter().enumerate() {
            visit(row, first + column, product);
        }
    });
}

/// For each row the column of the largest product, ties to the first, and that product. There must be a column.
pub(crate) fn nearest(rows: &[f32], columns: &[f32], dim: usize) -> Vec<(u32, f32)> {
    let of_block = |rows: &[f32]| {
        let mut best = vec![(0, f32::NEG_INFINITY); rows.len() / dim];
        each_run(rows, columns, dim, |row, first, products| {
            let most = largest(products);
            // This is rare, so columns are not compared one by one.
            if most > best[row].1
                && let Some(column) = products.iter().position(|&product| product == most)
            {
                best[row] = ((first + column) as u32, most);
            }
        });
        best
    };
    rows.par_chunks(ROWS * dim).flat_map_iter(of_block).collect()
}

/// The largest of some values, in a form that compilers vectorise.
fn largest(values: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (runs, rest) = values.as_chunks::<LANES>();
    let mut most = [f32::NEG_INFINITY; LANES];
    for run in runs {
        most.iter_mut().zip(run).for_each(|(most, &value)| *most = larger(*most, value));
    }
    most.iter().chain(rest).copied().fold(f32::NEG_INFINITY, larger)
}

/// The rows of `[_, dim]` with these indices, one after the other.
pub(crate) fn gather(rows: &[f32], dim: usize, indices: impl IntoIterator<Item = usize>) -> Vec<f32> {
    indices.into_iter().flat_map(|index| &rows[index * dim..][..dim]).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_do_not_show() {
        let rows: Vec<f32> = (0..150 * 3).map(|i| ((i * 37) % 61) as f32 - 30.0).collect();
        let columns: Vec<f32> = (0..101 * 3).map(|i| ((i * 53) % 59) as f32 - 29.0).collect();
        for (row, (column, product)) in rows.chunks(3).zip(nearest(&rows, &columns, 3)) {
            let of = |column: &[f32]| row.iter().zip(column).map(|(a, b)| a * b).sum::<f32>();
            let best = columns.chunks(3).map(of).fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(product, best);
            assert_eq!(columns.chunks(3).position(|column| of(column) == best), Some(column as usize));
        }
    }
}
