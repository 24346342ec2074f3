//! Facts: what an object looks like and does, one by one, and which of them a query asks for.

use super::happenings::{Script, Span, merged};
use super::{Action, Deed, Description, Query, Region, Speed, Wanted};
use crate::appearance::{Colour, Shape};
use crate::geometry::{Direction, Side};

/// Any object.
const ANY: Description = Description { colour: None, shape: None };

/// What may be true of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fact {
    /// It does something at some time.
    Does(Action),
    /// Its outline.
    Shape(Shape),
    /// Its colour at some time.
    Colour(Colour),
    /// Its colour in the first frame.
    FirstColour(Colour),
    /// Its colour in the last frame.
    LastColour(Colour),
}

/// What it does, each at some time.
fn events() -> impl Iterator<Item = Fact> {
    let sides = || Side::ALL.map(Some).into_iter().chain([None]);
    let speeds = Speed::ALL.map(|speed| Action::Moves { direction: None, speed: Some(speed) });
    let moves = Direction::ALL.map(Some).into_iter().chain([None]);
    let colours = Colour::ALL.map(Some).into_iter().chain([None]);
    let partners = Colour::ALL
        .map(|colour| Description { colour: Some(colour), ..ANY })
        .into_iter()
        .chain(Shape::ALL.map(|shape| Description { shape: Some(shape), ..ANY }));
    moves
        .map(|direction| Action::Moves { direction, speed: None })
        .chain(speeds)
        .chain([Action::Turns, Action::Starts, Action::Stops])
        .chain(sides().map(|side| Action::ComesIn { side }))
        .chain(sides().map(|side| Action::GoesOut { side }))
        .chain(sides().map(|side| Action::Bounces { side }))
        .chain(colours.map(|to| Action::ChangesColour { to }))
        .chain(between(ANY))
        .chain([Action::Rests, Action::Spins, Action::Grows, Action::Shrinks])
        .chain(Region::ALL.map(|region| Action::Begins { region }))
        .chain(Region::ALL.map(|region| Action::Ends { region }))
        .chain(partners.flat_map(between))
        .map(Fact::Does)
}

/// What it looks like.
fn looks() -> impl Iterator<Item = Fact> {
    Shape::ALL
        .map(Fact::Shape)
        .into_iter()
        .chain(Colour::ALL.map(Fact::Colour))
        .chain(Colour::ALL.map(Fact::FirstColour))
        .chain(Colour::ALL.map(Fact::LastColour))
}

fn facts() -> impl Iterator<Item = Fact> {
    events().chain(looks())
}

/// What an object does with another one.
fn between(other: Description) -> [Action; 7] {
    [
        Action::BumpsInto { other },
        Action::IsHitBy { other },
        Action::HidesBehind { other },
        Action::PassesBehind { other },
        Action::MovesTowards { other },
        Action::MovesAwayFrom { other },
        Action::MovesAround { other },
    ]
}

/// Facts of an object that happen at a time: what it does. They are the first of [`fact_count`].
pub fn event_count() -> usize {
    events().count()
}

/// All facts of an object.
pub fn fact_count() -> usize {
    facts().count()
}

/// What is true of an object. Times are fractions of the clip.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectFacts {
    /// Whether each fact is true, `[fact_count]`.
    pub is_true: Vec<bool>,
    /// When each event that happens is over for the first time, and when it begins for the last time, `[event_count]`: something is over
    /// before something else begins if the first of the one is before the second of the other.
    pub times: Vec<[f32; 2]>,
    /// From when to when each fact that is true can be seen, the longest of several such times, `[fact_count]`: what an object does
    /// for as long as [`Query::intervals`] says, how it looks while it is there and looks so.
    pub seen: Vec<[f32; 2]>,
}

impl Script {
    /// What is true of each object, `[objects]`.
    pub fn facts(&self) -> Vec<ObjectFacts> {
        let facts: Vec<Fact> = facts().collect();
        let of = |object: usize| {
            let spans: Vec<Vec<Span>> = facts.iter().map(|fact| self.spans_of(object, *fact)).collect();
            let times = |spans: &Vec<Span>| {
                let over = spans.iter().map(|span| span.core.1).fold(f32::INFINITY, f32::min);
                let begins = spans.iter().map(|span| span.core.0).fold(f32::NEG_INFINITY, f32::max);
                if spans.is_empty() { [0.0; 2] } else { [over, begins] }
            };
            ObjectFacts {
                is_true: facts
                    .iter()
                    .zip(&spans)
                    .map(|(fact, spans)| self.holds(object, *fact, spans))
                    .collect(),
                times: spans.iter().take(event_count()).map(times).collect(),
                seen: facts
                    .iter()
                    .zip(&spans)
                    .map(|(fact, spans)| longest(self.seen(object, *fact, spans)))
                    .collect(),
            }
        };
        self.objects().map(of).collect()
    }

    fn spans_of(&self, object: usize, fact: Fact) -> Vec<Span> {
        match fact {
            Fact::Does(action) => self.spans(object, ANY, action),
            _ => Vec::new(),
        }
    }

    /// When a fact can be seen.
    fn seen(&self, object: usize, fact: Fact, spans: &[Span]) -> Vec<(f32, f32)> {
        let own = self.object(object);
        let coloured = |colour| Description { colour: Some(colour), ..ANY };
        let of = |wanted: Description| self.presence(object, wanted);
        match fact {
            Fact::Does(_) => merged(spans.iter().map(|span| (span.from, span.to)).collect()),
            Fact::Shape(shape) if shape == own.appearance.shape => of(ANY),
            Fact::Colour(colour) => of(coloured(colour)),
            Fact::FirstColour(colour) if colour == own.colour(0.0) => of(coloured(colour)),
            Fact::LastColour(colour) if colour == own.colour(1.0) => of(coloured(colour)),
            _ => Vec::new(),
        }
    }

    fn holds(&self, object: usize, fact: Fact, spans: &[Span]) -> bool {
        let object = self.object(object);
        match fact {
            Fact::Does(_) => !spans.is_empty(),
            Fact::Shape(shape) => object.appearance.shape == shape,
            Fact::Colour(colour) => object.colours().any(|own| own == colour),
            Fact::FirstColour(colour) => object.colour(0.0) == colour,
            Fact::LastColour(colour) => object.colour(1.0) == colour,
        }
    }
}

fn longest(intervals: Vec<(f32, f32)>) -> [f32; 2] {
    let length = |interval: &(f32, f32)| interval.1 - interval.0;
    // The first of several that are as long.
    let longest = intervals.into_iter().rev().max_by(|a, b| length(a).total_cmp(&length(b)));
    longest.map_or([0.0; 2], |(from, to)| [from, to])
}

impl Query {
    /// The facts that have to be true of one object, by their indices, of each of at most two things that a query names. Of two, the first
    /// has to be over before the second begins.
    pub fn wanted_facts(&self) -> [Vec<usize>; 2] {
        let facts: Vec<Fact> = facts().collect();
        let indices = |wanted: Vec<Fact>| {
            let index = |wanted: &Fact| facts.iter().position(|fact| fact == wanted);
            wanted.iter().filter_map(index).collect::<Vec<usize>>()
        };
        match self.wanted {
            Wanted::Object(object) => [indices(looks_like(object, Fact::Colour)), Vec::new()],
            Wanted::Deed(deed) => [indices(of_deed(deed)), Vec::new()],
            Wanted::Order { first, then } => [first, then].map(|deed| indices(of_deed(deed))),
        }
    }
}

fn looks_like(object: Description, colour: fn(Colour) -> Fact) -> Vec<Fact> {
    object.shape.map(Fact::Shape).into_iter().chain(object.colour.map(colour)).collect()
}

fn of_deed(Deed { subject, action }: Deed) -> Vec<Fact> {
    let with = |other: Description, at: usize| {
        let parts = [
            Some(ANY),
            other.colour.map(|colour| Description { colour: Some(colour), ..ANY }),
            other.shape.map(|shape| Description { shape: Some(shape), ..ANY }),
        ];
        parts.into_iter().flatten().map(|part| between(part)[at]).collect()
    };
    let actions = match action {
        Action::Moves { direction, speed } => {
            // The two of them are as a rule true of the same motion.
            let both = [(direction, None), (None, speed)]
                .map(|(direction, speed)| Action::Moves { direction, speed });
            let any = Action::Moves { direction: None, speed: None };
            let named: Vec<Action> = both.into_iter().filter(|action| *action != any).collect();
            if named.is_empty() { vec![any] } else { named }
        }
        Action::BumpsInto { other } => with(other, 0),
        Action::IsHitBy { other } => with(other, 1),
        Action::HidesBehind { other } => with(other, 2),
        Action::PassesBehind { other } => with(other, 3),
        Action::MovesTowards { other } => with(other, 4),
        Action::MovesAwayFrom { other } => with(other, 5),
        Action::MovesAround { other } => with(other, 6),
        other => vec![other],
    };
    let colour = match action {
        Action::Begins { .. } => Fact::FirstColour,
        Action::Ends { .. } => Fact::LastColour,
        _ => Fact::Colour,
    };
    looks_like(subject, colour).into_iter().chain(actions.into_iter().map(Fact::Does)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{QueryKind, Scene, Settings, queries_of};

    #[test]
    fn what_a_true_query_asks_for_is_true_of_one_object() {
        let (mut deeds, mut orders) = (0, 0);
        for seed in 0..200 {
            let scene = Scene::generate(seed, &Settings::default());
            let script = Script::of(&scene);
            let facts = script.facts();
            assert!(facts.iter().all(|facts| facts.is_true.len() == fact_count()));
            let holds =
                |wanted: &[usize]| facts.iter().any(|facts| wanted.iter().all(|&fact| facts.is_true[fact]));
            for query in queries_of(&scene, seed) {
                let [first, then] = query.wanted_facts();
                assert!(!first.is_empty() && holds(&first), "{} of scene {seed}", query.text());
                match query.kind() {
                    QueryKind::Order => {
                        assert!(holds(&then));
                        orders += 1;
                    }
                    _ => {
                        assert!(then.is_empty());
                        deeds += 1;
                    }
                }
            }
        }
        assert!(deeds > 500 && orders > 500, "{deeds} {orders}");
    }

    #[test]
    fn each_fact_is_named_once_and_events_come_first() {
        let facts: Vec<Fact> = facts().collect();
        assert!(facts.iter().enumerate().all(|(index, fact)| !facts[..index].contains(fact)));
        assert_eq!((event_count(), fact_count()), (events().count(), facts.len()));
    }

    #[test]
    fn an_order_is_told_by_times() {
        let (mut right, mut compared) = (0, 0);
        for seed in 0..100 {
            let scene = Scene::generate(seed, &Settings::default());
            let facts = Script::of(&scene).facts();
            for query in queries_of(&scene, seed).iter().filter(|query| query.kind() == QueryKind::Order) {
                let [first, then] = query.wanted_facts();
                let time = |wanted: &[usize], which: usize| -> Vec<f32> {
                    let events = || wanted.iter().copied().filter(|&fact| fact < event_count());
                    assert!(events().next().is_some(), "what has an order is an event");
                    let holding = facts.iter().filter(|facts| wanted.iter().all(|&fact| facts.is_true[fact]));
                    holding.flat_map(|facts| events().map(|event| facts.times[event][which])).collect()
                };
                let (over, begins) = (time(&first, 0), time(&then, 1));
                let is_before = over.iter().any(|over| begins.iter().any(|begins| begins + 2e-3 >= *over));
                right += usize::from(is_before);
                compared += 1;
            }
        }
        // Times know nothing of what an object does while it has another colour.
        assert!(compared > 200 && right * 20 >= compared * 19, "{right} of {compared}");
    }
}
