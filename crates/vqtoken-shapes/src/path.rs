//! Where an object is at any time: legs, one after the other. Times are fractions of the clip, 0 at the first frame and 1
//! at the last.

use serde::{Deserialize, Serialize};

use crate::geometry::{Direction, Point, minus, plus, times, turned};

/// How the speed changes along a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// It does not.
    Steady,
    /// Seven times as fast at the end as at the start.
    Quickening,
    /// Seven times as fast at the start as at the end.
    Slowing,
}

impl Pace {
    /// The part of the way gone after a part of the time, both in `[0, 1]`.
    pub(crate) fn gone(self, time: f32) -> f32 {
        match self {
            Pace::Steady => time,
            Pace::Quickening => 0.25 * time + 0.75 * time * time,
            Pace::Slowing => 1.75 * time - 0.75 * time * time,
        }
    }
}

/// What happens during a leg.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Motion {
    /// Nothing.
    Rest,
    /// A straight line to a point.
    Line {
        /// Where it ends.
        to: Point,
        /// How the speed changes.
        pace: Pace,
    },
    /// Part of a circle.
    Arc {
        /// The middle of the circle.
        centre: Point,
        /// Radians, clockwise on the screen where positive.
        turn: f32,
    },
}

/// A stretch of time with one motion.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leg {
    /// When it ends; it starts where the leg before it ends.
    pub until: f32,
    /// Where it starts.
    pub from: Point,
    /// What happens.
    pub motion: Motion,
}

/// The way of an object's centre through the clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Path {
    legs: Vec<Leg>,
}

impl Path {
    /// A path that starts at a point and has no legs yet: it stays there.
    pub(crate) fn from(start: Point) -> Path {
        Path { legs: vec![Leg { until: 0.0, from: start, motion: Motion::Rest }] }
    }

    fn then(mut self, until: f32, motion: Motion) -> Path {
        let from = self.at(1.0);
        self.legs.push(Leg { until, from, motion });
        self
    }

    pub(crate) fn rest(self, until: f32) -> Path {
        self.then(until, Motion::Rest)
    }

    pub(crate) fn line(self, until: f32, to: Point, pace: Pace) -> Path {
        self.then(until, Motion::Line { to, pace })
    }

    /// A steady line by a displacement.
    pub(crate) fn go(self, until: f32, by: Point) -> Path {
        let to = plus(self.at(1.0), by);
        self.line(until, to, Pace::Steady)
    }

    pub(crate) fn around(self, until: f32, centre: Point, turn: f32) -> Path {
        self.then(until, Motion::Arc { centre, turn })
    }

    /// The legs with the time at which each starts, in order of time.
    pub fn legs(&self) -> impl Iterator<Item = (f32, &Leg)> {
        let starts = std::iter::once(0.0).chain(self.legs.iter().map(|leg| leg.until));
        starts.zip(&self.legs).filter(|(start, leg)| leg.until > *start)
    }

    /// Where the centre is at `time`; after the last leg it stays.
    pub fn at(&self, time: f32) -> Point {
        let mut start = 0.0;
        let mut end = [0.5, 0.5];
        for leg in &self.legs {
            let part =
                if leg.until > start { ((time - start) / (leg.until - start)).clamp(0.0, 1.0) } else { 1.0 };
            end = match leg.motion {
                Motion::Rest => leg.from,
                Motion::Line { to, pace } => plus(leg.from, times(minus(to, leg.from), pace.gone(part))),
                Motion::Arc { centre, turn } => plus(centre, turned(minus(leg.from, centre), turn * part)),
            };
            if time <= leg.until {
                return end;
            }
            start = leg.until;
        }
        end
    }

    /// Whether the centre ever leaves its start by more than a camera's shake.
    pub fn moves(&self) -> bool {
        self.legs.iter().any(|leg| leg.motion != Motion::Rest)
    }

    /// The direction of the only kind of motion there is: every moving leg is a line in this direction.
    pub fn direction(&self) -> Option<Direction> {
        let mut only = None;
        for (_, leg) in self.legs().filter(|(_, leg)| leg.motion != Motion::Rest) {
            let Motion::Line { to, .. } = leg.motion else { return None };
            let direction = Direction::of(minus(to, leg.from))?;
            if only.is_some_and(|only| only != direction) {
                return None;
            }
            only = Some(direction);
        }
        only
    }

    /// What is going on at `time`: a direction, or `None` for rest. The outer `None` is for arcs and oblique lines.
    pub fn course(&self, time: f32) -> Option<Option<Direction>> {
        match self.legs().find(|(_, leg)| time <= leg.until).map(|(_, leg)| leg) {
            Some(Leg { motion: Motion::Line { to, .. }, from, .. }) => {
                Direction::of(minus(*to, *from)).map(Some)
            }
            Some(Leg { motion: Motion::Arc { .. }, .. }) => None,
            Some(Leg { motion: Motion::Rest, .. }) | None => Some(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legs_follow_each_other_without_a_jump() {
        let path = Path::from([0.2, 0.2])
            .rest(0.2)
            .line(0.5, [0.6, 0.2], Pace::Quickening)
            .around(0.8, [0.6, 0.4], 1.0)
            .go(1.0, [0.0, 0.1]);
        assert_eq!(path.at(0.0), [0.2, 0.2]);
        assert_eq!(path.at(0.2), [0.2, 0.2]);
        assert!((path.at(0.35)[0] - (0.2 + 0.4 * (0.125 + 0.1875))).abs() < 1e-6);
        for step in 0..1000 {
            let (a, b) = (path.at(step as f32 / 1000.0), path.at((step + 1) as f32 / 1000.0));
            assert!(crate::geometry::apart(a, b) < 0.004, "{step}");
        }
        assert_eq!(path.legs().count(), 4);
        assert!(path.moves() && path.direction().is_none());
        assert_eq!(path.course(0.1), Some(None));
        assert_eq!(path.course(0.4), Some(Some(Direction::Right)));
        assert_eq!(path.course(0.6), None);
    }

    #[test]
    fn a_path_without_legs_stays() {
        let path = Path::from([0.3, 0.4]);
        assert_eq!((path.at(0.0), path.at(1.0)), ([0.3, 0.4], [0.3, 0.4]));
        assert!(!path.moves());
        let stops = path.go(0.5, [0.2, 0.0]).rest(1.0);
        assert_eq!(stops.direction(), Some(Direction::Right));
    }

    #[test]
    fn paces_arrive() {
        for pace in [Pace::Steady, Pace::Quickening, Pace::Slowing] {
            assert_eq!((pace.gone(0.0), pace.gone(1.0)), (0.0, 1.0));
        }
    }
}
