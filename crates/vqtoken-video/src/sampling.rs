//! Which frames of a video are looked at.

use crate::error::VideoError;

/// A clip of more frames than this is a mistake (or a file that claims to last for years).
const MOST_FRAMES: f64 = 1e7;

/// Two instants closer than this (in seconds) are the same instant: timestamps went through a container's
/// clock and back.
const SAME_INSTANT: f64 = 1e-6;

/// Which of the frames that really decode, in display order, make up the clip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampling {
    /// `T` frames spread evenly, ends included: `numpy.linspace(0, n - 1, T, dtype=int)`. With more frames
    /// asked for than there are, indices repeat.
    Uniform(usize),
    /// So many a second: for each instant `first + i / fps` the last frame shown by then.
    Fps(f64),
    /// Every frame.
    All,
}

impl Sampling {
    /// Refuses what can never give a frame.
    pub(crate) fn check(self) -> Result<(), VideoError> {
        match self {
            Sampling::Uniform(0) => Err(VideoError::BadSampling("0 frames: ask for at least 1".into())),
            Sampling::Uniform(count) if count as f64 > MOST_FRAMES => {
                Err(VideoError::BadSampling(format!("{count} frames: ask for at most {MOST_FRAMES}")))
            }
            Sampling::Fps(fps) if !(fps.is_finite() && fps > 0.0) => {
                Err(VideoError::BadSampling(format!("{fps} frames a second: give a number greater than 0")))
            }
            Sampling::Fps(fps) if fps * SAME_INSTANT > 1.0 => Err(VideoError::BadSampling(format!(
                "{fps:e} frames a second: ask for at most {:e}",
                1.0 / SAME_INSTANT
            ))),
            _ => Ok(()),
        }
    }

    /// The indices of the sampled frames, ascending, given the timestamp in seconds of every frame.
    ///
    /// # Errors
    /// [`VideoError::BadSampling`] for a sampling that is none or when the clip would hold more than ten million frames,
    /// [`VideoError::BadTime`] for times that are not finite or go back.
    pub fn indices(self, timestamps: &[f64]) -> Result<Vec<usize>, VideoError> {
        self.check()?;
        check_times(timestamps)?;
        let frames = timestamps.len();
        if frames == 0 {
            return Ok(Vec::new());
        }
        match self {
            Sampling::Uniform(count) => Ok(linspace(frames - 1, count)),
            Sampling::Fps(fps) => by_time(timestamps, fps),
            Sampling::All => Ok((0..frames).collect()),
        }
    }
}

fn check_times(timestamps: &[f64]) -> Result<(), VideoError> {
    let mut before = f64::NEG_INFINITY;
    for (frame, &seconds) in timestamps.iter().enumerate() {
        if !seconds.is_finite() || seconds < before {
            return Err(VideoError::BadTime { frame, seconds });
        }
        before = seconds;
    }
    Ok(())
}

/// `numpy.linspace(0, last, count, dtype=int)`, in numpy's order of operations.
fn linspace(last: usize, count: usize) -> Vec<usize> {
    if count <= 1 {
        return vec![0; count];
    }
    let step = last as f64 / (count - 1) as f64;
    (0..count).map(|i| if i + 1 == count { last } else { (i as f64 * step) as usize }).collect()
}

fn by_time(timestamps: &[f64], fps: f64) -> Result<Vec<usize>, VideoError> {
    let (first, last) = (timestamps[0], timestamps[timestamps.len() - 1]);
    let span = last - first;
    let frames = span * fps;
    if !frames.is_finite() || frames > MOST_FRAMES {
        return Err(VideoError::BadSampling(format!(
            "{fps} frames a second over {span} seconds are more than {MOST_FRAMES}: ask for fewer"
        )));
    }
    let mut indices = Vec::new();
    let mut shown = 0;
    for i in 0_u64.. {
        let instant = first + i as f64 / fps + SAME_INSTANT;
        if instant - 2.0 * SAME_INSTANT > last && i > 0 {
            break;
        }
        while timestamps.get(shown + 1).is_some_and(|next| *next <= instant) {
            shown += 1;
        }
        indices.push(shown);
    }
    Ok(indices)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The right-hand sides are what numpy prints.
    #[test]
    fn uniform_is_linspace() {
        assert_eq!(linspace(95, 8), [0, 13, 27, 40, 54, 67, 81, 95]);
        assert_eq!(linspace(27, 8), [0, 3, 7, 11, 15, 19, 23, 27]);
        assert_eq!(linspace(9, 10), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(linspace(2, 8), [0, 0, 0, 0, 1, 1, 1, 2]);
        assert_eq!(linspace(4, 3), [0, 2, 4]);
        assert_eq!(linspace(0, 4), [0, 0, 0, 0]);
        assert_eq!(linspace(99, 1), [0]);
        // 0.29 * 100 and its kin: truncation of a product that falls just short of a whole number.
        assert_eq!(linspace(28, 50)[..8], [0, 0, 1, 1, 2, 2, 3, 4]);
    }

    #[test]
    fn by_time_takes_the_frame_on_show() {
        let even: Vec<f64> = (0..10).map(|i| i as f64 * 0.1).collect();
        assert_eq!(Sampling::Fps(10.0).indices(&even).unwrap(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(Sampling::Fps(5.0).indices(&even).unwrap(), [0, 2, 4, 6, 8]);
        assert_eq!(Sampling::Fps(1.0).indices(&even).unwrap(), [0]);
        assert_eq!(Sampling::Fps(20.0).indices(&even).unwrap().len(), 19);
        let uneven = [5.0, 5.1, 7.5, 8.0];
        assert_eq!(Sampling::Fps(1.0).indices(&uneven).unwrap(), [0, 1, 1, 3]);
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            Sampling::Uniform(0),
            Sampling::Fps(0.0),
            Sampling::Fps(-1.0),
            Sampling::Fps(f64::NAN),
            Sampling::Fps(f64::INFINITY),
        ] {
            assert!(matches!(bad.check(), Err(VideoError::BadSampling(_))), "{bad:?}");
        }
        assert!(Sampling::Fps(1e9).indices(&[0.0, 1.0]).is_err());
        assert!(Sampling::Fps(1e300).indices(&[0.0, 0.0]).is_err());
        assert!(Sampling::Fps(1000.0).indices(&[0.0, 1e5]).is_err());
        assert!(Sampling::Fps(1.0).indices(&[-1e308, 1e308]).is_err());
    }

    #[test]
    fn times_must_be_finite_and_ascend() {
        for bad in [&[0.0, f64::NAN][..], &[f64::INFINITY], &[f64::NEG_INFINITY, 0.0], &[1.0, 0.5]] {
            for sampling in [Sampling::All, Sampling::Uniform(2), Sampling::Fps(1.0)] {
                assert!(matches!(sampling.indices(bad), Err(VideoError::BadTime { .. })), "{bad:?}");
            }
        }
        assert_eq!(Sampling::Fps(1.0).indices(&[-2.0, -1.0, -1.0]).unwrap(), [0, 2]);
        assert_eq!(Sampling::Fps(f64::MIN_POSITIVE).indices(&[0.0, 5.0]).unwrap(), [0]);
        // A gap of 26.5 hours, as where the clock of a transport stream wraps.
        let gap = Sampling::Fps(2.0).indices(&[0.0, 0.5, 95_443.0]).unwrap();
        assert_eq!((gap.len(), gap[1], gap[gap.len() - 1]), (190_887, 1, 2));
    }
}
