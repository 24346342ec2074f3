//! A straight axis: values to pixels, and round numbers to write beside it.

/// Maps the range of some values to a range of pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// The least of `values` falls on `from`, the largest on `to`; equal ones fall between them.
    pub(super) fn over(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        let room = if high > low { 0.0 } else { high.abs().max(1e-6) / 2.0 };
        Self { low: low - room, high: high + room, from, to }
    }

    pub(super) fn pixel(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Round numbers within the values, about `count` of them but no closer than `least`, and the step between them.
    pub(super) fn ticks(&self, count: usize, least: f64) -> (Vec<f64>, f64) {
        let rough = (self.high - self.low) / count as f64;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|step| step * power).into_iter().find(|&step| step >= rough);
        let step = step.unwrap_or(10.0 * power).max(least);
        let first = (self.low / step - 1e-9).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        ((first..=last).take(4 * count).map(|tick| tick as f64 * step).collect(), step)
    }
}

/// Digits behind the point that a number of this size needs: none from 1 on, 2 for 0.05.
pub(super) fn digits(step: f64) -> usize {
    let power = step.abs().log10().floor();
    if power.is_finite() { (-power).clamp(0.0, 9.0) as usize } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_between_the_ends() {
        let axis = Axis::over([2.0, 8.0, 4.0].into_iter(), 10.0, 70.0);
        assert_eq!([2.0, 4.0, 8.0].map(|value| axis.pixel(value)), [10.0, 30.0, 70.0]);
        assert_eq!(Axis::over([3.0].into_iter(), 0.0, 10.0).pixel(3.0), 5.0);
        assert_eq!(Axis::over([0.0, 0.0].into_iter(), 0.0, 10.0).pixel(0.0), 5.0);
    }

    #[test]
    fn ticks_are_round() {
        let ticks = |low, high, least| Axis::over([low, high].into_iter(), 0.0, 1.0).ticks(5, least);
        assert_eq!(ticks(12.0, 32.0, 1.0), (vec![15.0, 20.0, 25.0, 30.0], 5.0));
        assert_eq!(ticks(3.0, 4.0, 1.0), (vec![3.0, 4.0], 1.0));
        assert_eq!(ticks(0.0, 0.5, 0.0).0.len(), 6);
        assert_eq!([200.0, 1.0, 0.5, 0.02, 0.0].map(digits), [0, 0, 1, 2, 0]);
    }
}
