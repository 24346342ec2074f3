//! An object and what happens to it.

use serde::{Deserialize, Serialize};

use crate::geometry::Side;
use crate::look::{Colour, Look, Texture};
use crate::path::Path;

/// One of the things that a clip is about. Times are fractions of the clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Shape and first colour.
    pub look: Look,
    /// Marks on it.
    pub texture: Texture,
    /// From the centre to the farthest point of the outline at the start, in pictures' sides.
    pub radius: f32,
    /// Radius at the end over radius at the start; in between it changes evenly.
    pub growth: f32,
    /// Radians clockwise at the start.
    pub tilt: f32,
    /// Radians clockwise that it turns about itself over the clip.
    pub spin: f32,
    /// The way of its centre.
    pub path: Path,
    /// When it takes which colour, in order of time.
    pub recolours: Vec<(f32, Colour)>,
}

impl Object {
    /// The colour at `time`.
    pub fn colour(&self, time: f32) -> Colour {
        let last = self.recolours.iter().take_while(|(start, _)| *start <= time).last();
        last.map_or(self.look.colour, |(_, colour)| *colour)
    }

    /// Every colour it ever has.
    pub fn colours(&self) -> impl Iterator<Item = Colour> {
        std::iter::once(self.look.colour).chain(self.recolours.iter().map(|(_, colour)| *colour))
    }

    /// The radius at `time`.
    pub fn radius_at(&self, time: f32) -> f32 {
        self.radius * (1.0 + (self.growth - 1.0) * time)
    }

    /// Radians clockwise at `time`.
    pub fn angle(&self, time: f32) -> f32 {
        self.tilt + self.spin * time
    }
}

/// Something that happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum Happening {
    /// Its first part appears at a side.
    Enters {
        /// Which.
        side: Side,
    },
    /// Its last part goes out at a side.
    Leaves {
        /// Which.
        side: Side,
    },
    /// It touches a side and goes back.
    Bounces {
        /// Which.
        side: Side,
    },
    /// It runs into another object and goes elsewhere.
    Collides {
        /// The other one.
        with: usize,
    },
    /// Another object runs into it and it begins to slide.
    Pushed {
        /// The other one.
        by: usize,
    },
    /// It takes another course with nothing near.
    Turns,
    /// It begins to move after it stood.
    Starts,
    /// It stands after it moved.
    Stops,
    /// It takes another colour.
    Recolours {
        /// The new one.
        to: Colour,
    },
    /// It is wholly behind another object and stays there.
    Hides {
        /// The other one.
        behind: usize,
    },
    /// It is at the middle of its way behind another object.
    PassesBehind {
        /// The other one.
        object: usize,
    },
    /// It turns about its own centre all the time.
    Spins,
    /// It gets bigger all the time.
    Grows,
    /// It gets smaller all the time.
    Shrinks,
}

/// When something happens to which object.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// As a fraction of the clip.
    pub time: f32,
    /// Number of the object in the scene.
    pub object: usize,
    /// What happens.
    #[serde(flatten)]
    pub happening: Happening,
}

/// How two objects move with respect to each other through the whole clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// The first comes straight to the second, which stands.
    Towards,
    /// The first goes straight away from the second, which stands.
    Away,
    /// The first goes around the second, which stands.
    Around,
    /// Both move side by side.
    Along,
    /// Both stand.
    Still,
}

impl Relation {
    /// Every relation.
    pub const ALL: [Relation; 5] =
        [Relation::Towards, Relation::Away, Relation::Around, Relation::Along, Relation::Still];
}

/// A pair of objects and their relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Related {
    /// Number of the one that moves, if only one does.
    pub object: usize,
    /// Number of the other.
    pub to: usize,
    /// How.
    pub relation: Relation,
}
