//! Choosing K from the curve of what each K costs.

use super::elbow::elbow;
use super::result::CurvePoint;
use super::rule::Rule;

/// Shares of the variance closer than this differ by rounding alone.
const ROUNDING: f64 = 1e-12;

/// Inertia below this share of the variance is rounding of f32 tokens: it saves no further bits.
const LEAST_INERTIA: f64 = 1.0 / (1u64 << 24) as f64;

impl Rule {
    /// The place on the curve that the rule prefers, the fewest codes among equals; 0 on an empty curve. `variance` is the
    /// inertia of a single code.
    pub fn choose(&self, curve: &[CurvePoint], variance: f64) -> usize {
        match *self {
            Self::Elbow => {
                let codes: Vec<usize> = curve.iter().map(|point| point.codes).collect();
                let distortions: Vec<f64> = curve.iter().map(|point| point.distortion).collect();
                let chosen = elbow(&codes, &distortions);
                codes.iter().position(|&codes| Some(codes) == chosen).unwrap_or_default()
            }
            Self::Distortion(share) => {
                let kept = |point: &CurvePoint| self.value(point, variance) <= 1.0 - share + ROUNDING;
                curve.iter().position(kept).unwrap_or(curve.len().saturating_sub(1))
            }
            Self::Silhouette | Self::Bits(_) => best(curve, |point| self.value(point, variance)),
        }
    }

    /// What the rule compares: the distortion, the silhouette, the share of the variance that is lost, or the bits saved less their price. The
    /// most is best of silhouettes and bits.
    pub fn value(&self, point: &CurvePoint, variance: f64) -> f64 {
        let lost = if variance > 0.0 { point.inertia / variance } else { 0.0 };
        match *self {
            Self::Elbow => point.distortion,
            Self::Silhouette => point.silhouette.unwrap_or_default(),
            Self::Distortion(_) => lost,
            Self::Bits(price) => -0.5 * lost.clamp(LEAST_INERTIA, 1.0).log2() - price * point.codes as f64,
        }
    }
}

/// The first place of the largest value.
fn best(curve: &[CurvePoint], value: impl Fn(&CurvePoint) -> f64) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (place, point) in curve.iter().enumerate() {
        let value = value(point);
        if value > best.1 {
            best = (place, value);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A variance of 64, halved four times by six more codes: K = 1, 2, 3, 5, 7 with an inertia of 64, 16, 8, 4, 4.
    fn curve() -> Vec<CurvePoint> {
        let point = |(codes, inertia, silhouette): (usize, f64, f64)| CurvePoint {
            codes,
            distortion: inertia / 2.0,
            inertia,
            silhouette: Some(silhouette),
            iterations: 0,
        };
        [(1, 64.0, 0.0), (2, 16.0, 0.3), (3, 8.0, 0.5), (5, 4.0, 0.5), (7, 4.0, 0.1)].map(point).to_vec()
    }

    fn chosen(rule: Rule) -> usize {
        curve()[rule.choose(&curve(), 64.0)].codes
    }

    #[test]
    fn the_elbow_is_farthest_from_the_chord() {
        // Scaled to [0, 1], the points lie 0, 0.63, 0.6, 0.33 and 0 above the chord from (0, 1) to (1, 0).
        assert_eq!(chosen(Rule::Elbow), 2);
    }

    #[test]
    fn the_first_of_the_best_silhouettes() {
        assert_eq!(chosen(Rule::Silhouette), 3);
    }

    #[test]
    fn the_fewest_codes_that_keep_enough() {
        // They keep 0, 75%, 87.5%, 93.75% and 93.75% of the variance.
        for (share, codes) in [(0.5, 2), (0.75, 2), (0.76, 3), (0.875, 3), (0.9, 5), (0.9375, 5), (0.95, 7)] {
            assert_eq!(chosen(Rule::Distortion(share)), codes, "{share}");
        }
    }

    #[test]
    fn every_code_has_to_earn_its_price() {
        // They save 0, 1, 1.5, 2 and 2 bits; the second code brings 1, the third 1/2, the fourth and fifth 1/4 each.
        for (price, codes) in
            [(1.1, 1), (1.0, 1), (0.9, 2), (0.5, 2), (0.4, 3), (0.25, 3), (0.2, 5), (0.001, 5)]
        {
            assert_eq!(chosen(Rule::Bits(price)), codes, "{price}");
        }
    }

    #[test]
    fn flat_and_empty_curves() {
        let flat = [CurvePoint { inertia: 0.0, distortion: 0.0, ..curve()[2] }];
        for rule in [Rule::Elbow, Rule::Silhouette, Rule::Distortion(1.0), Rule::Bits(0.1)] {
            assert_eq!((rule.choose(&[], 0.0), rule.choose(&flat, 0.0)), (0, 0));
        }
    }
}
