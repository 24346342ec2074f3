//! A code's path as numbers of about one for a network.

use vqtoken_core::{IndexMap, PathPoint};

/// Features of a time bin: whether the code is there, how much of the picture it holds, where, where relative to its mean
/// centre, and how spread out it is, the last three as (row, column).
pub(super) const PATH_FEATURES: usize = 8;

/// Brings the share of the picture that an object holds, and how far it reaches, to about one.
const SIZE: f32 = 4.0;

/// The paths of a map's codes over at least one bin, `[K, bins * PATH_FEATURES]`; all zeros in a bin where a code is absent.
pub(super) fn path_features(map: &IndexMap, bins: usize) -> Vec<f32> {
    map.paths(bins).chunks_exact(bins).flat_map(of_path).collect()
}

fn of_path(path: &[PathPoint]) -> Vec<f32> {
    let total: f32 = path.iter().map(|point| point.presence).sum();
    let mean = [0, 1].map(|axis| {
        let sum: f32 = path.iter().map(|point| point.presence * point.centre[axis]).sum();
        sum / total.max(f32::MIN_POSITIVE)
    });
    path.iter().flat_map(|point| of_point(point, mean)).collect()
}

fn of_point(point: &PathPoint, mean: [f32; 2]) -> [f32; PATH_FEATURES] {
    if point.presence == 0.0 {
        return [0.0; PATH_FEATURES];
    }
    let [row, column] = point.centre;
    [
        1.0,
        SIZE * point.presence.sqrt(),
        2.0 * row - 1.0,
        2.0 * column - 1.0,
        SIZE * (row - mean[0]),
        SIZE * (column - mean[1]),
        SIZE * point.spread[0],
        SIZE * point.spread[1],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use vqtoken_core::GridShape;

    #[test]
    fn an_absent_code_and_one_that_moves() {
        let shape = GridShape { frames: 2, height: 1, width: 4 };
        let map = IndexMap::new(shape, 3, vec![1, 0, 0, 0, 0, 0, 0, 1]).unwrap();
        let features = path_features(&map, 2);
        assert!(features[32..] == [0.0; 16], "code 2 stands nowhere");
        let moving = &features[16..32];
        assert!(moving[..8] == [1.0, 2.0, 0.0, -0.75, 0.0, -1.5, 0.0, 0.0], "{moving:?}");
        assert!(moving[8..] == [1.0, 2.0, 0.0, 0.75, 0.0, 1.5, 0.0, 0.0], "{moving:?}");
    }
}
