//! Long videos in windows: a codebook for each, and if wanted a second quantization of all their codes.
//!
//! Source: the segmented windows, hierarchical quantization and budgets that follow the content which VQToken (section 5) names as future work.

use crate::codebook::Codebook;
use crate::grid::{GridShape, TokenGrid};
use crate::index_map::IndexMap;
use crate::quantize::merge_tree::Cluster;
use crate::quantize::numbering::number;
use crate::quantize::{Quantization, QuantizeError, QuantizerConfig, QuantizerStats};
use crate::stream::groups::fit_groups;
use crate::stream::{QuantizerStream, of_codes};
use crate::video_tokens::Windows;

/// Quantizes a stream of token grids, as one or window by window.
///
/// Without windows it is a [`QuantizerStream`]. Otherwise every window of so many seconds gets a codebook of its own under the configuration's budget (or as many codes as it has tokens, if
/// these are fewer); the codebook of the whole has the rows of all windows one after the other. With a rule of a fixed price or share the
/// number of codes follows what happens in each window. A total budget quantizes the windows' codes once more, each counting as
/// often as it occurs, so that the whole video gets that many.
///
/// Of the windows that are over it keeps 4 bytes a token and their codes; a total budget needs another 8 bytes a channel of each code and
/// 17 MB at the end, and 4 bytes for each pair of a window's code and a code of the result.
#[derive(Debug)]
pub struct WindowedQuantizer {
    config: QuantizerConfig,
    windows: Option<Windows>,
    /// The window that frames go into, and its number.
    current: Option<(u64, QuantizerStream)>,
    done: Done,
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
        Ok(Self { config, windows, current: None, done: Done::default(), frames: 0 })
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
        if let Some((size, dim)) = self.done.form {
            stream.expect(size, dim);
        }
        let before = self.frames - stream.frames();
        stream.push(frames).map_err(|error| error.behind(before))?;
        self.frames += frames.shape().frames;
        Ok(())
    }

    fn close(&mut self) -> Result<(), QuantizeError> {
        if let Some((_, stream)) = self.current.take() {
            self.done.add(stream.finish_within()?);
        }
        Ok(())
    }

    /// The codebook and the index map of all that has come.
    ///
    /// # Errors
    /// If nothing has come, or the total budget asks for more codes than all windows have.
    pub fn finish(mut self) -> Result<Quantization, QuantizeError> {
        let Some(windows) = self.windows else {
            let (_, stream) = self.current.ok_or(QuantizeError::EmptyStream)?;
            return stream.finish();
        };
        self.close()?;
        match windows.total {
            None => self.done.side_by_side(),
            Some(budget) => self.done.quantized_again(&QuantizerConfig { budget, ..self.config }),
        }
    }
}

/// The windows that are over.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// H and W, D; none before the first window is over.
    form: Option<((usize, usize), usize)>,
    frames: usize,
    /// The codes of all windows, one window after the other, `[M, D]`.
    codes: Vec<f32>,
    /// Tokens of each code, `[M]`.
    members: Vec<u64>,
    /// The label of every token among the codes of all windows, `[T, H, W]`.
    labels: Vec<u32>,
    distortion: f64,
    inertia: f64,
    /// Whether a window's fit ended before it had converged.
    unfinished: bool,
}

impl Done {
    fn add(&mut self, window: Quantization) {
        self.add_labels(&window.codebook, window.index_map.shape(), window.index_map.labels());
        self.distortion += window.stats.distortion;
        self.inertia += window.stats.inertia;
        self.unfinished |= !window.stats.converged;
    }

    /// Codes and labels of one more window; codes that no label names are left out. Returns the place of its first code.
    fn add_labels(&mut self, codebook: &Codebook, shape: GridShape, labels: &[u32]) -> usize {
        self.form = Some(((shape.height, shape.width), codebook.dim()));
        self.frames += shape.frames;
        let before = self.members.len();
        let mut members = vec![0_u64; codebook.codes()];
        labels.iter().for_each(|&label| members[label as usize] += 1);
        let mut places = vec![0; codebook.codes()];
        for (code, &tokens) in members.iter().enumerate().filter(|(_, tokens)| **tokens > 0) {
            places[code] = self.members.len() as u32;
            self.members.push(tokens);
            self.codes.extend(codebook.code(code));
        }
        self.labels.extend(labels.iter().map(|&label| places[label as usize]));
        before
    }

    /// [`Self::add_labels`] for a window of which nothing is known but its codes: what its tokens fall short of them follows from
    /// the tokens' length of 1.
    pub(super) fn add_part(&mut self, codebook: &Codebook, shape: GridShape, labels: &[u32]) {
        let before = self.add_labels(codebook, shape, labels);
        for (code, &tokens) in
            self.codes[before * codebook.dim()..].chunks_exact(codebook.dim()).zip(&self.members[before..])
        {
            let squared: f64 = code.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
            self.inertia += tokens as f64 * (1.0 - squared).max(0.0);
            self.distortion += tokens as f64 * (1.0 - squared.sqrt()).max(0.0);
        }
    }

    /// H and W, D; none before the first window is over.
    pub(super) fn form(&self) -> Option<((usize, usize), usize)> {
        self.form
    }

    pub(super) fn frames(&self) -> usize {
        self.frames
    }

    /// How many codes all windows have.
    pub(super) fn codes(&self) -> usize {
        self.members.len()
    }

    /// `[T, H, W]` and D.
    fn shape(&self) -> Result<(GridShape, usize), QuantizeError> {
        let ((height, width), dim) = self.form.ok_or(QuantizeError::EmptyStream)?;
        Ok((GridShape { frames: self.frames, height, width }, dim))
    }

    /// The codes as clusters of their tokens.
    fn clusters(&self, dim: usize) -> impl Iterator<Item = Cluster> {
        self.codes.chunks_exact(dim).zip(&self.members).map(|(code, &tokens)| Cluster {
            sum: code.iter().map(|&value| f64::from(value) * tokens as f64).collect(),
            tokens,
        })
    }

    /// The codes of all windows as they are.
    pub(super) fn side_by_side(self) -> Result<Quantization, QuantizeError> {
        let (shape, dim) = self.shape()?;
        let mut all = Cluster::empty(dim);
        let mut explained = 0.0;
        for code in self.clusters(dim) {
            explained += code.explained();
            all.add(&code);
        }
        let codes = self.members.len();
        Ok(Quantization {
            codebook: Codebook::new(codes, dim, self.codes)?,
            index_map: IndexMap::new(shape, codes, self.labels)?,
            stats: QuantizerStats {
                codes,
                distortion: self.distortion,
                inertia: self.inertia,
                converged: !self.unfinished,
                iterations: vec![],
                curve: vec![],
                variance: (self.inertia + explained - all.explained()).max(0.0),
            },
        })
    }

    /// Fewer codes, each of which stands for some of the windows' codes.
    pub(super) fn quantized_again(mut self, config: &QuantizerConfig) -> Result<Quantization, QuantizeError> {
        let (shape, dim) = self.shape()?;
        let (total, of_windows) = (config.budget.min_codes(), self.members.len());
        if total > of_windows {
            return Err(QuantizeError::TotalTooLarge { total, of_windows });
        }
        let clusters: Vec<Cluster> = self.clusters(dim).collect();
        self.codes = Vec::new();
        let squares = self.inertia + clusters.iter().map(Cluster::explained).sum::<f64>();
        let fit = fit_groups(clusters, dim, squares, config)?;
        // Windows number their codes in the same order, so the order of these is that of their tokens.
        let (numbers, codes) = number(&fit.labels, fit.codes, config.order, |_| true);
        let mut clusters = vec![Cluster::empty(dim); codes];
        fit.groups.iter().zip(&numbers).for_each(|(code, &number)| clusters[number as usize].add(code));
        self.labels.iter_mut().for_each(|label| *label = numbers[*label as usize]);
        of_codes(&clusters, self.labels, fit.curve, shape, squares)
    }
}
