//! Whether texts are true of clips, by the facts that texts ask for and that hold for the objects of codes. The renderer says what is
//! true.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use burn::tensor::Tensor;
use rayon::prelude::*;
use vqtoken_model::TokenRerankerModules;
use vqtoken_shapes::{Query, QueryKind};

use super::facts::{ClipFacts, code_loss, text_loss};
use super::pairs::Pairs;
use super::search_clips::SearchClips;
use super::texts::{Text, texts_about};
use super::{Loss, Objective};
use crate::clips::Clips;
use crate::config::{Budgets, RerankingConfig};
use crate::error::TrainError;
use crate::feature_cache::Codes;
use crate::learner::Learner;
use crate::measures::Measures;
use crate::micro_batch::MicroBatch;
use crate::rng::Rng;
use crate::tensors::{scalar, to_vec};

/// Clips that are validated together.
const VALIDATION_BATCH: usize = 16;

/// The cross-entropy of whether texts are true of clips, and those of the facts.
pub(crate) struct Reranking<'a> {
    pub(crate) config: &'a RerankingConfig,
    pub(crate) data: SearchClips<'a>,
    /// What is known about each clip, once it has been read, by its index.
    pub(crate) facts: Vec<OnceLock<ClipFacts>>,
}

/// A clip and the texts that it is compared with, as many for each clip.
struct Compared {
    /// Its index in the data set.
    clip: usize,
    codes: Codes,
    texts: Vec<Query>,
    /// Which of the texts, by index, is another one with a word changed: the changed one, and the true one.
    changed: Vec<[usize; 2]>,
}

/// Texts that were held against clips.
struct Read {
    /// The clips, in the order of the logits' rows.
    compared: Vec<Compared>,
    /// The logits of the texts about each clip, `[clips, texts]`.
    logits: Tensor<2>,
    /// The loss on facts, `[1]`.
    facts_loss: Tensor<1>,
    /// How many facts are known.
    measures: Measures,
}

impl Reranking<'_> {
    /// Clips with their own texts, true ones and changed ones, and some of the others' true ones.
    fn compared(&self, indices: &[usize], budget: usize, rng: &mut Rng) -> Result<Vec<Compared>, TrainError> {
        let own: Vec<Vec<Text>> = indices
            .iter()
            .enumerate()
            .map(|(clip, &index)| {
                let (counts, mut texts) = ([self.config.queries, self.config.changed], Vec::new());
                texts_about(self.data.scene(index), clip, counts, rng, &mut texts);
                texts
            })
            .collect();
        let all: Vec<&Text> = own.iter().flatten().filter(|text| text.changed_from.is_none()).collect();
        let count = self.config.texts(QueryKind::ALL.len());
        let codes = self.data.cache.codes(indices, budget)?;
        let compared =
            indices.iter().zip(codes).zip(&own).enumerate().map(|(clip, ((&index, codes), own))| {
                let mut texts: Vec<Query> = own.iter().map(|text| text.query).collect();
                let others: Vec<&Text> = all.iter().filter(|text| text.clip != clip).copied().collect();
                while texts.len() < count {
                    // A clip alone has no others.
                    let more = if others.is_empty() {
                        &own[rng.below(own.len())]
                    } else {
                        others[rng.below(others.len())]
                    };
                    texts.push(more.query);
                }
                let changed = own.iter().enumerate().filter_map(|(at, text)| Some([at, text.changed_from?]));
                Compared { clip: index, codes, texts, changed: changed.collect() }
            });
        Ok(compared.collect())
    }

    /// Holds all texts against their clips.
    fn read(&self, learner: &Learner, compared: Vec<Compared>) -> Result<Read, TrainError> {
        let (modules, length) = (modules(learner), self.data.tokenizer.length());
        let clips = compared.len();
        let mut groups: BTreeMap<usize, Vec<Compared>> = BTreeMap::new();
        for clip in compared {
            groups.entry(clip.codes.codebook.codes()).or_default().push(clip);
        }
        let (mut ordered, mut logits, mut losses, mut measures) = (vec![], vec![], vec![], vec![]);
        for (k, group) in groups {
            let codes = group.iter().map(|one| (&one.codes.codebook, &one.codes.index_map));
            let codes = modules.facts(self.data.attended(learner, k, codes)?);
            let ids = self.data.ids(group.iter().flat_map(|one| &one.texts))?;
            let wanted = modules.wanted(&ids, length); // [clips * texts, 2, facts]
            logits.push(modules.logits(wanted.clone(), &codes)); // [clips, texts]
            let known = group.iter().map(|one| Ok((self.facts(one)?, &one.codes.index_map)));
            let (loss, found) = code_loss(&codes, &known.collect::<Result<Vec<_>, TrainError>>()?);
            let loss = loss + text_loss(wanted, group.iter().flat_map(|one| &one.texts));
            losses.push(loss * (group.len() as f64 / clips as f64));
            measures.push(found);
            ordered.extend(group);
        }
        Ok(Read {
            compared: ordered,
            logits: Tensor::cat(logits, 0),
            facts_loss: Tensor::cat(losses, 0).sum(),
            measures: Measures::mean(&measures),
        })
    }

    /// What is known about a clip.
    fn facts(&self, of: &Compared) -> Result<&ClipFacts, TrainError> {
        let known = &self.facts[of.clip];
        if let Some(known) = known.get() {
            return Ok(known);
        }
        let (scene, script) = (self.data.scene(of.clip), self.data.script(of.clip));
        let facts = ClipFacts::of(scene, script, of.codes.index_map.shape())?;
        Ok(known.get_or_init(|| facts))
    }

    fn is_true(&self, text: &Query, clip: usize) -> bool {
        !text.intervals_by(self.data.script(clip)).is_empty()
    }

    fn loss_of(&self, compared: &[Compared], logits: Tensor<2>) -> (Tensor<1>, Measures) {
        let truth: Vec<Vec<bool>> = compared
            .par_iter()
            .map(|one| one.texts.iter().map(|text| self.is_true(text, one.clip)).collect())
            .collect();
        let mut pairs = Pairs::default();
        for is_true in truth.into_iter().flatten() {
            pairs.push(Some(if is_true { 1.0 } else { 0.0 }), self.config.balance);
        }
        let measures = Measures::default().with("true_share", pairs.true_share());
        (pairs.loss(logits), measures)
    }

    /// For each kind, changed texts that are not true of the clip of the text they were made from: how many, and for how many of them
    /// the true text has the higher logit.
    fn changed_right(&self, compared: &[Compared], logits: Tensor<2>) -> [[f64; 2]; QueryKind::ALL.len()] {
        let values = to_vec(logits);
        let mut counts = [[0.0; 2]; QueryKind::ALL.len()];
        for (one, row) in compared.iter().zip(values.chunks_exact(values.len() / compared.len().max(1))) {
            for &[changed, original] in &one.changed {
                let text = &one.texts[changed];
                if !self.is_true(text, one.clip) {
                    let [right, all] = &mut counts[text.kind() as usize];
                    *right += if row[original] > row[changed] { 1.0 } else { 0.0 };
                    *all += 1.0;
                }
            }
        }
        counts
    }
}

#[expect(clippy::expect_used, reason = "a stage of reranking adds them to its learner")]
fn modules(learner: &Learner) -> &TokenRerankerModules {
    learner.reranking.as_ref().expect("the learner has what holds texts against codes")
}

impl Objective for Reranking<'_> {
    fn loss(&self, learner: &Learner, micro_batch: MicroBatch) -> Result<Loss, TrainError> {
        let indices = micro_batch.clips(self.data.clips, self.data.seed, self.data.micro_batch_size);
        let budgets = Budgets { sizes: self.config.budgets.clone(), price: 0.0 };
        let budget = budgets.draw(self.data.seed, micro_batch);
        let mut rng = Rng::new(self.data.seed, "reranking", micro_batch.index());
        let Read { compared, logits, facts_loss, measures } =
            self.read(learner, self.compared(&indices, budget, &mut rng)?)?;
        let (texts_loss, of_texts) = self.loss_of(&compared, logits);
        let measures = measures
            .with_all(&of_texts)
            .with("texts_loss", scalar(&texts_loss))
            .with("facts_loss", scalar(&facts_loss))
            .with("codes", budget as f64);
        Ok(Loss { value: texts_loss + facts_loss * self.config.facts_weight, measures })
    }

    fn validate(&self, learner: &Learner) -> Result<Measures, TrainError> {
        let indices = self.data.clips.validation_clips(self.config.validation_clips);
        let (mut sum, mut clips) = (0.0, 0);
        let mut counts = [[0.0; 2]; QueryKind::ALL.len()];
        for &budget in &self.config.budgets {
            let batches = indices.par_chunks(VALIDATION_BATCH).enumerate().map(|(index, indices)| {
                let mut rng = Rng::new(self.data.seed, "validation", index as u64);
                let read = self.read(learner, self.compared(indices, budget, &mut rng)?)?;
                let (loss, _) = self.loss_of(&read.compared, read.logits.clone());
                Ok((scalar(&loss), indices.len(), self.changed_right(&read.compared, read.logits)))
            });
            for (loss, count, changed) in batches.collect::<Result<Vec<_>, TrainError>>()? {
                sum += loss * count as f64;
                clips += count;
                for (total, some) in counts.iter_mut().flatten().zip(changed.iter().flatten()) {
                    *total += some;
                }
            }
        }
        if clips == 0 {
            return Ok(Measures::default());
        }
        let mut measures = Measures::default().with("loss", sum / clips as f64);
        for (kind, [right, all]) in QueryKind::ALL.into_iter().zip(counts) {
            if all > 0.0 {
                measures = measures.with(format!("changed_right_{}", kind.name()), right / all);
            }
        }
        Ok(measures)
    }
}
