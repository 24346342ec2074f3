//! The walk through all labels, the same for both directions.

use super::neighbours::{Neighbours, neighbours};
use super::prediction::Predictor;
use super::range_coder::Coder;
use crate::grid::GridShape;

/// Codes all labels of a map of `shape` over `codes` codes: writes `given`, or reads and returns others.
pub(super) fn code<C: Coder>(
    coder: &mut C,
    shape: GridShape,
    codes: usize,
    given: &[u32],
) -> Result<Vec<u32>, C::Error> {
    let count = shape.len();
    // Tables large enough for most contexts of one map to have their place alone, and small enough for any machine.
    let size = count.ilog2();
    let width = codes.saturating_sub(1).checked_ilog2().map_or(0, |highest| highest + 1).min(u32::BITS);
    let mut repeats = Predictor::new(size.clamp(8, 16) + 2, 3);
    let mut tree = Predictor::new(size.clamp(6, 16) + 4, width as usize);
    let mut labels = Vec::new();
    for place in 0..count {
        let near = neighbours(&labels, shape);
        let label = given.get(place).copied().unwrap_or(near.expected);
        let probability = repeats.predict(&near.repeat, 1, near.kept);
        let repeated = coder.code(probability, label == near.expected)?;
        repeats.learn(repeated);
        labels.push(if repeated {
            near.expected
        } else {
            other(coder, &mut tree, &near, codes, width, label)?
        });
    }
    Ok(labels)
}

/// Codes a label of `width` bits that is not the expected one, from its highest bit.
fn other<C: Coder>(
    coder: &mut C,
    tree: &mut Predictor,
    near: &Neighbours,
    codes: usize,
    width: u32,
    given: u32,
) -> Result<u32, C::Error> {
    let contexts = near.label();
    let mut label = 0;
    for depth in 0..width {
        let below = width - 1 - depth;
        label <<= 1;
        // A bit that would make the label too large for K is not coded.
        if u64::from(label | 1) << below < codes as u64 {
            let node = (1 << depth) | (label >> 1);
            let probability = tree.predict(&contexts, node, depth as usize);
            let bit = coder.code(probability, (given >> below) & 1 == 1)?;
            tree.learn(bit);
            label |= u32::from(bit);
        }
    }
    if label == near.expected {
        coder.contradiction()?;
    }
    Ok(label)
}
