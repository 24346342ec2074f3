//! Edit lists (`elst`): which stretch of the media is shown, and from when on.

use super::boxes::{Reader, descend};

/// A stretch of the media timeline that is shown. In ticks of the track's timescale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    from: i64,
    /// Exclusive.
    to: i64,
    /// What to add to a media time to get the time in the movie.
    shift: i64,
}

/// The edits of a track. A stretch that is shown several times is shown once, and at normal speed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edits {
    stretches: Vec<Stretch>,
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
            let Some((duration, media_time)) = entry(&mut reader, version) else { break };
            let ticks = rescale(duration, movie_timescale, timescale);
            if media_time >= 0 {
                // A duration of 0 means: to the end.
                let to = if ticks == 0 { i64::MAX } else { media_time.saturating_add(ticks) };
                edits.stretches.push(Stretch { from: media_time, to, shift: movie_time - media_time });
            }
            movie_time = movie_time.saturating_add(ticks).min(i64::MAX / 4);
        }
        edits
    }

    /// When a media time is shown, in ticks of movie time; `None` when it is edited out.
    pub(crate) fn shown_at(&self, media_time: i64) -> Option<i64> {
        if self.stretches.is_empty() {
            return Some(media_time);
        }
        let stretch = self.stretches.iter().find(|s| (s.from..s.to).contains(&media_time))?;
        Some(media_time.saturating_add(stretch.shift))
    }

    /// Fragmented files state their edit list before the media is known: only its shift applies.
    pub(crate) fn without_cuts(mut self) -> Edits {
        self.stretches.truncate(1);
        for stretch in &mut self.stretches {
            (stretch.from, stretch.to) = (i64::MIN, i64::MAX);
        }
        self
    }
}

/// (duration in the movie's ticks, media time or -1)
fn entry(reader: &mut Reader<'_>, version: u8) -> Option<(u64, i64)> {
    let duration = reader.by_version(version)?;
    let media_time = if version == 1 { reader.u64()? as i64 } else { i64::from(reader.i32()?) };
    reader.u32()?;
    Some((duration, media_time.clamp(-1, i64::MAX / 4)))
}

fn rescale(duration: u64, from: u32, to: u32) -> i64 {
    let (from, to) = (u128::from(from.max(1)), u128::from(to));
    let ticks = (u128::from(duration) * to + from / 2) / from;
    i64::try_from(ticks).unwrap_or(i64::MAX).min(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trak(entries: &[(u32, i32)]) -> Vec<u8> {
        let mut elst = vec![0, 0, 0, 0];
        elst.extend((entries.len() as u32).to_be_bytes());
        for (duration, media_time) in entries {
            elst.extend(duration.to_be_bytes());
            elst.extend(media_time.to_be_bytes());
            elst.extend([0, 1, 0, 0]);
        }
        let wrap = |kind: &[u8; 4], inner: &[u8]| {
            let mut out = (8 + inner.len() as u32).to_be_bytes().to_vec();
            out.extend(kind);
            out.extend(inner);
            out
        };
        wrap(b"edts", &wrap(b"elst", &elst))
    }

    #[test]
    fn stretches_shift_and_cut() {
        let edits = Edits::read(&trak(&[(500, -1), (1000, 20)]), 1000, 100);
        assert_eq!(edits.shown_at(19), None);
        assert_eq!(edits.shown_at(20), Some(50));
        assert_eq!(edits.shown_at(119), Some(149));
        assert_eq!(edits.shown_at(120), None);
        assert_eq!(edits.without_cuts().shown_at(0), Some(30));
    }

    #[test]
    fn no_list_and_endless_entries_cut_nothing() {
        assert_eq!(Edits::default().shown_at(-7), Some(-7));
        assert_eq!(Edits::read(&trak(&[(0, 0)]), 1000, 100).shown_at(1 << 40), Some(1 << 40));
    }
}
