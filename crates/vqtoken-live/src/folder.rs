//! Windows on disk: a `.vqt` file each, and `stream.json`, which says what they belong to.
//!
//! Every file is written whole under another name first, so a process that is killed leaves at most the open window behind, which is
//! lost. A lock on the file `lock` keeps two streams out of one folder; the system lifts it when the process ends, however it ends.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use vqtoken_core::{Source, VideoTokens, Windows};
use vqtoken_files::{Limits, create_folder, quoted, remove_leftovers};

use crate::error::LiveError;
use crate::options::LiveOptions;
use crate::window::Window;

const DESCRIPTION: &str = "stream.json";
const FORMAT: u32 = 1;

/// A description longer than this is none.
const LONGEST_DESCRIPTION: u64 = 1 << 16;

/// What `stream.json` holds.
#[derive(Debug, Deserialize, Serialize)]
struct Description {
    format: u32,
    name: String,
    model: String,
    /// Seconds from 1970 to the start of the stream.
    started: f64,
}

/// A folder of windows that this process alone writes.
#[derive(Debug)]
pub(crate) struct WindowFolder {
    folder: PathBuf,
    /// Holds the lock for as long as it is open.
    _lock: File,
}

/// What was found in a folder.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) windows: Vec<Window>,
    pub(crate) started: SystemTime,
    /// The number of the next window.
    pub(crate) next: u64,
    /// Files that cannot be read, a sentence each.
    pub(crate) messages: Vec<String>,
}

impl WindowFolder {
    /// Opens or makes a folder, and reads the windows of the last seconds that are kept.
    pub(crate) fn open(
        folder: &Path,
        model: &str,
        options: &LiveOptions,
    ) -> Result<(Self, Resumed), LiveError> {
        create_folder(folder)?;
        let path = folder.join("lock");
        let unreadable = |path: &Path, source| LiveError::Unreadable { path: path.to_owned(), source };
        let lock = File::create(&path).map_err(|source| unreadable(&path, source))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LiveError::InUse { folder: folder.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(unreadable(&path, source)),
        }
        remove_leftovers(folder);
        let opened = Self { folder: folder.to_owned(), _lock: lock };
        let started = opened.started(model, options)?;
        let resumed = opened.read(started, model, options)?;
        Ok((opened, resumed))
    }

    /// Reads the description, or writes that of a new stream.
    fn started(&self, model: &str, options: &LiveOptions) -> Result<SystemTime, LiveError> {
        let path = self.folder.join(DESCRIPTION);
        let bad = |reason: String| LiveError::Description { path: path.clone(), reason };
        match fs::metadata(&path) {
            Ok(found) if found.len() > LONGEST_DESCRIPTION => {
                return Err(bad(format!("it has {} bytes", found.len())));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let started = options.started.unwrap_or_else(SystemTime::now);
                let seconds = started.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
                let description = Description {
                    format: FORMAT,
                    name: options.name.clone(),
                    model: model.to_owned(),
                    started: seconds,
                };
                let text = serde_json::to_vec_pretty(&description).map_err(|error| bad(error.to_string()))?;
                vqtoken_files::write(&path, &text)?;
                return Ok(started);
            }
            Err(source) => return Err(LiveError::Unreadable { path, source }),
        }
        let text = fs::read(&path).map_err(|source| LiveError::Unreadable { path: path.clone(), source })?;
        let found: Description = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
        if found.format != FORMAT {
            return Err(bad(format!("format {} is not known", found.format)));
        }
        if found.model != model {
            let (folder, expected) = (self.folder.clone(), model.to_owned());
            return Err(LiveError::OtherModel { folder, found: found.model, expected });
        }
        Duration::try_from_secs_f64(found.started)
            .ok()
            .and_then(|since| UNIX_EPOCH.checked_add(since))
            .ok_or_else(|| bad(format!("it began at {}", found.started)))
    }

    fn read(&self, started: SystemTime, model: &str, options: &LiveOptions) -> Result<Resumed, LiveError> {
        let mut sequences = self.sequences()?;
        sequences.sort_unstable();
        let next = sequences.last().map_or(0, |last| last + 1);
        let (mut windows, mut messages): (Vec<Window>, Vec<String>) = (Vec::new(), Vec::new());
        // From the newest on, so that no more is read than is kept.
        for sequence in sequences.into_iter().rev() {
            let path = self.path(sequence);
            let window = match read_window(&path, sequence, model, &options.limits) {
                Ok(window) => window,
                Err(reason) => {
                    messages.push(format!("{} is left out: {reason}", quoted(&path)));
                    continue;
                }
            };
            let (first, last) =
                (windows.last().map_or(f64::INFINITY, Window::start), windows.first().map(Window::end));
            if window.end() > first {
                messages.push(format!("{} is left out: its times reach into the next window", quoted(&path)));
            } else if last.is_some_and(|last| window.end() < last - options.keep) {
                self.remove_before(sequence + 1);
                break;
            } else {
                windows.push(window);
            }
        }
        windows.reverse();
        Ok(Resumed { windows, started, next, messages })
    }

    /// The numbers of all windows that lie here.
    fn sequences(&self) -> Result<Vec<u64>, LiveError> {
        let entries = fs::read_dir(&self.folder)
            .map_err(|source| LiveError::Unreadable { path: self.folder.clone(), source })?;
        let number = |entry: io::Result<fs::DirEntry>| {
            let name = entry.ok()?.file_name();
            let digits = name.to_str()?.strip_suffix(".vqt")?;
            (digits.len() == 10).then(|| digits.parse().ok())?
        };
        Ok(entries.filter_map(number).collect())
    }

    pub(crate) fn path(&self, sequence: u64) -> PathBuf {
        self.folder.join(format!("{sequence:010}.vqt"))
    }

    /// Saves a window, whole or not at all.
    pub(crate) fn save(&self, sequence: u64, tokens: &VideoTokens) -> Result<PathBuf, LiveError> {
        let path = self.path(sequence);
        tokens.save(&path)?;
        Ok(path)
    }

    /// Removes the windows before one. What cannot be removed now is at the next window.
    pub(crate) fn remove_before(&self, first: u64) {
        for sequence in self.sequences().unwrap_or_default().into_iter().filter(|&sequence| sequence < first)
        {
            let _ = fs::remove_file(self.path(sequence));
        }
    }
}

fn read_window(path: &Path, sequence: u64, model: &str, limits: &Limits) -> Result<Window, String> {
    let tokens = VideoTokens::load_within(path, limits).map_err(|error| error.to_string())?;
    if tokens.model != model {
        return Err(format!("it was made by model {}", tokens.model));
    }
    let VideoTokens { codebook, index_map, timestamps, .. } = tokens;
    if timestamps.is_empty() || !timestamps.is_sorted() {
        return Err("its times go back".into());
    }
    Ok(Window { sequence, codebook, index_map, timestamps })
}

/// A window as it is kept in a file.
pub(crate) fn window_tokens(
    window: &Window,
    model: &str,
    options: &LiveOptions,
    source: Source,
) -> VideoTokens {
    VideoTokens {
        codebook: window.codebook.clone(),
        index_map: window.index_map.clone(),
        timestamps: window.timestamps.clone(),
        model: model.to_owned(),
        source: Some(source),
        budget: options.budget,
        windows: Some(Windows { seconds: options.window, total: None }),
        quality: Default::default(),
    }
}
