//! Packing of weights whose numbers stand in groups along the depth.

use rayon::prelude::*;

use crate::aligned::{Aligned, Number};

/// Packs weights `[outputs, inputs]` into panels `[N / width][depth / group][width][group]`, filled up with zeros;
/// `depth` is at least `inputs` and a multiple of `group`.
pub(crate) fn pack_groups<T: Number>(
    weights: &[T],
    (outputs, inputs): (usize, usize),
    width: usize,
    group: usize,
    depth: usize,
) -> Aligned<T> {
    let mut packed = Aligned::zeros(outputs.div_ceil(width) * width * depth);
    packed.par_chunks_mut((width * depth).max(1)).enumerate().for_each(|(panel, out)| {
        let first = panel * width;
        for column in first..(first + width).min(outputs) {
            let numbers = &weights[column * inputs..][..inputs];
            for (index, from) in numbers.chunks(group).enumerate() {
                let place = (index * width + column - first) * group;
                out[place..place + from.len()].copy_from_slice(from);
            }
        }
    });
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stay_together() {
        let weights: Vec<i8> = (1..=9).collect();
        let packed = pack_groups(&weights, (3, 3), 2, 2, 4);
        assert_eq!(packed[..], [1, 2, 4, 5, 3, 0, 6, 0, 7, 8, 0, 0, 9, 0, 0, 0]);
    }
}
