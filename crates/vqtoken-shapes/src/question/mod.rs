//! Questions about a scene, each with five options of which exactly one is right by the script.
//!
//! [`questions`] gives those from which [`crate::Balance`] chooses the ones of a data set. It leaves out most of those that would
//! occur too often or that a single frame answers. [`all_questions`] gives every question that a scene allows, for training.

mod causal;
mod descriptive;
pub(crate) mod motion;
mod names;
mod temporal;

use serde::{Deserialize, Serialize};

use self::names::Names;
use crate::Scene;
use crate::geometry::Direction;
use crate::random::Random;
use crate::scene::ObjectState;

/// What is asked. All questions of a template have the same set of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Template {
    /// What shape the object of a colour has.
    Shape,
    /// What colour an object has, at the start or at the end if it changes.
    Colour,
    /// How many objects there are in all.
    Count,
    /// Where an object is at the start or at the end.
    Place,
    /// Which way an object moves.
    Direction,
    /// How fast an object moves, and whether that changes.
    Pace,
    /// How an object moves relative to another one.
    Relation,
    /// How many objects move.
    Movers,
    /// What an object does.
    Act,
    /// Which way an object moves before it changes colour.
    Before,
    /// Which way an object moves after it changed colour.
    After,
    /// Where an object is when it changes colour.
    When,
    /// Which object is the first to do something.
    First,
    /// Which object is the last to do something.
    Last,
    /// How many times an object changes colour.
    HowOften,
    /// Why an object changes its direction.
    Why,
    /// How an object gets out of sight.
    OutOfSight,
}

impl Template {
    /// Every template.
    pub const ALL: [Template; 17] = [
        Template::Shape,
        Template::Colour,
        Template::Count,
        Template::Place,
        Template::Direction,
        Template::Pace,
        Template::Relation,
        Template::Movers,
        Template::Act,
        Template::Before,
        Template::After,
        Template::When,
        Template::First,
        Template::Last,
        Template::HowOften,
        Template::Why,
        Template::OutOfSight,
    ];

    /// The type as in the column `type`: NExT-QA's where they mean the same (descriptive DC count, DL location, DO other;
    /// temporal TP previous, TC current, TN next; causal CW why, CH how), and of our own TF (how often) and for motion
    /// MA (action), MC (how many move), MD (direction), MR (relative to another object), MS (speed).
    pub fn code(self) -> &'static str {
        match self {
            Template::Shape | Template::Colour => "DO",
            Template::Count => "DC",
            Template::Place => "DL",
            Template::Direction => "MD",
            Template::Pace => "MS",
            Template::Relation => "MR",
            Template::Movers => "MC",
            Template::Act => "MA",
            Template::Before | Template::First => "TP",
            Template::After | Template::Last => "TN",
            Template::When => "TC",
            Template::HowOften => "TF",
            Template::Why => "CW",
            Template::OutOfSight => "CH",
        }
    }

    /// How often an answer class should occur, relative to the others of the template.
    pub(crate) fn weight(self, class: usize) -> f32 {
        if self == Template::Why && class == causal::BY_AN_OBJECT { 3.0 } else { 1.0 }
    }
}

/// A question about one scene.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// What is asked.
    pub template: Template,
    /// The question, in words.
    pub question: String,
    /// The options, in words, all different.
    pub options: [String; 5],
    /// Which option is right, 0 to 4.
    pub answer: usize,
    /// The index of the answer among the template's; data sets are balanced over these.
    pub class: usize,
    /// The index of the object that the question names; `None` where it names none, or asks for it.
    pub subject: Option<usize>,
}

impl Question {
    /// The type as in the column `type` of NExT-QA, see [`Template::code`].
    pub fn code(&self) -> &'static str {
        self.template.code()
    }

    /// The right answer, in words.
    pub fn answer_text(&self) -> &str {
        self.options.get(self.answer).map_or("", String::as_str)
    }

    /// The right answer's letter, A to E.
    pub fn answer_letter(&self) -> char {
        char::from(b'A' + self.answer.min(4) as u8)
    }

    /// The prompt for multiple choice, after the video: the question, its options by letter, and how to answer. The answer is
    /// [`Question::answer_letter`].
    pub fn choice_prompt(&self) -> String {
        let mut prompt = format!("{}\n", self.question);
        for (letter, option) in ('A'..).zip(&self.options) {
            prompt.extend([letter.to_string().as_str(), ". ", option, "\n"]);
        }
        prompt + "Answer with the option's letter from the given choices directly."
    }

    /// The prompt for an open answer, after the video: the question, and how to answer. The answer is [`Question::answer_text`].
    pub fn open_prompt(&self) -> String {
        format!("{}\nAnswer the question using a single word or phrase.", self.question)
    }
}

/// The questions of a scene from which a balanced data set is chosen, in random order (the same for the same scene). They name
/// objects without ambiguity, ask only about objects that are visible enough, and can be answered from eight frames.
pub fn questions(scene: &Scene) -> Vec<Question> {
    ask(Builder::new(scene, Coverage::Sampled))
}

/// Every question that a scene allows, each in one wording, in random order (the same for the same scene): a superset of what
/// [`questions`] asks about, by the same rules. Answers are not balanced, and one frame answers many.
pub fn all_questions(scene: &Scene) -> Vec<Question> {
    let mut seen = std::collections::BTreeSet::new();
    let mut questions = ask(Builder::new(scene, Coverage::All));
    questions.retain(|question| seen.insert(question.question.clone()));
    questions
}

/// The questions of [`Template::First`] and [`Template::Last`].
pub(crate) fn first_and_last(scene: &Scene) -> Vec<Question> {
    let mut builder = Builder::new(scene, Coverage::All);
    temporal::first_and_last(&mut builder);
    builder.questions
}

fn ask(mut builder: Builder<'_>) -> Vec<Question> {
    descriptive::ask(&mut builder);
    motion::ask(&mut builder);
    temporal::ask(&mut builder);
    causal::ask(&mut builder);
    let Builder { mut questions, mut random, .. } = builder;
    random.shuffle(&mut questions);
    questions
}

/// An object counts as seen if at least this share of it is visible.
const SEEN: f32 = 0.6;

/// Which of the questions that a scene allows are asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Coverage {
    /// Fewer of those that would occur too often.
    Sampled,
    All,
}

/// One end of a clip.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    Start,
    End,
}

/// Both ends of a clip.
const ENDS: [Moment; 2] = [Moment::Start, Moment::End];

/// A scene, its states in eight frames, and the questions so far.
struct Builder<'a> {
    scene: &'a Scene,
    names: Names<'a>,
    /// States in eight evenly spaced frames, `[8][objects]`.
    samples: Vec<Vec<ObjectState>>,
    coverage: Coverage,
    random: Random,
    questions: Vec<Question>,
}

impl<'a> Builder<'a> {
    fn new(scene: &'a Scene, coverage: Coverage) -> Builder<'a> {
        const SAMPLES: usize = 8;
        let last = scene.frames.max(2) - 1;
        let samples = (0..SAMPLES).map(|step| scene.states(step * last / (SAMPLES - 1))).collect();
        let random = Random::derived(scene.seed, 4);
        Builder { scene, names: Names::of(scene), samples, coverage, random, questions: Vec::new() }
    }

    /// Whether to ask a question that is sampled with this probability.
    fn samples(&mut self, probability: f32) -> bool {
        self.coverage == Coverage::All || self.random.chance(probability)
    }

    /// One of two choices at random, or both where all questions are asked.
    fn one_or_both<T>(&mut self, choices: &'static [T; 2]) -> &'static [T] {
        match (self.coverage, self.random.chance(0.5)) {
            (Coverage::All, _) => choices,
            (Coverage::Sampled, false) => &choices[..1],
            (Coverage::Sampled, true) => &choices[1..],
        }
    }

    /// In how many of the eight frames the object is seen.
    fn seen(&self, index: usize) -> usize {
        self.samples.iter().filter(|states| states[index].visible >= SEEN).count()
    }

    fn always_seen(&self, index: usize) -> bool {
        self.seen(index) == self.samples.len()
    }

    /// The object at one end of the clip, if it is seen there.
    fn at(&self, index: usize, moment: Moment) -> Option<ObjectState> {
        let states = match moment {
            Moment::Start => self.samples.first(),
            Moment::End => self.samples.last(),
        };
        states.map(|states| states[index]).filter(|state| state.visible >= SEEN)
    }

    fn objects(&self) -> std::ops::Range<usize> {
        0..self.scene.objects.len()
    }

    /// Adds a question with the right option and four of `wrong`, of which the first `must` are sure to be taken. Adds none where
    /// there are too few.
    fn add(&mut self, draft: Draft, right: String, must: usize, wrong: Vec<String>) {
        let mut others: Vec<String> = Vec::new();
        for option in wrong {
            if option != right && !others.contains(&option) {
                others.push(option);
            }
        }
        let must = must.min(others.len());
        self.random.shuffle(&mut others[must..]);
        others.truncate(4);
        let answer = self.random.below(5);
        self.random.shuffle(&mut others);
        others.insert(answer.min(others.len()), right);
        let Ok(options) = <[String; 5]>::try_from(others) else { return };
        let Draft { template, question, class, subject } = draft;
        self.questions.push(Question { template, question, options, answer, class, subject });
    }

    /// [`Builder::add`] for a template whose options are always the same five; `class` is the index of the right one.
    fn add_of_five(
        &mut self,
        template: Template,
        question: String,
        class: usize,
        subject: Option<usize>,
        five: [&str; 5],
    ) {
        let Some(right) = five.get(class) else { return };
        let wrong = five.iter().filter(|option| *option != right).map(ToString::to_string).collect();
        self.add(Draft { template, question, class, subject }, (*right).to_string(), 4, wrong);
    }
}

/// A question without its options.
struct Draft {
    template: Template,
    question: String,
    class: usize,
    subject: Option<usize>,
}

/// The options for a course; see [`course_class`].
const COURSES: [&str; 5] = ["left", "right", "up", "down", "it does not move"];

/// The index of a course in [`COURSES`]; `None` is rest.
pub(crate) fn course_class(course: Option<Direction>) -> usize {
    course.map_or(4, |direction| direction as usize)
}
