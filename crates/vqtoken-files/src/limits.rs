//! How large a thing a file may ask for, before anything of that size is allocated.

use std::fmt;

/// Which of the [`Limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::frame_pixels`].
    FramePixels,
    /// [`Limits::frames`].
    Frames,
    /// [`Limits::seconds`].
    Seconds,
    /// [`Limits::labels`].
    Labels,
    /// [`Limits::bytes`].
    Bytes,
}

impl Limit {
    /// All of them, in the order of [`Limits`].
    pub const ALL: [Limit; 5] =
        [Limit::FramePixels, Limit::Frames, Limit::Seconds, Limit::Labels, Limit::Bytes];

    /// The name in messages and on the command line, such as `frame-pixels`.
    pub fn name(self) -> &'static str {
        match self {
            Limit::FramePixels => "frame-pixels",
            Limit::Frames => "frames",
            Limit::Seconds => "seconds",
            Limit::Labels => "labels",
            Limit::Bytes => "bytes",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Limit::FramePixels => "pixels in a frame",
            name => name.name(),
        }
    }
}

/// Upper bounds on what a file may ask for. Whoever reads a size in a file checks it against these before taking memory for it, so
/// that a small file cannot exhaust the machine. The defaults leave room for anything that people are known to have; raise one
/// where the input is trusted.
///
/// ```
/// use vqtoken_files::{Limit, Limits};
///
/// let limits = Limits::default().with(Limit::Frames, 500);
/// assert!(limits.check(Limit::Frames, 500).is_ok());
/// assert_eq!(
///     limits.check(Limit::Frames, 501).unwrap_err().to_string(),
///     "501 frames, and the limit is 500: raise the limit `frames` (--allow frames=N) if you trust this input"
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Width times height of a frame or picture. Default 2^27: 16,384 x 8,192.
    pub frame_pixels: u64,
    /// Frames of a video, and frames sampled from it. Default 10,000,000: 92 hours at 30 a second.
    pub frames: u64,
    /// Seconds between the first frame and the last. Default 604,800: a week.
    pub seconds: u64,
    /// Labels of an index map, `T * H * W`. Default 2^26: a day at a frame a second, 27 x 27 patches each.
    pub labels: u64,
    /// Bytes that one file may take in memory: a file that is read whole, or the frames sampled from a video. Default 2^32: 4 GiB.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_pixels: 1 << 27,
            frames: 10_000_000,
            seconds: 7 * 86_400,
            labels: 1 << 26,
            bytes: 1 << 32,
        }
    }
}

impl Limits {
    /// The bound of one limit.
    pub fn get(&self, limit: Limit) -> u64 {
        match limit {
            Limit::FramePixels => self.frame_pixels,
            Limit::Frames => self.frames,
            Limit::Seconds => self.seconds,
            Limit::Labels => self.labels,
            Limit::Bytes => self.bytes,
        }
    }

    /// The same with one limit set.
    #[must_use]
    pub fn with(mut self, limit: Limit, bound: u64) -> Self {
        let field = match limit {
            Limit::FramePixels => &mut self.frame_pixels,
            Limit::Frames => &mut self.frames,
            Limit::Seconds => &mut self.seconds,
            Limit::Labels => &mut self.labels,
            Limit::Bytes => &mut self.bytes,
        };
        *field = bound;
        self
    }

    /// Refuses a size above its limit.
    ///
    /// # Errors
    /// [`LimitError`], when `found` is above the limit.
    pub fn check(&self, limit: Limit, found: u64) -> Result<(), LimitError> {
        let bound = self.get(limit);
        if found > bound { Err(LimitError { limit, found, bound }) } else { Ok(()) }
    }

    /// Refuses a product of sizes above its limit, also one that overflows.
    ///
    /// # Errors
    /// [`LimitError`], when the product of `factors` is above the limit.
    pub fn check_product(&self, limit: Limit, factors: &[usize]) -> Result<(), LimitError> {
        let product = factors.iter().fold(1_u64, |product, &factor| product.saturating_mul(factor as u64));
        self.check(limit, product)
    }
}

/// A size in a file is above its limit. The message says which limit to raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitError {
    /// Which limit.
    pub limit: Limit,
    /// The size that the file asks for; `u64::MAX` for that much or more.
    pub found: u64,
    /// What is allowed.
    pub bound: u64,
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, found, bound } = self;
        let (name, unit) = (limit.name(), limit.unit());
        write!(
            f,
            "{found} {unit}, and the limit is {bound}: raise the limit `{name}` (--allow {name}=N) if you trust this input"
        )
    }
}

impl std::error::Error for LimitError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_its_own_bound() {
        for (index, limit) in Limit::ALL.into_iter().enumerate() {
            let limits = Limits::default().with(limit, index as u64);
            assert_eq!(limits.get(limit), index as u64);
            let changed = Limit::ALL.iter().filter(|&&l| limits.get(l) != Limits::default().get(l));
            assert_eq!(changed.count(), 1);
        }
    }

    #[test]
    fn a_product_that_overflows_is_refused() {
        let limits = Limits::default();
        assert!(limits.check_product(Limit::FramePixels, &[16_384, 8_192]).is_ok());
        assert!(limits.check_product(Limit::FramePixels, &[16_384, 8_193]).is_err());
        let error = limits.check_product(Limit::Labels, &[usize::MAX, usize::MAX]).unwrap_err();
        assert_eq!(error.found, u64::MAX);
    }
}
