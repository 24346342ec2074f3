//! The archive's vectors: stored with a video, found by a query, merged and checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vqtoken_kernels::Kernels;

use super::index::{Index, Scan};
use super::kinds::{MomentHit, NewVectors, Space, SpaceTotals, StoredVectors, VectorKind};
use super::segment::Segment;
use super::segment_writer::SegmentWriter;
use crate::archive::Archive;
use crate::catalogue::Writing;
use crate::catalogue_vectors::{NewSegment, SegmentRow};
use crate::error::ArchiveError;
use crate::layout::Layout;
use crate::record::VideoRecord;

/// Segments of a space that are small are merged when there are more of them than this.
const MOST_SMALL: usize = 32;

/// Rows from which a segment is not small.
const SMALL: u64 = 1 << 15;

/// The most rows of a segment that merging writes.
const MOST_ROWS: usize = 1 << 17;

/// Segments up to this size are checked whole when they are opened; larger ones by [`Archive::verify`].
const CHECKED_WHOLE: u64 = 64 << 20;

/// Something in an archive that is damaged or gone. The rest is served.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DamagedPart {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, and how to mend it.
    pub message: String,
    /// Whether it is as it was written, in a layout of another version of this program, which is not read.
    pub is_other_version: bool,
    /// The videos that it concerns.
    pub videos: Vec<String>,
}

impl DamagedPart {
    pub(crate) fn new(path: PathBuf, error: &ArchiveError, videos: Vec<String>) -> Self {
        let is_other_version = matches!(error, ArchiveError::SegmentVersion { .. });
        Self { path, message: error.to_string(), is_other_version, videos }
    }
}

/// What [`Archive::compact`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// Segments before.
    pub segments_before: usize,
    /// Segments after.
    pub segments_after: usize,
    /// Bytes of them before.
    pub bytes_before: u64,
    /// Bytes of them after.
    pub bytes_after: u64,
}

/// The indices over the segments, as of some version of the catalogue.
#[derive(Debug, Default)]
pub(crate) struct Indices(Mutex<Opened>);

#[derive(Debug, Default)]
struct Opened {
    version: Option<i64>,
    /// Open segments by file name; a file never changes.
    segments: BTreeMap<String, Arc<Segment>>,
    indices: BTreeMap<(Space, VectorKind), Index>,
    damaged: Vec<DamagedPart>,
}

impl Indices {
    fn opened(&self) -> MutexGuard<'_, Opened> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Archive {
    /// Stores vectors of videos, in place of those that they had in the space. They are on the disk when it returns.
    ///
    /// Give many videos at once: each call writes a file for the moments and one for the codes.
    ///
    /// # Errors
    /// [`ArchiveError::NotFound`], or if lengths do not match, a value is not finite, or the disk is full or refuses. Then nothing is stored.
    pub fn put_vectors(&self, space: &Space, videos: &[(String, NewVectors)]) -> Result<(), ArchiveError> {
        videos.iter().try_for_each(|(_, vectors)| vectors.check(space))?;
        let mut writing = self.writing()?;
        let mut numbers = Vec::with_capacity(videos.len());
        for (id, _) in videos {
            numbers.push(writing.number(id)?);
        }
        for kind in VectorKind::ALL {
            let mut segment = SegmentWriter::new(space.features);
            let mut counts = Vec::with_capacity(videos.len());
            for ((_, vectors), number) in videos.iter().zip(&numbers) {
                let rows = vectors.rows(kind, space.features);
                segment.begin(*number);
                segment.push_all(&rows);
                counts.push((*number, rows.len() as u64));
            }
            if segment.rows() > 0 {
                self.add_segment(&mut writing, space, kind, &segment, &counts, None)?;
            }
        }
        self.merge_small(&mut writing, space)
    }

    /// The spaces in which videos have vectors.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn spaces(&self) -> Result<Vec<SpaceTotals>, ArchiveError> {
        self.catalogue().spaces()
    }

    /// The `wanted` moments whose vectors are nearest to `query [E]`, nearest first, among the videos whose ids `allowed` takes (all without it).
    ///
    /// # Errors
    /// If the query has another number of features, or the catalogue or a segment cannot be read. Segments that are damaged are left out
    /// ([`Archive::damaged_parts`]).
    pub fn nearest_moments(
        &self,
        space: &Space,
        query: &[f32],
        wanted: usize,
        scan: Scan,
        allowed: Option<&BTreeSet<String>>,
    ) -> Result<Vec<MomentHit>, ArchiveError> {
        self.nearest(space, VectorKind::Moments, query, wanted, scan, allowed)
    }

    /// The same among vectors of a kind. Of codes [`MomentHit::moment`] is the code, and the span is empty.
    ///
    /// # Errors
    /// As [`Archive::nearest_moments`].
    pub fn nearest(
        &self,
        space: &Space,
        kind: VectorKind,
        query: &[f32],
        wanted: usize,
        scan: Scan,
        allowed: Option<&BTreeSet<String>>,
    ) -> Result<Vec<MomentHit>, ArchiveError> {
        if query.len() != space.features || !query.iter().all(|x| x.is_finite()) {
            let reason = "the query has another number of features, or a value that is not finite";
            return Err(ArchiveError::Vectors { space: space.id.clone(), reason });
        }
        let Some(index) = self.index(space, kind)? else { return Ok(Vec::new()) };
        let numbers = allowed.map(|ids| self.catalogue().numbers(ids)).transpose()?;
        let is_allowed = numbers.as_ref().map(|numbers| move |number: u64| numbers.contains(&number));
        let allowed = is_allowed.as_ref().map(|is| is as &(dyn Fn(u64) -> bool + Sync));
        let mut hits = Vec::new();
        for near in index.nearest(Kernels::global(), query, wanted, scan, allowed)? {
            // A video that was removed since the index was made is no hit.
            if let Some(id) = self.catalogue().id_of(near.sequence)? {
                hits.push(MomentHit { id, moment: near.row, span: near.span, cosine: near.cosine });
            }
        }
        Ok(hits)
    }

    /// How many moments are searched.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn moments(&self, space: &Space) -> Result<usize, ArchiveError> {
        Ok(self.index(space, VectorKind::Moments)?.map_or(0, |index| index.rows()))
    }

    /// The vectors of a video's codes `[K, E]`, if it has any in the space.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn code_vectors(&self, space: &Space, id: &str) -> Result<Option<Vec<f32>>, ArchiveError> {
        let rows = self.rows_of(space, VectorKind::Codes, id)?;
        Ok(rows.map(|rows| rows.vectors))
    }

    /// The spans in seconds and vectors `[n, E]` of a video's moments, if it has any in the space.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn moment_vectors(&self, space: &Space, id: &str) -> Result<Option<StoredVectors>, ArchiveError> {
        self.rows_of(space, VectorKind::Moments, id)
    }

    fn rows_of(
        &self,
        space: &Space,
        kind: VectorKind,
        id: &str,
    ) -> Result<Option<StoredVectors>, ArchiveError> {
        let Some(index) = self.index(space, kind)? else { return Ok(None) };
        let number = self.catalogue().number(id)?;
        Ok(number.and_then(|number| index.rows_of(number)))
    }

    /// Segments that could not be opened, and whose vectors are therefore missing from searches.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn damaged_parts(&self) -> Result<Vec<DamagedPart>, ArchiveError> {
        Ok(self.refreshed()?.damaged.clone())
    }

    /// The videos that have no vectors in a space, or whose segment is damaged, oldest first.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn without_vectors(&self, space: &Space) -> Result<Vec<VideoRecord>, ArchiveError> {
        let index = self.index(space, VectorKind::Moments)?;
        let present = index.map(|index| index.videos()).unwrap_or_default();
        // Vectors of codes may be lost where those of moments are not.
        let damaged: BTreeSet<String> =
            self.damaged_parts()?.into_iter().flat_map(|part| part.videos).collect();
        let mut missing = Vec::new();
        for record in self.catalogue().all()? {
            let number = self.catalogue().number(&record.id)?;
            if damaged.contains(&record.id) || !number.is_some_and(|number| present.contains(&number)) {
                missing.push(record);
            }
        }
        Ok(missing)
    }

    /// Writes the vectors of each space anew, without those of removed videos and of damaged segments, in as few segments as possible.
    ///
    /// # Errors
    /// If the disk is full or refuses; then everything is as it was.
    pub fn compact(&self) -> Result<Compacted, ArchiveError> {
        let mut done = Compacted::default();
        let mut writing = self.writing()?;
        for totals in self.spaces()? {
            for kind in VectorKind::ALL {
                let before = writing.segments(&totals.space, kind)?;
                done.segments_before += before.len();
                done.bytes_before += before.iter().map(|segment| segment.bytes).sum::<u64>();
                self.merge(&mut writing, &totals.space, kind, &before)?;
                let after = writing.segments(&totals.space, kind)?;
                done.segments_after += after.len();
                done.bytes_after += after.iter().map(|segment| segment.bytes).sum::<u64>();
            }
        }
        Ok(done)
    }

    /// Reads all segments and all token files and compares them with their checksums. What is damaged or gone is returned; nothing is changed.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn verify(&self) -> Result<Vec<DamagedPart>, ArchiveError> {
        let mut damaged = self.damaged_parts()?;
        let segments: Vec<_> = self.refreshed()?.segments.values().cloned().collect();
        for segment in segments {
            if let Err(error) = segment.check() {
                let mut videos = Vec::new();
                for video in segment.videos() {
                    videos.extend(self.catalogue().id_of(video.sequence)?);
                }
                let path = segment.path().to_owned();
                damaged.push(DamagedPart::new(path, &error, videos));
            }
        }
        for record in self.catalogue().all()? {
            damaged.extend(self.damage_of(&record));
        }
        Ok(damaged)
    }

    /// The index of a space, if there is one, as of now.
    fn index(&self, space: &Space, kind: VectorKind) -> Result<Option<Index>, ArchiveError> {
        Ok(self.refreshed()?.indices.get(&(space.clone(), kind)).cloned())
    }

    /// The indices, made anew if the catalogue's vectors have changed.
    fn refreshed(&self) -> Result<MutexGuard<'_, Opened>, ArchiveError> {
        let mut opened = self.indices().opened();
        let (version, all) = self.catalogue().all_segments(opened.version)?;
        if opened.version == Some(version) {
            return Ok(opened);
        }
        let mut segments = BTreeMap::new();
        let mut indices = BTreeMap::new();
        let mut damaged = Vec::new();
        for (space, kind, rows) in all {
            let mut parts = Vec::new();
            for SegmentRow { name, bytes, videos, .. } in rows {
                let known = opened.segments.get(&name).cloned();
                let path = self.layout().segment(&name);
                let open = || Segment::open(&path, space.features, bytes <= CHECKED_WHOLE).map(Arc::new);
                match known.map_or_else(open, Ok) {
                    Ok(segment) => {
                        segments.insert(name, Arc::clone(&segment));
                        parts.push((segment, videos.into_iter().collect()));
                    }
                    Err(error) => {
                        let mut ids = Vec::new();
                        for video in videos {
                            ids.extend(self.catalogue().id_of(video)?);
                        }
                        damaged.push(DamagedPart::new(path, &error, ids));
                    }
                }
            }
            indices.insert((space.clone(), kind), Index::new(space.features, parts));
        }
        *opened = Opened { version: Some(version), segments, indices, damaged };
        Ok(opened)
    }

    /// Writes a segment's file, then the rows that name it.
    fn add_segment(
        &self,
        writing: &mut Writing<'_>,
        space: &Space,
        kind: VectorKind,
        segment: &SegmentWriter,
        videos: &[(u64, u64)],
        replaced: Option<&[i64]>,
    ) -> Result<(), ArchiveError> {
        vqtoken_files::create_folder(&self.layout().segments())?;
        let name = writing.next_segment_name()?;
        let path = self.layout().segment(&name);
        segment.write(&path)?;
        let (rows, bytes) = (segment.rows() as u64, segment.bytes());
        let added = NewSegment { name: &name, rows, bytes, videos };
        writing.add_segment(space, kind, &added, replaced).inspect_err(|_| {
            // No row names it, so the next opening would remove it.
            let _ = fs::remove_file(&path);
        })
    }

    /// Merges the small segments of a space when there are many, and all when most rows are of videos that are gone.
    fn merge_small(&self, writing: &mut Writing<'_>, space: &Space) -> Result<(), ArchiveError> {
        for kind in VectorKind::ALL {
            let segments = writing.segments(space, kind)?;
            let small: Vec<SegmentRow> =
                segments.into_iter().filter(|segment| segment.rows < SMALL).collect();
            if small.len() > MOST_SMALL {
                self.merge(writing, space, kind, &small)?;
            }
        }
        Ok(())
    }

    /// Replaces segments by as few as possible. Vectors in damaged ones are dropped: [`Archive::without_vectors`] names their videos.
    fn merge(
        &self,
        writing: &mut Writing<'_>,
        space: &Space,
        kind: VectorKind,
        old: &[SegmentRow],
    ) -> Result<(), ArchiveError> {
        let numbers: Vec<i64> = old.iter().map(|segment| segment.number).collect();
        let mut merged = SegmentWriter::new(space.features);
        let mut counts = Vec::new();
        for SegmentRow { name, videos, .. } in old {
            let path = self.layout().segment(name);
            let Ok(segment) = Segment::open(&path, space.features, true) else { continue };
            let kept: BTreeSet<u64> = videos.iter().copied().collect();
            for video in segment.videos().iter().filter(|video| kept.contains(&video.sequence)) {
                merged.begin(video.sequence);
                video.rows.clone().for_each(|row| merged.copy(&segment, row));
                counts.push((video.sequence, video.rows.len() as u64));
                if merged.rows() >= MOST_ROWS {
                    self.add_segment(writing, space, kind, &merged, &counts, Some(&numbers))?;
                    merged = SegmentWriter::new(space.features);
                    counts.clear();
                }
            }
        }
        if merged.rows() > 0 {
            self.add_segment(writing, space, kind, &merged, &counts, Some(&numbers))?;
        }
        writing.remove_segments(&numbers)?;
        // The rows are gone: what stays behind is removed when the archive is opened next.
        old.iter().for_each(|segment| drop(fs::remove_file(self.layout().segment(&segment.name))));
        Ok(())
    }
}

/// Removes segment files that no row names. How many there were.
pub(crate) fn remove_unknown_segments(layout: &Layout, writing: &Writing<'_>) -> Result<usize, ArchiveError> {
    let folder = layout.segments();
    if !folder.is_dir() {
        return Ok(0);
    }
    vqtoken_files::remove_leftovers(&folder);
    let known: BTreeSet<String> = writing.segment_names()?.into_iter().collect();
    let read = |source| ArchiveError::Read { path: folder.clone(), source };
    let mut removed = 0;
    for entry in fs::read_dir(&folder).map_err(read)? {
        let entry = entry.map_err(read)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if crate::layout::is_segment_name(&name) && !known.contains(&name) {
            let path = entry.path();
            fs::remove_file(&path).map_err(|source| ArchiveError::Remove { path, source })?;
            removed += 1;
        }
    }
    Ok(removed)
}
