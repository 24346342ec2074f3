//! What can go wrong with an archive.

use std::io;
use std::path::PathBuf;

use vqtoken_core::{GridShape, VqtError, VqtFormatError};
use vqtoken_files::{WriteError, quoted};

/// Why an archive could not be opened, or did not do what was asked. Every message is one line: what, where, remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// A file or folder could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A file or folder could not be read.
    #[error("{}: cannot be read: {source}: check the disk and the permissions", quoted(path))]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file or folder could not be removed.
    #[error("{}: cannot be removed: {source}: check the permissions", quoted(path))]
    Remove {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process writes to the archive.
    #[error(
        "{}: another process{} uses this archive: stop it, or choose another folder",
        quoted(folder), process.map(|id| format!(" ({id})")).unwrap_or_default()
    )]
    Locked {
        /// The archive.
        folder: PathBuf,
        /// The number of the process, if it could be read.
        process: Option<u32>,
    },
    /// The catalogue is damaged.
    #[error(
        "{}: the catalogue is damaged ({reason}): move it away together with its -wal and -shm files, or restore it from a copy; without it the stored videos are encoded again when they come again",
        quoted(path)
    )]
    DamagedCatalogue {
        /// The catalogue.
        path: PathBuf,
        /// What gave it away.
        reason: String,
    },
    /// SQLite could not do what was asked, for instance because the disk is full.
    #[error(
        "{}: the catalogue cannot be used: {source}: make room, and check the disk and the permissions",
        quoted(path)
    )]
    Catalogue {
        /// The catalogue.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The catalogue is one of a newer program.
    #[error(
        "{}: version {version} of the catalogue is newer than this program reads ({known}): update vqtoken, or choose another folder",
        quoted(path)
    )]
    NewerCatalogue {
        /// The catalogue.
        path: PathBuf,
        /// Its version.
        version: i64,
        /// The newest one known here.
        known: i64,
    },
    /// The file is a database of another program.
    #[error("{}: a database of another program: choose another folder", quoted(path))]
    ForeignCatalogue {
        /// The database.
        path: PathBuf,
    },
    /// There is no such video.
    #[error(
        "there is no video {id:?} in the archive: it was never stored, was removed, or made room for others; store it again"
    )]
    NotFound {
        /// What was asked for.
        id: String,
    },
    /// The video is not stored with this budget.
    #[error("video {id} is not stored with the budget {budget:?}: ask for one of {}", stored.join(", "))]
    NoTokens {
        /// The video.
        id: String,
        /// The budget asked for.
        budget: String,
        /// The budgets stored.
        stored: Vec<String>,
    },
    /// There is no such frame.
    #[error("video {id} has {stored} stored frames and none of index {frame} (0 is the first)")]
    NoFrame {
        /// The video.
        id: String,
        /// The frame asked for, from 0.
        frame: usize,
        /// How many are stored.
        stored: usize,
    },
    /// A `.vqt` file in the archive is damaged.
    #[error("{source}; it belongs to video {id} of the archive: remove that video, and store it again")]
    DamagedTokens {
        /// The video.
        id: String,
        /// The file, and what is wrong with it.
        source: VqtError,
    },
    /// The frames of a video are damaged.
    #[error("{}: the stored frames are damaged: remove video {id}, and store it again", quoted(path))]
    DamagedFrames {
        /// The file.
        path: PathBuf,
        /// The video.
        id: String,
    },
    /// A file of a video was taken away.
    #[error(
        "{}: the file is gone, though the catalogue names it: remove video {id}, and store it again",
        quoted(path)
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// The video.
        id: String,
    },
    /// A video is larger than the whole archive may be.
    #[error(
        "the video takes {bytes} bytes in the archive, which may have {most} in all: allow the archive more, or store fewer frames"
    )]
    TooLarge {
        /// What it takes.
        bytes: u64,
        /// What all videos may take.
        most: u64,
    },
    /// A budget's text is empty or too long.
    #[error("invalid name {budget:?} of a budget: give 1 to {longest} bytes")]
    Budget {
        /// The text.
        budget: String,
        /// Bytes that it may have.
        longest: usize,
    },
    /// Name, warnings and the like are too long.
    #[error(
        "name, model, sampling and warnings of the video have {bytes} bytes, and may have {most}: shorten the name"
    )]
    LongTexts {
        /// Bytes that they have.
        bytes: u64,
        /// Bytes that they may have.
        most: u64,
    },
    /// Two token sets would have the same name.
    #[error("two token sets of the video are named `fine`: give the first its budget")]
    TwiceFine,
    /// There are some frames, but not all.
    #[error("{jpegs} frames were given for a video of {frames} sampled frames: give all of them, or none")]
    Jpegs {
        /// T.
        frames: usize,
        /// How many were given.
        jpegs: usize,
    },
    /// Tokens are of another model than the video.
    #[error(
        "the tokens are of model {tokens:?}, but the video is stored for {video:?}: encode it with that model"
    )]
    Model {
        /// The model of the video's key.
        video: String,
        /// The tokens'.
        tokens: String,
    },
    /// Tokens have another grid than the video.
    #[error(
        "the tokens have a grid [T, H, W] = {tokens}, but the video one of {video}: sample it in the same way"
    )]
    Grid {
        /// The video's.
        video: GridShape,
        /// The tokens'.
        tokens: GridShape,
    },
    /// The archive was opened for reading.
    #[error("{}: the archive is open for reading only: open it for writing", quoted(folder))]
    ReadOnly {
        /// The archive.
        folder: PathBuf,
    },
    /// There is no archive in the folder.
    #[error(
        "{}: there is no archive here: give the folder of one, or make one with `vqtoken archive add`",
        quoted(folder)
    )]
    NoArchive {
        /// The folder.
        folder: PathBuf,
    },
    /// The catalogue is one of an older program, and may not be changed now.
    #[error(
        "{}: the catalogue is of an older version: open it once for writing, such as by `vqtoken archive compact`",
        quoted(path)
    )]
    OlderCatalogue {
        /// The catalogue.
        path: PathBuf,
    },
    /// A file of vectors is damaged.
    #[error(
        "{}: a damaged file of vectors: {reason}: `vqtoken archive add` makes its videos' vectors anew",
        quoted(path)
    )]
    DamagedSegment {
        /// The file.
        path: PathBuf,
        /// What gave it away.
        reason: &'static str,
    },
    /// A file of vectors is in a version of the layout that this program does not read.
    #[error(
        "{}: a file of vectors in version {version} of its layout, and version {known} is read: `vqtoken archive add` makes its videos' vectors anew",
        quoted(path)
    )]
    SegmentVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
        /// The version that is read.
        known: u32,
    },
    /// Vectors do not fit together.
    #[error("vectors of {space:?} cannot be used: {reason}")]
    Vectors {
        /// The space.
        space: String,
        /// Why not.
        reason: &'static str,
    },
    /// The tokens do not fit together, so that no file can be made of them.
    #[error("the tokens cannot be stored: {0}")]
    Tokens(#[from] VqtFormatError),
}
