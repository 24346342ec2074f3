//! VidCom2: keeps the tokens that differ most from the mean of their frame and of the video.

use rayon::prelude::*;

use super::amount::Target;
use super::choose::largest;
use super::evs::PRUNING_RATE;
use super::reduction::mean;
use super::{ReduceError, Reducer, Reduction, check};
use crate::grid::TokenGrid;
use crate::unit_tokens::normalize;

/// The variance of each Gaussian kernel.
const BANDWIDTHS: [f64; 5] = [0.125, 0.25, 0.5, 1.0, 2.0];
const TEMPERATURE: f64 = 0.01;

/// Video Compression Commander (Liu et al., EMNLP 2025, arXiv 2505.14454; in vLLM).
///
/// On the half of the channels that vary least over the clip, tokens are scaled to length 1. A token's similarity to a centre is the
/// sum of `exp(-d^2 / 2a)` over a = 1/8, 1/4, 1/2, 1, 2, and the centres are the mean of its frame and the mean of the video. Each
/// frame keeps its least similar tokens (both sums together). A frame's share is `r (1 + p - mean p)` of its tokens, at most all and
/// at least one, where p is the softmax, at temperature 0.01, of how unlike the video's mean its tokens are on average.
///
/// Natural unit: the pruning rate q = 1 - r, `vidcom2:q=0.75`, which keeps `max(T, floor(N (1 - q)))` tokens. A budget of M is r =
/// M / N and always met: rounding leaves a few tokens too many or too few, which are taken from or added to the whole clip by their
/// similarity, as vLLM does; with M below T some frames keep none. Complexity, with C = D / 2: `4 N D + 11 N C`.
#[derive(Clone, Debug, PartialEq)]
pub struct VidCom2 {
    /// q, or M.
    pub target: Target,
}

impl Reducer for VidCom2 {
    fn name(&self) -> String {
        format!("vidcom2:{}", PRUNING_RATE.text(&self.target))
    }

    fn reduce(&self, grid: &TokenGrid) -> Result<Reduction, ReduceError> {
        check(grid)?;
        let (frames, tokens) = (grid.shape().frames, grid.shape().len());
        let (budget, share) = match &self.target {
            Target::Parameter(q) => {
                let share = 1.0 - PRUNING_RATE.check(*q)?;
                (frames.max((tokens as f64 * share) as usize), share)
            }
            Target::Amount(amount) => {
                let budget = amount.tokens(grid)?;
                (budget, budget as f64 / tokens as f64)
            }
        };
        let channels = steadiest_channels(grid);
        let (to_video, to_frame) = similarities(grid, &channels);
        let counts = frame_counts(&to_video, frames, share);
        let unlike: Vec<f64> =
            to_video.iter().zip(&to_frame).map(|(video, frame)| -(video + frame)).collect();
        let flops = 4 * grid.data().len() + 11 * tokens * channels.len();
        Ok(Reduction::kept(grid, choose(&unlike, &counts, budget), flops as u64))
    }
}

/// The half of the channels (at least one) whose variance over all tokens is smallest, ties to the lowest, in rising order.
fn steadiest_channels(grid: &TokenGrid) -> Vec<usize> {
    let (dim, tokens) = (grid.dim(), grid.shape().len() as f64);
    let mut means = vec![0.0f64; dim];
    for token in grid.data().chunks_exact(dim) {
        means.iter_mut().zip(token).for_each(|(mean, &x)| *mean += f64::from(x) / tokens);
    }
    let mut variances = vec![0.0f64; dim];
    for token in grid.data().chunks_exact(dim) {
        for ((variance, mean), &x) in variances.iter_mut().zip(&means).zip(token) {
            *variance += (f64::from(x) - mean) * (f64::from(x) - mean);
        }
    }
    let steadiness: Vec<f64> = variances.iter().map(|variance| -variance).collect();
    largest(&steadiness, (dim / 2).max(1))
}

/// For every token its similarity to the video's mean and to its frame's mean, `[N]` each, from 0 to 5.
fn similarities(grid: &TokenGrid, channels: &[usize]) -> (Vec<f64>, Vec<f64>) {
    let (per_frame, dim) = (grid.shape().tokens_per_frame(), channels.len());
    let selected = grid.data().par_chunks_exact(grid.dim());
    let selected: Vec<f32> =
        selected.flat_map_iter(|token| channels.iter().map(|&channel| token[channel])).collect();
    let units = normalize(&selected, dim);
    let of_frame = |frame: &[f32]| mean(frame, dim, 0..per_frame);
    let frame_means: Vec<f32> = units.par_chunks_exact(per_frame * dim).flat_map_iter(of_frame).collect();
    let video_mean = mean(&frame_means, dim, 0..grid.shape().frames);
    let of_token = |(token, unit): (usize, &[f32])| {
        let frame_mean = &frame_means[token / per_frame * dim..][..dim];
        (similarity(unit, &video_mean), similarity(unit, frame_mean))
    };
    units.par_chunks_exact(dim).enumerate().with_min_len(64).map(of_token).unzip()
}

/// The sum of Gaussian kernels of the distance to a centre.
fn similarity(token: &[f32], centre: &[f32]) -> f64 {
    let difference = |(&a, &b): (&f32, &f32)| f64::from(a) - f64::from(b);
    let squared: f64 =
        token.iter().zip(centre).map(difference).map(|difference| difference * difference).sum();
    BANDWIDTHS.iter().map(|bandwidth| (-squared / (2.0 * bandwidth)).exp()).sum()
}

/// How many tokens each frame keeps before the whole is brought to the budget.
fn frame_counts(to_video: &[f64], frames: usize, share: f64) -> Vec<usize> {
    let per_frame = to_video.len() / frames;
    let unlike = |frame: &[f64]| -frame.iter().sum::<f64>() / per_frame as f64;
    let unlike: Vec<f64> = to_video.chunks_exact(per_frame).map(unlike).collect();
    let most = unlike.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = unlike.iter().map(|unlike| ((unlike - most) / TEMPERATURE).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let count = |weight: &f64| {
        let scale = (share * (1.0 + weight / sum - 1.0 / frames as f64)).min(1.0);
        ((scale * per_frame as f64).round_ties_even() as usize).clamp(1, per_frame)
    };
    weights.iter().map(count).collect()
}

/// The most unlike tokens of each frame, then the most alike of them left out, or the most unlike others added, up to the budget.
fn choose(unlike: &[f64], counts: &[usize], budget: usize) -> Vec<usize> {
    let per_frame = unlike.len() / counts.len();
    let of_frame = |(frame, &count): (usize, &usize)| {
        let cells = largest(&unlike[frame * per_frame..][..per_frame], count);
        cells.into_iter().map(move |cell| frame * per_frame + cell)
    };
    let mut kept: Vec<usize> = counts.iter().enumerate().flat_map(of_frame).collect();
    if kept.len() > budget {
        let scores: Vec<f64> = kept.iter().map(|&token| unlike[token]).collect();
        return largest(&scores, budget).into_iter().map(|index| kept[index]).collect();
    }
    let mut scores = unlike.to_vec();
    kept.iter().for_each(|&token| scores[token] = f64::NEG_INFINITY);
    kept.extend(largest(&scores, budget - kept.len()));
    kept.sort_unstable();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::Amount;
    use crate::reduce::testing::grid;

    #[test]
    fn channels_of_least_variance() {
        // Of four channels, the first (variance 0) and the third (0.25) vary less than the second (25) and the fourth (81).
        let grid = grid(2, 1, 1, 4, vec![1.0, 5.0, 0.5, -9.0, 1.0, -5.0, -0.5, 9.0]);
        assert_eq!(steadiest_channels(&grid), [0, 2]);
    }

    #[test]
    fn the_odd_one_is_kept() {
        // All of the variance lies in channels 2 and 3, so the first two are read: x x y and x x x, with x = (1, 0), y = (0, 1).
        let token = |x: f32, y: f32, other: f32| [x, y, other, -other];
        let (x, y) = (|other| token(1.0, 0.0, other), token(0.0, 1.0, -90.0));
        let grid = grid(2, 1, 3, 4, [x(50.0), x(60.0), y, x(70.0), x(-80.0), x(9.0)].concat());
        let (to_video, to_frame) = similarities(&grid, &steadiest_channels(&grid));
        // The video's mean is (5/6, 1/6): squared distances 2/36 from x and 50/36 from y.
        let kernels = |squared: f64| BANDWIDTHS.iter().map(|a| (-squared / (2.0 * a)).exp()).sum::<f64>();
        assert!((to_video[0] - kernels(2.0 / 36.0)).abs() < 1e-6);
        assert!((to_video[2] - kernels(50.0 / 36.0)).abs() < 1e-6);
        // Frame 0's is (2/3, 1/3): 2/9 from x, 8/9 from y. Frame 1's is x itself, where all five kernels are 1.
        assert!((to_frame[0] - kernels(2.0 / 9.0)).abs() < 1e-6);
        assert!((to_frame[2] - kernels(8.0 / 9.0)).abs() < 1e-6);
        assert!((to_frame[3] - 5.0).abs() < 1e-6);
        // Frame 0 is the less alike one by far more than the temperature, so p = 1, 0 and the shares are r (1 +- 1/2) = 1/2 and
        // 1/6 of three tokens for M = 2: 1.5 rounds to the even 2, 0.5 to 0 and that is raised to 1. One of three too many goes: the
        // most alike, of frame 1.
        assert_eq!(frame_counts(&to_video, 2, 1.0 / 3.0), [2, 1]);
        let two = VidCom2 { target: Target::Amount(Amount::Tokens(2)) }.reduce(&grid).unwrap();
        assert_eq!(two.assignment, [Some(0), None, Some(1), None, None, None]);
        assert_eq!(two.flops, 4 * 24 + 11 * 6 * 2);
        let one = VidCom2 { target: Target::Amount(Amount::Tokens(1)) }.reduce(&grid).unwrap();
        assert_eq!(one.tokens.data(), y);
        // q = 0.9 would keep floor(0.6) tokens: one for each frame instead.
        let least = VidCom2 { target: Target::Parameter(0.9) }.reduce(&grid).unwrap();
        assert_eq!(least.tokens.len(), 2);
    }

    #[test]
    fn missing_tokens_are_added() {
        assert_eq!(choose(&[0.0, 3.0, 2.0, 1.0], &[1, 1], 3), [1, 2, 3]);
    }
}
