//! When things happen: before, after, while, first, last, how often.

use super::{Builder, COURSES, Draft, Template, course_class};
use crate::geometry::Place;
use crate::object::EventKind;

pub(super) fn ask(builder: &mut Builder<'_>) {
    for index in builder.objects() {
        before_and_after(builder, index);
        when(builder, index);
        how_often(builder, index);
    }
    first_and_last(builder);
}

/// The first and the last of several objects to do the same.
pub(super) fn first_and_last(builder: &mut Builder<'_>) {
    for action in [Action::ComesIn, Action::ChangesColour, Action::StartsToMove] {
        order(builder, action);
    }
}

/// Courses before and after a change of colour, where the course changes at the same time.
fn before_and_after(builder: &mut Builder<'_>, index: usize) {
    let Some(name) = builder.names.by_shape(index).filter(|_| builder.always_seen(index)) else { return };
    let object = &builder.scene.objects[index];
    let [(time, _)] = object.recolours[..] else { return };
    let mut ends = object.trajectory.segments().map(|(_, segment)| segment.until);
    if (ends.next(), ends.next(), ends.next()) != (Some(time), Some(1.0), None) {
        return;
    }
    let (Some(before), Some(after)) =
        (object.trajectory.course(0.5 * time), object.trajectory.course(0.5 + 0.5 * time))
    else {
        return;
    };
    if before == after {
        return;
    }
    let question = format!("Which way does {name} move before it changes colour?");
    builder.add_of_five(Template::Before, question, course_class(before), Some(index), COURSES);
    let question = format!("Which way does {name} move after it changes colour?");
    builder.add_of_five(Template::After, question, course_class(after), Some(index), COURSES);
}

fn when(builder: &mut Builder<'_>, index: usize) {
    /// Half the time between two of eight frames.
    const NEAR: f32 = 0.07;
    let Some(name) = builder.names.by_shape(index).filter(|_| builder.always_seen(index)) else { return };
    let object = &builder.scene.objects[index];
    let [(time, _)] = object.recolours[..] else { return };
    if !object.trajectory.moves() || !(0.15..=0.85).contains(&time) {
        return;
    }
    let Some(place) = Place::of(object.trajectory.at(time)) else { return };
    let is_clear = [time - NEAR, time + NEAR]
        .iter()
        .all(|&near| Place::of(object.trajectory.at(near)).is_none_or(|near| near == place));
    if !is_clear {
        return;
    }
    let question = format!("Where is {name} when it changes colour?");
    builder.add_of_five(Template::When, question, place as usize, Some(index), Place::ALL.map(Place::name));
}

fn how_often(builder: &mut Builder<'_>, index: usize) {
    let Some(name) = builder.names.by_shape(index).filter(|_| builder.always_seen(index)) else { return };
    let times = builder.scene.objects[index].recolours.len();
    if times == 0 && !builder.samples(0.2) {
        return;
    }
    let question = match builder.random.below(2) {
        0 => format!("How often does {name} change colour?"),
        _ => format!("How many times does the colour of {name} change?"),
    };
    let five = ["never", "once", "twice", "three times", "four times"];
    builder.add_of_five(Template::HowOften, question, times, Some(index), five);
}

/// What several objects may do one after the other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    ComesIn,
    ChangesColour,
    StartsToMove,
}

impl Action {
    fn is(self, kind: EventKind) -> bool {
        match self {
            Action::ComesIn => matches!(kind, EventKind::Enters { .. }),
            Action::ChangesColour => matches!(kind, EventKind::Recolours { .. }),
            Action::StartsToMove => matches!(kind, EventKind::Starts | EventKind::Pushed { .. }),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Action::ComesIn => "comes in",
            Action::ChangesColour => "changes colour",
            Action::StartsToMove => "starts to move",
        }
    }
}

/// Which of at least three objects is the first and which the last, if the next one is more than the time between two of eight
/// frames apart.
fn order(builder: &mut Builder<'_>, action: Action) {
    const APART: f32 = 0.22;
    let scene = builder.scene;
    let actors: Vec<(f32, usize)> = scene
        .events
        .iter()
        .filter(|event| action.is(event.kind))
        .map(|event| (event.time, event.object))
        .collect();
    let count = actors.len();
    if count < 3 {
        return;
    }
    let times = |index: usize| {
        scene.events.iter().filter(|event| event.object == index && action.is(event.kind)).count()
    };
    // An object that does it twice could be first and last; one that moves from the start has not started to move.
    let unclear = builder.objects().any(|index| {
        times(index) > 1
            || (action == Action::StartsToMove
                && times(index) == 0
                && scene.objects[index].trajectory.moves())
    });
    if unclear {
        return;
    }
    for (template, word, clear, index) in [
        (Template::First, "first", actors[1].0 - actors[0].0 >= APART, actors[0].1),
        (Template::Last, "last", actors[count - 1].0 - actors[count - 2].0 >= APART, actors[count - 1].1),
    ] {
        let by_shape = action == Action::ChangesColour;
        let name = if by_shape { builder.names.by_shape(index) } else { builder.names.full(index) };
        let Some(name) = name.filter(|_| clear && builder.seen(index) >= 1) else { continue };
        let wrong =
            if by_shape { builder.names.wrong_shapes(&[index]) } else { builder.names.wrong(&[index]) };
        let question = format!("Which object {} {word}?", action.words());
        let class = scene.objects[index].appearance.shape as usize;
        let draft = Draft { template, question, class, subject: None };
        // Objects of the scene are wrong options before absent ones.
        builder.add(draft, name, scene.objects.len() - 1, wrong);
    }
}
