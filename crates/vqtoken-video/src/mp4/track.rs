//! One video track (`trak`): codec, size, orientation, colour and samples.

use vqtoken_files::{Limit, LimitError, Limits};

use super::boxes::{FourCc, Reader, child, children, descend};
use super::edits::{Edits, Presentation};
use super::samples::{Content, Sample, read_table};
use crate::colour::ColourTag;
use crate::damage::Damage;
use crate::orientation::Orientation;

/// What of the movie header (`mvhd`) matters to a track.
pub(crate) struct MovieHeader {
    timescale: u32,
    duration: u64,
    /// Seconds since the beginning of 1904; 0 where the writer knew no time.
    pub(crate) creation_time: u64,
    orientation: [i32; 4],
}

const UPRIGHT: [i32; 4] = [1 << 16, 0, 0, 1 << 16];

impl MovieHeader {
    pub(crate) fn read(moov: &[u8]) -> Self {
        let parse = || {
            let mut reader = Reader::new(child(moov, b"mvhd")?);
            let (version, _) = reader.version_and_flags()?;
            let creation_time = reader.by_version(version)?;
            let _modification_time = reader.by_version(version)?;
            let timescale = reader.u32()?;
            let duration = reader.by_version(version)?;
            reader.bytes(16)?;
            let orientation = matrix(&mut reader).unwrap_or(UPRIGHT);
            Some(Self { timescale, duration, creation_time, orientation })
        };
        parse().unwrap_or(Self { timescale: 0, duration: 0, creation_time: 0, orientation: UPRIGHT })
    }

    /// Seconds, unless the header leaves them open.
    pub(crate) fn duration(&self) -> Option<f64> {
        let known = self.timescale > 0 && self.duration > 0 && self.duration != u64::from(u32::MAX);
        (known && self.duration != u64::MAX).then(|| self.duration as f64 / f64::from(self.timescale))
    }
}

/// A sample description, as far as it matters to decoding.
pub(crate) struct Description {
    /// Code of the sample entry: `avc1`, `hvc1`, `vp09` ...
    pub(crate) codec: FourCc,
    /// Payload of `avcC`, the H.264 decoder configuration.
    pub(crate) avc_config: Option<Vec<u8>>,
}

/// A video track.
pub(crate) struct Track {
    pub(crate) id: u32,
    /// Whether players show it unasked.
    pub(crate) enabled: bool,
    /// Index in the file, counting all its tracks from 0.
    pub(crate) index: usize,
    /// Whether it belongs to another track, as chapter pictures and covers do.
    pub(crate) companion: bool,
    /// Code of the first sample's entry, as in [`Description`].
    pub(crate) codec: FourCc,
    /// Whether any of its sample entries is encrypted.
    pub(crate) encrypted: bool,
    /// Size of the coded picture as the first sample's entry states it, before rotation.
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Samples name them by index.
    pub(crate) descriptions: Vec<Description>,
    pub(crate) timescale: u32,
    pub(crate) orientation: Orientation,
    /// From `colr`; what the bitstream says goes before it.
    pub(crate) colour: Option<ColourTag>,
    /// In decode order.
    pub(crate) samples: Vec<Sample>,
    /// How many samples the tables and fragments list, also those that are not there.
    pub(crate) promised: u64,
    pub(crate) edits: Edits,
    /// Decode time after the last sample.
    pub(crate) end: i64,
    /// What is wrong with the tables.
    pub(crate) damage: Vec<Damage>,
}

/// How the display order of a track's pictures is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderSource {
    /// Times differ and are out of decode order: display follows them.
    Times,
    /// The bitstream alone tells: times repeat, or follow decode order, which is also what files without composition offsets have.
    Stream,
}

impl Track {
    /// Reads a `trak` box; `None` when it is no video or lacks what every track has.
    ///
    /// # Errors
    /// When it lists more samples than [`Limits::frames`].
    pub(super) fn read(
        trak: &[u8],
        movie: &MovieHeader,
        file_len: u64,
        limits: &Limits,
    ) -> Result<Option<Track>, LimitError> {
        let Some(parts) = Parts::read(trak) else { return Ok(None) };
        let table = read_table(parts.stbl, file_len, limits)?;
        let used = table.samples.first().map_or(0, |sample| usize::from(sample.description));
        let mut entries = parts.entries;
        let used = used.min(entries.len() - 1);
        let encrypted = entries.iter().any(|entry| entry.encrypted);
        let colour = entries[used].colour;
        let SampleEntry { codec, width, height, .. } = entries[used];
        let descriptions = entries
            .iter_mut()
            .map(|entry| Description { codec: entry.codec, avc_config: entry.avc_config.take() });
        Ok(Some(Track {
            id: parts.header.id,
            enabled: parts.header.enabled,
            index: 0,
            companion: false,
            codec,
            encrypted,
            width,
            height,
            descriptions: descriptions.collect(),
            timescale: parts.timescale,
            orientation: Orientation::from_matrix(product(parts.header.orientation, movie.orientation)),
            colour,
            samples: table.samples,
            promised: table.promised,
            edits: Edits::read(trak, movie.timescale, parts.timescale),
            end: table.end,
            damage: Vec::new(),
        }))
    }

    /// Refuses what is beyond the limits, and notes what is amiss. To be called once all samples are there.
    ///
    /// # Errors
    /// When the edit list shows more pictures than [`Limits::frames`], or later than [`Limits::seconds`].
    pub(super) fn check(&mut self, limits: &Limits) -> Result<(), LimitError> {
        let times = self.picture_times();
        let mut shown = self.edits.presentations(&times, limits)?;
        if shown.is_empty() && !times.is_empty() {
            self.edits = Edits::default();
            let what = "the edit list shows none of the frames: it is ignored".into();
            self.damage.push(Damage { frame: 0, seconds: None, lost: 0, what });
            shown = self.edits.presentations(&times, limits)?;
        }
        let listed = self.samples.len() as u64;
        if self.promised > listed {
            let lost = usize::try_from(self.promised - listed).unwrap_or(usize::MAX);
            let what = format!("the header lists {} frames and says where {listed} are", self.promised);
            self.damage.push(Damage { frame: self.samples.len(), seconds: None, lost, what });
        }
        let first = shown.iter().map(|shown| shown.time).min().unwrap_or(0);
        let last = shown.iter().map(|shown| shown.time).max().unwrap_or(0);
        limits.check(Limit::Seconds, last.saturating_sub(first) as u64 / u64::from(self.timescale))
    }

    /// Media times of all pictures, in display order.
    fn picture_times(&self) -> Vec<i64> {
        let pictures = self.samples.iter().filter(|sample| sample.content == Content::Picture);
        let mut times: Vec<i64> = pictures.map(|sample| sample.presentation).collect();
        times.sort_unstable();
        times
    }

    /// How the display order of the pictures is known.
    pub(crate) fn order_source(&self) -> OrderSource {
        let pictures = || self.samples.iter().filter(|sample| sample.content == Content::Picture);
        let in_decode_order = pictures().map(|sample| sample.presentation).is_sorted();
        let repeat = self.picture_times().windows(2).any(|pair| pair[0] == pair[1]);
        if in_decode_order || repeat { OrderSource::Stream } else { OrderSource::Times }
    }

    /// A time on the movie's clock in seconds.
    pub(crate) fn seconds(&self, ticks: i64) -> f64 {
        ticks as f64 / f64::from(self.timescale)
    }

    /// When a sample is shown, in seconds; `None` when the edit list leaves it out or may show it several times.
    pub(crate) fn seconds_of(&self, sample: &Sample) -> Option<f64> {
        if !self.edits.keep_order() {
            return None;
        }
        self.edits.shown_at(sample.presentation).map(|ticks| self.seconds(ticks))
    }

    /// All showings of pictures with these ascending media times, in display order.
    pub(crate) fn presentations(&self, times: &[i64]) -> Vec<Presentation> {
        // The number was checked for all pictures of the track, and these are not more.
        let unlimited = Limits::default().with(Limit::Frames, u64::MAX);
        self.edits.presentations(times, &unlimited).unwrap_or_default()
    }

    /// The timestamps of all frames in display order, should every sample decode to one.
    pub(crate) fn expected_timestamps(&self) -> Vec<f64> {
        let shown = self.presentations(&self.picture_times());
        shown.iter().map(|shown| self.seconds(shown.time)).collect()
    }
}

/// What every track has.
struct Parts<'a> {
    header: TrackHeader,
    timescale: u32,
    stbl: &'a [u8],
    /// One at least.
    entries: Vec<SampleEntry>,
}

impl<'a> Parts<'a> {
    fn read(trak: &'a [u8]) -> Option<Self> {
        if &handler(trak)? != b"vide" {
            return None;
        }
        let media = child(trak, b"mdia")?;
        let stbl = descend(media, &[b"minf", b"stbl"])?;
        let entries = SampleEntry::read_all(child(stbl, b"stsd")?);
        let header = TrackHeader::read(child(trak, b"tkhd")?)?;
        let timescale = media_timescale(child(media, b"mdhd")?)?.max(1);
        (!entries.is_empty()).then_some(Self { header, timescale, stbl, entries })
    }
}

/// The kind of a track: `vide`, `soun` ...
pub(super) fn handler(trak: &[u8]) -> Option<FourCc> {
    let mut reader = Reader::new(descend(trak, &[b"mdia", b"hdlr"])?);
    reader.bytes(8)?;
    reader.four_cc()
}

/// The number of a track.
pub(super) fn id(trak: &[u8]) -> Option<u32> {
    TrackHeader::read(child(trak, b"tkhd")?).map(|header| header.id)
}

/// `tkhd`.
struct TrackHeader {
    id: u32,
    enabled: bool,
    /// The four terms of the matrix that turn and mirror.
    orientation: [i32; 4],
}

impl TrackHeader {
    fn read(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let (version, flags) = reader.version_and_flags()?;
        reader.bytes(if version == 1 { 16 } else { 8 })?;
        let id = reader.u32()?;
        reader.bytes(4)?;
        reader.by_version(version)?;
        reader.bytes(16)?;
        let orientation = matrix(&mut reader).unwrap_or(UPRIGHT);
        Some(Self { id, enabled: flags & 1 != 0, orientation })
    }
}

/// `a`, `b`, `c` and `d` of a transformation matrix: x' = a x + c y, y' = b x + d y.
fn matrix(reader: &mut Reader<'_>) -> Option<[i32; 4]> {
    let (a, b) = (reader.i32()?, reader.i32()?);
    reader.i32()?;
    Some([a, b, reader.i32()?, reader.i32()?])
}

/// First `inner`, then `outer`; the scale does not matter.
fn product(inner: [i32; 4], outer: [i32; 4]) -> [i64; 4] {
    let [a, b, c, d] = inner.map(i64::from);
    let [p, q, r, s] = outer.map(i64::from);
    [a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s].map(|term| term >> 16)
}

fn media_timescale(payload: &[u8]) -> Option<u32> {
    let mut reader = Reader::new(payload);
    let (version, _) = reader.version_and_flags()?;
    reader.bytes(if version == 1 { 16 } else { 8 })?;
    reader.u32()
}

struct SampleEntry {
    codec: FourCc,
    encrypted: bool,
    width: usize,
    height: usize,
    avc_config: Option<Vec<u8>>,
    colour: Option<ColourTag>,
}

impl SampleEntry {
    /// The entries of `stsd`, as far as they make sense: samples name them by number.
    fn read_all(stsd: &[u8]) -> Vec<Self> {
        let entries = children(stsd.get(8..).unwrap_or(&[]));
        entries.map_while(|(codec, entry)| Self::read(codec, entry)).take(usize::from(u16::MAX)).collect()
    }

    fn read(codec: FourCc, entry: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(entry);
        reader.bytes(24)?;
        let (width, height) = (usize::from(reader.u16()?), usize::from(reader.u16()?));
        reader.bytes(50)?;
        let extensions = reader.rest();
        Some(Self {
            codec,
            // `drmi` is Apple's; `sinf` says how any of them is protected.
            encrypted: matches!(&codec, b"encv" | b"drmi") || child(extensions, b"sinf").is_some(),
            width,
            height,
            avc_config: child(extensions, b"avcC").map(<[u8]>::to_vec),
            colour: child(extensions, b"colr").and_then(colour_tag),
        })
    }
}

/// `colr` in its two forms that name code points.
fn colour_tag(payload: &[u8]) -> Option<ColourTag> {
    let mut reader = Reader::new(payload);
    let form = reader.four_cc()?;
    if &form != b"nclx" && &form != b"nclc" {
        return None;
    }
    reader.bytes(4)?;
    let matrix = u8::try_from(reader.u16()?).ok()?;
    let full_range = &form == b"nclx" && reader.u8()? & 0x80 != 0;
    Some(ColourTag { matrix, full_range })
}
