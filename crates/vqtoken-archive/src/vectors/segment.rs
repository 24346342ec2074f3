//! A segment that is open. [`super::segment_layout`] says what is where in its file.

use std::ops::Range;
use std::path::{Path, PathBuf};

use vqtoken_kernels::{MappedFile, SKETCH_BLOCK};

use super::rounding::{lowest_bytes, sketch_bytes};
use super::segment_layout::{
    BLOCK, CHECKED, Contents, HEADER, MAGIC, MOST_FEATURES, Parts, ROW, Row, SKETCH_ROW, VERSION, VIDEO,
    VideoRows, scaled, sketch_byte, sketch_row,
};
use crate::error::ArchiveError;

/// A segment that is open: its file is mapped.
#[derive(Debug)]
pub(crate) struct Segment {
    path: PathBuf,
    file: MappedFile,
    /// The same file, for single rows.
    #[cfg(unix)]
    opened: std::fs::File,
    parts: Parts,
    videos: Vec<VideoRows>,
}

impl Segment {
    /// Opens a segment of vectors of `features` and checks its tables; all of it if `whole`.
    pub(crate) fn open(path: &Path, features: usize, whole: bool) -> Result<Self, ArchiveError> {
        let read = |source| ArchiveError::Read { path: path.to_owned(), source };
        let damaged = |reason| ArchiveError::DamagedSegment { path: path.to_owned(), reason };
        let file = MappedFile::open(path).map_err(read)?;
        if let Some(version) = version(&file).filter(|version| *version != VERSION) {
            return Err(ArchiveError::SegmentVersion { path: path.to_owned(), version, known: VERSION });
        }
        let parts = header(&file).map_err(damaged)?;
        if parts.features != features {
            return Err(damaged("it has vectors of another width"));
        }
        let videos = videos(&file, parts).map_err(damaged)?;
        let segment = Self {
            path: path.to_owned(),
            file,
            #[cfg(unix)]
            opened: std::fs::File::open(path).map_err(read)?,
            parts,
            videos,
        };
        if whole {
            segment.check()?;
        }
        Ok(segment)
    }

    /// Checks sketches and values.
    pub(crate) fn check(&self) -> Result<(), ArchiveError> {
        let contents = Contents {
            sketches: &self.file[self.parts.sketches_at()..][..self.parts.sketch_length()],
            values: self.values(0..self.rows()),
            lowest: self.lowest(0..self.rows()),
        };
        for block in 0..self.rows().div_ceil(BLOCK) {
            let written = self.parts.checksums_at() + block * 4;
            if contents.checksum(block, self.parts) != u32_at(&self.file, written) {
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
        sketch_row(&self.sketch_rows(index..index + 1)[0])
    }

    /// What [`Segment::sketch_row`] reads, of many rows at once: [`sketch_row`] of each.
    pub(crate) fn sketch_rows(&self, rows: Range<usize>) -> &[[u8; SKETCH_ROW]] {
        self.part(self.parts.sketch_rows_at(), rows, SKETCH_ROW).as_chunks().0
    }

    /// Blocks of sketches of rows that begin with a block, `[rows / 32 rounded up, B, 32]`.
    pub(crate) fn sketch_blocks(&self, rows: Range<usize>) -> &[u8] {
        let blocks = rows.start / SKETCH_BLOCK..rows.end.div_ceil(SKETCH_BLOCK);
        self.part(self.parts.sketches_at(), blocks, SKETCH_BLOCK * sketch_bytes(self.parts.features))
    }

    /// The sketch of a row, `[B]`.
    pub(crate) fn sketch(&self, row: usize) -> impl Iterator<Item = u8> {
        let (at, features) = (self.parts.sketches_at(), self.parts.features);
        (0..sketch_bytes(features)).map(move |byte| self.file[at + sketch_byte(row, byte, features)])
    }

    /// Values of rows, `[rows, E]`.
    pub(crate) fn values(&self, rows: Range<usize>) -> &[u8] {
        self.part(self.parts.values_at(), rows, self.parts.features)
    }

    /// Lowest bits of rows, `[rows, E / 8 rounded up]`.
    pub(crate) fn lowest(&self, rows: Range<usize>) -> &[u8] {
        self.part(self.parts.lowest_at(), rows, lowest_bytes(self.parts.features))
    }

    /// Copies the values of one row to `out [E]`. Through the mapping, each row would make the system map the pages around it.
    pub(crate) fn read_values(&self, row: usize, out: &mut [u8]) -> Result<(), ArchiveError> {
        self.read(self.parts.values_at() + row * self.parts.features, out)
    }

    /// Copies the lowest bits of one row to `out [E / 8 rounded up]`.
    pub(crate) fn read_lowest(&self, row: usize, out: &mut [u8]) -> Result<(), ArchiveError> {
        self.read(self.parts.lowest_at() + row * lowest_bytes(self.parts.features), out)
    }

    #[cfg(unix)]
    fn read(&self, at: usize, out: &mut [u8]) -> Result<(), ArchiveError> {
        let read = |source| ArchiveError::Read { path: self.path.clone(), source };
        std::os::unix::fs::FileExt::read_exact_at(&self.opened, out, at as u64).map_err(read)
    }

    #[cfg(not(unix))]
    fn read(&self, at: usize, out: &mut [u8]) -> Result<(), ArchiveError> {
        out.copy_from_slice(&self.file[at..at + out.len()]);
        Ok(())
    }

    /// Tells the system that values and lowest bits will not be read soon.
    pub(crate) fn release_values(&self) {
        self.file.release(self.parts.values_at()..self.file.len());
    }

    fn part(&self, at: usize, rows: Range<usize>, width: usize) -> &[u8] {
        let range = scaled(&rows, width);
        &self.file[at + range.start..at + range.end]
    }
}

/// The version of the layout, if it is a segment at all.
fn version(file: &[u8]) -> Option<u32> {
    (file.len() >= HEADER && file[..8] == MAGIC).then(|| u32_at(file, 8))
}

fn header(file: &[u8]) -> Result<Parts, &'static str> {
    if file.len() < HEADER || file[..8] != MAGIC {
        return Err("it is no segment, or is cut");
    }
    if crc32fast::hash(&file[..CHECKED]) != u32_at(file, CHECKED) {
        return Err("its header is not the one that was written");
    }
    let number = |at| usize::try_from(u64_at(file, at)).unwrap_or(usize::MAX);
    let (features, rows, videos) = (u32_at(file, 12) as usize, number(16), number(24));
    // Sizes are believed only as far as the file reaches.
    let fits = |count: usize, bytes: usize| count.saturating_mul(bytes) <= file.len();
    let known = (1..=MOST_FEATURES).contains(&features);
    if !known || !fits(rows, Parts::row_bytes(features)) || !fits(videos, VIDEO) {
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

    use super::super::segment_writer::SegmentWriter;
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
        assert_eq!(segment.lowest(0..3), writer.lowest);
        assert_eq!(segment.sketch_blocks(0..3), writer.sketches);
        let (mut values, mut lowest) = ([0; 3], [0; 1]);
        segment.read_values(1, &mut values).unwrap();
        segment.read_lowest(2, &mut lowest).unwrap();
        assert_eq!((&values[..], &lowest[..]), (&writer.values[3..6], &writer.lowest[2..]));
        let mut copied = SegmentWriter::new(3);
        copied.begin(9);
        copied.copy(&segment, 2);
        assert_eq!(copied.values, writer.values[6..]);
        assert!(
            copied.lowest == writer.lowest[2..]
                && segment.sketch(2).eq(copied.sketches.into_iter().step_by(32))
        );
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
                || (parts.sketches_at() + parts.sketch_length()..parts.values_at()).contains(&place)
                || (parts.values_at() + 9..parts.lowest_at()).contains(&place)
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

    #[test]
    fn a_segment_of_another_version_is_named_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.vectors");
        written(&path);
        let mut bytes = fs::read(&path).unwrap();
        bytes[8] = 1;
        let checksum = crc32fast::hash(&bytes[..CHECKED]);
        bytes[CHECKED..CHECKED + 4].copy_from_slice(&checksum.to_le_bytes());
        fs::write(&path, bytes).unwrap();
        let error = Segment::open(&path, 3, false).unwrap_err();
        assert!(matches!(error, ArchiveError::SegmentVersion { version: 1, known: VERSION, .. }), "{error}");
    }
}
