//! Captions: exact descriptions of clips in the words of the questions.
//!
//! A caption has one sentence per object: objects that are there at the start from left to right, then those that come in, by
//! time. It ends with the first and the last object to do what several do, and the counts.
//!
//! ```text
//! The green square begins bottom left, moves right, bumps into the pink ring, moves up and ends in the middle. The pink
//! ring begins in the middle, starts to move right slower and slower when the green square bumps into it, stops and ends at
//! the right. The blue star comes in at the top, moves down and ends at the top. 3 objects, 3 move.
//! ```

use crate::Scene;
use crate::geometry::{Direction, Point, minus, position_name};
use crate::object::{EventKind, Object, Relation};
use crate::question::motion::{PACES, pace_class};
use crate::question::{Question, first_and_last};
use crate::trajectory::{Motion, Pace, Segment};

/// The prompt that a caption answers.
pub const CAPTION_PROMPT: &str = "Describe the video.";

/// Everything that happens in a scene, exactly, in the words of the questions. An object is named by its shape and first colour,
/// which no other object shares. Where it starts and ends is said by the names of [`crate::Place`], and between places by that of
/// the nearest side. As in the questions, how many objects move is left out where one spins or changes its size: whether that is
/// motion is a matter of opinion.
pub fn caption(scene: &Scene) -> String {
    let mut sentences: Vec<String> =
        in_order(scene).into_iter().map(|index| sentence(scene, index)).collect();
    sentences.extend(order(scene));
    sentences.push(counts(scene));
    sentences.join(" ")
}

/// Parts of the caption, each after the prompt for it: which objects there are, in the caption's order, and the sentence about
/// each.
pub fn descriptions(scene: &Scene) -> Vec<(String, String)> {
    let indices = in_order(scene);
    let names: Vec<String> =
        indices.iter().map(|&index| format!("the {}", scene.objects[index].appearance)).collect();
    let mut all = vec![("Which objects are there?".to_owned(), listed(&names))];
    all.extend(
        indices.into_iter().map(|index| {
            (format!("Describe the {}.", scene.objects[index].appearance), sentence(scene, index))
        }),
    );
    all
}

/// Objects that are there at the start from left to right, then those that come in, by time.
fn in_order(scene: &Scene) -> Vec<usize> {
    let first = scene.states(0);
    let mut indices: Vec<usize> = (0..scene.objects.len()).collect();
    let comes_in = |index: usize| happens(scene, index, |kind| matches!(kind, EventKind::Enters { .. }));
    let key = |index: usize| match comes_in(index) {
        Some(time) => (true, time),
        None => (false, first[index].centre[0]),
    };
    indices.sort_by(|&a, &b| {
        let (a, b) = (key(a), key(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    indices
}

fn sentence(scene: &Scene, index: usize) -> String {
    let last = scene.frames.saturating_sub(1);
    let ends = [scene.states(0)[index].centre, scene.states(last)[index].centre];
    format!(
        "The {} {}.",
        scene.objects[index].appearance,
        listed(&ObjectActions { scene, index }.phrases(ends))
    )
}

/// The first and the last object to do something, wherever there is a question about it.
fn order(scene: &Scene) -> Vec<String> {
    let sentence = |question: &Question| {
        let does = question.question.strip_prefix("Which object ")?.strip_suffix('?')?;
        let name = question.answer_text().strip_prefix("the ")?;
        Some(format!("The {name} {does}."))
    };
    first_and_last(scene).iter().filter_map(sentence).collect()
}

fn counts(scene: &Scene) -> String {
    let all = scene.objects.len();
    let objects = if all == 1 { "object" } else { "objects" };
    if scene.objects.iter().any(|object| object.spin != 0.0 || object.growth != 1.0) {
        return format!("{all} {objects}.");
    }
    let moving = scene.objects.iter().filter(|object| object.trajectory.moves()).count();
    format!("{all} {objects}, {moving} {}.", if moving == 1 { "moves" } else { "move" })
}

/// When something first happens to an object.
fn happens(scene: &Scene, index: usize, wanted: impl Fn(EventKind) -> bool) -> Option<f32> {
    let mut own = scene.events.iter().filter(|event| event.object == index && wanted(event.kind));
    own.next().map(|event| event.time)
}

/// "a", "a and b", "a, b and c".
fn listed(phrases: &[String]) -> String {
    match phrases {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// What one object of a scene does.
struct ObjectActions<'a> {
    scene: &'a Scene,
    index: usize,
}

impl ObjectActions<'_> {
    fn object(&self) -> &Object {
        &self.scene.objects[self.index]
    }

    fn name(&self, index: usize) -> String {
        format!("the {}", self.scene.objects[index].appearance)
    }

    /// What it does from its start to its end, in order of time.
    fn phrases(&self, [start, end]: [Point; 2]) -> Vec<String> {
        let object = self.object();
        let enters = happens(self.scene, self.index, |kind| matches!(kind, EventKind::Enters { .. }));
        let goes = |kind| matches!(kind, EventKind::Leaves { .. } | EventKind::Hides { .. });
        let gone = happens(self.scene, self.index, goes);
        // Of the same time: events first, then the course that follows from them.
        let mut timed: Vec<(f32, u8, String)> = Vec::new();
        for event in self.scene.events.iter().filter(|event| event.object == self.index) {
            let phrase = self.event(event.kind);
            timed.extend(phrase.map(|phrase| (event.time, 0, phrase)));
        }
        timed.extend(self.recolours());
        let mut rests = false;
        for (from, segment) in object.trajectory.segments() {
            let unseen = enters.is_some_and(|time| from < time) || gone.is_some_and(|time| from >= time);
            let starts = rests && enters != Some(from);
            rests = segment.motion == Motion::Rest;
            let phrase = match segment.motion {
                _ if unseen => None,
                Motion::Rest if from > 0.0 => Some("stops".to_string()),
                Motion::Rest => None,
                _ => Some(self.moves(segment, starts)),
            };
            timed.extend(phrase.map(|phrase| (from, 1, phrase)));
        }
        timed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut phrases = Vec::new();
        if enters.is_none() {
            phrases.push(format!("begins {}", position_name(start)));
        }
        if !object.trajectory.moves() && object.spin == 0.0 && object.growth == 1.0 {
            phrases.push("does not move".to_string());
        }
        phrases.extend(timed.into_iter().map(|(_, _, phrase)| phrase));
        if object.trajectory.moves() && gone.is_none() {
            phrases.push(format!("ends {}", position_name(end)));
        }
        phrases
    }

    /// `None` for what follows from segments and colours.
    fn event(&self, kind: EventKind) -> Option<String> {
        Some(match kind {
            EventKind::Enters { side } => format!("comes in at the {}", side.name()),
            EventKind::Leaves { side } => format!("disappears at the {}", side.name()),
            EventKind::Bounces { side } => format!("bounces off the edge at the {}", side.name()),
            EventKind::Collides { with } => format!("bumps into {}", self.name(with)),
            EventKind::Turns => "turns by itself".to_string(),
            EventKind::Hides { behind } => format!("hides behind {}", self.name(behind)),
            EventKind::PassesBehind { object } => format!("goes behind {}", self.name(object)),
            EventKind::Spins => "spins".to_string(),
            EventKind::Grows => "gets bigger".to_string(),
            EventKind::Shrinks => "gets smaller".to_string(),
            EventKind::Starts | EventKind::Stops | EventKind::Pushed { .. } | EventKind::Recolours { .. } => {
                return None;
            }
        })
    }

    /// Changes of colour: each with its position if the object moves, else all in one phrase.
    fn recolours(&self) -> Vec<(f32, u8, String)> {
        let object = self.object();
        if object.trajectory.moves() {
            let one = |&(time, colour): &(f32, crate::Colour)| {
                let place = position_name(object.trajectory.at(time));
                (time, 0, format!("changes colour to {} {place}", colour.name()))
            };
            return object.recolours.iter().map(one).collect();
        }
        let colours: Vec<String> =
            object.recolours.iter().map(|(_, colour)| format!("to {}", colour.name())).collect();
        let times = ["never", "once", "twice", "three times", "four times"];
        let phrase = match colours.len() {
            0 => return Vec::new(),
            1 => format!("changes colour {}", colours[0]),
            count => {
                format!("changes colour {}: {}", times.get(count).unwrap_or(&"often"), colours.join(", "))
            }
        };
        object.recolours.first().map(|&(first, _)| (first, 0, phrase)).into_iter().collect()
    }

    /// In which direction it moves, how fast, and relative to what.
    fn moves(&self, segment: &Segment, starts: bool) -> String {
        let mut phrase = if starts { "starts to move" } else { "moves" }.to_string();
        let mut add = |words: &str| phrase.extend([" ", words]);
        if let Motion::Line { to, pace } = segment.motion {
            add(&heading(minus(to, segment.from)));
            let class = match pace {
                Pace::Quickening => Some(2),
                Pace::Slowing => Some(3),
                Pace::Steady => pace_class(&self.object().trajectory),
            };
            class.into_iter().for_each(|class| add(PACES[class]));
        }
        if let Some(words) = self.relation() {
            add(&words);
        }
        let pushed = self.scene.events.iter().find_map(|event| match event.kind {
            EventKind::Pushed { by } if event.object == self.index && starts => Some(by),
            _ => None,
        });
        if let Some(by) = pushed {
            add(&format!("when {} bumps into it", self.name(by)));
        }
        phrase
    }

    fn relation(&self) -> Option<String> {
        self.scene.related.iter().find_map(|related| {
            let other = match self.index {
                index if index == related.object => related.to,
                index if index == related.to => related.object,
                _ => return None,
            };
            let words = match related.relation {
                Relation::Towards => "towards",
                Relation::Away => "away from",
                Relation::Around => "around",
                Relation::Along => "side by side with",
                Relation::Still => return None,
            };
            Some(format!("{words} {}", self.name(other)))
        })
    }
}

/// One direction, or two for an oblique displacement.
fn heading(displacement: Point) -> String {
    if let Some(direction) = Direction::of(displacement) {
        return direction.name().to_string();
    }
    let vertical = if displacement[1] < 0.0 { Direction::Up } else { Direction::Down };
    let horizontal = if displacement[0] < 0.0 { Direction::Left } else { Direction::Right };
    format!("{} and {}", vertical.name(), horizontal.name())
}
