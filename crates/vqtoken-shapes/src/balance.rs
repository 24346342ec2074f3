//! Choosing questions so that no answer is more likely than another.

use std::collections::BTreeMap;

use crate::question::{Question, Template};

/// Chooses questions clip by clip, so that within each template all answer classes occur equally often, and so that rare
/// templates occur as often as common ones as far as the clips allow. The choice depends on the order of the clips; keep one for
/// each split of a data set.
#[derive(Clone, Debug, Default)]
pub struct Balance {
    chosen: BTreeMap<Template, BTreeMap<usize, f32>>,
}

impl Balance {
    /// Chooses at most `most` of a clip's questions, at most one of each template. Questions that would unbalance the set are left
    /// out, so a clip may get none.
    pub fn choose(&mut self, questions: Vec<Question>, most: usize) -> Vec<Question> {
        let mut by_template: BTreeMap<Template, Vec<Question>> = BTreeMap::new();
        for question in questions {
            // From now on the other classes wait for this one.
            self.chosen.entry(question.template).or_default().entry(question.class).or_default();
            by_template.entry(question.template).or_default().push(question);
        }
        let mut templates: Vec<Template> = by_template.keys().copied().collect();
        templates.sort_by(|a, b| self.total(*a).total_cmp(&self.total(*b)));
        let mut taken = Vec::new();
        // A template that is far ahead of the others waits for them.
        let enough = 5.0
            + 1.6 * self.chosen.keys().map(|&template| self.total(template)).sum::<f32>()
                / self.chosen.len().max(1) as f32;
        for template in templates {
            if taken.len() == most || self.total(template) > enough {
                break;
            }
            let candidates = by_template.remove(&template).unwrap_or_default();
            taken.extend(self.take(template, candidates));
        }
        taken
    }

    fn total(&self, template: Template) -> f32 {
        self.chosen.get(&template).map_or(0.0, |classes| classes.values().sum())
    }

    /// The candidate whose class was chosen least, unless even that is ahead of the rarest class.
    fn take(&mut self, template: Template, candidates: Vec<Question>) -> Option<Question> {
        let total = self.total(template);
        let classes = self.chosen.get_mut(&template)?;
        let share = |class: usize, count: f32| count / template.weight(class);
        let rarest = classes.iter().map(|(&class, &count)| share(class, count)).fold(f32::INFINITY, f32::min);
        let ahead = |question: &Question| {
            let count = classes.get(&question.class).copied().unwrap_or(0.0);
            share(question.class, count) - rarest
        };
        let best = candidates.into_iter().min_by(|a, b| ahead(a).total_cmp(&ahead(b)))?;
        // Some tolerance, or the rarest answer of the rarest template would stop everything.
        let allowed = 1.0 + 0.01 * total;
        if ahead(&best) > allowed {
            return None;
        }
        *classes.entry(best.class).or_default() += 1.0;
        Some(best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(template: Template, class: usize) -> Question {
        let options = std::array::from_fn(|option| option.to_string());
        Question { template, question: String::new(), options, answer: 0, class, subject: None }
    }

    #[test]
    fn frequent_answers_wait_for_rare_ones() {
        let mut balance = Balance::default();
        let mut counts = [0; 3];
        for clip in 0..3000 {
            let class = if clip % 10 == 0 { 0 } else { 1 + clip % 2 };
            for question in balance.choose(vec![question(Template::Pace, class)], 3) {
                counts[question.class] += 1;
            }
        }
        assert_eq!(counts[0], 300);
        assert!(counts[1..].iter().all(|count| (300..320).contains(count)), "{counts:?}");
    }

    #[test]
    fn templates_take_turns() {
        let mut balance = Balance::default();
        let mut counts: BTreeMap<Template, usize> = BTreeMap::new();
        for clip in 0..900 {
            let all = [Template::Pace, Template::Shape, Template::Act];
            let offered = all.map(|template| question(template, clip % 5)).to_vec();
            let taken = balance.choose(offered, 1);
            assert_eq!(taken.len(), 1);
            *counts.entry(taken[0].template).or_default() += 1;
        }
        assert!(counts.values().all(|&count| (280..320).contains(&count)), "{counts:?}");
    }
}
