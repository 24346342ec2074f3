//! Movie fragments (`moof`): samples that come in instalments.

use std::collections::HashMap;

use vqtoken_files::{Limit, LimitError, Limits};

use super::Track;
use super::boxes::{Reader, child, children};
use super::samples::{Content, Sample, description_index};

/// What a run of samples uses where it says nothing itself (`trex`, then `tfhd`).
#[derive(Clone, Copy, Default)]
struct Defaults {
    description: u32,
    duration: u32,
    size: u32,
    flags: u32,
}

/// Set in a sample's flags when decoding cannot start there.
const NOT_SYNC: u32 = 0x1_0000;

/// Adds samples of fragments to the tracks of a file.
pub(super) struct Fragments {
    /// By number of the track.
    defaults: HashMap<u32, Defaults>,
    tracks: HashMap<u32, usize>,
    file_len: u64,
    limits: Limits,
}

impl Fragments {
    pub(super) fn new(moov: &[u8], tracks: &[Track], file_len: u64, limits: &Limits) -> Self {
        let extends = child(moov, b"mvex").unwrap_or(&[]);
        let defaults = children(extends).filter(|(kind, _)| kind == b"trex").filter_map(|(_, payload)| {
            let mut reader = Reader::new(payload);
            reader.version_and_flags()?;
            let id = reader.u32()?;
            let mut field = || reader.u32();
            let (description, duration, size, flags) = (field()?, field()?, field()?, field()?);
            Some((id, Defaults { description, duration, size, flags }))
        });
        Self {
            defaults: defaults.collect(),
            tracks: tracks.iter().enumerate().rev().map(|(index, track)| (track.id, index)).collect(),
            file_len,
            limits: *limits,
        }
    }

    /// Adds what one `moof` at a file position holds.
    ///
    /// # Errors
    /// When a track has more samples than [`Limits::frames`].
    pub(super) fn add(&self, position: u64, moof: &[u8], tracks: &mut [Track]) -> Result<(), LimitError> {
        // Data without a stated base begin where those of the track before, whichever it is, end.
        let mut implied = position;
        for (_, traf) in children(moof).filter(|(kind, _)| kind == b"traf") {
            let Some(mut run) = self.track_fragment(traf, position, implied) else { continue };
            let track = self.tracks.get(&run.track_id).and_then(|&index| tracks.get_mut(index));
            let mut sink = Sink { track, most: self.file_len, limits: &self.limits };
            sink.start_at(run.start);
            for (_, trun) in children(traf).filter(|(kind, _)| kind == b"trun") {
                run.add_samples(trun, &mut sink)?;
            }
            implied = run.next;
        }
        Ok(())
    }

    fn track_fragment(&self, traf: &[u8], moof_at: u64, implied: u64) -> Option<TrackFragment> {
        const ABSOLUTE_BASE: u32 = 1;
        const BASE_IS_MOOF: u32 = 0x2_0000;
        let mut reader = Reader::new(child(traf, b"tfhd")?);
        let (_, flags) = reader.version_and_flags()?;
        let track_id = reader.u32()?;
        let mut defaults = self.defaults.get(&track_id).copied().unwrap_or_default();
        let base = match flags & (ABSOLUTE_BASE | BASE_IS_MOOF) {
            0 => implied,
            BASE_IS_MOOF => moof_at,
            _ => reader.u64()?,
        };
        let fields = [
            (2, &mut defaults.description),
            (8, &mut defaults.duration),
            (16, &mut defaults.size),
            (32, &mut defaults.flags),
        ];
        for (bit, value) in fields {
            if flags & bit != 0 {
                *value = reader.u32()?;
            }
        }
        let start = child(traf, b"tfdt").and_then(|payload| {
            let mut reader = Reader::new(payload);
            let (version, _) = reader.version_and_flags()?;
            let ticks = i64::try_from(reader.by_version(version)?).unwrap_or(i64::MAX);
            Some(Start { ticks, bits: if version == 1 { 64 } else { 32 } })
        });
        Some(TrackFragment { track_id, base, start, defaults, next: base })
    }
}

/// Decode time of the first sample of a fragment.
#[derive(Clone, Copy)]
struct Start {
    ticks: i64,
    /// Of the field that it was read from.
    bits: u8,
}

/// Where the samples of a track fragment go.
struct Sink<'a> {
    /// `None` for a track that is no video: only where its data end matters.
    track: Option<&'a mut Track>,
    most: u64,
    limits: &'a Limits,
}

impl Sink<'_> {
    fn start_at(&mut self, start: Option<Start>) {
        let (Some(track), Some(start)) = (&mut self.track, start) else { return };
        let mut ticks = start.ticks;
        // A counter of 32 bits starts anew every 13 hours at 90 kHz.
        const TURN: i64 = 1 << 32;
        if start.bits == 32 && track.end.saturating_sub(ticks) > TURN / 2 {
            ticks += (track.end.min(i64::MAX / 4) - ticks + TURN / 2) / TURN * TURN;
        }
        track.end = ticks;
    }
}

struct TrackFragment {
    track_id: u32,
    /// File position that the runs' offsets count from.
    base: u64,
    start: Option<Start>,
    defaults: Defaults,
    /// Where the next run's data lies when it does not say.
    next: u64,
}

impl TrackFragment {
    /// Reads one `trun`; what is cut short ends it early.
    fn add_samples(&mut self, trun: &[u8], sink: &mut Sink<'_>) -> Result<(), LimitError> {
        let mut reader = Reader::new(trun);
        let Some(run) = Run::read(&mut reader) else { return Ok(()) };
        if let Some(offset) = run.data_offset {
            self.next = self.base.saturating_add_signed(i64::from(offset));
        }
        let Some(track) = &mut sink.track else {
            self.skip(&run, &mut reader);
            return Ok(());
        };
        track.promised = track.promised.saturating_add(u64::from(run.count));
        sink.limits.check(Limit::Frames, track.promised)?;
        for index in 0..run.count {
            // A run without fields for each sample takes no bytes, so only the file bounds it.
            let bounded = run.has_fields() || (track.samples.len() as u64) < sink.most;
            let Some(fields) = run.fields(index, self.defaults, &mut reader).filter(|_| bounded) else {
                break;
            };
            track.samples.push(Sample {
                offset: self.next,
                size: fields.size,
                presentation: track.end.saturating_add(i64::from(fields.shift)),
                sync: fields.flags & NOT_SYNC == 0,
                content: if fields.size == 0 { Content::NoPicture } else { Content::Picture },
                description: description_index(self.defaults.description),
            });
            self.next = self.next.saturating_add(u64::from(fields.size));
            // Signed in practice, as in `stts`.
            track.end = track.end.saturating_add(i64::from(fields.duration as i32));
        }
        Ok(())
    }

    /// Finds the end of the data of a run that is not used.
    fn skip(&mut self, run: &Run, reader: &mut Reader<'_>) {
        if !run.has_fields() {
            let bytes = u64::from(run.count) * u64::from(self.defaults.size);
            self.next = self.next.saturating_add(bytes);
            return;
        }
        for index in 0..run.count {
            let Some(fields) = run.fields(index, self.defaults, reader) else { break };
            self.next = self.next.saturating_add(u64::from(fields.size));
        }
    }
}

/// The head of a `trun`.
struct Run {
    flags: u32,
    count: u32,
    data_offset: Option<i32>,
    first_flags: Option<u32>,
}

/// What is said of one sample.
struct Fields {
    duration: u32,
    size: u32,
    flags: u32,
    shift: i32,
}

impl Run {
    const DURATION: u32 = 0x100;
    const SIZE: u32 = 0x200;
    const FLAGS: u32 = 0x400;
    const SHIFT: u32 = 0x800;

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (_, flags) = reader.version_and_flags()?;
        let count = reader.u32()?;
        let data_offset = if flags & 1 != 0 { Some(reader.i32()?) } else { None };
        let first_flags = if flags & 4 != 0 { Some(reader.u32()?) } else { None };
        Some(Self { flags, count, data_offset, first_flags })
    }

    fn has_fields(&self) -> bool {
        self.flags & (Self::DURATION | Self::SIZE | Self::FLAGS | Self::SHIFT) != 0
    }

    fn fields(&self, index: u32, defaults: Defaults, reader: &mut Reader<'_>) -> Option<Fields> {
        let mut field =
            |bit: u32, default: u32| if self.flags & bit != 0 { reader.u32() } else { Some(default) };
        let flags = self.first_flags.filter(|_| index == 0).unwrap_or(defaults.flags);
        Some(Fields {
            duration: field(Self::DURATION, defaults.duration)?,
            size: field(Self::SIZE, defaults.size)?,
            flags: field(Self::FLAGS, flags)?,
            // Signed in practice, whatever the version of the box says.
            shift: field(Self::SHIFT, 0)? as i32,
        })
    }
}
