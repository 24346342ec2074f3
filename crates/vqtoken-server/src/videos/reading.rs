//! Which frames of a video are looked at, and what is made of them.

use std::sync::Arc;

use vqtoken_core::{Budget, Reducer, reducer};
use vqtoken_model::TrainedInput;
use vqtoken_video::{Sampling, Span};

use crate::error::ApiError;

/// What is asked of a video; what is `None` is left to the server and the model.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    pub(crate) frames: Option<usize>,
    pub(crate) fps: Option<f64>,
    pub(crate) start: Option<f64>,
    pub(crate) end: Option<f64>,
    pub(crate) budget: Option<Budget>,
    pub(crate) reducer: Option<String>,
}

/// What stands for a video.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// Its codes.
    Codes,
    /// The pooled grids of its frames.
    Pooled,
    /// The tokens of another reducer.
    Reduced(Arc<dyn Reducer>),
}

impl Reading {
    /// Refuses what makes no sense, by the names that a request uses.
    pub(crate) fn check(&self, most_frames: u64) -> Result<(), ApiError> {
        if let Some(frames) = self.frames {
            if frames == 0 {
                return Err(ApiError::parameter("num_frames", "is 0: ask for at least 1"));
            }
            if frames as u64 > most_frames {
                return Err(ApiError::parameter(
                    "num_frames",
                    format!("is above {most_frames}, the most that is taken"),
                ));
            }
            if self.fps.is_some() {
                return Err(ApiError::parameter("fps", "and `num_frames` are both given: choose one"));
            }
        }
        if self.fps.is_some_and(|fps| !(fps.is_finite() && fps > 0.0 && fps <= 240.0)) {
            return Err(ApiError::parameter("fps", "is not a number above 0 and up to 240"));
        }
        for (name, time) in [("start_time", self.start), ("end_time", self.end)] {
            if time.is_some_and(|time| !(time.is_finite() && time >= 0.0)) {
                return Err(ApiError::parameter(name, "is not a number of seconds from 0 on"));
            }
        }
        if let (Some(start), Some(end)) = (self.start, self.end)
            && end < start
        {
            return Err(ApiError::parameter("end_time", "is before `start_time`"));
        }
        self.standing(TrainedInput::Pooled).map(drop)
    }

    /// Which part of the video.
    pub(crate) fn span(&self) -> Span {
        Span::new(self.start, self.end)
    }

    /// Which frames; pictures were chosen already, so all of them unless a number is given.
    pub(crate) fn sampling(&self, frames: usize, pictures: bool) -> Sampling {
        match (self.frames, self.fps) {
            (Some(frames), _) => Sampling::Uniform(frames),
            (None, _) if pictures => Sampling::All,
            (None, Some(fps)) => Sampling::Fps(fps),
            (None, None) => Sampling::Uniform(frames),
        }
    }

    /// The part of a video's key that says which frames were looked at.
    pub(crate) fn sampling_text(&self, frames: usize, pictures: bool) -> String {
        let mut text = match self.sampling(frames, pictures) {
            Sampling::Uniform(frames) => format!("frames={frames}"),
            Sampling::Fps(fps) => format!("fps={fps}"),
            Sampling::All => "all".to_owned(),
        };
        if let Some(start) = self.start {
            text.push_str(&format!(" start={start}"));
        }
        if let Some(end) = self.end {
            text.push_str(&format!(" end={end}"));
        }
        text
    }

    /// The first parameter that says how a video is sampled, which makes no sense where it is sampled already.
    pub(crate) fn sampling_parameter(&self) -> Option<&'static str> {
        [
            ("num_frames", self.frames.is_some()),
            ("fps", self.fps.is_some()),
            ("start_time", self.start.is_some()),
            ("end_time", self.end.is_some()),
        ]
        .into_iter()
        .find_map(|(name, given)| given.then_some(name))
    }

    /// What stands for a video: what was asked for, or else what the model was trained to read.
    pub(crate) fn standing(&self, trained: TrainedInput) -> Result<Standing, ApiError> {
        match (self.reducer.as_deref(), self.budget) {
            (Some("vqtoken"), _) | (None, Some(_)) => Ok(Standing::Codes),
            (None, None) if trained == TrainedInput::Pooled => Ok(Standing::Pooled),
            (None, None) => Ok(Standing::Codes),
            (Some(name), Some(_)) => Err(ApiError::parameter(
                "tokens",
                format!(
                    "is the budget of the reducer vqtoken: that of another is part of its name, as in {name}:32"
                ),
            )),
            (Some("pooled"), None) => Ok(Standing::Pooled),
            (Some(name), None) => Ok(Standing::Reduced(Arc::from(reducer(name)?))),
        }
    }

    /// The budget of codes.
    pub(crate) fn budget(&self) -> Budget {
        self.budget.unwrap_or(Budget::PAPER_FIXED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_named() {
        let message = |reading: Reading| reading.check(1000).unwrap_err().to_string();
        let reading = Reading::default;
        assert!(reading().check(1000).is_ok());
        assert!(message(Reading { frames: Some(0), ..reading() }).starts_with("`num_frames`"));
        assert!(message(Reading { frames: Some(1001), ..reading() }).starts_with("`num_frames`"));
        assert!(message(Reading { frames: Some(1), fps: Some(1.0), ..reading() }).starts_with("`fps`"));
        assert!(message(Reading { fps: Some(f64::NAN), ..reading() }).starts_with("`fps`"));
        assert!(message(Reading { start: Some(-1.0), ..reading() }).starts_with("`start_time`"));
        assert!(message(Reading { start: Some(2.0), end: Some(1.0), ..reading() }).starts_with("`end_time`"));
        let reduced = Reading { reducer: Some("tome:8".into()), budget: Some(Budget::Fixed(8)), ..reading() };
        assert!(message(reduced).starts_with("`tokens`"));
        assert!(Reading { reducer: Some("nonsense".into()), ..reading() }.check(9).is_err());
    }

    #[test]
    fn every_choice_of_frames_has_its_own_text() {
        let text = |reading: Reading| reading.sampling_text(32, false);
        assert_eq!(text(Reading::default()), "frames=32");
        assert_eq!(
            text(Reading { fps: Some(0.5), start: Some(1.5), ..Reading::default() }),
            "fps=0.5 start=1.5"
        );
        assert_eq!(Reading::default().sampling_text(32, true), "all");
    }

    #[test]
    fn a_model_trained_on_pooled_patches_reads_these_unless_codes_are_asked_for() {
        let standing = |reading: Reading| reading.standing(TrainedInput::Pooled).unwrap();
        assert!(matches!(standing(Reading::default()), Standing::Pooled));
        let codes = Reading { budget: Some(Budget::Fixed(8)), ..Reading::default() };
        assert!(matches!(standing(codes), Standing::Codes));
    }
}
