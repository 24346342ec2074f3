//! From a number of objects to a layout: which behaviours, which appearances, and trajectories that keep clear of each other.

use crate::appearance::{Appearance, Colour, Shape, Texture};
use crate::behaviour::{Action, Behaviour, ObjectSpec, Placement, Speed};
use crate::geometry::{Direction, Place, Side, distance};
use crate::object::{Event, Object, RelatedPair, Relation};
use crate::random::Random;

/// Attempts to place one set of behaviours before another set is drawn.
const ATTEMPTS: usize = 240;
/// Sets of behaviours before objects may touch by accident. Fewer than one scene in a million gets so far.
const SETS: usize = 24;
/// Attempts to place one behaviour before all are placed anew.
const ATTEMPTS_PER_BEHAVIOUR: usize = 10;
/// The least distance between objects that have nothing to do with each other, in sides of the picture.
const GAP: f32 = 0.015;

/// The objects of a scene and what happens to them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    pub(crate) objects: Vec<Object>,
    pub(crate) absent: Vec<Appearance>,
    pub(crate) events: Vec<Event>,
    pub(crate) related: Vec<RelatedPair>,
}

/// Whether objects that have nothing to do with each other may touch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Contact {
    Avoided,
    Allowed,
}

/// A layout of `count` (1 to 5) objects.
pub(crate) fn layout(count: usize, lookalikes: f32, random: &mut Random) -> Layout {
    let mut sets = 0;
    loop {
        sets += 1;
        let behaviours = behaviours(count, random);
        let (mut specs, absent) = specs(&behaviours, count, lookalikes, random);
        let contact = if sets > SETS { Contact::Allowed } else { Contact::Avoided };
        for _ in 0..ATTEMPTS {
            if let Some(mut layout) = place(&behaviours, &specs, contact, random) {
                layout.events.sort_by(|a, b| a.time.total_cmp(&b.time));
                return Layout { absent, ..layout };
            }
            // Smaller objects find room more easily.
            specs.iter_mut().for_each(|spec| spec.radius = (0.997 * spec.radius).max(0.062));
        }
    }
}

/// Behaviours of `count` objects in all; those of several objects come first.
fn behaviours(count: usize, random: &mut Random) -> Vec<Behaviour> {
    let mut behaviours = Vec::new();
    let mut rest = count;
    let mut in_turn = None;
    if rest >= 3 && random.chance(0.5) {
        let action = random.pick(&[Action::Enter, Action::Recolour, Action::Start]);
        behaviours.push(Behaviour::InTurn {
            action,
            sides: std::array::from_fn(|_| random.pick(&Side::ALL)),
            directions: std::array::from_fn(|_| random.pick(&Direction::ALL)),
        });
        in_turn = Some(action);
        rest -= 3;
    }
    while rest >= 2 && in_turn != Some(Action::Start) && random.chance(0.6) {
        let occluder = behaviours.iter().any(Behaviour::has_occluder);
        // At most one object hides another one.
        behaviours.push(of_two(if occluder { 0.0 } else { 1.0 }, random));
        rest -= 2;
    }
    while rest > 0 {
        let behaviour = of_one(random);
        if in_turn.is_none_or(|action| !is_confusable(behaviour, action)) {
            behaviours.push(behaviour);
            rest -= 1;
        }
    }
    behaviours
}

/// Whether a behaviour would make it unclear which of three objects is the first or the last to act.
fn is_confusable(behaviour: Behaviour, action: Action) -> bool {
    match (action, behaviour) {
        (Action::Enter, Behaviour::Enter { .. }) => true,
        (Action::Recolour, Behaviour::Flicker { .. }) => true,
        (Action::Recolour, Behaviour::Turn { recolours, .. }) => recolours,
        (Action::Recolour, Behaviour::Wander { recolours_at, .. }) => recolours_at.is_some(),
        (
            Action::Start,
            Behaviour::Still { .. } | Behaviour::Flicker { .. } | Behaviour::Spin | Behaviour::Resize { .. },
        ) => false,
        (Action::Start, _) => true,
        _ => false,
    }
}

/// A behaviour of two objects; `occlusion` is a factor on how likely one hides the other.
fn of_two(occlusion: f32, random: &mut Random) -> Behaviour {
    let direction = random.pick(&Direction::ALL);
    let after = another(&Direction::ALL, direction, random);
    let relation = random.pick(&Relation::ALL);
    random.pick_weighted(&[
        (Behaviour::Collide { direction, after }, 3.0),
        (Behaviour::Hide { direction }, 1.2 * occlusion),
        (Behaviour::PassBehind { direction }, 0.6 * occlusion),
        (Behaviour::Relate { relation }, 4.0),
    ])
}

fn of_one(random: &mut Random) -> Behaviour {
    let direction = random.pick(&Direction::ALL);
    let side = random.pick(&Side::ALL);
    let speed = random.pick_weighted(&[
        (Speed::Medium, 0.6),
        (Speed::Fast, 1.0),
        (Speed::Slow, 1.0),
        (Speed::Quickening, 1.0),
        (Speed::Slowing, 1.0),
    ]);
    let place = random.chance(0.5).then(|| random.pick(&Place::ALL));
    let mut places = Place::ALL;
    random.shuffle(&mut places);
    let places = [places[0], places[1], places[2]];
    let (turn, grows) = (turn(random), random.chance(0.5));
    let recolours_at = random.chance(0.7).then(|| random.below(3));
    let times = random.pick(&[1, 2, 2, 3, 3, 4, 4]);
    random.pick_weighted(&[
        (Behaviour::Still { place }, 1.6),
        (Behaviour::Go { direction, speed }, 3.8),
        (turn, 4.2),
        (Behaviour::Wander { places, recolours_at }, 3.8),
        (Behaviour::Bounce { side }, 0.9),
        (Behaviour::Enter { side }, 0.5),
        (Behaviour::Leave { side }, 1.9),
        (Behaviour::Stop { direction }, 0.8),
        (Behaviour::Flicker { times }, 2.2),
        (Behaviour::Spin, 0.45),
        (Behaviour::Resize { grows }, 0.9),
    ])
}

/// Two different courses. With a change of colour each is one of five (rest is one), without it both are directions.
fn turn(random: &mut Random) -> Behaviour {
    let recolours = random.chance(0.72);
    if recolours {
        let courses =
            [None, Some(Direction::Left), Some(Direction::Right), Some(Direction::Up), Some(Direction::Down)];
        let before = random.pick(&courses);
        return Behaviour::Turn { before, after: another(&courses, before, random), recolours };
    }
    let before = random.pick(&Direction::ALL);
    Behaviour::Turn { before: Some(before), after: Some(another(&Direction::ALL, before, random)), recolours }
}

fn another<T: Copy + PartialEq>(all: &[T], than: T, random: &mut Random) -> T {
    let others: Vec<T> = all.iter().copied().filter(|&one| one != than).collect();
    random.pick(&others)
}

/// Appearances and sizes of all objects, and the appearances that are left over.
fn specs(
    behaviours: &[Behaviour],
    count: usize,
    lookalikes: f32,
    random: &mut Random,
) -> (Vec<ObjectSpec>, Vec<Appearance>) {
    let (mut shapes, mut colours) = (Shape::ALL, Colour::ALL);
    random.shuffle(&mut shapes);
    random.shuffle(&mut colours);
    let mut all: Vec<Appearance> =
        shapes.iter().zip(colours).map(|(&shape, colour)| Appearance { shape, colour }).collect();
    let occluder = occluder(behaviours);
    if let Some(occluder) = occluder.filter(|&occluder| !all[occluder].shape.hides())
        && let Some(other) = all.iter().position(|one| one.shape.hides())
    {
        (all[occluder].shape, all[other].shape) = (all[other].shape, all[occluder].shape);
    }
    let absent = all.split_off(count);
    if count >= 2 && random.chance(lookalikes) {
        let mut pair: Vec<usize> = (0..count).filter(|&index| Some(index) != occluder).collect();
        random.shuffle(&mut pair);
        if let [one, other, ..] = pair[..] {
            if random.chance(0.5) {
                all[one].shape = all[other].shape;
            } else {
                all[one].colour = all[other].colour;
            }
        }
    }
    let mut unused: Vec<Colour> =
        Colour::ALL.into_iter().filter(|colour| all.iter().all(|one| one.colour != *colour)).collect();
    random.shuffle(&mut unused);
    let (small, large) = match count {
        0..=2 => (0.085, 0.13),
        3 => (0.08, 0.115),
        4 => (0.075, 0.1),
        _ => (0.07, 0.09),
    };
    let spinning = first_objects(behaviours, |behaviour| *behaviour == Behaviour::Spin);
    let specs = all
        .iter()
        .enumerate()
        .map(|(index, &appearance)| {
            let needs_marks = spinning.contains(&index) && !appearance.shape.shows_turning();
            ObjectSpec {
                appearance,
                second_colour: unused
                    .pop()
                    .unwrap_or_else(|| another(&Colour::ALL, appearance.colour, random)),
                texture: if needs_marks {
                    Texture::Striped
                } else if random.chance(0.5) {
                    Texture::Plain
                } else {
                    random.pick(&Texture::ALL)
                },
                radius: random.range(small, large),
                tilt: random.range(-0.25, 0.25),
            }
        })
        .collect();
    (specs, absent)
}

/// The index of the object that hides another one.
fn occluder(behaviours: &[Behaviour]) -> Option<usize> {
    first_objects(behaviours, Behaviour::has_occluder).first().map(|first| first + 1)
}

/// The indices of the first objects of some behaviours.
fn first_objects(behaviours: &[Behaviour], wanted: impl Fn(&Behaviour) -> bool) -> Vec<usize> {
    let mut first = 0;
    let mut indices = Vec::new();
    for behaviour in behaviours {
        if wanted(behaviour) {
            indices.push(first);
        }
        first += behaviour.objects();
    }
    indices
}

/// One attempt to place all behaviours; `None` where there is no room.
fn place(
    behaviours: &[Behaviour],
    specs: &[ObjectSpec],
    contact: Contact,
    random: &mut Random,
) -> Option<Layout> {
    let mut layout = Layout::default();
    for behaviour in behaviours {
        let first = layout.objects.len();
        let specs = &specs[first..first + behaviour.objects()];
        let placement = (0..ATTEMPTS_PER_BEHAVIOUR).find_map(|_| {
            let placement = behaviour.place(specs, first, random);
            placement.filter(|one| contact == Contact::Allowed || has_room(behaviour, one, &layout))
        })?;
        layout.objects.extend(placement.objects);
        layout.events.extend(placement.events);
        layout.related.extend(placement.related);
    }
    Some(layout)
}

fn has_room(behaviour: &Behaviour, placement: &Placement, layout: &Layout) -> bool {
    let among = match behaviour {
        Behaviour::InTurn { .. } => placement.objects.as_slice(),
        _ => &[],
    };
    let pairs =
        among.iter().enumerate().flat_map(|(index, a)| among[index + 1..].iter().map(move |b| (a, b)));
    let with_others = placement.objects.iter().flat_map(|a| layout.objects.iter().map(move |b| (a, b)));
    pairs.chain(with_others).all(|(a, b)| stay_apart(a, b))
}

fn stay_apart(a: &Object, b: &Object) -> bool {
    const STEPS: usize = 33;
    (0..=STEPS).map(|step| step as f32 / STEPS as f32).all(|time| {
        let between = distance(a.trajectory.at(time), b.trajectory.at(time));
        between >= a.radius_at(time) + b.radius_at(time) + GAP
    })
}
