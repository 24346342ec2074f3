//! The archive: the catalogue and the files beside it, changed together.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use vqtoken_core::{VideoTokens, VqtError};
use vqtoken_files::{Limits, create_folder};

use crate::catalogue::{Catalogue, Writing};
use crate::content::ContentHash;
use crate::error::ArchiveError;
use crate::frames::{self, FramesError};
use crate::key::VideoKey;
use crate::layout::{Layout, check_budget, tokens_name};
use crate::lock::{Lock, lock};
use crate::recency::{Recency, microseconds};
use crate::record::{FINE, NewVideo, Page, TokenSet, VideoRecord, check_tokens};
use crate::recovery::{Recovery, recover};
use crate::vectors::{DamagedPart, Indices};

/// The most videos of one page.
const LONGEST_PAGE: usize = 1000;

/// What an archive may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchiveOptions {
    /// Bytes of all files together, without the catalogue's own overhead. Default 10 GB.
    pub most_bytes: u64,
    /// What a `.vqt` file of the archive may ask for when it is read.
    pub limits: Limits,
}

impl Default for ArchiveOptions {
    fn default() -> Self {
        Self { most_bytes: 10_000_000_000, limits: Limits::default() }
    }
}

impl ArchiveOptions {
    /// The same with another size.
    #[must_use]
    pub fn with_most_bytes(self, most_bytes: u64) -> Self {
        Self { most_bytes, ..self }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }
}

/// Videos as tokens in a folder. All methods can be called from any thread; they block on the disk.
///
/// What a method has done when it returns is on the disk, also after a power cut. A process that is killed in the middle leaves what was there before, and nothing half.
#[derive(Debug)]
pub struct Archive {
    layout: Layout,
    options: ArchiveOptions,
    catalogue: Catalogue,
    recency: Recency,
    recovery: Recovery,
    indices: Indices,
    /// Held until the archive is dropped; none where it is only read.
    lock: Option<Lock>,
}

impl Archive {
    /// Opens the archive in a folder, which is made if it is not there. What a killed process left is tidied up ([`Archive::recovery`]).
    ///
    /// # Errors
    /// If another process (or this one) has the archive open, the catalogue is damaged, of a newer version or another program's, or the system refuses.
    pub fn open(folder: impl AsRef<Path>, options: ArchiveOptions) -> Result<Self, ArchiveError> {
        let layout = Layout::new(folder.as_ref());
        create_folder(&layout.videos())?;
        let lock = lock(&layout)?;
        let catalogue = Catalogue::open(&layout)?;
        let recovery = recover(&layout, &options.limits, &mut catalogue.write())?;
        let recency = Recency::new(catalogue.last_use()?);
        let indices = Indices::default();
        let archive = Self { layout, options, catalogue, recency, recovery, indices, lock: Some(lock) };
        // The size may have been larger when it was last open.
        archive.make_room(&mut archive.catalogue.write(), 0, "")?;
        Ok(archive)
    }

    /// Opens an archive to read and search it, also while another process writes to it. What changes there is seen at the next call.
    ///
    /// # Errors
    /// If there is no archive, its catalogue is damaged, of another version or another program's, or the system refuses. Methods that change
    /// something give [`ArchiveError::ReadOnly`].
    pub fn open_to_read(folder: impl AsRef<Path>, options: ArchiveOptions) -> Result<Self, ArchiveError> {
        let layout = Layout::new(folder.as_ref());
        let catalogue = Catalogue::open_to_read(&layout)?;
        let recency = Recency::new(0);
        let (recovery, indices) = (Recovery::default(), Indices::default());
        Ok(Self { layout, options, catalogue, recency, recovery, indices, lock: None })
    }

    /// What it may take, and what its files may ask for.
    pub fn options(&self) -> &ArchiveOptions {
        &self.options
    }

    /// The right to change something.
    pub(crate) fn writing(&self) -> Result<Writing<'_>, ArchiveError> {
        match self.lock {
            Some(_) => Ok(self.catalogue.write()),
            None => Err(ArchiveError::ReadOnly { folder: self.folder().to_owned() }),
        }
    }

    pub(crate) fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn indices(&self) -> &Indices {
        &self.indices
    }

    /// All videos, oldest first.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn all(&self) -> Result<Vec<VideoRecord>, ArchiveError> {
        self.catalogue.all()
    }

    /// What else is known of a video, such as where it lies and when it was recorded: names and values, in the order of the names.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn facts(&self, id: &str) -> Result<Vec<(String, String)>, ArchiveError> {
        self.catalogue.facts(id)
    }

    /// Sets facts of a video. Those of other names stay.
    ///
    /// # Errors
    /// [`ArchiveError::NotFound`], or if the disk is full or refuses.
    pub fn set_facts(&self, id: &str, facts: &[(String, String)]) -> Result<(), ArchiveError> {
        self.writing()?.set_facts(id, facts)
    }

    /// What is wrong with the files of a video.
    pub(crate) fn damage_of(&self, record: &VideoRecord) -> Vec<DamagedPart> {
        let videos = || vec![record.id.clone()];
        let mut damaged = Vec::new();
        for set in &record.sets {
            let path = self.layout.tokens(&record.id, &set.budget);
            let read = VideoTokens::load_within(&path, &self.options.limits);
            let checked = read.map_err(|error| error.to_string()).and_then(|tokens| {
                check_tokens(&tokens, &record.key.model, record.grid).map_err(|error| error.to_string())
            });
            damaged.extend(checked.err().map(|message| DamagedPart {
                path,
                message,
                is_other_version: false,
                videos: videos(),
            }));
        }
        let path = self.layout.frames(&record.id);
        let is_whole = |index: usize| matches!(frames::read(&path, index), Ok(Some(_)));
        if !(0..record.frames_stored).all(is_whole) {
            let error = ArchiveError::DamagedFrames { path: path.clone(), id: record.id.clone() };
            damaged.push(DamagedPart::new(path, &error, videos()));
        }
        damaged
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.layout.folder()
    }

    /// What opening the archive found and tidied up.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// How many videos there are.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn count(&self) -> Result<u64, ArchiveError> {
        Ok(self.catalogue.totals()?.0)
    }

    /// The bytes that all videos take.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn bytes(&self) -> Result<u64, ArchiveError> {
        Ok(self.catalogue.totals()?.1)
    }

    /// The video of this content that this model saw with this sampling, if it is stored.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub fn find(
        &self,
        content: &ContentHash,
        model: &str,
        sampling: &str,
    ) -> Result<Option<VideoRecord>, ArchiveError> {
        let key = VideoKey::new(*content, model, sampling);
        Ok(self.catalogue.get(&key.id())?.filter(|found| found.key == key))
    }

    /// The video of an id.
    ///
    /// # Errors
    /// [`ArchiveError::NotFound`], or if the catalogue cannot be read.
    pub fn get(&self, id: &str) -> Result<VideoRecord, ArchiveError> {
        self.catalogue.get(id)?.ok_or_else(|| not_found(id))
    }

    /// At most `limit` videos (1 to 1000), newest first; with `after` those that were stored before that one.
    ///
    /// # Errors
    /// [`ArchiveError::NotFound`] if there is no video `after`, or if the catalogue cannot be read.
    pub fn list(&self, limit: usize, after: Option<&str>) -> Result<Page, ArchiveError> {
        let page = self.catalogue.page(limit.clamp(1, LONGEST_PAGE), after)?;
        page.ok_or_else(|| not_found(after.unwrap_or_default()))
    }

    /// Stores a video. If it is there already, its new token sets and frames are added or replace those of the same budget; name and warnings stay.
    ///
    /// Videos that were not used for longest make room.
    ///
    /// # Errors
    /// If its parts do not belong together, it is larger than the whole archive may be, or the disk is full or refuses. Then nothing is stored.
    pub fn insert(&self, video: NewVideo) -> Result<VideoRecord, ArchiveError> {
        video.check()?;
        let main = (video.budget.as_str(), video.tokens.to_bytes()?, video.tokens.codebook.codes());
        let mut sets = vec![main];
        if let Some(fine) = &video.fine {
            sets.push((FINE, fine.to_bytes()?, fine.codebook.codes()));
        }
        let id = video.key.id();
        let mut writing = self.writing()?;
        let before = writing.get(&id)?;
        let now = self.recency.now();
        let mut record = before.clone().unwrap_or_else(|| VideoRecord {
            id: id.clone(),
            key: video.key.clone(),
            name: video.name.clone(),
            created: microseconds(),
            used: now,
            source: video.tokens.source.clone(),
            grid: video.tokens.index_map.shape(),
            budget: video.budget.clone(),
            sets: vec![],
            frames_stored: 0,
            warnings: video.warnings.clone(),
            bytes: 0,
        });
        record.used = now;
        let own_bytes = match video.jpegs.is_empty() {
            true => before.as_ref().map_or_else(|| record.text_bytes(), own_bytes),
            false => record.text_bytes() + frames::size(&video.jpegs),
        };
        if !video.jpegs.is_empty() {
            record.frames_stored = video.jpegs.len();
        }
        self.store(&mut writing, before.as_ref(), record, own_bytes, &sets, &video.jpegs)
    }

    /// Stores tokens of another budget for a video, in place of those of the same budget.
    ///
    /// # Errors
    /// If there is no such video, the tokens are of another model or grid, the video becomes larger than the whole archive may be, or the disk is
    /// full or refuses.
    pub fn add_tokens(
        &self,
        id: &str,
        budget: &str,
        tokens: &VideoTokens,
    ) -> Result<VideoRecord, ArchiveError> {
        check_budget(budget)?;
        let set = (budget, tokens.to_bytes()?, tokens.codebook.codes());
        let mut writing = self.writing()?;
        let before = writing.get(id)?.ok_or_else(|| not_found(id))?;
        check_tokens(tokens, &before.key.model, before.grid)?;
        let record = VideoRecord { used: self.recency.now(), ..before.clone() };
        let own_bytes = own_bytes(&record);
        self.store(&mut writing, Some(&before), record, own_bytes, &[set], &[])
    }

    /// Writes files, then the row that names them.
    fn store(
        &self,
        writing: &mut Writing<'_>,
        before: Option<&VideoRecord>,
        mut record: VideoRecord,
        own_bytes: u64,
        sets: &[(&str, Vec<u8>, usize)],
        jpegs: &[Vec<u8>],
    ) -> Result<VideoRecord, ArchiveError> {
        for (budget, bytes, codes) in sets {
            record.sets.retain(|set| set.budget != *budget);
            let (budget, codes, bytes) = ((*budget).to_owned(), *codes, bytes.len() as u64);
            record.sets.push(TokenSet { budget, codes, bytes });
        }
        record.sets.sort_by(|a, b| a.budget.cmp(&b.budget));
        record.bytes = record.sets.iter().map(|set| set.bytes).fold(own_bytes, u64::saturating_add);
        let most = self.options.most_bytes;
        if record.bytes > most {
            return Err(ArchiveError::TooLarge { bytes: record.bytes, most });
        }
        self.make_room(writing, record.bytes, &record.id)?;
        let mut write = || {
            create_folder(&self.layout.video(&record.id))?;
            for (budget, bytes, _) in sets {
                vqtoken_files::write(self.layout.tokens(&record.id, budget), bytes)?;
            }
            if !jpegs.is_empty() {
                frames::write(&self.layout.frames(&record.id), jpegs)?;
            }
            writing.put(&record, own_bytes)
        };
        match write() {
            Ok(()) => Ok(record),
            Err(error) => {
                self.undo(before, &record.id, sets);
                Err(error)
            }
        }
    }

    /// Removes what a failed [`Archive::store`] wrote and no row names. What cannot be removed now, is when the archive is opened next.
    fn undo(&self, before: Option<&VideoRecord>, id: &str, sets: &[(&str, Vec<u8>, usize)]) {
        let Some(before) = before else {
            let _ = fs::remove_dir_all(self.layout.video(id));
            return;
        };
        for (budget, _, _) in sets.iter().filter(|(budget, _, _)| before.set(budget).is_none()) {
            let _ = fs::remove_file(self.layout.tokens(id, budget));
        }
        if before.frames_stored == 0 {
            let _ = fs::remove_file(self.layout.frames(id));
        }
    }

    /// Evicts videos until there is room for `bytes` of video `kept`.
    fn make_room(&self, writing: &mut Writing<'_>, bytes: u64, kept: &str) -> Result<(), ArchiveError> {
        writing.used(&self.recency.take())?;
        let room = self.options.most_bytes.saturating_sub(bytes);
        let evicted = writing.least_recently_used(room, kept)?;
        self.remove_all(writing, &evicted)
    }

    /// Removes a video and all its files.
    ///
    /// # Errors
    /// [`ArchiveError::NotFound`], or if the disk refuses.
    pub fn remove(&self, id: &str) -> Result<(), ArchiveError> {
        let mut writing = self.writing()?;
        let found = writing.get(id)?.ok_or_else(|| not_found(id))?;
        self.remove_all(&mut writing, &[found.id])
    }

    /// The rows first: a killed process leaves files without rows, which nobody is served.
    fn remove_all(&self, writing: &mut Writing<'_>, ids: &[String]) -> Result<(), ArchiveError> {
        if ids.is_empty() {
            return Ok(());
        }
        writing.remove(ids)?;
        for id in ids {
            let path = self.layout.video(id);
            match fs::remove_dir_all(&path) {
                Err(source) if source.kind() != ErrorKind::NotFound => {
                    return Err(ArchiveError::Remove { path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The tokens of a video under a budget, and notes that it was used.
    ///
    /// # Errors
    /// [`ArchiveError::NotFound`], [`ArchiveError::NoTokens`], or if the file is damaged, is gone, or cannot be read.
    pub fn tokens(&self, id: &str, budget: &str) -> Result<VideoTokens, ArchiveError> {
        let record = self.get(id)?;
        if record.set(budget).is_none() {
            return Err(no_tokens(&record, budget));
        }
        let path = self.layout.tokens(id, budget);
        match VideoTokens::load_within(&path, &self.options.limits) {
            Ok(tokens) => {
                check_tokens(&tokens, &record.key.model, record.grid)?;
                self.touch(id);
                Ok(tokens)
            }
            Err(VqtError::Read { cause, .. }) => Err(self.unreadable(id, &path, cause)),
            Err(source) => Err(ArchiveError::DamagedTokens { id: id.to_owned(), source }),
        }
    }

    /// The tokens of many codes, [`FINE`].
    ///
    /// # Errors
    /// As [`Archive::tokens`].
    pub fn fine(&self, id: &str) -> Result<VideoTokens, ArchiveError> {
        self.tokens(id, FINE)
    }

    /// The JPEG of a sampled frame, counted from 0.
    ///
    /// # Errors
    /// [`ArchiveError::NotFound`], [`ArchiveError::NoFrame`], or if the file is damaged, is gone, or cannot be read.
    pub fn frame(&self, id: &str, index: usize) -> Result<Vec<u8>, ArchiveError> {
        let record = self.get(id)?;
        let none =
            || ArchiveError::NoFrame { id: record.id.clone(), frame: index, stored: record.frames_stored };
        if index >= record.frames_stored {
            return Err(none());
        }
        let path = self.layout.frames(id);
        match frames::read(&path, index) {
            Ok(jpeg) => jpeg.ok_or_else(none),
            Err(FramesError::Io(source)) => Err(self.unreadable(id, &path, source)),
            Err(FramesError::Damaged) => Err(ArchiveError::DamagedFrames { path, id: id.to_owned() }),
        }
    }

    /// A file that was there when the catalogue was asked may have been evicted since.
    fn unreadable(&self, id: &str, path: &Path, source: io::Error) -> ArchiveError {
        let (path, id) = (path.to_owned(), id.to_owned());
        if source.kind() != ErrorKind::NotFound {
            return ArchiveError::Read { path, source };
        }
        match self.catalogue.get(&id) {
            Ok(Some(_)) => ArchiveError::Missing { path, id },
            Ok(None) => ArchiveError::NotFound { id },
            Err(error) => error,
        }
    }

    /// Notes that a video was used, so that others are evicted before it. It costs no write: uses reach the disk with the next
    /// change, after a minute, or when the archive is closed.
    pub fn touch(&self, id: &str) {
        if self.lock.is_some()
            && self.recency.note(id)
            && let Some(mut writing) = self.catalogue.try_write()
        {
            // Uses are worth no error: the next change will show it.
            let _ = writing.used(&self.recency.take());
        }
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        if self.lock.is_some() {
            let _ = self.catalogue.write().used(&self.recency.take());
        }
    }
}

fn not_found(id: &str) -> ArchiveError {
    ArchiveError::NotFound { id: id.to_owned() }
}

fn no_tokens(record: &VideoRecord, budget: &str) -> ArchiveError {
    let stored = record.sets.iter().map(|set| set.budget.clone()).collect();
    ArchiveError::NoTokens { id: record.id.clone(), budget: budget.to_owned(), stored }
}

/// What a video takes beside its token sets.
pub(crate) fn own_bytes(record: &VideoRecord) -> u64 {
    record.sets.iter().fold(record.bytes, |bytes, set| bytes.saturating_sub(set.bytes))
}

pub(crate) fn file_length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |about| about.len())
}

/// The names of the files that a record speaks of.
pub(crate) fn file_names(record: &VideoRecord) -> Vec<String> {
    let mut names: Vec<String> = record.sets.iter().map(|set| tokens_name(&set.budget)).collect();
    if record.frames_stored > 0 {
        names.push(crate::layout::FRAMES.to_owned());
    }
    names
}
