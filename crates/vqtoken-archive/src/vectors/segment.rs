//! A segment: the vectors of some videos in one file that never changes.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8, 4, 4 | `VQVECTOR`, version (1), features (E) |
//! | 8, 8, 8 | rows (n), videos (v), length of the file |
//! | 4, 4 | CRC-32 of the tables, CRC-32 of the 44 bytes before this one |
//! | 16 | zeros |
//! | v x 24 | videos: number in the catalogue, first row, rows |
//! | n x 16 | rows: index of the video, start and end in seconds, scale of the values |
//! | n x 8 | rows: correction of the sketch, bits set in it |
//! | n/1024 x 4 | CRC-32 of the sketches and values of each 1,024 rows |
//! | n x W x 8 | sketches, from a multiple of 64 |
//! | n x E | values, from a multiple of 64 |
//!
//! All numbers are little-endian. The tables are checked when a segment is opened; sketches and values as the reader asks.

use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use vqtoken_files::{WriteError, write_with};
use vqtoken_kernels::MappedFile;

use super::rotation::Rotation;
use super::rounding::{Rounded, round, words};
use crate::error::ArchiveError;

const MAGIC: [u8; 8] = *b"VQVECTOR";
const VERSION: u32 = 1;
const HEADER: usize = 64;
/// Bytes of the header that its own checksum covers.
const CHECKED: usize = 44;
const VIDEO: usize = 24;
const ROW: usize = 16;
const SKETCH_ROW: usize = 8;
/// Rows of a checksum.
const BLOCK: usize = 1024;
const ALIGNMENT: usize = 64;
/// The most features of a vector.
pub(crate) const MOST_FEATURES: usize = 1 << 16;

/// A row: a moment of a video, or one of its codes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row {
    /// Index into the segment's videos.
    pub(crate) video: usize,
    /// Seconds.
    pub(crate) start: f32,
    /// Seconds.
    pub(crate) end: f32,
    /// What the values are multiplied with.
    pub(crate) scale: f32,
}

/// The rows of one video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VideoRows {
    /// Its number in the catalogue.
    pub(crate) sequence: u64,
    /// Its rows.
    pub(crate) rows: Range<usize>,
}

/// Where the parts of a file are.
#[derive(Clone, Copy, Debug)]
struct Parts {
    features: usize,
    rows: usize,
    videos: usize,
}

impl Parts {
    fn tables(self) -> usize {
        self.videos * VIDEO + self.rows * (ROW + SKETCH_ROW) + self.rows.div_ceil(BLOCK) * 4
    }

    fn rows_at(self) -> usize {
        HEADER + self.videos * VIDEO
    }

    fn sketch_rows_at(self) -> usize {
        self.rows_at() + self.rows * ROW
    }

    fn checksums_at(self) -> usize {
        self.sketch_rows_at() + self.rows * SKETCH_ROW
    }

    fn sketches_at(self) -> usize {
        (HEADER + self.tables()).next_multiple_of(ALIGNMENT)
    }

    fn values_at(self) -> usize {
        (self.sketches_at() + self.rows * words(self.features) * 8).next_multiple_of(ALIGNMENT)
    }

    fn length(self) -> usize {
        self.values_at() + self.rows * self.features
    }
}

/// Collects rows and writes them as a segment.
#[derive(Debug)]
pub(crate) struct SegmentWriter {
    features: usize,
    rotation: Rotation,
    videos: Vec<VideoRows>,
    rows: Vec<Row>,
    sketch_rows: Vec<(f32, u32)>,
    sketches: Vec<u8>,
    values: Vec<u8>,
}

impl SegmentWriter {
    /// A segment of vectors of so many features.
    pub(crate) fn new(features: usize) -> Self {
        Self {
            features,
            rotation: Rotation::new(features),
            videos: Vec::new(),
            rows: Vec::new(),
            sketch_rows: Vec::new(),
            sketches: Vec::new(),
            values: Vec::new(),
        }
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Begins the rows of a video.
    pub(crate) fn begin(&mut self, sequence: u64) {
        self.videos.push(VideoRows { sequence, rows: self.rows.len()..self.rows.len() });
    }

    /// Adds vectors `[E]` of the video that was begun last, with their spans in seconds. They are rounded in parallel.
    pub(crate) fn push_all(&mut self, rows: &[([f32; 2], &[f32])]) {
        let rounded: Vec<Rounded> =
            rows.par_iter().with_min_len(16).map(|(_, vector)| round(vector, &self.rotation)).collect();
        for ((span, _), Rounded { scale, values, sketch, correction }) in rows.iter().zip(rounded) {
            let bits = sketch.iter().map(|word| word.count_ones()).sum();
            self.values.extend(values.iter().map(|value| value.cast_unsigned()));
            self.sketches.extend(sketch.iter().flat_map(|word| word.to_le_bytes()));
            self.add_row(*span, scale, (correction, bits));
        }
    }

    /// Adds row `index` of another segment of as many features to the video that was begun last.
    pub(crate) fn copy(&mut self, from: &Segment, index: usize) {
        let Row { start, end, scale, .. } = from.row(index);
        self.sketches.extend_from_slice(from.sketches(index..index + 1));
        self.values.extend_from_slice(from.values(index..index + 1));
        self.add_row([start, end], scale, from.sketch_row(index));
    }

    fn add_row(&mut self, [start, end]: [f32; 2], scale: f32, sketch_row: (f32, u32)) {
        let video = self.videos.len().saturating_sub(1);
        self.rows.push(Row { video, start, end, scale });
        self.sketch_rows.push(sketch_row);
        if let Some(video) = self.videos.last_mut() {
            video.rows.end = self.rows.len();
        }
    }

    fn parts(&self) -> Parts {
        Parts { features: self.features, rows: self.rows.len(), videos: self.videos.len() }
    }

    /// The size of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.parts().length() as u64
    }

    /// Writes the file, whole.
    pub(crate) fn write(&self, path: &Path) -> Result<(), WriteError> {
        let parts = self.parts();
        let mut tables = Vec::with_capacity(parts.tables());
        for VideoRows { sequence, rows } in &self.videos {
            for number in [*sequence, rows.start as u64, rows.len() as u64] {
                tables.extend(number.to_le_bytes());
            }
        }
        for Row { video, start, end, scale } in &self.rows {
            tables.extend((*video as u32).to_le_bytes());
            [start, end, scale].iter().for_each(|number| tables.extend(number.to_le_bytes()));
        }
        for (correction, bits) in &self.sketch_rows {
            tables.extend(correction.to_le_bytes());
            tables.extend(bits.to_le_bytes());
        }
        for block in 0..self.rows.len().div_ceil(BLOCK) {
            let rows = block * BLOCK..(block * BLOCK + BLOCK).min(self.rows.len());
            let checksum = checksum(&self.sketches, &self.values, &rows, self.features);
            tables.extend(checksum.to_le_bytes());
        }
        let mut header = Vec::with_capacity(HEADER);
        header.extend(MAGIC);
        header.extend(VERSION.to_le_bytes());
        header.extend((self.features as u32).to_le_bytes());
        for number in [parts.rows, parts.videos, parts.length()] {
            header.extend((number as u64).to_le_bytes());
        }
        header.extend(crc32fast::hash(&tables).to_le_bytes());
        header.extend(crc32fast::hash(&header).to_le_bytes());
        header.resize(HEADER, 0);
        write_with(path, |file| {
            file.write_all(&header)?;
            file.write_all(&tables)?;
            fill(file, parts.sketches_at() - HEADER - tables.len())?;
            file.write_all(&self.sketches)?;
            fill(file, parts.values_at() - parts.sketches_at() - self.sketches.len())?;
            file.write_all(&self.values)
        })
    }
}

fn fill(file: &mut impl Write, zeros: usize) -> io::Result<()> {
    file.write_all(&[0; ALIGNMENT][..zeros])
}

/// Of some rows of all sketches and values.
fn checksum(sketches: &[u8], values: &[u8], rows: &Range<usize>, features: usize) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&sketches[scaled(rows, words(features) * 8)]);
    hasher.update(&values[scaled(rows, features)]);
    hasher.finalize()
}

fn scaled(rows: &Range<usize>, width: usize) -> Range<usize> {
    rows.start * width..rows.end * width
}

/// A segment that is open: its file is mapped.
#[derive(Debug)]
pub(crate) struct Segment {
    path: PathBuf,
    file: MappedFile,
    parts: Parts,
    videos: Vec<VideoRows>,
}

impl Segment {
    /// Opens a segment of vectors of `features` and checks its tables; all of it if `whole`.
    pub(crate) fn open(path: &Path, features: usize, whole: bool) -> Result<Self, ArchiveError> {
        let read = |source| ArchiveError::Read { path: path.to_owned(), source };
        let damaged = |reason| ArchiveError::DamagedSegment { path: path.to_owned(), reason };
        let file = MappedFile::open(path).map_err(read)?;
        let parts = header(&file).map_err(damaged)?;
        if parts.features != features {
            return Err(damaged("it has vectors of another width"));
        }
        let videos = videos(&file, parts).map_err(damaged)?;
        let segment = Self { path: path.to_owned(), file, parts, videos };
        if whole {
            segment.check()?;
        }
        Ok(segment)
    }

    /// Checks sketches and values.
    pub(crate) fn check(&self) -> Result<(), ArchiveError> {
        let (sketches, values) = (self.sketches(0..self.rows()), self.values(0..self.rows()));
        for block in 0..self.rows().div_ceil(BLOCK) {
            let rows = block * BLOCK..(block * BLOCK + BLOCK).min(self.rows());
            let written = self.parts.checksums_at() + block * 4;
            if checksum(sketches, values, &rows, self.parts.features) != u32_at(&self.file, written) {
                let (path, reason) =
                    (self.path.clone(), "sketches or values are not those that were written");
                return Err(ArchiveError::DamagedSegment { path, reason });
            }
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn rows(&self) -> usize {
        self.parts.rows
    }

    /// Its videos, in the order of their rows.
    pub(crate) fn videos(&self) -> &[VideoRows] {
        &self.videos
    }

    pub(crate) fn row(&self, index: usize) -> Row {
        let at = self.parts.rows_at() + index * ROW;
        let number = |place: usize| f32::from_bits(u32_at(&self.file, at + place));
        // Tables are checked by their sum, and a wrong sum can still be right by chance.
        let video = (u32_at(&self.file, at) as usize).min(self.videos.len().saturating_sub(1));
        Row { video, start: number(4), end: number(8), scale: number(12) }
    }

    /// The correction of a row's sketch, and the bits that are set in it.
    pub(crate) fn sketch_row(&self, index: usize) -> (f32, u32) {
        let at = self.parts.sketch_rows_at() + index * SKETCH_ROW;
        (f32::from_bits(u32_at(&self.file, at)), u32_at(&self.file, at + 4))
    }

    /// Sketches of rows, `[rows, W]` words.
    pub(crate) fn sketches(&self, rows: Range<usize>) -> &[u8] {
        self.part(self.parts.sketches_at(), rows, words(self.parts.features) * 8)
    }

    /// Values of rows, `[rows, E]`.
    pub(crate) fn values(&self, rows: Range<usize>) -> &[u8] {
        self.part(self.parts.values_at(), rows, self.parts.features)
    }

    /// Tells the system that the values will not be read soon.
    pub(crate) fn release_values(&self) {
        self.file.release(self.parts.values_at()..self.file.len());
    }

    fn part(&self, at: usize, rows: Range<usize>, width: usize) -> &[u8] {
        let range = scaled(&rows, width);
        &self.file[at + range.start..at + range.end]
    }
}

fn header(file: &[u8]) -> Result<Parts, &'static str> {
    if file.len() < HEADER || file[..8] != MAGIC {
        return Err("it is no segment, or is cut");
    }
    if u32_at(file, 8) != VERSION {
        return Err("it is of another version: update vqtoken");
    }
    if crc32fast::hash(&file[..CHECKED]) != u32_at(file, CHECKED) {
        return Err("its header is not the one that was written");
    }
    let number = |at| usize::try_from(u64_at(file, at)).unwrap_or(usize::MAX);
    let (features, rows, videos) = (u32_at(file, 12) as usize, number(16), number(24));
    // Sizes are believed only as far as the file reaches: each row and video takes more than a byte.
    if features == 0 || features > MOST_FEATURES || rows > file.len() || videos > file.len() {
        return Err("its header asks for more than the file has");
    }
    let parts = Parts { features, rows, videos };
    if number(32) != file.len() || parts.length() != file.len() {
        return Err("it is cut, or longer than it was written");
    }
    if crc32fast::hash(&file[HEADER..HEADER + parts.tables()]) != u32_at(file, 40) {
        return Err("its tables are not those that were written");
    }
    Ok(parts)
}

fn videos(file: &[u8], parts: Parts) -> Result<Vec<VideoRows>, &'static str> {
    let mut videos = Vec::with_capacity(parts.videos);
    let mut next = 0;
    for index in 0..parts.videos {
        let at = HEADER + index * VIDEO;
        let (first, rows) = (u64_at(file, at + 8) as usize, u64_at(file, at + 16) as usize);
        if first != next || rows > parts.rows - next {
            return Err("its videos do not follow each other");
        }
        next = first + rows;
        videos.push(VideoRows { sequence: u64_at(file, at), rows: first..next });
    }
    match next == parts.rows {
        true => Ok(videos),
        false => Err("it has rows of no video"),
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn written(path: &Path) -> SegmentWriter {
        let mut writer = SegmentWriter::new(3);
        for (sequence, rows) in [(7, 2), (3, 0), (9, 1)] {
            writer.begin(sequence);
            for row in 0..rows {
                let vector = [row as f32 - 0.5, 0.25, sequence as f32 * 0.1];
                writer.push_all(&[([row as f32, row as f32 + 1.0], &vector)]);
            }
        }
        writer.write(path).unwrap();
        writer
    }

    #[test]
    fn a_segment_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.vectors");
        let writer = written(&path);
        assert_eq!(fs::metadata(&path).unwrap().len(), writer.bytes());
        let segment = Segment::open(&path, 3, true).unwrap();
        assert_eq!(segment.videos(), writer.videos);
        for index in 0..3 {
            assert_eq!(segment.row(index), writer.rows[index]);
            assert_eq!(segment.sketch_row(index), writer.sketch_rows[index]);
        }
        assert_eq!(segment.values(0..3), writer.values);
        assert_eq!(segment.sketches(1..2), &writer.sketches[8..16]);
        let mut copied = SegmentWriter::new(3);
        copied.begin(9);
        copied.copy(&segment, 2);
        assert_eq!(copied.values, writer.values[6..]);
        assert!(Segment::open(&path, 4, false).is_err());
    }

    #[test]
    fn no_changed_byte_and_no_cut_goes_unseen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.vectors");
        written(&path);
        let whole = fs::read(&path).unwrap();
        let parts = header(&whole).unwrap();
        let gap = |place: usize| {
            (48..HEADER).contains(&place)
                || (HEADER + parts.tables()..parts.sketches_at()).contains(&place)
                || (parts.sketches_at() + 24..parts.values_at()).contains(&place)
        };
        for place in (0..whole.len()).filter(|place| !gap(*place)) {
            let mut changed = whole.clone();
            changed[place] ^= 0x10;
            fs::write(&path, changed).unwrap();
            assert!(Segment::open(&path, 3, true).is_err(), "byte {place}");
        }
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(Segment::open(&path, 3, false).is_err(), "{length} bytes");
        }
    }
}
