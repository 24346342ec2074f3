//! Why and how: changes of direction, and how objects get out of sight.

use super::{Builder, Draft, SEEN, Template};
use crate::geometry::{Side, distance};
use crate::object::EventKind;

/// The answer class of [`Template::Why`] for a bump into an object: three of the five options are of this class.
pub(super) const BY_AN_OBJECT: usize = 2;

pub(super) fn ask(builder: &mut Builder<'_>) {
    for event in 0..builder.scene.events.len() {
        why(builder, event);
        out_of_sight(builder, event);
    }
}

fn why(builder: &mut Builder<'_>, event: usize) {
    /// What is nearer than this, in sides of the picture, could be the reason, too.
    const NEAR: f32 = 0.06;
    let scene = builder.scene;
    let event = scene.events[event];
    let index = event.object;
    let Some(name) = builder.names.full(index).filter(|_| builder.always_seen(index)) else { return };
    let (class, partner) = match event.kind {
        EventKind::Bounces { .. } => (0, None),
        EventKind::Turns => (1, None),
        EventKind::Collides { with } => (BY_AN_OBJECT, Some(with)),
        _ => return,
    };
    let centre = |index: usize| scene.objects[index].trajectory.at(event.time);
    let radius = |index: usize| scene.objects[index].radius_at(event.time);
    let near_another = builder.objects().any(|other| {
        other != index
            && Some(other) != partner
            && distance(centre(index), centre(other)) < radius(index) + radius(other) + NEAR
    });
    let at_the_edge =
        centre(index).iter().any(|&coordinate| (coordinate - 0.5).abs() > 0.5 - radius(index) - NEAR);
    if near_another || (class != 0 && at_the_edge) {
        return;
    }
    let question = match builder.random.below(2) {
        0 => format!("Why does {name} change its direction?"),
        _ => format!("Why does {name} not go straight on?"),
    };
    let bump = |name: String| format!("it bumps into {name}");
    let mut reasons = vec!["it bounces off the edge".to_string(), "it turns by itself".to_string()];
    let Some(right) = (match partner {
        Some(partner) => builder.names.full(partner).map(bump),
        None => Some(reasons.swap_remove(class)),
    }) else {
        return;
    };
    // Objects of the scene before absent ones, as many as make three with the right one.
    let mut others = builder.names.wrong(&[index, partner.unwrap_or(index)]);
    let present = scene.objects.len() - 1 - usize::from(partner.is_some());
    let needed = 4 - reasons.len();
    builder.random.shuffle(&mut others[..present]);
    others.truncate(needed);
    reasons.extend(others.into_iter().map(bump));
    let draft = Draft { template: Template::Why, question, class, subject: Some(index) };
    builder.add(draft, right, 4, reasons);
}

fn out_of_sight(builder: &mut Builder<'_>, event: usize) {
    let event = builder.scene.events[event];
    let index = event.object;
    let class = match event.kind {
        EventKind::Leaves { side } => side as usize,
        EventKind::Hides { .. } => 4,
        _ => return,
    };
    let gone = builder.samples.last().is_some_and(|states| states[index].visible <= 0.0);
    let there = builder.samples.iter().take(4).all(|states| states[index].visible >= SEEN);
    let Some(name) = builder.names.full(index).filter(|_| gone && there) else { return };
    let options = ["at the left", "at the right", "at the top", "at the bottom", "behind another object"];
    debug_assert_eq!(Side::ALL.map(|side| side as usize), [0, 1, 2, 3]);
    let question = match builder.random.below(2) {
        0 => format!("How does {name} get out of sight?"),
        _ => format!("Where does {name} disappear?"),
    };
    builder.add_of_five(Template::OutOfSight, question, class, Some(index), options);
}
