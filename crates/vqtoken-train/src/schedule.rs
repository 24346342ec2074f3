//! The learning rate over the steps: a linear warm-up, then a cosine down to a share of the peak.

use std::f64::consts::PI;

/// The factor on every rate at `step` (from 0) of `steps`, in `(0, 1]`.
pub(crate) fn factor(step: usize, steps: usize, warm_up: usize, final_factor: f64) -> f64 {
    if step < warm_up {
        return (step + 1) as f64 / warm_up as f64;
    }
    let progress = (step - warm_up) as f64 / (steps.saturating_sub(warm_up)).max(1) as f64;
    final_factor + (1.0 - final_factor) * 0.5 * (1.0 + (PI * progress.min(1.0)).cos())
}

#[cfg(test)]
mod tests {
    use super::factor;

    #[test]
    fn up_and_down() {
        assert_eq!(factor(0, 100, 10, 0.0), 0.1);
        assert_eq!(factor(9, 100, 10, 0.0), 1.0);
        assert_eq!(factor(10, 100, 10, 0.0), 1.0);
        assert!((factor(55, 100, 10, 0.0) - 0.5).abs() < 1e-12);
        assert!(factor(99, 100, 10, 0.0) < 0.001);
        assert!((factor(100, 100, 10, 0.2) - 0.2).abs() < 1e-12);
        assert_eq!(factor(0, 10, 0, 0.0), 1.0);
        assert_eq!(factor(0, 0, 0, 0.5), 1.0);
    }
}
