//! The same query with one word changed.

use super::{Action, Deed, Description, Query, Region, Speed, Wanted};
use crate::appearance::{Colour, Shape};
use crate::geometry::{Direction, Side};
use crate::random::Random;

/// One query for each word that can be changed, in random order.
pub(super) fn changed(query: &Query, seed: u64) -> Vec<Query> {
    let mut random = Random::derived(seed, 13);
    let mut all: Vec<Wanted> = match query.wanted {
        Wanted::Object(object) => objects(object, &mut random).into_iter().map(Wanted::Object).collect(),
        Wanted::Deed(deed) => deeds(deed, &mut random).into_iter().map(Wanted::Deed).collect(),
        Wanted::Order { first, then } => {
            let firsts = deeds(first, &mut random).into_iter().map(|first| Wanted::Order { first, then });
            let thens = deeds(then, &mut random).into_iter().map(|then| Wanted::Order { first, then });
            let swapped = Wanted::Order { first: then, then: first };
            firsts.chain(thens).chain([swapped]).collect()
        }
    };
    all.retain(|wanted| *wanted != query.wanted);
    random.shuffle(&mut all);
    all.into_iter().map(|wanted| Query { wanted, phrasing: query.phrasing }).collect()
}

/// Another one of several.
fn another<T: Copy + PartialEq>(all: &[T], than: T, random: &mut Random) -> T {
    let others: Vec<T> = all.iter().copied().filter(|one| *one != than).collect();
    if others.is_empty() { than } else { random.pick(&others) }
}

fn objects(object: Description, random: &mut Random) -> Vec<Description> {
    let colour = object
        .colour
        .map(|colour| Description { colour: Some(another(&Colour::ALL, colour, random)), ..object });
    let shape =
        object.shape.map(|shape| Description { shape: Some(another(&Shape::ALL, shape, random)), ..object });
    colour.into_iter().chain(shape).collect()
}

fn deeds(deed: Deed, random: &mut Random) -> Vec<Deed> {
    let subjects = objects(deed.subject, random).into_iter().map(|subject| Deed { subject, ..deed });
    let mut all: Vec<Deed> = subjects.collect();
    all.extend(actions(deed.action, random).into_iter().map(|action| Deed { action, ..deed }));
    if let Some(other) = other_of(deed.action) {
        // Who does it to whom.
        all.push(Deed { subject: other, action: with_other(deed.action, deed.subject) });
    }
    all
}

/// Actions with one word changed.
fn actions(action: Action, random: &mut Random) -> Vec<Action> {
    let side = |side: Option<Side>, random: &mut Random| side.map(|side| another(&Side::ALL, side, random));
    match action {
        Action::Moves { direction, speed } => {
            let to = direction
                .map(|to| Action::Moves { direction: Some(another(&Direction::ALL, to, random)), speed });
            let at = speed
                .map(|speed| Action::Moves { direction, speed: Some(another(&Speed::ALL, speed, random)) });
            to.into_iter().chain(at).collect()
        }
        Action::ComesIn { side: at } => {
            let other = side(at, random).map(|side| Action::ComesIn { side: Some(side) });
            other.into_iter().chain([Action::GoesOut { side: at }]).collect()
        }
        Action::GoesOut { side: at } => {
            let other = side(at, random).map(|side| Action::GoesOut { side: Some(side) });
            other.into_iter().chain([Action::ComesIn { side: at }]).collect()
        }
        Action::Bounces { side: at } => {
            let other = side(at, random).map(|side| Action::Bounces { side: Some(side) });
            other.into_iter().chain([Action::GoesOut { side: at }]).collect()
        }
        Action::ChangesColour { to: Some(to) } => {
            vec![Action::ChangesColour { to: Some(another(&Colour::ALL, to, random)) }]
        }
        Action::ChangesColour { to: None } => vec![Action::Turns],
        Action::BumpsInto { other } => with_others(action, other, random, Action::PassesBehind { other }),
        Action::IsHitBy { other } => with_others(action, other, random, Action::BumpsInto { other }),
        Action::HidesBehind { other } => with_others(action, other, random, Action::PassesBehind { other }),
        Action::PassesBehind { other } => with_others(action, other, random, Action::HidesBehind { other }),
        Action::MovesTowards { other } => with_others(action, other, random, Action::MovesAwayFrom { other }),
        Action::MovesAwayFrom { other } => with_others(action, other, random, Action::MovesTowards { other }),
        Action::MovesAround { other } => with_others(action, other, random, Action::MovesTowards { other }),
        Action::Starts => vec![Action::Stops],
        Action::Stops => vec![Action::Starts],
        Action::Grows => vec![Action::Shrinks],
        Action::Shrinks => vec![Action::Grows],
        Action::Spins => vec![Action::Rests],
        Action::Rests => vec![Action::Spins],
        Action::Turns => vec![Action::Stops],
        Action::Begins { region } => {
            let other = another(&Region::ALL, region, random);
            vec![Action::Begins { region: other }, Action::Ends { region }]
        }
        Action::Ends { region } => {
            let other = another(&Region::ALL, region, random);
            vec![Action::Ends { region: other }, Action::Begins { region }]
        }
    }
}

fn with_others(action: Action, other: Description, random: &mut Random, verb: Action) -> Vec<Action> {
    let others = objects(other, random).into_iter().map(|other| with_other(action, other));
    others.chain([verb]).collect()
}

fn other_of(action: Action) -> Option<Description> {
    match action {
        Action::BumpsInto { other }
        | Action::IsHitBy { other }
        | Action::HidesBehind { other }
        | Action::PassesBehind { other }
        | Action::MovesTowards { other }
        | Action::MovesAwayFrom { other }
        | Action::MovesAround { other } => Some(other),
        _ => None,
    }
}

fn with_other(action: Action, other: Description) -> Action {
    match action {
        Action::BumpsInto { .. } => Action::BumpsInto { other },
        Action::IsHitBy { .. } => Action::IsHitBy { other },
        Action::HidesBehind { .. } => Action::HidesBehind { other },
        Action::PassesBehind { .. } => Action::PassesBehind { other },
        Action::MovesTowards { .. } => Action::MovesTowards { other },
        Action::MovesAwayFrom { .. } => Action::MovesAwayFrom { other },
        Action::MovesAround { .. } => Action::MovesAround { other },
        other => other,
    }
}
