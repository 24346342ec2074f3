//! How things move: which way, how fast, relative to what, how many, doing what.

use super::{Builder, COURSES, Draft, Template, course_class};
use crate::geometry::distance;
use crate::object::{EventKind, Relation};
use crate::trajectory::{Motion, Pace, Trajectory};

pub(super) fn ask(builder: &mut Builder<'_>) {
    for index in builder.objects() {
        direction(builder, index);
        pace(builder, index);
        act(builder, index);
    }
    relation(builder);
    movers(builder);
}

/// The direction of shorter displacements, in sides of the picture, is not asked for.
const SHORTEST: f32 = 0.13;

fn direction(builder: &mut Builder<'_>, index: usize) {
    let Some(name) = builder.names.full(index).filter(|_| builder.seen(index) >= 3) else { return };
    let path = &builder.scene.objects[index].trajectory;
    let course = path.direction().filter(|_| distance(path.at(0.0), path.at(1.0)) >= SHORTEST);
    if path.moves() != course.is_some() || (!path.moves() && !builder.samples(0.5)) {
        return;
    }
    let question = match builder.random.below(2) {
        0 => format!("Which way does {name} move?"),
        _ => format!("In which direction does {name} go?"),
    };
    builder.add_of_five(Template::Direction, question, course_class(course), Some(index), COURSES);
}

/// The options for a pace.
pub(crate) const PACES: [&str; 5] =
    ["fast", "slowly", "faster and faster", "slower and slower", "it does not move"];

/// The index in [`PACES`] of a trajectory with a single segment; `None` for others, and for what is neither fast nor slow.
pub(crate) fn pace_class(path: &Trajectory) -> Option<usize> {
    /// Displacements over a whole clip, in sides of the picture.
    const FAST: f32 = 0.5;
    const SLOW: f32 = 0.205;
    let mut legs = path.segments().map(|(_, leg)| leg);
    match (legs.next().map(|leg| (leg.from, leg.motion)), legs.next()) {
        (Some((_, Motion::Rest)), None) => Some(4),
        (Some((_, Motion::Line { pace: Pace::Quickening, .. })), None) => Some(2),
        (Some((_, Motion::Line { pace: Pace::Slowing, .. })), None) => Some(3),
        (Some((from, Motion::Line { to, .. })), None) if distance(from, to) >= FAST => Some(0),
        (Some((from, Motion::Line { to, .. })), None) if distance(from, to) <= SLOW => Some(1),
        _ => None,
    }
}

fn pace(builder: &mut Builder<'_>, index: usize) {
    let Some(name) = builder.names.full(index).filter(|_| builder.always_seen(index)) else { return };
    let Some(class) = pace_class(&builder.scene.objects[index].trajectory) else { return };
    if class == 4 && !builder.samples(0.5) {
        return;
    }
    let question = match builder.random.below(2) {
        0 => format!("How fast does {name} move?"),
        _ => format!("At what speed does {name} move?"),
    };
    builder.add_of_five(Template::Pace, question, class, Some(index), PACES);
}

fn relation(builder: &mut Builder<'_>) {
    let options = Relation::ALL.map(|relation| match relation {
        Relation::Towards => "towards it",
        Relation::Away => "away from it",
        Relation::Around => "around it",
        Relation::Along => "side by side with it",
        Relation::Still => "neither of them moves",
    });
    for related in &builder.scene.related {
        let names = (builder.names.full(related.object), builder.names.full(related.to));
        let (Some(name), Some(other)) = names else { continue };
        if !builder.always_seen(related.object) || !builder.always_seen(related.to) {
            continue;
        }
        let question = format!("How does {name} move relative to {other}?");
        builder.add_of_five(
            Template::Relation,
            question,
            related.relation as usize,
            Some(related.object),
            options,
        );
    }
}

/// Not where something spins or changes its size: whether that is motion is a matter of opinion.
fn movers(builder: &mut Builder<'_>) {
    let objects = &builder.scene.objects;
    if objects.iter().any(|object| object.spin != 0.0 || object.growth != 1.0) {
        return;
    }
    if builder.objects().any(|index| builder.seen(index) < 2) {
        return;
    }
    let count = objects.iter().filter(|object| object.trajectory.moves()).count();
    let question = match builder.random.below(2) {
        0 => "How many objects move?",
        _ => "How many of the objects are moving at some time?",
    };
    builder.add_of_five(Template::Movers, question.into(), count, None, ["0", "1", "2", "3", "4"]);
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

/// The index in [`ACTS`], if an event is an act. `Err` for events that make any answer unclear.
fn act_of(kind: EventKind) -> Result<Option<usize>, ()> {
    match kind {
        EventKind::Enters { .. } => Ok(Some(0)),
        EventKind::Leaves { .. } => Ok(Some(1)),
        EventKind::Recolours { .. } => Ok(Some(2)),
        EventKind::Bounces { .. } => Ok(Some(3)),
        EventKind::Stops => Ok(Some(4)),
        EventKind::Spins => Ok(Some(SPINS)),
        EventKind::Grows => Ok(Some(6)),
        EventKind::Shrinks => Ok(Some(7)),
        EventKind::Collides { .. } => Ok(Some(8)),
        EventKind::Hides { .. } => Ok(Some(9)),
        EventKind::Starts | EventKind::Turns => Ok(None),
        EventKind::Pushed { .. } | EventKind::PassesBehind { .. } => Err(()),
    }
}

/// Named by its shape alone: a colour in its name would tell that it does not change.
fn act(builder: &mut Builder<'_>, index: usize) {
    let Some(name) = builder.names.by_shape(index).filter(|_| builder.seen(index) >= 3) else { return };
    let own = builder.scene.events.iter().filter(|event| event.object == index);
    let Ok(acts) = own.map(|event| act_of(event.kind)).collect::<Result<Vec<_>, ()>>() else { return };
    let mut acts: Vec<usize> = acts.into_iter().flatten().collect();
    acts.dedup();
    let [class] = acts[..] else { return };
    let can_spin = builder.scene.objects[index].appearance.shape.shows_turning();
    if class == SPINS && !can_spin {
        return;
    }
    let question = match builder.random.below(2) {
        0 => format!("What does {name} do?"),
        _ => format!("What happens to {name}?"),
    };
    let wrong = ACTS.iter().enumerate().filter(|(act, _)| can_spin || *act != SPINS);
    let wrong = wrong.map(|(_, act)| (*act).to_string()).collect();
    let draft = Draft { template: Template::Act, question, class, subject: Some(index) };
    builder.add(draft, ACTS[class].into(), 0, wrong);
}
