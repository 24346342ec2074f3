//! The videos of an archive that show the same: cut, shifted, re-encoded, cropped, mirrored, speeded up, or one inside another.

use std::collections::BTreeMap;

use vqtoken_archive::{Archive, ArchiveError, VideoRecord};
use vqtoken_similarity::{
    Alignment, ArchiveMean, Comparison, DuplicateOptions, Duplicates, Signature, SimilarityError, duplicates,
};

use crate::error::SearchError;

/// Videos whose codes make the mean that all are compared relative to.
const VIDEOS_OF_MEAN: usize = 256;

/// Two videos that show the same.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Repeat {
    /// The one that was stored first.
    pub a: VideoRecord,
    /// The other.
    pub b: VideoRecord,
    /// Where they do, and how sure that is.
    pub alignment: Alignment,
}

/// All pairs of videos that show the same, at least as surely as `threshold` in `[0, 1]`. Videos of different models are not compared. `progress` is called
/// with what is done and what there is to do; `cancelled` is asked between videos. What could not be read is named beside the pairs.
///
/// # Errors
/// If the threshold is out of range, the catalogue cannot be read, or it was cancelled.
pub fn repeats(
    archive: &Archive,
    threshold: f32,
    progress: &mut dyn FnMut(usize, usize),
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<(Vec<Repeat>, Vec<String>), SearchError> {
    let mut models: BTreeMap<String, Vec<VideoRecord>> = BTreeMap::new();
    for record in archive.all()? {
        models.entry(record.key.model.clone()).or_default().push(record);
    }
    let (mut pairs, mut notes) = (Vec::new(), Vec::new());
    for records in models.into_values() {
        of_one_model(archive, records, threshold, progress, cancelled, &mut pairs, &mut notes)?;
    }
    Ok((pairs, notes))
}

fn of_one_model(
    archive: &Archive,
    records: Vec<VideoRecord>,
    threshold: f32,
    progress: &mut dyn FnMut(usize, usize),
    cancelled: &(dyn Fn() -> bool + Sync),
    pairs: &mut Vec<Repeat>,
    notes: &mut Vec<String>,
) -> Result<(), SearchError> {
    let load = |record: &VideoRecord| archive.tokens(&record.id, &record.budget);
    // Spread over the archive, so that the mean is not that of one evening.
    let step = records.len().div_ceil(VIDEOS_OF_MEAN).max(1);
    let some: Vec<_> = records.iter().step_by(step).filter_map(|record| load(record).ok()).collect();
    if some.is_empty() {
        notes.extend(records.iter().filter_map(|record| load(record).err()).map(|error| error.to_string()));
        return Ok(());
    }
    let comparison = Comparison::with_mean(ArchiveMean::of(&some)?);
    drop(some);
    let (mut kept, mut signatures): (Vec<VideoRecord>, Vec<Signature>) = (Vec::new(), Vec::new());
    for record in records {
        if cancelled() {
            return Err(SimilarityError::Cancelled.into());
        }
        let signature = match load(&record) {
            Ok(tokens) => comparison.signature(&tokens).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match signature {
            Ok(signature) => {
                kept.push(record);
                signatures.push(signature);
            }
            Err(message) => notes.push(format!("{}: {message}", record.name)),
        }
    }
    let load = |index: usize| load(&kept[index]);
    let options = DuplicateOptions::new(threshold);
    let found: Duplicates<ArchiveError> =
        duplicates(&comparison, &signatures, load, options, progress, cancelled)?;
    notes.extend(found.failed.into_iter().map(|(index, error)| format!("{}: {error}", kept[index].name)));
    pairs.extend(found.pairs.into_iter().map(|pair| Repeat {
        a: kept[pair.a].clone(),
        b: kept[pair.b].clone(),
        alignment: pair.alignment,
    }));
    Ok(())
}
