//! The nearest rows of all open segments to a query: exactly, or from sketches first.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use vqtoken_kernels::{Kernels, SKETCH_BLOCK};

use super::best::{Best, Place, SharedLeast};
use super::kinds::StoredVectors;
use super::rotation::Rotation;
use super::rounding::{Query, SketchQuery, lowest_bit, lowest_bytes};
use super::segment::Segment;
use crate::error::ArchiveError;

/// Rows of a task, whole blocks of sketches.
const ROWS: usize = 8192;

/// Values up to which all rows are compared: some ten milliseconds on two cores.
const MOST_EXACT_VALUES: usize = 1 << 26;

/// Rows that sketches choose for each one that is wanted, and at least.
const CANDIDATES_PER_ROW: usize = 100;
const LEAST_CANDIDATES: usize = 2000;

/// Rows that are compared in nine bits for each one that is wanted, and at least: more change nothing that was measured.
const FINAL_PER_ROW: usize = 4;
const LEAST_FINAL: usize = 32;

/// How rows are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Scan {
    /// Exactly up to 67 million values (58,000 rows of 1,152 features), then from sketches.
    #[default]
    Auto,
    /// Every row is compared with the query.
    Exact,
    /// Sketches of one bit a feature choose rows, which are compared then.
    Sketches,
}

/// A row that is near the query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Near {
    /// The video's number in the catalogue.
    pub(crate) sequence: u64,
    /// Which of the video's rows it is, from 0.
    pub(crate) row: usize,
    /// Seconds.
    pub(crate) span: [f32; 2],
    /// The cosine with the query.
    pub(crate) cosine: f32,
}

/// The open segments of one space.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    features: usize,
    rotation: Arc<Rotation>,
    segments: Vec<Arc<Segment>>,
    /// For each segment which of its videos are in it and not in a newer segment or removed.
    alive: Vec<Arc<Vec<bool>>>,
}

impl Index {
    /// Of segments with the same features, each with the numbers of the videos that count.
    pub(crate) fn new(features: usize, segments: Vec<(Arc<Segment>, BTreeSet<u64>)>) -> Self {
        let alive = |(segment, kept): &(Arc<Segment>, BTreeSet<u64>)| {
            Arc::new(segment.videos().iter().map(|video| kept.contains(&video.sequence)).collect())
        };
        Self {
            features,
            rotation: Arc::new(Rotation::new(features)),
            alive: segments.iter().map(alive).collect(),
            segments: segments.into_iter().map(|(segment, _)| segment).collect(),
        }
    }

    /// Rows of videos that count.
    pub(crate) fn rows(&self) -> usize {
        let rows = |(segment, alive): (&Arc<Segment>, &Arc<Vec<bool>>)| {
            let videos = segment.videos().iter().zip(alive.iter());
            videos.filter(|(_, alive)| **alive).map(|(video, _)| video.rows.len()).sum::<usize>()
        };
        self.segments.iter().zip(&self.alive).map(rows).sum()
    }

    /// The `wanted` rows nearest to `query [E]` among the videos that `allowed` takes (all without it), nearest first; at equal cosines by place.
    /// Any number of threads gives the same.
    pub(crate) fn nearest(
        &self,
        kernels: Kernels,
        query: &[f32],
        wanted: usize,
        scan: Scan,
        allowed: Option<&(dyn Fn(u64) -> bool + Sync)>,
    ) -> Result<Vec<Near>, ArchiveError> {
        let taken = self.taken(allowed);
        let rows: usize = self.segments.iter().map(|segment| segment.rows()).sum();
        let exact = match scan {
            Scan::Exact => true,
            Scan::Sketches => false,
            Scan::Auto => rows.saturating_mul(self.features) <= MOST_EXACT_VALUES,
        };
        let query = Query::new(query);
        let last = wanted.saturating_mul(FINAL_PER_ROW).max(LEAST_FINAL);
        let near = match exact {
            true => self.exact(kernels, query, last, &taken),
            false => {
                let candidates = wanted.saturating_mul(CANDIDATES_PER_ROW).max(LEAST_CANDIDATES);
                let chosen = self.sketched(kernels, query, candidates, &taken);
                self.compared(kernels, query, last, &chosen)?
            }
        };
        let near = self.with_lowest_bits(query, wanted, near)?;
        Ok(near.into_iter().map(|(cosine, place)| self.near(cosine, place)).collect())
    }

    /// The numbers of the videos that count.
    pub(crate) fn videos(&self) -> BTreeSet<u64> {
        let segments = self.segments.iter().zip(&self.alive);
        let videos = segments.flat_map(|(segment, alive)| segment.videos().iter().zip(alive.iter()));
        videos.filter(|(_, alive)| **alive).map(|(video, _)| video.sequence).collect()
    }

    /// All rows of a video `[rows, E]`, and their spans in seconds.
    pub(crate) fn rows_of(&self, sequence: u64) -> Option<StoredVectors> {
        for (segment, alive) in self.segments.iter().zip(&self.alive).rev() {
            let mut videos = segment.videos().iter().zip(alive.iter());
            let Some((video, _)) = videos.find(|(video, alive)| **alive && video.sequence == sequence) else {
                continue;
            };
            let rows: Vec<_> = video.rows.clone().map(|index| segment.row(index)).collect();
            let values = segment.values(video.rows.clone()).chunks_exact(self.features);
            let lowest = segment.lowest(video.rows.clone()).chunks_exact(lowest_bytes(self.features));
            let scaled = values.zip(lowest).zip(&rows).flat_map(|((values, lowest), row)| {
                values.iter().enumerate().map(|(index, value)| {
                    let half = if lowest_bit(lowest, index) { 0.5 } else { 0.0 };
                    (f32::from(value.cast_signed()) + half) * row.scale
                })
            });
            let vectors = scaled.collect();
            let spans = rows.iter().map(|row| [row.start, row.end]).collect();
            return Some(StoredVectors { spans, vectors });
        }
        None
    }

    fn near(&self, cosine: f32, (segment, index): Place) -> Near {
        let segment = &self.segments[segment];
        let row = segment.row(index);
        let video = &segment.videos()[row.video];
        let (sequence, first) = (video.sequence, video.rows.start);
        Near { sequence, row: index.saturating_sub(first), span: [row.start, row.end], cosine }
    }

    /// For each segment which of its videos are searched.
    fn taken(&self, allowed: Option<&(dyn Fn(u64) -> bool + Sync)>) -> Vec<Vec<bool>> {
        let segments = self.segments.iter().zip(&self.alive);
        segments
            .map(|(segment, alive)| {
                let videos = segment.videos().iter().zip(alive.iter());
                videos.map(|(video, alive)| *alive && allowed.is_none_or(|is| is(video.sequence))).collect()
            })
            .collect()
    }

    /// Tasks: a segment and rows of it.
    fn tasks(&self) -> Vec<(usize, Range<usize>)> {
        let of_segment = |(index, segment): (usize, &Arc<Segment>)| {
            let rows = segment.rows();
            (0..rows).step_by(ROWS).map(move |start| (index, start..(start + ROWS).min(rows)))
        };
        self.segments.iter().enumerate().flat_map(of_segment).collect()
    }

    /// The best of all rows, without the lowest bits.
    fn exact(
        &self,
        kernels: Kernels,
        query: Query<'_>,
        wanted: usize,
        taken: &[Vec<bool>],
    ) -> Vec<(f32, Place)> {
        let add = |mut best: Best, (index, rows): (usize, Range<usize>)| {
            let segment = &self.segments[index];
            let mut products = vec![0.0; rows.len()];
            // The lengths are those of the segment, whose features are the query's.
            let _ = kernels.int8_row_products(query.features, segment.values(rows.clone()), &mut products);
            for (row, product) in rows.zip(products) {
                let about = segment.row(row);
                if taken[index][about.video] {
                    best.add(query.without_lowest(product, about.scale), (index, row));
                }
            }
            best
        };
        let found = self.tasks().into_par_iter().fold(|| Best::new(wanted), add);
        let found = found.reduce(|| Best::new(wanted), Best::merge);
        self.segments.iter().for_each(|segment| segment.release_values());
        found.sorted()
    }

    /// Places of the rows whose sketches are nearest, in the order of the files.
    fn sketched(
        &self,
        kernels: Kernels,
        query: Query<'_>,
        candidates: usize,
        taken: &[Vec<bool>],
    ) -> Vec<Place> {
        let asked = SketchQuery::new(query.features, &self.rotation);
        let all: Vec<bool> = taken.iter().map(|taken| taken.iter().all(|taken| *taken)).collect();
        let least = SharedLeast::new();
        let add = |mut best: Best, (index, rows): (usize, Range<usize>)| {
            let segment = &self.segments[index];
            let mut sums = vec![0; rows.len()];
            // As above.
            let _ = kernels.sketch_sums(&asked.tables, segment.sketch_blocks(rows.clone()), &mut sums);
            least.share(&mut best);
            let mut cosines = [0.0; SKETCH_BLOCK];
            let blocks =
                sums.chunks(SKETCH_BLOCK).zip(segment.sketch_rows(rows.clone()).chunks(SKETCH_BLOCK));
            for ((sums, sketch_rows), first) in blocks.zip(rows.step_by(SKETCH_BLOCK)) {
                let cosines = &mut cosines[..sums.len()];
                asked.estimate(sums, sketch_rows, cosines);
                if !best.would_take_any(cosines) {
                    continue;
                }
                for (row, cosine) in (first..).zip(cosines) {
                    if best.would_take(*cosine) && (all[index] || taken[index][segment.row(row).video]) {
                        best.add(*cosine, (index, row));
                    }
                }
            }
            best
        };
        // A thread goes on with the best of its earlier tasks, so that most rows fail the first comparison.
        let found = self.tasks().into_par_iter().fold(|| Best::new(candidates), add);
        found.reduce(|| Best::new(candidates), Best::merge).places()
    }

    /// The best of the chosen rows, without the lowest bits.
    fn compared(
        &self,
        kernels: Kernels,
        query: Query<'_>,
        wanted: usize,
        chosen: &[Place],
    ) -> Result<Vec<(f32, Place)>, ArchiveError> {
        let compare = |values: &mut Vec<u8>, &(segment, row): &Place| {
            let of = &self.segments[segment];
            of.read_values(row, values)?;
            let mut product = [0.0];
            // As above.
            let _ = kernels.int8_row_products(query.features, values, &mut product);
            Ok((query.without_lowest(product[0], of.row(row).scale), (segment, row)))
        };
        let rows = chosen.par_iter().with_min_len(64);
        let cosines: Vec<_> =
            rows.map_init(|| vec![0; self.features], compare).collect::<Result<_, ArchiveError>>()?;
        let mut best = Best::new(wanted);
        cosines.into_iter().for_each(|(cosine, place)| best.add(cosine, place));
        Ok(best.sorted())
    }

    /// The best of a few rows, whose cosines are given without the lowest bits.
    fn with_lowest_bits(
        &self,
        query: Query<'_>,
        wanted: usize,
        rows: Vec<(f32, Place)>,
    ) -> Result<Vec<(f32, Place)>, ArchiveError> {
        let mut lowest = vec![0; lowest_bytes(self.features)];
        let mut best = Best::new(wanted);
        for (cosine, (segment, row)) in rows {
            let of = &self.segments[segment];
            of.read_lowest(row, &mut lowest)?;
            best.add(query.with_lowest(cosine, &lowest, of.row(row).scale), (segment, row));
        }
        Ok(best.sorted())
    }
}

#[cfg(test)]
mod tests {
    use super::super::segment_writer::SegmentWriter;
    use super::*;

    /// Two segments of `rows` rows each around a few directions; every third video does not count.
    fn index(folder: &std::path::Path, rows: usize, features: usize) -> Index {
        let mut segments = Vec::new();
        let mut number = 0_u64;
        for part in 0..2 {
            let mut writer = SegmentWriter::new(features);
            for video in 0..rows / 10 {
                writer.begin((part * rows + video) as u64);
                for row in 0..10 {
                    let mut vector: Vec<f32> = (0..features)
                        .map(|_| {
                            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                            (number >> 40) as f32 / (1 << 23) as f32 - 1.0
                        })
                        .collect();
                    vector[video % features] += 4.0;
                    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
                    vector.iter_mut().for_each(|x| *x /= length);
                    writer.push_all(&[([row as f32, row as f32 + 1.0], &vector)]);
                }
            }
            let path = folder.join(format!("{part}.vectors"));
            writer.write(&path).unwrap();
            let segment = Arc::new(Segment::open(&path, features, true).unwrap());
            let kept = segment.videos().iter().map(|video| video.sequence).filter(|n| n % 3 != 0).collect();
            segments.push((segment, kept));
        }
        Index::new(features, segments)
    }

    #[test]
    fn sketches_find_what_an_exact_scan_finds_and_threads_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let index = index(folder.path(), 10_000, 96);
        let mut query = vec![0.0; 96];
        (query[5], query[40]) = (0.8, 0.6);
        let kernels = Kernels::best();
        let exact = index.nearest(kernels, &query, 10, Scan::Exact, None).unwrap();
        assert_eq!(exact.len(), 10);
        assert!(exact.windows(2).all(|pair| pair[0].cosine >= pair[1].cosine));
        assert!(exact.iter().all(|near| near.sequence % 3 != 0 && near.row < 10));
        let sketched = index.nearest(kernels, &query, 10, Scan::Sketches, None).unwrap();
        assert_eq!(sketched, exact);
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            for scan in [Scan::Exact, Scan::Sketches] {
                assert_eq!(pool.install(|| index.nearest(kernels, &query, 10, scan, None).unwrap()), exact);
            }
        }
        let even = |sequence: u64| sequence.is_multiple_of(2);
        let some = index.nearest(kernels, &query, 10, Scan::Sketches, Some(&even)).unwrap();
        assert!(some.len() == 10 && some.iter().all(|near| near.sequence % 2 == 0));
        let StoredVectors { spans, vectors } = index.rows_of(exact[0].sequence).unwrap();
        assert_eq!((spans.len(), vectors.len()), (10, 960));
        assert_eq!(spans[exact[0].row], exact[0].span);
        assert!(index.rows_of(3).is_none());
    }

    #[test]
    fn nothing_is_near_where_nothing_is() {
        let index = Index::new(4, Vec::new());
        assert_eq!(index.rows(), 0);
        assert!(index.nearest(Kernels::best(), &[1.0; 4], 10, Scan::Auto, None).unwrap().is_empty());
    }
}
