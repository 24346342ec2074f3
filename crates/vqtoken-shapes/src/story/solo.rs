//! Stories of one object.
//!
//! Ways lie about the middle of the clip, not about their start: where an object is in the middle frame says little
//! about where it goes.

use std::f32::consts::PI;

use super::{Cast, Gait, Staged, Story, anywhere, within};
use crate::geometry::{Direction, Place, Point, Side, minus, plus, times};
use crate::object::{Happening, Object};
use crate::path::{Pace, Path};
use crate::random::Random;

pub(super) fn stage(story: Story, cast: &Cast, number: usize, random: &mut Random) -> Option<Staged> {
    let (object, events) = match story {
        Story::Still { place } => (still(place, cast, random), vec![]),
        Story::Go { direction, gait } => (go(direction, gait, cast, random), vec![]),
        Story::Turn { before, after, recolours } => turn(before, after, recolours, cast, random)?,
        Story::Wander { places, recolours_at } => wander(places, recolours_at, cast, random),
        Story::Bounce { side } => bounce(side, cast, random)?,
        Story::Enter { side } => {
            let start = random.range(0.15, 0.4);
            enter(side, start, random.range(0.3, 0.6), cast, random)
        }
        Story::Leave { side } => leave(side, cast, random),
        Story::Stop { direction } => stop(direction, cast, random)?,
        Story::Flicker { times } => flicker(times, cast, random),
        Story::Spin => {
            let spin = random.sign() * random.range(1.1, 1.3) * PI;
            (Object { spin, ..still(None, cast, random) }, vec![(0.0, Happening::Spins)])
        }
        Story::Resize { grows } => resize(grows, cast, random),
        _ => return None,
    };
    Some(Staged::one(object, number, &events))
}

type Told = (Object, Vec<(f32, Happening)>);

pub(super) fn still(place: Option<Place>, cast: &Cast, random: &mut Random) -> Object {
    let point = match place {
        Some(place) => within(place, cast, random),
        None => anywhere(cast, 0.5, random),
    };
    cast.walks(Path::from(point).rest(1.0))
}

fn go(direction: Direction, gait: Gait, cast: &Cast, random: &mut Random) -> Object {
    let (from, to, pace) = match gait {
        Gait::Medium => (0.3, 0.4, Pace::Steady),
        Gait::Fast => (0.52, 0.6, Pace::Steady),
        Gait::Slow => (0.15, 0.2, Pace::Steady),
        Gait::Quickening => (0.42, 0.5, Pace::Quickening),
        Gait::Slowing => (0.42, 0.5, Pace::Slowing),
    };
    let long = random.range(from, to).min(2.0 * cast.room());
    let gone = pace.gone(0.5);
    // The same play in both coordinates, with a little more across the way for the sake of room.
    let play = (cast.room() - long * gone.max(1.0 - gone)).max(0.0);
    let unit = direction.unit();
    let mut centre = anywhere(cast, play + 0.12, random);
    for axis in [0, 1] {
        if unit[axis] != 0.0 {
            centre[axis] = 0.5 + random.range(-play, play);
        }
    }
    let start = minus(centre, times(unit, long * gone));
    cast.walks(Path::from(start).line(1.0, plus(start, times(unit, long)), pace))
}

/// Two courses with a corner between them; at the corner it may take another colour.
fn turn(
    before: Option<Direction>,
    after: Option<Direction>,
    recolours: bool,
    cast: &Cast,
    random: &mut Random,
) -> Option<Told> {
    let corner_time = beside_the_middle(random);
    let corner = anywhere(cast, 0.22, random);
    let mut leg = |course: Option<Direction>| {
        course.map_or([0.0, 0.0], |direction| times(direction.unit(), random.range(0.24, 0.34)))
    };
    let (first, second) = (leg(before), leg(after));
    if !cast.inside(minus(corner, first)) || !cast.inside(plus(corner, second)) {
        return None;
    }
    let mut path = Path::from(minus(corner, first));
    path = if before.is_some() { path.go(corner_time, first) } else { path.rest(corner_time) };
    path = if after.is_some() { path.go(1.0, second) } else { path.rest(1.0) };
    let mut events = vec![match (before, after) {
        (None, _) => (corner_time, Happening::Starts),
        (_, None) => (corner_time, Happening::Stops),
        _ => (corner_time, Happening::Turns),
    }];
    let mut object = cast.walks(path);
    if recolours {
        object.recolours.push((corner_time, cast.second));
        events.push((corner_time, Happening::Recolours { to: cast.second }));
    }
    Some((object, events))
}

/// A time that is not the middle of the clip, with two of eight frames before it and two after it.
fn beside_the_middle(random: &mut Random) -> f32 {
    0.5 + random.sign() * random.range(0.12, 0.21)
}

/// From place to place to place. The colour may change at any of the three; at the first and the last it stays for that
/// a while.
fn wander(places: [Place; 3], recolours_at: Option<usize>, cast: &Cast, random: &mut Random) -> Told {
    let [a, b, c] = places.map(|place| within(place, cast, random));
    let turn = random.range(0.4, 0.6);
    let (leaves, turns, arrives, recolours) = match recolours_at {
        Some(0) => (random.range(0.29, 0.34), 0.67, 1.0, Some(random.range(0.17, 0.21))),
        Some(2) => (0.0, 0.33, random.range(0.66, 0.71), Some(random.range(0.79, 0.83))),
        Some(_) => (0.0, turn, 1.0, Some(turn)),
        None => (0.0, turn, 1.0, None),
    };
    let path =
        Path::from(a).rest(leaves).line(turns, b, Pace::Steady).line(arrives, c, Pace::Steady).rest(1.0);
    let mut object = cast.walks(path);
    let mut events = vec![(turns, Happening::Turns)];
    if leaves > 0.0 {
        events.push((leaves, Happening::Starts));
    }
    if arrives < 1.0 {
        events.push((arrives, Happening::Stops));
    }
    if let Some(time) = recolours {
        object.recolours.push((time, cast.second));
        events.push((time, Happening::Recolours { to: cast.second }));
    }
    (object, events)
}

fn bounce(side: Side, cast: &Cast, random: &mut Random) -> Option<Told> {
    let touch = random.range(0.38, 0.62);
    let wall = side.point(cast.reach(), 0.5 + random.range(-0.25, 0.25));
    let drift = random.range(0.05, 0.16) * random.sign();
    let outward = side.outward().unit();
    let along = [outward[1] * drift, outward[0] * drift];
    let inward = times(outward, -1.0);
    let start = minus(plus(wall, times(inward, random.range(0.28, 0.42))), along);
    let end = plus(plus(wall, times(inward, random.range(0.28, 0.42))), along);
    if !cast.inside(start) || !cast.inside(end) {
        return None;
    }
    let path = Path::from(start).line(touch, wall, Pace::Steady).line(1.0, end, Pace::Steady);
    Some((cast.walks(path), vec![(touch, Happening::Bounces { side })]))
}

/// Out of sight until `start`, then inwards to the end of the clip, `deep` from the side.
pub(super) fn enter(side: Side, start: f32, deep: f32, cast: &Cast, random: &mut Random) -> Told {
    let (outside, end) = across(side, deep, cast, random);
    let path = Path::from(outside).rest(start).line(1.0, end, Pace::Steady);
    (cast.walks(path), vec![(start, Happening::Enters { side })])
}

fn leave(side: Side, cast: &Cast, random: &mut Random) -> Told {
    let end = random.range(0.82, 0.93);
    // Slow at first, so that it is still about the middle in the middle of the clip.
    let (outside, start) = across(side, random.range(0.5, 0.78), cast, random);
    let path = Path::from(start).line(end, outside, Pace::Quickening).rest(1.0);
    (cast.walks(path), vec![(end, Happening::Leaves { side })])
}

/// A point just outside of a side and the point `deep` inside, straight from it.
fn across(side: Side, deep: f32, cast: &Cast, random: &mut Random) -> (Point, Point) {
    /// More than the camera shakes.
    const OUT: f32 = 0.035;
    let along = 0.5 + random.range(-cast.room(), cast.room());
    (side.point(-cast.radius - OUT, along), side.point(deep.max(cast.radius + 0.02), along))
}

fn stop(direction: Direction, cast: &Cast, random: &mut Random) -> Option<Told> {
    let time = random.range(0.4, 0.6);
    let end = anywhere(cast, 0.3, random);
    let way = times(direction.unit(), random.range(0.28, 0.38));
    let start = minus(end, way);
    let path = Path::from(start).go(time, way).rest(1.0);
    cast.inside(start).then(|| (cast.walks(path), vec![(time, Happening::Stops)]))
}

/// Changes between two colours so many times, in even steps.
fn flicker(times: usize, cast: &Cast, random: &mut Random) -> Told {
    let mut object = still(None, cast, random);
    let colours = [cast.second, cast.look.colour];
    object.recolours =
        (0..times).map(|step| ((step + 1) as f32 / (times + 1) as f32, colours[step % 2])).collect();
    let events = object.recolours.iter().map(|&(time, to)| (time, Happening::Recolours { to })).collect();
    (object, events)
}

fn resize(grows: bool, cast: &Cast, random: &mut Random) -> Told {
    let base = cast.radius.max(0.075);
    let (small, large) = (0.75 * base, 1.4 * base);
    let roomy = Cast { radius: large, ..*cast };
    let object = still(None, &roomy, random);
    let (start, end, happening) =
        if grows { (small, large, Happening::Grows) } else { (large, small, Happening::Shrinks) };
    (Object { radius: start, growth: end / start, ..object }, vec![(0.0, happening)])
}
