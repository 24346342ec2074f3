//! A caption: one exact description of a clip in the words of the questions.
//!
//! One sentence an object: those that are there at the start from left to right, then those that come in, by time. Then
//! which object is the first and the last to do what several do, and the counts.
//!
//! ```text
//! The green square begins bottom left, moves right, bumps into the pink ring, moves up and ends in the middle. The pink
//! ring begins in the middle, starts to move right slower and slower when the green square bumps into it, stops and ends at
//! the right. The blue star comes in at the top, moves down and ends at the top. 3 objects, 3 move.
//! ```

use crate::Scene;
use crate::geometry::{Direction, Point, minus, whereabouts};
use crate::object::{Happening, Object, Relation};
use crate::path::{Leg, Motion, Pace};
use crate::question::motion::{PACES, pace_class};
use crate::question::{Question, first_and_last};

/// What a caption answers.
pub const CAPTION_PROMPT: &str = "Describe the video.";

/// Everything that happens in a scene, exactly, in the words of the questions. An object is called by its shape and its first
/// colour, which no other object shares. Where the clip shows it at the start and at the end is said in the words of
/// [`crate::Place`], on the ground between the places by the nearest side. As in the questions, how many move is not said
/// where something spins or changes its size: whether that is moving is a matter of opinion.
pub fn caption(scene: &Scene) -> String {
    let mut sentences: Vec<String> =
        in_order(scene).into_iter().map(|number| sentence(scene, number)).collect();
    sentences.extend(order(scene));
    sentences.push(counts(scene));
    sentences.join(" ")
}

/// Shorter things that one may want to be told than a whole caption, each with what to ask for it: which objects there are,
/// in the caption's order, and the caption's sentence about each.
pub fn descriptions(scene: &Scene) -> Vec<(String, String)> {
    let numbers = in_order(scene);
    let names: Vec<String> =
        numbers.iter().map(|&number| format!("the {}", scene.objects[number].look)).collect();
    let mut all = vec![("Which objects are there?".to_owned(), listed(&names))];
    all.extend(
        numbers
            .into_iter()
            .map(|number| (format!("Describe the {}.", scene.objects[number].look), sentence(scene, number))),
    );
    all
}

/// Those that are there at the start from left to right, then those that come in, by time.
fn in_order(scene: &Scene) -> Vec<usize> {
    let first = scene.states(0);
    let mut numbers: Vec<usize> = (0..scene.objects.len()).collect();
    let comes_in = |number: usize| happens(scene, number, |what| matches!(what, Happening::Enters { .. }));
    let place = |number: usize| match comes_in(number) {
        Some(time) => (true, time),
        None => (false, first[number].centre[0]),
    };
    numbers.sort_by(|&a, &b| {
        let (a, b) = (place(a), place(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    numbers
}

fn sentence(scene: &Scene, number: usize) -> String {
    let last = scene.frames.saturating_sub(1);
    let ends = [scene.states(0)[number].centre, scene.states(last)[number].centre];
    format!("The {} {}.", scene.objects[number].look, listed(&Story { scene, number }.phrases(ends)))
}

/// The first and the last to do something, wherever there is a question about it.
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
    let moving = scene.objects.iter().filter(|object| object.path.moves()).count();
    format!("{all} {objects}, {moving} {}.", if moving == 1 { "moves" } else { "move" })
}

/// When something first happens to an object.
fn happens(scene: &Scene, number: usize, wanted: impl Fn(Happening) -> bool) -> Option<f32> {
    let mut own = scene.events.iter().filter(|event| event.object == number && wanted(event.happening));
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

/// One object in its scene.
struct Story<'a> {
    scene: &'a Scene,
    number: usize,
}

impl Story<'_> {
    fn object(&self) -> &Object {
        &self.scene.objects[self.number]
    }

    fn name(&self, number: usize) -> String {
        format!("the {}", self.scene.objects[number].look)
    }

    /// What it does from its start to its end, in order of time.
    fn phrases(&self, [start, end]: [Point; 2]) -> Vec<String> {
        let object = self.object();
        let enters = happens(self.scene, self.number, |what| matches!(what, Happening::Enters { .. }));
        let goes = |what| matches!(what, Happening::Leaves { .. } | Happening::Hides { .. });
        let gone = happens(self.scene, self.number, goes);
        // Within one moment: events, then the course that follows from them.
        let mut told: Vec<(f32, u8, String)> = Vec::new();
        for event in self.scene.events.iter().filter(|event| event.object == self.number) {
            let phrase = self.event(event.happening);
            told.extend(phrase.map(|phrase| (event.time, 0, phrase)));
        }
        told.extend(self.recolours());
        let mut rests = false;
        for (from, leg) in object.path.legs() {
            let unseen = enters.is_some_and(|time| from < time) || gone.is_some_and(|time| from >= time);
            let starts = rests && enters != Some(from);
            rests = leg.motion == Motion::Rest;
            let phrase = match leg.motion {
                _ if unseen => None,
                Motion::Rest if from > 0.0 => Some("stops".to_string()),
                Motion::Rest => None,
                _ => Some(self.moves(leg, starts)),
            };
            told.extend(phrase.map(|phrase| (from, 1, phrase)));
        }
        told.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut phrases = Vec::new();
        if enters.is_none() {
            phrases.push(format!("begins {}", whereabouts(start)));
        }
        if !object.path.moves() && object.spin == 0.0 && object.growth == 1.0 {
            phrases.push("does not move".to_string());
        }
        phrases.extend(told.into_iter().map(|(_, _, phrase)| phrase));
        if object.path.moves() && gone.is_none() {
            phrases.push(format!("ends {}", whereabouts(end)));
        }
        phrases
    }

    /// `None` for what legs and colours tell.
    fn event(&self, happening: Happening) -> Option<String> {
        Some(match happening {
            Happening::Enters { side } => format!("comes in at the {}", side.name()),
            Happening::Leaves { side } => format!("disappears at the {}", side.name()),
            Happening::Bounces { side } => format!("bounces off the edge at the {}", side.name()),
            Happening::Collides { with } => format!("bumps into {}", self.name(with)),
            Happening::Turns => "turns by itself".to_string(),
            Happening::Hides { behind } => format!("hides behind {}", self.name(behind)),
            Happening::PassesBehind { object } => format!("goes behind {}", self.name(object)),
            Happening::Spins => "spins".to_string(),
            Happening::Grows => "gets bigger".to_string(),
            Happening::Shrinks => "gets smaller".to_string(),
            Happening::Starts | Happening::Stops | Happening::Pushed { .. } | Happening::Recolours { .. } => {
                return None;
            }
        })
    }

    /// Changes of colour, with the place if it moves; those of an object that does not move as one phrase.
    fn recolours(&self) -> Vec<(f32, u8, String)> {
        let object = self.object();
        if object.path.moves() {
            let one = |&(time, colour): &(f32, crate::Colour)| {
                let place = whereabouts(object.path.at(time));
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

    /// Which way, how fast, and relative to what.
    fn moves(&self, leg: &Leg, starts: bool) -> String {
        let mut phrase = if starts { "starts to move" } else { "moves" }.to_string();
        let mut add = |words: &str| phrase.extend([" ", words]);
        if let Motion::Line { to, pace } = leg.motion {
            add(&heading(minus(to, leg.from)));
            let class = match pace {
                Pace::Quickening => Some(2),
                Pace::Slowing => Some(3),
                Pace::Steady => pace_class(&self.object().path),
            };
            class.into_iter().for_each(|class| add(PACES[class]));
        }
        if let Some(words) = self.relation() {
            add(&words);
        }
        let pushed = self.scene.events.iter().find_map(|event| match event.happening {
            Happening::Pushed { by } if event.object == self.number && starts => Some(by),
            _ => None,
        });
        if let Some(by) = pushed {
            add(&format!("when {} bumps into it", self.name(by)));
        }
        phrase
    }

    fn relation(&self) -> Option<String> {
        self.scene.related.iter().find_map(|related| {
            let other = match self.number {
                number if number == related.object => related.to,
                number if number == related.to => related.object,
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

/// One direction, or two for an oblique way.
fn heading(way: Point) -> String {
    if let Some(direction) = Direction::of(way) {
        return direction.name().to_string();
    }
    let vertical = if way[1] < 0.0 { Direction::Up } else { Direction::Down };
    let horizontal = if way[0] < 0.0 { Direction::Left } else { Direction::Right };
    format!("{} and {}", vertical.name(), horizontal.name())
}
