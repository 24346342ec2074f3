//! Demuxing MP4, MOV and fragmented MP4 (ISO/IEC 14496-12): from a file to the video track and its samples.
//!
//! Our own small reader, because files come from anywhere: it never panics, and memory stays in proportion to
//! the file whatever sizes and counts the file claims.

pub(crate) mod boxes;
mod edits;
mod fragments;
mod samples;
mod track;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use boxes::{BoxHeader, FourCc, Reader, box_header};
pub(crate) use samples::Sample;
pub(crate) use track::Track;

/// Movie headers of hour-long videos have a few megabytes.
const LONGEST_HEADER: u64 = 1 << 28;

/// What an MP4 file holds, as far as one video track is concerned.
pub(crate) struct Movie {
    /// The first video track that has samples, or else the first video track.
    pub(crate) track: Option<Track>,
    /// Seconds, from the movie header.
    pub(crate) duration: Option<f64>,
}

/// Reads the headers of an MP4 file of `file_len` bytes. `None` when there is no movie header in it.
pub(crate) fn read_movie(file: &mut File, file_len: u64) -> io::Result<Option<Movie>> {
    let mut header = None;
    let mut fragments = Vec::new();
    let mut at = 0;
    while let Some(found) = header_at(file, at)? {
        let len = found.len.unwrap_or(u64::MAX).min(file_len - at);
        let payload = len.saturating_sub(found.header_len);
        match &found.kind {
            b"moov" if header.is_none() => header = Some(payload_of(file, payload)?),
            b"moof" => fragments.push((at, payload_of(file, payload)?)),
            _ => {}
        }
        at += len.max(8);
        if at >= file_len {
            break;
        }
    }
    Ok(header.map(|header| assemble(&header, &fragments, file_len)))
}

fn header_at(file: &mut File, at: u64) -> io::Result<Option<BoxHeader>> {
    let mut bytes = Vec::with_capacity(16);
    file.seek(SeekFrom::Start(at))?;
    file.by_ref().take(16).read_to_end(&mut bytes)?;
    let found = box_header(&mut Reader::new(&bytes));
    if let Some(found) = &found {
        file.seek(SeekFrom::Start(at + found.header_len))?;
    }
    Ok(found)
}

fn payload_of(file: &mut File, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.by_ref().take(len.min(LONGEST_HEADER)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Chooses the track out of a movie header and completes its samples from the fragments.
fn assemble(header: &[u8], fragments: &[(u64, Vec<u8>)], file_len: u64) -> Movie {
    let movie = track::MovieHeader::read(header);
    let mut tracks: Vec<Track> = boxes::children(header)
        .filter(|(kind, _)| kind == b"trak")
        .filter_map(|(_, trak)| Track::read(trak, &movie, file_len))
        .collect();
    if !fragments.is_empty() {
        for track in &mut tracks {
            fragments::extend(track, header, fragments, file_len);
        }
    }
    let chosen = tracks.iter().position(|track| !track.samples.is_empty()).unwrap_or(0);
    let track = (chosen < tracks.len()).then(|| tracks.swap_remove(chosen));
    Movie { track, duration: movie.duration() }
}

/// Whether these first bytes of a file open an MP4 or MOV file.
pub(crate) fn is_mp4(head: &[u8]) -> bool {
    const OPENING: [&FourCc; 8] = [b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip", b"pnot", b"styp"];
    head.len() >= 8 && OPENING.iter().any(|kind| head[4..8] == **kind)
}
