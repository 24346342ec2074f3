//! The blocked product that all matrix kernels share: tasks, blocks for the caches, tiles.
//!
//! The right side is packed into panels of a tile's columns. A task owns a block of output rows and some panels. It goes
//! through the depth in blocks; for each it packs its rows (they stay in the second-level cache), then takes one panel
//! after the other (a block of it stays in the first-level cache) and multiplies it with all its rows, tile by tile.
//! An output is the sum over the depth in the same order whatever the tasks are, so threads do not change a bit.

use rayon::prelude::*;
use std::ops::Range;

use crate::Kernels;
use crate::aligned::{Aligned, Number};
use crate::epilogue::{Epilogue, Place, finish_tile};
use crate::shared_rows::SharedRows;

/// About as many rows as a task packs at a time, unless the product says otherwise.
const ROWS: usize = 96;

/// The sizes of a kind of product.
#[derive(Clone, Copy)]
pub(crate) struct Tiling {
    /// Rows of a tile.
    pub(crate) rows: usize,
    /// Columns of a tile, and of a packed panel.
    pub(crate) columns: usize,
    /// The length of the sums.
    pub(crate) depth: usize,
    /// How much of the depth is multiplied at a time.
    pub(crate) depth_block: usize,
}

/// One kind of product: how its sides are packed and how a tile is computed.
pub(crate) trait Product: Sync {
    /// Numbers of the packed left side.
    type Left: Number;
    /// Numbers of the packed right side.
    type Right: Number;

    fn tiling(&self) -> Tiling;
    /// How long a packed panel of the left side is.
    fn left_len(&self, depth: usize) -> usize;
    /// Packs rows of the left side into panels of a tile's rows.
    fn pack_left(&self, rows: Range<usize>, depth: Range<usize>, out: &mut [Self::Left]);
    /// A block of a panel of the right side, perhaps unpacked into the buffer.
    fn right<'a>(&'a self, panel: usize, depth: Range<usize>, buffer: &'a mut Vec<f32>) -> &'a [Self::Right];
    /// Multiplies two panels to a tile, row by row.
    fn tile(&self, left: &[Self::Left], right: &[Self::Right], out: &mut [f32]);

    /// About as many rows as a task takes.
    fn task_rows(&self) -> usize {
        ROWS
    }
    /// Called before the first tile of a task, on its thread.
    fn start(&self) {}
    /// Called after the last tile of a task, on its thread.
    fn finish(&self) {}
}

/// Computes `out [rows, columns]`.
pub(crate) fn multiply<P: Product>(
    kernels: Kernels,
    product: &P,
    (rows, columns): (usize, usize),
    out: &mut [f32],
    epilogue: &Epilogue<'_>,
) {
    if rows == 0 || columns == 0 {
        return;
    }
    let tiling = product.tiling();
    let panels = columns.div_ceil(tiling.columns);
    let row_block = product.task_rows().next_multiple_of(tiling.rows);
    let row_tasks = rows.div_ceil(row_block);
    let column_tasks = (6 * rayon::current_num_threads()).div_ceil(row_tasks).min(panels);
    let panel_block = panels.div_ceil(column_tasks);
    let shared = SharedRows::new(out, columns);
    (0..row_tasks * column_tasks).into_par_iter().for_each(|task| {
        let (i, j) = (task / column_tasks * row_block, task % column_tasks * panel_block);
        let rows = i..(i + row_block).min(rows);
        let panels = j.min(panels)..(j + panel_block).min(panels);
        block(kernels, product, rows, panels, columns, shared, epilogue);
    });
}

fn block<P: Product>(
    kernels: Kernels,
    product: &P,
    rows: Range<usize>,
    panels: Range<usize>,
    columns: usize,
    out: SharedRows<'_>,
    epilogue: &Epilogue<'_>,
) {
    let Tiling { rows: mr, columns: nr, depth, depth_block } = product.tiling();
    let longest = product.left_len(depth.min(depth_block));
    let mut packed = Aligned::zeros(rows.len().div_ceil(mr) * longest);
    let mut tile = Aligned::zeros(mr * nr);
    let mut buffer = Vec::new();
    let mut start = 0;
    product.start();
    loop {
        let end = (start + depth_block).min(depth);
        let length = product.left_len(end - start);
        let packed = &mut packed[..rows.len().div_ceil(mr) * length];
        product.pack_left(rows.clone(), start..end, packed);
        for panel in panels.clone() {
            let right = product.right(panel, start..end, &mut buffer);
            for (index, first) in rows.clone().step_by(mr).enumerate() {
                let place = Place {
                    out,
                    rows: first..(first + mr).min(rows.end),
                    columns: panel * nr..((panel + 1) * nr).min(columns),
                    width: columns,
                    first: start == 0,
                    last: end == depth,
                };
                // Its rows lie far apart: fetch them while the tile is computed.
                place.rows.clone().for_each(|row| out.prefetch(row, place.columns.clone()));
                product.tile(&packed[index * length..][..length], right, &mut tile);
                finish_tile(kernels, &tile, nr, &place, epilogue);
            }
        }
        if end == depth {
            return product.finish();
        }
        start = end;
    }
}
