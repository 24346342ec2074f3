//! Demuxing MP4, MOV and fragmented MP4 (ISO/IEC 14496-12): from a file to the video track and its samples.
//!
//! Our own small reader, because files come from anywhere: it never panics, and memory stays in proportion to
//! the file whatever sizes and counts the file claims.

pub(crate) mod boxes;
mod choice;
mod created;
mod edits;
mod fragments;
mod header;
mod samples;
mod track;

use std::fs::File;
use std::time::SystemTime;

use vqtoken_files::{Limit, LimitError, Limits};

use crate::error::VideoError;
use crate::info::VideoInfo;
use boxes::FourCc;
pub(crate) use edits::Presentation;
use fragments::Fragments;
use header::{HeaderError, Layout};
pub(crate) use samples::{Content, Sample};
pub(crate) use track::{OrderSource, Track};

/// What is read of a file before its samples.
pub(crate) struct Movie {
    /// The track that is the video.
    pub(crate) track: Track,
    /// How many tracks could be.
    pub(crate) video_tracks: usize,
    /// Seconds, as the movie header states.
    pub(crate) duration: Option<f64>,
    /// When it was recorded, as the movie header or its metadata state.
    pub(crate) created: Option<SystemTime>,
}

/// Reads the headers of an MP4 file, and which track is the video.
///
/// # Errors
/// When there is no movie header, no video track, no sample in it, when it is encrypted, or when it asks for more than the limits
/// allow.
pub(crate) fn read_movie(file: &mut File, info: &VideoInfo, limits: &Limits) -> Result<Movie, VideoError> {
    let path = || info.path.clone();
    let read = read(file, info.file_bytes, limits);
    let Headers { tracks, duration, created } = read.map_err(|error| match error {
        HeaderError::Io(source) => VideoError::Unreadable { path: path(), source },
        HeaderError::Limit(source) => VideoError::Limit { path: path(), source },
        HeaderError::NoHeader(reason) => VideoError::NotAVideo { path: path(), reason: reason.to_string() },
    })?;
    let Some((mut track, tracks)) = choice::choose(tracks) else {
        return Err(VideoError::NoVideoTrack { path: path(), container: info.container.clone() });
    };
    if track.encrypted {
        return Err(VideoError::Encrypted { path: path() });
    }
    if track.samples.is_empty() {
        return Err(VideoError::NoFrames { path: path(), reason: "the video track is empty".into() });
    }
    track.check(limits).map_err(|source| VideoError::Limit { path: path(), source })?;
    Ok(Movie { track, video_tracks: tracks, duration, created })
}

/// All tracks that can be video, and what the movie header states.
struct Headers {
    tracks: Vec<Track>,
    duration: Option<f64>,
    created: Option<SystemTime>,
}

fn read(file: &mut File, file_len: u64, limits: &Limits) -> Result<Headers, HeaderError> {
    let layout = Layout::read(file, file_len, limits)?;
    let header = layout.movie_header(file, limits)?;
    let movie = track::MovieHeader::read(&header);
    let mut tracks = read_tracks(&header, &movie, file_len, limits)?;
    if !layout.fragments.is_empty() {
        let fragments = Fragments::new(&header, &tracks, file_len, limits);
        let from_table: Vec<usize> = tracks.iter().map(|track| track.samples.len()).collect();
        for place in &layout.fragments {
            fragments.add(place.at, &place.payload(file)?, &mut tracks)?;
        }
        for (track, from_table) in tracks.iter_mut().zip(from_table) {
            if from_table == 0 && !track.samples.is_empty() {
                track.edits = std::mem::take(&mut track.edits).without_cuts();
            }
        }
    }
    let created = created::created(&header, movie.creation_time);
    Ok(Headers { tracks, duration: movie.duration(), created })
}

/// The tracks that can be video.
fn read_tracks(
    header: &[u8],
    movie: &track::MovieHeader,
    file_len: u64,
    limits: &Limits,
) -> Result<Vec<Track>, LimitError> {
    let mut tracks = Vec::new();
    let mut samples = 0;
    let traks = boxes::children(header).filter(|(kind, _)| kind == b"trak");
    for (index, (_, trak)) in traks.enumerate() {
        if let Some(mut track) = Track::read(trak, movie, file_len, limits)? {
            // Together, because a small file can list a table many times over.
            samples += track.samples.len() as u64;
            limits.check(Limit::Frames, samples)?;
            track.index = index;
            tracks.push(track);
        }
    }
    choice::mark_companions(header, &mut tracks);
    Ok(tracks)
}

/// Whether these first bytes of a file open an MP4 or MOV file.
pub(crate) fn is_mp4(head: &[u8]) -> bool {
    const OPENING: [&FourCc; 8] = [b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip", b"pnot", b"styp"];
    head.len() >= 8 && OPENING.iter().any(|kind| head[4..8] == **kind)
}
