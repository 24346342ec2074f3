//! When objects are there and what happens to them, as a script has it. Times are fractions of the clip.

use super::{Action, Description, Region, Speed};
use crate::Scene;
use crate::geometry::{Direction, Point, distance, length, minus, position_name};
use crate::object::{Event, EventKind, Object};
use crate::trajectory::{Motion, Pace, Segment};

/// An object is there if at least this share of it is visible.
const SEEN: f32 = 0.5;

/// Motion over a shorter way does not count, in sides of the picture.
const SHORTEST: f32 = 0.1;

/// How long before and after an event it can be seen.
const EXTENT: f32 = 0.2;

/// How much longer what is gone is looked for.
const AFTER: f32 = 0.05;

/// What begins or ends somewhere does so for this long.
const END: f32 = 0.55;

/// Steady lines that are at least so long over a whole clip are fast, in sides of the picture.
const FAST: f32 = 0.5;

/// Steady lines that are at most so long over a whole clip are slow.
const SLOW: f32 = 0.205;

/// The cosine of the angle within which motion goes straight towards something: 15 degrees.
const STRAIGHT: f32 = 0.966;

/// Time in which something happens to an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) object: usize,
    /// From when it can be seen.
    pub(super) from: f32,
    /// Until when it can be seen.
    pub(super) to: f32,
    /// When it begins and when it is over; the same for events.
    pub(super) core: (f32, f32),
}

/// Intervals in order of time, those that touch as one.
pub(super) fn merged(mut intervals: Vec<(f32, f32)>) -> Vec<(f32, f32)> {
    intervals.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut all: Vec<(f32, f32)> = Vec::new();
    for (from, to) in intervals {
        match all.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => all.push((from, to)),
        }
    }
    all
}

/// A scene with what can be seen in each of its frames: what queries are held against. Reading it takes longer than a query does.
#[derive(Clone, Debug)]
pub struct Script {
    scene: Scene,
    /// How much of each object is visible in each frame, `[frames][objects]`.
    visible: Vec<Vec<f32>>,
}

impl Script {
    /// The script of a scene.
    pub fn of(scene: &Scene) -> Self {
        let visible = |frame| scene.states(frame).iter().map(|state| state.visible).collect();
        Self { visible: (0..scene.frames).map(visible).collect(), scene: scene.clone() }
    }

    /// Seconds from the first frame to the last.
    pub fn seconds(&self) -> f32 {
        self.scene.frames.saturating_sub(1) as f32 / self.scene.fps
    }

    pub(super) fn objects(&self) -> std::ops::Range<usize> {
        0..self.scene.objects.len()
    }

    pub(super) fn object(&self, object: usize) -> &Object {
        &self.scene.objects[object]
    }

    /// Whether an object has this shape, and at `time` this colour.
    pub(super) fn fits(&self, object: usize, wanted: Description, time: f32) -> bool {
        let object = &self.scene.objects[object];
        wanted.shape.is_none_or(|shape| shape == object.appearance.shape)
            && wanted.colour.is_none_or(|colour| colour == object.colour(time))
    }

    /// Whether an object has this shape, and at some time this colour.
    fn ever_fits(&self, object: usize, wanted: Description) -> bool {
        let object = &self.scene.objects[object];
        wanted.shape.is_none_or(|shape| shape == object.appearance.shape)
            && wanted.colour.is_none_or(|colour| object.colours().any(|own| own == colour))
    }

    /// The same just before `time`.
    fn fits_before(&self, object: usize, wanted: Description, time: f32) -> bool {
        self.fits(object, wanted, (time - 1e-4).max(0.0))
    }

    /// Whether an object is there in a frame, as it is described.
    fn is_there(&self, object: usize, wanted: Description, frame: usize) -> bool {
        self.visible[frame][object] >= SEEN && self.fits(object, wanted, self.scene.time(frame))
    }

    /// While an object is there, as it is described. A frame stands for the time around it.
    pub(super) fn presence(&self, object: usize, wanted: Description) -> Vec<(f32, f32)> {
        let half = 0.5 * self.scene.time(1);
        let around = |frame: usize| {
            let time = self.scene.time(frame);
            ((time - half).max(0.0), (time + half).min(1.0))
        };
        let frames = (0..self.scene.frames).filter(|&frame| self.is_there(object, wanted, frame));
        // Neighbours meet but for rounding.
        merged(frames.map(around).map(|(from, to)| (from, (to + 1e-5).min(1.0))).collect())
    }

    /// Whether an object is there at some time between two, as far as can be seen.
    fn is_seen(&self, object: usize, from: f32, to: f32) -> bool {
        (0..self.scene.frames)
            .filter(|&frame| (from..=to).contains(&self.scene.time(frame)))
            .any(|frame| self.visible[frame][object] >= SEEN)
    }

    /// Whenever an object that is described so does something.
    pub(super) fn spans(&self, object: usize, subject: Description, action: Action) -> Vec<Span> {
        if !self.ever_fits(object, subject) {
            return Vec::new();
        }
        match action {
            Action::Moves { direction, speed } => self.motions(object, subject, direction, speed),
            Action::Rests => {
                let own = &self.scene.objects[object];
                let rests = !own.trajectory.moves() && own.spin == 0.0 && own.growth == 1.0;
                self.throughout(object, subject, rests)
            }
            Action::Spins => self.throughout(object, subject, self.scene.objects[object].spin != 0.0),
            Action::Grows => self.throughout(object, subject, self.scene.objects[object].growth > 1.0),
            Action::Shrinks => self.throughout(object, subject, self.scene.objects[object].growth < 1.0),
            Action::Begins { region } => {
                self.at_end(object, subject, region, 0, (0.0, END)).into_iter().collect()
            }
            Action::Ends { region } => {
                let last = self.scene.frames.saturating_sub(1);
                self.at_end(object, subject, region, last, (1.0 - END, 1.0)).into_iter().collect()
            }
            Action::Starts | Action::Stops => self.changes_of_rest(object, subject, action),
            Action::MovesTowards { other } | Action::MovesAwayFrom { other } => {
                self.straight(object, subject, other, action)
            }
            Action::MovesAround { other } => self.around(object, subject, other),
            _ => {
                let own = self.scene.events.iter().filter(|event| event.object == object);
                own.filter_map(|event| self.event(event, subject, action)).collect()
            }
        }
    }

    /// What is true of the whole clip.
    fn throughout(&self, object: usize, subject: Description, is_true: bool) -> Vec<Span> {
        let presence = if is_true { self.presence(object, subject) } else { Vec::new() };
        presence.into_iter().map(|(from, to)| Span { object, from, to, core: (0.0, 1.0) }).collect()
    }

    fn at_end(
        &self,
        object: usize,
        subject: Description,
        region: Region,
        frame: usize,
        (from, to): (f32, f32),
    ) -> Option<Span> {
        let time = self.scene.time(frame);
        let name = position_name(self.scene.objects[object].trajectory.at(time));
        let is_true = self.is_there(object, subject, frame) && name == region.name();
        is_true.then_some(Span { object, from, to, core: (time, time) })
    }

    /// Motion while the object is there.
    fn motions(
        &self,
        object: usize,
        subject: Description,
        direction: Option<Direction>,
        speed: Option<Speed>,
    ) -> Vec<Span> {
        let path = &self.scene.objects[object].trajectory;
        let wanted = |(from, segment): &(f32, &Segment)| {
            let has_direction = direction.is_none_or(|direction| direction_of(segment) == Some(direction));
            let has_speed = speed.is_none_or(|speed| speed_of(*from, segment) == Some(speed));
            segment.motion != Motion::Rest && has_direction && has_speed
        };
        let moving = path.segments().filter(wanted).map(|(from, segment)| (from, segment.until));
        let moving = merged(moving.collect());
        let mut spans = Vec::new();
        for (from, to) in self.presence(object, subject) {
            for &(start, end) in &moving {
                let (from, to) = (from.max(start), to.min(end));
                if from < to && self.way(object, from, to) >= SHORTEST {
                    spans.push(Span { object, from, to, core: (from, to) });
                }
            }
        }
        spans
    }

    /// How far the centre goes, along its way.
    fn way(&self, object: usize, from: f32, to: f32) -> f32 {
        const STEPS: usize = 16;
        let path = &self.scene.objects[object].trajectory;
        let at = |step: usize| path.at(from + (to - from) * step as f32 / STEPS as f32);
        (0..STEPS).map(|step| distance(at(step), at(step + 1))).sum()
    }

    /// An event that is seen as the action.
    fn event(&self, event: &Event, subject: Description, action: Action) -> Option<Span> {
        let (object, time) = (event.object, event.time);
        let other = |wanted: Description, other: usize| self.fits(other, wanted, time);
        let side = |wanted: Option<_>, side| wanted.is_none_or(|wanted| wanted == side);
        let (around, before) = ((time - EXTENT, time + EXTENT), (time - 2.0 * EXTENT, time + AFTER));
        let (is_true, (from, to), is_before) = match (action, event.kind) {
            (Action::ComesIn { side: wanted }, EventKind::Enters { side: at }) => {
                (side(wanted, at), (time, time + 2.0 * EXTENT), false)
            }
            (Action::GoesOut { side: wanted }, EventKind::Leaves { side: at }) => {
                (side(wanted, at), before, true)
            }
            (Action::Bounces { side: wanted }, EventKind::Bounces { side: at }) => {
                (side(wanted, at), around, false)
            }
            (Action::BumpsInto { other: wanted }, EventKind::Collides { with }) => {
                (other(wanted, with), around, false)
            }
            (Action::IsHitBy { other: wanted }, EventKind::Pushed { by }) => {
                (other(wanted, by), around, false)
            }
            (Action::HidesBehind { other: wanted }, EventKind::Hides { behind }) => {
                (other(wanted, behind), before, true)
            }
            (Action::PassesBehind { other: wanted }, EventKind::PassesBehind { object }) => {
                // Before and after it is out of sight.
                (other(wanted, object), (time - 2.0 * EXTENT, time + 2.0 * EXTENT), false)
            }
            (Action::Turns, EventKind::Turns) => (true, around, false),
            (Action::ChangesColour { to }, EventKind::Recolours { to: new }) => {
                (to.is_none_or(|to| to == new), around, true)
            }
            _ => return None,
        };
        let (from, to) = (from.max(0.0), to.min(1.0));
        let fits = match is_before {
            true => self.fits_before(object, subject, time),
            false => self.fits(object, subject, time),
        };
        (is_true && fits && self.is_seen(object, from, to)).then_some(Span {
            object,
            from,
            to,
            core: (time, time),
        })
    }

    /// Motion after rest, or rest after motion, in sight.
    fn changes_of_rest(&self, object: usize, subject: Description, action: Action) -> Vec<Span> {
        let segments: Vec<_> = self.scene.objects[object].trajectory.segments().collect();
        let mut spans = Vec::new();
        for pair in segments.windows(2) {
            let [(_, before), (time, after)] = pair else { continue };
            let is_rest = |segment: &Segment| segment.motion == Motion::Rest;
            let is_true = match action {
                Action::Starts => is_rest(before) && !is_rest(after),
                _ => !is_rest(before) && is_rest(after),
            };
            // Whoever waits outside or behind something is not seen to rest.
            let at = (time * (self.scene.frames.max(2) - 1) as f32).round() as usize;
            let is_seen = self.visible.get(at).is_some_and(|visible| visible[object] >= SEEN);
            if is_true && is_seen && self.fits(object, subject, *time) {
                let (from, to) = ((time - EXTENT).max(0.0), (time + EXTENT).min(1.0));
                spans.push(Span { object, from, to, core: (*time, *time) });
            }
        }
        spans
    }

    /// Lines that lead to or from the centre of an object that rests meanwhile.
    fn straight(&self, object: usize, subject: Description, other: Description, action: Action) -> Vec<Span> {
        let mut spans = Vec::new();
        for motion in self.motions(object, subject, None, None) {
            let path = &self.scene.objects[object].trajectory;
            let legs = path.segments().filter_map(|(from, segment)| match segment.motion {
                Motion::Line { to, .. } => Some((from, segment.until, segment.from, to)),
                _ => None,
            });
            for (from, to, start, end) in legs {
                let (from, to) = (from.max(motion.from), to.min(motion.to));
                if from >= to || self.way(object, from, to) < SHORTEST {
                    continue;
                }
                let is_true = self.objects().filter(|&one| one != object).any(|one| {
                    let target = &self.scene.objects[one].trajectory;
                    let point = target.at(from);
                    let rests = distance(point, target.at(to)) < 1e-4;
                    let ray = match action {
                        Action::MovesTowards { .. } => minus(point, start),
                        _ => minus(end, point),
                    };
                    // What lies between the two ends is passed, not left or reached.
                    let passed = match action {
                        Action::MovesTowards { .. } => dot(minus(point, end), minus(end, start)) < 0.0,
                        _ => dot(minus(start, point), minus(end, start)) < 0.0,
                    };
                    rests
                        && !passed
                        && cosine(ray, minus(end, start)) >= STRAIGHT
                        && self.is_seen(one, from, to)
                        && self.fits(one, other, from)
                });
                if is_true {
                    spans.push(Span { object, from, to, core: (from, to) });
                }
            }
        }
        spans
    }

    /// Arcs around the centre of another object.
    fn around(&self, object: usize, subject: Description, other: Description) -> Vec<Span> {
        let path = &self.scene.objects[object].trajectory;
        let is_around = |time: f32, middle: Point| {
            self.objects().filter(|&one| one != object).any(|one| {
                let point = self.scene.objects[one].trajectory.at(time);
                distance(point, middle) < 0.02 && self.fits(one, other, time)
            })
        };
        let arcs = path.segments().filter_map(|(from, segment)| match segment.motion {
            Motion::Arc { centre, .. } if is_around(from, centre) => Some((from, segment.until)),
            _ => None,
        });
        let arcs: Vec<_> = arcs.collect();
        let motions = self.motions(object, subject, None, None).into_iter();
        let inside = |span: &Span| arcs.iter().any(|(from, to)| span.from < *to && *from < span.to);
        motions.filter(inside).collect()
    }
}

fn direction_of(segment: &Segment) -> Option<Direction> {
    match segment.motion {
        Motion::Line { to, .. } => Direction::of(minus(to, segment.from)),
        Motion::Rest | Motion::Arc { .. } => None,
    }
}

fn speed_of(from: f32, segment: &Segment) -> Option<Speed> {
    let Motion::Line { to, pace } = segment.motion else { return None };
    let speed = distance(segment.from, to) / (segment.until - from).max(f32::MIN_POSITIVE);
    match pace {
        Pace::Quickening => Some(Speed::Quickening),
        Pace::Slowing => Some(Speed::Slowing),
        Pace::Steady if speed >= FAST => Some(Speed::Fast),
        Pace::Steady if speed <= SLOW => Some(Speed::Slow),
        Pace::Steady => None,
    }
}

fn dot(a: Point, b: Point) -> f32 {
    a[0] * b[0] + a[1] * b[1]
}

fn cosine(a: Point, b: Point) -> f32 {
    dot(a, b) / (length(a) * length(b)).max(f32::MIN_POSITIVE)
}
