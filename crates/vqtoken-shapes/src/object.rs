//! An object and what happens to it.

use serde::{Deserialize, Serialize};

use crate::appearance::{Appearance, Colour, Texture};
use crate::geometry::Side;
use crate::trajectory::Trajectory;

/// An object of a scene. Times are fractions of the clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Shape and first colour.
    #[serde(rename = "look")]
    pub appearance: Appearance,
    /// What is drawn on it.
    pub texture: Texture,
    /// From the centre to the farthest point of the outline at the start, in sides of the picture.
    pub radius: f32,
    /// Radius at the end over radius at the start; it changes linearly.
    pub growth: f32,
    /// Its angle at the start, in radians clockwise.
    pub tilt: f32,
    /// How far it turns about its centre over the clip, in radians clockwise.
    pub spin: f32,
    /// The motion of its centre.
    #[serde(rename = "path")]
    pub trajectory: Trajectory,
    /// Changes of colour: when, and to which; in order of time.
    pub recolours: Vec<(f32, Colour)>,
}

impl Object {
    /// The colour at `time`.
    pub fn colour(&self, time: f32) -> Colour {
        let last = self.recolours.iter().take_while(|(start, _)| *start <= time).last();
        last.map_or(self.appearance.colour, |(_, colour)| *colour)
    }

    /// Every colour it ever has.
    pub fn colours(&self) -> impl Iterator<Item = Colour> {
        std::iter::once(self.appearance.colour).chain(self.recolours.iter().map(|(_, colour)| *colour))
    }

    /// The radius at `time`.
    pub fn radius_at(&self, time: f32) -> f32 {
        self.radius * (1.0 + (self.growth - 1.0) * time)
    }

    /// The angle at `time`, in radians clockwise.
    pub fn angle(&self, time: f32) -> f32 {
        self.tilt + self.spin * time
    }
}

/// What happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum EventKind {
    /// It starts to come in at a side.
    Enters {
        /// Which.
        side: Side,
    },
    /// It is out of sight at a side.
    Leaves {
        /// Which.
        side: Side,
    },
    /// It touches a side and turns back.
    Bounces {
        /// Which.
        side: Side,
    },
    /// It bumps into another object and changes direction.
    Collides {
        /// The other one.
        with: usize,
    },
    /// Another object bumps into it and it starts to slide.
    Pushed {
        /// The other one.
        by: usize,
    },
    /// It changes direction with nothing near.
    Turns,
    /// It starts to move after rest.
    Starts,
    /// It rests after motion.
    Stops,
    /// It changes colour.
    Recolours {
        /// The new one.
        to: Colour,
    },
    /// It is entirely behind another object and stays there.
    Hides {
        /// The other one.
        behind: usize,
    },
    /// It is halfway behind another object.
    PassesBehind {
        /// The other one.
        object: usize,
    },
    /// It turns about its centre, through the whole clip.
    Spins,
    /// It gets bigger, through the whole clip.
    Grows,
    /// It gets smaller, through the whole clip.
    Shrinks,
}

/// Something that happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, as a fraction of the clip.
    pub time: f32,
    /// Index of the object in the scene.
    pub object: usize,
    /// What happens.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// How two objects move relative to each other through the whole clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// The first moves straight towards the second, which rests.
    Towards,
    /// The first moves straight away from the second, which rests.
    Away,
    /// The first moves around the second, which rests.
    Around,
    /// Both move side by side.
    Along,
    /// Both rest.
    Still,
}

impl Relation {
    /// Every relation.
    pub const ALL: [Relation; 5] =
        [Relation::Towards, Relation::Away, Relation::Around, Relation::Along, Relation::Still];
}

/// Two objects and their relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelatedPair {
    /// Index of the one that moves, if only one does.
    pub object: usize,
    /// Index of the other.
    pub to: usize,
    /// How they move relative to each other.
    pub relation: Relation,
}
