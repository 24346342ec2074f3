//! The chord elbow of a curve of distortion over K.

/// The K whose point (K, distortion), both axes scaled to `[0, 1]`, is farthest from the straight line between the
/// first and the last point; ties go to the first.
///
/// So one point gives its K, two points or a straight or flat curve give the first K. `None` if there is no point, the
/// slices differ in length, or a distortion is not finite.
///
/// Source: the chord elbow of VQToken's public code as rewritten in 2026.
pub fn elbow(ks: &[usize], distortions: &[f64]) -> Option<usize> {
    if ks.len() != distortions.len() || distortions.iter().any(|distortion| !distortion.is_finite()) {
        return None;
    }
    let x = scaled(&ks.iter().map(|&k| k as f64).collect::<Vec<_>>());
    let y = scaled(distortions);
    let (first, last) = (ks.first()?, ks.len() - 1);
    let (run, rise) = (x[last] - x[0], y[last] - y[0]);
    // The same for all points, so the chord's length only matters in being no reason for a NaN: it is left out.
    let mut best = (*first, 0.0);
    for (point, &k) in ks.iter().enumerate() {
        let distance = ((x[point] - x[0]) * rise - (y[point] - y[0]) * run).abs();
        if distance > best.1 + ROUNDING {
            best = (k, distance);
        }
    }
    Some(best.0)
}

/// Distances on `[0, 1]` axes closer than this differ by rounding alone.
const ROUNDING: f64 = 1e-12;

fn scaled(values: &[f64]) -> Vec<f64> {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    values.iter().map(|value| (value - low) / (high - low).max(1e-12)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farthest_point_wins() {
        assert_eq!(elbow(&[2, 3, 4, 5], &[10.0, 4.0, 3.0, 2.5]), Some(3));
        assert_eq!(elbow(&[4, 8, 16], &[10.0, 9.0, 1.0]), Some(8));
    }

    #[test]
    fn short_and_flat_curves_give_the_first() {
        assert_eq!(elbow(&[], &[]), None);
        assert_eq!(elbow(&[7], &[1.0]), Some(7));
        assert_eq!(elbow(&[7, 9], &[2.0, 1.0]), Some(7));
        assert_eq!(elbow(&[3, 4, 5], &[1.0, 1.0, 1.0]), Some(3));
        assert_eq!(elbow(&[3, 4, 5, 6], &[0.4, 0.3, 0.2, 0.1]), Some(3));
        assert_eq!(elbow(&[3, 4], &[1.0]), None);
        assert_eq!(elbow(&[3, 4], &[1.0, f64::NAN]), None);
    }
}
