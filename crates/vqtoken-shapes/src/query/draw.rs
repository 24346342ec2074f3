//! Queries that are true of a scene.

use super::happenings::Script;
use super::{Action, Deed, Description, Query, QueryKind, Region, Speed, Wanted};
use crate::Scene;
use crate::geometry::position_name;
use crate::object::EventKind;
use crate::random::Random;
use crate::trajectory::Motion;

/// Queries of each kind that are drawn of one scene at most.
const MOST_OF_A_KIND: usize = 12;

/// Queries that are true of a scene, of all kinds that it allows, in random order: about every object, what it does, and what is done
/// one after the other. Some name objects by half of what they are, and leave out where and to where.
pub fn queries_of(scene: &Scene, seed: u64) -> Vec<Query> {
    let mut random = Random::derived(seed, 12);
    let mut deeds: Vec<Deed> = (0..scene.objects.len())
        .flat_map(|object| {
            let actions = actions_of(scene, object, &mut random);
            let subjects: Vec<Description> =
                actions.iter().map(|_| described(scene, object, &mut random)).collect();
            actions.into_iter().zip(subjects).map(|(action, subject)| Deed { subject, action })
        })
        .collect();
    random.shuffle(&mut deeds);
    let mut wanted: Vec<Wanted> = (0..scene.objects.len())
        .flat_map(|object| {
            let wanted = [(); 2].map(|()| described(scene, object, &mut random));
            let own = &scene.objects[object];
            let later = own.recolours.iter().map(move |&(_, colour)| Description {
                colour: Some(colour),
                shape: Some(own.appearance.shape),
            });
            wanted.into_iter().chain(later).map(Wanted::Object)
        })
        .collect();
    let timed: Vec<Deed> = deeds.iter().copied().filter(|deed| happens(deed.action)).collect();
    let pairs = timed.iter().enumerate().flat_map(|(index, &first)| {
        let others = timed.iter().enumerate().filter(move |(other, _)| *other != index);
        others.map(move |(_, &then)| Wanted::Order { first, then })
    });
    let mut pairs: Vec<Wanted> = pairs.collect();
    random.shuffle(&mut pairs);
    random.shuffle(&mut wanted);
    wanted.extend(deeds.into_iter().map(Wanted::Deed));
    wanted.extend(pairs);
    let script = Script::of(scene);
    let mut counts = [0; QueryKind::ALL.len()];
    let mut queries: Vec<Query> = Vec::new();
    for wanted in wanted {
        let query = Query { wanted, phrasing: random.next() };
        let count = &mut counts[query.kind() as usize];
        let is_new = queries.iter().all(|known| known.wanted != wanted);
        if *count < MOST_OF_A_KIND && is_new && !query.intervals_by(&script).is_empty() {
            *count += 1;
            queries.push(query);
        }
    }
    random.shuffle(&mut queries);
    queries
}

/// Whether an action happens at some time, and not throughout.
fn happens(action: Action) -> bool {
    !matches!(
        action,
        Action::Rests
            | Action::Spins
            | Action::Grows
            | Action::Shrinks
            | Action::Begins { .. }
            | Action::Ends { .. }
            | Action::MovesTowards { .. }
            | Action::MovesAwayFrom { .. }
            | Action::MovesAround { .. }
    )
}

/// How somebody may describe an object: mostly by colour and shape, else by one of them.
fn described(scene: &Scene, object: usize, random: &mut Random) -> Description {
    let own = &scene.objects[object];
    let colours: Vec<_> = own.colours().collect();
    let colour = if random.chance(0.6) { own.appearance.colour } else { random.pick(&colours) };
    let shape = own.appearance.shape;
    match random.below(10) {
        0 => Description { colour: None, shape: Some(shape) },
        1 => Description { colour: Some(colour), shape: None },
        _ => Description { colour: Some(colour), shape: Some(shape) },
    }
}

/// What an object may be said to do; not all of it is true while it has the colour that it is described by.
fn actions_of(scene: &Scene, object: usize, random: &mut Random) -> Vec<Action> {
    let own = &scene.objects[object];
    let mut actions = Vec::new();
    let mut moved = false;
    for (from, segment) in own.trajectory.segments() {
        let Motion::Line { to, pace: _ } = segment.motion else {
            if matches!(segment.motion, Motion::Arc { .. }) {
                moved = true;
            } else if from > 0.0 {
                actions.push(Action::Stops);
            }
            continue;
        };
        if !moved && from > 0.0 {
            actions.push(Action::Starts);
        }
        moved = true;
        let way = [to[0] - segment.from[0], to[1] - segment.from[1]];
        let direction = crate::geometry::Direction::of(way);
        actions.push(Action::Moves { direction, speed: None });
        let speed = Some(random.pick(&Speed::ALL));
        actions.push(Action::Moves { direction, speed });
        let all = Speed::ALL.map(|speed| Action::Moves {
            direction: direction.filter(|_| random.chance(0.5)),
            speed: Some(speed),
        });
        actions.extend(all);
    }
    if moved && random.chance(0.3) {
        actions.push(Action::Moves { direction: None, speed: None });
    }
    if !moved {
        actions.push(Action::Rests);
    }
    for event in scene.events.iter().filter(|event| event.object == object) {
        actions.extend(action_of(scene, event.kind, random));
    }
    for other in (0..scene.objects.len()).filter(|&other| other != object) {
        let other = described(scene, other, random);
        actions.extend([
            Action::MovesTowards { other },
            Action::MovesAwayFrom { other },
            Action::MovesAround { other },
        ]);
    }
    let region = |time: f32| {
        let name = position_name(own.trajectory.at(time));
        Region::ALL.into_iter().find(|region| region.name() == name)
    };
    actions.extend(region(0.0).map(|region| Action::Begins { region }));
    actions.extend(region(1.0).map(|region| Action::Ends { region }));
    actions
}

fn action_of(scene: &Scene, kind: EventKind, random: &mut Random) -> Option<Action> {
    const NAMED: f32 = 0.75;
    let named = random.chance(NAMED);
    Some(match kind {
        EventKind::Enters { side } => Action::ComesIn { side: Some(side).filter(|_| named) },
        EventKind::Leaves { side } => Action::GoesOut { side: Some(side).filter(|_| named) },
        EventKind::Bounces { side } => Action::Bounces { side: Some(side).filter(|_| named) },
        EventKind::Collides { with } => Action::BumpsInto { other: described(scene, with, random) },
        EventKind::Pushed { by } => Action::IsHitBy { other: described(scene, by, random) },
        EventKind::Hides { behind } => Action::HidesBehind { other: described(scene, behind, random) },
        EventKind::PassesBehind { object } => {
            Action::PassesBehind { other: described(scene, object, random) }
        }
        EventKind::Turns => Action::Turns,
        EventKind::Recolours { to } => Action::ChangesColour { to: Some(to).filter(|_| named) },
        EventKind::Spins => Action::Spins,
        EventKind::Grows => Action::Grows,
        EventKind::Shrinks => Action::Shrinks,
        EventKind::Starts | EventKind::Stops => return None,
    })
}
