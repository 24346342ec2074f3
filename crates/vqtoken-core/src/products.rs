//! Dot products of many vectors with many others: the inner loop of all clustering.
//!
//! The product of two vectors has the same bits wherever in a block or tile it is computed: its sums run over the
//! channels in one fixed order, as wide as this machine's vector registers. So neither blocks nor threads show, and
//! products with equal vectors tie exactly.

use pulp::{Arch, Simd, WithSimd};

/// Vectors on each side of a tile: its sums fill 12 of the 16 registers of AVX.
const ROWS: usize = 4;
const COLUMNS: usize = 3;

/// How far a computed product of two vectors of `dim` channels, neither longer than 1 (beyond rounding), can be from the
/// exact one: each of at most `dim` additions, and the few that join the lanes, rounds by 2^-24 of what is at most 1.
pub(crate) fn rounding(dim: usize) -> f32 {
    (dim + 16) as f32 * (f32::EPSILON / 2.0)
}

/// `products[i * columns + j]` = row i times column j, for rows `[_, dim]` and columns `[_, dim]`.
pub(crate) fn products(rows: &[f32], columns: &[f32], dim: usize, products: &mut [f32]) {
    Arch::new().dispatch(Products { rows, columns, dim, products });
}

/// The product of two vectors of the same length, with the bits of [`products`].
pub(crate) fn product(a: &[f32], b: &[f32]) -> f32 {
    let mut product = [0.0];
    products(a, b, a.len().max(1), &mut product);
    product[0]
}

/// `products[i]` = row times the `chosen[i]`-th of the columns `[_, dim]`, with the bits of [`products`].
pub(crate) fn chosen_products(row: &[f32], columns: &[f32], chosen: &[u32], products: &mut [f32]) {
    Arch::new().dispatch(ChosenProducts { row, columns, chosen, products });
}

struct Products<'a> {
    rows: &'a [f32],
    columns: &'a [f32],
    dim: usize,
    products: &'a mut [f32],
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { rows, columns, dim, products } = self;
        let count = columns.len() / dim;
        for (rows, products) in rows.chunks(ROWS * dim).zip(products.chunks_mut(ROWS * count)) {
            if rows.len() == ROWS * dim {
                let rows = [0, 1, 2, 3].map(|row| &rows[row * dim..][..dim]);
                with_all::<S, ROWS>(simd, rows, columns, products);
            } else {
                for (row, products) in rows.chunks_exact(dim).zip(products.chunks_exact_mut(count)) {
                    with_all(simd, [row], columns, products);
                }
            }
        }
    }
}

struct ChosenProducts<'a> {
    row: &'a [f32],
    columns: &'a [f32],
    chosen: &'a [u32],
    products: &'a mut [f32],
}

impl WithSimd for ChosenProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { row, columns, chosen, products } = self;
        let column = |chosen: u32| &columns[chosen as usize * row.len()..][..row.len()];
        let (fours, rest) = chosen.as_chunks::<4>();
        let (of_fours, of_rest) = products.split_at_mut(4 * fours.len());
        for (&[a, b, c, d], products) in fours.iter().zip(of_fours.chunks_exact_mut(4)) {
            let [tile] = tile(simd, [row], [column(a), column(b), column(c), column(d)]);
            products.copy_from_slice(&tile);
        }
        for (&one, product) in rest.iter().zip(of_rest) {
            let [[tile]] = tile(simd, [row], [column(one)]);
            *product = tile;
        }
    }
}

/// The products of R rows with all columns.
#[inline(always)]
fn with_all<S: Simd, const R: usize>(simd: S, rows: [&[f32]; R], columns: &[f32], products: &mut [f32]) {
    let dim = rows[0].len();
    let count = columns.len() / dim;
    let column = |column: usize| &columns[column * dim..][..dim];
    let mut first = 0;
    while first + COLUMNS <= count {
        let tile = tile(simd, rows, [column(first), column(first + 1), column(first + 2)]);
        write(tile, first, count, products);
        first += COLUMNS;
    }
    match count - first {
        2 => write(tile(simd, rows, [column(first), column(first + 1)]), first, count, products),
        1 => write(tile(simd, rows, [column(first)]), first, count, products),
        _ => {}
    }
}

/// Puts a tile into rows of `count` products, from column `first` on.
#[inline(always)]
fn write<const R: usize, const C: usize>(
    tile: [[f32; C]; R],
    first: usize,
    count: usize,
    products: &mut [f32],
) {
    for (tile, products) in tile.iter().zip(products.chunks_exact_mut(count)) {
        products[first..][..C].copy_from_slice(tile);
    }
}

/// All products of R vectors with C others of the same length.
#[inline(always)]
fn tile<S: Simd, const R: usize, const C: usize>(
    simd: S,
    rows: [&[f32]; R],
    columns: [&[f32]; C],
) -> [[f32; C]; R] {
    let rows = rows.map(|row| S::as_simd_f32s(row));
    let columns = columns.map(|column| S::as_simd_f32s(column));
    let blocks = rows[0].0.len();
    let row_blocks = rows.map(|row| &row.0[..blocks]);
    let column_blocks = columns.map(|column| &column.0[..blocks]);
    let mut sums = [[simd.splat_f32s(0.0); C]; R];
    for block in 0..blocks {
        for row in 0..R {
            for column in 0..C {
                sums[row][column] = simd.mul_add_e_f32s(
                    row_blocks[row][block],
                    column_blocks[column][block],
                    sums[row][column],
                );
            }
        }
    }
    let mut products = [[0.0; C]; R];
    for row in 0..R {
        for column in 0..C {
            let (a, b) = (simd.partial_load_f32s(rows[row].1), simd.partial_load_f32s(columns[column].1));
            products[row][column] = simd.reduce_sum_f32s(simd.mul_add_e_f32s(a, b, sums[row][column]));
        }
    }
    products
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 37 + seed * 101) % 61) as f32 / 61.0 - 0.4).collect()
    }

    #[test]
    fn every_product_has_the_same_bits_wherever_it_is_computed() {
        for (rows, columns, dim) in [(1, 1, 1), (4, 3, 8), (9, 7, 21), (6, 10, 100), (3, 2, 5)] {
            let (a, b) = (values(rows * dim, 1), values(columns * dim, 2));
            let mut all = vec![f32::NAN; rows * columns];
            products(&a, &b, dim, &mut all);
            let chosen: Vec<u32> = (0..columns as u32).rev().collect();
            for (row, found) in a.chunks(dim).zip(all.chunks(columns)) {
                let mut some = vec![f32::NAN; columns];
                chosen_products(row, &b, &chosen, &mut some);
                some.reverse();
                assert_eq!(found, some);
                for (column, &found) in b.chunks(dim).zip(found) {
                    assert_eq!(found, product(row, column));
                    let exact: f64 = row.iter().zip(column).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
                    let scale = f64::from(dim as f32).max(1.0);
                    assert!((f64::from(found) - exact).abs() <= scale * f64::from(rounding(dim)));
                }
            }
        }
    }
}
