//! The softmax of one code over its positions, kept up to date block by block.
//!
//! Source: Milakov and Gimelshein, Online normalizer calculation for softmax (arXiv 1805.02867).

use super::block::Lines;
use super::number::Number;
use super::{AXES, PositionAttention};

/// Of one code, for each head.
pub(super) struct CodeSoftmax<N> {
    heads: Vec<HeadSoftmax<N>>,
}

/// Weights are exponentials of scores less `largest`.
struct HeadSoftmax<N> {
    /// No score so far was larger; minus infinity before the first.
    largest: f64,
    /// The sum of the weights.
    total: N,
    /// The sums of the features, weighted, `[3, features]`.
    sums: Vec<N>,
}

impl<N: Number> CodeSoftmax<N> {
    pub(super) fn new(heads: usize, features: usize) -> Self {
        let head = || HeadSoftmax {
            largest: f64::NEG_INFINITY,
            total: N::ZERO,
            sums: vec![N::ZERO; AXES * features],
        };
        Self { heads: (0..heads).map(|_| head()).collect() }
    }

    /// Takes in the positions of a block that begins at frame `first_frame`; `query` is the code's, `[heads, 3, features]`.
    pub(super) fn read(
        &mut self,
        lines: &Lines,
        query: &[N],
        attention: &PositionAttention<'_>,
        first_frame: usize,
    ) {
        let features = attention.features;
        let [frames, rows, columns] = attention.tables;
        let tables = [&frames[first_frame * features..], rows, columns];
        for (head, query) in self.heads.iter_mut().zip(query.chunks_exact(AXES * features)) {
            head.join(HeadSoftmax::of_block(lines, query, tables, features));
        }
    }

    /// The weighted means of the features, `[heads, 3, features]`.
    pub(super) fn means(&self) -> impl Iterator<Item = N> {
        self.heads.iter().flat_map(|head| {
            let mean = |sum: &N| if head.total.value() == 0.0 { N::ZERO } else { sum.divided_by(head.total) };
            head.sums.iter().map(mean)
        })
    }
}

impl<N: Number> HeadSoftmax<N> {
    /// Over the positions of one block; `query` is the head's, `[3, features]`.
    fn of_block(lines: &Lines, query: &[N], tables: [&[f32]; AXES], features: usize) -> Self {
        let [frames, rows, columns] = [0, 1, 2].map(|axis| {
            let query = &query[axis * features..(axis + 1) * features];
            AxisWeights::new(query, tables[axis], &lines.occupied[axis])
        });
        // What the other two axes bring to each coordinate: its weight is still to be multiplied by its own.
        let [mut to_frames, mut to_rows, mut to_columns] =
            [&frames, &rows, &columns].map(|axis| vec![N::ZERO; axis.weights.len()]);
        for (frame, row, line) in lines.iter() {
            let (of_frame, of_row) = (frames.weights[frame], rows.weights[row]);
            let outside = of_frame * of_row;
            let mut of_line = N::ZERO;
            for &column in line {
                of_line += columns.weights[column];
                to_columns[column] += outside;
            }
            to_rows[row] += of_frame * of_line;
            to_frames[frame] += of_row * of_line;
        }
        let mut total = N::ZERO;
        for &frame in &lines.occupied[0] {
            total += frames.weights[frame] * to_frames[frame];
        }
        let mut sums = vec![N::ZERO; AXES * features];
        let axes = [(frames.weights, to_frames), (rows.weights, to_rows), (columns.weights, to_columns)];
        for (axis, (weights, others)) in axes.into_iter().enumerate() {
            let sums = &mut sums[axis * features..(axis + 1) * features];
            for &coordinate in &lines.occupied[axis] {
                let weight = weights[coordinate] * others[coordinate];
                let row = &tables[axis][coordinate * features..(coordinate + 1) * features];
                sums.iter_mut().zip(row).for_each(|(sum, &feature)| *sum += weight.times(f64::from(feature)));
            }
        }
        Self { largest: frames.largest + rows.largest + columns.largest, total, sums }
    }

    /// Takes in the sums over other positions.
    fn join(&mut self, other: Self) {
        let largest = self.largest.max(other.largest);
        let (own, others) = ((self.largest - largest).exp(), (other.largest - largest).exp());
        self.largest = largest;
        self.total = self.total.times(own) + other.total.times(others);
        for (sum, other) in self.sums.iter_mut().zip(other.sums) {
            *sum = sum.times(own) + other.times(others);
        }
    }
}

/// The factors that the coordinates of one axis bring to the weights of positions.
struct AxisWeights<N> {
    /// The exponentials of the scores less `largest`, up to the last occupied coordinate; 0 for coordinates that are not occupied.
    weights: Vec<N>,
    largest: f64,
}

impl<N: Number> AxisWeights<N> {
    fn new(query: &[N], table: &[f32], occupied: &[usize]) -> Self {
        let score = |coordinate: &usize| {
            let row = &table[coordinate * query.len()..(coordinate + 1) * query.len()];
            let products = query.iter().zip(row).map(|(&query, &feature)| query.times(f64::from(feature)));
            products.fold(N::ZERO, |sum, product| sum + product)
        };
        let scores: Vec<N> = occupied.iter().map(score).collect();
        let largest = scores.iter().map(|score| score.value()).fold(f64::NEG_INFINITY, f64::max);
        let mut weights = vec![N::ZERO; occupied.last().map_or(0, |last| last + 1)];
        for (&coordinate, score) in occupied.iter().zip(scores) {
            weights[coordinate] = score.exp_less(largest);
        }
        Self { weights, largest }
    }
}
