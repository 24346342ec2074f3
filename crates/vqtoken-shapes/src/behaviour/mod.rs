//! Behaviours: what one, two or three objects do in a clip. A layout first draws behaviours with everything that answers will
//! tell, and then draws the rest (where exactly, how long) again and again until all behaviours have room. So answers keep
//! the distribution that behaviours are drawn from.

mod one_object;
mod three_objects;
mod two_objects;

use crate::appearance::{Appearance, Colour, Texture};
use crate::geometry::{Direction, Place, Side};
use crate::object::{Event, EventKind, Object, RelatedPair, Relation};
use crate::random::Random;
use crate::trajectory::Trajectory;

/// How fast an object goes along a straight line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speed {
    Medium,
    Fast,
    Slow,
    Quickening,
    Slowing,
}

/// What three objects do one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Enter,
    Recolour,
    Start,
}

/// What some objects do. `None` as a course is rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Behaviour {
    Still { place: Option<Place> },
    Go { direction: Direction, speed: Speed },
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
    PassBehind { direction: Direction },
    Relate { relation: Relation },
    InTurn { action: Action, sides: [Side; 3], directions: [Direction; 3] },
}

/// An object without a trajectory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObjectSpec {
    pub(crate) appearance: Appearance,
    /// The colour that it may change to.
    pub(crate) second_colour: Colour,
    pub(crate) texture: Texture,
    pub(crate) radius: f32,
    pub(crate) tilt: f32,
}

impl ObjectSpec {
    fn along(&self, trajectory: Trajectory) -> Object {
        Object {
            appearance: self.appearance,
            texture: self.texture,
            radius: self.radius,
            growth: 1.0,
            tilt: self.tilt,
            spin: 0.0,
            trajectory,
            recolours: Vec::new(),
        }
    }

    /// The distance from its centre at which its outline touches a side.
    fn reach(&self) -> f32 {
        self.radius * self.appearance.shape.reach()
    }

    /// How far its centre may be from the middle of the picture, in x and in y.
    fn room(&self) -> f32 {
        0.48 - self.radius
    }

    fn is_inside(&self, centre: [f32; 2]) -> bool {
        centre.iter().all(|coordinate| (coordinate - 0.5).abs() <= self.room())
    }
}

/// The objects of a behaviour with their trajectories, and what happens to them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Placement {
    pub(crate) objects: Vec<Object>,
    pub(crate) events: Vec<Event>,
    pub(crate) related: Option<RelatedPair>,
}

impl Placement {
    fn of_one(object: Object, index: usize, events: &[(f32, EventKind)]) -> Placement {
        Placement { objects: vec![object], ..Placement::default() }.with(index, events)
    }

    fn with(mut self, object: usize, events: &[(f32, EventKind)]) -> Placement {
        self.events.extend(events.iter().map(|&(time, kind)| Event { time, object, kind }));
        self
    }
}

impl Behaviour {
    /// How many objects it has.
    pub(crate) fn objects(&self) -> usize {
        match self {
            Behaviour::Collide { .. }
            | Behaviour::Hide { .. }
            | Behaviour::PassBehind { .. }
            | Behaviour::Relate { .. } => 2,
            Behaviour::InTurn { .. } => 3,
            _ => 1,
        }
    }

    /// Whether its second object hides its first.
    pub(crate) fn has_occluder(&self) -> bool {
        matches!(self, Behaviour::Hide { .. } | Behaviour::PassBehind { .. })
    }

    /// Draws trajectories for objects that will have the indices from `first`; `None` where what was drawn has no room.
    pub(crate) fn place(&self, specs: &[ObjectSpec], first: usize, random: &mut Random) -> Option<Placement> {
        match (*self, specs) {
            (Behaviour::InTurn { action, sides, directions }, [a, b, c]) => {
                three_objects::place(action, sides, directions, [a, b, c], first, random)
            }
            (behaviour, [a, b]) => two_objects::place(behaviour, a, b, first, random),
            (behaviour, [one]) => one_object::place(behaviour, one, first, random),
            _ => None,
        }
    }
}

/// A point where the object has room, at most `limit` from the middle in x and in y.
fn anywhere(spec: &ObjectSpec, limit: f32, random: &mut Random) -> [f32; 2] {
    let limit = limit.min(spec.room()).max(0.0);
    [0.5 + random.range(-limit, limit), 0.5 + random.range(-limit, limit)]
}

/// A point of the place where the object has room.
fn within(place: Place, spec: &ObjectSpec, random: &mut Random) -> [f32; 2] {
    if place == Place::Middle {
        return anywhere(spec, Place::MIDDLE - 0.01, random);
    }
    let mut offset = || random.range(Place::CORNER + 0.02, spec.room());
    let (x, y) = (offset(), offset());
    match place {
        Place::TopLeft => [0.5 - x, 0.5 - y],
        Place::TopRight => [0.5 + x, 0.5 - y],
        Place::BottomLeft => [0.5 - x, 0.5 + y],
        Place::BottomRight | Place::Middle => [0.5 + x, 0.5 + y],
    }
}
