//! Binary PPM pictures, one after the other in a stream.

use std::io::{self, Read};

use crate::frame::Frame;

/// No picture on the pipe has more pixels than this.
const MOST_PIXELS: usize = 1 << 28;

/// Reads the next picture; `None` at the end of the stream.
pub(crate) fn read_ppm(stream: &mut impl Read) -> io::Result<Option<Frame>> {
    let Some(magic) = word(stream)? else { return Ok(None) };
    let width = number(stream)?;
    let height = number(stream)?;
    let most = number(stream)?;
    let pixels = width.checked_mul(height).filter(|pixels| (1..=MOST_PIXELS).contains(pixels));
    let (Some(pixels), true, 255) = (pixels, magic == "P6", most) else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no PPM picture where one was expected"));
    };
    let mut rgb = Vec::with_capacity(pixels * 3);
    stream.by_ref().take(pixels as u64 * 3).read_to_end(&mut rgb)?;
    if rgb.len() < pixels * 3 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the last picture was cut off"));
    }
    Ok(Some(Frame::from_parts(width, height, rgb)))
}

fn number(stream: &mut impl Read) -> io::Result<usize> {
    let text = word(stream)?.unwrap_or_default();
    text.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a PPM picture without its size"))
}

/// A word and the one white space after it.
fn word(stream: &mut impl Read) -> io::Result<Option<String>> {
    let mut text = String::new();
    let mut byte = [0];
    while stream.read(&mut byte)? == 1 {
        if byte[0].is_ascii_whitespace() || text.len() == 16 {
            return Ok(Some(text));
        }
        text.push(char::from(byte[0]));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_come_one_after_the_other() {
        let mut stream = &b"P6\n2 1\n255\nabcdefP6\n1 1\n255\nxyz"[..];
        let first = read_ppm(&mut stream).unwrap().unwrap();
        assert_eq!((first.width(), first.height(), first.rgb()), (2, 1, &b"abcdef"[..]));
        assert_eq!(read_ppm(&mut stream).unwrap().unwrap().rgb(), b"xyz");
        assert!(read_ppm(&mut stream).unwrap().is_none());
    }

    #[test]
    fn nonsense_is_an_error() {
        for bytes in [&b"P6\n2 1\n255\nabc"[..], b"P5\n1 1\n255\nx", b"P6\n9999999 9999999\n255\n", b"P6\nx "]
        {
            assert!(read_ppm(&mut &bytes[..]).is_err());
        }
    }
}
