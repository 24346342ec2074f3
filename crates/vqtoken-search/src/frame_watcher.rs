//! Vectors of a video by a retriever that reads frames, made while the video is encoded.

use std::collections::VecDeque;

use vqtoken_archive::NewVectors;
use vqtoken_core::VideoTokens;
use vqtoken_model::{EncodingEvent, MomentCutter, MomentOptions, Retriever, normalize_rows};

use crate::error::SearchError;
use crate::finder::span;

/// Frames whose hidden states are kept for the vectors of codes; of longer videos every second one is dropped, as often as it takes.
const KEPT_FRAMES: usize = 32;

/// Makes moments of frames in order of time, and keeps what the vectors of codes are made of.
#[derive(Debug)]
pub(crate) struct FrameWatcher {
    retriever: Retriever,
    /// The retriever's first layers that the tower which encodes has computed, if it is the same tower.
    shared_layers: Option<usize>,
    /// Times of frames whose states did not come yet.
    times: VecDeque<f64>,
    cutter: MomentCutter,
    spans: Vec<[f32; 2]>,
    moments: Vec<f32>,
    /// Indices of kept frames and their hidden states `[N, Dv]`.
    kept: Vec<(usize, Vec<f32>)>,
    stride: usize,
    frames: usize,
    last: f64,
}

impl FrameWatcher {
    pub(crate) fn new(retriever: &Retriever, shared_layers: Option<usize>) -> Result<Self, SearchError> {
        Ok(Self {
            retriever: retriever.clone(),
            shared_layers,
            times: VecDeque::new(),
            cutter: MomentCutter::new(retriever, MomentOptions::default())?,
            spans: Vec::new(),
            moments: Vec::new(),
            kept: Vec::new(),
            stride: 1,
            frames: 0,
            last: 0.0,
        })
    }

    /// Takes what it needs of each step of the encoding.
    pub(crate) fn observe(&mut self, event: &EncodingEvent<'_>) -> Result<(), SearchError> {
        match (*event, self.shared_layers) {
            (EncodingEvent::Restart, shared_layers) => *self = Self::new(&self.retriever, shared_layers)?,
            (EncodingEvent::Frame(frame, time), None) => {
                let pixels = self.retriever.pixels(std::slice::from_ref(frame));
                let hidden = self.retriever.hidden_states(&pixels)?;
                self.take(hidden, time)?;
            }
            (EncodingEvent::Frame(_, time), Some(_)) => self.times.push_back(time),
            (EncodingEvent::Tower(states), Some(layers)) => {
                if let Some(time) = self.times.pop_front() {
                    let hidden = self.retriever.hidden_states_after(layers, states)?;
                    self.take(hidden, time)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes the hidden states `[N, Dv]` of the next frame, shown at `time` seconds.
    fn take(&mut self, hidden: Vec<f32>, time: f64) -> Result<(), SearchError> {
        if let Some(moment) = self.cutter.push(time, &hidden)? {
            self.spans.push([moment.start as f32, moment.end as f32]);
            self.moments.extend(moment.vector);
        }
        if self.frames.is_multiple_of(self.stride) {
            if self.kept.len() == KEPT_FRAMES {
                self.stride *= 2;
                let stride = self.stride;
                self.kept.retain(|(index, _)| index.is_multiple_of(stride));
            }
            if self.frames.is_multiple_of(self.stride) {
                self.kept.push((self.frames, hidden));
            }
        }
        self.frames += 1;
        self.last = time;
        Ok(())
    }

    /// The vectors of the video, whose tokens are known now. A code's vector is the pooling head's of the mean of the hidden states in its cells.
    pub(crate) fn finish(mut self, tokens: &VideoTokens) -> Result<NewVectors, SearchError> {
        let [_, end] = span(tokens, 0, tokens.timestamps.len());
        if let Some(moment) = self.cutter.finish(f64::from(end).max(self.last))? {
            self.spans.push([moment.start as f32, moment.end as f32]);
            self.moments.extend(moment.vector);
        }
        let (shape, k) = (tokens.index_map.shape(), tokens.codebook.codes());
        let (features, side) = (self.retriever.hidden_features(), self.retriever.patches().isqrt());
        let (mut sums, mut counts) = (vec![0.0_f32; k * features], vec![0_u32; k]);
        for (frame, hidden) in self.kept.iter().filter(|(frame, _)| *frame < shape.frames) {
            let labels = tokens.index_map.frame(*frame);
            for (patch, hidden) in hidden.chunks_exact(features).enumerate() {
                // The cell in which the middle of the patch lies: the grids may differ.
                let cell = |place: usize, cells: usize| (2 * place + 1) * cells / (2 * side);
                let (row, column) = (cell(patch / side, shape.height), cell(patch % side, shape.width));
                let code = labels[row * shape.width + column] as usize;
                counts[code] += 1;
                let sum = &mut sums[code * features..][..features];
                sum.iter_mut().zip(hidden).for_each(|(sum, x)| *sum += x);
            }
        }
        for (sum, count) in sums.chunks_exact_mut(features).zip(&counts) {
            sum.iter_mut().for_each(|x| *x /= (*count).max(1) as f32);
        }
        let mut codes = self.retriever.pool_each(&sums)?;
        normalize_rows(&mut codes, self.retriever.features());
        // A code that no kept frame shows has no vector.
        for (vector, _) in
            codes.chunks_exact_mut(self.retriever.features()).zip(&counts).filter(|(_, n)| **n == 0)
        {
            vector.fill(0.0);
        }
        Ok(NewVectors::new(self.spans, self.moments, codes))
    }
}
