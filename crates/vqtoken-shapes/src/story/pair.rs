//! Stories of two objects. The first lies behind the second.

use std::f32::consts::{PI, TAU};

use super::{Cast, Staged, Story, anywhere};
use crate::geometry::{Direction, minus, plus, times, turned};
use crate::object::{Happening, Object, Related, Relation};
use crate::path::{Pace, Path};
use crate::random::Random;

/// Between the outlines of objects that come close and do not touch.
const GAP: f32 = 0.04;

pub(super) fn stage(story: Story, a: &Cast, b: &Cast, first: usize, random: &mut Random) -> Option<Staged> {
    match story {
        Story::Collide { direction, after } => collide(direction, after, a, b, first, random),
        Story::Hide { direction } => hide(direction, a, b, first, random),
        Story::Pass { direction } => pass(direction, a, b, first, random),
        Story::Relate { relation } => relate(relation, a, b, first, random),
        _ => None,
    }
}

/// The first runs into the second, which stands, and goes elsewhere; the second slides on a little.
fn collide(
    direction: Direction,
    after: Direction,
    a: &Cast,
    b: &Cast,
    first: usize,
    random: &mut Random,
) -> Option<Staged> {
    let time = random.range(0.38, 0.58);
    let contact = anywhere(a, 0.28, random);
    let ahead = direction.unit();
    let start = minus(contact, times(ahead, random.range(0.26, 0.36)));
    let end = plus(contact, times(after.unit(), random.range(0.24, 0.34)));
    let other = plus(contact, times(ahead, a.reach() + b.reach()));
    let pushed = plus(other, times(ahead, random.range(0.14, 0.2)));
    if !a.inside(start) || !a.inside(end) || !b.inside(other) || !b.inside(pushed) {
        return None;
    }
    let going = Path::from(start).line(time, contact, Pace::Steady).line(1.0, end, Pace::Steady);
    let standing = Path::from(other).rest(time).line(time + 0.35, pushed, Pace::Slowing).rest(1.0);
    let staged = Staged { objects: vec![a.walks(going), b.walks(standing)], ..Staged::default() };
    Some(
        staged
            .with(first, &[(time, Happening::Collides { with: first + 1 })])
            .with(first + 1, &[(time, Happening::Pushed { by: first })]),
    )
}

/// The first goes behind the second and stays there.
fn hide(direction: Direction, a: &Cast, b: &Cast, first: usize, random: &mut Random) -> Option<Staged> {
    let (small, screen) = behind(a, b);
    let time = random.range(0.55, 0.7);
    let spot = anywhere(&screen, 0.3, random);
    let near = small.radius + screen.radius + GAP;
    let start = minus(spot, times(direction.unit(), near + random.range(0.04, 0.16)));
    if !small.inside(start) {
        return None;
    }
    let path = Path::from(start).line(time, spot, Pace::Steady).rest(1.0);
    let objects = vec![small.walks(path), screen.walks(Path::from(spot).rest(1.0))];
    let hides = (time, Happening::Hides { behind: first + 1 });
    Some(Staged { objects, ..Staged::default() }.with(first, &[hides]))
}

/// The first goes through behind the second.
fn pass(direction: Direction, a: &Cast, b: &Cast, first: usize, random: &mut Random) -> Option<Staged> {
    let (small, screen) = behind(a, b);
    let time = random.range(0.4, 0.6);
    let spot = anywhere(&screen, 0.15, random);
    let way = times(direction.unit(), 2.0 * (small.radius + screen.radius + 0.02) + random.range(0.0, 0.1));
    let start = minus(spot, times(way, time));
    if !small.inside(start) || !small.inside(plus(start, way)) {
        return None;
    }
    let objects = vec![small.walks(Path::from(start).go(1.0, way)), screen.walks(Path::from(spot).rest(1.0))];
    let passes = (time, Happening::PassesBehind { object: first + 1 });
    Some(Staged { objects, ..Staged::default() }.with(first, &[passes]))
}

/// The two with sizes at which the second covers the first.
fn behind(a: &Cast, b: &Cast) -> (Cast, Cast) {
    let screen = Cast { radius: b.radius.max(0.115), ..*b };
    (Cast { radius: a.radius.min(0.6 * screen.radius), ..*a }, screen)
}

/// The first moves in some way with respect to the second.
fn relate(relation: Relation, a: &Cast, b: &Cast, first: usize, random: &mut Random) -> Option<Staged> {
    let near = a.radius + b.radius + GAP;
    let axis = random.pick(&Direction::ALL).unit();
    let angle = random.range(-0.3, 0.3);
    let ray = turned(axis, angle);
    let limit = if relation == Relation::Around { 0.08 } else { 0.3 };
    let other = anywhere(b, limit, random);
    let close = plus(other, times(ray, near));
    let far = plus(other, times(ray, near + random.range(0.26, 0.36)));
    let stands = |cast: &Cast, point| cast.walks(Path::from(point).rest(1.0));
    let (moving, standing): (Object, Object) = match relation {
        Relation::Towards => (a.walks(Path::from(far).line(1.0, close, Pace::Steady)), stands(b, other)),
        Relation::Away => (a.walks(Path::from(close).line(1.0, far, Pace::Steady)), stands(b, other)),
        Relation::Around => {
            let turn = random.sign() * random.range(0.8 * TAU, 0.95 * TAU);
            let start = plus(other, turned(times(ray, near), random.range(0.0, 2.0 * PI)));
            (a.walks(Path::from(start).around(1.0, other, turn)), stands(b, other))
        }
        Relation::Along => {
            // Side by side: across the way, never one behind the other.
            let way = times(turned(axis, PI / 2.0), random.range(0.3, 0.4) * random.sign());
            let (a_from, b_from) = (minus(close, times(way, 0.5)), minus(other, times(way, 0.5)));
            (a.walks(Path::from(a_from).go(1.0, way)), b.walks(Path::from(b_from).go(1.0, way)))
        }
        Relation::Still => {
            let place = plus(other, times(ray, near + random.range(0.0, 0.25)));
            (stands(a, place), stands(b, other))
        }
    };
    let steps = || (0..=16).map(|step| step as f32 / 16.0);
    let inside = steps().all(|time| a.inside(moving.path.at(time)) && b.inside(standing.path.at(time)));
    inside.then(|| Staged {
        objects: vec![moving, standing],
        events: Vec::new(),
        related: Some(Related { object: first, to: first + 1, relation }),
    })
}
