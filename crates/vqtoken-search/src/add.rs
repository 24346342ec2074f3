//! Adding videos to an archive, so that they are found.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

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

impl<'a> Source<'a> {
    /// Where it lies.
    pub fn path(self) -> &'a Path {
        match self {
            Self::Video(path) | Self::Tokens(path) => path,
        }
    }
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

/// A video whose tokens are there, and which still has to be stored.
enum Encoded {
    /// It is in the archive, with its vectors.
    Stored(VideoRecord),
    /// It is in the archive, and its vectors are missing.
    WithoutVectors(VideoRecord),
    /// It is new, with facts of its file, and with vectors where they were made of its frames.
    New(Box<NewVideo>, Vec<(String, String)>, Option<NewVectors>),
}

/// Which stored videos have vectors, by their ids.
#[derive(Debug, Default)]
struct Vectors {
    /// Those that have none.
    missing: BTreeSet<String>,
    /// Those that this adder has given some.
    added: BTreeSet<String>,
}

/// Adds videos to an archive. What was added is on the disk when a method returns.
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
    vectors: Mutex<Vectors>,
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
        let missing = archive.without_vectors(&space)?.into_iter().map(|record| record.id).collect();
        let vectors = Mutex::new(Vectors { missing, ..Vectors::default() });
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
            vectors,
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
        &self,
        source: Source<'_>,
        observe: &mut dyn FnMut(&EncodingEvent<'_>),
    ) -> Result<Added, SearchError> {
        self.store(self.encode(source, observe)?)
    }

    /// Adds videos one after the other, as [`Self::add`] does, and stores each while the next one is encoded. `visit` is told what became
    /// of each, in order, on another thread.
    pub fn add_all<'s>(
        &self,
        sources: impl IntoIterator<Item = Source<'s>>,
        mut visit: impl FnMut(Source<'s>, Result<Added, SearchError>) + Send,
    ) {
        thread::scope(|scope| {
            let (sender, encoded) = sync_channel(1);
            scope.spawn(move || {
                for (source, encoded) in encoded {
                    visit(source, Result::and_then(encoded, |encoded| self.store(encoded)));
                }
            });
            for source in sources {
                // It fails only after a panic of the other thread, which the scope hands on.
                if sender.send((source, self.encode(source, &mut |_| {}))).is_err() {
                    break;
                }
            }
        });
    }

    /// Adds tokens that come from elsewhere under a name, such as the windows of a stream.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_given(&self, name: &str, bytes: &[u8], tokens: VideoTokens) -> Result<Added, SearchError> {
        self.store(self.given(name.to_owned(), ContentHash::of_bytes(bytes), tokens)?)
    }

    fn encode(
        &self,
        source: Source<'_>,
        observe: &mut dyn FnMut(&EncodingEvent<'_>),
    ) -> Result<Encoded, SearchError> {
        match source {
            Source::Video(path) => self.encode_video(path, observe),
            Source::Tokens(path) => {
                let tokens = VideoTokens::load_within(path, &self.archive.options().limits)?;
                self.given(name_of(path), content_of(path)?, tokens)
            }
        }
    }

    fn encode_video(
        &self,
        path: &Path,
        observe: &mut dyn FnMut(&EncodingEvent<'_>),
    ) -> Result<Encoded, SearchError> {
        let budget = self.options.budget.to_string();
        let key = VideoKey::new(content_of(path)?, self.vision.id(), self.sampling_text());
        let found = self.archive.find(&key.content, &key.model, &key.sampling)?;
        if let Some(record) = found.filter(|record| record.set(&budget).is_some()) {
            if !self.vectors().missing.contains(&record.id) {
                return Ok(Encoded::Stored(record));
            }
            if let Finder::Tokens(_) = self.finder {
                return Ok(Encoded::WithoutVectors(record));
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
        let vectors = watcher.map(|watcher| watcher.finish(&tokens)).transpose()?;
        let video = NewVideo::new(key, name_of(path), budget, tokens).with_warnings(warnings);
        Ok(Encoded::New(Box::new(video), facts, vectors))
    }

    fn given(&self, name: String, content: ContentHash, tokens: VideoTokens) -> Result<Encoded, SearchError> {
        let key = VideoKey::new(content, tokens.model.clone(), GIVEN);
        if let Some(record) = self.archive.find(&key.content, &key.model, &key.sampling)?
            && !self.vectors().missing.contains(&record.id)
        {
            return Ok(Encoded::Stored(record));
        }
        let budget = tokens.budget.to_string();
        let video = NewVideo::new(key, name, budget, tokens);
        Ok(Encoded::New(Box::new(video), Vec::new(), None))
    }

    fn store(&self, encoded: Encoded) -> Result<Added, SearchError> {
        let (video, mut facts, vectors) = match encoded {
            Encoded::Stored(record) => return Ok(Added::was_there(record)),
            Encoded::WithoutVectors(record) => {
                let tokens = self.archive.tokens(&record.id, &record.budget)?;
                let vectors = self.finder.vectors_of_tokens(&record.name, &tokens)?;
                self.put(&record.id, vectors)?;
                return Ok(self.added(record, Vec::new()));
            }
            Encoded::New(video, facts, vectors) => (video, facts, vectors),
        };
        // The same file, given twice, was stored while it was encoded again.
        if self.vectors().added.contains(&video.key.id())
            && let Some(record) =
                self.archive.find(&video.key.content, &video.key.model, &video.key.sampling)?
        {
            return Ok(Added::was_there(record));
        }
        let vectors = match vectors {
            Some(vectors) => vectors,
            None => self.finder.vectors_of_tokens(&video.name, &video.tokens)?,
        };
        let warnings = video.warnings.clone();
        let record = self.archive.insert(*video)?;
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

    fn put(&self, id: &str, vectors: NewVectors) -> Result<(), SearchError> {
        self.archive.put_vectors(&self.space, &[(id.to_owned(), vectors)])?;
        let mut vectors = self.vectors();
        vectors.missing.remove(id);
        vectors.added.insert(id.to_owned());
        Ok(())
    }

    fn vectors(&self) -> MutexGuard<'_, Vectors> {
        self.vectors.lock().unwrap_or_else(PoisonError::into_inner)
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
