//! Which texts are true of which windows and of which codes, by the renderer's truth.

use vqtoken_core::IndexMap;
use vqtoken_shapes::{Query, Scene};

use crate::objectives::token_labels::cells_of_codes;

/// A part of an interval that a window has to contain, or of a window that an interval has to fill.
const MOSTLY: f32 = 0.75;

/// A share that is taken as none.
const HARDLY: f32 = 0.1;

/// What needs its whole interval is not seen in less than this share of it.
const HALF: f32 = 0.5;

/// The target of a window that is true but lies badly.
const LEAST_TRUE: f32 = 0.3;

/// A code is an object's if the object covers at least this share of its cells.
const OWNED: f64 = 0.6;

/// A code is not an object's if the object covers at most this share of its cells.
const FOREIGN: f64 = 0.25;

/// The target of a text and a window from `from` to `to`, both in seconds: 0 where it is not true, 1 where the window is an interval of
/// the text, between `LEAST_TRUE` and 1 where the window lies less well, and `None` where it is a matter of opinion.
///
/// With the share of an interval that is inside the window and the share of the window that is inside the interval, a text is true where
/// either is at least `MOSTLY`, not true where both are at most `HARDLY`; the target is `LEAST_TRUE` more than the intersection over
/// union. What needs its whole interval is true where `MOSTLY` all of the interval is inside, and not true up to `HALF` of it.
pub(super) fn window_target(query: &Query, intervals: &[(f32, f32)], (from, to): (f32, f32)) -> Option<f32> {
    let mut best: Option<f32> = Some(0.0);
    for &(start, end) in intervals {
        let inside = (end.min(to) - start.max(from)).max(0.0);
        let union = (end - start) + (to - from) - inside;
        let (of_interval, of_window) = (inside / (end - start).max(1e-6), inside / (to - from).max(1e-6));
        let target = match query.needs_whole_interval() {
            true if of_interval >= MOSTLY => Some((LEAST_TRUE + inside / union).min(1.0)),
            true if of_interval <= HALF => Some(0.0),
            false if of_interval.max(of_window) >= MOSTLY => Some((LEAST_TRUE + inside / union).min(1.0)),
            false if of_interval.max(of_window) <= HARDLY => Some(0.0),
            _ => None,
        };
        best = match (best, target) {
            // One clear interval is enough.
            (Some(best), Some(target)) => Some(best.max(target)),
            (None, Some(target)) if target > 0.0 => Some(target),
            (Some(best), None) if best > 0.0 => Some(best),
            _ => None,
        };
    }
    best
}

/// The target of a text and a window of `frames` frames, which one frame cannot show if it is about motion.
pub(super) fn target(
    query: &Query,
    intervals: &[(f32, f32)],
    span: (f32, f32),
    frames: usize,
) -> Option<f32> {
    match frames == 1 && !query.shows_in_one_frame() {
        true => Some(0.0),
        false => window_target(query, intervals, span),
    }
}

/// Which object a code stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// This one.
    Object(usize),
    /// None.
    Nothing,
    /// A matter of opinion, as the code has cells of several.
    Unclear,
}

/// Which object each code stands for, `[K]`, given the object that each cell shows.
pub(super) fn owners(scene: &Scene, map: &IndexMap, shown: &[Option<usize>]) -> Vec<Owner> {
    let owner = |(all, by_object): (usize, Vec<usize>)| {
        let most = by_object.iter().enumerate().max_by_key(|(_, count)| **count);
        let Some((object, count)) = most else { return Owner::Nothing };
        match *count as f64 / all.max(1) as f64 {
            share if share >= OWNED => Owner::Object(object),
            share if share <= FOREIGN => Owner::Nothing,
            _ => Owner::Unclear,
        }
    };
    cells_of_codes(scene.objects.len(), map, shown.iter().copied()).into_iter().map(owner).collect()
}

/// The target of a text and a code of a window, given the objects that the text is about in the clip and the window's own target: the
/// same for codes of these objects, and 0 for others.
pub(super) fn code_target(owner: Owner, objects: &[usize], window: Option<f32>) -> Option<f32> {
    match owner {
        Owner::Object(object) if objects.contains(&object) => window,
        Owner::Object(_) | Owner::Nothing => Some(0.0),
        Owner::Unclear if objects.is_empty() || window == Some(0.0) => Some(0.0),
        Owner::Unclear => None,
    }
}

#[cfg(test)]
mod tests {
    use vqtoken_shapes::{Action, Deed, Description, Query, Wanted};

    use super::*;

    const ANY: Description = Description { colour: None, shape: None };

    fn query(wanted: Wanted) -> Query {
        Query { wanted, phrasing: 0 }
    }

    #[test]
    fn a_window_that_lies_better_has_a_higher_target() {
        let object = query(Wanted::Object(ANY));
        let of = |from, to| window_target(&object, &[(1.0, 2.0)], (from, to));
        assert_eq!(of(1.0, 2.0), Some(1.0));
        assert!((of(0.0, 4.0).unwrap() - 0.55).abs() < 1e-5);
        assert!((of(1.2, 1.4).unwrap() - 0.5).abs() < 1e-5);
        assert_eq!(of(2.5, 4.0), Some(0.0));
        assert_eq!(of(1.5, 2.5), None);
        assert_eq!(window_target(&object, &[], (0.0, 4.0)), Some(0.0));
    }

    #[test]
    fn a_clear_interval_decides_beside_an_unclear_one() {
        let object = query(Wanted::Object(ANY));
        let both = [(0.0, 1.0), (1.5, 3.5)];
        assert!(window_target(&object, &both, (0.0, 2.0)).unwrap() > 0.5);
        assert_eq!(window_target(&object, &both[1..], (0.0, 2.5)), None);
    }

    #[test]
    fn part_of_an_order_is_not_the_order() {
        let deed = Deed { subject: ANY, action: Action::Turns };
        let order = query(Wanted::Order { first: deed, then: deed });
        let of = |from, to| window_target(&order, &[(0.5, 3.5)], (from, to));
        assert_eq!(of(0.5, 1.5), Some(0.0));
        assert_eq!(of(0.5, 2.5), None);
        assert!(of(0.0, 4.0).unwrap() > 0.99);
    }
}
