//! Queries in words. Which of several phrasings is used follows from [`Query::phrasing`].

use super::{Action, Deed, Description, Query, Speed, Wanted};
use crate::geometry::{Direction, Side};
use crate::random::Random;

/// The words of a query.
pub(super) fn text(query: &Query) -> String {
    let mut random = Random::derived(query.phrasing, 11);
    match query.wanted {
        Wanted::Object(wanted) => object(wanted, Article::drawn(&mut random), &mut random),
        Wanted::Deed(wanted) => deed(wanted, &mut random),
        Wanted::Order { first, then } => {
            let (first, then) = (deed(first, &mut random), deed(then, &mut random));
            match random.below(5) {
                0 => format!("first {first}, then {then}"),
                1 => format!("{first} before {then}"),
                2 => format!("{then} after {first}"),
                3 => format!("{first}, then {then}"),
                _ => format!("{first} and then {then}"),
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Article {
    Indefinite,
    Definite,
    None,
}

impl Article {
    fn drawn(random: &mut Random) -> Self {
        random.pick_weighted(&[(Self::Indefinite, 5.0), (Self::Definite, 4.0), (Self::None, 1.0)])
    }
}

/// A noun phrase.
fn object(wanted: Description, article: Article, random: &mut Random) -> String {
    let noun = match (wanted.colour, wanted.shape) {
        (Some(colour), Some(shape)) => format!("{} {}", colour.name(), shape.name()),
        (None, Some(shape)) => shape.name().to_owned(),
        (Some(colour), None) if article == Article::Indefinite && random.chance(0.5) => {
            return format!("something {}", colour.name());
        }
        (Some(colour), None) => format!("{} object", colour.name()),
        (None, None) if article == Article::Indefinite && random.chance(0.5) => {
            return "something".to_owned();
        }
        (None, None) => "object".to_owned(),
    };
    match article {
        Article::Definite => format!("the {noun}"),
        Article::None => noun,
        Article::Indefinite if noun.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {noun}"),
        Article::Indefinite => format!("a {noun}"),
    }
}

fn deed(wanted: Deed, random: &mut Random) -> String {
    let article = Article::drawn(random);
    let subject = object(wanted.subject, article, random);
    format!("{subject} {}", action(wanted.action, article, random))
}

fn action(action: Action, article: Article, random: &mut Random) -> String {
    let other = |wanted: Description, random: &mut Random| object(wanted, article, random);
    let verb = |verbs: &[&'static str], random: &mut Random| random.pick(verbs);
    match action {
        Action::Moves { direction, speed } => moves(direction, speed, random),
        Action::Rests => {
            verb(&["does not move", "stays where it is", "stands still", "rests"], random).to_owned()
        }
        Action::ComesIn { side } => at(verb(&["comes in", "enters", "appears"], random), side, random),
        Action::GoesOut { side } => {
            at(verb(&["disappears", "goes out", "leaves", "goes out of the picture"], random), side, random)
        }
        Action::Bounces { side: None } => {
            verb(&["bounces off the edge", "bounces off an edge", "bounces off the wall"], random).to_owned()
        }
        Action::Bounces { side: Some(side) } => match random.below(3) {
            0 => format!("bounces off the edge at the {}", side.name()),
            1 => format!("bounces off the {} edge", side.name()),
            _ => format!("bounces off at the {}", side.name()),
        },
        Action::BumpsInto { other: wanted } => {
            let verb = verb(&["bumps into", "bounces off", "hits", "collides with", "runs into"], random);
            format!("{verb} {}", other(wanted, random))
        }
        Action::IsHitBy { other: wanted } => {
            let verb = verb(&["is hit by", "is pushed by", "is bumped into by"], random);
            format!("{verb} {}", other(wanted, random))
        }
        Action::HidesBehind { other: wanted } => {
            let verb = verb(&["hides behind", "disappears behind"], random);
            format!("{verb} {}", other(wanted, random))
        }
        Action::PassesBehind { other: wanted } => {
            let verb = verb(&["passes behind", "goes behind", "moves behind"], random);
            format!("{verb} {}", other(wanted, random))
        }
        Action::MovesTowards { other: wanted } => {
            format!("{} towards {}", verb(&["moves", "goes"], random), other(wanted, random))
        }
        Action::MovesAwayFrom { other: wanted } => {
            format!("{} away from {}", verb(&["moves", "goes"], random), other(wanted, random))
        }
        Action::MovesAround { other: wanted } => {
            let verb = verb(&["moves around", "goes around", "circles"], random);
            format!("{verb} {}", other(wanted, random))
        }
        Action::Turns => verb(&["turns by itself", "turns with nothing near"], random).to_owned(),
        Action::Starts => verb(&["starts to move", "starts moving", "begins to move"], random).to_owned(),
        Action::Stops => verb(&["stops", "stops moving", "comes to rest"], random).to_owned(),
        Action::ChangesColour { to: None } => {
            verb(&["changes colour", "changes its colour"], random).to_owned()
        }
        Action::ChangesColour { to: Some(to) } => {
            let verb = verb(&["changes colour to", "turns", "becomes", "changes to"], random);
            format!("{verb} {}", to.name())
        }
        Action::Spins => verb(&["spins", "rotates", "turns about its centre"], random).to_owned(),
        Action::Grows => verb(&["gets bigger", "grows", "becomes bigger"], random).to_owned(),
        Action::Shrinks => verb(&["gets smaller", "shrinks", "becomes smaller"], random).to_owned(),
        Action::Begins { region } => format!("{} {}", verb(&["begins", "starts"], random), region.name()),
        Action::Ends { region } => format!("{} {}", verb(&["ends", "ends up"], random), region.name()),
    }
}

fn at(verb: &str, side: Option<Side>, random: &mut Random) -> String {
    let Some(side) = side else { return verb.to_owned() };
    match random.below(4) {
        0 if verb == "comes in" || verb == "enters" => format!("{verb} from the {}", side.name()),
        _ => format!("{verb} at the {}", side.name()),
    }
}

fn moves(direction: Option<Direction>, speed: Option<Speed>, random: &mut Random) -> String {
    let verb = random.pick(&["moves", "moves", "goes"]);
    let to = direction.map(|direction| match (direction, random.below(4)) {
        (Direction::Left | Direction::Right, 0) => format!(" to the {}", direction.name()),
        _ => format!(" {}", direction.name()),
    });
    let adverb = match speed {
        None => "",
        Some(Speed::Fast) => random.pick(&[" fast", " quickly"]),
        Some(Speed::Slow) => " slowly",
        Some(Speed::Quickening) => " faster and faster",
        Some(Speed::Slowing) => " slower and slower",
    };
    match (speed, random.below(3)) {
        (Some(Speed::Slow | Speed::Fast), 0) => {
            let adverb = if speed == Some(Speed::Slow) { "slowly" } else { "quickly" };
            format!("{adverb} {verb}{}", to.unwrap_or_default())
        }
        _ => format!("{verb}{}{adverb}", to.unwrap_or_default()),
    }
}
