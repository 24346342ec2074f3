//! The numbers that ActivityNet-QA's own script prints, where they differ from what their names say.

use serde::Serialize;

use crate::item::Item;
use crate::read::activitynet_qa::{FIRST_FREE, TYPES};
use crate::sample::Sample;

/// What `evaluation/eval.py` of MILVLG/activitynet-qa prints, as fractions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PublishedActivityNet {
    /// By type, in the order of the numbers 0 to 8: motion, spatial, temporal, then the kinds of free answer.
    pub types: [f64; 9],
    /// All questions.
    pub all: f64,
    /// "Free" as printed: right answers of types 3 to 8, but divided by the count of all types except the three that come
    /// *first in the answers file*. It is right only if these happen to be 0, 1 and 2; on the published validation split they are
    /// 3, 8 and 7. The real one is the `free` row of a report.
    pub free_as_printed: f64,
}

/// The script's numbers for these samples, the items in the order of the answers file. None if some type has no questions,
/// where the script divides by zero.
pub fn published_activitynet(items: &[Item], samples: &[Sample]) -> Option<PublishedActivityNet> {
    let mut order: Vec<usize> = Vec::new();
    let (mut counts, mut correct) = ([0usize; 9], [0usize; 9]);
    for kind in items.iter().map(type_of) {
        let kind = kind?;
        if counts[kind] == 0 {
            order.push(kind);
        }
        counts[kind] += 1;
    }
    for sample in samples.iter().filter(|sample| sample.exact_match == Some(1.0)) {
        correct[type_of(items.get(sample.doc_id)?)?] += 1;
    }
    if counts.contains(&0) {
        return None;
    }
    let free: usize = correct[FIRST_FREE..].iter().sum();
    let below: usize = order.iter().skip(FIRST_FREE).map(|kind| counts[*kind]).sum();
    Some(PublishedActivityNet {
        types: std::array::from_fn(|kind| correct[kind] as f64 / counts[kind] as f64),
        all: correct.iter().sum::<usize>() as f64 / items.len() as f64,
        free_as_printed: free as f64 / below as f64,
    })
}

fn type_of(item: &Item) -> Option<usize> {
    let name = &item.labels.last()?.value;
    TYPES.iter().position(|known| known == name)
}
