//! What there is: shape, colour, number, place.

use super::{Asked, Asker, Template};
use crate::geometry::Place;
use crate::look::{Colour, Shape};

pub(super) fn ask(asker: &mut Asker<'_>) {
    for number in asker.numbers() {
        shape(asker, number);
        colour(asker, number);
        place(asker, number);
    }
    count(asker);
}

fn shape(asker: &mut Asker<'_>, number: usize) {
    let Some(name) = asker.names.by_colour(number).filter(|_| asker.seen(number) >= 3) else { return };
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
    let end = asker.random.chance(0.5);
    let Some(state) = asker.at(number, end) else { return };
    let question = if colours.len() > 1 {
        format!("What colour is {name} at the {}?", if end { "end" } else { "start" })
    } else if asker.random.chance(0.25) {
        format!("What colour is {name}?")
    } else {
        return;
    };
    // What it is at another time is the best wrong option.
    let mut wrong: Vec<String> =
        colours.iter().filter(|&&colour| colour != state.colour).take(1).map(|colour| colour.name().into()).collect();
    let must = wrong.len();
    wrong.extend(Colour::ALL.map(|colour| colour.name().to_string()));
    let class = state.colour as usize;
    let asked = Asked { template: Template::Colour, question, class, subject: Some(number) };
    asker.add(asked, state.colour.name().into(), must, wrong);
}

fn count(asker: &mut Asker<'_>) {
    if asker.numbers().any(|number| asker.seen(number) < 2) {
        return;
    }
    let count = asker.scene.objects.len();
    let question = match asker.random.below(2) {
        0 => "How many objects are there in all?",
        _ => "How many different objects can be seen in the video?",
    };
    asker.add_of_five(Template::Count, question.into(), count - 1, None, ["1", "2", "3", "4", "5"]);
}

/// Of objects that are elsewhere in the middle of the clip, and seldom of those that stand.
fn place(asker: &mut Asker<'_>, number: usize) {
    let Some(name) = asker.names.any(number) else { return };
    let end = asker.random.chance(0.5);
    let Some(place) = asker.at(number, end).and_then(|state| Place::of(state.centre)) else { return };
    let path = &asker.scene.objects[number].path;
    let elsewhere = Place::of(path.at(0.5)) != Some(place) && path.moves();
    if !elsewhere && (path.moves() || !asker.random.chance(0.12)) {
        return;
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
