//! Stories: what one, two or three objects do in a clip. A plan chooses stories with everything that answers will tell,
//! and staging then draws the rest (where exactly, how long) again and again until all stories have room: so the
//! answers keep the distribution of the plan.

mod pair;
mod solo;
mod trio;

use crate::geometry::{Direction, Place, Side};
use crate::look::{Colour, Look, Texture};
use crate::object::{Event, Happening, Object, Related, Relation};
use crate::path::Path;
use crate::random::Random;

/// How an object goes on a straight way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gait {
    Medium,
    Fast,
    Slow,
    Quickening,
    Slowing,
}

/// What three objects do one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turnwise {
    Enter,
    Recolour,
    Start,
}

/// What some objects do. `None` as a course is rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Story {
    Still { place: Option<Place> },
    Go { direction: Direction, gait: Gait },
    Turn { before: Option<Direction>, after: Option<Direction>, recolours: bool },
    Wander { places: [Place; 3], recolours_at: Option<usize> },
    Bounce { side: Side },
    Enter { side: Side },
    Leave { side: Side },
    Stop { direction: Direction },
    Flicker { times: usize },
    Spin,
    Resize { grows: bool },
    Collide { direction: Direction, after: Direction },
    Hide { direction: Direction },
    Pass { direction: Direction },
    Relate { relation: Relation },
    Turnwise { what: Turnwise, sides: [Side; 3], directions: [Direction; 3] },
}

/// An object before it has a way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cast {
    pub(crate) look: Look,
    /// A colour that it may change to.
    pub(crate) second: Colour,
    pub(crate) texture: Texture,
    pub(crate) radius: f32,
    pub(crate) tilt: f32,
}

impl Cast {
    fn walks(&self, path: Path) -> Object {
        Object {
            look: self.look,
            texture: self.texture,
            radius: self.radius,
            growth: 1.0,
            tilt: self.tilt,
            spin: 0.0,
            path,
            recolours: Vec::new(),
        }
    }

    /// How far from a side its outline touches.
    fn reach(&self) -> f32 {
        self.radius * self.look.shape.reach()
    }

    /// The centre may be so far from the middle of the picture, in x and in y.
    fn room(&self) -> f32 {
        0.48 - self.radius
    }

    fn inside(&self, point: [f32; 2]) -> bool {
        point.iter().all(|coordinate| (coordinate - 0.5).abs() <= self.room())
    }
}

/// A story with its ways.
#[derive(Clone, Debug, Default)]
pub(crate) struct Staged {
    pub(crate) objects: Vec<Object>,
    pub(crate) events: Vec<Event>,
    pub(crate) related: Option<Related>,
}

impl Staged {
    fn one(object: Object, number: usize, events: &[(f32, Happening)]) -> Staged {
        Staged { objects: vec![object], ..Staged::default() }.with(number, events)
    }

    fn with(mut self, object: usize, events: &[(f32, Happening)]) -> Staged {
        self.events.extend(events.iter().map(|&(time, happening)| Event { time, object, happening }));
        self
    }
}

impl Story {
    /// How many objects it needs.
    pub(crate) fn actors(&self) -> usize {
        match self {
            Story::Collide { .. } | Story::Hide { .. } | Story::Pass { .. } | Story::Relate { .. } => 2,
            Story::Turnwise { .. } => 3,
            _ => 1,
        }
    }

    /// Draws ways for objects that will have the numbers from `first`; `None` where this draw has no room.
    pub(crate) fn stage(&self, cast: &[Cast], first: usize, random: &mut Random) -> Option<Staged> {
        match (*self, cast) {
            (Story::Turnwise { what, sides, directions }, [a, b, c]) => {
                trio::stage(what, sides, directions, [a, b, c], first, random)
            }
            (story, [a, b]) => pair::stage(story, a, b, first, random),
            (story, [alone]) => solo::stage(story, alone, first, random),
            _ => None,
        }
    }
}

/// A point where the object has room, as far as `limit` from the middle in x and in y.
fn anywhere(cast: &Cast, limit: f32, random: &mut Random) -> [f32; 2] {
    let limit = limit.min(cast.room()).max(0.0);
    [0.5 + random.range(-limit, limit), 0.5 + random.range(-limit, limit)]
}

/// A point of the place where the object has room.
fn within(place: Place, cast: &Cast, random: &mut Random) -> [f32; 2] {
    if place == Place::Middle {
        return anywhere(cast, Place::MIDDLE - 0.01, random);
    }
    let mut away = || random.range(Place::CORNER + 0.02, cast.room());
    let (x, y) = (away(), away());
    match place {
        Place::TopLeft => [0.5 - x, 0.5 - y],
        Place::TopRight => [0.5 + x, 0.5 - y],
        Place::BottomLeft => [0.5 - x, 0.5 + y],
        Place::BottomRight | Place::Middle => [0.5 + x, 0.5 + y],
    }
}
