//! A parquet file whose headers are looked through before the library reads them.
//!
//! The library passes over fields that it does not know. A list of two billion flags takes five bytes there, and a list of numbers beyond
//! the end of the file none at all, so a few kilobytes could keep it busy for days. Here all headers of a file together may have no
//! more elements than a small multiple of its bytes.
//!
//! Source: the Thrift compact protocol, in which parquet writes its headers.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

/// Bytes and elements of headers for each byte of the file: a header may be read several times.
const READINGS: u64 = 8;

/// Bytes at the end of a file that say how long its metadata is.
const TAIL: u64 = 8;

/// Structs in structs, at most; the library goes as far.
const DEEPEST: u32 = 64;

/// A file, and how much of headers may still be read.
pub(super) struct CheckedFile {
    file: File,
    left: AtomicU64,
}

impl CheckedFile {
    pub(super) fn new(file: File) -> Self {
        let left = AtomicU64::new(READINGS.saturating_mul(file.len()));
        Self { file, left }
    }

    fn check(&self, header: impl BufRead) -> Result<()> {
        let mut walk = Walk { bytes: header.bytes(), left: self.left.load(Ordering::Relaxed) };
        let found = walk.structure(DEEPEST);
        self.left.store(walk.left, Ordering::Relaxed);
        found.map_err(|error| ParquetError::General(format!("a header {error}")))
    }
}

impl Length for CheckedFile {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl ChunkReader for CheckedFile {
    type T = BufReader<File>;

    /// The library reads the last bytes of the file in this way, and every header of a page.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        if start.saturating_add(TAIL) != self.len() {
            self.check(self.file.get_read(start)?)?;
        }
        self.file.get_read(start)
    }

    /// The library reads the contents of pages in this way, and the metadata before the last bytes of the file.
    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let bytes = self.file.get_bytes(start, length)?;
        if start.saturating_add(length as u64).saturating_add(TAIL) == self.len() {
            self.check(&*bytes)?;
        }
        Ok(bytes)
    }
}

/// Goes through a struct as the library does where it passes over all of it.
struct Walk<R> {
    bytes: io::Bytes<R>,
    left: u64,
}

impl<R: Read> Walk<R> {
    /// Notes one byte or element more.
    fn spend(&mut self) -> io::Result<()> {
        let too_many = || io::Error::other("has more elements than its file has room for");
        self.left = self.left.checked_sub(1).ok_or_else(too_many)?;
        Ok(())
    }

    fn byte(&mut self) -> io::Result<u8> {
        self.spend()?;
        self.bytes.next().unwrap_or_else(|| Err(io::Error::other("ends too early")))
    }

    fn pass(&mut self, bytes: u64) -> io::Result<()> {
        (0..bytes).try_for_each(|_| self.byte().map(drop))
    }

    fn number(&mut self) -> io::Result<u64> {
        let (mut number, mut shift) = (0_u64, 0_u32);
        loop {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            shift = shift.saturating_add(7);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
    }

    fn structure(&mut self, depth: u32) -> io::Result<()> {
        loop {
            let field = self.byte()?;
            if field & 0x0f == 0 {
                return Ok(());
            }
            if field >> 4 == 0 {
                self.number()?;
            }
            self.value(field & 0x0f, depth)?;
        }
    }

    fn value(&mut self, kind: u8, depth: u32) -> io::Result<()> {
        let deeper = depth.checked_sub(1).ok_or_else(|| io::Error::other("is nested too deeply"))?;
        match kind {
            // Flags have no bytes of their own.
            1 | 2 => Ok(()),
            3 => self.pass(1),
            4..=6 => self.number().map(drop),
            7 => self.pass(8),
            8 => {
                let length = self.number()?;
                self.pass(length)
            }
            9 | 10 => {
                let list = self.byte()?;
                let count = if list >> 4 == 15 { self.number()? } else { u64::from(list >> 4) };
                self.elements(count, &[list & 0x0f], deeper)
            }
            11 => {
                let count = self.number()?;
                let kinds = if count > 0 { self.byte()? } else { 0 };
                self.elements(count, &[kinds >> 4, kinds & 0x0f], deeper)
            }
            12 => self.structure(deeper),
            _ => Err(io::Error::other("has a value of no kind")),
        }
    }

    fn elements(&mut self, count: u64, kinds: &[u8], depth: u32) -> io::Result<()> {
        for _ in 0..count {
            self.spend()?;
            kinds.iter().try_for_each(|&kind| self.value(kind, depth))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(header: &[u8], left: u64) -> (Result<(), String>, u64) {
        let mut walk = Walk { bytes: header.bytes(), left };
        let found = walk.structure(DEEPEST).map_err(|error| error.to_string());
        (found, walk.left)
    }

    #[test]
    fn structs_are_gone_through_and_no_more() {
        // A flag, a number of two bytes, a text of two, a list of two numbers, a map of a number to a flag, an empty struct, an id of its own.
        let header = [
            0x11, 0x15, 0x80, 0x01, 0x18, 2, b'a', b'b', 0x19, 0x25, 1, 2, 0x1b, 1, 0x51, 7, 0x1c, 0, 0x05,
            30, 3, 0,
        ];
        assert_eq!(walk(&header, 25), (Ok(()), 0));
        let after = [&header[..], &[9, 9]].concat();
        assert_eq!(walk(&after, 25), (Ok(()), 0));
        assert!(walk(&header, 24).0.unwrap_err().contains("more elements"));
        for end in 0..header.len() {
            assert!(walk(&header[..end], 100).0.unwrap_err().contains("too early"), "{end}");
        }
    }

    #[test]
    fn what_takes_long_and_no_bytes_is_refused() {
        let most = [0xff, 0xff, 0xff, 0xff, 0x07];
        // A list of flags, one of numbers of eight bytes that are not there, a map of flags to flags, a text, structs in structs.
        let flags = [&[0x19, 0xf1][..], &most, &[0]].concat();
        let numbers = [&[0x19, 0xf7][..], &most].concat();
        let maps = [&[0x1b][..], &most, &[0x11, 0]].concat();
        let text = [&[0x18][..], &most].concat();
        let nested = [0x1c; 100].to_vec();
        for header in [flags, numbers, maps, text, nested] {
            assert!(walk(&header, 1000).0.is_err(), "{header:?}");
        }
    }
}
