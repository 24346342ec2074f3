//! What the sums are made of: numbers, and numbers with their derivative along one direction.

use std::ops::{Add, AddAssign, Mul};

/// `f64`, or a [`Dual`].
pub(super) trait Number:
    Copy + Send + Sync + Add<Output = Self> + AddAssign + Mul<Output = Self>
{
    const ZERO: Self;

    /// The number without its derivative.
    fn value(self) -> f64;

    /// Times a constant.
    fn times(self, factor: f64) -> Self;

    /// `exp(self - shift)` for a constant shift.
    fn exp_less(self, shift: f64) -> Self;

    fn divided_by(self, divisor: Self) -> Self;
}

impl Number for f64 {
    const ZERO: Self = 0.0;

    fn value(self) -> f64 {
        self
    }

    fn times(self, factor: f64) -> Self {
        self * factor
    }

    fn exp_less(self, shift: f64) -> Self {
        (self - shift).exp()
    }

    fn divided_by(self, divisor: Self) -> Self {
        self / divisor
    }
}

/// A number and its derivative along a direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dual {
    pub(super) value: f64,
    pub(super) slope: f64,
}

impl Add for Dual {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { value: self.value + other.value, slope: self.slope + other.slope }
    }
}

impl AddAssign for Dual {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Mul for Dual {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self { value: self.value * other.value, slope: self.value * other.slope + self.slope * other.value }
    }
}

impl Number for Dual {
    const ZERO: Self = Self { value: 0.0, slope: 0.0 };

    fn value(self) -> f64 {
        self.value
    }

    fn times(self, factor: f64) -> Self {
        Self { value: self.value * factor, slope: self.slope * factor }
    }

    fn exp_less(self, shift: f64) -> Self {
        let value = (self.value - shift).exp();
        Self { value, slope: value * self.slope }
    }

    fn divided_by(self, divisor: Self) -> Self {
        let value = self.value / divisor.value;
        Self { value, slope: (self.slope - value * divisor.slope) / divisor.value }
    }
}
