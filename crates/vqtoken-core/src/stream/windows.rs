//! Long videos in windows: a codebook for each, and if wanted a second quantization of all their codes.
//!
//! Source: the segmented windows, hierarchical quantization and budgets that follow the content which VQToken (section 5) names as future work.

use crate::codebook::Codebook;
use crate::grid::{GridShape, TokenGrid};
use crate::index_map::IndexMap;
use crate::quantize::merge_tree::Cluster;
use crate::quantize::{Quantization, QuantizeError, QuantizerConfig, QuantizerStats};
use crate::stream::groups::fit_groups;
use crate::stream::{QuantizerStream, of_clusters};
use crate::video_tokens::Windows;

/// Quantizes a stream of token grids, as one or window by window.
///
/// Without windows it is a [`QuantizerStream`]. Otherwise every window of so many seconds gets a codebook of its own under the configuration's budget (or as many codes as it has tokens, if
/// these are fewer); the codebook of the whole has the rows of all windows one after the other. With a rule of a fixed price or share the
/// number of codes follows what happens in each window. A total budget quantizes the windows' codes once more, each counting as
/// often as it occurs, so that the whole video gets that many.
#[derive(Debug)]
pub struct WindowedQuantizer {
    config: QuantizerConfig,
    windows: Option<Windows>,
    /// The window that frames go into, and its number.
    current: Option<(u64, QuantizerStream)>,
    done: Vec<Quantization>,
    frames: usize,
}

impl WindowedQuantizer {
    /// A stream, in windows if there are any, that nothing has come through yet.
    ///
    /// # Errors
    /// If windows have no length, a budget allows no code, or the procedure is the published one.
    pub fn new(config: QuantizerConfig, windows: Option<Windows>) -> Result<Self, QuantizeError> {
        if let Some(Windows { seconds, total }) = windows {
            if !(seconds.is_finite() && seconds > 0.0) {
                return Err(QuantizeError::Window { seconds });
            }
            total.map_or(Ok(()), |total| total.check())?;
        }
        QuantizerStream::new(config)?;
        Ok(Self { config, windows, current: None, done: Vec::new(), frames: 0 })
    }

    /// How many frames have come.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Takes the next frames, `[t, H, W, D]`, which are shown at these times, in seconds. A new window begins where one is over.
    ///
    /// # Errors
    /// As [`QuantizerStream::push`], and if there are more or fewer times than frames. Windows before the frame
    /// that was refused keep what they took.
    pub fn push(&mut self, chunk: &TokenGrid, timestamps: &[f64]) -> Result<(), QuantizeError> {
        let GridShape { frames, height, width } = chunk.shape();
        if frames != timestamps.len() {
            return Err(QuantizeError::Timestamps { frames, times: timestamps.len() });
        }
        let length = self.windows.map_or(f64::INFINITY, |windows| windows.seconds);
        let window = |seconds: f64| (seconds / length).floor().max(0.0) as u64;
        let numbers: Vec<u64> = timestamps.iter().map(|&seconds| window(seconds)).collect();
        let mut first = 0;
        for frames in numbers.chunk_by(|a, b| a == b) {
            let values = height * width * chunk.dim();
            let data = chunk.data()[first * values..(first + frames.len()) * values].to_vec();
            let part = TokenGrid::new(GridShape { frames: frames.len(), height, width }, chunk.dim(), data)?;
            self.push_to(frames[0], &part)?;
            first += frames.len();
        }
        Ok(())
    }

    fn push_to(&mut self, number: u64, frames: &TokenGrid) -> Result<(), QuantizeError> {
        if self.current.as_ref().is_some_and(|(current, _)| *current != number) {
            self.close()?;
        }
        let stream = match &mut self.current {
            Some((_, stream)) => stream,
            none => &mut none.insert((number, QuantizerStream::new(self.config)?)).1,
        };
        if let Some(done) = self.done.first() {
            let shape = done.index_map.shape();
            stream.expect((shape.height, shape.width), done.codebook.dim());
        }
        let before = self.frames - stream.frames();
        stream.push(frames).map_err(|error| error.behind(before))?;
        self.frames += frames.shape().frames;
        Ok(())
    }

    fn close(&mut self) -> Result<(), QuantizeError> {
        if let Some((_, stream)) = self.current.take() {
            self.done.push(match self.windows {
                Some(_) => stream.finish_within()?,
                None => stream.finish()?,
            });
        }
        Ok(())
    }

    /// The codebook and the index map of all that has come.
    ///
    /// # Errors
    /// If nothing has come, or the total budget asks for more codes than all windows have.
    pub fn finish(mut self) -> Result<Quantization, QuantizeError> {
        self.close()?;
        let Some(windows) = self.windows else { return self.done.pop().ok_or(QuantizeError::EmptyStream) };
        let first = self.done.first().ok_or(QuantizeError::EmptyStream)?;
        let shape = GridShape { frames: self.frames, ..first.index_map.shape() };
        let dim = first.codebook.dim();
        let (codes, labels) = joined(&self.done, shape);
        let explained: f64 = codes.iter().map(Cluster::explained).sum();
        let squares = self.done.iter().map(|window| window.stats.inertia).sum::<f64>() + explained;
        if let Some(budget) = windows.total {
            let (total, of_windows) = (budget.min_codes(), codes.len());
            if total > of_windows {
                return Err(QuantizeError::TotalTooLarge { total, of_windows });
            }
            let config = QuantizerConfig { budget, ..self.config };
            let fit = fit_groups(codes.clone(), dim, squares, &config)?;
            let mut clusters = vec![Cluster { sum: vec![0.0; dim], tokens: 0 }; fit.codes];
            codes.iter().zip(&fit.labels).for_each(|(code, &label)| clusters[label as usize].add(code));
            let labels = labels.iter().map(|&code| fit.labels[code as usize]).collect();
            return of_clusters(clusters, labels, fit.curve, shape, dim, squares, self.config.order);
        }
        let rows = self.done.iter().flat_map(|window| window.codebook.data()).copied().collect();
        let mut all = Cluster { sum: vec![0.0; dim], tokens: 0 };
        codes.iter().for_each(|code| all.add(code));
        let sum = |of: fn(&QuantizerStats) -> f64| self.done.iter().map(|window| of(&window.stats)).sum();
        Ok(Quantization {
            codebook: Codebook::new(codes.len(), dim, rows)?,
            index_map: IndexMap::new(shape, codes.len(), labels)?,
            stats: QuantizerStats {
                codes: codes.len(),
                distortion: sum(|stats| stats.distortion),
                inertia: sum(|stats| stats.inertia),
                converged: self.done.iter().all(|window| window.stats.converged),
                iterations: vec![],
                curve: vec![],
                variance: (squares - all.explained()).max(0.0),
            },
        })
    }
}

/// The codes of all windows, one after the other, as clusters of their tokens, and the label of every token among them.
fn joined(windows: &[Quantization], shape: GridShape) -> (Vec<Cluster>, Vec<u32>) {
    let mut codes: Vec<Cluster> = Vec::new();
    let mut labels = Vec::with_capacity(shape.len());
    for window in windows {
        let before = codes.len() as u32;
        let mut members = vec![0u64; window.codebook.codes()];
        for &label in window.index_map.labels() {
            members[label as usize] += 1;
            labels.push(before + label);
        }
        for (code, tokens) in members.into_iter().enumerate() {
            let sum =
                window.codebook.code(code).iter().map(|&value| f64::from(value) * tokens as f64).collect();
            codes.push(Cluster { sum, tokens });
        }
    }
    (codes, labels)
}
