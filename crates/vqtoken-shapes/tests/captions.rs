//! Captions: true, about nothing but the scene, and different where the scene is.

use std::collections::BTreeSet;

use vqtoken_shapes::{
    Colour, Difficulty, EventKind, Object, Question, Scene, Settings, Shape, Template, all_questions,
    caption, questions,
};

fn scenes() -> impl Iterator<Item = Scene> {
    [Difficulty::Easy, Difficulty::Normal, Difficulty::Hard].into_iter().flat_map(|difficulty| {
        let settings = Settings { shake: 0.0, ..Settings::at(difficulty) };
        (0..700).map(move |seed| Scene::generate(seed, &settings))
    })
}

fn named(object: &Object) -> String {
    format!("{} {}", object.appearance.colour.name(), object.appearance.shape.name())
}

/// The sentence about an object.
fn sentence<'a>(caption: &'a str, object: &Object) -> &'a str {
    let start = format!("The {} ", named(object));
    caption.split_inclusive(". ").find(|sentence| sentence.starts_with(&start)).unwrap_or_default()
}

#[test]
fn captions_are_about_the_objects_of_the_scene_only() {
    let (mut all, mut longest) = (BTreeSet::new(), 0);
    for scene in scenes() {
        let caption = caption(&scene);
        assert_eq!(caption, vqtoken_shapes::caption(&scene.clone()));
        assert!(!caption.contains("  ") && !caption.contains(" .") && caption.ends_with('.'), "{caption}");
        let words: Vec<&str> = caption.split([' ', ',', '.']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            if Shape::ALL.iter().any(|shape| shape.name() == pair[1]) {
                // "The star changes colour first." names no colour.
                let known = scene.objects.iter().any(|object| {
                    named(object) == pair.join(" ")
                        || (pair[0] == "The" && object.appearance.shape.name() == pair[1])
                });
                assert!(known, "{pair:?} in: {caption}");
            } else if Colour::ALL.iter().any(|colour| colour.name() == pair[1]) {
                let known = scene.objects.iter().any(|object| object.colours().any(|c| c.name() == pair[1]));
                assert!(known && ["The", "the", "to"].contains(&pair[0]), "{pair:?} in: {caption}");
            }
        }
        assert!(scene.objects.iter().all(|object| !sentence(&caption, object).is_empty()), "{caption}");
        longest = longest.max(words.len());
        all.insert(caption);
    }
    println!("{} different captions, at most {longest} words", all.len());
    // Most others are of one object that does little.
    assert!(all.len() > 1850, "{}", all.len());
}

/// Whoever has the caption can answer the questions.
#[test]
fn captions_agree_with_the_answers() {
    let mut checked = 0;
    for scene in scenes() {
        let caption = caption(&scene);
        for question in all_questions(&scene) {
            let agrees = agrees(&scene, &caption, &question);
            assert!(agrees.unwrap_or(true), "{} {}\n{caption}", question.question, question.answer_text());
            checked += usize::from(agrees.is_some());
        }
    }
    println!("{checked} answers");
    assert!(checked > 10_000, "{checked}");
}

/// `None` for questions that name no object, where the words of an answer are not to be looked for.
fn agrees(scene: &Scene, caption: &str, question: &Question) -> Option<bool> {
    let answer = question.answer_text();
    match question.template {
        Template::Count => return Some(caption.contains(&format!(" {answer} object"))),
        Template::Movers => return Some(caption.contains(&format!(", {answer} move"))),
        Template::First | Template::Last => {
            let does = question.question.strip_prefix("Which object ")?.strip_suffix('?')?;
            return Some(caption.contains(&format!("T{} {does}.", answer.strip_prefix('t')?)));
        }
        _ => {}
    }
    let object = &scene.objects[question.subject?];
    let told = sentence(caption, object);
    let says = |words: &str| told.contains(words);
    let rests = answer == "it does not move";
    Some(match question.template {
        Template::Direction | Template::Pace if rests => !says(" moves ") && !says("ends"),
        Template::Direction => says(&format!("move {answer}")) || says(&format!("moves {answer}")),
        Template::Pace => says(&format!(" {answer}")),
        Template::Place if question.question.contains("begin") || question.question.contains("start") => {
            says(&format!("begins {answer}"))
        }
        Template::Place => says(&format!("ends {answer}")) || (!object.trajectory.moves() && says(answer)),
        Template::Relation => says(answer.trim_end_matches(" it")) || answer == "neither of them moves",
        Template::Why | Template::Act if answer.contains("another object") => says("bumps") || says("hides"),
        Template::Why | Template::Act => says(answer.strip_prefix("it ")?) || says("disappears"),
        Template::OutOfSight => says(&format!("disappears {answer}")) || answer.starts_with("behind"),
        Template::When => says(&format!(" {answer}")) && says("changes colour to"),
        Template::HowOften => match answer {
            "never" => !says("changes colour"),
            "once" => says("changes colour to"),
            times => says(&format!("changes colour {times}")),
        },
        Template::Before if rests => says("starts to move"),
        Template::After if rests => says("stops"),
        Template::Before | Template::After => {
            says(&format!("move {answer}")) || says(&format!("moves {answer}"))
        }
        Template::Shape => says(&format!(" {answer} ")),
        Template::Colour => says(answer),
        Template::Count | Template::Movers | Template::First | Template::Last => return None,
    })
}

#[test]
fn what_differs_in_a_scene_differs_in_its_caption() {
    let mut checked = 0;
    for scene in scenes() {
        let before = caption(&scene);
        let mut differs = |change: &dyn Fn(&mut Scene)| {
            let mut other = scene.clone();
            change(&mut other);
            assert_ne!(before, caption(&other));
            checked += 1;
        };
        differs(&|other| other.objects[0].appearance = other.absent[0]);
        for (place, event) in scene.events.iter().enumerate() {
            // These follow from legs and colours.
            let derived =
                matches!(event.kind, EventKind::Starts | EventKind::Stops | EventKind::Recolours { .. });
            if !derived {
                differs(&|other| {
                    other.events.remove(place);
                });
            }
        }
        for (number, object) in scene.objects.iter().enumerate() {
            if let Some((_, last)) = object.recolours.last() {
                let another = Colour::ALL.into_iter().find(|colour| colour != last).unwrap();
                differs(&|other| other.objects[number].recolours.last_mut().unwrap().1 = another);
            }
            let still = scene.objects.iter().find(|other| !other.trajectory.moves());
            if let Some(still) = still.filter(|_| object.trajectory.moves()) {
                differs(&|other| other.objects[number].trajectory = still.trajectory.clone());
            }
        }
    }
    assert!(checked > 5_000, "{checked}");
}

#[test]
fn all_questions_hold_whatever_is_asked_otherwise() {
    let (mut few, mut many) = (0, 0);
    for scene in scenes().step_by(5) {
        let all = all_questions(&scene);
        let key = |question: &Question| (question.template, question.subject, question.class);
        let keys: BTreeSet<_> = all.iter().map(key).collect();
        let some = questions(&scene);
        assert!(some.iter().all(|question| keys.contains(&key(question))));
        let texts: BTreeSet<&str> = all.iter().map(|question| question.question.as_str()).collect();
        assert_eq!(texts.len(), all.len());
        (few, many) = (few + some.len(), many + all.len());
    }
    println!("{few} questions, {many} in all");
    assert!(many > few * 3 / 2, "{few} {many}");
}

#[test]
fn prompts_hold_the_options_and_the_answers() {
    let scene = Scene::generate(7, &Settings::default());
    for question in all_questions(&scene) {
        let line = format!("\n{}. {}\n", question.answer_letter(), question.answer_text());
        assert!(question.choice_prompt().contains(&line), "{}", question.choice_prompt());
        assert!(question.choice_prompt().starts_with(&question.question));
        assert!(question.open_prompt().starts_with(&question.question));
        assert!(!question.open_prompt().contains("A. "));
    }
}
