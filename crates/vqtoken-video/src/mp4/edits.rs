//! Edit lists (`elst`): which stretches of the media are shown, in which order, and from when on.

use vqtoken_files::{Limit, LimitError, Limits};

use super::boxes::{Reader, descend};

/// Times beyond this are cut to it, so that sums of a few of them fit.
const FAR: i64 = i64::MAX / 4;

/// A media rate of 1 in the 16.16 fixed point of `elst`.
const NORMAL_RATE: i32 = 1 << 16;

/// A stretch of the media timeline that is shown. In ticks of the track's timescale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    from: i64,
    /// Exclusive.
    to: i64,
    /// Movie time at which it begins.
    start: i64,
    /// 16.16 fixed point; 0 shows one frame for the whole stretch.
    rate: i32,
}

impl Stretch {
    /// Movie time of a media time inside the stretch, in ticks.
    fn shown_at(&self, media_time: i64) -> i64 {
        let since = i128::from(media_time) - i128::from(self.from);
        let since = match self.rate {
            0 => 0,
            rate => since * i128::from(NORMAL_RATE) / i128::from(rate),
        };
        (i128::from(self.start) + since).clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }

    /// The pictures that it shows, as a range of indices into their ascending times.
    fn pictures(&self, times: &[i64]) -> std::ops::Range<usize> {
        let first = times.partition_point(|&time| time < self.from);
        if self.rate == 0 {
            // The picture that is on at that moment.
            let end = times.partition_point(|&time| time <= self.from);
            return end.saturating_sub(1)..end;
        }
        first..times.partition_point(|&time| time < self.to).max(first)
    }
}

/// One showing of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Presentation {
    /// Index of the picture, counted in display order of the media.
    pub(crate) picture: usize,
    /// Movie time, in ticks of the track's timescale.
    pub(crate) time: i64,
}

/// The edits of a track, in the order in which they are shown. Without any, all of the media is shown at its own time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edits {
    stretches: Vec<Stretch>,
    /// Whether a picture is shown more than once, or before an earlier one.
    reorder: bool,
}

impl Edits {
    /// Reads `edts/elst` of a `trak` box. Its durations count in the movie's timescale.
    pub(crate) fn read(trak: &[u8], movie_timescale: u32, timescale: u32) -> Edits {
        let mut edits = Edits::default();
        let Some(payload) = descend(trak, &[b"edts", b"elst"]) else { return edits };
        let mut reader = Reader::new(payload);
        let Some((version, _)) = reader.version_and_flags() else { return edits };
        let count = reader.u32().unwrap_or(0);
        let mut movie_time = 0_i64;
        for _ in 0..count {
            let Some((duration, media_time, rate)) = entry(&mut reader, version) else { break };
            let ticks = rescale(duration, movie_timescale, timescale);
            if media_time >= 0 {
                // Writers that do not know of rates leave 0 there; it means a still only beside other entries.
                let rate = if rate < 0 || (rate == 0 && count == 1) { NORMAL_RATE } else { rate };
                let span = ((i128::from(ticks) * i128::from(rate)) >> 16).min(i128::from(FAR)) as i64;
                // A duration of 0 means: to the end.
                let to = if ticks == 0 { i64::MAX } else { media_time.saturating_add(span) };
                edits.stretches.push(Stretch { from: media_time, to, start: movie_time, rate });
            }
            movie_time = movie_time.saturating_add(ticks).min(FAR);
        }
        let holds = edits.stretches.iter().any(|stretch| stretch.rate == 0);
        edits.reorder = holds || edits.stretches.windows(2).any(|pair| pair[0].to > pair[1].from);
        edits
    }

    /// Whether every picture is shown at most once, and later pictures later.
    pub(crate) fn keep_order(&self) -> bool {
        !self.reorder
    }

    /// When a media time is shown, in ticks of movie time; `None` when it is edited out. Only where the edits
    /// [keep the order](Self::keep_order).
    pub(crate) fn shown_at(&self, media_time: i64) -> Option<i64> {
        if self.stretches.is_empty() {
            return Some(media_time);
        }
        let after = self.stretches.partition_point(|stretch| stretch.from <= media_time);
        let stretch = self.stretches[..after].last()?;
        (media_time < stretch.to).then(|| stretch.shown_at(media_time))
    }

    /// All showings of pictures with these ascending media times, in the order in which they are shown.
    ///
    /// # Errors
    /// When there are more than [`Limits::frames`].
    pub(crate) fn presentations(
        &self,
        times: &[i64],
        limits: &Limits,
    ) -> Result<Vec<Presentation>, LimitError> {
        if self.stretches.is_empty() {
            let whole = times.iter().enumerate();
            return Ok(whole.map(|(picture, &time)| Presentation { picture, time }).collect());
        }
        let count = self.stretches.iter().map(|stretch| stretch.pictures(times).len() as u64).sum();
        limits.check(Limit::Frames, count)?;
        let shown = self.stretches.iter().flat_map(|stretch| {
            let pictures = stretch.pictures(times);
            pictures.map(|picture| Presentation { picture, time: stretch.shown_at(times[picture]) })
        });
        Ok(shown.collect())
    }

    /// Fragmented files state their edit list before the media is known: only its shift applies.
    pub(crate) fn without_cuts(mut self) -> Edits {
        self.stretches.truncate(1);
        self.reorder = false;
        for stretch in &mut self.stretches {
            // Far enough from the ends that the shift does not change.
            stretch.start = stretch.start.saturating_sub(stretch.from).saturating_sub(FAR);
            (stretch.from, stretch.to, stretch.rate) = (-FAR, i64::MAX, NORMAL_RATE);
        }
        self
    }
}

/// (duration in the movie's ticks, media time or -1, rate)
fn entry(reader: &mut Reader<'_>, version: u8) -> Option<(u64, i64, i32)> {
    let duration = reader.by_version(version)?;
    let media_time = if version == 1 { reader.u64()? as i64 } else { i64::from(reader.i32()?) };
    Some((duration, media_time.clamp(-1, FAR), reader.i32()?))
}

fn rescale(duration: u64, from: u32, to: u32) -> i64 {
    let (from, to) = (u128::from(from.max(1)), u128::from(to));
    let ticks = (u128::from(duration) * to + from / 2) / from;
    i64::try_from(ticks).unwrap_or(i64::MAX).min(FAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trak(entries: &[(u32, i32, i32)]) -> Vec<u8> {
        let mut elst = vec![0, 0, 0, 0];
        elst.extend((entries.len() as u32).to_be_bytes());
        for (duration, media_time, rate) in entries {
            elst.extend(duration.to_be_bytes());
            elst.extend(media_time.to_be_bytes());
            elst.extend(rate.to_be_bytes());
        }
        let wrap = |kind: &[u8; 4], inner: &[u8]| {
            let mut out = (8 + inner.len() as u32).to_be_bytes().to_vec();
            out.extend(kind);
            out.extend(inner);
            out
        };
        wrap(b"edts", &wrap(b"elst", &elst))
    }

    fn shown(entries: &[(u32, i32, i32)], times: &[i64]) -> Vec<(usize, i64)> {
        let edits = Edits::read(&trak(entries), 1000, 100);
        let all = edits.presentations(times, &Limits::default()).unwrap();
        all.into_iter().map(|p| (p.picture, p.time)).collect()
    }

    const ONE: i32 = NORMAL_RATE;

    #[test]
    fn stretches_shift_and_cut() {
        let edits = Edits::read(&trak(&[(500, -1, ONE), (1000, 20, ONE)]), 1000, 100);
        assert_eq!(edits.shown_at(19), None);
        assert_eq!(edits.shown_at(20), Some(50));
        assert_eq!(edits.shown_at(119), Some(149));
        assert_eq!(edits.shown_at(120), None);
        assert_eq!(edits.without_cuts().shown_at(0), Some(30));
    }

    #[test]
    fn no_list_and_endless_entries_cut_nothing() {
        assert_eq!(Edits::default().shown_at(-7), Some(-7));
        assert_eq!(Edits::read(&trak(&[(0, 0, ONE)]), 1000, 100).shown_at(1 << 40), Some(1 << 40));
    }

    #[test]
    fn stretches_are_shown_in_the_order_of_the_list_and_as_often_as_it_says() {
        let times = [0, 10, 20, 30];
        assert_eq!(shown(&[(200, 20, ONE), (200, 0, ONE)], &times), [(2, 0), (3, 10), (0, 20), (1, 30)]);
        assert_eq!(shown(&[(100, 0, ONE), (100, 0, ONE)], &times), [(0, 0), (0, 10)]);
        assert_eq!(shown(&[(100, 0, ONE), (300, -1, ONE), (100, 10, ONE)], &times), [(0, 0), (1, 40)]);
        assert_eq!(shown(&[(100, 5000, ONE)], &times), []);
        assert!(!Edits::read(&trak(&[(100, 0, ONE), (100, 0, ONE)]), 1000, 100).keep_order());
        assert!(Edits::read(&trak(&[(100, 0, ONE), (100, 10, ONE)]), 1000, 100).keep_order());
    }

    #[test]
    fn rates_stretch_time_and_rate_zero_holds_a_picture() {
        let times = [0, 10, 20, 30];
        assert_eq!(shown(&[(400, 0, ONE / 2)], &times), [(0, 0), (1, 20)]);
        assert_eq!(shown(&[(200, 0, 2 * ONE)], &times), [(0, 0), (1, 5), (2, 10), (3, 15)]);
        assert_eq!(shown(&[(500, 15, 0), (100, 30, ONE)], &times), [(1, 0), (3, 50)]);
        assert_eq!(shown(&[(400, 0, 0)], &times).len(), 4);
    }

    #[test]
    fn an_edit_list_that_multiplies_frames_is_refused_before_it_takes_memory() {
        let edits = Edits::read(&trak(&vec![(0, 0, ONE); 200_000]), 1000, 100);
        let times: Vec<i64> = (0..1000).collect();
        let error = edits.presentations(&times, &Limits::default()).unwrap_err();
        assert_eq!((error.limit, error.found), (Limit::Frames, 200_000_000));
    }
}
