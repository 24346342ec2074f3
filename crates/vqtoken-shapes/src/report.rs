//! How much can be answered without watching the clip.
//!
//! Every score here is a guesser's accuracy that is learnt on one half of the scenes and measured on the other, both
//! ways: what a model can pick up from the words alone, or from the one frame in the middle of the clip with perfect
//! eyes.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::Scene;
use crate::data_set::Clip;
use crate::geometry::Place;
use crate::object::Object;
use crate::question::{Question, Template};
use crate::random::mix;
use crate::scene::State;

/// Accuracies of guessers, in `[0, 1]`; chance is 0.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Guesses {
    /// How many questions.
    pub questions: usize,
    /// Takes the option that is most often right in the template.
    pub majority: f64,
    /// Takes the option that is most often right where it is offered in the template, given the words of the question.
    pub blind: f64,
    /// Takes the place in the list that is most often right.
    pub position: f64,
    /// Sees the middle frame: where the object in question is, its colour, how many objects are there.
    pub single_frame: f64,
}

/// What [`report`] finds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// All questions together.
    pub all: Guesses,
    /// The questions of each template.
    pub templates: BTreeMap<Template, Guesses>,
    /// How many questions of each type, see [`Template::code`].
    pub types: BTreeMap<&'static str, usize>,
    /// How often each place in the list is the right one.
    pub positions: [usize; 5],
    /// How often each answer class of each template is right.
    pub classes: BTreeMap<Template, BTreeMap<usize, usize>>,
    /// A question of each template with its options, the right one between asterisks.
    pub examples: BTreeMap<Template, String>,
}

impl Report {
    /// [`report`] over all questions of a data set.
    pub fn of(clips: &[Clip]) -> Report {
        let asked =
            clips.iter().flat_map(|clip| clip.questions.iter().map(|question| (&clip.scene, question)));
        report(&asked.collect::<Vec<_>>())
    }
}

/// How well questions can be guessed. A few thousand are needed for figures that mean something.
pub fn report(questions: &[(&Scene, &Question)]) -> Report {
    let seen: Vec<Seen> = questions.iter().map(|(scene, question)| Seen::of(scene, question)).collect();
    let mut report = Report::default();
    let mut hits: BTreeMap<Template, [usize; 4]> = BTreeMap::new();
    for half in [false, true] {
        let mut memory = Memory::default();
        let of_half = |wanted: bool| questions.iter().zip(&seen).filter(move |(_, seen)| seen.half == wanted);
        for ((_, question), seen) in of_half(!half) {
            memory.learn(question, seen);
        }
        for ((_, question), seen) in of_half(half) {
            let hits = hits.entry(question.template).or_default();
            for (hit, guess) in hits.iter_mut().zip(memory.guesses(question, seen)) {
                *hit += usize::from(guess == question.answer);
            }
        }
    }
    for (_, question) in questions {
        report.templates.entry(question.template).or_default().questions += 1;
        *report.types.entry(question.code()).or_default() += 1;
        report.examples.entry(question.template).or_insert_with(|| example(question));
        *report.classes.entry(question.template).or_default().entry(question.class).or_default() += 1;
        if let Some(count) = report.positions.get_mut(question.answer) {
            *count += 1;
        }
    }
    let mut sum = [0; 4];
    for (template, hits) in hits {
        sum.iter_mut().zip(hits).for_each(|(sum, hits)| *sum += hits);
        if let Some(guesses) = report.templates.get_mut(&template) {
            *guesses = Guesses::from(guesses.questions, hits);
        }
    }
    report.all = Guesses::from(questions.len(), sum);
    report
}

impl Guesses {
    fn from(questions: usize, hits: [usize; 4]) -> Guesses {
        let [majority, blind, position, single_frame] =
            hits.map(|hits| hits as f64 / questions.max(1) as f64);
        Guesses { questions, majority, blind, position, single_frame }
    }
}

fn example(question: &Question) -> String {
    let mark = |(place, option): (usize, &String)| match place == question.answer {
        true => format!("*{option}*"),
        false => option.clone(),
    };
    let options: Vec<String> = question.options.iter().enumerate().map(mark).collect();
    format!("{} {}", question.question, options.join(" / "))
}

impl fmt::Display for Report {
    /// A table in Markdown, in percent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Below this, learnt guessers know little and figures jump about.
        const ENOUGH: usize = 5000;
        let cells = |guesses: &Guesses| {
            let Guesses { questions, majority, blind, single_frame, .. } = guesses;
            let [majority, blind, middle] = [majority, blind, single_frame].map(|share| 100.0 * share);
            format!("{questions} | {majority:.1} | {blind:.1} | {middle:.1}")
        };
        writeln!(f, "| template | type | questions | majority | blind | middle frame | example |")?;
        writeln!(f, "| --- | --- | --- | --- | --- | --- | --- |")?;
        for (template, guesses) in &self.templates {
            let example = self.examples.get(template).map_or("", String::as_str);
            writeln!(f, "| {template:?} | {} | {} | {example} |", template.code(), cells(guesses))?;
        }
        writeln!(f, "| all | | {} | |", cells(&self.all))?;
        writeln!(f)?;
        writeln!(
            f,
            "Right guesses in percent; chance is 20. Majority takes the option that is most often right in the template."
        )?;
        writeln!(
            f,
            "Blind also knows the words of the question. Middle frame also sees, without error, where the object in question"
        )?;
        writeln!(
            f,
            "is in the middle of the clip, its look, and how many objects are there. Each is learnt on one half of the clips and"
        )?;
        writeln!(f, "measured on the other, both ways.")?;
        if self.all.questions < ENOUGH {
            writeln!(f)?;
            writeln!(
                f,
                "These are few questions: figures of single templates mean little below {ENOUGH} questions in all."
            )?;
        }
        Ok(())
    }
}

/// What a guesser may look at.
struct Seen {
    half: bool,
    /// Words of the question that may tell something: its first word and the object's colour and shape.
    words: String,
    /// Cell of 3 x 3 where the subject is in the middle frame, 9 where it is not seen.
    cell: usize,
    /// How many objects are seen in the middle frame.
    count: usize,
    /// Options that describe the subject as it is in the middle frame, or any object where the question names none.
    fits: [bool; 5],
}

impl Seen {
    fn of(scene: &Scene, question: &Question) -> Seen {
        let states = scene.states(scene.frames / 2);
        let subject = question.subject.and_then(|number| states.get(number).zip(scene.objects.get(number)));
        let subject = subject.filter(|(state, _)| state.visible > 0.1);
        let cell = subject.map_or(9, |(state, _)| {
            let third = |coordinate: f32| (coordinate * 3.0).clamp(0.0, 2.0) as usize;
            3 * third(state.centre[1]) + third(state.centre[0])
        });
        let fits = std::array::from_fn(|option| {
            let option = question.options[option].as_str();
            let fits = |(state, object): (&State, &Object)| {
                let (colour, shape) = (state.colour.name(), object.look.shape.name());
                let place = Place::of(state.centre).map_or("", Place::name);
                [colour, shape, place].contains(&option) || option == format!("the {colour} {shape}")
            };
            match question.subject {
                Some(_) => subject.is_some_and(fits),
                None => states.iter().zip(&scene.objects).filter(|(state, _)| state.visible > 0.1).any(fits),
            }
        });
        let words = question.question.split([' ', '?']).filter(|word| !word.is_empty() && *word != "the");
        Seen {
            half: mix(scene.seed) & 1 == 1,
            words: words.collect::<Vec<_>>().join(" "),
            cell,
            count: states.iter().filter(|state| state.visible > 0.1).count(),
            fits,
        }
    }
}

/// How often something was right, and how often it was there to be chosen.
#[derive(Clone, Debug, Default)]
struct Memory(BTreeMap<String, (f32, f32)>);

impl Memory {
    fn learn(&mut self, question: &Question, seen: &Seen) {
        for (place, option) in question.options.iter().enumerate() {
            let right = if place == question.answer { 1.0 } else { 0.0 };
            for key in keys(question, seen, place, option) {
                let entry = self.0.entry(key).or_default();
                entry.0 += right;
                entry.1 += 1.0;
            }
        }
    }

    /// By majority, blind, by position, by the single frame.
    fn guesses(&self, question: &Question, seen: &Seen) -> [usize; 4] {
        let scores: Vec<[f32; 4]> = question
            .options
            .iter()
            .enumerate()
            .map(|(place, option)| {
                let found = keys(question, seen, place, option)
                    .map(|key| self.0.get(&key).copied().unwrap_or_default());
                let [plain, worded, position, cell, count, fits] =
                    found.map(|(right, offered)| ((right + 2.0) / (offered + 10.0)).ln());
                // Evidence adds up as if independent, over the share that the option has anyway.
                [found[0].0, plain.max(worded), position, cell + count + fits - 2.0 * plain]
            })
            .collect();
        std::array::from_fn(|guesser| {
            let best = (0..scores.len()).max_by(|&a, &b| scores[a][guesser].total_cmp(&scores[b][guesser]));
            best.unwrap_or(0)
        })
    }
}

fn keys(question: &Question, seen: &Seen, place: usize, option: &str) -> [String; 6] {
    let template = question.template.code();
    let base = format!("{template} {:?} {option}", question.template);
    [
        base.clone(),
        format!("{base} words {}", seen.words),
        format!("position {place}"),
        format!("{base} cell {}", seen.cell),
        format!("{base} count {}", seen.count),
        format!("{:?} fits {} {}", question.template, seen.fits[place], seen.fits.iter().any(|&fits| fits)),
    ]
}
