//! The sample table (`stbl`): where each coded picture lies and when it is decoded and shown.

use super::boxes::{Reader, child};

/// No track has more samples than this (a week at 25 frames a second).
const MOST_SAMPLES: u64 = 1 << 24;

/// One coded picture. Times are in ticks of the track's timescale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// First byte in the file.
    pub(crate) offset: u64,
    /// Length in bytes.
    pub(crate) size: u32,
    /// When it is shown.
    pub(crate) presentation: i64,
    /// Whether decoding can start here.
    pub(crate) sync: bool,
}

/// How many samples a file of so many bytes can hold at the very most, whatever it claims.
pub(crate) fn most_samples(file_len: u64) -> usize {
    file_len.min(MOST_SAMPLES) as usize
}

/// Samples in decode order, and whether the table says how display order differs from it.
pub(crate) struct SampleTable {
    pub(crate) samples: Vec<Sample>,
    pub(crate) has_composition_offsets: bool,
    /// Ticks after the last sample's decode time.
    pub(crate) end: i64,
}

/// Reads a `stbl` box. What is missing or cut short ends the table early.
pub(crate) fn read_table(stbl: &[u8], file_len: u64) -> SampleTable {
    let sizes = Sizes::read(stbl, file_len);
    let mut durations = Runs::new(child(stbl, b"stts"));
    let composition = child(stbl, b"ctts");
    let mut offsets = Runs::new(composition);
    let sync = SyncSamples::read(stbl);
    let mut chunks = Chunks::read(stbl);

    let mut samples = Vec::new();
    let mut decode_time = 0_i64;
    'chunks: while let Some((mut offset, count)) = chunks.next() {
        for _ in 0..count {
            let Some(size) = sizes.get(samples.len()) else { break 'chunks };
            // Composition offsets are signed in practice, whatever the version of the box says.
            let shift = offsets.next().unwrap_or(0) as i32;
            let number = samples.len() + 1;
            samples.push(Sample {
                offset,
                size,
                presentation: decode_time.saturating_add(i64::from(shift)),
                sync: sync.contains(number),
            });
            offset = offset.saturating_add(u64::from(size));
            decode_time = decode_time.saturating_add(i64::from(durations.next_or_last()));
        }
    }
    SampleTable { samples, has_composition_offsets: composition.is_some(), end: decode_time }
}

/// `stsz`: one size for all samples or one each.
enum Sizes<'a> {
    Same { size: u32, count: usize },
    Each(&'a [u8]),
}

impl<'a> Sizes<'a> {
    fn read(stbl: &'a [u8], file_len: u64) -> Self {
        let parse = || {
            let mut reader = Reader::new(child(stbl, b"stsz")?);
            reader.version_and_flags()?;
            let (size, count) = (reader.u32()?, reader.u32()?);
            if size == 0 {
                let bytes = reader.rest();
                return Some(Sizes::Each(&bytes[..bytes.len().min(count as usize * 4)]));
            }
            let possible = most_samples(file_len / u64::from(size));
            Some(Sizes::Same { size, count: possible.min(count as usize) })
        };
        parse().unwrap_or(Sizes::Each(&[]))
    }

    fn get(&self, index: usize) -> Option<u32> {
        match self {
            Sizes::Same { size, count } => (index < *count).then_some(*size),
            Sizes::Each(bytes) => Reader::new(bytes.get(index * 4..)?).u32(),
        }
    }
}

/// `stts` and `ctts`: runs of (count, value).
struct Runs<'a> {
    entries: Reader<'a>,
    left: u32,
    value: u32,
}

impl<'a> Runs<'a> {
    fn new(payload: Option<&'a [u8]>) -> Self {
        let mut entries = Reader::new(payload.unwrap_or(&[]));
        entries.bytes(8);
        Self { entries, left: 0, value: 0 }
    }

    fn next(&mut self) -> Option<u32> {
        while self.left == 0 {
            (self.left, self.value) = (self.entries.u32()?, self.entries.u32()?);
        }
        self.left -= 1;
        Some(self.value)
    }

    /// The last run goes on for as long as there are samples.
    fn next_or_last(&mut self) -> u32 {
        self.next().unwrap_or(self.value)
    }
}

/// `stss`: ascending sample numbers from 1. Without the box every sample is a sync sample.
struct SyncSamples(Option<Vec<u32>>);

impl SyncSamples {
    fn read(stbl: &[u8]) -> Self {
        SyncSamples(child(stbl, b"stss").map(|payload| {
            let mut reader = Reader::new(payload);
            reader.bytes(8);
            let mut numbers: Vec<u32> = std::iter::from_fn(|| reader.u32()).collect();
            numbers.sort_unstable();
            numbers
        }))
    }

    fn contains(&self, number: usize) -> bool {
        match &self.0 {
            None => true,
            Some(numbers) => u32::try_from(number).is_ok_and(|number| numbers.binary_search(&number).is_ok()),
        }
    }
}

/// `stsc` with `stco` or `co64`: the chunks in file order as (first byte, samples in it).
struct Chunks<'a> {
    offsets: Reader<'a>,
    wide: bool,
    runs: Reader<'a>,
    /// Number (from 1) of the next chunk, and the run that is to follow.
    number: u32,
    samples_per_chunk: u32,
    following: Option<(u32, u32)>,
}

impl<'a> Chunks<'a> {
    fn read(stbl: &'a [u8]) -> Self {
        let (payload, wide) = match child(stbl, b"stco") {
            Some(payload) => (payload, false),
            None => (child(stbl, b"co64").unwrap_or(&[]), true),
        };
        let mut offsets = Reader::new(payload);
        offsets.bytes(8);
        let mut runs = Reader::new(child(stbl, b"stsc").unwrap_or(&[]));
        runs.bytes(8);
        let following = Self::run(&mut runs);
        Chunks { offsets, wide, runs, number: 1, samples_per_chunk: 0, following }
    }

    /// (first chunk, samples in each of its chunks)
    fn run(runs: &mut Reader<'_>) -> Option<(u32, u32)> {
        let run = (runs.u32()?, runs.u32()?);
        runs.u32()?;
        Some(run)
    }

    fn next(&mut self) -> Option<(u64, u32)> {
        while let Some((_, samples)) = self.following.filter(|(first, _)| *first <= self.number) {
            self.samples_per_chunk = samples;
            self.following = Self::run(&mut self.runs);
        }
        let offset = if self.wide { self.offsets.u64()? } else { self.offsets.u32().map(u64::from)? };
        self.number = self.number.checked_add(1)?;
        Some((offset, self.samples_per_chunk))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make_box(kind: &[u8; 4], words: &[u32]) -> Vec<u8> {
        let mut out = (8 + 4 * words.len() as u32).to_be_bytes().to_vec();
        out.extend(kind);
        words.iter().for_each(|word| out.extend(word.to_be_bytes()));
        out
    }

    #[test]
    fn runs_chunks_and_sizes_line_up() {
        let stbl = [
            make_box(b"stts", &[0, 2, 3, 10, 2, 20]),
            make_box(b"ctts", &[0, 2, 1, 5, 4, (-5_i32) as u32]),
            make_box(b"stsc", &[0, 2, 1, 2, 1, 2, 1, 1]),
            make_box(b"stsz", &[0, 0, 5, 7, 8, 9, 10, 11]),
            make_box(b"stco", &[0, 4, 100, 200, 300, 400]),
            make_box(b"stss", &[0, 2, 1, 4]),
        ]
        .concat();
        let table = read_table(&stbl, 1000);
        let sample = |offset, size, presentation, sync| Sample { offset, size, presentation, sync };
        assert_eq!(
            table.samples,
            [
                sample(100, 7, 5, true),
                sample(107, 8, 5, false),
                sample(200, 9, 15, false),
                sample(300, 10, 25, true),
                sample(400, 11, 45, false),
            ]
        );
        assert!(table.has_composition_offsets);
        assert_eq!(table.end, 70);
    }

    #[test]
    fn claimed_counts_do_not_allocate() {
        let all = u32::MAX;
        let stbl = [
            make_box(b"stts", &[0, 1, all, 1]),
            make_box(b"stsc", &[0, 1, 1, all, 1]),
            make_box(b"stsz", &[0, 1, all]),
            make_box(b"stco", &[0, 1, 0]),
        ]
        .concat();
        assert_eq!(read_table(&stbl, 1000).samples.len(), 1000);
        assert!(read_table(&[], 1000).samples.is_empty());
    }
}
