//! One video track (`trak`): codec, size, orientation, colour and samples.

use super::boxes::{FourCc, Reader, child, children, descend};
use super::edits::Edits;
use super::samples::{Sample, read_table};
use crate::colour::ColourTag;
use crate::orientation::Orientation;

/// What of the movie header (`mvhd`) matters to a track.
pub(crate) struct MovieHeader {
    timescale: u32,
    duration: u64,
    orientation: [i32; 4],
}

const UPRIGHT: [i32; 4] = [1 << 16, 0, 0, 1 << 16];

impl MovieHeader {
    pub(crate) fn read(moov: &[u8]) -> Self {
        let parse = || {
            let mut reader = Reader::new(child(moov, b"mvhd")?);
            let (version, _) = reader.version_and_flags()?;
            reader.bytes(if version == 1 { 16 } else { 8 })?;
            let timescale = reader.u32()?;
            let duration = reader.by_version(version)?;
            reader.bytes(16)?;
            Some(Self { timescale, duration, orientation: matrix(&mut reader).unwrap_or(UPRIGHT) })
        };
        parse().unwrap_or(Self { timescale: 0, duration: 0, orientation: UPRIGHT })
    }

    /// Seconds, unless the header leaves them open.
    pub(crate) fn duration(&self) -> Option<f64> {
        let known = self.timescale > 0 && self.duration > 0 && self.duration != u64::from(u32::MAX);
        (known && self.duration != u64::MAX).then(|| self.duration as f64 / f64::from(self.timescale))
    }
}

/// A video track.
pub(crate) struct Track {
    pub(crate) id: u32,
    /// Code of the sample entry: `avc1`, `hvc1`, `vp09` ...
    pub(crate) codec: FourCc,
    /// Size of the coded picture as the sample entry states it, before rotation.
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Payload of `avcC`, the H.264 decoder configuration.
    pub(crate) avc_config: Option<Vec<u8>>,
    pub(crate) timescale: u32,
    pub(crate) orientation: Orientation,
    /// From `colr`; what the bitstream says goes before it.
    pub(crate) colour: Option<ColourTag>,
    /// In decode order.
    pub(crate) samples: Vec<Sample>,
    /// Whether presentation times were stated apart from decode times.
    pub(crate) has_composition_offsets: bool,
    pub(crate) edits: Edits,
    /// Decode time after the last sample.
    pub(crate) end: i64,
}

impl Track {
    /// Reads a `trak` box; `None` when it is no video or lacks what every track has.
    pub(crate) fn read(trak: &[u8], movie: &MovieHeader, file_len: u64) -> Option<Track> {
        let media = child(trak, b"mdia")?;
        let mut handler = Reader::new(child(media, b"hdlr")?);
        handler.bytes(8)?;
        if &handler.four_cc()? != b"vide" {
            return None;
        }
        let (id, orientation) = track_header(child(trak, b"tkhd")?)?;
        let timescale = media_timescale(child(media, b"mdhd")?)?.max(1);
        let stbl = descend(media, &[b"minf", b"stbl"])?;
        let entry = SampleEntry::read(child(stbl, b"stsd")?)?;
        let table = read_table(stbl, file_len);
        Some(Track {
            id,
            codec: entry.codec,
            width: entry.width,
            height: entry.height,
            avc_config: entry.avc_config,
            timescale,
            orientation: Orientation::from_matrix(product(orientation, movie.orientation)),
            colour: entry.colour,
            samples: table.samples,
            has_composition_offsets: table.has_composition_offsets,
            edits: Edits::read(trak, movie.timescale, timescale),
            end: table.end,
        })
    }

    /// When a sample is shown, in seconds; `None` when the edit list leaves it out.
    pub(crate) fn seconds(&self, sample: &Sample) -> Option<f64> {
        let ticks = self.edits.shown_at(sample.presentation)?;
        Some(ticks as f64 / f64::from(self.timescale))
    }

    /// The timestamps of all frames in display order, should every sample decode to one.
    pub(crate) fn expected_timestamps(&self) -> Vec<f64> {
        let mut seconds: Vec<f64> = self.samples.iter().filter_map(|sample| self.seconds(sample)).collect();
        seconds.sort_by(f64::total_cmp);
        seconds
    }
}

/// The track's number and the four terms of its matrix that turn and mirror.
fn track_header(payload: &[u8]) -> Option<(u32, [i32; 4])> {
    let mut reader = Reader::new(payload);
    let (version, _) = reader.version_and_flags()?;
    reader.bytes(if version == 1 { 16 } else { 8 })?;
    let id = reader.u32()?;
    reader.bytes(4)?;
    reader.by_version(version)?;
    reader.bytes(16)?;
    Some((id, matrix(&mut reader).unwrap_or(UPRIGHT)))
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
    width: usize,
    height: usize,
    avc_config: Option<Vec<u8>>,
    colour: Option<ColourTag>,
}

impl SampleEntry {
    /// The first entry of `stsd`.
    fn read(stsd: &[u8]) -> Option<Self> {
        let (codec, entry) = children(stsd.get(8..)?).next()?;
        let mut reader = Reader::new(entry);
        reader.bytes(24)?;
        let (width, height) = (usize::from(reader.u16()?), usize::from(reader.u16()?));
        reader.bytes(50)?;
        let extensions = reader.rest();
        Some(Self {
            codec,
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
