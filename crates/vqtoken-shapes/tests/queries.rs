//! Queries: true of a clip exactly where captions and answers say so.

use std::collections::BTreeSet;

use vqtoken_shapes::{
    Action, Deed, Description, Difficulty, Direction, Object, Query, QueryKind, Region, Scene, Script,
    Settings, Side, Speed, Template, Wanted, all_questions, caption, queries_of,
};

fn scenes() -> impl Iterator<Item = Scene> {
    [Difficulty::Easy, Difficulty::Normal, Difficulty::Hard].into_iter().flat_map(|difficulty| {
        let settings = Settings { shake: 0.0, ..Settings::at(difficulty) };
        (0..300).map(move |seed| Scene::generate(seed, &settings))
    })
}

fn described(object: &Object) -> Description {
    Description { colour: Some(object.appearance.colour), shape: Some(object.appearance.shape) }
}

fn is_true(script: &Script, subject: Description, action: Action) -> bool {
    let query = Query { wanted: Wanted::Deed(Deed { subject, action }), phrasing: 0 };
    !query.truth_by(script).0.is_empty()
}

fn moves(direction: Option<Direction>, speed: Option<Speed>) -> Action {
    Action::Moves { direction, speed }
}

#[test]
fn motion_is_what_the_answers_say() {
    let mut compared = [0; 3];
    for scene in scenes() {
        let script = Script::of(&scene);
        for question in all_questions(&scene) {
            let Some(object) = question.subject.map(|index| &scene.objects[index]) else { continue };
            let of = |action| is_true(&script, described(object), action);
            match question.template {
                Template::Direction => {
                    for (class, direction) in Direction::ALL.into_iter().enumerate() {
                        let expected = class == question.class;
                        let found = of(moves(Some(direction), None));
                        assert_eq!(found, expected, "{}: {} {direction:?}", scene.seed, question.question);
                    }
                    compared[0] += 1;
                }
                Template::Pace => {
                    for (class, speed) in Speed::ALL.into_iter().enumerate() {
                        let expected = class == question.class;
                        let found = of(moves(None, Some(speed)));
                        assert_eq!(found, expected, "{}: {} {speed:?}", scene.seed, question.question);
                    }
                    compared[1] += 1;
                }
                Template::Relation => {
                    let own = scene.related.iter().find(|related| Some(related.object) == question.subject);
                    let Some(related) = own else { continue };
                    let other = described(&scene.objects[related.to]);
                    let expected: [fn(Description) -> Action; 3] = [
                        |other| Action::MovesTowards { other },
                        |other| Action::MovesAwayFrom { other },
                        |other| Action::MovesAround { other },
                    ];
                    for (class, action) in expected.into_iter().enumerate() {
                        let found = of(action(other));
                        let expected = class == question.class;
                        assert_eq!(found, expected, "{}: {} {class}", scene.seed, question.question);
                    }
                    compared[2] += 1;
                }
                _ => {}
            }
        }
    }
    println!("{compared:?} questions");
    assert!(compared.iter().all(|&count| count > 100), "{compared:?}");
}

/// The sentence about an object.
fn sentence<'a>(caption: &'a str, object: &Object) -> &'a str {
    let start = format!("The {} ", object.appearance);
    caption.split_inclusive(". ").find(|sentence| sentence.starts_with(&start)).unwrap_or_default()
}

#[test]
fn events_are_those_of_the_caption() {
    let mut compared = 0;
    for scene in scenes() {
        let script = Script::of(&scene);
        let caption = caption(&scene);
        // Two objects of one name, or of one that another one gets, are not told apart by sentences.
        for object in &scene.objects {
            let alike = scene.objects.iter().filter(|other| {
                other.appearance.shape == object.appearance.shape
                    && other.colours().any(|colour| colour == object.appearance.colour)
            });
            if alike.count() > 1 || !object.recolours.is_empty() {
                continue;
            }
            let told = sentence(&caption, object).trim_end_matches(". ").trim_end_matches('.');
            let mut check = |words: String, action: Action| {
                let is_told = told.contains(&words);
                let found = is_true(&script, described(object), action);
                assert_eq!(found, is_told, "{}: {action:?} of {}: {caption}", scene.seed, object.appearance);
                compared += usize::from(is_told);
            };
            for side in Side::ALL {
                let name = side.name();
                check(format!("comes in at the {name}"), Action::ComesIn { side: Some(side) });
                check(format!("disappears at the {name}"), Action::GoesOut { side: Some(side) });
                check(format!("bounces off the edge at the {name}"), Action::Bounces { side: Some(side) });
            }
            for other in &scene.objects {
                let (name, other) = (other.appearance, described(other));
                check(format!("bumps into the {name}"), Action::BumpsInto { other });
                check(format!("hides behind the {name}"), Action::HidesBehind { other });
                check(format!("goes behind the {name}"), Action::PassesBehind { other });
            }
            check("turns by itself".to_owned(), Action::Turns);
            check("spins".to_owned(), Action::Spins);
            check("gets bigger".to_owned(), Action::Grows);
            check("gets smaller".to_owned(), Action::Shrinks);
            check("does not move".to_owned(), Action::Rests);
        }
    }
    println!("{compared} phrases");
    assert!(compared > 1000, "{compared}");
}

#[test]
fn regions_at_both_ends_are_those_of_the_caption() {
    let mut compared = 0;
    for scene in scenes() {
        let script = Script::of(&scene);
        let caption = caption(&scene);
        let last = scene.frames - 1;
        for (index, object) in scene.objects.iter().enumerate() {
            let told = sentence(&caption, object);
            let is_seen = |frame: usize| scene.states(frame)[index].visible > 0.99;
            for region in Region::ALL {
                if told.contains(&format!(" begins {}", region.name())) && is_seen(0) {
                    assert!(is_true(&script, described(object), Action::Begins { region }), "{caption}");
                    compared += 1;
                }
                // What has changed colour is called by its first one.
                if told.contains(&format!(" ends {}", region.name())) && is_seen(last) {
                    let now = Description { colour: Some(object.colour(1.0)), ..described(object) };
                    assert!(is_true(&script, now, Action::Ends { region }), "{caption}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 1500, "{compared}");
}

#[test]
fn an_object_is_there_while_it_has_its_colour() {
    let mut changes = 0;
    for scene in scenes().take(400) {
        let seconds = Script::of(&scene).seconds();
        for (index, object) in scene.objects.iter().enumerate() {
            for colour in vqtoken_shapes::Colour::ALL {
                let wanted = Description { colour: Some(colour), shape: Some(object.appearance.shape) };
                let query = Query { wanted: Wanted::Object(wanted), phrasing: 0 };
                let intervals = query.intervals(&scene);
                for frame in 0..scene.frames {
                    let time = scene.time(frame) * seconds;
                    let inside = intervals.iter().any(|&(from, to)| (from..=to).contains(&time));
                    let states = scene.states(frame);
                    let expected = scene.objects.iter().zip(&states).any(|(other, state)| {
                        other.appearance.shape == object.appearance.shape
                            && state.colour == colour
                            && state.visible >= 0.5
                    });
                    assert_eq!(inside, expected, "seed {}, object {index}, frame {frame}", scene.seed);
                }
                changes += usize::from(intervals.len() > 1);
            }
        }
    }
    assert!(changes > 20, "{changes}");
}

#[test]
fn drawn_queries_are_true_and_of_every_kind() {
    let (mut counts, mut texts) = ([0_usize; 3], BTreeSet::new());
    for scene in scenes() {
        let script = Script::of(&scene);
        let queries = queries_of(&scene, 7);
        assert_eq!(queries, queries_of(&scene, 7));
        for query in queries {
            let (intervals, objects) = query.truth_by(&script);
            assert!(!intervals.is_empty() && !objects.is_empty(), "{query:?}");
            assert_eq!(query.object_in(&scene), objects.first().copied());
            assert!(intervals.is_sorted_by(|a, b| a.1 < b.0), "{intervals:?}");
            let within = |&(from, to): &(f32, f32)| 0.0 <= from && from < to && to <= script.seconds() + 1e-4;
            assert!(intervals.iter().all(within), "{query:?}: {intervals:?}");
            counts[query.kind() as usize] += 1;
            let text = query.text();
            assert!(!text.contains("  ") && text == text.to_lowercase() && text == text.trim(), "{text}");
            texts.insert(text);
        }
    }
    println!("{counts:?} queries, {} texts", texts.len());
    assert!(counts.iter().all(|&count| count > 1000), "{counts:?}");
    assert!(texts.len() > 5000, "{}", texts.len());
}

#[test]
fn a_changed_query_says_something_else_and_is_mostly_not_true() {
    let (mut all, mut still_true) = (0, 0);
    for scene in scenes().step_by(3) {
        let script = Script::of(&scene);
        for query in queries_of(&scene, 1) {
            let changed = query.changed(5);
            assert!(!changed.is_empty(), "{query:?}");
            for changed in changed {
                assert_ne!(changed.wanted, query.wanted);
                assert_eq!(changed.kind(), query.kind());
                all += 1;
                still_true += usize::from(!changed.truth_by(&script).0.is_empty());
            }
        }
    }
    println!("{still_true} of {all} changed queries are true all the same");
    assert!(still_true * 5 < all, "{still_true} of {all}");
}

#[test]
fn an_order_and_its_reverse_are_told_apart() {
    let mut both = [0; 2];
    for scene in scenes() {
        let script = Script::of(&scene);
        for query in queries_of(&scene, 3).into_iter().filter(|query| query.kind() == QueryKind::Order) {
            let Wanted::Order { first, then } = query.wanted else { continue };
            let reverse = Query { wanted: Wanted::Order { first: then, then: first }, ..query };
            both[usize::from(!reverse.truth_by(&script).0.is_empty())] += 1;
        }
    }
    println!("{both:?}");
    // Something that happens twice may be before and after something else.
    assert!(both[0] > 10 * both[1], "{both:?}");
}
