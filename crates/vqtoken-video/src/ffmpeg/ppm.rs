//! Binary PPM pictures, one after the other in a stream.

use std::io::{self, BufRead, BufReader, Read};

use vqtoken_files::{Limit, LimitError, Limits};

use crate::frame::Frame;

/// Why the next picture cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum PpmError {
    /// The stream broke off.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Something else than a picture of 8 bits a channel.
    #[error("no PPM picture where one was expected")]
    Syntax,
    /// The stream ends inside a picture.
    #[error("the last picture was cut off")]
    CutOff,
    /// The picture is too large.
    #[error(transparent)]
    Limit(#[from] LimitError),
}

/// Gives out all pictures of a stream, or why the next one cannot be read, until `give` says to stop.
pub(super) fn each_picture(
    stream: impl Read,
    limits: &Limits,
    mut give: impl FnMut(Result<Frame, PpmError>) -> bool,
) {
    let mut stream = BufReader::with_capacity(1 << 20, stream);
    while let Some(read) = read_ppm(&mut stream, limits).transpose() {
        let is_broken = read.is_err();
        if !give(read) || is_broken {
            return;
        }
    }
}

/// Reads the next picture; `None` at the end of the stream.
///
/// # Errors
/// [`PpmError`], when there is something else, less of it than its size, or more than the limit on pixels.
pub(super) fn read_ppm(stream: &mut impl BufRead, limits: &Limits) -> Result<Option<Frame>, PpmError> {
    let Some(magic) = word(stream)? else { return Ok(None) };
    if magic != "P6" {
        return Err(PpmError::Syntax);
    }
    let (width, height, most) = (number(stream)?, number(stream)?, number(stream)?);
    limits.check_product(Limit::FramePixels, &[width, height])?;
    let bytes = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(3));
    let Some(bytes) = bytes.filter(|&bytes| bytes > 0 && most == 255) else { return Err(PpmError::Syntax) };
    let mut rgb = Vec::with_capacity(bytes);
    stream.by_ref().take(bytes as u64).read_to_end(&mut rgb)?;
    if rgb.len() < bytes {
        return Err(PpmError::CutOff);
    }
    Ok(Some(Frame::from_parts(width, height, rgb)))
}

fn number(stream: &mut impl BufRead) -> Result<usize, PpmError> {
    word(stream)?.and_then(|text| text.parse().ok()).ok_or(PpmError::Syntax)
}

/// A word and the one white space after it.
fn word(stream: &mut impl BufRead) -> Result<Option<String>, PpmError> {
    const LONGEST: usize = 16;
    let mut text = String::new();
    for byte in stream.bytes().take(LONGEST + 1) {
        let byte = byte?;
        if byte.is_ascii_whitespace() {
            return Ok(Some(text));
        }
        text.push(char::from(byte));
    }
    if text.is_empty() { Ok(None) } else { Err(PpmError::Syntax) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_come_one_after_the_other() {
        let limits = Limits::default();
        let mut stream = &b"P6\n2 1\n255\nabcdefP6\n1 1\n255\nxyz"[..];
        let first = read_ppm(&mut stream, &limits).unwrap().unwrap();
        assert_eq!((first.width(), first.height(), first.rgb()), (2, 1, &b"abcdef"[..]));
        assert_eq!(read_ppm(&mut stream, &limits).unwrap().unwrap().rgb(), b"xyz");
        assert!(read_ppm(&mut stream, &limits).unwrap().is_none());
    }

    #[test]
    fn nonsense_is_an_error() {
        let read = |bytes: &[u8]| read_ppm(&mut &bytes[..], &Limits::default()).unwrap_err();
        assert!(matches!(read(b"P6\n2 1\n255\nabc"), PpmError::CutOff));
        assert!(matches!(read(b"P5\n1 1\n255\nx"), PpmError::Syntax));
        assert!(matches!(read(b"P6\n1 1\n65535\nxxxxxx"), PpmError::Syntax));
        assert!(matches!(read(b"P6\n9999999 9999999\n255\n"), PpmError::Limit(_)));
        assert!(matches!(read(b"P6\nx "), PpmError::Syntax));
        assert!(matches!(read(b"P6\n0 5\n255\n"), PpmError::Syntax));
    }
}
