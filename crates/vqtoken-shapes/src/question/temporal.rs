//! When things happen: before, after, while, first, last, how often.

use super::{Asked, Asker, COURSES, Template, course_class};
use crate::geometry::Place;
use crate::object::Happening;

pub(super) fn ask(asker: &mut Asker<'_>) {
    for number in asker.numbers() {
        before_and_after(asker, number);
        when(asker, number);
        how_often(asker, number);
    }
    first_and_last(asker);
}

/// Of what several objects do one after the other.
pub(super) fn first_and_last(asker: &mut Asker<'_>) {
    for doing in [Doing::ComesIn, Doing::ChangesColour, Doing::StartsToMove] {
        order(asker, doing);
    }
}

/// Around a change of colour at which the course changes, too.
fn before_and_after(asker: &mut Asker<'_>, number: usize) {
    let Some(name) = asker.names.by_shape(number).filter(|_| asker.always_seen(number)) else { return };
    let object = &asker.scene.objects[number];
    let [(time, _)] = object.recolours[..] else { return };
    let mut legs = object.path.legs().map(|(_, leg)| leg.until);
    if (legs.next(), legs.next(), legs.next()) != (Some(time), Some(1.0), None) {
        return;
    }
    let (Some(before), Some(after)) = (object.path.course(0.5 * time), object.path.course(0.5 + 0.5 * time))
    else {
        return;
    };
    if before == after {
        return;
    }
    let question = format!("Which way does {name} move before it changes colour?");
    asker.add_of_five(Template::Before, question, course_class(before), Some(number), COURSES);
    let question = format!("Which way does {name} move after it changes colour?");
    asker.add_of_five(Template::After, question, course_class(after), Some(number), COURSES);
}

fn when(asker: &mut Asker<'_>, number: usize) {
    /// Half a step between eight frames.
    const NEAR: f32 = 0.07;
    let Some(name) = asker.names.by_shape(number).filter(|_| asker.always_seen(number)) else { return };
    let object = &asker.scene.objects[number];
    let [(time, _)] = object.recolours[..] else { return };
    if !object.path.moves() || !(0.15..=0.85).contains(&time) {
        return;
    }
    let Some(place) = Place::of(object.path.at(time)) else { return };
    let clear = [time - NEAR, time + NEAR]
        .iter()
        .all(|&near| Place::of(object.path.at(near)).is_none_or(|near| near == place));
    if !clear {
        return;
    }
    let question = format!("Where is {name} when it changes colour?");
    asker.add_of_five(Template::When, question, place as usize, Some(number), Place::ALL.map(Place::name));
}

fn how_often(asker: &mut Asker<'_>, number: usize) {
    let Some(name) = asker.names.by_shape(number).filter(|_| asker.always_seen(number)) else { return };
    let times = asker.scene.objects[number].recolours.len();
    if times == 0 && !asker.also(0.2) {
        return;
    }
    let question = match asker.random.below(2) {
        0 => format!("How often does {name} change colour?"),
        _ => format!("How many times does the colour of {name} change?"),
    };
    let five = ["never", "once", "twice", "three times", "four times"];
    asker.add_of_five(Template::HowOften, question, times, Some(number), five);
}

/// What several objects may do one after the other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    ComesIn,
    ChangesColour,
    StartsToMove,
}

impl Doing {
    fn is(self, happening: Happening) -> bool {
        match self {
            Doing::ComesIn => matches!(happening, Happening::Enters { .. }),
            Doing::ChangesColour => matches!(happening, Happening::Recolours { .. }),
            Doing::StartsToMove => matches!(happening, Happening::Starts | Happening::Pushed { .. }),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Doing::ComesIn => "comes in",
            Doing::ChangesColour => "changes colour",
            Doing::StartsToMove => "starts to move",
        }
    }
}

/// Which of at least three is the first and which the last, more than one step between eight frames apart.
fn order(asker: &mut Asker<'_>, doing: Doing) {
    const APART: f32 = 0.22;
    let scene = asker.scene;
    let doers: Vec<(f32, usize)> = scene
        .events
        .iter()
        .filter(|event| doing.is(event.happening))
        .map(|event| (event.time, event.object))
        .collect();
    let count = doers.len();
    if count < 3 {
        return;
    }
    let times = |number: usize| {
        scene.events.iter().filter(|event| event.object == number && doing.is(event.happening)).count()
    };
    // Who does it twice is first and last at once; who moves from the start on has not started to.
    let doubtful = asker.numbers().any(|number| {
        times(number) > 1
            || (doing == Doing::StartsToMove && times(number) == 0 && scene.objects[number].path.moves())
    });
    if doubtful {
        return;
    }
    for (template, word, clear, number) in [
        (Template::First, "first", doers[1].0 - doers[0].0 >= APART, doers[0].1),
        (Template::Last, "last", doers[count - 1].0 - doers[count - 2].0 >= APART, doers[count - 1].1),
    ] {
        let by_shape = doing == Doing::ChangesColour;
        let name = if by_shape { asker.names.by_shape(number) } else { asker.names.full(number) };
        let Some(name) = name.filter(|_| clear && asker.seen(number) >= 1) else { continue };
        let wrong = if by_shape { asker.names.wrong_shapes(&[number]) } else { asker.names.wrong(&[number]) };
        let question = format!("Which object {} {word}?", doing.words());
        let class = scene.objects[number].look.shape as usize;
        let asked = Asked { template, question, class, subject: None };
        // All that are in the scene are wrong options before any that are not.
        asker.add(asked, name, scene.objects.len() - 1, wrong);
    }
}
