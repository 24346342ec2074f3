//! Sums of a query over the set bits of sketches, by table look-ups (the fast scan of product quantization: André, Kermarrec and Le Scouarnec, 2015).
//!
//! Four neighbouring features of a sketch are four bits, so what they add to the sum is one of sixteen numbers. A byte shuffle looks up the numbers of 32 rows
//! at once if the bytes of these rows lie side by side: sketches are stored in blocks of 32 rows, each transposed to `[bytes of a sketch, 32]`.

use crate::Kernels;
use crate::errors::{ShapeError, check_length};
use crate::simd::{LOOKUP_ROWS, LookupTable, Simd, kernel};

/// Rows of a block of sketches.
pub const SKETCH_BLOCK: usize = LOOKUP_ROWS;

/// A query's feature is a number below this.
pub const SKETCH_LEVELS: u8 = 16;

/// Sketches come in words of 64 bits.
const WORD: usize = 64;

/// Bytes of a sketch whose sums fit 16 bits: 512 bytes are 4,096 features, at most 15 each.
const NARROW_BYTES: usize = 512;

/// A query as tables: what each value of each byte of a sketch adds to the sum, for the byte's lower and upper four bits.
#[derive(Clone, Debug)]
pub struct SketchTables {
    /// A table for each byte of a sketch.
    tables: Vec<LookupTable>,
}

impl SketchTables {
    /// Of the query's features `[E]`, numbers from 0 to 15 (larger ones count as 15). Bits of a sketch beyond the last feature add nothing.
    pub fn new(features: &[u8]) -> Self {
        let level = |index: usize| features.get(index).map_or(0, |level| (*level).min(SKETCH_LEVELS - 1));
        let table = |byte: usize| {
            let mut table = [0; 32];
            for (entry, sum) in table.iter_mut().enumerate() {
                let (half, bits) = (entry / 16, entry % 16);
                let first = byte * 8 + half * 4;
                *sum = (0..4).filter(|bit| bits >> bit & 1 == 1).map(|bit| level(first + bit)).sum();
            }
            table
        };
        Self { tables: (0..Self::sketch_bytes(features.len())).map(table).collect() }
    }

    /// Bytes of a sketch of so many features: one bit a feature in whole words of 64 bits.
    pub const fn sketch_bytes(features: usize) -> usize {
        features.div_ceil(WORD) * (WORD / 8)
    }
}

impl Kernels {
    /// Sums of a query over the set bits of each sketch, to `out [n]`. `blocks [n / 32 rounded up, B, 32]` are the sketches: byte `b` of row `r` is at
    /// `[r / 32, b, r % 32]`, and bit `i` of it stands for feature `8 b + i`. Rows that fill up the last block may hold anything.
    ///
    /// # Errors
    /// If the lengths do not match.
    pub fn sketch_sums(
        self,
        tables: &SketchTables,
        blocks: &[u8],
        out: &mut [u32],
    ) -> Result<(), ShapeError> {
        let expected = [out.len().div_ceil(SKETCH_BLOCK), tables.tables.len(), SKETCH_BLOCK];
        check_length("bytes of sketches", blocks.len(), &expected)?;
        sketch_sums(self, &tables.tables, blocks, out);
        Ok(())
    }
}

#[inline(always)]
fn sketch_sums_generic<S: Simd>(s: S, tables: &[LookupTable], blocks: &[u8], out: &mut [u32]) {
    if tables.is_empty() {
        return out.fill(0);
    }
    let (blocks, _) = blocks.as_chunks::<SKETCH_BLOCK>(); // [blocks * B] of 32 rows
    for (block, out) in blocks.chunks_exact(tables.len()).zip(out.chunks_mut(SKETCH_BLOCK)) {
        let mut sums = [0_u32; SKETCH_BLOCK];
        for (tables, bytes) in tables.chunks(NARROW_BYTES).zip(block.chunks(NARROW_BYTES)) {
            let narrow = s.lookup_sums(tables, bytes);
            sums.iter_mut().zip(narrow).for_each(|(sum, narrow)| *sum += u32::from(narrow));
        }
        out.copy_from_slice(&sums[..out.len()]);
    }
}

kernel!(fn sketch_sums(tables: &[LookupTable], blocks: &[u8], out: &mut [u32]) = sketch_sums_generic);

#[cfg(test)]
mod tests {
    use super::super::tests::numbers;
    use super::*;

    #[test]
    fn sums_over_sketches_are_those_of_a_loop() {
        let mut next = numbers(2);
        // The largest sums of 16 bits, and sketches that need more, are in it.
        for (rows, features) in [
            (0_usize, 64_usize),
            (1, 1),
            (3, 250),
            (31, 64),
            (32, 65),
            (33, 320),
            (70, 1152),
            (5, 4096),
            (40, 9001),
        ] {
            let bytes = SketchTables::sketch_bytes(features);
            let query: Vec<u8> = match features {
                4096 => vec![15; features],
                _ => (0..features).map(|_| (next() % 16) as u8).collect(),
            };
            let tables = SketchTables::new(&query);
            let mut blocks: Vec<u8> =
                (0..rows.div_ceil(SKETCH_BLOCK) * bytes * SKETCH_BLOCK).map(|_| next() as u8).collect();
            let at = |row: usize, byte: usize| {
                row / SKETCH_BLOCK * bytes * SKETCH_BLOCK + byte * SKETCH_BLOCK + row % SKETCH_BLOCK
            };
            // A row in which every bit is set.
            (0..bytes).filter(|_| rows > 0).for_each(|byte| blocks[at(rows - 1, byte)] = 255);
            for kernels in Kernels::available() {
                let mut out = vec![7; rows];
                kernels.sketch_sums(&tables, &blocks, &mut out).unwrap();
                for (row, found) in out.iter().enumerate() {
                    let bit = |index: usize| u32::from(blocks[at(row, index / 8)] >> (index % 8) & 1);
                    let expected: u32 = (0..features).map(|index| bit(index) * u32::from(query[index])).sum();
                    assert_eq!(*found, expected, "{kernels:?}, row {row} of {rows}, {features} features");
                }
            }
        }
        let tables = SketchTables::new(&[1; 64]);
        assert!(Kernels::best().sketch_sums(&tables, &[0; 8], &mut [0]).is_err());
        Kernels::best().sketch_sums(&SketchTables::new(&[]), &[], &mut [0; 3]).unwrap();
    }

    #[test]
    fn levels_above_the_largest_count_as_the_largest() {
        let mut out = [0];
        let mut block = [0; 8 * SKETCH_BLOCK];
        block[0] = 0b11;
        Kernels::best().sketch_sums(&SketchTables::new(&[200, 3]), &block, &mut out).unwrap();
        assert_eq!(out, [18]);
    }
}
