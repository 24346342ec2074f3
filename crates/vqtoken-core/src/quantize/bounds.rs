//! The assignment step when centroids have only turned a little: bounds on cosines tell which need computing again.
//!
//! A token at angle a from a centroid that turns by t is at an angle in `[a - t, a + t]` afterwards. For every token one
//! lower bound is kept on the cosine with its own centroid, and for every pair an upper bound; a pair whose upper bound
//! is below the lower one cannot win. Rounding is inside the bounds, so the labels are those of computing everything.
//!
//! Source: Elkan 2003 (ICML), with angles instead of distances.

use pulp::Arch;
use rayon::prelude::*;

use crate::products::{chosen_products, product, rounding};
use crate::quantize::assign::{best, cosines, nearest};
use crate::unit_tokens::{UnitTokens, squared_length};

/// The rounding of one turn of a bound: half a dozen operations on values up to 1, and the turn's own rounding.
const TURN_ROUNDING: f32 = 6e-7;

/// A token that changed its code; it had none before the first assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) token: usize,
    pub(crate) from: Option<u32>,
    pub(crate) to: u32,
}

/// For each token the nearest centroid, and bounds on the cosines.
pub(crate) struct Assignment {
    /// `[N]`.
    pub(crate) labels: Vec<u32>,
    /// Not above the cosine with the token's own centroid, `[N]`; empty without bounds.
    lower: Vec<f32>,
    /// Not below the cosine with any centroid, `[N, K]`; empty without bounds.
    upper: Vec<f32>,
    /// Twice the rounding of a computed cosine: once towards the exact one, once from it to any other computed one.
    margin: f32,
}

/// Bounds for more pairs of a token and a centroid take more than 32 MB; a fit of a single iteration then computes all cosines twice instead.
const MANY_PAIRS: usize = 1 << 23;

impl Assignment {
    /// Computes all cosines with unit vectors `directions` `[K, D]`.
    pub(crate) fn new(tokens: &UnitTokens, directions: &[f32]) -> Self {
        let codes = directions.len() / tokens.dim();
        let margin = 2.0 * rounding(tokens.dim());
        let mut upper = cosines(tokens, directions);
        let of_token = |cosines: &mut [f32]| {
            let (label, cosine) = best(cosines);
            cosines.iter_mut().for_each(|cosine| *cosine += margin);
            (label, cosine - margin)
        };
        let (labels, lower) = upper.par_chunks_exact_mut(codes).with_min_len(64).map(of_token).unzip();
        Self { labels, lower, upper, margin }
    }

    /// [`Self::new`] for a fit of so many iterations.
    pub(crate) fn of_fit(tokens: &UnitTokens, directions: &[f32], iterations: usize) -> Self {
        let pairs = tokens.len() * (directions.len() / tokens.dim());
        match iterations <= 1 && pairs > MANY_PAIRS {
            true => Self::without_bounds(tokens, directions),
            false => Self::new(tokens, directions),
        }
    }

    fn without_bounds(tokens: &UnitTokens, directions: &[f32]) -> Self {
        Self { labels: nearest(tokens, directions), lower: Vec::new(), upper: Vec::new(), margin: 0.0 }
    }

    /// Assigns anew after the centroids turned from `before` to `directions`, and gives the moves in the order of tokens.
    pub(crate) fn update(&mut self, tokens: &UnitTokens, before: &[f32], directions: &[f32]) -> Vec<Move> {
        let dim = tokens.dim();
        if self.upper.is_empty() {
            let labels = nearest(tokens, directions);
            let before = std::mem::replace(&mut self.labels, labels);
            let changed = before.iter().zip(&self.labels).enumerate().filter(|(_, (from, to))| from != to);
            return changed.map(|(token, (&from, &to))| Move { token, from: Some(from), to }).collect();
        }
        let turns = Turns::new(before, directions, dim);
        let margin = self.margin;
        let labels = self.labels.par_iter_mut().zip(&mut self.lower);
        let all =
            labels.zip(self.upper.par_chunks_exact_mut(directions.len() / dim)).enumerate().with_min_len(16);
        let moved = all.filter_map(|(token, ((label, lower), upper))| {
            let from = *label;
            let mut bounds = Bounds { label, lower, upper, margin };
            if bounds.turn(&turns) {
                bounds.tighten(tokens.token(token), directions);
            }
            (*bounds.label != from).then_some(Move { token, from: Some(from), to: *bounds.label })
        });
        moved.collect()
    }

    /// Gives a token another code than the nearest.
    pub(crate) fn reassign(&mut self, token: usize, to: u32) -> Move {
        if let Some(lower) = self.lower.get_mut(token) {
            *lower = -1.0;
        }
        let from = std::mem::replace(&mut self.labels[token], to);
        Move { token, from: Some(from), to }
    }
}

/// The turns of all centroids' directions, `[K]` each. One without direction, before or after, may have turned anywhere.
struct Turns {
    cosines: Vec<f32>,
    sines: Vec<f32>,
    roundings: Vec<f32>,
}

impl Turns {
    fn new(before: &[f32], after: &[f32], dim: usize) -> Self {
        let turns: Vec<(f32, f32, f32)> =
            before.par_chunks(dim).zip(after.par_chunks(dim)).map(|(from, to)| turn(from, to)).collect();
        Self {
            cosines: turns.iter().map(|turn| turn.0).collect(),
            sines: turns.iter().map(|turn| turn.1).collect(),
            roundings: turns.iter().map(|turn| turn.2).collect(),
        }
    }

    /// Not above the cosine that one of at least `cosine` may have become.
    fn down(&self, code: usize, cosine: f32) -> f32 {
        if cosine <= -self.cosines[code] {
            return -1.0;
        }
        cosine * self.cosines[code] - sine(cosine) * self.sines[code] - self.roundings[code]
    }

    /// Raises cosines `[K]` to what they may have become, and counts those not below `least`.
    #[inline(always)]
    fn raise(&self, cosines: &mut [f32], least: f32) -> u32 {
        let turns = self.cosines.iter().zip(&self.sines).zip(&self.roundings);
        let mut reached = 0;
        for (cosine, ((turn_cosine, turn_sine), rounding)) in cosines.iter_mut().zip(turns) {
            let turned = *cosine * turn_cosine + sine(*cosine) * turn_sine + rounding;
            *cosine = if *cosine >= *turn_cosine { 1.0 } else { turned };
            reached += u32::from(*cosine >= least);
        }
        reached
    }
}

/// Cosine and sine of the angle between two directions, and how far bounds turned by it are rounded.
fn turn(from: &[f32], to: &[f32]) -> (f32, f32, f32) {
    if from == to {
        return (1.0, 0.0, 0.0);
    }
    let (from_length, to_length) = (squared_length(from).sqrt(), squared_length(to).sqrt());
    if from_length < 0.5 || to_length < 0.5 {
        return (-1.0, 0.0, TURN_ROUNDING);
    }
    let chord: f64 = from
        .iter()
        .zip(to)
        .map(|(&from, &to)| f64::from(from) / from_length - f64::from(to) / to_length)
        .map(|difference| difference * difference)
        .sum();
    let cosine = (1.0 - chord / 2.0).max(-1.0);
    let sine = (chord * (1.0 - chord / 4.0)).max(0.0).sqrt();
    (cosine as f32, sine as f32, TURN_ROUNDING)
}

/// Factored, so that nothing is lost near 1.
#[inline(always)]
fn sine(cosine: f32) -> f32 {
    ((1.0 - cosine) * (1.0 + cosine)).max(0.0).sqrt()
}

/// One token's part of an [`Assignment`].
struct Bounds<'a> {
    label: &'a mut u32,
    lower: &'a mut f32,
    upper: &'a mut [f32],
    margin: f32,
}

impl Bounds<'_> {
    /// Lets the bounds follow the centroids; whether they leave open which is nearest.
    fn turn(&mut self, turns: &Turns) -> bool {
        let least = turns.down(*self.label as usize, *self.lower);
        *self.lower = least;
        // The token's own centroid always reaches its lower bound.
        Arch::new().dispatch(|| turns.raise(self.upper, least)) > 1
    }

    /// Computes what the bounds leave open: first the cosine with the token's own centroid, then with those that may be
    /// nearer.
    fn tighten(&mut self, token: &[f32], directions: &[f32]) {
        let own = *self.label;
        let cosine = product(token, &directions[own as usize * token.len()..][..token.len()]);
        let mut nearest = (own, cosine);
        self.upper[own as usize] = cosine + self.margin;
        *self.lower = cosine - self.margin;
        let rivals: Vec<u32> = self.rivals().collect();
        let mut cosines = vec![0.0; rivals.len()];
        chosen_products(token, directions, &rivals, &mut cosines);
        for (&rival, &cosine) in rivals.iter().zip(&cosines) {
            self.upper[rival as usize] = cosine + self.margin;
            if cosine > nearest.1 || (cosine == nearest.1 && rival < nearest.0) {
                nearest = (rival, cosine);
            }
        }
        *self.label = nearest.0;
        *self.lower = nearest.1 - self.margin;
    }

    /// The other centroids that may be as near as the token's own.
    fn rivals(&self) -> impl Iterator<Item = u32> {
        let (own, lower) = (*self.label as usize, *self.lower);
        let open = move |&(code, &upper): &(usize, &f32)| code != own && upper >= lower;
        self.upper.iter().enumerate().filter(open).map(|(code, _)| code as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{GridShape, TokenGrid};
    use crate::random::Random;
    use crate::unit_tokens::normalize;

    fn values(count: usize, random: &mut Random) -> Vec<f32> {
        (0..count).map(|_| random.uniform() as f32 - 0.3).collect()
    }

    #[test]
    fn bounds_give_the_labels_of_computing_everything() {
        let (mut random, mut evaluated_less) = (Random::new(5), 0);
        for (tokens, codes, dim) in [(300, 7, 3), (200, 12, 40), (50, 1, 5), (400, 30, 9)] {
            let shape = GridShape { frames: 1, height: 1, width: tokens };
            let mut data = values(tokens * dim, &mut random);
            data[..2 * dim].fill(0.0);
            let tokens = UnitTokens::new(&TokenGrid::new(shape, dim, data).unwrap());
            let mut centroids = values(codes * dim, &mut random);
            let mut before = normalize(&centroids, dim);
            let mut assignment = Assignment::new(&tokens, &before);
            let mut unbounded = Assignment::without_bounds(&tokens, &before);
            assert_eq!(unbounded.labels, assignment.labels);
            // Steps that shrink, with a centroid that loses its direction and finds another, and one that stays.
            for step in 0..12 {
                let size = 0.5f32.powi(step);
                let steps = values(codes * dim, &mut random);
                centroids[dim..]
                    .iter_mut()
                    .zip(&steps)
                    .for_each(|(value, step)| *value += size * (step - 0.2));
                if codes > 2 {
                    centroids[dim..2 * dim].fill(if step % 4 == 2 { 0.0 } else { step as f32 - 1.5 });
                }
                let directions = normalize(&centroids, dim);
                let labels = assignment.labels.clone();
                let moves = assignment.update(&tokens, &before, &directions);
                assert_eq!(unbounded.update(&tokens, &before, &directions), moves);
                let fresh = Assignment::new(&tokens, &directions);
                assert_eq!(assignment.labels, fresh.labels);
                let changed = (0..tokens.len()).filter(|&token| labels[token] != fresh.labels[token]);
                assert!(changed.eq(moves.iter().map(|change| change.token)));
                for (bounds, exact) in assignment.upper.iter().zip(&fresh.upper) {
                    assert!(*bounds >= exact - fresh.margin);
                    evaluated_less += usize::from(bounds > exact);
                }
                for (bound, exact) in assignment.lower.iter().zip(&fresh.lower) {
                    assert!(*bound <= exact + fresh.margin);
                }
                before = directions;
            }
        }
        assert!(evaluated_less > 1000, "{evaluated_less}");
    }
}
