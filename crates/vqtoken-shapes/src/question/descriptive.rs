//! What there is: shape, colour, number, place.

use super::{Asked, Asker, Template};
use crate::Scene;
use crate::geometry::Place;
use crate::look::{Colour, Shape};
use crate::object::{Happening, Object};

pub(super) fn ask(asker: &mut Asker<'_>) {
    for number in asker.numbers() {
        shape(asker, number);
        colour(asker, number);
        place(asker, number);
    }
    count(asker);
    what_does(asker);
}

/// What the only object looks like that does something.
fn what_does(asker: &mut Asker<'_>) {
    if asker.scene.objects.len() < 3 {
        return;
    }
    for (deed, words) in DEEDS {
        let doers: Vec<usize> = asker.numbers().filter(|&number| does(asker.scene, number, deed)).collect();
        let [number] = doers[..] else { continue };
        let object = &asker.scene.objects[number];
        let others = || asker.scene.objects.iter().enumerate().filter(|(other, _)| *other != number);
        let doubtful = asker.seen(number) < 2
            || (deed == Deed::Stops && others().any(|(other, _)| does(asker.scene, other, Deed::IsPushed)))
            || (deed == Deed::Stands
                && asker.scene.objects.iter().any(|object| object.spin != 0.0 || object.growth != 1.0));
        if doubtful {
            continue;
        }
        // A colour that changes is no answer; the shape is asked for instead.
        let about_colour = if object.recolours.is_empty() { asker.either() } else { &[false] };
        for &about_colour in about_colour {
            if about_colour {
                let question = format!("What colour is the object that {words}?");
                let names = |object: &Object| object.look.colour.name();
                picked_out(asker, number, Template::Colour, question, names, &Colour::ALL.map(Colour::name));
            } else {
                let question = format!("What shape is the object that {words}?");
                let names = |object: &Object| object.look.shape.name();
                picked_out(asker, number, Template::Shape, question, names, &Shape::ALL.map(Shape::name));
            }
        }
    }
}

/// Asks for a word about an object that the question does not name; the words for the others are the best wrong options.
fn picked_out(
    asker: &mut Asker<'_>,
    number: usize,
    template: Template,
    question: String,
    word: impl Fn(&Object) -> &'static str,
    all: &[&'static str],
) {
    let objects = &asker.scene.objects;
    let right = word(&objects[number]);
    let others = objects.iter().enumerate().filter(|(other, _)| *other != number);
    let mut wrong: Vec<String> = others.map(|(_, other)| word(other).to_string()).collect();
    let must = wrong.len();
    wrong.extend(all.iter().map(ToString::to_string));
    let class = all.iter().position(|one| *one == right).unwrap_or_default();
    asker.add(Asked { template, question, class, subject: None }, right.into(), must, wrong);
}

/// What an object may be picked out by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    ComesIn,
    GoesOut,
    ChangesColour,
    Bounces,
    Stops,
    Spins,
    Hides,
    Moves,
    Stands,
    IsPushed,
}

const DEEDS: [(Deed, &str); 9] = [
    (Deed::ComesIn, "comes in"),
    (Deed::GoesOut, "goes out"),
    (Deed::ChangesColour, "changes colour"),
    (Deed::Bounces, "bounces off the edge"),
    (Deed::Stops, "stops"),
    (Deed::Spins, "spins"),
    (Deed::Hides, "hides behind another one"),
    (Deed::Moves, "moves"),
    (Deed::Stands, "does not move"),
];

fn does(scene: &Scene, number: usize, deed: Deed) -> bool {
    let object = &scene.objects[number];
    let happens = |wanted: fn(Happening) -> bool| {
        scene.events.iter().any(|event| event.object == number && wanted(event.happening))
    };
    match deed {
        Deed::ComesIn => happens(|happening| matches!(happening, Happening::Enters { .. })),
        Deed::GoesOut => happens(|happening| matches!(happening, Happening::Leaves { .. })),
        Deed::ChangesColour => !object.recolours.is_empty(),
        Deed::Bounces => happens(|happening| matches!(happening, Happening::Bounces { .. })),
        Deed::Stops => happens(|happening| matches!(happening, Happening::Stops)),
        Deed::Spins => object.spin != 0.0,
        Deed::Hides => happens(|happening| matches!(happening, Happening::Hides { .. })),
        Deed::Moves => object.path.moves() || object.spin != 0.0 || object.growth != 1.0,
        Deed::Stands => !object.path.moves(),
        Deed::IsPushed => happens(|happening| matches!(happening, Happening::Pushed { .. })),
    }
}

fn shape(asker: &mut Asker<'_>, number: usize) {
    let Some(name) = asker.names.by_colour(number).filter(|_| asker.seen(number) >= 3) else { return };
    // One frame is enough for these: few of them.
    if !asker.also(0.2) {
        return;
    }
    let shape = asker.scene.objects[number].look.shape;
    let question = match asker.random.below(2) {
        0 => format!("What shape is {name}?"),
        _ => format!("What is the shape of {name}?"),
    };
    let asked = Asked { template: Template::Shape, question, class: shape as usize, subject: Some(number) };
    asker.add(asked, shape.name().into(), 0, Shape::ALL.map(|shape| shape.name().to_string()).into());
}

/// Mostly of objects that change their colour: only the whole clip tells those.
fn colour(asker: &mut Asker<'_>, number: usize) {
    let Some(name) = asker.names.by_shape(number) else { return };
    let colours: Vec<Colour> = asker.scene.objects[number].colours().collect();
    for &end in asker.either() {
        let Some(state) = asker.at(number, end) else { continue };
        let question = if colours.len() > 1 {
            format!("What colour is {name} at the {}?", if end { "end" } else { "start" })
        } else if asker.also(0.1) {
            format!("What colour is {name}?")
        } else {
            continue;
        };
        // What it is at another time is the best wrong option.
        let mut wrong: Vec<String> = colours
            .iter()
            .filter(|&&colour| colour != state.colour)
            .take(1)
            .map(|colour| colour.name().into())
            .collect();
        let must = wrong.len();
        wrong.extend(Colour::ALL.map(|colour| colour.name().to_string()));
        let class = state.colour as usize;
        let asked = Asked { template: Template::Colour, question, class, subject: Some(number) };
        asker.add(asked, state.colour.name().into(), must, wrong);
    }
}

fn count(asker: &mut Asker<'_>) {
    if asker.numbers().any(|number| asker.seen(number) < 2) {
        return;
    }
    let count = asker.scene.objects.len();
    let middle = asker.scene.states(asker.scene.frames / 2);
    let at_once = middle.iter().filter(|state| state.visible > 0.0).count() == count;
    if at_once && !asker.also(0.2) {
        return;
    }
    let question = match asker.random.below(2) {
        0 => "How many objects are there in all?",
        _ => "How many different objects can be seen in the video?",
    };
    asker.add_of_five(Template::Count, question.into(), count - 1, None, ["1", "2", "3", "4", "5"]);
}

/// Of objects that are elsewhere in the middle of the clip, and seldom of those that stand.
fn place(asker: &mut Asker<'_>, number: usize) {
    let Some(name) = asker.names.any(number) else { return };
    for &end in asker.either() {
        let Some(place) = asker.at(number, end).and_then(|state| Place::of(state.centre)) else { continue };
        let path = &asker.scene.objects[number].path;
        let elsewhere = Place::of(path.at(0.5)) != Some(place) && path.moves();
        if !elsewhere && !asker.everything && (path.moves() || !asker.random.chance(0.12)) {
            continue;
        }
        let question = match (asker.random.below(2), end) {
            (0, true) => format!("Where is {name} at the end?"),
            (0, false) => format!("Where is {name} at the start?"),
            (_, true) => format!("Where does {name} end up?"),
            (_, false) => format!("Where does {name} begin?"),
        };
        let places = Place::ALL.map(Place::name);
        asker.add_of_five(Template::Place, question, place as usize, Some(number), places);
    }
}
