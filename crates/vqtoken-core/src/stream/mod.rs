//! The quantizer for tokens that come frame by frame: memory for one block of them, their groups and the index map.

pub(crate) mod groups;
pub(crate) mod join;
pub(crate) mod refine;
pub(crate) mod sketch;
pub(crate) mod windows;

use crate::codebook::Codebook;
use crate::grid::{GridShape, TokenGrid};
use crate::index_map::IndexMap;
use crate::quantize::merge_tree::Cluster;
use crate::quantize::numbering::{CodeOrder, number};
use crate::quantize::{
    CurvePoint, Procedure, Quantization, QuantizeError, QuantizerConfig, QuantizerStats, check_budget,
    check_tokens, quantize_unit_tokens,
};
use crate::random::Random;
use crate::stream::groups::{NO_GROUP, Pool, distortion, fit_groups, group};
use crate::stream::refine::{Block, refine};
use crate::stream::sketch::Sketches;
use crate::unit_tokens::{UnitTokens, normalize};

/// Tokens that are grouped together: 44 frames of 27 x 27. As long as no more have come, all are kept, and the result is that of
/// [`crate::quantize`].
const BLOCK: usize = 32_768;

/// Groups of a block for each code of the largest budget, and the fewest.
const GROUPS_PER_CODE: usize = 4;
const LEAST_GROUPS: usize = 128;

/// When more groups than those of so many blocks live, they are joined down to half as many.
const POOLED_BLOCKS: usize = 8;

/// Joining compares all pairs of groups, so there are no more of a block than the first number and no more alive than the second, unless codes need
/// more.
const MOST_GROUPS: usize = 2048;
const MOST_POOLED: usize = 4096;

/// The most groups of a block, and how many may live, for budgets of at most so many codes.
fn sizes(codes: usize) -> (usize, usize) {
    let codes = codes.min(BLOCK / 4);
    let groups = (GROUPS_PER_CODE * codes).clamp(LEAST_GROUPS, MOST_GROUPS.max(2 * codes));
    (groups, (POOLED_BLOCKS * groups).min(MOST_POOLED.max(4 * codes)))
}

/// Quantizes a stream of token grids without ever holding all tokens.
///
/// Tokens are gathered in blocks. Those of a block that lie close together become a group, of which the sum is kept, and of
/// each token the group's number and a sketch of 16 bytes; groups that lie close together are joined when there are many. In the end the
/// groups are clustered in place of tokens: their merge tree gives the curve of an adaptive budget and the start of Lloyd's iterations, first over
/// groups and then over sketches. Time is linear in the tokens. Memory grows by 20 bytes a token while they come and 32 when they
/// end, and otherwise not at all: an hour at one frame a second (2.6 million tokens) takes 84 MB of it. How the stream is cut into chunks does not show in the result.
#[derive(Clone, Debug)]
pub struct QuantizerStream {
    config: QuantizerConfig,
    /// H and W, D; none before the first chunk.
    form: Option<((usize, usize), usize)>,
    frames: usize,
    /// Unit tokens that are not grouped yet, `[_, D]`.
    waiting: Vec<f32>,
    /// What is kept of the blocks that went by.
    blocks: Vec<Block>,
    pool: Pool,
    squares: f64,
    random: Random,
}

impl QuantizerStream {
    /// A stream that nothing has come through yet.
    ///
    /// # Errors
    /// If the budget allows no code, or the procedure is the published one, which needs all tokens at once.
    pub fn new(config: QuantizerConfig) -> Result<Self, QuantizeError> {
        config.budget.check()?;
        if config.procedure == Procedure::Published {
            return Err(QuantizeError::PublishedStream);
        }
        Ok(Self {
            config,
            form: None,
            frames: 0,
            waiting: Vec::new(),
            blocks: Vec::new(),
            pool: Pool::default(),
            squares: 0.0,
            random: Random::new(config.seed),
        })
    }

    /// How many frames have come.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Says what frames must look like before the first has come.
    pub(crate) fn expect(&mut self, size: (usize, usize), dim: usize) {
        self.form.get_or_insert((size, dim));
    }

    /// [`QuantizerStream::finish`] with a budget cut to the tokens that have come.
    ///
    /// # Errors
    /// If nothing has come.
    pub fn finish_within(mut self) -> Result<Quantization, QuantizeError> {
        let tokens = self.form.map_or(0, |((height, width), _)| self.frames * height * width);
        self.config.budget = self.config.budget.within(tokens.max(1));
        self.finish()
    }

    /// Takes the next frames, `[t, H, W, D]`.
    ///
    /// # Errors
    /// If H, W or D are others than those of the chunks before, a token is not finite, or the stream gets longer than an
    /// index map can be. The chunk is not taken then; the stream can go on.
    pub fn push(&mut self, chunk: &TokenGrid) -> Result<(), QuantizeError> {
        let found = ((chunk.shape().height, chunk.shape().width), chunk.dim());
        let (expected, frames) = (self.form.unwrap_or(found), self.frames);
        if found.0 != expected.0 {
            return Err(QuantizeError::ChunkSize { frames, expected: expected.0, found: found.0 });
        }
        if found.1 != expected.1 {
            let (expected, found) = (expected.1, found.1);
            return Err(QuantizeError::ChunkDimension { frames, expected, found });
        }
        let shape = GridShape { frames: frames.saturating_add(chunk.shape().frames), ..chunk.shape() };
        shape.checked()?;
        check_tokens(chunk, frames)?;
        (self.form, self.frames) = (Some(found), shape.frames);
        self.waiting.extend(normalize(chunk.data(), chunk.dim()));
        if self.waiting.len() > BLOCK * chunk.dim() {
            self.group_blocks(chunk.dim())?;
        }
        Ok(())
    }

    /// Groups all whole blocks that wait.
    fn group_blocks(&mut self, dim: usize) -> Result<(), QuantizeError> {
        while self.waiting.len() >= BLOCK * dim {
            let rest = self.waiting.split_off(BLOCK * dim);
            let block = std::mem::replace(&mut self.waiting, rest);
            self.group_block(block, dim)?;
        }
        Ok(())
    }

    fn group_block(&mut self, block: Vec<f32>, dim: usize) -> Result<(), QuantizeError> {
        let (most, pooled) = sizes(self.config.budget.max_codes());
        let tokens = UnitTokens::of_unit_rows(block, dim);
        self.squares += tokens.squares();
        let (groups, labels) = group(&tokens, most, &mut self.random)?;
        let sketches = Sketches::new(&tokens, &groups);
        let first = self.pool.add(groups);
        let name = |label: u32| if label == NO_GROUP { NO_GROUP } else { first + label };
        self.blocks.push(Block { names: labels.into_iter().map(name).collect(), sketches });
        if self.pool.len() > pooled {
            self.pool.shrink(dim, pooled / 2);
        }
        Ok(())
    }

    /// The codebook and the index map of all that has come.
    ///
    /// # Errors
    /// If nothing has come, or the budget asks for more codes than there are tokens.
    pub fn finish(mut self) -> Result<Quantization, QuantizeError> {
        let Some(((height, width), dim)) = self.form.filter(|_| self.frames > 0) else {
            return Err(QuantizeError::EmptyStream);
        };
        let shape = GridShape { frames: self.frames, height, width };
        check_budget(&self.config.budget, shape.len())?;
        let waiting = std::mem::take(&mut self.waiting);
        if self.blocks.is_empty() {
            return quantize_unit_tokens(&UnitTokens::of_unit_rows(waiting, dim), shape, &self.config);
        }
        if !waiting.is_empty() {
            self.group_block(waiting, dim)?;
        }
        let (groups, places) = self.pool.into_groups();
        if groups.is_empty() {
            let labels = vec![NO_GROUP; shape.len()];
            return of_clusters(vec![], labels, vec![], shape, dim, self.squares, self.config.order);
        }
        let fit = fit_groups(groups, dim, self.squares, &self.config)?;
        let (labels, clusters) = refine(self.blocks, &places, &fit.groups, &fit.labels, fit.codes);
        of_clusters(clusters, labels, fit.curve, shape, dim, self.squares, self.config.order)
    }
}

/// The result of a quantization from its clusters and the label of every token, [`NO_GROUP`] for those without direction.
///
/// # Errors
/// Never for labels of that shape.
fn of_clusters(
    clusters: Vec<Cluster>,
    before: Vec<u32>,
    curve: Vec<CurvePoint>,
    shape: GridShape,
    dim: usize,
    squares: f64,
    order: CodeOrder,
) -> Result<Quantization, QuantizeError> {
    let (labels, codes) = number(&before, clusters.len(), order, |token| before[token] != NO_GROUP);
    let mut numbered = vec![Cluster::empty(dim); codes];
    for (&before, &label) in before.iter().zip(&labels) {
        let code = &mut numbered[label as usize];
        match clusters.get(before as usize) {
            Some(cluster) if code.tokens == 0 => *code = cluster.clone(),
            _ => {}
        }
    }
    numbered[0].tokens += before.iter().filter(|&&label| label == NO_GROUP).count() as u64;
    of_codes(&numbered, labels, curve, shape, squares)
}

/// The result of a quantization from the clusters that are its codes, at least one, and the label of every token.
///
/// # Errors
/// Never for labels of that shape, all below the number of codes.
pub(crate) fn of_codes(
    clusters: &[Cluster],
    labels: Vec<u32>,
    curve: Vec<CurvePoint>,
    shape: GridShape,
    squares: f64,
) -> Result<Quantization, QuantizeError> {
    let (codes, dim) = (clusters.len(), clusters.first().map_or(0, |cluster| cluster.sum.len()));
    let mut all = Cluster::empty(dim);
    clusters.iter().for_each(|cluster| all.add(cluster));
    let explained: f64 = clusters.iter().map(Cluster::explained).sum();
    let mean = |cluster: &Cluster| {
        let tokens = cluster.tokens.max(1) as f64;
        cluster.sum.iter().map(|value| (value / tokens) as f32).collect::<Vec<_>>()
    };
    Ok(Quantization {
        codebook: Codebook::new(codes, dim, clusters.iter().flat_map(mean).collect())?,
        index_map: IndexMap::new(shape, codes, labels)?,
        stats: QuantizerStats {
            codes,
            distortion: distortion(clusters),
            inertia: (squares - explained).max(0.0),
            converged: false,
            iterations: vec![],
            curve,
            variance: (squares - all.explained()).max(0.0),
        },
    })
}
