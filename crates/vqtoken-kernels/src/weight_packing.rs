//! Packing of weights into panels whose values are grouped along the depth.

use std::ops::Range;

use rayon::prelude::*;

use crate::aligned::{Aligned, Number};

/// Packs weights `[outputs, inputs]` into zero-padded panels `[outputs / width][depth / group][width][group]`; `depth` is at
/// least `inputs` and a multiple of `group`. `rows` writes a range of rows to a buffer.
pub(crate) fn pack_groups<T: Number>(
    (outputs, inputs): (usize, usize),
    width: usize,
    group: usize,
    depth: usize,
    rows: impl Fn(Range<usize>, &mut [T]) + Sync,
) -> Aligned<T> {
    let mut packed = Aligned::zeros(outputs.div_ceil(width) * width * depth);
    packed.par_chunks_mut((width * depth).max(1)).enumerate().for_each(|(panel, out)| {
        let range = panel * width..((panel + 1) * width).min(outputs);
        let mut unpacked = vec![T::default(); range.len() * inputs];
        rows(range, &mut unpacked);
        pack_panel(&unpacked, inputs, width, group, out);
    });
    packed
}

/// Packs the rows of one panel of [`pack_groups`].
pub(crate) fn pack_panel<T: Number>(rows: &[T], inputs: usize, width: usize, group: usize, out: &mut [T]) {
    for (column, row) in rows.chunks_exact(inputs.max(1)).enumerate() {
        for (index, values) in row.chunks(group).enumerate() {
            let start = (index * width + column) * group;
            out[start..start + values.len()].copy_from_slice(values);
        }
    }
}

/// The values of one column of a panel `[depth / group][width][group]` of [`pack_groups`].
pub(crate) fn unpack_column<T: Number>(
    panel: &[T],
    column: usize,
    width: usize,
    group: usize,
) -> impl Iterator<Item = T> {
    panel.chunks_exact(width * group).flat_map(move |step| step[column * group..][..group].iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stay_together() {
        let weights: Vec<i8> = (1..=9).collect();
        let packed = pack_groups((3, 3), 2, 2, 4, |rows, out| {
            out.copy_from_slice(&weights[3 * rows.start..3 * rows.end]);
        });
        assert_eq!(packed[..], [1, 2, 4, 5, 3, 0, 6, 0, 7, 8, 0, 0, 9, 0, 0, 0]);
        assert_eq!(unpack_column(&packed[..8], 1, 2, 2).collect::<Vec<_>>(), [4, 5, 6, 0]);
    }
}
