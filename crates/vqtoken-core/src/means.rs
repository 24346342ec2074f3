//! The update step: the mean of each cluster's tokens.

use rayon::prelude::*;

use crate::unit_tokens::{UnitTokens, squared_length};

pub(crate) struct Means {
    /// `[K, D]`.
    pub(crate) means: Vec<f32>,
    /// The sum of squared distances from each token to the mean of its cluster.
    pub(crate) inertia: f64,
}

/// The mean of each code's members, `[K, D]`; a code without members keeps its row of `previous`.
///
/// Each code adds its members in f64 in the order of the tokens, whatever thread it is on.
pub(crate) fn means(tokens: &UnitTokens, labels: &[u32], previous: &[f32]) -> Means {
    let dim = tokens.dim();
    let members = Members::new(labels, previous.len() / dim);
    let mut means = previous.to_vec();
    let inertias: Vec<f64> = means
        .par_chunks_exact_mut(dim)
        .enumerate()
        .map(|(code, mean)| {
            let members = members.of(code);
            let mut sum = vec![0.0f64; dim];
            let mut squares = 0.0;
            for &member in members {
                let token = tokens.token(member as usize);
                squares += squared_length(token);
                sum.iter_mut().zip(token).for_each(|(sum, &value)| *sum += f64::from(value));
            }
            if members.is_empty() {
                return 0.0;
            }
            let count = members.len() as f64;
            mean.iter_mut().zip(&sum).for_each(|(mean, sum)| *mean = (sum / count) as f32);
            (squares - sum.iter().map(|sum| sum * sum).sum::<f64>() / count).max(0.0)
        })
        .collect();
    Means { means, inertia: inertias.iter().sum() }
}

/// The tokens of each code, in order: one array of tokens, and where each code's part of it begins.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    starts: Vec<usize>,
    tokens: Vec<u32>,
}

impl Members {
    /// Every label must be below `codes`, and there must be at most 2^32 of them.
    pub(crate) fn new(labels: &[u32], codes: usize) -> Self {
        let mut starts = vec![0; codes + 1];
        labels.iter().for_each(|&label| starts[label as usize + 1] += 1);
        for code in 0..codes {
            starts[code + 1] += starts[code];
        }
        let mut next = starts.clone();
        let mut tokens = vec![0; labels.len()];
        for (token, &label) in labels.iter().enumerate() {
            tokens[next[label as usize]] = token as u32;
            next[label as usize] += 1;
        }
        Self { starts, tokens }
    }

    pub(crate) fn of(&self, code: usize) -> &[u32] {
        &self.tokens[self.starts[code]..self.starts[code + 1]]
    }
}
