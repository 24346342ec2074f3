//! Movie fragments (`moof`): samples that come in instalments.

use super::Track;
use super::boxes::{Reader, child, children, descend};
use super::samples::{Sample, most_samples};

/// What a run of samples uses where it says nothing itself (`trex`, then `tfhd`).
#[derive(Clone, Copy, Default)]
struct Defaults {
    duration: u32,
    size: u32,
    flags: u32,
}

/// Set in a sample's flags when decoding cannot start there.
const NOT_SYNC: u32 = 0x1_0000;

/// Adds the samples that the fragments (file position and payload of each `moof`) hold for this track.
pub(crate) fn extend(track: &mut Track, moov: &[u8], fragments: &[(u64, Vec<u8>)], file_len: u64) {
    let defaults = track_defaults(moov, track.id).unwrap_or_default();
    let from_table = track.samples.len();
    for (position, moof) in fragments {
        for (_, traf) in children(moof).filter(|(kind, _)| kind == b"traf") {
            let run = TrackFragment::read(traf, track.id, *position, defaults);
            if let Some(mut run) = run {
                if let Some(start) = run.start {
                    track.end = start;
                }
                for (_, trun) in children(traf).filter(|(kind, _)| kind == b"trun") {
                    run.add_samples(trun, track, most_samples(file_len));
                }
            }
        }
    }
    if from_table == 0 && !track.samples.is_empty() {
        track.edits = std::mem::take(&mut track.edits).without_cuts();
    }
}

fn track_defaults(moov: &[u8], track_id: u32) -> Option<Defaults> {
    let extends = child(moov, b"mvex")?;
    children(extends).filter(|(kind, _)| kind == b"trex").find_map(|(_, payload)| {
        let mut reader = Reader::new(payload);
        reader.version_and_flags()?;
        if reader.u32()? != track_id {
            return None;
        }
        reader.u32()?;
        Some(Defaults { duration: reader.u32()?, size: reader.u32()?, flags: reader.u32()? })
    })
}

struct TrackFragment {
    /// File position that the runs' offsets count from.
    base: u64,
    /// Decode time of the first sample, if stated.
    start: Option<i64>,
    defaults: Defaults,
    /// Where the next run's data lies when it does not say.
    next: u64,
}

impl TrackFragment {
    fn read(traf: &[u8], track_id: u32, moof_at: u64, mut defaults: Defaults) -> Option<Self> {
        let mut reader = Reader::new(child(traf, b"tfhd")?);
        let (_, flags) = reader.version_and_flags()?;
        if reader.u32()? != track_id {
            return None;
        }
        let mut base = moof_at;
        if flags & 1 != 0 {
            base = reader.u64()?;
        }
        if flags & 2 != 0 {
            reader.u32()?;
        }
        for (bit, value) in [(8, &mut defaults.duration), (16, &mut defaults.size), (32, &mut defaults.flags)]
        {
            if flags & bit != 0 {
                *value = reader.u32()?;
            }
        }
        let start = descend(traf, &[b"tfdt"]).and_then(|payload| {
            let mut reader = Reader::new(payload);
            let (version, _) = reader.version_and_flags()?;
            i64::try_from(reader.by_version(version)?).ok()
        });
        Some(Self { base, start, defaults, next: base })
    }

    /// Reads one `trun`; what is cut short ends it early.
    fn add_samples(&mut self, trun: &[u8], track: &mut Track, most: usize) -> Option<()> {
        let mut reader = Reader::new(trun);
        let (_, flags) = reader.version_and_flags()?;
        let count = reader.u32()?;
        if flags & 1 != 0 {
            self.next = self.base.saturating_add_signed(i64::from(reader.i32()?));
        }
        let first_flags = if flags & 4 != 0 { Some(reader.u32()?) } else { None };
        for index in 0..count {
            if track.samples.len() >= most {
                return None;
            }
            let mut field = |bit: u32, default: u32| {
                if flags & bit != 0 { reader.u32() } else { Some(default) }
            };
            let duration = field(0x100, self.defaults.duration)?;
            let size = field(0x200, self.defaults.size)?;
            let sample_flags =
                field(0x400, first_flags.filter(|_| index == 0).unwrap_or(self.defaults.flags))?;
            track.has_composition_offsets |= flags & 0x800 != 0;
            let shift = field(0x800, 0)? as i32;
            track.samples.push(Sample {
                offset: self.next,
                size,
                presentation: track.end.saturating_add(i64::from(shift)),
                sync: sample_flags & NOT_SYNC == 0,
            });
            self.next = self.next.saturating_add(u64::from(size));
            track.end = track.end.saturating_add(i64::from(duration));
        }
        Some(())
    }
}
