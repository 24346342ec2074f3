//! From pictures in display order to the frames that a pass hands out.

use std::collections::BTreeMap;

use crate::colour::{self, ColourTag, Planes};
use crate::error::VideoError;
use crate::frame::Frame;
use crate::mp4::{Presentation, Track};
use crate::orientation::Orientation;
use crate::resize::resize_bicubic;
use crate::source::{Keep, Wanted};
use crate::warning::Warning;

/// A decoded picture and what its parameter sets say of colours.
pub(crate) struct Picture {
    pub(crate) planes: Planes,
    pub(crate) colour: ColourTag,
}

/// Why a picture was not handed out.
pub(crate) enum ShowError {
    /// Its planes do not fit together; the display index of the frame.
    WrongPlanes { frame: usize },
    /// Whoever takes the frames wants no more.
    Refused(VideoError),
}

impl From<VideoError> for ShowError {
    fn from(error: VideoError) -> Self {
        Self::Refused(error)
    }
}

/// Takes the pictures of a stream in display order.
pub(crate) struct Showing<'a, 'k> {
    mode: Mode<'a, 'k>,
    /// Media times of the pictures so far, or the timestamps in seconds of what was shown.
    media_times: Vec<i64>,
    timestamps: Vec<f64>,
    /// Display index after the last frame that was handed out.
    handed_out: usize,
    /// Width and height of the first frame, as displayed: all others are scaled to it, as `ffmpeg` does.
    size: Option<(usize, usize)>,
    /// The first frame of another size, in display order.
    size_changed: Option<usize>,
}

enum Mode<'a, 'k> {
    /// Each picture at most once, in the order of the stream.
    InOrder { track: &'a Track, wanted: &'a Wanted, keep: Keep<'k> },
    /// Only the times are of interest.
    Counting,
    /// As a list says.
    Listed { plan: Plan, keep: Keep<'k> },
}

impl<'a, 'k> Showing<'a, 'k> {
    fn new(mode: Mode<'a, 'k>) -> Self {
        Self {
            mode,
            media_times: Vec::new(),
            timestamps: Vec::new(),
            handed_out: 0,
            size: None,
            size_changed: None,
        }
    }

    pub(crate) fn in_order(track: &'a Track, wanted: &'a Wanted, keep: Keep<'k>) -> Self {
        Self::new(Mode::InOrder { track, wanted, keep })
    }

    pub(crate) fn counting() -> Self {
        Self::new(Mode::Counting)
    }

    pub(crate) fn listed(shown: &[Presentation], wanted: &Wanted, keep: Keep<'k>) -> Self {
        Self::new(Mode::Listed { plan: Plan::new(shown, wanted), keep })
    }

    /// Forgets what came so far: the stream is gone through anew. Frames that were handed out are not handed out again.
    pub(crate) fn restart(&mut self) {
        self.media_times.clear();
        self.timestamps.clear();
        (self.size, self.size_changed) = (None, None);
        if let Mode::Listed { plan, .. } = &mut self.mode {
            plan.restart();
        }
    }

    /// Seconds of the pictures shown.
    pub(crate) fn timestamps(self) -> Vec<f64> {
        self.timestamps
    }

    /// Where the size of pictures changes, if it does.
    pub(crate) fn warning(&self) -> Option<Warning> {
        Some(Warning::SizeChanged { frame: self.size_changed?, size: self.size? })
    }

    /// Media times of all pictures, ascending.
    pub(crate) fn media_times(mut self) -> Vec<i64> {
        self.media_times.sort_unstable();
        self.media_times
    }

    /// Takes the next picture in display order.
    pub(crate) fn take(
        &mut self,
        time: i64,
        picture: &Picture,
        orientation: Orientation,
    ) -> Result<(), ShowError> {
        let own_size = orientation.size(picture.planes.width, picture.planes.height);
        let size = *self.size.get_or_insert(own_size);
        if own_size != size {
            self.size_changed.get_or_insert(self.timestamps.len().max(self.media_times.len()));
        }
        let render = |frame| render(picture, orientation, size).ok_or(ShowError::WrongPlanes { frame });
        match &mut self.mode {
            Mode::Counting => self.media_times.push(time),
            Mode::InOrder { track, wanted, keep } => {
                let Some(ticks) = track.edits.shown_at(time) else { return Ok(()) };
                let index = self.timestamps.len();
                self.timestamps.push(track.seconds(ticks));
                if index >= self.handed_out && wanted.contains(index) {
                    self.handed_out = index + 1;
                    keep(index, render(index)?)?;
                }
            }
            Mode::Listed { plan, keep } => {
                let mut indices = plan.next_picture();
                indices.retain(|index| plan.due.last().is_some_and(|due| index >= due));
                if let Some(&first) = indices.first() {
                    let frame = render(first)?;
                    plan.waiting.extend(indices.into_iter().map(|index| (index, frame.clone())));
                }
                plan.hand_out(keep)?;
            }
        }
        Ok(())
    }
}

fn render(picture: &Picture, orientation: Orientation, (width, height): (usize, usize)) -> Option<Frame> {
    let frame = orientation.apply(colour::to_rgb(&picture.planes, picture.colour)?);
    Some(resize_bicubic(&frame, width, height))
}

/// Which picture is shown where, for wanted frames only.
struct Plan {
    /// (picture, display index), ascending.
    places: Vec<(usize, usize)>,
    /// Display indices, descending: the last is the next to be handed out.
    due: Vec<usize>,
    /// Frames that came before their turn.
    waiting: BTreeMap<usize, Frame>,
    pictures: usize,
    next_place: usize,
}

impl Plan {
    fn new(shown: &[Presentation], wanted: &Wanted) -> Self {
        let is_wanted = |index: &usize| wanted.contains(*index);
        let due = (0..shown.len()).rev().filter(is_wanted).collect();
        let all = shown.iter().enumerate().filter(|(index, _)| is_wanted(index));
        let mut places: Vec<_> = all.map(|(index, shown)| (shown.picture, index)).collect();
        places.sort_unstable();
        Self { places, due, waiting: BTreeMap::new(), pictures: 0, next_place: 0 }
    }

    fn restart(&mut self) {
        self.waiting.clear();
        (self.pictures, self.next_place) = (0, 0);
    }

    /// Display indices of the next picture.
    fn next_picture(&mut self) -> Vec<usize> {
        let places = self.places[self.next_place..].iter();
        let indices: Vec<usize> =
            places.take_while(|(picture, _)| *picture == self.pictures).map(|(_, index)| *index).collect();
        self.pictures += 1;
        self.next_place += indices.len();
        indices
    }

    fn hand_out(&mut self, keep: &mut Keep<'_>) -> Result<(), VideoError> {
        while let Some(frame) = self.due.last().and_then(|index| self.waiting.remove(index)) {
            if let Some(index) = self.due.pop() {
                keep(index, frame)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_holds_frames_back_until_their_turn() {
        let shown = [2, 3, 0, 1, 2].map(|picture| Presentation { picture, time: 0 });
        let mut plan = Plan::new(&shown, &Wanted::These(vec![0, 2, 4]));
        let mut order = Vec::new();
        for _ in 0..4 {
            for index in plan.next_picture() {
                plan.waiting.insert(index, Frame::from_parts(1, 1, vec![0; 3]));
            }
            let mut keep = |index: usize, _: Frame| {
                order.push(index);
                Ok(())
            };
            plan.hand_out(&mut (&mut keep as Keep<'_>)).unwrap();
        }
        assert_eq!(order, [0, 2, 4]);
    }
}
