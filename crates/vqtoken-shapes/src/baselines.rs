//! Baselines that do not watch the clip: how many questions can be guessed.
//!
//! Each baseline is fitted on one half of the scenes and measured on the other, both ways. They bound what a model can learn from
//! the words alone, and from the middle frame alone with perfect vision.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::Scene;
use crate::data_set::Clip;
use crate::geometry::Place;
use crate::object::Object;
use crate::question::{Question, Template};
use crate::random::mix;
use crate::scene::ObjectState;

/// Accuracies of the baselines, in `[0, 1]`; chance is 0.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct BaselineAccuracy {
    /// The number of questions.
    pub questions: usize,
    /// Takes the option that is most often right in the template.
    pub majority: f64,
    /// Takes the option that is most often right, where it is offered in the template, given the words of the question.
    pub blind: f64,
    /// Takes the position in the list that is most often right.
    pub position: f64,
    /// Sees the middle frame: where the object in question is, its colour, how many objects are visible.
    pub single_frame: f64,
}

/// What [`baseline_report`] measures.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BaselineReport {
    /// All questions together.
    pub all: BaselineAccuracy,
    /// The questions of each template.
    pub templates: BTreeMap<Template, BaselineAccuracy>,
    /// The number of questions of each type, see [`Template::code`].
    pub types: BTreeMap<&'static str, usize>,
    /// How often each position in the list is the right one.
    pub positions: [usize; 5],
    /// How often each answer class of each template is right.
    pub classes: BTreeMap<Template, BTreeMap<usize, usize>>,
    /// A question of each template with its options, the right one in asterisks.
    pub examples: BTreeMap<Template, String>,
}

impl BaselineReport {
    /// [`baseline_report`] over all questions of a data set.
    pub fn of(clips: &[Clip]) -> BaselineReport {
        let asked =
            clips.iter().flat_map(|clip| clip.questions.iter().map(|question| (&clip.scene, question)));
        baseline_report(&asked.collect::<Vec<_>>())
    }
}

/// How well questions can be guessed. It takes a few thousand for reliable figures.
pub fn baseline_report(questions: &[(&Scene, &Question)]) -> BaselineReport {
    let seen: Vec<Seen> = questions.iter().map(|(scene, question)| Seen::of(scene, question)).collect();
    let mut report = BaselineReport::default();
    let mut hits: BTreeMap<Template, [usize; 4]> = BTreeMap::new();
    for half in [false, true] {
        let mut counts = Counts::default();
        let of_half = |wanted: bool| questions.iter().zip(&seen).filter(move |(_, seen)| seen.half == wanted);
        for ((_, question), seen) in of_half(!half) {
            counts.add(question, seen);
        }
        for ((_, question), seen) in of_half(half) {
            let hits = hits.entry(question.template).or_default();
            for (hit, guess) in hits.iter_mut().zip(counts.guesses(question, seen)) {
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
            *guesses = BaselineAccuracy::from(guesses.questions, hits);
        }
    }
    report.all = BaselineAccuracy::from(questions.len(), sum);
    report
}

impl BaselineAccuracy {
    fn from(questions: usize, hits: [usize; 4]) -> BaselineAccuracy {
        let [majority, blind, position, single_frame] =
            hits.map(|hits| hits as f64 / questions.max(1) as f64);
        BaselineAccuracy { questions, majority, blind, position, single_frame }
    }
}

fn example(question: &Question) -> String {
    let mark = |(index, option): (usize, &String)| match index == question.answer {
        true => format!("*{option}*"),
        false => option.clone(),
    };
    let options: Vec<String> = question.options.iter().enumerate().map(mark).collect();
    format!("{} {}", question.question, options.join(" / "))
}

impl fmt::Display for BaselineReport {
    /// A table in Markdown, in percent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// With fewer questions the figures of templates are unreliable.
        const ENOUGH: usize = 5000;
        let cells = |guesses: &BaselineAccuracy| {
            let BaselineAccuracy { questions, majority, blind, single_frame, .. } = guesses;
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

/// What the baselines may look at.
struct Seen {
    half: bool,
    /// The words of the question that may give something away.
    words: String,
    /// The cell of 3 x 3 in which the subject is in the middle frame, 9 where it is not visible.
    cell: usize,
    /// How many objects are visible in the middle frame.
    count: usize,
    /// The options that describe the subject as it is in the middle frame, or any object where the question names none.
    fits: [bool; 5],
}

impl Seen {
    fn of(scene: &Scene, question: &Question) -> Seen {
        let states = scene.states(scene.frames / 2);
        let subject = question.subject.and_then(|index| states.get(index).zip(scene.objects.get(index)));
        let subject = subject.filter(|(state, _)| state.visible > 0.1);
        let cell = subject.map_or(9, |(state, _)| {
            let third = |coordinate: f32| (coordinate * 3.0).clamp(0.0, 2.0) as usize;
            3 * third(state.centre[1]) + third(state.centre[0])
        });
        let fits = std::array::from_fn(|option| {
            let option = question.options[option].as_str();
            let fits = |(state, object): (&ObjectState, &Object)| {
                let (colour, shape) = (state.colour.name(), object.appearance.shape.name());
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

/// How often an option was right, and how often it was offered, by key.
#[derive(Clone, Debug, Default)]
struct Counts(BTreeMap<String, (f32, f32)>);

impl Counts {
    fn add(&mut self, question: &Question, seen: &Seen) {
        for (index, option) in question.options.iter().enumerate() {
            let right = if index == question.answer { 1.0 } else { 0.0 };
            for key in keys(question, seen, index, option) {
                let entry = self.0.entry(key).or_default();
                entry.0 += right;
                entry.1 += 1.0;
            }
        }
    }

    /// The options that the baselines take: majority, blind, position, single frame.
    fn guesses(&self, question: &Question, seen: &Seen) -> [usize; 4] {
        let scores: Vec<[f32; 4]> = question
            .options
            .iter()
            .enumerate()
            .map(|(index, option)| {
                let found = keys(question, seen, index, option)
                    .map(|key| self.0.get(&key).copied().unwrap_or_default());
                let [plain, worded, position, cell, count, fits] =
                    found.map(|(right, offered)| ((right + 2.0) / (offered + 10.0)).ln());
                // Evidence adds up as if it were independent, relative to the option's share without it.
                [found[0].0, plain.max(worded), position, cell + count + fits - 2.0 * plain]
            })
            .collect();
        std::array::from_fn(|baseline| {
            let best = (0..scores.len()).max_by(|&a, &b| scores[a][baseline].total_cmp(&scores[b][baseline]));
            best.unwrap_or(0)
        })
    }
}

fn keys(question: &Question, seen: &Seen, index: usize, option: &str) -> [String; 6] {
    let template = question.template.code();
    let base = format!("{template} {:?} {option}", question.template);
    [
        base.clone(),
        format!("{base} words {}", seen.words),
        format!("position {index}"),
        format!("{base} cell {}", seen.cell),
        format!("{base} count {}", seen.count),
        format!("{:?} fits {} {}", question.template, seen.fits[index], seen.fits.iter().any(|&fits| fits)),
    ]
}
