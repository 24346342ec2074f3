//! Rounding a group of weights to 16 steps.

use half::bf16;

use super::{GROUP, OFFSET};

/// Fractions of the range that a group's largest magnitude asks for. Cutting off the largest a little makes the steps of all others finer.
const FRACTIONS: [f32; 5] = [1.05, 1.0, 0.95, 0.9, 0.85];

/// Rounds a group of at most [`GROUP`] weights to `scale (0..16 - 8)`, with the scale that gives the least sum of squared errors; a scale may be negative, since
/// the largest magnitude is best eight steps away on the side that has eight. NaN or infinity make the scale NaN.
pub(super) fn quantize_group(weights: &[f32]) -> (bf16, [u8; GROUP]) {
    let largest =
        weights.iter().copied().fold(0.0_f32, |a, b| if b.abs() > a.abs() || b.is_nan() { b } else { a });
    let mut steps = [OFFSET as u8; GROUP];
    if !largest.is_finite() {
        return (bf16::NAN, steps);
    }
    let (mut best, mut least) = (bf16::ZERO, f32::INFINITY);
    for fraction in FRACTIONS {
        let scale = bf16::from_f32(largest * fraction / -(OFFSET as f32));
        let candidate = round(weights, scale.to_f32());
        let error = error(weights, scale.to_f32(), &candidate);
        if error < least {
            (best, least, steps) = (scale, error, candidate);
        }
    }
    (best, steps)
}

fn round(weights: &[f32], scale: f32) -> [u8; GROUP] {
    let mut steps = [OFFSET as u8; GROUP];
    if scale != 0.0 {
        for (step, weight) in steps.iter_mut().zip(weights) {
            *step = ((weight / scale).round_ties_even() as i32 + OFFSET).clamp(0, 2 * OFFSET - 1) as u8;
        }
    }
    steps
}

fn error(weights: &[f32], scale: f32, steps: &[u8; GROUP]) -> f32 {
    let value = |step: u8| (i32::from(step) - OFFSET) as f32 * scale;
    weights.iter().zip(steps).map(|(weight, &step)| (weight - value(step)).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_on_the_grid_stay_as_they_are() {
        let weights: Vec<f32> = (0..GROUP).map(|i| (i as f32 % 16.0 - 8.0) * -0.25).collect();
        let (scale, steps) = quantize_group(&weights);
        assert_eq!(error(&weights, scale.to_f32(), &steps), 0.0);
    }

    #[test]
    fn an_error_is_at_most_half_a_step_unless_cutting_off_pays() {
        let weights: Vec<f32> = (0..GROUP).map(|i| ((i * 37 + 11) % 64) as f32 / 64.0 - 0.5).collect();
        let (scale, steps) = quantize_group(&weights);
        let uncut = round(&weights, 0.5 / 8.0);
        assert!(error(&weights, scale.to_f32(), &steps) <= error(&weights, 0.5 / 8.0, &uncut));
        assert!(error(&weights, scale.to_f32(), &steps) < GROUP as f32 * (0.5 / 8.0_f32).powi(2) / 6.0);
    }

    #[test]
    fn what_is_not_finite_spoils_its_group_and_zeros_are_kept() {
        assert!(quantize_group(&[1.0, f32::NAN, 2.0]).0.is_nan());
        assert!(quantize_group(&[f32::INFINITY; 2]).0.is_nan());
        assert_eq!(quantize_group(&[0.0; 5]), (bf16::ZERO, [8; GROUP]));
    }
}
