//! Where an object is at any time: segments of motion, one after the other. Times are fractions of the clip, 0 at the first
//! frame and 1 at the last.

use serde::{Deserialize, Serialize};

use crate::geometry::{Direction, Point, minus, plus, times, turned};

/// How the speed changes along a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// It stays the same.
    Steady,
    /// Seven times as fast at the end as at the start.
    Quickening,
    /// Seven times as fast at the start as at the end.
    Slowing,
}

impl Pace {
    /// The share of the line behind it after a share of the time, both in `[0, 1]`.
    pub(crate) fn progress(self, time: f32) -> f32 {
        match self {
            Pace::Steady => time,
            Pace::Quickening => 0.25 * time + 0.75 * time * time,
            Pace::Slowing => 1.75 * time - 0.75 * time * time,
        }
    }
}

/// The motion during a segment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Motion {
    /// None.
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

/// A span of time with one motion.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// When it ends; it starts when the one before it ends.
    pub until: f32,
    /// Where it starts.
    pub from: Point,
    /// The motion.
    pub motion: Motion,
}

/// The motion of an object's centre through the clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trajectory {
    #[serde(rename = "legs")]
    segments: Vec<Segment>,
}

impl Trajectory {
    /// One that starts at a point and stays there, until segments are added.
    pub(crate) fn from(start: Point) -> Trajectory {
        Trajectory { segments: vec![Segment { until: 0.0, from: start, motion: Motion::Rest }] }
    }

    fn then(mut self, until: f32, motion: Motion) -> Trajectory {
        let from = self.at(1.0);
        self.segments.push(Segment { until, from, motion });
        self
    }

    pub(crate) fn rest(self, until: f32) -> Trajectory {
        self.then(until, Motion::Rest)
    }

    pub(crate) fn line(self, until: f32, to: Point, pace: Pace) -> Trajectory {
        self.then(until, Motion::Line { to, pace })
    }

    /// A steady line by a displacement.
    pub(crate) fn go(self, until: f32, by: Point) -> Trajectory {
        let to = plus(self.at(1.0), by);
        self.line(until, to, Pace::Steady)
    }

    pub(crate) fn arc(self, until: f32, centre: Point, turn: f32) -> Trajectory {
        self.then(until, Motion::Arc { centre, turn })
    }

    /// The segments that last any time, each with its start, in order of time.
    pub fn segments(&self) -> impl Iterator<Item = (f32, &Segment)> {
        let starts = std::iter::once(0.0).chain(self.segments.iter().map(|segment| segment.until));
        starts.zip(&self.segments).filter(|(start, segment)| segment.until > *start)
    }

    /// The centre at `time`; after the last segment it stays.
    pub fn at(&self, time: f32) -> Point {
        let mut start = 0.0;
        let mut end = [0.5, 0.5];
        for segment in &self.segments {
            let part = if segment.until > start {
                ((time - start) / (segment.until - start)).clamp(0.0, 1.0)
            } else {
                1.0
            };
            end = match segment.motion {
                Motion::Rest => segment.from,
                Motion::Line { to, pace } => {
                    plus(segment.from, times(minus(to, segment.from), pace.progress(part)))
                }
                Motion::Arc { centre, turn } => {
                    plus(centre, turned(minus(segment.from, centre), turn * part))
                }
            };
            if time <= segment.until {
                return end;
            }
            start = segment.until;
        }
        end
    }

    /// Whether the centre ever moves.
    pub fn moves(&self) -> bool {
        self.segments.iter().any(|segment| segment.motion != Motion::Rest)
    }

    /// The direction of all motion: every moving segment is a line in it. `None` where there are several, arcs, or no motion.
    pub fn direction(&self) -> Option<Direction> {
        let mut only = None;
        for (_, segment) in self.segments().filter(|(_, segment)| segment.motion != Motion::Rest) {
            let Motion::Line { to, .. } = segment.motion else { return None };
            let direction = Direction::of(minus(to, segment.from))?;
            if only.is_some_and(|only| only != direction) {
                return None;
            }
            only = Some(direction);
        }
        only
    }

    /// The course at `time`: a direction, or an inner `None` for rest. The outer `None` is for arcs and oblique lines.
    pub fn course(&self, time: f32) -> Option<Option<Direction>> {
        match self.segments().find(|(_, segment)| time <= segment.until).map(|(_, segment)| segment) {
            Some(Segment { motion: Motion::Line { to, .. }, from, .. }) => {
                Direction::of(minus(*to, *from)).map(Some)
            }
            Some(Segment { motion: Motion::Arc { .. }, .. }) => None,
            Some(Segment { motion: Motion::Rest, .. }) | None => Some(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_follow_each_other_without_a_jump() {
        let path = Trajectory::from([0.2, 0.2])
            .rest(0.2)
            .line(0.5, [0.6, 0.2], Pace::Quickening)
            .arc(0.8, [0.6, 0.4], 1.0)
            .go(1.0, [0.0, 0.1]);
        assert_eq!(path.at(0.0), [0.2, 0.2]);
        assert_eq!(path.at(0.2), [0.2, 0.2]);
        assert!((path.at(0.35)[0] - (0.2 + 0.4 * (0.125 + 0.1875))).abs() < 1e-6);
        for step in 0..1000 {
            let (a, b) = (path.at(step as f32 / 1000.0), path.at((step + 1) as f32 / 1000.0));
            assert!(crate::geometry::distance(a, b) < 0.004, "{step}");
        }
        assert_eq!(path.segments().count(), 4);
        assert!(path.moves() && path.direction().is_none());
        assert_eq!(path.course(0.1), Some(None));
        assert_eq!(path.course(0.4), Some(Some(Direction::Right)));
        assert_eq!(path.course(0.6), None);
    }

    #[test]
    fn a_trajectory_without_segments_stays() {
        let path = Trajectory::from([0.3, 0.4]);
        assert_eq!((path.at(0.0), path.at(1.0)), ([0.3, 0.4], [0.3, 0.4]));
        assert!(!path.moves());
        let stops = path.go(0.5, [0.2, 0.0]).rest(1.0);
        assert_eq!(stops.direction(), Some(Direction::Right));
    }

    #[test]
    fn paces_arrive() {
        for pace in [Pace::Steady, Pace::Quickening, Pace::Slowing] {
            assert_eq!((pace.progress(0.0), pace.progress(1.0)), (0.0, 1.0));
        }
    }
}
