//! From a number of objects to a layout: which stories, which looks, and ways that have room beside each other.

use crate::geometry::{Direction, Place, Side, apart};
use crate::look::{Colour, Look, Shape, Texture};
use crate::object::{Event, Object, Related, Relation};
use crate::random::Random;
use crate::story::{Cast, Gait, Staged, Story, Turnwise};

/// Draws of one plan's ways before another plan is made.
const TRIES: usize = 240;
/// Plans before objects may touch by accident. Fewer than one scene in a million gets so far.
const PLANS: usize = 24;
/// Between objects that have nothing to do with each other, in pictures' sides.
const GAP: f32 = 0.015;

/// The objects of a scene and what happens to them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    pub(crate) objects: Vec<Object>,
    pub(crate) absent: Vec<Look>,
    pub(crate) events: Vec<Event>,
    pub(crate) related: Vec<Related>,
}

/// Objects, their looks and their ways for `count` (1 to 5) objects.
pub(crate) fn layout(count: usize, lookalikes: f32, random: &mut Random) -> Layout {
    let mut made = 0;
    loop {
        made += 1;
        let stories = stories(count, random);
        let (mut cast, absent) = cast(&stories, count, lookalikes, random);
        for _ in 0..TRIES {
            if let Some(mut layout) = stage(&stories, &cast, made > PLANS, random) {
                layout.events.sort_by(|a, b| a.time.total_cmp(&b.time));
                return Layout { absent, ..layout };
            }
            cast.iter_mut().for_each(|actor| actor.radius = (0.997 * actor.radius).max(0.062));
        }
    }
}

/// Which stories, for so many objects in all; those of several objects first.
fn stories(count: usize, random: &mut Random) -> Vec<Story> {
    let mut stories = Vec::new();
    let mut left = count;
    let mut alike = None;
    if left >= 3 && random.chance(0.5) {
        let what = random.pick(&[Turnwise::Enter, Turnwise::Recolour, Turnwise::Start]);
        stories.push(turnwise(what, random));
        alike = Some(what);
        left -= 3;
    }
    while left >= 2 && alike != Some(Turnwise::Start) && random.chance(0.6) {
        let screened = stories.iter().any(|story| matches!(story, Story::Hide { .. } | Story::Pass { .. }));
        stories.push(pair(!screened, random));
        left -= 2;
    }
    while left > 0 {
        let story = solo(random);
        if alike.is_none_or(|what| !confuses(story, what)) {
            stories.push(story);
            left -= 1;
        }
    }
    stories
}

/// Whether a story would make it doubtful which of three objects is the first or the last to do something.
fn confuses(story: Story, what: Turnwise) -> bool {
    match (what, story) {
        (Turnwise::Enter, Story::Enter { .. }) => true,
        (Turnwise::Recolour, Story::Flicker { .. }) => true,
        (Turnwise::Recolour, Story::Turn { recolours, .. }) => recolours,
        (Turnwise::Recolour, Story::Wander { recolours_at, .. }) => recolours_at.is_some(),
        (
            Turnwise::Start,
            Story::Still { .. } | Story::Flicker { .. } | Story::Spin | Story::Resize { .. },
        ) => false,
        (Turnwise::Start, _) => true,
        _ => false,
    }
}

fn turnwise(what: Turnwise, random: &mut Random) -> Story {
    Story::Turnwise {
        what,
        sides: std::array::from_fn(|_| random.pick(&Side::ALL)),
        directions: std::array::from_fn(|_| random.pick(&Direction::ALL)),
    }
}

fn pair(screen: bool, random: &mut Random) -> Story {
    let screened = if screen { 1.0 } else { 0.0 };
    let direction = random.pick(&Direction::ALL);
    let after = another(&Direction::ALL, direction, random);
    let relation = random.pick(&Relation::ALL);
    random.pick_weighted(&[
        (Story::Collide { direction, after }, 3.0),
        (Story::Hide { direction }, 1.2 * screened),
        (Story::Pass { direction }, 0.6 * screened),
        (Story::Relate { relation }, 4.0),
    ])
}

fn solo(random: &mut Random) -> Story {
    let direction = random.pick(&Direction::ALL);
    let side = random.pick(&Side::ALL);
    let gait = random.pick_weighted(&[
        (Gait::Medium, 0.6),
        (Gait::Fast, 1.0),
        (Gait::Slow, 1.0),
        (Gait::Quickening, 1.0),
        (Gait::Slowing, 1.0),
    ]);
    let place = random.chance(0.5).then(|| random.pick(&Place::ALL));
    let mut places = Place::ALL;
    random.shuffle(&mut places);
    let places = [places[0], places[1], places[2]];
    let (turn, grows) = (turn(random), random.chance(0.5));
    let recolours_at = random.chance(0.7).then(|| random.below(3));
    let times = random.pick(&[1, 2, 2, 3, 3, 4, 4]);
    random.pick_weighted(&[
        (Story::Still { place }, 1.6),
        (Story::Go { direction, gait }, 3.8),
        (turn, 4.2),
        (Story::Wander { places, recolours_at }, 3.8),
        (Story::Bounce { side }, 0.9),
        (Story::Enter { side }, 0.5),
        (Story::Leave { side }, 1.9),
        (Story::Stop { direction }, 0.8),
        (Story::Flicker { times }, 2.2),
        (Story::Spin, 0.45),
        (Story::Resize { grows }, 0.9),
    ])
}

/// Two different courses: with a change of colour any of the five (rest is one), without it two directions.
fn turn(random: &mut Random) -> Story {
    let recolours = random.chance(0.72);
    if recolours {
        let courses =
            [None, Some(Direction::Left), Some(Direction::Right), Some(Direction::Up), Some(Direction::Down)];
        let before = random.pick(&courses);
        return Story::Turn { before, after: another(&courses, before, random), recolours };
    }
    let before = random.pick(&Direction::ALL);
    Story::Turn { before: Some(before), after: Some(another(&Direction::ALL, before, random)), recolours }
}

fn another<T: Copy + PartialEq>(all: &[T], than: T, random: &mut Random) -> T {
    let others: Vec<T> = all.iter().copied().filter(|&one| one != than).collect();
    random.pick(&others)
}

/// Looks and sizes for all stories, and the looks that are left over.
fn cast(stories: &[Story], count: usize, lookalikes: f32, random: &mut Random) -> (Vec<Cast>, Vec<Look>) {
    let (mut shapes, mut colours) = (Shape::ALL, Colour::ALL);
    random.shuffle(&mut shapes);
    random.shuffle(&mut colours);
    let mut looks: Vec<Look> =
        shapes.iter().zip(colours).map(|(&shape, colour)| Look { shape, colour }).collect();
    if let Some(screen) = screen(stories).filter(|&screen| !looks[screen].shape.hides()) {
        let other = looks.iter().position(|look| look.shape.hides()).unwrap_or(screen);
        (looks[screen].shape, looks[other].shape) = (looks[other].shape, looks[screen].shape);
    }
    let absent = looks.split_off(count);
    if count >= 2 && random.chance(lookalikes) {
        let mut pair: Vec<usize> = (0..count).filter(|&number| Some(number) != screen(stories)).collect();
        random.shuffle(&mut pair);
        if let [one, other, ..] = pair[..] {
            if random.chance(0.5) {
                looks[one].shape = looks[other].shape;
            } else {
                looks[one].colour = looks[other].colour;
            }
        }
    }
    let mut free: Vec<Colour> =
        Colour::ALL.into_iter().filter(|colour| looks.iter().all(|look| look.colour != *colour)).collect();
    random.shuffle(&mut free);
    let (small, large) = match count {
        0..=2 => (0.085, 0.13),
        3 => (0.08, 0.115),
        4 => (0.075, 0.1),
        _ => (0.07, 0.09),
    };
    let turning = alone(stories, |story| *story == Story::Spin);
    let cast = looks
        .iter()
        .enumerate()
        .map(|(number, &look)| {
            let marked = turning.contains(&number) && !look.shape.shows_turning();
            Cast {
                look,
                second: free.pop().unwrap_or_else(|| another(&Colour::ALL, look.colour, random)),
                texture: if marked {
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
    (cast, absent)
}

/// The number of the object that hides another one.
fn screen(stories: &[Story]) -> Option<usize> {
    alone(stories, |story| matches!(story, Story::Hide { .. } | Story::Pass { .. }))
        .first()
        .map(|first| first + 1)
}

/// The numbers of the first objects of some stories.
fn alone(stories: &[Story], wanted: impl Fn(&Story) -> bool) -> Vec<usize> {
    let mut first = 0;
    let mut numbers = Vec::new();
    for story in stories {
        if wanted(story) {
            numbers.push(first);
        }
        first += story.actors();
    }
    numbers
}

/// One draw of all ways, if they have room.
fn stage(stories: &[Story], cast: &[Cast], touching: bool, random: &mut Random) -> Option<Layout> {
    /// Draws of one story before everything is drawn anew.
    const DRAWS: usize = 10;
    let mut layout = Layout::default();
    for story in stories {
        let first = layout.objects.len();
        let actors = &cast[first..first + story.actors()];
        let staged = (0..DRAWS).find_map(|_| {
            story.stage(actors, first, random).filter(|staged| touching || has_room(story, staged, &layout))
        })?;
        layout.objects.extend(staged.objects);
        layout.events.extend(staged.events);
        layout.related.extend(staged.related);
    }
    Some(layout)
}

fn has_room(story: &Story, staged: &Staged, layout: &Layout) -> bool {
    let among = match story {
        Story::Turnwise { .. } => staged.objects.as_slice(),
        _ => &[],
    };
    let pairs =
        among.iter().enumerate().flat_map(|(place, a)| among[place + 1..].iter().map(move |b| (a, b)));
    let with_others = staged.objects.iter().flat_map(|a| layout.objects.iter().map(move |b| (a, b)));
    pairs.chain(with_others).all(|(a, b)| stay_apart(a, b))
}

fn stay_apart(a: &Object, b: &Object) -> bool {
    const STEPS: usize = 33;
    (0..=STEPS)
        .map(|step| step as f32 / STEPS as f32)
        .all(|time| apart(a.path.at(time), b.path.at(time)) >= a.radius_at(time) + b.radius_at(time) + GAP)
}
