//! Which samples hold a picture, told by their NAL unit headers.
//!
//! Recorders and servers write messages, delimiters and parameter sets as samples of their own, and some the two fields of a frame
//! as two samples. Neither is a frame.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::access_unit::{self, Configuration};
use super::slice::{self, Field};
use crate::mp4::{Content, Sample, Track};

/// In tracks of more samples than this only suspicious ones are looked at, so that opening stays quick.
const ALL_UP_TO: usize = 10_000;

/// Most samples without a picture are smaller, in bytes.
const SUSPICIOUS: u32 = 1024;

/// After so many NAL units without a slice a sample counts as a picture, whatever it is.
const MOST_UNITS: usize = 64;

/// Marks the samples of a track that hold no picture of their own.
pub(crate) fn mark_contents(file: &mut File, track: &mut Track, configurations: &[Configuration]) {
    let interlaced = configurations.iter().any(Configuration::is_interlaced);
    let times_repeat = track.samples.windows(2).any(|pair| pair[0].presentation == pair[1].presentation);
    let all = interlaced || times_repeat || track.samples.len() <= ALL_UP_TO;
    let mut window = Window { file, at: 0, bytes: Vec::new() };
    let mut first_field: Option<Field> = None;
    for sample in &mut track.samples {
        if sample.content != Content::Picture || !(all || sample.size < SUSPICIOUS) {
            continue;
        }
        let configuration = access_unit::of_description(configurations, sample.description);
        match look_at(&mut window, sample, configuration) {
            Found::NoPicture => sample.content = Content::NoPicture,
            Found::OneField(field) => match first_field.take() {
                Some(first) if first.parity != field.parity && first.frame_number == field.frame_number => {
                    sample.content = Content::SecondField;
                }
                _ => first_field = Some(field),
            },
            Found::Picture => first_field = None,
        }
    }
}

enum Found {
    NoPicture,
    Picture,
    OneField(Field),
}

/// What cannot be read or does not add up counts as a picture: decoding will say what is wrong with it.
fn look_at(window: &mut Window<'_>, sample: &Sample, configuration: &Configuration) -> Found {
    let length_size = configuration.length_size;
    let mut at = 0;
    let mut field = None;
    for _ in 0..MOST_UNITS {
        if at == u64::from(sample.size) {
            return field.map_or(Found::NoPicture, Found::OneField);
        }
        if at > u64::from(sample.size) {
            return Found::Picture;
        }
        let left = (u64::from(sample.size) - at).min((length_size + slice::HEAD) as u64) as usize;
        let bytes = match window.bytes(sample.offset.saturating_add(at), left) {
            Ok(bytes) if bytes.len() > length_size => bytes,
            _ => return Found::Picture,
        };
        let (prefix, nal) = bytes.split_at(length_size);
        let len = prefix.iter().fold(0_u64, |len, &byte| len << 8 | u64::from(byte));
        let nal = &nal[..nal.len().min(usize::try_from(len).unwrap_or(usize::MAX))];
        at += length_size as u64 + len;
        if !access_unit::is_slice(nal) {
            continue;
        }
        match configuration.field(nal) {
            // The other field, or a frame: the picture is complete.
            None => return Found::Picture,
            Some(found) if field.is_some_and(|field| field != found) => return Found::Picture,
            Some(found) => field = Some(found),
        }
    }
    Found::Picture
}

/// Small reads at growing positions, few of which reach the file.
struct Window<'a> {
    file: &'a mut File,
    at: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// Up to `len` bytes at a file position; fewer at the end of the file.
    fn bytes(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        const READ: u64 = 4096;
        let inside = |window: &Self| {
            let from = usize::try_from(at.checked_sub(window.at)?).ok()?;
            (from.checked_add(len)? <= window.bytes.len()).then_some(from)
        };
        let from = match inside(self) {
            Some(from) => from,
            None => {
                self.bytes.clear();
                self.at = at;
                self.file.seek(SeekFrom::Start(at))?;
                self.file.by_ref().take(READ).read_to_end(&mut self.bytes)?;
                0
            }
        };
        let to = (from + len).min(self.bytes.len());
        Ok(&self.bytes[from..to])
    }
}
