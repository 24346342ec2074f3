//! The blocked product that all matrix kernels share: tasks, blocks for the caches, tiles.
//!
//! The right side is packed into panels of a tile's columns. A task owns a block of output rows and some panels. It goes
//! through the depth in blocks; for each it packs its rows (they stay in the second-level cache), then takes one panel
//! after the other and multiplies it with all its rows, tile by tile.
//! An output is the sum over the depth in the same order whatever the tasks are, so threads do not change a bit.

use rayon::prelude::*;
use std::ops::Range;

use crate::Kernels;
use crate::aligned::{Aligned, Number, Scratch};
use crate::epilogue::{Epilogue, Place, finish_tile};
use crate::shared_rows::SharedRows;

/// The most rows that a task packs at a time, unless the product says otherwise.
const ROWS: usize = 96;

/// Tasks a thread, so that a thread that is held up leaves some to the others.
const TASKS: usize = 3;

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

impl Tiling {
    /// The blocks that the depth is multiplied in; an empty one where there is no depth.
    fn depth_blocks(self) -> impl Iterator<Item = Range<usize>> {
        let blocks = self.depth.div_ceil(self.depth_block).max(1);
        (0..blocks).map(move |i| i * self.depth_block..((i + 1) * self.depth_block).min(self.depth))
    }
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
    /// Whether tiles read the left side where it lies, so that it is not packed.
    fn left_in_place(&self) -> bool {
        false
    }
    /// Multiplies two panels to a tile, row by row.
    fn tile(&self, left: &[Self::Left], right: &[Self::Right], out: &mut [f32]);
    /// Multiplies two panels over some of the depth and finishes the tile in its place; `tile` is a buffer for it. The
    /// left one is empty where that side stays in place.
    fn finished_tile(
        &self,
        kernels: Kernels,
        (left, right): (&[Self::Left], &[Self::Right]),
        _depth: Range<usize>,
        tile: &mut [f32],
        place: &Place<'_>,
        epilogue: &Epilogue<'_>,
    ) {
        self.tile(left, right, tile);
        finish_tile(kernels, tile, self.tiling().columns, place, epilogue);
    }

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
    let (tiles, panels) = (rows.div_ceil(tiling.rows), columns.div_ceil(tiling.columns));
    let wanted = TASKS * rayon::current_num_threads();
    let row_tasks = rows.div_ceil(product.task_rows());
    // As many for each thread.
    let row_tasks = match row_tasks < wanted {
        true => row_tasks,
        false => row_tasks.next_multiple_of(rayon::current_num_threads()).min(tiles),
    };
    let column_tasks = wanted.div_ceil(row_tasks).min(panels);
    let work = Work { kernels, product, rows, columns, out: SharedRows::new(out, columns), epilogue };
    // Rows that several tasks share are packed once for all of them.
    let packed = (column_tasks > 1 && !product.left_in_place()).then(|| work.pack_all(tiles));
    (0..row_tasks * column_tasks).into_par_iter().for_each(|task| {
        let (row_task, column_task) = (task / column_tasks, task % column_tasks);
        let tiles = part(tiles, row_task, row_tasks);
        work.block(tiles, part(panels, column_task, column_tasks), packed.as_deref());
    });
}

/// Part `index` of `0..count` in `parts` parts that differ by 1 at most.
fn part(count: usize, index: usize, parts: usize) -> Range<usize> {
    count * index / parts..count * (index + 1) / parts
}

struct Work<'a, P> {
    kernels: Kernels,
    product: &'a P,
    rows: usize,
    columns: usize,
    out: SharedRows<'a>,
    epilogue: &'a Epilogue<'a>,
}

impl<P: Product> Work<'_, P> {
    /// Packs all rows: for each block of the depth all tiles, one after the other.
    fn pack_all(&self, tiles: usize) -> Scratch<P::Left> {
        let tiling = self.product.tiling();
        let total = tiling.depth_blocks().map(|depth| self.product.left_len(depth.len())).sum::<usize>();
        let mut packed = Scratch::new(total * tiles);
        let mut rest = &mut packed[..];
        for depth in tiling.depth_blocks() {
            let length = self.product.left_len(depth.len());
            let block;
            (block, rest) = rest.split_at_mut(length * tiles);
            block.par_chunks_mut(length.max(1)).enumerate().for_each(|(tile, out)| {
                let rows = tile * tiling.rows..((tile + 1) * tiling.rows).min(self.rows);
                self.product.pack_left(rows, depth.clone(), out);
            });
        }
        packed
    }

    fn block(&self, tiles: Range<usize>, panels: Range<usize>, all: Option<&[P::Left]>) {
        let tiling @ Tiling { rows: mr, columns: nr, depth, .. } = self.product.tiling();
        let rows = tiles.start * mr..(tiles.end * mr).min(self.rows);
        let in_place = self.product.left_in_place();
        let left_len = |depth| if in_place { 0 } else { self.product.left_len(depth) };
        let longest = left_len(depth.min(tiling.depth_block));
        let mut own = Scratch::new(if all.is_some() { 0 } else { tiles.len() * longest });
        let mut tile = Aligned::zeros(mr * nr);
        let mut buffer = Vec::new();
        let mut done = 0;
        self.product.start();
        for block in tiling.depth_blocks() {
            let length = left_len(block.len());
            let packed = match all {
                Some(all) => {
                    let start = done + tiles.start * length;
                    done += self.rows.div_ceil(mr) * length;
                    &all[start..][..tiles.len() * length]
                }
                None => {
                    let own = &mut own[..tiles.len() * length];
                    if !in_place {
                        self.product.pack_left(rows.clone(), block.clone(), own);
                    }
                    own
                }
            };
            for panel in panels.clone() {
                let right = self.product.right(panel, block.clone(), &mut buffer);
                for (index, first) in rows.clone().step_by(mr).enumerate() {
                    let place = Place {
                        out: self.out,
                        rows: first..(first + mr).min(rows.end),
                        columns: panel * nr..((panel + 1) * nr).min(self.columns),
                        width: self.columns,
                        first: block.start == 0,
                        last: block.end == depth,
                    };
                    place.prefetch(self.epilogue);
                    let sides = (&packed[index * length..][..length], right);
                    self.product.finished_tile(
                        self.kernels,
                        sides,
                        block.clone(),
                        &mut tile,
                        &place,
                        self.epilogue,
                    );
                }
            }
        }
        self.product.finish();
    }
}
