//! Behaviours of one object.
//!
//! Where an object is halfway is drawn, not where it starts: so where it is in the middle frame says little about where it
//! goes.

use std::f32::consts::PI;

use super::{Behaviour, ObjectSpec, Placement, Speed, anywhere, within};
use crate::geometry::{Direction, Place, Point, Side, minus, plus, times};
use crate::object::{EventKind, Object};
use crate::random::Random;
use crate::trajectory::{Pace, Trajectory};

pub(super) fn place(
    behaviour: Behaviour,
    spec: &ObjectSpec,
    index: usize,
    random: &mut Random,
) -> Option<Placement> {
    let (object, events) = match behaviour {
        Behaviour::Still { place } => (still(place, spec, random), vec![]),
        Behaviour::Go { direction, speed } => (go(direction, speed, spec, random), vec![]),
        Behaviour::Turn { before, after, recolours } => turn(before, after, recolours, spec, random)?,
        Behaviour::Wander { places, recolours_at } => wander(places, recolours_at, spec, random),
        Behaviour::Bounce { side } => bounce(side, spec, random)?,
        Behaviour::Enter { side } => {
            let start = random.range(0.15, 0.4);
            enter(side, start, random.range(0.3, 0.6), spec, random)
        }
        Behaviour::Leave { side } => leave(side, spec, random),
        Behaviour::Stop { direction } => stop(direction, spec, random)?,
        Behaviour::Flicker { times } => flicker(times, spec, random),
        Behaviour::Spin => {
            let spin = random.sign() * random.range(1.1, 1.3) * PI;
            (Object { spin, ..still(None, spec, random) }, vec![(0.0, EventKind::Spins)])
        }
        Behaviour::Resize { grows } => resize(grows, spec, random),
        _ => return None,
    };
    Some(Placement::of_one(object, index, &events))
}

/// An object, and when what happens to it.
type WithEvents = (Object, Vec<(f32, EventKind)>);

pub(super) fn still(place: Option<Place>, spec: &ObjectSpec, random: &mut Random) -> Object {
    let point = match place {
        Some(place) => within(place, spec, random),
        None => anywhere(spec, 0.5, random),
    };
    spec.along(Trajectory::from(point).rest(1.0))
}

fn go(direction: Direction, speed: Speed, spec: &ObjectSpec, random: &mut Random) -> Object {
    let (from, to, pace) = match speed {
        Speed::Medium => (0.3, 0.4, Pace::Steady),
        Speed::Fast => (0.52, 0.6, Pace::Steady),
        Speed::Slow => (0.15, 0.2, Pace::Steady),
        Speed::Quickening => (0.42, 0.5, Pace::Quickening),
        Speed::Slowing => (0.42, 0.5, Pace::Slowing),
    };
    let length = random.range(from, to).min(2.0 * spec.room());
    let first_half = pace.progress(0.5);
    // The same freedom in both coordinates, with a little more across the direction for the sake of room.
    let freedom = (spec.room() - length * first_half.max(1.0 - first_half)).max(0.0);
    let unit = direction.unit();
    let mut halfway = anywhere(spec, freedom + 0.12, random);
    for axis in [0, 1] {
        if unit[axis] != 0.0 {
            halfway[axis] = 0.5 + random.range(-freedom, freedom);
        }
    }
    let start = minus(halfway, times(unit, length * first_half));
    spec.along(Trajectory::from(start).line(1.0, plus(start, times(unit, length)), pace))
}

/// Two courses with a corner between them, at which the colour may change.
fn turn(
    before: Option<Direction>,
    after: Option<Direction>,
    recolours: bool,
    spec: &ObjectSpec,
    random: &mut Random,
) -> Option<WithEvents> {
    let corner_time = beside_the_middle(random);
    let corner = anywhere(spec, 0.22, random);
    let mut displacement = |course: Option<Direction>| {
        course.map_or([0.0, 0.0], |direction| times(direction.unit(), random.range(0.24, 0.34)))
    };
    let (first, second) = (displacement(before), displacement(after));
    if !spec.is_inside(minus(corner, first)) || !spec.is_inside(plus(corner, second)) {
        return None;
    }
    let start = Trajectory::from(minus(corner, first));
    let to_corner = if before.is_some() { start.go(corner_time, first) } else { start.rest(corner_time) };
    let trajectory = if after.is_some() { to_corner.go(1.0, second) } else { to_corner.rest(1.0) };
    let mut events = vec![match (before, after) {
        (None, _) => (corner_time, EventKind::Starts),
        (_, None) => (corner_time, EventKind::Stops),
        _ => (corner_time, EventKind::Turns),
    }];
    let mut object = spec.along(trajectory);
    if recolours {
        object.recolours.push((corner_time, spec.second_colour));
        events.push((corner_time, EventKind::Recolours { to: spec.second_colour }));
    }
    Some((object, events))
}

/// A time away from the middle of the clip, with at least two of eight frames before it and two after it.
fn beside_the_middle(random: &mut Random) -> f32 {
    0.5 + random.sign() * random.range(0.12, 0.21)
}

/// From place to place to place. The colour may change at any of the three; at the first and the last the object rests for a
/// while then.
fn wander(
    places: [Place; 3],
    recolours_at: Option<usize>,
    spec: &ObjectSpec,
    random: &mut Random,
) -> WithEvents {
    let [a, b, c] = places.map(|place| within(place, spec, random));
    let turn = random.range(0.4, 0.6);
    let (leaves, turns, arrives, recolours) = match recolours_at {
        Some(0) => (random.range(0.29, 0.34), 0.67, 1.0, Some(random.range(0.17, 0.21))),
        Some(2) => (0.0, 0.33, random.range(0.66, 0.71), Some(random.range(0.79, 0.83))),
        Some(_) => (0.0, turn, 1.0, Some(turn)),
        None => (0.0, turn, 1.0, None),
    };
    let trajectory = Trajectory::from(a)
        .rest(leaves)
        .line(turns, b, Pace::Steady)
        .line(arrives, c, Pace::Steady)
        .rest(1.0);
    let mut object = spec.along(trajectory);
    let mut events = vec![(turns, EventKind::Turns)];
    if leaves > 0.0 {
        events.push((leaves, EventKind::Starts));
    }
    if arrives < 1.0 {
        events.push((arrives, EventKind::Stops));
    }
    if let Some(time) = recolours {
        object.recolours.push((time, spec.second_colour));
        events.push((time, EventKind::Recolours { to: spec.second_colour }));
    }
    (object, events)
}

fn bounce(side: Side, spec: &ObjectSpec, random: &mut Random) -> Option<WithEvents> {
    let touch = random.range(0.38, 0.62);
    let wall = side.point(spec.reach(), 0.5 + random.range(-0.25, 0.25));
    let drift = random.range(0.05, 0.16) * random.sign();
    let outward = side.outward().unit();
    let along = [outward[1] * drift, outward[0] * drift];
    let inward = times(outward, -1.0);
    let start = minus(plus(wall, times(inward, random.range(0.28, 0.42))), along);
    let end = plus(plus(wall, times(inward, random.range(0.28, 0.42))), along);
    if !spec.is_inside(start) || !spec.is_inside(end) {
        return None;
    }
    let trajectory = Trajectory::from(start).line(touch, wall, Pace::Steady).line(1.0, end, Pace::Steady);
    Some((spec.along(trajectory), vec![(touch, EventKind::Bounces { side })]))
}

/// Out of sight until `start`, then in a line to a point `depth` inside of the side, which it reaches at the end of the clip.
pub(super) fn enter(
    side: Side,
    start: f32,
    depth: f32,
    spec: &ObjectSpec,
    random: &mut Random,
) -> WithEvents {
    let (outside, end) = across(side, depth, spec, random);
    let trajectory = Trajectory::from(outside).rest(start).line(1.0, end, Pace::Steady);
    (spec.along(trajectory), vec![(start, EventKind::Enters { side })])
}

fn leave(side: Side, spec: &ObjectSpec, random: &mut Random) -> WithEvents {
    let end = random.range(0.82, 0.93);
    // Slow at first, so that it is still near the middle of the picture in the middle frame.
    let (outside, start) = across(side, random.range(0.5, 0.78), spec, random);
    let trajectory = Trajectory::from(start).line(end, outside, Pace::Quickening).rest(1.0);
    (spec.along(trajectory), vec![(end, EventKind::Leaves { side })])
}

/// A point just outside of a side, and the point opposite to it `depth` inside.
fn across(side: Side, depth: f32, spec: &ObjectSpec, random: &mut Random) -> (Point, Point) {
    /// More than the camera's shake.
    const OUT: f32 = 0.035;
    let along = 0.5 + random.range(-spec.room(), spec.room());
    (side.point(-spec.radius - OUT, along), side.point(depth.max(spec.radius + 0.02), along))
}

fn stop(direction: Direction, spec: &ObjectSpec, random: &mut Random) -> Option<WithEvents> {
    let time = random.range(0.4, 0.6);
    let end = anywhere(spec, 0.3, random);
    let way = times(direction.unit(), random.range(0.28, 0.38));
    let start = minus(end, way);
    let trajectory = Trajectory::from(start).go(time, way).rest(1.0);
    spec.is_inside(start).then(|| (spec.along(trajectory), vec![(time, EventKind::Stops)]))
}

/// Changes between two colours `times` times, at equal intervals.
fn flicker(times: usize, spec: &ObjectSpec, random: &mut Random) -> WithEvents {
    let mut object = still(None, spec, random);
    let colours = [spec.second_colour, spec.appearance.colour];
    object.recolours =
        (0..times).map(|step| ((step + 1) as f32 / (times + 1) as f32, colours[step % 2])).collect();
    let events = object.recolours.iter().map(|&(time, to)| (time, EventKind::Recolours { to })).collect();
    (object, events)
}

fn resize(grows: bool, spec: &ObjectSpec, random: &mut Random) -> WithEvents {
    let base = spec.radius.max(0.075);
    let (small, large) = (0.75 * base, 1.4 * base);
    let roomy = ObjectSpec { radius: large, ..*spec };
    let object = still(None, &roomy, random);
    let (start, end, kind) =
        if grows { (small, large, EventKind::Grows) } else { (large, small, EventKind::Shrinks) };
    (Object { radius: start, growth: end / start, ..object }, vec![(0.0, kind)])
}
