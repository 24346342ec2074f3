//! Behaviours of two objects. The first is painted before the second, so it is behind.

use std::f32::consts::{PI, TAU};

use super::{Behaviour, ObjectSpec, Placement, anywhere};
use crate::geometry::{Direction, minus, plus, times, turned};
use crate::object::{EventKind, Object, RelatedPair, Relation};
use crate::random::Random;
use crate::trajectory::{Pace, Trajectory};

/// The distance between the outlines of objects that come close without touching.
const GAP: f32 = 0.04;

pub(super) fn place(
    behaviour: Behaviour,
    a: &ObjectSpec,
    b: &ObjectSpec,
    first: usize,
    random: &mut Random,
) -> Option<Placement> {
    match behaviour {
        Behaviour::Collide { direction, after } => collide(direction, after, a, b, first, random),
        Behaviour::Hide { direction } => hide(direction, a, b, first, random),
        Behaviour::PassBehind { direction } => pass_behind(direction, a, b, first, random),
        Behaviour::Relate { relation } => relate(relation, a, b, first, random),
        _ => None,
    }
}

/// The first bumps into the second, which rests, and goes in another direction; the second slides on a little.
fn collide(
    direction: Direction,
    after: Direction,
    a: &ObjectSpec,
    b: &ObjectSpec,
    first: usize,
    random: &mut Random,
) -> Option<Placement> {
    let time = random.range(0.38, 0.58);
    let contact = anywhere(a, 0.28, random);
    let ahead = direction.unit();
    let start = minus(contact, times(ahead, random.range(0.26, 0.36)));
    let end = plus(contact, times(after.unit(), random.range(0.24, 0.34)));
    let other = plus(contact, times(ahead, a.reach() + b.reach()));
    let pushed = plus(other, times(ahead, random.range(0.14, 0.2)));
    if !a.is_inside(start) || !a.is_inside(end) || !b.is_inside(other) || !b.is_inside(pushed) {
        return None;
    }
    let moving = Trajectory::from(start).line(time, contact, Pace::Steady).line(1.0, end, Pace::Steady);
    let pushed_on = Trajectory::from(other).rest(time).line(time + 0.35, pushed, Pace::Slowing).rest(1.0);
    let placement = Placement { objects: vec![a.along(moving), b.along(pushed_on)], ..Placement::default() };
    Some(
        placement
            .with(first, &[(time, EventKind::Collides { with: first + 1 })])
            .with(first + 1, &[(time, EventKind::Pushed { by: first })]),
    )
}

/// The first goes behind the second and stays there.
fn hide(
    direction: Direction,
    a: &ObjectSpec,
    b: &ObjectSpec,
    first: usize,
    random: &mut Random,
) -> Option<Placement> {
    let (small, occluder) = behind(a, b);
    let time = random.range(0.55, 0.7);
    let spot = anywhere(&occluder, 0.3, random);
    let near = small.radius + occluder.radius + GAP;
    let start = minus(spot, times(direction.unit(), near + random.range(0.04, 0.16)));
    if !small.is_inside(start) {
        return None;
    }
    let trajectory = Trajectory::from(start).line(time, spot, Pace::Steady).rest(1.0);
    let objects = vec![small.along(trajectory), occluder.along(Trajectory::from(spot).rest(1.0))];
    let hides = (time, EventKind::Hides { behind: first + 1 });
    Some(Placement { objects, ..Placement::default() }.with(first, &[hides]))
}

/// The first passes behind the second.
fn pass_behind(
    direction: Direction,
    a: &ObjectSpec,
    b: &ObjectSpec,
    first: usize,
    random: &mut Random,
) -> Option<Placement> {
    let (small, occluder) = behind(a, b);
    let time = random.range(0.4, 0.6);
    let spot = anywhere(&occluder, 0.15, random);
    let way = times(direction.unit(), 2.0 * (small.radius + occluder.radius + 0.02) + random.range(0.0, 0.1));
    let start = minus(spot, times(way, time));
    if !small.is_inside(start) || !small.is_inside(plus(start, way)) {
        return None;
    }
    let objects = vec![
        small.along(Trajectory::from(start).go(1.0, way)),
        occluder.along(Trajectory::from(spot).rest(1.0)),
    ];
    let passes = (time, EventKind::PassesBehind { object: first + 1 });
    Some(Placement { objects, ..Placement::default() }.with(first, &[passes]))
}

/// Both, in sizes at which the second covers the first.
fn behind(a: &ObjectSpec, b: &ObjectSpec) -> (ObjectSpec, ObjectSpec) {
    let occluder = ObjectSpec { radius: b.radius.max(0.115), ..*b };
    (ObjectSpec { radius: a.radius.min(0.6 * occluder.radius), ..*a }, occluder)
}

/// The first moves relative to the second.
fn relate(
    relation: Relation,
    a: &ObjectSpec,
    b: &ObjectSpec,
    first: usize,
    random: &mut Random,
) -> Option<Placement> {
    let near = a.radius + b.radius + GAP;
    let axis = random.pick(&Direction::ALL).unit();
    let angle = random.range(-0.3, 0.3);
    let ray = turned(axis, angle);
    let limit = if relation == Relation::Around { 0.08 } else { 0.3 };
    let other = anywhere(b, limit, random);
    let close = plus(other, times(ray, near));
    let far = plus(other, times(ray, near + random.range(0.26, 0.36)));
    let stands = |spec: &ObjectSpec, point| spec.along(Trajectory::from(point).rest(1.0));
    let (moving, standing): (Object, Object) = match relation {
        Relation::Towards => {
            (a.along(Trajectory::from(far).line(1.0, close, Pace::Steady)), stands(b, other))
        }
        Relation::Away => (a.along(Trajectory::from(close).line(1.0, far, Pace::Steady)), stands(b, other)),
        Relation::Around => {
            let turn = random.sign() * random.range(0.8 * TAU, 0.95 * TAU);
            let start = plus(other, turned(times(ray, near), random.range(0.0, 2.0 * PI)));
            (a.along(Trajectory::from(start).arc(1.0, other, turn)), stands(b, other))
        }
        Relation::Along => {
            // Side by side: never one after the other.
            let way = times(turned(axis, PI / 2.0), random.range(0.3, 0.4) * random.sign());
            let (a_from, b_from) = (minus(close, times(way, 0.5)), minus(other, times(way, 0.5)));
            (a.along(Trajectory::from(a_from).go(1.0, way)), b.along(Trajectory::from(b_from).go(1.0, way)))
        }
        Relation::Still => {
            let place = plus(other, times(ray, near + random.range(0.0, 0.25)));
            (stands(a, place), stands(b, other))
        }
    };
    let steps = || (0..=16).map(|step| step as f32 / 16.0);
    let inside = steps()
        .all(|time| a.is_inside(moving.trajectory.at(time)) && b.is_inside(standing.trajectory.at(time)));
    inside.then(|| Placement {
        objects: vec![moving, standing],
        events: Vec::new(),
        related: Some(RelatedPair { object: first, to: first + 1, relation }),
    })
}
