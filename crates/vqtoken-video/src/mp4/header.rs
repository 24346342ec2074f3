//! Where the movie header and the fragments lie in a file, and the header's bytes, compressed or not.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use vqtoken_files::{Limit, LimitError, Limits};

use super::boxes::{BoxHeader, FourCc, Reader, box_header, child, children};

/// Movie headers of hour-long videos have a few megabytes.
const LONGEST_HEADER: u64 = 1 << 28;

/// A compressed header is one of old QuickTime, which had no hour-long videos.
const LONGEST_UNPACKED: u64 = 1 << 26;

/// zlib makes at most so many bytes of one; a header that claims more is made up.
const MOST_UNPACKED_PER_BYTE: u64 = 1032;

/// Why there is no movie header to go by.
#[derive(Debug, thiserror::Error)]
pub(super) enum HeaderError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Limit(#[from] LimitError),
    #[error("{0}")]
    NoHeader(NoHeader),
}

/// A file without a movie header that can be read.
#[derive(Debug)]
pub(super) enum NoHeader {
    /// The stills of this name are no video.
    Still(&'static str),
    /// The header lies in another file or never came.
    Missing,
    /// Fragments without their header.
    FragmentsOnly,
    /// A compressed header that cannot be unpacked.
    Packed(&'static str),
}

impl fmt::Display for NoHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Still(name) => {
                write!(f, "it is a still picture in {name}, which is not read: convert it to PNG or JPEG")
            }
            Self::Missing => {
                f.write_str("an MP4 file without its movie header (moov): it was cut off or never finished")
            }
            Self::FragmentsOnly => f.write_str(
                "fragments of MP4 without their movie header (moov): put the initialisation segment before them",
            ),
            Self::Packed(what) => {
                write!(f, "its compressed movie header (cmov) {what}: the file is damaged, try a new copy of it")
            }
        }
    }
}

/// A box in the file.
pub(super) struct Place {
    /// First byte of the box.
    pub(super) at: u64,
    payload_at: u64,
    payload_len: u64,
}

impl Place {
    pub(super) fn payload(&self, file: &mut File) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(self.payload_at))?;
        file.take(self.payload_len.min(LONGEST_HEADER)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// The boxes at the top of a file that matter.
#[derive(Default)]
pub(super) struct Layout {
    movie: Option<Place>,
    pub(super) fragments: Vec<Place>,
    still: Option<&'static str>,
}

impl Layout {
    /// Walks the top of a file of `file_len` bytes.
    pub(super) fn read(file: &mut File, file_len: u64, limits: &Limits) -> Result<Layout, HeaderError> {
        let mut layout = Layout::default();
        let (mut at, mut boxes) = (0, 0);
        while let Some(found) = header_at(file, at)? {
            let len = found.len.unwrap_or(u64::MAX).min(file_len.saturating_sub(at));
            let place = Place {
                at,
                payload_at: at + found.header_len,
                payload_len: len.saturating_sub(found.header_len),
            };
            match &found.kind {
                b"moov" if layout.movie.is_none() => layout.movie = Some(place),
                b"moof" => layout.fragments.push(place),
                b"ftyp" if at == 0 => layout.still = still_brand(&place.payload(file)?),
                _ => {}
            }
            // A fragment holds a frame at least, and so do the boxes beside it.
            boxes += 1;
            limits.check(Limit::Frames, boxes / 4)?;
            at += len.max(8);
            if at >= file_len {
                break;
            }
        }
        Ok(layout)
    }

    /// The payload of `moov`, unpacked if it is compressed.
    pub(super) fn movie_header(&self, file: &mut File, limits: &Limits) -> Result<Vec<u8>, HeaderError> {
        let Some(place) = &self.movie else {
            return Err(HeaderError::NoHeader(match self.still {
                Some(name) => NoHeader::Still(name),
                None if !self.fragments.is_empty() => NoHeader::FragmentsOnly,
                None => NoHeader::Missing,
            }));
        };
        let payload = place.payload(file)?;
        match child(&payload, b"cmov") {
            Some(packed) => unpack(packed, limits),
            None => Ok(payload),
        }
    }
}

fn header_at(file: &mut File, at: u64) -> io::Result<Option<BoxHeader>> {
    let mut bytes = Vec::with_capacity(16);
    file.seek(SeekFrom::Start(at))?;
    file.take(16).read_to_end(&mut bytes)?;
    Ok(box_header(&mut Reader::new(&bytes)))
}

/// The name of the still format that a `ftyp` declares.
fn still_brand(ftyp: &[u8]) -> Option<&'static str> {
    // A movie may list them, too: they count only where there is no movie header.
    const BRANDS: [(&FourCc, &str); 9] = [
        (b"avif", "AVIF"),
        (b"avis", "AVIF"),
        (b"heic", "HEIC"),
        (b"heix", "HEIC"),
        (b"heim", "HEIC"),
        (b"heis", "HEIC"),
        (b"hevc", "HEIC"),
        (b"mif1", "HEIF"),
        (b"msf1", "HEIF"),
    ];
    let listed = |brand: &FourCc| ftyp.chunks_exact(4).any(|word| word == brand);
    BRANDS.iter().find(|(brand, _)| listed(brand)).map(|(_, name)| *name)
}

/// Unpacks the payload of a `cmov` to that of the `moov` in it.
fn unpack(cmov: &[u8], limits: &Limits) -> Result<Vec<u8>, HeaderError> {
    let broken = |what| HeaderError::NoHeader(NoHeader::Packed(what));
    let method = child(cmov, b"dcom").ok_or(broken("does not say how it is compressed"))?;
    if method.get(..4) != Some(b"zlib") {
        return Err(broken("is compressed in a way that is not known"));
    }
    let mut reader = Reader::new(child(cmov, b"cmvd").ok_or(broken("has no data"))?);
    let stated = u64::from(reader.u32().ok_or(broken("has no data"))?);
    let packed = reader.rest();
    limits.check(Limit::Bytes, stated)?;
    if stated > LONGEST_UNPACKED.min(packed.len() as u64 * MOST_UNPACKED_PER_BYTE) {
        return Err(broken("claims to be larger than it can be"));
    }
    let mut bytes = Vec::new();
    let unpacked = flate2::read::ZlibDecoder::new(packed).take(stated).read_to_end(&mut bytes);
    unpacked.map_err(|_| broken("cannot be unpacked"))?;
    let moov = children(&bytes).find(|(kind, _)| kind == b"moov").map(|(_, moov)| moov.to_vec());
    moov.ok_or(broken("holds no movie header"))
}
