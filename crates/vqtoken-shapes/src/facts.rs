//! What is true about each object of a scene, as classes: what the tokens of its codes are taught to carry.

use crate::Scene;
use crate::geometry::Place;
use crate::look::{Colour, Shape};
use crate::object::{Happening, Relation};
use crate::question::course_class;
use crate::question::motion::pace_class;
use crate::scene::State;

/// Something to know about an object, or about the scene as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// A name for logs.
    pub name: &'static str,
    /// How many answers there are.
    pub classes: usize,
    /// Whether every object has the same answer.
    pub of_scene: bool,
}

const fn fact(name: &'static str, classes: usize) -> Fact {
    Fact { name, classes, of_scene: false }
}

const SHAPES: usize = Shape::ALL.len();
const COLOURS: usize = Colour::ALL.len();
const PLACES: usize = Place::ALL.len();

/// Every fact, in the order of [`Scene::facts`].
pub const FACTS: [Fact; 36] = [
    fact("shape", SHAPES),
    fact("first colour", COLOURS),
    fact("last colour", COLOURS),
    fact("first place", PLACES),
    fact("last place", PLACES),
    fact("place when it changes colour", PLACES),
    fact("first course", 5),
    fact("last course", 5),
    fact("direction", 5),
    fact("pace", 5),
    fact("changes of colour", 5),
    fact("comes in", 5),
    fact("goes out", 5),
    fact("bounces", 2),
    fact("bumps", 2),
    fact("is pushed", 2),
    fact("turns", 2),
    fact("starts", 2),
    fact("stops", 2),
    fact("hides", 2),
    fact("passes behind", 2),
    fact("spins", 2),
    fact("grows", 2),
    fact("shrinks", 2),
    fact("moves", 2),
    fact("relation", 6),
    fact("partner's shape", SHAPES),
    fact("partner's colour", COLOURS),
    fact("first to come in", 2),
    fact("last to come in", 2),
    fact("first to change colour", 2),
    fact("last to change colour", 2),
    fact("first to start", 2),
    fact("last to start", 2),
    Fact { name: "objects", classes: 5, of_scene: true },
    Fact { name: "movers", classes: 6, of_scene: true },
];

impl Scene {
    /// The class of every fact about every object, `[objects][FACTS]`; `None` where there is no clear answer.
    pub fn facts(&self) -> Vec<[Option<usize>; FACTS.len()]> {
        let ends = [self.states(0), self.states(self.frames.saturating_sub(1))];
        (0..self.objects.len())
            .map(|number| self.facts_of(number, [ends[0][number], ends[1][number]]))
            .collect()
    }

    fn facts_of(&self, number: usize, [start, end]: [State; 2]) -> [Option<usize>; FACTS.len()] {
        /// Centres of less visible objects are not where they seem to be.
        const SEEN: f32 = 0.6;
        let object = &self.objects[number];
        let own = || self.events.iter().filter(|event| event.object == number).map(|event| event.happening);
        let does = |wanted: fn(Happening) -> bool| Some(usize::from(own().any(wanted)));
        let seen = |state: State| Some(state).filter(|state| state.visible >= SEEN);
        let place =
            |state: State| seen(state).and_then(|state| Place::of(state.centre)).map(|place| place as usize);
        // Straight, oblique ways have no answer, and rest has the last.
        let course = |time: f32| object.path.course(time).map(course_class);
        let recolours = &object.recolours;
        let recoloured_at = match recolours[..] {
            [(time, _)] => Place::of(object.path.at(time)).map(|place| place as usize),
            _ => None,
        };
        let direction = match object.path.moves() {
            true => object.path.direction().map(|direction| direction as usize),
            false => Some(4),
        };
        let comes_in = own().find_map(|what| match what {
            Happening::Enters { side } => Some(side as usize),
            _ => None,
        });
        let goes_out = own().find_map(|what| match what {
            Happening::Leaves { side } => Some(side as usize),
            _ => None,
        });
        let related = self.related.iter().find(|related| [related.object, related.to].contains(&number));
        let partner = self.partner(number).map(|partner| &self.objects[partner]);
        let unclear = self.objects.iter().any(|object| object.spin != 0.0 || object.growth != 1.0);
        let movers = self.objects.iter().filter(|object| object.path.moves()).count();
        let [first_in, last_in] = self.order(number, |what| matches!(what, Happening::Enters { .. }));
        let [first_colour, last_colour] =
            self.order(number, |what| matches!(what, Happening::Recolours { .. }));
        let starts = |what| matches!(what, Happening::Starts | Happening::Pushed { .. });
        let [first_start, last_start] = self.order(number, starts);
        [
            Some(object.look.shape as usize),
            Some(object.look.colour as usize),
            Some(object.colour(1.0) as usize),
            place(start),
            place(end),
            recoloured_at,
            course(0.02),
            course(0.98),
            direction,
            pace_class(&object.path),
            Some(recolours.len().min(4)),
            Some(comes_in.unwrap_or(4)),
            Some(goes_out.unwrap_or(4)),
            does(|what| matches!(what, Happening::Bounces { .. })),
            does(|what| matches!(what, Happening::Collides { .. })),
            does(|what| matches!(what, Happening::Pushed { .. })),
            does(|what| matches!(what, Happening::Turns)),
            does(|what| matches!(what, Happening::Starts)),
            does(|what| matches!(what, Happening::Stops)),
            does(|what| matches!(what, Happening::Hides { .. })),
            does(|what| matches!(what, Happening::PassesBehind { .. })),
            Some(usize::from(object.spin != 0.0)),
            Some(usize::from(object.growth > 1.0)),
            Some(usize::from(object.growth < 1.0)),
            Some(usize::from(object.path.moves())),
            Some(related.map_or(Relation::ALL.len(), |related| related.relation as usize)),
            partner.map(|partner| partner.look.shape as usize),
            partner.map(|partner| partner.look.colour as usize),
            first_in,
            last_in,
            first_colour,
            last_colour,
            first_start,
            last_start,
            Some(self.objects.len() - 1),
            (!unclear).then_some(movers),
        ]
    }

    /// The object that another one has to do with.
    fn partner(&self, number: usize) -> Option<usize> {
        let by_event = self.events.iter().filter(|event| event.object == number);
        let partner = by_event.map(|event| event.happening).find_map(|what| match what {
            Happening::Collides { with } => Some(with),
            Happening::Pushed { by } => Some(by),
            Happening::Hides { behind } => Some(behind),
            Happening::PassesBehind { object } => Some(object),
            _ => None,
        });
        partner.or_else(|| {
            self.related.iter().find_map(|related| match number {
                number if number == related.object => Some(related.to),
                number if number == related.to => Some(related.object),
                _ => None,
            })
        })
    }

    /// Whether an object is the first and the last of all that do something; nothing is clear where fewer than two do.
    fn order(&self, number: usize, wanted: impl Fn(Happening) -> bool) -> [Option<usize>; 2] {
        let doers = || self.events.iter().filter(|event| wanted(event.happening)).map(|event| event.object);
        if doers().count() < 2 || !doers().any(|doer| doer == number) {
            return [None; 2];
        }
        let is = |doer: Option<usize>| Some(usize::from(doer == Some(number)));
        [is(doers().next()), is(doers().last())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Settings, Template, all_questions};

    /// Facts and questions are told by different code about the same script.
    #[test]
    fn facts_agree_with_the_answers_to_questions() {
        let at = |name: &str| FACTS.iter().position(|fact| fact.name == name).unwrap();
        let mut compared = 0;
        for seed in 0..300 {
            let scene = Scene::generate(seed, &Settings::default());
            let facts = scene.facts();
            for question in all_questions(&scene) {
                let told = match (question.template, question.subject) {
                    (Template::Direction, Some(number)) => facts[number][at("direction")],
                    (Template::Pace, Some(number)) => facts[number][at("pace")],
                    (Template::Before, Some(number)) => facts[number][at("first course")],
                    (Template::After, Some(number)) => facts[number][at("last course")],
                    (Template::When, Some(number)) => facts[number][at("place when it changes colour")],
                    (Template::HowOften, Some(number)) => facts[number][at("changes of colour")],
                    (Template::Relation, Some(number)) => facts[number][at("relation")],
                    (Template::Count, _) => facts[0][at("objects")],
                    (Template::Movers, _) => facts[0][at("movers")],
                    _ => continue,
                };
                assert_eq!(told, Some(question.class), "scene {seed}: {}", question.question);
                compared += 1;
            }
        }
        assert!(compared > 1000, "{compared} questions");
    }

    #[test]
    fn every_class_is_within_its_fact() {
        for seed in 0..200 {
            for of_object in Scene::generate(seed, &Settings::default()).facts() {
                for (class, fact) in of_object.into_iter().zip(FACTS) {
                    assert!(class.is_none_or(|class| class < fact.classes), "{}: {class:?}", fact.name);
                }
            }
        }
    }
}
