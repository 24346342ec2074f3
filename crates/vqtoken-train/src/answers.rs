//! Answering questions about clips: the language model reads what stands for a clip once, then each question about it.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rayon::prelude::*;
use vqtoken_core::GridShape;
use vqtoken_model::LanguageCache;
use vqtoken_model::{OneVision, VideoInPrompt};

use crate::config::{AnswersConfig, Reading};
use crate::data::{Clips, Conversation, Kind, Use};
use crate::draws::Draws;
use crate::error::TrainError;
use crate::learner::Learner;
use crate::losses::{argmax_rows, cross_entropy};
use crate::objective::{Loss, Measures, Objective, Place};
use crate::paths::{path_loss, ways};
use crate::pieces::{clip_numbers, drawn_budget};
use crate::reading::{Reader, Visual};
use crate::text::{Lesson, Teacher};
use crate::truths::{Guessed, fact_loss, of_cells, of_codes, seen};

/// Clips that are validated together.
const VALIDATION_BATCH: usize = 8;

/// Cross-entropy of the answers' words, with a pull between tokens and codes where the grid is computed.
pub(crate) struct Answers<'a> {
    config: AnswersConfig,
    clips: &'a dyn Clips,
    reader: Reader,
    teacher: Teacher,
    seed: u64,
    batch: usize,
    device: Device,
}

/// The language model's loss on some lessons.
#[derive(Default)]
struct Read {
    /// None where there are no lessons.
    loss: Option<Tensor<1>>,
    score: Score,
    /// The visual tokens before the first layer of the language model and behind each, `[clips, M, D]`; empty where nothing
    /// is read off them.
    visual: Vec<Tensor<3>>,
}

/// Answers of which every word is the likeliest, given the right ones before it, and all, for each [`Kind`].
#[derive(Clone, Copy, Default)]
struct Score([[usize; 2]; Kind::ALL.len()]);

impl Score {
    fn add(&mut self, other: Self) {
        for (sum, one) in self.0.iter_mut().flatten().zip(other.0.iter().flatten()) {
            *sum += one;
        }
    }

    fn count(&self) -> usize {
        self.0.iter().map(|[_, all]| all).sum()
    }

    /// Of all kinds together.
    fn share(&self) -> f64 {
        let right: usize = self.0.iter().map(|[right, _]| right).sum();
        right as f64 / self.count().max(1) as f64
    }

    fn right(&self, kind: Kind) -> Option<f64> {
        let [right, all] = self.0[kind as usize];
        (all > 0).then(|| right as f64 / all as f64)
    }

    fn measures(&self) -> Measures {
        let known = |kind: Kind| Some((kind, self.right(kind)?));
        let add = |measures: Measures, (kind, right): (Kind, f64)| measures.with(kind.measure(), right);
        Kind::ALL.into_iter().filter_map(known).fold(Measures::default(), add)
    }
}

impl<'a> Answers<'a> {
    /// The objective; `batch` clips a piece.
    pub(crate) fn new(
        config: AnswersConfig,
        clips: &'a dyn Clips,
        reader: Reader,
        teacher: Teacher,
        seed: u64,
        batch: usize,
    ) -> Self {
        let device = reader.device.clone();
        Self { config, clips, reader, teacher, seed, batch, device }
    }

    fn lessons(&self, conversations: &[Vec<Conversation>]) -> Result<Vec<Vec<Lesson>>, TrainError> {
        let video = match self.config.reading {
            Reading::Blind => VideoInPrompt::Absent,
            _ => VideoInPrompt::Present,
        };
        let of_clip = |conversations: &Vec<Conversation>| {
            conversations.iter().map(|one| Ok(self.teacher.lesson(one, video)?)).collect()
        };
        conversations.iter().map(of_clip).collect()
    }

    /// The loss on the lessons of each clip.
    fn read(&self, model: &OneVision, visual: &Visual, lessons: &[Vec<Lesson>]) -> Result<Read, TrainError> {
        let clips = lessons.len();
        let mut flat: Vec<(usize, &Lesson)> = lessons
            .iter()
            .enumerate()
            .flat_map(|(clip, of_clip)| of_clip.iter().map(move |one| (clip, one)))
            .collect();
        flat.sort_by_key(|(_, lesson)| lesson.after.len());
        let mut cache = model.language.new_cache();
        let mut read = Read::default();
        if let Some(tokens) = visual.tokens.clone() {
            let [_, count, d] = tokens.dims();
            let before = flat.first().map_or(&[][..], |(_, lesson)| &lesson.before);
            let first = before.len();
            let mut positions: Vec<usize> = Vec::with_capacity(clips * (first + count + 1));
            for of_clip in &visual.positions {
                positions.extend(0..first);
                positions.extend(of_clip.iter().map(|position| first + position));
                positions.push(first + visual.length);
            }
            let mut parts = Vec::new();
            if !before.is_empty() {
                parts.push(model.language.embed(before).unsqueeze::<3>().expand([clips, before.len(), d]));
            }
            parts.push(tokens);
            parts.push(model.language.image_newline().reshape([1, 1, d]).expand([clips, 1, d]));
            // What the language model says behind the video is of no interest, what it keeps of it is.
            let states = model.language.read_states(Tensor::cat(parts, 1), &positions, &mut cache);
            if self.config.facts.is_some() || self.config.paths.is_some() {
                let visual = |state: Tensor<3>| state.slice([0..clips, first..first + count, 0..d]);
                read.visual = states.into_iter().map(visual).collect();
            }
        }
        let total: f32 = flat.iter().flat_map(|(_, lesson)| &lesson.weights).sum();
        // Lessons of about one length together, so that little is filled up.
        for group in flat.chunk_by(|(_, a), (_, b)| length_class(a) == length_class(b)) {
            self.read_group(model, &cache, group, total, &mut read);
        }
        Ok(read)
    }

    /// The weighted loss on facts about the visual tokens at their layer, if it is wanted.
    fn facts(
        &self,
        learner: &Learner,
        read: &Read,
        numbers: &[usize],
        visual: &Visual,
    ) -> Result<Option<(Tensor<1>, Guessed)>, TrainError> {
        let (Some(term), Some(heads)) = (self.config.facts, &learner.fact_heads) else {
            return Ok(None);
        };
        let Some(tokens) = read.visual.get(term.layer).cloned() else { return Ok(None) };
        let shape = self.pooled_shape(visual);
        let truths = numbers.par_iter().enumerate().map(|(index, &number)| {
            match (self.clips.scene(number), visual.maps.get(index)) {
                (None, _) => Ok(Vec::new()),
                (Some(scene), Some(map)) => of_codes(scene, map),
                (Some(scene), None) => of_cells(scene, shape, &visual.positions[index]),
            }
        });
        let truths = truths.collect::<Result<Vec<_>, TrainError>>()?;
        let (loss, guessed) = fact_loss(heads, tokens, &truths, &self.device);
        Ok(Some((loss * term.weight, guessed)))
    }

    /// The weighted loss on the paths of what visual tokens show, if it is wanted, and the error.
    fn paths(
        &self,
        learner: &Learner,
        read: &Read,
        numbers: &[usize],
        visual: &Visual,
    ) -> Result<Option<(Tensor<1>, f64)>, TrainError> {
        let (Some(term), Some(heads)) = (self.config.paths, &learner.path_heads) else {
            return Ok(None);
        };
        let Some(tokens) = read.visual.get(term.layer).cloned() else { return Ok(None) };
        let shape = self.pooled_shape(visual);
        let of_clip = |(&number, cells): (&usize, &Vec<usize>)| {
            self.clips.scene(number).map_or(Ok(Vec::new()), |scene| ways(scene, shape, cells))
        };
        let ways = numbers.par_iter().zip(&visual.positions).map(of_clip);
        let ways = ways.collect::<Result<Vec<_>, TrainError>>()?;
        let loss = path_loss(heads, tokens, &ways, &self.device);
        let error = f64::from(loss.clone().into_scalar::<f32>());
        Ok(Some((loss * term.weight, error)))
    }

    /// Which tokens of each clip's pooled grid show an object.
    fn shown(&self, numbers: &[usize], visual: &Visual) -> Result<Vec<Vec<bool>>, TrainError> {
        let shape = self.pooled_shape(visual);
        let of_clip = |&number: &usize| match self.clips.scene(number) {
            Some(scene) => Ok(seen(scene, shape)?.iter().map(Option::is_some).collect()),
            None => Ok(vec![false; visual.length]),
        };
        numbers.par_iter().map(of_clip).collect()
    }

    /// A pooled grid is square.
    fn pooled_shape(&self, visual: &Visual) -> GridShape {
        let side = (visual.length / self.config.frames).isqrt();
        GridShape { frames: self.config.frames, height: side, width: side }
    }

    fn read_group(
        &self,
        model: &OneVision,
        cache: &LanguageCache,
        group: &[(usize, &Lesson)],
        total: f32,
        read: &mut Read,
    ) {
        let length = group.iter().map(|(_, lesson)| lesson.after.len()).max().unwrap_or(0).max(2) - 1;
        let mut ids = Vec::with_capacity(group.len() * length);
        let (mut rows, mut targets, mut weights, mut of_lesson) = (vec![], vec![], vec![], vec![]);
        for (number, (_, lesson)) in group.iter().enumerate() {
            let inputs = lesson.after.len().saturating_sub(1);
            ids.extend_from_slice(&lesson.after[..inputs]);
            // Behind the end nothing is learnt, and what stands there cannot be seen from before it.
            ids.resize((number + 1) * length, 0);
            for (position, &weight) in lesson.weights.iter().enumerate().skip(1).filter(|(_, w)| **w > 0.0) {
                rows.push((number * length + position - 1) as i64);
                targets.push(lesson.after[position]);
                weights.push(weight);
                of_lesson.push(number);
            }
        }
        let clips: Vec<usize> = group.iter().map(|(clip, _)| *clip).collect();
        let mut cache = if cache.is_empty() { cache.clone() } else { cache.select(&clips) };
        let embedded = model.language.embed(&ids);
        let [_, d] = embedded.dims();
        let hidden = model.language.read_batch(embedded.reshape([group.len(), length, d]), &mut cache);
        let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [targets.len()]), &self.device);
        let logits = model.language.logits(hidden.reshape([group.len() * length, d]).select(0, rows));
        let guesses = argmax_rows(&logits);
        let mut right = vec![true; group.len()];
        for ((guess, target), &number) in guesses.iter().zip(&targets).zip(&of_lesson) {
            right[number] &= guess == target;
        }
        for ((_, lesson), right) in group.iter().zip(right) {
            let [count, all] = &mut read.score.0[lesson.kind as usize];
            *count += usize::from(right);
            *all += 1;
        }
        let share = weights.iter().sum::<f32>() / total.max(f32::MIN_POSITIVE);
        let loss = cross_entropy(logits, &targets, Some(&weights)) * share;
        read.loss = Some(match read.loss.take() {
            None => loss,
            Some(sum) => sum + loss,
        });
    }
}

/// Lessons of one class differ in length by half at most.
fn length_class(lesson: &Lesson) -> usize {
    ((lesson.after.len().max(1) as f64).ln() / 1.5_f64.ln()) as usize
}

impl Objective for Answers<'_> {
    fn loss(&self, learner: &Learner, place: Place) -> Result<Loss, TrainError> {
        let numbers = clip_numbers(self.clips, self.seed, self.batch, place);
        let budget = drawn_budget(&self.config.budgets, self.config.price, self.seed, place);
        let mut draws = Draws::at(self.seed, "questions", place.number());
        let conversations: Vec<Vec<Conversation>> = numbers
            .iter()
            .map(|&number| self.clips.conversations(number, self.config.questions, &mut draws))
            .collect();
        let visual = self.reader.read(&learner.model, self.clips, &numbers, budget)?;
        let visual = match self.config.keep < 1.0 {
            true => {
                let shown = self.config.objects_first.then(|| self.shown(&numbers, &visual)).transpose()?;
                let mut draws = Draws::at(self.seed, "kept tokens", place.number());
                visual.keep(self.config.keep, &mut draws, shown.as_deref())
            }
            false => visual,
        };
        let read = self.read(&learner.model, &visual, &self.lessons(&conversations)?)?;
        let facts = self.facts(learner, &read, &numbers, &visual)?;
        let paths = self.paths(learner, &read, &numbers, &visual)?;
        let mut measures = read.score.measures().with("codes", self.config.budgets[budget] as f64);
        let Some(mut loss) = read.loss else {
            return Err(TrainError::Data {
                file: "the clips".into(),
                problem: "no questions about them".to_owned(),
            });
        };
        if let Some((facts, guessed)) = facts {
            measures = measures.with_all(&guessed.measures(false));
            loss = loss + facts;
        }
        if let Some((paths, error)) = paths {
            measures = measures.with("paths_error", error);
            loss = loss + paths;
        }
        if let Some(commitment) = visual.commitment {
            measures = measures.with("commitment", f64::from(commitment.clone().into_scalar::<f32>()));
            if self.config.commitment > 0.0 {
                loss = loss + commitment * self.config.commitment;
            }
        }
        Ok(Loss { value: loss, measures })
    }

    fn validate(&self, learner: &Learner) -> Result<Measures, TrainError> {
        let count = self.config.validation_clips.min(self.clips.count(Use::Validation));
        let numbers: Vec<usize> = (0..count).map(|index| self.clips.number(Use::Validation, index)).collect();
        // One budget stands for all where there are no codes.
        let codes = matches!(self.config.reading, Reading::Vqtoken | Reading::Codebook);
        let budgets = if codes { self.config.budgets.len() } else { 1 };
        let mut measures = Measures::default();
        let (mut sum, mut total, mut guessed) = (0.0, Score::default(), Guessed::default());
        let mut errors = Vec::new();
        for budget in 0..budgets {
            let mut score = Score::default();
            for numbers in numbers.chunks(VALIDATION_BATCH) {
                let conversations: Vec<_> =
                    numbers.iter().map(|&number| self.clips.validation(number)).collect();
                let visual = self.reader.read(&learner.model, self.clips, numbers, budget)?;
                let read = self.read(&learner.model, &visual, &self.lessons(&conversations)?)?;
                if let Some((_, some)) = self.facts(learner, &read, numbers, &visual)? {
                    guessed.add(&some);
                }
                errors.extend(self.paths(learner, &read, numbers, &visual)?.map(|(_, error)| error));
                if let Some(loss) = read.loss {
                    sum += f64::from(loss.into_scalar::<f32>()) * read.score.count() as f64;
                }
                score.add(read.score);
            }
            if codes && score.count() > 0 {
                measures = measures.with(format!("right_{}", self.config.budgets[budget]), score.share());
            }
            total.add(score);
        }
        if self.config.facts.is_some() {
            measures = measures.with_all(&guessed.measures(true));
        }
        if !errors.is_empty() {
            measures = measures.with("paths_error", errors.iter().sum::<f64>() / errors.len() as f64);
        }
        match total.count() {
            0 => Ok(measures),
            count => Ok(measures.with_all(&total.measures()).with("loss", sum / count as f64)),
        }
    }
}
