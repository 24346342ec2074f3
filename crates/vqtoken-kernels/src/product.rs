//! The blocked product that all matrix kernels share: tasks, blocks for the caches, tiles.
//!
//! The right operand is packed into panels as wide as a tile. A task owns a block of output rows and some panels. It goes
//! through the depth in blocks; for each it packs its rows (they stay in the L2 cache), then multiplies each panel with all
//! its rows, tile by tile. The order of each output's sum over the depth does not depend on how tasks are cut, so any
//! number of threads gives the same bits.

use rayon::prelude::*;
use std::ops::Range;

use crate::Kernels;
use crate::aligned::{Aligned, Number, Scratch};
use crate::epilogue::{Epilogue, OutputTile, finish_tile};
use crate::shared_rows::SharedRows;

/// Rows of a task, unless the product says otherwise.
const ROWS: usize = 96;

/// Tasks a thread, so that other threads can take over from one that is held up.
const TASKS_PER_THREAD: usize = 3;

/// Block sizes of a kind of product.
#[derive(Clone, Copy)]
pub(crate) struct Tiling {
    /// Rows of a tile.
    pub(crate) rows: usize,
    /// Columns of a tile, and of a packed panel.
    pub(crate) columns: usize,
    /// The length of the sums.
    pub(crate) depth: usize,
    /// Length of the blocks that the depth is multiplied in.
    pub(crate) depth_block: usize,
}

impl Tiling {
    /// The blocks of the depth; a single empty one if the depth is 0.
    fn depth_blocks(self) -> impl Iterator<Item = Range<usize>> {
        let blocks = self.depth.div_ceil(self.depth_block).max(1);
        (0..blocks).map(move |i| i * self.depth_block..((i + 1) * self.depth_block).min(self.depth))
    }
}

/// A kind of product: how its operands are packed and how a tile is computed.
pub(crate) trait Product: Sync {
    /// Element of the packed left operand.
    type Left: Number;
    /// Element of the packed right operand.
    type Right: Number;

    fn tiling(&self) -> Tiling;
    /// Length of a packed panel of the left operand.
    fn left_len(&self, depth: usize) -> usize;
    /// Packs rows of the left operand into panels as high as a tile.
    fn pack_left(&self, rows: Range<usize>, depth: Range<usize>, out: &mut [Self::Left]);
    /// A block of a panel of the right operand; it may be widened into the buffer.
    fn right<'a>(&'a self, panel: usize, depth: Range<usize>, buffer: &'a mut Vec<f32>) -> &'a [Self::Right];
    /// Whether tiles read the left operand in place, without packing.
    fn left_in_place(&self) -> bool {
        false
    }
    /// Multiplies two panels, to a row-major tile.
    fn tile(&self, left: &[Self::Left], right: &[Self::Right], out: &mut [f32]);
    /// Multiplies two panels over a block of the depth and applies the epilogue; `tile` is a buffer. The left panel is empty
    /// if that operand is read in place.
    fn multiply_and_finish_tile(
        &self,
        kernels: Kernels,
        (left, right): (&[Self::Left], &[Self::Right]),
        _depth: Range<usize>,
        tile: &mut [f32],
        output: &OutputTile<'_>,
        epilogue: &Epilogue<'_>,
    ) {
        self.tile(left, right, tile);
        finish_tile(kernels, tile, self.tiling().columns, output, epilogue);
    }

    /// Rows of a task, about.
    fn task_rows(&self) -> usize {
        ROWS
    }
    /// Called on the task's thread before its first tile.
    fn start(&self) {}
    /// Called on the task's thread after its last tile.
    fn finish(&self) {}
}

/// One of several products with the same left operand.
pub(crate) struct Part<'a, P> {
    pub(crate) product: P,
    /// Columns of the output.
    pub(crate) columns: usize,
    /// `[rows, columns]`
    pub(crate) out: &'a mut [f32],
    pub(crate) epilogue: Epilogue<'a>,
}

/// Turns what products are made of, such as weights, into products.
pub(crate) fn with_products<'a, W, P>(parts: Vec<Part<'a, W>>, product: impl Fn(W) -> P) -> Vec<Part<'a, P>> {
    let with =
        |Part { product: of, columns, out, epilogue }| Part { product: product(of), columns, out, epilogue };
    parts.into_iter().map(with).collect()
}

/// Computes `out [rows, columns]`.
pub(crate) fn multiply<P: Product>(
    kernels: Kernels,
    product: P,
    (rows, columns): (usize, usize),
    out: &mut [f32],
    epilogue: &Epilogue<'_>,
) {
    multiply_all(kernels, rows, vec![Part { product, columns, out, epilogue: *epilogue }]);
}

/// Computes several products, whose left operand `[rows, depth]` is packed once. Each gets the bits that it has alone.
pub(crate) fn multiply_all<P: Product>(kernels: Kernels, rows: usize, parts: Vec<Part<'_, P>>) {
    let mut panels = 0;
    let parts: Vec<Output<'_, P>> = parts
        .into_iter()
        .filter(|part| part.columns > 0)
        .map(|Part { product, columns, out, epilogue }| {
            let first = panels;
            panels += columns.div_ceil(product.tiling().columns);
            Output { product, columns, panels: first..panels, out: SharedRows::new(out, columns), epilogue }
        })
        .collect();
    let Some(first) = parts.first().filter(|_| rows > 0) else { return };
    let tiling = first.product.tiling();
    let tiles = rows.div_ceil(tiling.rows);
    let wanted = TASKS_PER_THREAD * rayon::current_num_threads();
    let row_tasks = rows.div_ceil(first.product.task_rows());
    // The same number for each thread.
    let row_tasks = match row_tasks < wanted {
        true => row_tasks,
        false => row_tasks.next_multiple_of(rayon::current_num_threads()).min(tiles),
    };
    let column_tasks = wanted.div_ceil(row_tasks).min(panels);
    let left_in_place = parts.iter().all(|part| part.product.left_in_place());
    let work = Work { kernels, rows, tiling, left_in_place, parts: &parts };
    // Rows that several tasks read are packed once for all of them.
    let packed = (column_tasks > 1 && !left_in_place).then(|| work.pack_all(tiles));
    (0..row_tasks * column_tasks).into_par_iter().for_each(|task| {
        let (row_task, column_task) = (task / column_tasks, task % column_tasks);
        let tiles = part(tiles, row_task, row_tasks);
        work.block(tiles, part(panels, column_task, column_tasks), packed.as_deref());
    });
}

/// Part `index` of `0..count` cut into `parts` parts whose sizes differ by at most 1.
fn part(count: usize, index: usize, parts: usize) -> Range<usize> {
    count * index / parts..count * (index + 1) / parts
}

/// A [`Part`] that several tasks write.
struct Output<'a, P> {
    product: P,
    columns: usize,
    /// Which panels of all products are its own.
    panels: Range<usize>,
    out: SharedRows<'a>,
    epilogue: Epilogue<'a>,
}

/// What the tasks of products share.
struct Work<'a, P> {
    kernels: Kernels,
    rows: usize,
    /// Of all products.
    tiling: Tiling,
    left_in_place: bool,
    /// At least one.
    parts: &'a [Output<'a, P>],
}

impl<P: Product> Work<'_, P> {
    /// A product, to pack the left operand that all share.
    fn product(&self) -> &P {
        &self.parts[0].product
    }

    /// Packs all rows: for each block of the depth, all tiles in order.
    fn pack_all(&self, tiles: usize) -> Scratch<P::Left> {
        let (tiling, product) = (self.tiling, self.product());
        let total = tiling.depth_blocks().map(|depth| product.left_len(depth.len())).sum::<usize>();
        let mut packed = Scratch::new(total * tiles);
        let mut rest = &mut packed[..];
        for depth in tiling.depth_blocks() {
            let length = product.left_len(depth.len());
            let block;
            (block, rest) = rest.split_at_mut(length * tiles);
            block.par_chunks_mut(length.max(1)).enumerate().for_each(|(tile, out)| {
                let rows = tile * tiling.rows..((tile + 1) * tiling.rows).min(self.rows);
                product.pack_left(rows, depth.clone(), out);
            });
        }
        packed
    }

    /// Computes some tiles of rows times some panels, with rows from `all` or packed here.
    fn block(&self, tiles: Range<usize>, panels: Range<usize>, all: Option<&[P::Left]>) {
        let (tiling @ Tiling { rows: mr, columns: nr, depth, .. }, product) = (self.tiling, self.product());
        let rows = tiles.start * mr..(tiles.end * mr).min(self.rows);
        let left_len = |depth| if self.left_in_place { 0 } else { product.left_len(depth) };
        let longest = left_len(depth.min(tiling.depth_block));
        let mut own = Scratch::new(if all.is_some() { 0 } else { tiles.len() * longest });
        let mut tile = Aligned::zeros(mr * nr);
        let mut buffer = Vec::new();
        let mut done = 0;
        product.start();
        'product: for block in tiling.depth_blocks() {
            let length = left_len(block.len());
            let packed = match all {
                Some(all) => {
                    let start = done + tiles.start * length;
                    done += self.rows.div_ceil(mr) * length;
                    &all[start..][..tiles.len() * length]
                }
                None => {
                    let own = &mut own[..tiles.len() * length];
                    if !self.left_in_place {
                        product.pack_left(rows.clone(), block.clone(), own);
                    }
                    own
                }
            };
            for (part, panel) in self.parts_of(&panels) {
                if part.epilogue.is_unwanted() {
                    break 'product;
                }
                let right = part.product.right(panel, block.clone(), &mut buffer);
                for (index, first) in rows.clone().step_by(mr).enumerate() {
                    let output = OutputTile {
                        out: part.out,
                        rows: first..(first + mr).min(rows.end),
                        columns: panel * nr..((panel + 1) * nr).min(part.columns),
                        width: part.columns,
                        first: block.start == 0,
                        last: block.end == depth,
                    };
                    output.prefetch(&part.epilogue);
                    let operands = (&packed[index * length..][..length], right);
                    part.product.multiply_and_finish_tile(
                        self.kernels,
                        operands,
                        block.clone(),
                        &mut tile,
                        &output,
                        &part.epilogue,
                    );
                }
            }
        }
        product.finish();
    }

    /// Each of some panels of all products: its product, and which of that product's panels it is.
    fn parts_of(&self, panels: &Range<usize>) -> impl Iterator<Item = (&Output<'_, P>, usize)> {
        self.parts.iter().flat_map(move |part| {
            let own = panels.start.max(part.panels.start)..panels.end.min(part.panels.end);
            own.map(move |panel| (part, panel - part.panels.start))
        })
    }
}
