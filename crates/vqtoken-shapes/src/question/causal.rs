//! Why and how: changes of course, and ways out of sight.

use super::{Asked, Asker, SEEN, Template};
use crate::geometry::{Side, apart};
use crate::object::Happening;

/// Answer class of [`Template::Why`]: three of the five options are of this class.
pub(super) const BY_AN_OBJECT: usize = 2;

pub(super) fn ask(asker: &mut Asker<'_>) {
    for event in 0..asker.scene.events.len() {
        why(asker, event);
        out_of_sight(asker, event);
    }
}

fn why(asker: &mut Asker<'_>, event: usize) {
    /// Nothing else may be so near that it could be the reason, in pictures' sides.
    const NEAR: f32 = 0.06;
    let scene = asker.scene;
    let event = scene.events[event];
    let number = event.object;
    let Some(name) = asker.names.full(number).filter(|_| asker.always_seen(number)) else { return };
    let (class, partner) = match event.happening {
        Happening::Bounces { .. } => (0, None),
        Happening::Turns => (1, None),
        Happening::Collides { with } => (BY_AN_OBJECT, Some(with)),
        _ => return,
    };
    let place = |number: usize| scene.objects[number].path.at(event.time);
    let radius = |number: usize| scene.objects[number].radius_at(event.time);
    let beside = asker.numbers().any(|other| {
        other != number
            && Some(other) != partner
            && apart(place(number), place(other)) < radius(number) + radius(other) + NEAR
    });
    let at_the_edge =
        place(number).iter().any(|&coordinate| (coordinate - 0.5).abs() > 0.5 - radius(number) - NEAR);
    if beside || (class != 0 && at_the_edge) {
        return;
    }
    let question = match asker.random.below(2) {
        0 => format!("Why does {name} change its direction?"),
        _ => format!("Why does {name} not go straight on?"),
    };
    let bump = |name: String| format!("it bumps into {name}");
    let mut reasons = vec!["it bounces off the edge".to_string(), "it turns by itself".to_string()];
    let Some(right) = (match partner {
        Some(partner) => asker.names.full(partner).map(bump),
        None => Some(reasons.swap_remove(class)),
    }) else {
        return;
    };
    // Objects of the scene before absent ones, as many as are needed for three with the right one.
    let mut others = asker.names.wrong(&[number, partner.unwrap_or(number)]);
    let present = scene.objects.len() - 1 - usize::from(partner.is_some());
    let needed = 4 - reasons.len();
    asker.random.shuffle(&mut others[..present]);
    others.truncate(needed);
    reasons.extend(others.into_iter().map(bump));
    let asked = Asked { template: Template::Why, question, class, subject: Some(number) };
    asker.add(asked, right, 4, reasons);
}

fn out_of_sight(asker: &mut Asker<'_>, event: usize) {
    let event = asker.scene.events[event];
    let number = event.object;
    let class = match event.happening {
        Happening::Leaves { side } => side as usize,
        Happening::Hides { .. } => 4,
        _ => return,
    };
    let gone = asker.samples.last().is_some_and(|states| states[number].visible <= 0.0);
    let there = asker.samples.iter().take(4).all(|states| states[number].visible >= SEEN);
    let Some(name) = asker.names.full(number).filter(|_| gone && there) else { return };
    let options = ["at the left", "at the right", "at the top", "at the bottom", "behind another object"];
    debug_assert_eq!(Side::ALL.map(|side| side as usize), [0, 1, 2, 3]);
    let question = match asker.random.below(2) {
        0 => format!("How does {name} get out of sight?"),
        _ => format!("Where does {name} disappear?"),
    };
    asker.add_of_five(Template::OutOfSight, question, class, Some(number), options);
}
