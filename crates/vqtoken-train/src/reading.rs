//! What the language model reads in place of a clip, with gradients where parts of the way are trained.

use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData};
use rayon::prelude::*;
use vqtoken_core::{Budget, GridShape, IndexMap, QuantizerConfig, TokenGrid, quantize};
use vqtoken_model::OneVision;
use vqtoken_video::PixelSpec;

use crate::config::Reading;
use crate::data::Clips;
use crate::draws::Draws;
use crate::error::TrainError;
use crate::features::{Codes, Features};
use crate::losses::unit_rows;

/// Visual tokens of some clips.
#[derive(Debug)]
pub struct Visual {
    /// `[clips, M, D]`; none where the question alone is read.
    pub tokens: Option<Tensor<3>>,
    /// Where each code stands, `[clips]` times `[T, H, W]`; empty where tokens are no codes.
    pub maps: Vec<IndexMap>,
    /// Mean squared distance of tokens to their codes, where tokens are computed.
    pub commitment: Option<Tensor<1>>,
    /// Where each token of each clip stands among all that there are, `[clips]` times `[M]`, ascending.
    pub positions: Vec<Vec<usize>>,
    /// How many there are in all.
    pub length: usize,
}

impl Visual {
    fn of(tokens: Tensor<3>, maps: Vec<IndexMap>, commitment: Option<Tensor<1>>) -> Self {
        let [clips, count, _] = tokens.dims();
        let positions = vec![(0..count).collect(); clips];
        Self { tokens: Some(tokens), maps, commitment, positions, length: count }
    }

    /// A share of the tokens, the same of every clip, drawn at random. Each keeps its position. At least one stays. Where
    /// it is told which tokens of each clip show an object, every clip keeps these first, and others as far as there is
    /// room.
    pub(crate) fn keep(self, share: f64, draws: &mut Draws, shown: Option<&[Vec<bool>]>) -> Self {
        let Some(tokens) = self.tokens else { return self };
        let [clips, count, d] = tokens.dims();
        let wanted = ((count as f64 * share).round() as usize).max(1);
        let mut drawn = |clip: usize| {
            let mut rows: Vec<usize> = (0..count).collect();
            draws.shuffle(&mut rows);
            if let Some(shown) = shown {
                rows.sort_by_key(|&row| !shown[clip][row]);
            }
            rows.truncate(wanted);
            rows.sort_unstable();
            rows
        };
        let rows = match shown {
            Some(_) => (0..clips).map(drawn).collect(),
            None => vec![drawn(0); clips],
        };
        let of_all = rows.iter().enumerate();
        let of_all: Vec<u32> =
            of_all.flat_map(|(clip, rows)| rows.iter().map(move |row| (clip * count + row) as u32)).collect();
        let at =
            |(rows, positions): (&Vec<usize>, &Vec<usize>)| rows.iter().map(|&row| positions[row]).collect();
        let positions = rows.iter().zip(&self.positions).map(at).collect();
        let device = tokens.device();
        let tokens = tokens.reshape([clips * count, d]).select(0, ids(&of_all, &device));
        Self { tokens: Some(tokens.reshape([clips, wanted, d])), positions, ..self }
    }
}

/// From clips to visual tokens.
#[derive(Debug)]
pub struct Reader {
    /// What stands for a clip.
    pub reading: Reading,
    /// Frames of a clip.
    pub frames: usize,
    /// Numbers of codes that can be drawn.
    pub budgets: Vec<usize>,
    /// Kept features; none where the projector or the tower learns, and the grid has to be computed each time.
    pub features: Option<Features>,
    /// How frames become pixels.
    pub pixel_spec: PixelSpec,
    /// Where tensors go.
    pub device: Device,
}

impl Reader {
    /// Visual tokens of clips under the budget of this place in the list.
    ///
    /// # Errors
    ///
    /// If a clip or its features cannot be read.
    pub fn read(
        &self,
        model: &OneVision,
        clips: &dyn Clips,
        numbers: &[usize],
        budget: usize,
    ) -> Result<Visual, TrainError> {
        match (self.reading, &self.features) {
            (Reading::Blind, _) => Ok(Visual {
                tokens: None,
                maps: Vec::new(),
                commitment: None,
                positions: Vec::new(),
                length: 0,
            }),
            (Reading::Pooled, Some(features)) => {
                let pooled = numbers.par_iter().map(|&number| features.pooled(number));
                let pooled = pooled.collect::<Result<Vec<_>, _>>()?;
                let d = model.language.image_newline().dims()[0];
                let tokens = pooled.first().map_or(0, |values| values.len() / d);
                let data = TensorData::new(pooled.concat(), [numbers.len(), tokens, d]);
                Ok(Visual::of(Tensor::from_data(data, &self.device), Vec::new(), None))
            }
            (_, Some(features)) => {
                let codes = numbers.par_iter().map(|&number| features.codes(number, budget));
                let codes = codes.collect::<Result<Vec<_>, _>>()?;
                let (codebooks, maps) = self.batch(&codes, self.budgets[budget])?;
                let tokens = self.through(model, codebooks, &maps)?;
                Ok(Visual::of(tokens, maps, None))
            }
            (_, None) => self.compute(model, clips, numbers, budget),
        }
    }

    /// Codebooks as one tensor; a clip with fewer codes than the budget gets zeros for those that it does not have.
    fn batch(&self, codes: &[Codes], budget: usize) -> Result<(Tensor<3>, Vec<IndexMap>), TrainError> {
        let d = codes.first().map_or(0, |codes| codes.codebook.dim());
        let mut values = Vec::with_capacity(codes.len() * budget * d);
        let mut maps = Vec::with_capacity(codes.len());
        for (index, codes) in codes.iter().enumerate() {
            values.extend_from_slice(codes.codebook.data());
            values.resize((index + 1) * budget * d, 0.0);
            maps.push(with_codes(&codes.index_map, budget)?);
        }
        let data = TensorData::new(values, [codes.len(), budget, d]);
        Ok((Tensor::from_data(data, &self.device), maps))
    }

    fn through(
        &self,
        model: &OneVision,
        codebooks: Tensor<3>,
        maps: &[IndexMap],
    ) -> Result<Tensor<3>, TrainError> {
        match self.reading {
            Reading::Codebook => Ok(codebooks),
            _ => Ok(model.language.visual_tokens_batch(codebooks, maps)?),
        }
    }

    /// Visual tokens with gradients through the projector, the tower if it learns, and the means that the codes are.
    fn compute(
        &self,
        model: &OneVision,
        clips: &dyn Clips,
        numbers: &[usize],
        budget: usize,
    ) -> Result<Visual, TrainError> {
        let mut all = Vec::new();
        let mut commitments = Vec::new();
        let mut maps = Vec::new();
        for &number in numbers {
            let frames = clips.frames(number, self.frames)?;
            let pixels = self.pixel_spec.pixels(&frames);
            let shape = [frames.len(), 3, pixels.size, pixels.size];
            let pixels = Tensor::from_data(TensorData::new(pixels.data, shape), &self.device);
            let tokens = model.vision.tokens(pixels);
            let [frames, patches, d] = tokens.dims();
            let side = patches.isqrt();
            let shape = GridShape { frames, height: side, width: side };
            if self.reading == Reading::Pooled {
                all.push(pooled(tokens, side));
                continue;
            }
            let tokens = tokens.reshape([frames * patches, d]);
            let values: Vec<f32> = tokens.clone().detach().into_data().try_to_vec().unwrap_or_default();
            let wanted = self.budgets[budget];
            let config = QuantizerConfig {
                budget: Budget::Fixed(wanted.min(frames * patches)),
                ..QuantizerConfig::default()
            };
            let map = quantize(&TokenGrid::new(shape, d, values)?, &config)?.index_map;
            let map = with_codes(&map, wanted)?;
            let unit = unit_rows(tokens);
            let codes = code_means(unit.clone(), map.labels(), wanted);
            commitments.push(commitment(unit, codes.clone(), map.labels()));
            all.push(codes);
            maps.push(map);
        }
        let tokens = Tensor::stack::<3>(all, 0);
        let count = commitments.len();
        let commitment = commitments.into_iter().reduce(|a, b| a + b).map(|sum| sum / count as f32);
        let tokens = if maps.is_empty() { tokens } else { self.through(model, tokens, &maps)? };
        Ok(Visual::of(tokens, maps, commitment))
    }
}

/// The means of the unit tokens of each code, `[K, D]`, with gradients to the tokens: the assignment is a constant, the
/// mean is not. Zeros for a code without tokens.
///
/// # Shapes
///
/// - unit: `[n, D]`
/// - labels: `[n]`
pub fn code_means(unit: Tensor<2>, labels: &[u32], codes: usize) -> Tensor<2> {
    let device = unit.device();
    let [_, d] = unit.dims();
    let mut counts = vec![0.0_f32; codes];
    labels.iter().for_each(|&label| counts[label as usize] += 1.0);
    let shares = counts.iter().map(|count| 1.0 / count.max(1.0)).collect();
    let shares = Tensor::<2>::from_data(TensorData::new::<f32, _>(shares, [codes, 1]), &device);
    let sums = Tensor::zeros([codes, d], &device).select_assign(
        0,
        ids(labels, &device),
        unit,
        IndexingUpdateOp::Add,
    );
    sums * shares
}

/// Mean over tokens of the squared distance to their codes, which are held: a pull of the tokens together.
///
/// # Shapes
///
/// - unit: `[n, D]`
/// - codes: `[K, D]`
/// - labels: `[n]`
/// - output: `[1]`
pub fn commitment(unit: Tensor<2>, codes: Tensor<2>, labels: &[u32]) -> Tensor<1> {
    let device = unit.device();
    let own = codes.detach().select(0, ids(labels, &device));
    (unit - own).powi_scalar(2).sum_dim(1).mean()
}

/// Numbers of rows as a tensor.
pub(crate) fn ids(labels: &[u32], device: &Device) -> Tensor<1, Int> {
    let ids: Vec<i64> = labels.iter().map(|&label| i64::from(label)).collect();
    Tensor::from_data(TensorData::new(ids, [labels.len()]), device)
}

fn with_codes(map: &IndexMap, codes: usize) -> Result<IndexMap, TrainError> {
    IndexMap::new(map.shape(), codes, map.labels().to_vec())
        .map_err(|error| TrainError::Checkpoint { file: "an index map".into(), problem: error.to_string() })
}

/// Every frame's grid bilinearly pooled to half its sides, `[T, N, D]` to `[T * ceil(H / 2) * ceil(W / 2), D]`: two linear
/// maps, one for each axis, with the weights of LLaVA-OneVision's interpolation (`align_corners = false`).
fn pooled(tokens: Tensor<3>, side: usize) -> Tensor<2> {
    let [frames, _, d] = tokens.dims();
    let half = side.div_ceil(2);
    let weights =
        Tensor::<2>::from_data(TensorData::new(interpolation(side, half), [half, side]), &tokens.device());
    let rows = weights.clone().unsqueeze::<3>().expand([frames, half, side]);
    let tokens = rows.matmul(tokens.reshape([frames, side, side * d]));
    let columns = weights.unsqueeze::<3>().expand([frames * half, half, side]);
    columns.matmul(tokens.reshape([frames * half, side, d])).reshape([frames * half * half, d])
}

/// `[half, side]`: each row the weights of the two neighbours of a pooled cell's centre.
fn interpolation(side: usize, half: usize) -> Vec<f32> {
    let mut weights = vec![0.0; half * side];
    for cell in 0..half {
        let centre = ((cell as f32 + 0.5) * side as f32 / half as f32 - 0.5).max(0.0);
        let first = (centre.floor() as usize).min(side - 1);
        let share = centre - first as f32;
        weights[cell * side + first] += 1.0 - share;
        weights[cell * side + (first + 1).min(side - 1)] += share;
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_tokens_keep_their_places() {
        let device = Device::flex();
        let values: Vec<f32> = (0..2 * 40).map(|i| i as f32).collect();
        let all = || Tensor::<1>::from_floats(values.as_slice(), &device).reshape([2, 40, 1]);
        let keep = |share: f64, shown: Option<&[Vec<bool>]>| {
            let visual = Visual::of(all(), Vec::new(), None);
            let visual = visual.keep(share, &mut Draws::at(1, "kept tokens", 0), shown);
            let kept: Vec<f32> = visual.tokens.unwrap().into_data().try_to_vec().unwrap();
            let of_clip = |(clip, positions): (usize, &Vec<usize>)| {
                positions.iter().map(|p| (40 * clip + p) as f32).collect::<Vec<_>>()
            };
            let expected: Vec<f32> = visual.positions.iter().enumerate().flat_map(of_clip).collect();
            assert_eq!((kept, visual.length), (expected, 40));
            assert!(visual.positions.iter().all(|positions| positions.is_sorted()));
            visual.positions
        };
        let quarter = keep(0.25, None);
        assert!(quarter[0].len() == 10 && quarter[0] == quarter[1]);
        assert_ne!(quarter[0], (0..10).collect::<Vec<_>>());
        assert_eq!(keep(1e-9, None)[0].len(), 1);
        // Six tokens of the first clip show an object, twelve of the second.
        let shown: Vec<Vec<bool>> =
            [6, 12].map(|n| (0..40).map(|row| row % 3 == 0 && row < 3 * n).collect()).into();
        let kept = keep(0.25, Some(&shown));
        let objects = |clip: usize| kept[clip].iter().filter(|&&row| shown[clip][row]).count();
        assert_eq!(([kept[0].len(), kept[1].len()], [objects(0), objects(1)]), ([10, 10], [6, 10]));
    }
}
