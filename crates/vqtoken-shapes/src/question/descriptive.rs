//! What there is: shapes, colours, counts, places.

use super::{Builder, Coverage, Draft, ENDS, Moment, Template};
use crate::Scene;
use crate::appearance::{Colour, Shape};
use crate::geometry::Place;
use crate::object::{EventKind, Object};

pub(super) fn ask(builder: &mut Builder<'_>) {
    for index in builder.objects() {
        shape(builder, index);
        colour(builder, index);
        place(builder, index);
    }
    count(builder);
    only_actor(builder);
}

/// Shape or colour of the only object that does something.
fn only_actor(builder: &mut Builder<'_>) {
    if builder.scene.objects.len() < 3 {
        return;
    }
    for (action, words) in ACTIONS {
        let actors: Vec<usize> =
            builder.objects().filter(|&index| does(builder.scene, index, action)).collect();
        let [index] = actors[..] else { continue };
        let object = &builder.scene.objects[index];
        let others = || builder.scene.objects.iter().enumerate().filter(|(other, _)| *other != index);
        let unclear = builder.seen(index) < 2
            || (action == Action::Stops
                && others().any(|(other, _)| does(builder.scene, other, Action::IsPushed)))
            || (action == Action::Rests
                && builder.scene.objects.iter().any(|object| object.spin != 0.0 || object.growth != 1.0));
        if unclear {
            continue;
        }
        // A colour that changes is not an answer.
        let properties =
            if object.recolours.is_empty() { builder.one_or_both(&PROPERTIES) } else { &PROPERTIES[..1] };
        for &property in properties {
            if property == Property::Colour {
                let question = format!("What colour is the object that {words}?");
                let names = |object: &Object| object.appearance.colour.name();
                of_unnamed(builder, index, Template::Colour, question, names, &Colour::ALL.map(Colour::name));
            } else {
                let question = format!("What shape is the object that {words}?");
                let names = |object: &Object| object.appearance.shape.name();
                of_unnamed(builder, index, Template::Shape, question, names, &Shape::ALL.map(Shape::name));
            }
        }
    }
}

/// Asks for a property of an object that the question does not name. That of the other objects are the best wrong options.
fn of_unnamed(
    builder: &mut Builder<'_>,
    index: usize,
    template: Template,
    question: String,
    word: impl Fn(&Object) -> &'static str,
    all: &[&'static str],
) {
    let objects = &builder.scene.objects;
    let right = word(&objects[index]);
    let others = objects.iter().enumerate().filter(|(other, _)| *other != index);
    let mut wrong: Vec<String> = others.map(|(_, other)| word(other).to_string()).collect();
    let must = wrong.len();
    wrong.extend(all.iter().map(ToString::to_string));
    let class = all.iter().position(|one| *one == right).unwrap_or_default();
    builder.add(Draft { template, question, class, subject: None }, right.into(), must, wrong);
}

/// What an object is asked for by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Property {
    Shape,
    Colour,
}

const PROPERTIES: [Property; 2] = [Property::Shape, Property::Colour];

/// What one object of several may do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    ComesIn,
    GoesOut,
    ChangesColour,
    Bounces,
    Stops,
    Spins,
    Hides,
    Moves,
    Rests,
    IsPushed,
}

const ACTIONS: [(Action, &str); 9] = [
    (Action::ComesIn, "comes in"),
    (Action::GoesOut, "goes out"),
    (Action::ChangesColour, "changes colour"),
    (Action::Bounces, "bounces off the edge"),
    (Action::Stops, "stops"),
    (Action::Spins, "spins"),
    (Action::Hides, "hides behind another one"),
    (Action::Moves, "moves"),
    (Action::Rests, "does not move"),
];

fn does(scene: &Scene, index: usize, action: Action) -> bool {
    let object = &scene.objects[index];
    let happens = |wanted: fn(EventKind) -> bool| {
        scene.events.iter().any(|event| event.object == index && wanted(event.kind))
    };
    match action {
        Action::ComesIn => happens(|kind| matches!(kind, EventKind::Enters { .. })),
        Action::GoesOut => happens(|kind| matches!(kind, EventKind::Leaves { .. })),
        Action::ChangesColour => !object.recolours.is_empty(),
        Action::Bounces => happens(|kind| matches!(kind, EventKind::Bounces { .. })),
        Action::Stops => happens(|kind| matches!(kind, EventKind::Stops)),
        Action::Spins => object.spin != 0.0,
        Action::Hides => happens(|kind| matches!(kind, EventKind::Hides { .. })),
        Action::Moves => object.trajectory.moves() || object.spin != 0.0 || object.growth != 1.0,
        Action::Rests => !object.trajectory.moves(),
        Action::IsPushed => happens(|kind| matches!(kind, EventKind::Pushed { .. })),
    }
}

fn shape(builder: &mut Builder<'_>, index: usize) {
    let Some(name) = builder.names.by_colour(index).filter(|_| builder.seen(index) >= 3) else { return };
    // One frame answers these: few of them.
    if !builder.samples(0.2) {
        return;
    }
    let shape = builder.scene.objects[index].appearance.shape;
    let question = match builder.random.below(2) {
        0 => format!("What shape is {name}?"),
        _ => format!("What is the shape of {name}?"),
    };
    let draft = Draft { template: Template::Shape, question, class: shape as usize, subject: Some(index) };
    builder.add(draft, shape.name().into(), 0, Shape::ALL.map(|shape| shape.name().to_string()).into());
}

/// Mostly of objects that change colour, which only the whole clip shows.
fn colour(builder: &mut Builder<'_>, index: usize) {
    let Some(name) = builder.names.by_shape(index) else { return };
    let colours: Vec<Colour> = builder.scene.objects[index].colours().collect();
    for &moment in builder.one_or_both(&ENDS) {
        let Some(state) = builder.at(index, moment) else { continue };
        let question = if colours.len() > 1 {
            format!("What colour is {name} at the {}?", if moment == Moment::End { "end" } else { "start" })
        } else if builder.samples(0.1) {
            format!("What colour is {name}?")
        } else {
            continue;
        };
        // Its colour at another time is the best wrong option.
        let mut wrong: Vec<String> = colours
            .iter()
            .filter(|&&colour| colour != state.colour)
            .take(1)
            .map(|colour| colour.name().into())
            .collect();
        let must = wrong.len();
        wrong.extend(Colour::ALL.map(|colour| colour.name().to_string()));
        let class = state.colour as usize;
        let draft = Draft { template: Template::Colour, question, class, subject: Some(index) };
        builder.add(draft, state.colour.name().into(), must, wrong);
    }
}

fn count(builder: &mut Builder<'_>) {
    if builder.objects().any(|index| builder.seen(index) < 2) {
        return;
    }
    let count = builder.scene.objects.len();
    let middle = builder.scene.states(builder.scene.frames / 2);
    let at_once = middle.iter().filter(|state| state.visible > 0.0).count() == count;
    if at_once && !builder.samples(0.2) {
        return;
    }
    let question = match builder.random.below(2) {
        0 => "How many objects are there in all?",
        _ => "How many different objects can be seen in the video?",
    };
    builder.add_of_five(Template::Count, question.into(), count - 1, None, ["1", "2", "3", "4", "5"]);
}

/// Of objects that are elsewhere in the middle of the clip, and of few of those that rest.
fn place(builder: &mut Builder<'_>, index: usize) {
    let Some(name) = builder.names.any(index) else { return };
    for &moment in builder.one_or_both(&ENDS) {
        let Some(place) = builder.at(index, moment).and_then(|state| Place::of(state.centre)) else {
            continue;
        };
        let path = &builder.scene.objects[index].trajectory;
        let elsewhere = Place::of(path.at(0.5)) != Some(place) && path.moves();
        let sampled = builder.coverage == Coverage::Sampled;
        if !elsewhere && sampled && (path.moves() || !builder.random.chance(0.12)) {
            continue;
        }
        let question = match (builder.random.below(2), moment) {
            (0, Moment::End) => format!("Where is {name} at the end?"),
            (0, Moment::Start) => format!("Where is {name} at the start?"),
            (_, Moment::End) => format!("Where does {name} end up?"),
            (_, Moment::Start) => format!("Where does {name} begin?"),
        };
        let places = Place::ALL.map(Place::name);
        builder.add_of_five(Template::Place, question, place as usize, Some(index), places);
    }
}
