//! Queries: what somebody would type to find a clip, with the exact truth about every clip.
//!
//! A [`Query`] is a structure; [`Query::text`] puts it into words in one of several ways, and [`Query::intervals`] decides from a
//! scene's script when it is true of a clip, for any query and any scene.
//!
//! An object counts as there in the frames in which at least half of it is visible and it has the colour that the query names.

mod changed;
mod draw;
mod facts;
mod happenings;
mod intervals;
mod words;

use serde::{Deserialize, Serialize};

pub use self::draw::queries_of;
pub use self::facts::{ObjectFacts, event_count, fact_count};
pub use self::happenings::Script;
use crate::Scene;
use crate::appearance::{Colour, Shape};
use crate::geometry::{Direction, Side};

/// What an object looks like, as far as a query says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Description {
    /// Its colour at the time in question; without it, any.
    pub colour: Option<Colour>,
    /// Its outline; without it, any.
    pub shape: Option<Shape>,
}

/// One of nine regions of the picture, by the names that captions use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Region {
    /// Upper left.
    TopLeft,
    /// Above the middle.
    Top,
    /// Upper right.
    TopRight,
    /// Left of the middle.
    Left,
    /// The middle.
    Middle,
    /// Right of the middle.
    Right,
    /// Lower left.
    BottomLeft,
    /// Below the middle.
    Bottom,
    /// Lower right.
    BottomRight,
}

impl Region {
    /// Every region, in rows from the top left.
    pub const ALL: [Region; 9] = [
        Region::TopLeft,
        Region::Top,
        Region::TopRight,
        Region::Left,
        Region::Middle,
        Region::Right,
        Region::BottomLeft,
        Region::Bottom,
        Region::BottomRight,
    ];

    /// The words for it, which are those of captions.
    pub fn name(self) -> &'static str {
        match self {
            Region::TopLeft => "top left",
            Region::Top => "at the top",
            Region::TopRight => "top right",
            Region::Left => "at the left",
            Region::Middle => "in the middle",
            Region::Right => "at the right",
            Region::BottomLeft => "bottom left",
            Region::Bottom => "at the bottom",
            Region::BottomRight => "bottom right",
        }
    }
}

/// How fast an object goes along a straight line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speed {
    /// At least half a side of the picture in the time of a clip.
    Fast,
    /// At most a fifth of it.
    Slow,
    /// Faster and faster.
    Quickening,
    /// Slower and slower.
    Slowing,
}

impl Speed {
    /// Every speed that has a word.
    pub const ALL: [Speed; 4] = [Speed::Fast, Speed::Slow, Speed::Quickening, Speed::Slowing];
}

/// What an object does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It moves, in a direction and at a speed where they are named.
    Moves {
        /// Which way; without it, any.
        direction: Option<Direction>,
        /// How fast; without it, at any speed.
        speed: Option<Speed>,
    },
    /// It neither moves nor turns nor changes its size in the whole clip.
    Rests,
    /// It comes in at a side.
    ComesIn {
        /// Which; without it, any.
        side: Option<Side>,
    },
    /// It goes out of the picture at a side.
    GoesOut {
        /// Which; without it, any.
        side: Option<Side>,
    },
    /// It touches a side and turns back.
    Bounces {
        /// Which; without it, any.
        side: Option<Side>,
    },
    /// It bumps into another object and goes off in another direction.
    BumpsInto {
        /// The other one.
        other: Description,
    },
    /// Another object bumps into it.
    IsHitBy {
        /// The other one.
        other: Description,
    },
    /// It goes behind another object and stays there.
    HidesBehind {
        /// The other one.
        other: Description,
    },
    /// It passes behind another object.
    PassesBehind {
        /// The other one.
        other: Description,
    },
    /// It moves straight towards an object that rests.
    MovesTowards {
        /// The other one.
        other: Description,
    },
    /// It moves straight away from an object that rests.
    MovesAwayFrom {
        /// The other one.
        other: Description,
    },
    /// It moves in a circle around an object.
    MovesAround {
        /// The other one.
        other: Description,
    },
    /// It changes direction with nothing near.
    Turns,
    /// It moves after rest.
    Starts,
    /// It rests after motion.
    Stops,
    /// It changes colour.
    ChangesColour {
        /// To which; without it, to any.
        to: Option<Colour>,
    },
    /// It turns about its centre.
    Spins,
    /// It gets bigger.
    Grows,
    /// It gets smaller.
    Shrinks,
    /// It is there in the first frame, in a region.
    Begins {
        /// Which.
        region: Region,
    },
    /// It is there in the last frame, in a region.
    Ends {
        /// Which.
        region: Region,
    },
}

/// What an object does, and which object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Deed {
    /// The object.
    pub subject: Description,
    /// What it does.
    pub action: Action,
}

/// What a query asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// An object.
    Object(Description),
    /// An object that does something.
    Deed(Deed),
    /// Two things that happen one after the other.
    Order {
        /// What happens first.
        first: Deed,
        /// What happens then.
        then: Deed,
    },
}

/// The kinds of queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueryKind {
    /// One object by its attributes.
    Object,
    /// One object by what it does, or by what happens to it.
    Deed,
    /// Two things in order.
    Order,
}

impl QueryKind {
    /// Every kind.
    pub const ALL: [QueryKind; 3] = [QueryKind::Object, QueryKind::Deed, QueryKind::Order];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            QueryKind::Object => "object",
            QueryKind::Deed => "deed",
            QueryKind::Order => "order",
        }
    }
}

/// What somebody looks for, and in which words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Query {
    /// What is looked for.
    pub wanted: Wanted,
    /// Decides between phrasings that mean the same.
    pub phrasing: u64,
}

impl Query {
    /// Its kind.
    pub fn kind(&self) -> QueryKind {
        match self.wanted {
            Wanted::Object(_) => QueryKind::Object,
            Wanted::Deed(_) => QueryKind::Deed,
            Wanted::Order { .. } => QueryKind::Order,
        }
    }

    /// Its words, in the phrasing that [`Query::phrasing`] picks.
    pub fn text(&self) -> String {
        words::text(self)
    }

    /// When it is true of a clip, in seconds, in order of time and apart from each other; empty where the clip is not relevant.
    ///
    /// - An object: while it is there.
    /// - Motion: while it lasts and the object is there, if it goes at least a tenth of the picture's side then.
    /// - An event: a fifth of the clip before and after it, as it takes several frames to see one. Coming in begins with the event,
    ///   and going out and hiding end a twentieth after it; passing behind
    ///   something takes twice as long.
    /// - What is true of a whole clip (spinning, a change of size, rest): while the object is there.
    /// - Where an object begins or ends: the first or the last 55% of the clip.
    /// - Two things in order: from the start of the first to the end of the second.
    pub fn intervals(&self, scene: &Scene) -> Vec<(f32, f32)> {
        self.intervals_by(&Script::of(scene))
    }

    /// [`Self::intervals`] of a scene whose script was read before.
    pub fn intervals_by(&self, script: &Script) -> Vec<(f32, f32)> {
        self.truth_by(script).0
    }

    /// The objects that it is about, ascending; of two things in order, those that do either. Empty where the clip is not relevant.
    pub fn objects_in(&self, scene: &Scene) -> Vec<usize> {
        self.truth_by(&Script::of(scene)).1
    }

    /// [`Self::intervals`] and [`Self::objects_in`] of a scene whose script was read before.
    pub fn truth_by(&self, script: &Script) -> (Vec<(f32, f32)>, Vec<usize>) {
        let spans = self.true_of(script);
        let mut objects: Vec<usize> = spans.iter().map(|span| span.object).collect();
        objects.sort_unstable();
        objects.dedup();
        let intervals = happenings::merged(spans.into_iter().map(|span| (span.from, span.to)).collect());
        let seconds = script.seconds();
        (intervals.into_iter().map(|(from, to)| (from * seconds, to * seconds)).collect(), objects)
    }

    /// The first of [`Self::objects_in`].
    pub fn object_in(&self, scene: &Scene) -> Option<usize> {
        self.objects_in(scene).first().copied()
    }

    /// Whether part of an interval does not show it: an order, or where in the whole clip an object begins or ends.
    pub fn needs_whole_interval(&self) -> bool {
        match self.wanted {
            Wanted::Object(_) => false,
            Wanted::Deed(deed) => matches!(deed.action, Action::Begins { .. } | Action::Ends { .. }),
            Wanted::Order { .. } => true,
        }
    }

    /// Whether a single frame can show it.
    pub fn shows_in_one_frame(&self) -> bool {
        matches!(self.wanted, Wanted::Object(_))
    }

    /// The same query with one word changed (a colour, shape, direction, side, speed, region, what is done, who does what, or the
    /// order), once for every word that can be changed, in random order. They may be true of the same clip all the same.
    pub fn changed(&self, seed: u64) -> Vec<Query> {
        changed::changed(self, seed)
    }
}
