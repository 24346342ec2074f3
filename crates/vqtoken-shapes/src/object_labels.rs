//! The labels of each object of a scene, as classes: where it is, how it moves, what it does and with whom.

use crate::Scene;
use crate::appearance::{Colour, Shape};
use crate::geometry::Place;
use crate::object::{EventKind, Relation};
use crate::question::course_class;
use crate::question::motion::pace_class;
use crate::scene::ObjectState;

/// A label: something that is known about an object, or about the whole scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectLabel {
    /// Its name in logs.
    pub name: &'static str,
    /// The number of its classes.
    pub classes: usize,
    /// What it is about.
    pub scope: LabelScope,
}

/// What a label is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelScope {
    /// One object.
    Object,
    /// The whole scene: every object has the same class.
    Scene,
}

const fn per_object(name: &'static str, classes: usize) -> ObjectLabel {
    ObjectLabel { name, classes, scope: LabelScope::Object }
}

const SHAPES: usize = Shape::ALL.len();
const COLOURS: usize = Colour::ALL.len();
const PLACES: usize = Place::ALL.len();

/// Every label, in the order of [`Scene::object_labels`].
pub const OBJECT_LABELS: [ObjectLabel; 36] = [
    per_object("shape", SHAPES),
    per_object("first colour", COLOURS),
    per_object("last colour", COLOURS),
    per_object("first place", PLACES),
    per_object("last place", PLACES),
    per_object("place when it changes colour", PLACES),
    per_object("first course", 5),
    per_object("last course", 5),
    per_object("direction", 5),
    per_object("pace", 5),
    per_object("changes of colour", 5),
    per_object("comes in", 5),
    per_object("goes out", 5),
    per_object("bounces", 2),
    per_object("bumps", 2),
    per_object("is pushed", 2),
    per_object("turns", 2),
    per_object("starts", 2),
    per_object("stops", 2),
    per_object("hides", 2),
    per_object("passes behind", 2),
    per_object("spins", 2),
    per_object("grows", 2),
    per_object("shrinks", 2),
    per_object("moves", 2),
    per_object("relation", 6),
    per_object("partner's shape", SHAPES),
    per_object("partner's colour", COLOURS),
    per_object("first to come in", 2),
    per_object("last to come in", 2),
    per_object("first to change colour", 2),
    per_object("last to change colour", 2),
    per_object("first to start", 2),
    per_object("last to start", 2),
    ObjectLabel { name: "objects", classes: 5, scope: LabelScope::Scene },
    ObjectLabel { name: "movers", classes: 6, scope: LabelScope::Scene },
];

impl Scene {
    /// The class of every label of every object, `[objects][OBJECT_LABELS]`; `None` where no class is certain.
    pub fn object_labels(&self) -> Vec<[Option<usize>; OBJECT_LABELS.len()]> {
        let ends = [self.states(0), self.states(self.frames.saturating_sub(1))];
        (0..self.objects.len()).map(|index| self.labels_of(index, [ends[0][index], ends[1][index]])).collect()
    }

    fn labels_of(
        &self,
        index: usize,
        [start, end]: [ObjectState; 2],
    ) -> [Option<usize>; OBJECT_LABELS.len()] {
        /// The centre of an object that is less visible than this is not where it seems to be.
        const MIN_VISIBLE: f32 = 0.6;
        let object = &self.objects[index];
        let own = || self.events.iter().filter(|event| event.object == index).map(|event| event.kind);
        let does = |wanted: fn(EventKind) -> bool| Some(usize::from(own().any(wanted)));
        let seen = |state: ObjectState| Some(state).filter(|state| state.visible >= MIN_VISIBLE);
        let place = |state: ObjectState| {
            seen(state).and_then(|state| Place::of(state.centre)).map(|place| place as usize)
        };
        // Oblique lines have no class, and rest has the last.
        let course = |time: f32| object.trajectory.course(time).map(course_class);
        let recolours = &object.recolours;
        let recoloured_at = match recolours[..] {
            [(time, _)] => Place::of(object.trajectory.at(time)).map(|place| place as usize),
            _ => None,
        };
        let direction = match object.trajectory.moves() {
            true => object.trajectory.direction().map(|direction| direction as usize),
            false => Some(4),
        };
        let comes_in = own().find_map(|kind| match kind {
            EventKind::Enters { side } => Some(side as usize),
            _ => None,
        });
        let goes_out = own().find_map(|kind| match kind {
            EventKind::Leaves { side } => Some(side as usize),
            _ => None,
        });
        let related = self.related.iter().find(|related| [related.object, related.to].contains(&index));
        let partner = self.partner(index).map(|partner| &self.objects[partner]);
        let unclear = self.objects.iter().any(|object| object.spin != 0.0 || object.growth != 1.0);
        let movers = self.objects.iter().filter(|object| object.trajectory.moves()).count();
        let [first_in, last_in] = self.order(index, |kind| matches!(kind, EventKind::Enters { .. }));
        let [first_colour, last_colour] =
            self.order(index, |kind| matches!(kind, EventKind::Recolours { .. }));
        let starts = |kind| matches!(kind, EventKind::Starts | EventKind::Pushed { .. });
        let [first_start, last_start] = self.order(index, starts);
        [
            Some(object.appearance.shape as usize),
            Some(object.appearance.colour as usize),
            Some(object.colour(1.0) as usize),
            place(start),
            place(end),
            recoloured_at,
            course(0.02),
            course(0.98),
            direction,
            pace_class(&object.trajectory),
            Some(recolours.len().min(4)),
            Some(comes_in.unwrap_or(4)),
            Some(goes_out.unwrap_or(4)),
            does(|kind| matches!(kind, EventKind::Bounces { .. })),
            does(|kind| matches!(kind, EventKind::Collides { .. })),
            does(|kind| matches!(kind, EventKind::Pushed { .. })),
            does(|kind| matches!(kind, EventKind::Turns)),
            does(|kind| matches!(kind, EventKind::Starts)),
            does(|kind| matches!(kind, EventKind::Stops)),
            does(|kind| matches!(kind, EventKind::Hides { .. })),
            does(|kind| matches!(kind, EventKind::PassesBehind { .. })),
            Some(usize::from(object.spin != 0.0)),
            Some(usize::from(object.growth > 1.0)),
            Some(usize::from(object.growth < 1.0)),
            Some(usize::from(object.trajectory.moves())),
            Some(related.map_or(Relation::ALL.len(), |related| related.relation as usize)),
            partner.map(|partner| partner.appearance.shape as usize),
            partner.map(|partner| partner.appearance.colour as usize),
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

    /// The index of the object that another one interacts with.
    fn partner(&self, index: usize) -> Option<usize> {
        let by_event = self.events.iter().filter(|event| event.object == index);
        let partner = by_event.map(|event| event.kind).find_map(|kind| match kind {
            EventKind::Collides { with } => Some(with),
            EventKind::Pushed { by } => Some(by),
            EventKind::Hides { behind } => Some(behind),
            EventKind::PassesBehind { object } => Some(object),
            _ => None,
        });
        partner.or_else(|| {
            self.related.iter().find_map(|related| match index {
                index if index == related.object => Some(related.to),
                index if index == related.to => Some(related.object),
                _ => None,
            })
        })
    }

    /// Whether an object is the first and whether it is the last to do something; `None` where fewer than two do it.
    fn order(&self, index: usize, wanted: impl Fn(EventKind) -> bool) -> [Option<usize>; 2] {
        let objects = || self.events.iter().filter(|event| wanted(event.kind)).map(|event| event.object);
        if objects().count() < 2 || !objects().any(|object| object == index) {
            return [None; 2];
        }
        let is = |object: Option<usize>| Some(usize::from(object == Some(index)));
        [is(objects().next()), is(objects().last())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Settings, Template, all_questions};

    /// Labels and answers come from the same script by different code.
    #[test]
    fn labels_agree_with_the_answers_to_questions() {
        let at = |name: &str| OBJECT_LABELS.iter().position(|label| label.name == name).unwrap();
        let mut compared = 0;
        for seed in 0..300 {
            let scene = Scene::generate(seed, &Settings::default());
            let labels = scene.object_labels();
            for question in all_questions(&scene) {
                let label = match (question.template, question.subject) {
                    (Template::Direction, Some(index)) => labels[index][at("direction")],
                    (Template::Pace, Some(index)) => labels[index][at("pace")],
                    (Template::Before, Some(index)) => labels[index][at("first course")],
                    (Template::After, Some(index)) => labels[index][at("last course")],
                    (Template::When, Some(index)) => labels[index][at("place when it changes colour")],
                    (Template::HowOften, Some(index)) => labels[index][at("changes of colour")],
                    (Template::Relation, Some(index)) => labels[index][at("relation")],
                    (Template::Count, _) => labels[0][at("objects")],
                    (Template::Movers, _) => labels[0][at("movers")],
                    _ => continue,
                };
                assert_eq!(label, Some(question.class), "scene {seed}: {}", question.question);
                compared += 1;
            }
        }
        assert!(compared > 1000, "{compared} questions");
    }

    #[test]
    fn every_class_is_in_range() {
        for seed in 0..200 {
            for of_object in Scene::generate(seed, &Settings::default()).object_labels() {
                for (class, label) in of_object.into_iter().zip(OBJECT_LABELS) {
                    assert!(class.is_none_or(|class| class < label.classes), "{}: {class:?}", label.name);
                }
            }
        }
    }
}
