//! Adding videos to an archive, so that they are found.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use vqtoken_archive::{
    Archive, ArchiveError, ContentHash, ContentHasher, NewVectors, NewVideo, Space, VideoKey, VideoRecord,
};
use vqtoken_core::{Quality, VideoTokens};
use vqtoken_model::{EncoderOptions, EncodingEvent, VisionSide};
use vqtoken_video::{OpenOptions, Sampling, Video};

use crate::error::SearchError;
use crate::facts::file_facts;
use crate::finder::Finder;

/// The sampling of tokens whose video is not at hand.
const GIVEN: &str = "given";

/// What is added.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Source<'a> {
    /// A video or a folder of pictures.
    Video(&'a Path),
    /// A `.vqt` file.
    Tokens(&'a Path),
}

/// What became of a video.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Added {
    /// The video in the archive.
    pub record: VideoRecord,
    /// Whether it was there already, with its vectors.
    pub was_there: bool,
    /// Ids under which the same file was stored before with other settings, such as another number of frames. They stay.
    pub other_settings: Vec<String>,
    /// What is odd about it.
    pub warnings: Vec<String>,
}

impl Added {
    fn was_there(record: VideoRecord) -> Self {
        Self { record, was_there: true, other_settings: Vec::new(), warnings: Vec::new() }
    }
}

/// Adds videos, one after the other. What was added is on the disk when a method returns.
#[derive(Debug)]
pub struct Adder<'a> {
    archive: &'a Archive,
    vision: &'a VisionSide,
    finder: &'a Finder,
    sampling: Sampling,
    options: EncoderOptions,
    quality: Quality,
    open: OpenOptions,
    facts: Vec<(String, String)>,
    shared_layers: Option<usize>,
    space: Space,
    /// Ids of stored videos that have no vectors.
    without: BTreeSet<String>,
    /// Ids of videos that were stored before, by their files.
    stored: HashMap<ContentHash, Vec<String>>,
}

impl<'a> Adder<'a> {
    /// An adder that encodes with a vision side and makes vectors with a finder.
    ///
    /// # Errors
    /// If the archive cannot be read.
    pub fn new(
        archive: &'a Archive,
        vision: &'a VisionSide,
        finder: &'a Finder,
        sampling: Sampling,
        options: EncoderOptions,
    ) -> Result<Self, SearchError> {
        let space = finder.space();
        let without = archive.without_vectors(&space)?.into_iter().map(|record| record.id).collect();
        let mut stored: HashMap<ContentHash, Vec<String>> = HashMap::new();
        for record in archive.all()? {
            stored.entry(record.key.content).or_default().push(record.id);
        }
        let (quality, open, facts) = (Quality::default(), OpenOptions::default(), Vec::new());
        Ok(Self {
            archive,
            vision,
            finder,
            sampling,
            options,
            quality,
            open,
            facts,
            shared_layers: None,
            space,
            without,
            stored,
        })
    }

    /// The same with another precision of the stored codes.
    #[must_use]
    pub fn with_quality(self, quality: Quality) -> Self {
        Self { quality, ..self }
    }

    /// The same with other ways to open videos.
    #[must_use]
    pub fn with_open_options(self, open: OpenOptions) -> Self {
        Self { open, ..self }
    }

    /// The same with facts that every added video gets beside its own.
    #[must_use]
    pub fn with_facts(self, facts: Vec<(String, String)>) -> Self {
        Self { facts, ..self }
    }

    /// The same for a finder that reads frames and whose tower's first `layers` layers are the whole tower of the vision side, as
    /// [`SiglipCheckpoint::layers_shared_with`](vqtoken_model::checkpoint::SiglipCheckpoint::layers_shared_with) finds: these are computed once.
    #[must_use]
    pub fn with_shared_layers(self, layers: impl Into<Option<usize>>) -> Self {
        Self { shared_layers: layers.into(), ..self }
    }

    /// The layers that are computed once. Layers of another precision compute other values, and a frame that nearly repeats another has no
    /// states of its own.
    fn shared_layers(&self) -> Option<usize> {
        match self.finder {
            Finder::Pictures(retriever)
                if retriever.precision() == self.vision.precision() && self.options.near_repeats == 0.0 =>
            {
                self.shared_layers
            }
            _ => None,
        }
    }

    /// Adds a video, unless it is there. `observe` is told of each step of the encoding.
    ///
    /// # Errors
    /// If it cannot be read or encoded, or the archive cannot take it. Then nothing of it is stored, but for tokens whose vectors could not be made: adding it
    /// again makes these alone.
    pub fn add(
        &mut self,
        source: Source<'_>,
        observe: &mut dyn FnMut(&EncodingEvent<'_>),
    ) -> Result<Added, SearchError> {
        match source {
            Source::Video(path) => self.add_video(path, observe),
            Source::Tokens(path) => self.add_tokens(path),
        }
    }

    fn add_video(
        &mut self,
        path: &Path,
        observe: &mut dyn FnMut(&EncodingEvent<'_>),
    ) -> Result<Added, SearchError> {
        let budget = self.options.budget.to_string();
        let key = VideoKey::new(content_of(path)?, self.vision.id(), self.sampling_text());
        let found = self.archive.find(&key.content, &key.model, &key.sampling)?;
        if let Some(record) = found.filter(|record| record.set(&budget).is_some()) {
            if !self.without.contains(&record.id) {
                return Ok(Added::was_there(record));
            }
            if let Finder::Tokens(_) = self.finder {
                let tokens = self.archive.tokens(&record.id, &budget)?;
                let vectors = self.finder.vectors_of_tokens(&record.name, &tokens)?;
                self.put(&record.id, vectors)?;
                return Ok(self.added(record, Vec::new()));
            }
        }
        let video = Video::open_with(path, &self.open)?;
        let facts = file_facts(path, video.info());
        let shared_layers = self.shared_layers();
        let mut watcher = self.finder.watcher(shared_layers)?;
        let options = match shared_layers {
            Some(_) => self.options.with_tower_states(),
            None => self.options,
        };
        let mut failed = None;
        let encoded = self.vision.encode_video(&video, self.sampling, options, &mut |event| {
            if let (Some(watcher), None) = (&mut watcher, &failed) {
                failed = watcher.observe(&event).err();
            }
            observe(&event);
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        let warnings = encoded.messages();
        let tokens = VideoTokens { quality: self.quality, ..encoded.tokens };
        let name = name_of(path);
        let vectors = match watcher {
            Some(watcher) => watcher.finish(&tokens)?,
            None => self.finder.vectors_of_tokens(&name, &tokens)?,
        };
        let new = NewVideo::new(key, name, budget, tokens).with_warnings(warnings.clone());
        self.store(new, facts, vectors, warnings)
    }

    fn add_tokens(&mut self, path: &Path) -> Result<Added, SearchError> {
        let tokens = VideoTokens::load_within(path, &self.archive.options().limits)?;
        let budget = tokens.budget.to_string();
        let key = VideoKey::new(content_of(path)?, tokens.model.clone(), GIVEN);
        if let Some(record) = self.archive.find(&key.content, &key.model, &key.sampling)?
            && !self.without.contains(&record.id)
        {
            return Ok(Added::was_there(record));
        }
        let name = name_of(path);
        let vectors = self.finder.vectors_of_tokens(&name, &tokens)?;
        self.store(NewVideo::new(key, name, budget, tokens), Vec::new(), vectors, Vec::new())
    }

    /// Adds tokens that come from elsewhere under a name, such as the windows of a stream.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_given(&mut self, name: &str, bytes: &[u8], tokens: VideoTokens) -> Result<Added, SearchError> {
        let key = VideoKey::new(ContentHash::of_bytes(bytes), tokens.model.clone(), GIVEN);
        if let Some(record) = self.archive.find(&key.content, &key.model, &key.sampling)?
            && !self.without.contains(&record.id)
        {
            return Ok(Added::was_there(record));
        }
        let vectors = self.finder.vectors_of_tokens(name, &tokens)?;
        let budget = tokens.budget.to_string();
        self.store(NewVideo::new(key, name, budget, tokens), Vec::new(), vectors, Vec::new())
    }

    fn store(
        &mut self,
        new: NewVideo,
        mut facts: Vec<(String, String)>,
        vectors: NewVectors,
        warnings: Vec<String>,
    ) -> Result<Added, SearchError> {
        let record = self.archive.insert(new)?;
        facts.extend(self.facts.iter().cloned());
        if !facts.is_empty() {
            self.archive.set_facts(&record.id, &facts)?;
        }
        self.put(&record.id, vectors)?;
        Ok(self.added(record, warnings))
    }

    fn added(&self, record: VideoRecord, warnings: Vec<String>) -> Added {
        let same_file = self.stored.get(&record.key.content).into_iter().flatten();
        let other_settings = same_file.filter(|id| **id != record.id).cloned().collect();
        Added { record, was_there: false, other_settings, warnings }
    }

    fn put(&mut self, id: &str, vectors: NewVectors) -> Result<(), SearchError> {
        self.archive.put_vectors(&self.space, &[(id.to_owned(), vectors)])?;
        self.without.remove(id);
        Ok(())
    }

    /// The part of a key that says which frames are looked at, and how.
    fn sampling_text(&self) -> String {
        let frames = match self.sampling {
            Sampling::Uniform(frames) => format!("frames={frames}"),
            Sampling::Fps(rate) => format!("fps={rate}"),
            Sampling::All => "all".to_owned(),
        };
        let EncoderOptions { windows, near_repeats, seed, .. } = &self.options;
        let windows = windows.as_ref().map(|windows| format!(" window={windows:?}")).unwrap_or_default();
        let repeats =
            if *near_repeats > 0.0 { format!(" near_repeats={near_repeats}") } else { String::new() };
        let seed = if *seed > 0 { format!(" seed={seed}") } else { String::new() };
        format!("{frames}{windows}{repeats}{seed}")
    }
}

/// Makes vectors of the stored videos that have none in the finder's space, from their tokens, and returns how many there were. A finder that needs frames makes none,
/// and tokens of another model are left out.
///
/// # Errors
/// If the archive cannot be read or written.
pub fn index_missing(archive: &Archive, finder: &Finder) -> Result<usize, SearchError> {
    let space = finder.space();
    let mut count = 0;
    for record in
        archive.without_vectors(&space)?.iter().filter(|record| finder.reads_tokens_of(&record.key.model))
    {
        let tokens = match archive.tokens(&record.id, &record.budget) {
            Ok(tokens) => tokens,
            // It was removed in between.
            Err(ArchiveError::NotFound { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let vectors = finder.vectors_of_tokens(&record.name, &tokens)?;
        match archive.put_vectors(&space, &[(record.id.clone(), vectors)]) {
            Ok(()) => count += 1,
            Err(ArchiveError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(count)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The hash of a file, or of the names and bytes of a folder's files in the order of the names.
fn content_of(path: &Path) -> Result<ContentHash, ArchiveError> {
    if !path.is_dir() {
        return ContentHash::of_file(path);
    }
    let read = |source| ArchiveError::Read { path: path.to_owned(), source };
    let entries =
        fs::read_dir(path).and_then(|entries| entries.collect::<Result<Vec<_>, _>>()).map_err(read)?;
    let mut files: Vec<_> = entries.iter().map(fs::DirEntry::path).filter(|path| path.is_file()).collect();
    files.sort();
    let mut hasher = ContentHasher::new();
    for file in files {
        hasher.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        hasher.update(&[0]);
        hasher.update(ContentHash::of_file(&file)?.as_bytes());
    }
    Ok(hasher.finish())
}
