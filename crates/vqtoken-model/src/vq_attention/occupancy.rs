//! Where each code of some clips stands, as zeros and ones.

use vqtoken_core::{GridShape, IndexMap};

/// One indicator for each code of each clip over the grid.
#[derive(Debug)]
pub(super) struct Occupancy {
    shape: GridShape,
    /// `[clips * K, T, H, W]`
    cells: Vec<f32>,
}

impl Occupancy {
    /// Of clips with `codes` codes each.
    pub(super) fn new(index_maps: &[IndexMap], codes: usize) -> Self {
        let shape = index_maps.first().map(IndexMap::shape);
        let shape = shape.unwrap_or(GridShape { frames: 0, height: 0, width: 0 });
        let positions = shape.frames * shape.height * shape.width;
        let mut cells = vec![0.0; index_maps.len() * codes * positions];
        for (clip, map) in index_maps.iter().enumerate() {
            assert_eq!(map.shape(), shape, "index maps of one batch have one shape");
            for (position, &label) in map.labels().iter().enumerate() {
                cells[(clip * codes + label as usize) * positions + position] = 1.0;
            }
        }
        Self { shape, cells }
    }

    /// Whether a code stands anywhere in each frame, `[clips * K, T]`.
    pub(super) fn of_frames(&self) -> Vec<f32> {
        self.along(self.shape.frames, self.shape.height * self.shape.width)
    }

    /// Whether a code stands anywhere in each row, `[clips * K, H]`.
    pub(super) fn of_rows(&self) -> Vec<f32> {
        self.along(self.shape.height, self.shape.width)
    }

    /// Whether a code stands anywhere in each column, `[clips * K, W]`.
    pub(super) fn of_columns(&self) -> Vec<f32> {
        self.along(self.shape.width, 1)
    }

    /// The indicators, `[clips * K, T, H, W]`.
    pub(super) fn into_cells(self) -> Vec<f32> {
        self.cells
    }

    /// Along an axis of `count` coordinates whose neighbours are `stride` cells apart.
    fn along(&self, count: usize, stride: usize) -> Vec<f32> {
        let GridShape { frames, height, width } = self.shape;
        let positions = (frames * height * width).max(1);
        let mut occupied = vec![0.0; self.cells.len() / positions * count];
        for (cells, occupied) in self.cells.chunks_exact(positions).zip(occupied.chunks_exact_mut(count)) {
            for (position, _) in cells.iter().enumerate().filter(|(_, cell)| **cell > 0.0) {
                occupied[position / stride % count] = 1.0;
            }
        }
        occupied
    }
}
