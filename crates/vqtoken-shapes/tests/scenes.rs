//! What must hold for every scene: the truth agrees with itself, with the pixels and with the questions.

use proptest::prelude::*;
use vqtoken_shapes::{
    Difficulty, Direction, EventKind, ObjectState, Scene, Settings, Shape, Template, questions,
};

fn states(scene: &Scene) -> Vec<Vec<ObjectState>> {
    (0..scene.frames).map(|frame| scene.states(frame)).collect()
}

fn apart(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn truth_is_in_range_and_moves_without_jumps(seed: u64, hard: bool) {
        let settings = Settings::at(if hard { Difficulty::Hard } else { Difficulty::Normal });
        let scene = Scene::generate(seed, &settings);
        prop_assert_eq!(&scene, &Scene::generate(seed, &settings));
        prop_assert!((settings.least_objects..=settings.most_objects).contains(&scene.objects.len()));
        let states = states(&scene);
        for (frame, now) in states.iter().enumerate() {
            for (number, state) in now.iter().enumerate() {
                prop_assert!((0.0..=1.0).contains(&state.visible));
                prop_assert!((0.04..0.25).contains(&state.radius), "radius {}", state.radius);
                prop_assert!(state.centre.iter().all(|c| (-0.3..1.3).contains(c)));
                if frame > 0 {
                    prop_assert!(apart(state.centre, states[frame - 1][number].centre) < 0.13);
                }
            }
        }
        prop_assert!(scene.events.windows(2).all(|pair| pair[0].time <= pair[1].time));
        prop_assert!(scene.events.iter().all(|event| event.object < scene.objects.len() && (0.0..=1.0).contains(&event.time)));
    }

    #[test]
    fn looks_are_unique_and_wrong_answers_absent(seed: u64) {
        let scene = Scene::generate(seed, &Settings::at(Difficulty::Hard));
        let mut looks: Vec<_> = scene.objects.iter().map(|object| object.appearance).collect();
        looks.extend(&scene.absent);
        for (place, look) in looks.iter().enumerate() {
            prop_assert!(!looks[place + 1..].contains(look));
        }
        prop_assert!(looks.len() >= 5);
    }

    #[test]
    fn events_are_true(seed: u64) {
        let scene = Scene::generate(seed, &Settings { shake: 0.0, ..Settings::default() });
        let last = scene.states(scene.frames - 1);
        let first = scene.states(0);
        let at = |number: usize, time: f32| scene.objects[number].trajectory.at(time);
        for event in &scene.events {
            let (number, time) = (event.object, event.time);
            let touch = |other: usize| {
                let reach = scene.objects[number].radius_at(time) + scene.objects[other].radius_at(time);
                apart(at(number, time), at(other, time)) / reach
            };
            match event.kind {
                EventKind::Enters { .. } => prop_assert!(first[number].visible == 0.0 && last[number].visible > 0.0),
                EventKind::Leaves { .. } => prop_assert!(first[number].visible > 0.5 && last[number].visible == 0.0),
                EventKind::Hides { .. } => prop_assert!(first[number].visible == 1.0 && last[number].visible == 0.0),
                EventKind::Collides { with } => prop_assert!((0.7..1.0).contains(&touch(with))),
                EventKind::Pushed { by } => prop_assert!((0.7..1.0).contains(&touch(by))),
                EventKind::PassesBehind { object } => prop_assert!(touch(object) < 0.1),
                EventKind::Recolours { to } => prop_assert_eq!(scene.objects[number].colour(time + 1e-4), to),
                EventKind::Bounces { .. } => {
                    let edge = at(number, time).iter().map(|c| c.min(1.0 - c)).fold(1.0, f32::min);
                    prop_assert!(edge <= scene.objects[number].radius_at(time));
                }
                EventKind::Starts => prop_assert!(apart(at(number, time - 0.05), at(number, time)) < 1e-5),
                EventKind::Stops => prop_assert!(apart(at(number, time), at(number, time + 0.05)) < 1e-5),
                EventKind::Turns | EventKind::Spins | EventKind::Grows | EventKind::Shrinks => {}
            }
        }
    }

    #[test]
    fn questions_have_one_right_option_of_five(seed: u64, hard: bool) {
        let settings = Settings::at(if hard { Difficulty::Hard } else { Difficulty::Normal });
        let scene = Scene::generate(seed, &settings);
        for question in questions(&scene) {
            prop_assert!(question.answer < 5);
            for (place, option) in question.options.iter().enumerate() {
                prop_assert!(!option.is_empty() && !question.options[place + 1..].contains(option), "{:?}", question);
            }
            prop_assert!(question.question.ends_with('?'));
        }
    }

    #[test]
    fn whatever_a_question_names_exists_once(seed: u64, hard: bool) {
        let settings = Settings::at(if hard { Difficulty::Hard } else { Difficulty::Normal });
        let scene = Scene::generate(seed, &settings);
        for question in questions(&scene) {
            let Some(subject) = question.subject else { continue };
            let words: Vec<&str> = question.question.split([' ', '?']).collect();
            // The first colour and the first shape after "the": of any time, since a name must fit the whole clip.
            let colour = words.windows(2).find_map(|pair| {
                scene.objects.iter().flat_map(|object| object.colours()).find(|c| pair[0] == "the" && pair[1] == c.name())
            });
            let shape = words.iter().find_map(|word| Shape::ALL.into_iter().find(|shape| shape.name() == *word));
            let fits: Vec<usize> = (0..scene.objects.len())
                .filter(|&number| {
                    let object = &scene.objects[number];
                    shape.is_none_or(|shape| object.appearance.shape == shape)
                        && colour.is_none_or(|colour| object.colours().any(|own| own == colour))
                })
                .collect();
            prop_assert_eq!(fits, vec![subject], "{}", question.question);
        }
    }

    #[test]
    fn directions_are_where_the_centre_goes(seed: u64) {
        let scene = Scene::generate(seed, &Settings { shake: 0.0, ..Settings::default() });
        let states = states(&scene);
        for question in questions(&scene) {
            if question.template != Template::Direction {
                continue;
            }
            let number = question.subject.unwrap();
            let (from, to) = (states[0][number].centre, states[scene.frames - 1][number].centre);
            let way = [to[0] - from[0], to[1] - from[1]];
            match Direction::of(way).filter(|_| way[0].hypot(way[1]) > 0.09) {
                Some(direction) => prop_assert_eq!(question.answer_text(), direction.name()),
                None => prop_assert_eq!(question.answer_text(), "it does not move"),
            }
        }
    }

    #[test]
    fn labels_agree_with_pixels(seed in 0_u64..5000) {
        let settings = Settings { noise: 0.0, clutter: 0.0, shake: 0.0, size: 112, ..Settings::default() };
        let scene = Scene::generate(seed, &settings);
        let frame = (seed % 32) as usize;
        let rgb = scene.renderer().rgb(frame);
        let grid = 14;
        let labels = scene.patch_labels(frame, [grid, grid]);
        for (patch, label) in labels.iter().enumerate() {
            let mut mean = [0.0_f32; 3];
            for step in 0..64 {
                let (y, x) = (patch / grid * 8 + step / 8, patch % grid * 8 + step % 8);
                for (channel, mean) in mean.iter_mut().enumerate() {
                    *mean += f32::from(rgb[(y * 112 + x) * 3 + channel]) / 64.0;
                }
            }
            let spread = mean.iter().copied().fold(0.0, f32::max) - mean.iter().copied().fold(255.0, f32::min);
            match label {
                None => prop_assert!(spread < 40.0, "patch {patch} without an object is colourful: {mean:?}"),
                Some(label) if label.cover > 0.95 => {
                    let nearest = vqtoken_shapes::Colour::ALL.into_iter().min_by_key(|colour| {
                        // Hue only: marks darken.
                        let ink = colour.rgb().map(f32::from);
                        let scale = |c: [f32; 3]| c.map(|v| v / (c[0] + c[1] + c[2]));
                        let (a, b) = (scale(ink), scale(mean));
                        (a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>() * 1e6) as u64
                    });
                    prop_assert_eq!(nearest, Some(label.colour));
                }
                Some(_) => {}
            }
        }
    }
}

/// Objects that have nothing to do with each other never touch, in ten thousand scenes.
#[test]
fn nothing_touches_by_accident() {
    let settings = Settings { shake: 0.0, ..Settings::default() };
    for seed in 0..10_000 {
        let scene = Scene::generate(seed, &settings);
        for frame in (0..scene.frames).step_by(3) {
            let states = scene.states(frame);
            for a in 0..states.len() {
                for b in 0..a {
                    let together = scene.events.iter().any(|event| match event.kind {
                        EventKind::Collides { with: other }
                        | EventKind::Hides { behind: other }
                        | EventKind::PassesBehind { object: other } => (event.object, other) == (b, a),
                        _ => false,
                    });
                    let distance = apart(states[a].centre, states[b].centre);
                    assert!(
                        together || distance >= states[a].radius + states[b].radius,
                        "seed {seed}, frame {frame}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_template_is_asked() {
    let settings = Settings::default();
    let mut asked = std::collections::BTreeSet::new();
    for seed in 0..400 {
        asked.extend(
            questions(&Scene::generate(seed, &settings)).into_iter().map(|question| question.template),
        );
    }
    assert_eq!(asked.into_iter().collect::<Vec<_>>(), Template::ALL);
}

#[test]
fn pixels_are_the_same_in_any_order() {
    let settings = Settings { size: 96, ..Settings::at(Difficulty::Hard) };
    let scene = Scene::generate(11, &settings);
    let renderer = scene.renderer();
    let later = renderer.rgb(9);
    assert_eq!(renderer.rgb(3), scene.renderer().rgb(3));
    assert_eq!(later, scene.renderer().rgb(9));
    assert_ne!(later, renderer.rgb(3));
    assert_eq!(scene.render(9).unwrap().rgb(), later);
}
