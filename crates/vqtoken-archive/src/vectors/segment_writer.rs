//! Collects the rows of a segment and writes its file.

use std::io::{self, Write};
use std::path::Path;

use rayon::prelude::*;
use vqtoken_files::{WriteError, write_with};
use vqtoken_kernels::SKETCH_BLOCK;

use super::rotation::Rotation;
use super::rounding::{Rounded, round, sketch_bytes};
use super::segment::Segment;
use super::segment_layout::{
    ALIGNMENT, BLOCK, Contents, HEADER, MAGIC, Parts, Row, VERSION, VideoRows, sketch_byte,
};

/// Collects rows and writes them as a segment.
#[derive(Debug)]
pub(crate) struct SegmentWriter {
    features: usize,
    rotation: Rotation,
    pub(super) videos: Vec<VideoRows>,
    pub(super) rows: Vec<Row>,
    pub(super) sketch_rows: Vec<(f32, u32)>,
    /// In blocks.
    pub(super) sketches: Vec<u8>,
    pub(super) values: Vec<u8>,
    pub(super) lowest: Vec<u8>,
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
            lowest: Vec::new(),
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
        for ((span, _), rounded) in rows.iter().zip(rounded) {
            let Rounded { scale, values, lowest, sketch, bits, correction } = rounded;
            self.values.extend(values.iter().map(|value| value.cast_unsigned()));
            self.lowest.extend(lowest);
            self.add_sketch(sketch);
            self.add_row(*span, scale, (correction, bits));
        }
    }

    /// Adds row `index` of another segment of as many features to the video that was begun last.
    pub(crate) fn copy(&mut self, from: &Segment, index: usize) {
        let Row { start, end, scale, .. } = from.row(index);
        self.values.extend_from_slice(from.values(index..index + 1));
        self.lowest.extend_from_slice(from.lowest(index..index + 1));
        self.add_sketch(from.sketch(index));
        self.add_row([start, end], scale, from.sketch_row(index));
    }

    /// Adds the sketch of the row that is added next.
    fn add_sketch(&mut self, sketch: impl IntoIterator<Item = u8>) {
        let row = self.rows.len();
        if row.is_multiple_of(SKETCH_BLOCK) {
            self.sketches.resize(self.sketches.len() + SKETCH_BLOCK * sketch_bytes(self.features), 0);
        }
        for (index, byte) in sketch.into_iter().enumerate() {
            self.sketches[sketch_byte(row, index, self.features)] = byte;
        }
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
        let contents = Contents { sketches: &self.sketches, values: &self.values, lowest: &self.lowest };
        for block in 0..self.rows.len().div_ceil(BLOCK) {
            tables.extend(contents.checksum(block, parts).to_le_bytes());
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
            file.write_all(&self.values)?;
            fill(file, parts.lowest_at() - parts.values_at() - self.values.len())?;
            file.write_all(&self.lowest)
        })
    }
}

fn fill(file: &mut impl Write, zeros: usize) -> io::Result<()> {
    file.write_all(&[0; ALIGNMENT][..zeros])
}
