//! Questions about a scene, each with five options of which the script makes exactly one right.
//!
//! [`questions`] gives those from which [`crate::Balance`] chooses a data set's: one scene has no say over how often an
//! answer occurs. Of what would come up too often, or is told by a single frame, there are few. [`all_questions`] gives
//! every question that a scene allows, for training.

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
use crate::scene::State;

/// What is asked; one template has one set of answers.
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
    /// How an object moves with respect to another one.
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
    /// The answer's class within the template; data sets are balanced over these.
    pub class: usize,
    /// Number of the object that the question names; none where the object is what must be found out.
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

    /// Multiple choice: the question, its options by letter, and what to answer with. Goes after the video; the answer is
    /// [`Question::answer_letter`].
    pub fn choice_prompt(&self) -> String {
        let mut prompt = format!("{}\n", self.question);
        for (letter, option) in ('A'..).zip(&self.options) {
            prompt.extend([letter.to_string().as_str(), ". ", option, "\n"]);
        }
        prompt + "Answer with the option's letter from the given choices directly."
    }

    /// Open: the question, and what to answer with. Goes after the video; the answer is [`Question::answer_text`].
    pub fn open_prompt(&self) -> String {
        format!("{}\nAnswer the question using a single word or phrase.", self.question)
    }
}

/// The questions of a scene from which a balanced data set is chosen, in random order (the same for the same scene). The
/// objects in them are described without ambiguity and are seen well enough, and what is asked can be told from eight frames.
pub fn questions(scene: &Scene) -> Vec<Question> {
    ask(Asker::new(scene, false))
}

/// Every question that the scene allows, each in one wording, in random order (the same for the same scene): a superset of
/// what [`questions`] asks about, with the same care. Answers are not balanced, and many can be told from one frame.
pub fn all_questions(scene: &Scene) -> Vec<Question> {
    let mut seen = std::collections::BTreeSet::new();
    let mut questions = ask(Asker::new(scene, true));
    questions.retain(|question| seen.insert(question.question.clone()));
    questions
}

/// The questions of [`Template::First`] and [`Template::Last`], by what is done.
pub(crate) fn first_and_last(scene: &Scene) -> Vec<Question> {
    let mut asker = Asker::new(scene, true);
    temporal::first_and_last(&mut asker);
    asker.questions
}

fn ask(mut asker: Asker<'_>) -> Vec<Question> {
    descriptive::ask(&mut asker);
    motion::ask(&mut asker);
    temporal::ask(&mut asker);
    causal::ask(&mut asker);
    let Asker { mut questions, mut random, .. } = asker;
    random.shuffle(&mut questions);
    questions
}

/// The part of an object that must be visible for it to count as seen.
const SEEN: f32 = 0.6;

/// A scene seen in eight frames, and the questions so far.
struct Asker<'a> {
    scene: &'a Scene,
    names: Names<'a>,
    /// States in eight evenly spaced frames, `[8][objects]`.
    samples: Vec<Vec<State>>,
    /// Whether to leave nothing out.
    everything: bool,
    random: Random,
    questions: Vec<Question>,
}

impl<'a> Asker<'a> {
    fn new(scene: &'a Scene, everything: bool) -> Asker<'a> {
        const SAMPLES: usize = 8;
        let last = scene.frames.max(2) - 1;
        let samples = (0..SAMPLES).map(|step| scene.states(step * last / (SAMPLES - 1))).collect();
        let random = Random::derived(scene.seed, 4);
        Asker { scene, names: Names::of(scene), samples, everything, random, questions: Vec::new() }
    }

    /// Whether to ask what is asked with this probability only.
    fn also(&mut self, probability: f32) -> bool {
        self.everything || self.random.chance(probability)
    }

    /// One of two, by chance, or both: `false` and `true`.
    fn either(&mut self) -> &'static [bool] {
        match (self.everything, self.random.chance(0.5)) {
            (true, _) => &[false, true],
            (false, false) => &[false],
            (false, true) => &[true],
        }
    }

    /// In how many of the eight frames the object is seen.
    fn seen(&self, number: usize) -> usize {
        self.samples.iter().filter(|states| states[number].visible >= SEEN).count()
    }

    fn always_seen(&self, number: usize) -> bool {
        self.seen(number) == self.samples.len()
    }

    /// The object at the end, or at the start, of the clip, if it is seen there.
    fn at(&self, number: usize, end: bool) -> Option<State> {
        let states = if end { self.samples.last() } else { self.samples.first() };
        states.map(|states| states[number]).filter(|state| state.visible >= SEEN)
    }

    fn numbers(&self) -> std::ops::Range<usize> {
        0..self.scene.objects.len()
    }

    /// Adds a question with the right option and at least four wrong ones, of which the first `must` are sure to be
    /// taken. Nothing where there are too few.
    fn add(&mut self, asked: Asked, right: String, must: usize, wrong: Vec<String>) {
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
        let Asked { template, question, class, subject } = asked;
        self.questions.push(Question { template, question, options, answer, class, subject });
    }

    /// [`Asker::add`] for a template whose options are always the same five; the class is the place in the list.
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
        self.add(Asked { template, question, class, subject }, (*right).to_string(), 4, wrong);
    }
}

/// A question without its options.
struct Asked {
    template: Template,
    question: String,
    class: usize,
    subject: Option<usize>,
}

/// The options for a course and the class of one of them.
const COURSES: [&str; 5] = ["left", "right", "up", "down", "it does not move"];

pub(crate) fn course_class(course: Option<Direction>) -> usize {
    course.map_or(4, |direction| direction as usize)
}
