//! How things move: which way, how fast, relative to what, how many, doing what.

use super::{Asked, Asker, COURSES, Template, course_class};
use crate::geometry::apart;
use crate::object::{Happening, Relation};
use crate::path::{Motion, Pace, Path};

pub(super) fn ask(asker: &mut Asker<'_>) {
    for number in asker.numbers() {
        direction(asker, number);
        pace(asker, number);
        act(asker, number);
    }
    relation(asker);
    movers(asker);
}

/// Shorter ways are not asked about, in pictures' sides.
const SHORTEST: f32 = 0.13;

fn direction(asker: &mut Asker<'_>, number: usize) {
    let Some(name) = asker.names.full(number).filter(|_| asker.seen(number) >= 3) else { return };
    let path = &asker.scene.objects[number].path;
    let course = path.direction().filter(|_| apart(path.at(0.0), path.at(1.0)) >= SHORTEST);
    if path.moves() != course.is_some() || (!path.moves() && !asker.also(0.5)) {
        return;
    }
    let question = match asker.random.below(2) {
        0 => format!("Which way does {name} move?"),
        _ => format!("In which direction does {name} go?"),
    };
    asker.add_of_five(Template::Direction, question, course_class(course), Some(number), COURSES);
}

/// The options for a pace.
pub(crate) const PACES: [&str; 5] =
    ["fast", "slowly", "faster and faster", "slower and slower", "it does not move"];

/// The place in [`PACES`] of a path with a single leg; `None` for others, and for what is neither fast nor slow.
pub(crate) fn pace_class(path: &Path) -> Option<usize> {
    /// Ways of a whole clip, in pictures' sides.
    const FAST: f32 = 0.5;
    const SLOW: f32 = 0.205;
    let mut legs = path.legs().map(|(_, leg)| leg);
    match (legs.next().map(|leg| (leg.from, leg.motion)), legs.next()) {
        (Some((_, Motion::Rest)), None) => Some(4),
        (Some((_, Motion::Line { pace: Pace::Quickening, .. })), None) => Some(2),
        (Some((_, Motion::Line { pace: Pace::Slowing, .. })), None) => Some(3),
        (Some((from, Motion::Line { to, .. })), None) if apart(from, to) >= FAST => Some(0),
        (Some((from, Motion::Line { to, .. })), None) if apart(from, to) <= SLOW => Some(1),
        _ => None,
    }
}

fn pace(asker: &mut Asker<'_>, number: usize) {
    let Some(name) = asker.names.full(number).filter(|_| asker.always_seen(number)) else { return };
    let Some(class) = pace_class(&asker.scene.objects[number].path) else { return };
    if class == 4 && !asker.also(0.5) {
        return;
    }
    let question = match asker.random.below(2) {
        0 => format!("How fast does {name} move?"),
        _ => format!("At what speed does {name} move?"),
    };
    asker.add_of_five(Template::Pace, question, class, Some(number), PACES);
}

fn relation(asker: &mut Asker<'_>) {
    let options = Relation::ALL.map(|relation| match relation {
        Relation::Towards => "towards it",
        Relation::Away => "away from it",
        Relation::Around => "around it",
        Relation::Along => "side by side with it",
        Relation::Still => "neither of them moves",
    });
    for related in &asker.scene.related {
        let names = (asker.names.full(related.object), asker.names.full(related.to));
        let (Some(name), Some(other)) = names else { continue };
        if !asker.always_seen(related.object) || !asker.always_seen(related.to) {
            continue;
        }
        let question = format!("How does {name} move relative to {other}?");
        asker.add_of_five(
            Template::Relation,
            question,
            related.relation as usize,
            Some(related.object),
            options,
        );
    }
}

/// Not where something spins or changes its size: whether that is moving is a matter of opinion.
fn movers(asker: &mut Asker<'_>) {
    let objects = &asker.scene.objects;
    if objects.iter().any(|object| object.spin != 0.0 || object.growth != 1.0) {
        return;
    }
    if asker.numbers().any(|number| asker.seen(number) < 2) {
        return;
    }
    let count = objects.iter().filter(|object| object.path.moves()).count();
    let question = match asker.random.below(2) {
        0 => "How many objects move?",
        _ => "How many of the objects are moving at some time?",
    };
    asker.add_of_five(Template::Movers, question.into(), count, None, ["0", "1", "2", "3", "4"]);
}

const ACTS: [&str; 10] = [
    "it comes in",
    "it goes out",
    "it changes colour",
    "it bounces off the edge",
    "it stops",
    "it spins",
    "it gets bigger",
    "it gets smaller",
    "it bumps into another object",
    "it hides behind another object",
];
const SPINS: usize = 5;

/// The place in [`ACTS`], if it is an act. `Err` for what would make any answer doubtful.
fn act_of(happening: Happening) -> Result<Option<usize>, ()> {
    match happening {
        Happening::Enters { .. } => Ok(Some(0)),
        Happening::Leaves { .. } => Ok(Some(1)),
        Happening::Recolours { .. } => Ok(Some(2)),
        Happening::Bounces { .. } => Ok(Some(3)),
        Happening::Stops => Ok(Some(4)),
        Happening::Spins => Ok(Some(SPINS)),
        Happening::Grows => Ok(Some(6)),
        Happening::Shrinks => Ok(Some(7)),
        Happening::Collides { .. } => Ok(Some(8)),
        Happening::Hides { .. } => Ok(Some(9)),
        Happening::Starts | Happening::Turns => Ok(None),
        Happening::Pushed { .. } | Happening::PassesBehind { .. } => Err(()),
    }
}

/// Called by its shape only: a colour in its name would tell that it keeps it.
fn act(asker: &mut Asker<'_>, number: usize) {
    let Some(name) = asker.names.by_shape(number).filter(|_| asker.seen(number) >= 3) else { return };
    let own = asker.scene.events.iter().filter(|event| event.object == number);
    let Ok(acts) = own.map(|event| act_of(event.happening)).collect::<Result<Vec<_>, ()>>() else { return };
    let mut acts: Vec<usize> = acts.into_iter().flatten().collect();
    acts.dedup();
    let [class] = acts[..] else { return };
    let turnable = asker.scene.objects[number].look.shape.shows_turning();
    if class == SPINS && !turnable {
        return;
    }
    let question = match asker.random.below(2) {
        0 => format!("What does {name} do?"),
        _ => format!("What happens to {name}?"),
    };
    let wrong = ACTS.iter().enumerate().filter(|(act, _)| turnable || *act != SPINS);
    let wrong = wrong.map(|(_, act)| (*act).to_string()).collect();
    let asked = Asked { template: Template::Act, question, class, subject: Some(number) };
    asker.add(asked, ACTS[class].into(), 0, wrong);
}
