//! Which codes are worth following: those whose centre travels, on a way of its own.

use vqtoken_core::{PathPoint, TokenHash};

use super::canvas::{Point, length, minus};

/// Bins of time, if there are as many frames.
const BINS: usize = 16;
const MOST: usize = 8;
/// In a bin where a code has less than this share of its own peak, its centre says little.
const FAINT: f32 = 0.2;
/// A code moves if its centre travels at least this part of the frame's sides ...
const LEAST_TRAVEL: f32 = 0.08;
/// ... and does so by a way that is not much longer: there and back is 0.5, trembling far less.
const LEAST_DIRECTNESS: f32 = 0.3;
/// ... and it is there for at least this part of the time ...
const LEAST_THERE: f32 = 0.4;
/// ... and there is at least this part as much to see of it as of the code that moves most.
const LEAST_WEIGHT: f32 = 0.05;
/// Two codes nearer to each other than this at most times go together, as two sides of one object do.
const TOGETHER: f32 = 0.13;

/// A code whose centre moves.
pub(super) struct Mover {
    pub(super) code: u32,
    /// The centre as (across, down) in `[0, 1]` for each bin of time; `None` while the code is away.
    pub(super) centres: Vec<Option<Point>>,
    /// How much there is to see: far, straight, compact and large counts more.
    weight: f32,
}

/// The codes that move, those first of which there is most to see; of codes that go together only the first.
pub(super) fn movers(hash: &TokenHash) -> Vec<Mover> {
    let bins = hash.shape().frames.min(BINS);
    let mut all: Vec<Mover> =
        (0..hash.codes() as u32).filter_map(|code| mover(code, &hash.path(code, bins))).collect();
    all.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let least = all.first().map_or(0.0, |first| first.weight * LEAST_WEIGHT);
    let mut movers: Vec<Mover> = Vec::new();
    for mover in all {
        if movers.len() < MOST && mover.weight >= least && !movers.iter().any(|other| together(&mover, other))
        {
            movers.push(mover);
        }
    }
    movers
}

fn mover(code: u32, path: &[PathPoint]) -> Option<Mover> {
    let centres = smooth(&centres(path));
    let travel = travel(&centres);
    let there: Vec<Point> = centres.iter().flatten().copied().collect();
    let way: f32 = there.windows(2).map(|pair| length(minus(pair[1], pair[0]))).sum();
    let directness = travel / way.max(f32::MIN_POSITIVE);
    let time = there.len() as f32 / path.len() as f32;
    if travel < LEAST_TRAVEL || directness < LEAST_DIRECTNESS || time < LEAST_THERE {
        return None;
    }
    let presence: f32 = path.iter().map(|point| point.presence).sum();
    let spread: f32 = path.iter().map(|point| point.presence * length(point.spread)).sum::<f32>()
        / presence.max(f32::MIN_POSITIVE);
    let weight = travel * directness * presence.sqrt() / (0.05 + spread);
    Some(Mover { code, centres, weight })
}

fn centres(path: &[PathPoint]) -> Vec<Option<Point>> {
    let peak = path.iter().map(|point| point.presence).fold(0.0, f32::max);
    let there = |point: &PathPoint| peak > 0.0 && point.presence >= peak * FAINT;
    path.iter().map(|point| there(point).then_some([point.centre[1], point.centre[0]])).collect()
}

/// Each centre between two others moved half way to their middle: cells are coarse, and centres tremble.
fn smooth(centres: &[Option<Point>]) -> Vec<Option<Point>> {
    let at = |bin: usize| centres.get(bin).copied().flatten();
    let smoothed = |bin: usize| match (at(bin.wrapping_sub(1)), at(bin), at(bin + 1)) {
        (Some(before), Some(own), Some(after)) => {
            Some([0, 1].map(|axis| own[axis] / 2.0 + (before[axis] + after[axis]) / 4.0))
        }
        (_, own, _) => own,
    };
    (0..centres.len()).map(smoothed).collect()
}

/// The diagonal of the box around all centres.
fn travel(centres: &[Option<Point>]) -> f32 {
    let extent = |axis: usize| {
        let along = || centres.iter().flatten().map(|centre| centre[axis]);
        (along().fold(f32::NEG_INFINITY, f32::max) - along().fold(f32::INFINITY, f32::min)).max(0.0)
    };
    length([extent(0), extent(1)])
}

fn together(a: &Mover, b: &Mover) -> bool {
    let mut apart: Vec<f32> =
        a.centres.iter().zip(&b.centres).filter_map(|(a, b)| Some(length(minus((*a)?, (*b)?)))).collect();
    apart.sort_by(f32::total_cmp);
    apart.get(apart.len() / 2).is_some_and(|&median| median < TOGETHER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vqtoken_core::{GridShape, IndexMap};

    /// Sixteen frames of 16 x 16 cells: code 1 goes right along row 2, code 2 goes with it below, code 3 trembles, code 0 is the rest.
    #[test]
    fn the_code_that_travels_is_found_once() {
        let shape = GridShape { frames: 16, height: 16, width: 16 };
        let mut labels = vec![0; shape.len()];
        for frame in 0..16 {
            labels[frame * 256 + 2 * 16 + frame] = 1;
            if frame < 15 {
                labels[frame * 256 + 3 * 16 + frame] = 2;
            }
            labels[frame * 256 + 6 * 16 + 4 + frame % 2] = 3;
        }
        let found = movers(&TokenHash::new(&IndexMap::new(shape, 4, labels).unwrap()));
        assert_eq!(found.iter().map(|mover| mover.code).collect::<Vec<_>>(), [1]);
        let (first, last) = (found[0].centres[0].unwrap(), found[0].centres[15].unwrap());
        assert_eq!((first, last), ([0.03125, 0.15625], [0.96875, 0.15625]));
    }
}
