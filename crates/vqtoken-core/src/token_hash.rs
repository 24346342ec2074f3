//! The token hash function: grid position -> code by look-up, and code -> its positions.

use crate::grid::{GridShape, Position};
use crate::index_map::IndexMap;
use crate::quantize::means::Members;

/// Both directions of an index map, built in one pass over it.
#[derive(Clone, Debug)]
pub struct TokenHash {
    map: IndexMap,
    members: Members,
}

impl TokenHash {
    /// Sorts the positions of the index map by code.
    pub fn new(map: &IndexMap) -> Self {
        Self { map: map.clone(), members: Members::new(map.labels().iter().copied(), map.codes()) }
    }

    pub(crate) fn map(&self) -> &IndexMap {
        &self.map
    }

    /// `[T, H, W]`.
    pub fn shape(&self) -> GridShape {
        self.map.shape()
    }

    /// K.
    pub fn codes(&self) -> usize {
        self.map.codes()
    }

    /// The code at frame `frame`, row `row`, column `column`; `None` outside the grid.
    pub fn code_at(&self, frame: usize, row: usize, column: usize) -> Option<u32> {
        let index = self.shape().index(Position { frame, row, column })?;
        self.map.labels().get(index).copied()
    }

    /// Where `code` stands, as places in the flat `[T, H, W]` map, ascending, which is (f, h, w) order. A code that is not
    /// below K stands nowhere. [`GridShape::position`] or [`TokenHash::cells`] give frame, row and column.
    pub fn positions(&self, code: u32) -> &[u32] {
        if (code as usize) < self.codes() { self.members.of(code as usize) } else { &[] }
    }

    /// Where `code` stands, as cells in (f, h, w) order.
    pub fn cells(&self, code: u32) -> impl ExactSizeIterator<Item = Position> + '_ {
        let GridShape { height, width, .. } = self.shape();
        self.positions(code).iter().map(move |&index| {
            let index = index as usize;
            Position { frame: index / (height * width), row: index / width % height, column: index % width }
        })
    }

    /// The share of frame `frame`'s cells that `code` holds, in `[0, 1]`; 0 for what does not exist.
    pub fn presence(&self, code: u32, frame: usize) -> f32 {
        let per_frame = self.shape().tokens_per_frame();
        let positions = self.positions(code);
        let before = |frame: usize| positions.partition_point(|&index| (index as usize) < frame * per_frame);
        if frame >= self.shape().frames {
            return 0.0;
        }
        ((before(frame + 1) - before(frame)) as f64 / per_frame as f64) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_of_a_small_map() {
        let shape = GridShape { frames: 2, height: 2, width: 2 };
        let hash = TokenHash::new(&IndexMap::new(shape, 4, vec![0, 1, 1, 1, 2, 0, 1, 0]).unwrap());
        assert_eq!(hash.code_at(1, 0, 0), Some(2));
        assert_eq!(hash.code_at(2, 0, 0), None);
        assert_eq!(hash.positions(1), [1, 2, 3, 6]);
        assert_eq!(hash.cells(2).collect::<Vec<_>>(), [Position { frame: 1, row: 0, column: 0 }]);
        assert!(hash.positions(3).is_empty());
        assert!(hash.positions(4).is_empty());
        assert_eq!((hash.presence(1, 0), hash.presence(1, 1), hash.presence(1, 2)), (0.75, 0.25, 0.0));
    }
}
