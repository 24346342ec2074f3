//! The sample table (`stbl`): where each coded picture lies and when it is decoded and shown.

use vqtoken_files::{Limit, LimitError, Limits};

use super::boxes::{Reader, child};

/// What is known of a sample's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A coded picture, as far as is known.
    Picture,
    /// The second field of the picture that the sample before begins.
    SecondField,
    /// No slice of a picture: parameter sets, messages or a delimiter alone.
    NoPicture,
}

/// One sample. Times are in ticks of the track's timescale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// First byte in the file.
    pub(crate) offset: u64,
    /// Length in bytes.
    pub(crate) size: u32,
    /// When it is shown.
    pub(crate) presentation: i64,
    /// Whether the container says that decoding can start here.
    pub(crate) sync: bool,
    pub(crate) content: Content,
    /// Index of its sample description.
    pub(crate) description: u16,
}

/// Samples in decode order.
#[derive(Default)]
pub(crate) struct SampleTable {
    pub(crate) samples: Vec<Sample>,
    /// How many the table of sizes lists.
    pub(crate) promised: u64,
    /// Ticks after the last sample's decode time.
    pub(crate) end: i64,
}

/// Reads a `stbl` box of a file of `file_len` bytes. What is missing or cut short ends the table early.
///
/// # Errors
/// When more samples are listed than [`Limits::frames`].
pub(crate) fn read_table(stbl: &[u8], file_len: u64, limits: &Limits) -> Result<SampleTable, LimitError> {
    let sizes = Sizes::read(stbl);
    limits.check(Limit::Frames, sizes.count())?;
    let most = sizes.most(file_len);
    let mut durations = Runs::new(child(stbl, b"stts"));
    let mut offsets = Runs::new(child(stbl, b"ctts"));
    let sync = SyncSamples::read(stbl);
    let mut chunks = Chunks::read(stbl);

    let mut samples = Vec::new();
    let mut decode_time = 0_i64;
    'chunks: while let Some(chunk) = chunks.next() {
        let mut offset = chunk.offset;
        for _ in 0..chunk.samples {
            let Some(size) = sizes.get(samples.len()).filter(|_| samples.len() < most) else { break 'chunks };
            // Composition offsets and durations are signed in practice, whatever the version of the box says.
            let shift = offsets.next().unwrap_or(0) as i32;
            let number = samples.len() + 1;
            samples.push(Sample {
                offset,
                size,
                presentation: decode_time.saturating_add(i64::from(shift)),
                sync: sync.contains(number),
                content: if size == 0 { Content::NoPicture } else { Content::Picture },
                description: chunk.description,
            });
            offset = offset.saturating_add(u64::from(size));
            decode_time = decode_time.saturating_add(i64::from(durations.next_or_last() as i32));
        }
    }
    Ok(SampleTable { samples, promised: sizes.count(), end: decode_time })
}

/// `stsz` and `stz2`: one size for all samples or one each.
enum Sizes<'a> {
    Same {
        size: u32,
        count: u32,
    },
    Each {
        bytes: &'a [u8],
        /// Of one size: 4, 8, 16 or 32.
        bits: usize,
        count: u32,
    },
}

impl<'a> Sizes<'a> {
    fn read(stbl: &'a [u8]) -> Self {
        let sizes = || {
            let mut reader = Reader::new(child(stbl, b"stsz")?);
            reader.version_and_flags()?;
            Some(match (reader.u32()?, reader.u32()?) {
                (0, count) => Sizes::Each { bytes: reader.rest(), bits: 32, count },
                (size, count) => Sizes::Same { size, count },
            })
        };
        let compact_sizes = || {
            let mut reader = Reader::new(child(stbl, b"stz2")?);
            reader.version_and_flags()?;
            let bits = (reader.u32()? & 0xff) as usize;
            let count = reader.u32()?;
            matches!(bits, 4 | 8 | 16).then(|| Sizes::Each { bytes: reader.rest(), bits, count })
        };
        sizes().or_else(compact_sizes).unwrap_or(Sizes::Same { size: 0, count: 0 })
    }

    fn count(&self) -> u64 {
        match *self {
            Sizes::Same { count, .. } | Sizes::Each { count, .. } => count.into(),
        }
    }

    /// How many samples can lie in a file of so many bytes. One size for all takes no bytes in the table, so only the file bounds
    /// them.
    fn most(&self, file_len: u64) -> usize {
        match *self {
            Sizes::Same { size, .. } => {
                usize::try_from(file_len / u64::from(size.max(1))).unwrap_or(usize::MAX)
            }
            Sizes::Each { .. } => usize::MAX,
        }
    }

    fn get(&self, index: usize) -> Option<u32> {
        if index as u64 >= self.count() {
            return None;
        }
        match *self {
            Sizes::Same { size, .. } => Some(size),
            Sizes::Each { bytes, bits: 4, .. } => {
                let pair = *bytes.get(index / 2)?;
                Some(u32::from(if index.is_multiple_of(2) { pair >> 4 } else { pair & 15 }))
            }
            Sizes::Each { bytes, bits, .. } => {
                let mut reader = Reader::new(bytes.get(index * bits / 8..)?);
                match bits {
                    8 => reader.u8().map(u32::from),
                    16 => reader.u16().map(u32::from),
                    _ => reader.u32(),
                }
            }
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

/// A row of samples that lie one after the other.
struct Chunk {
    /// First byte in the file.
    offset: u64,
    samples: u32,
    /// Index of the samples' description.
    description: u16,
}

/// An entry of `stsc`.
#[derive(Clone, Copy)]
struct ChunkRun {
    /// Number, from 1, of the first chunk that it is about.
    first: u32,
    samples: u32,
    description: u16,
}

/// `stsc` with `stco` or `co64`: the chunks in file order.
struct Chunks<'a> {
    offsets: Reader<'a>,
    wide: bool,
    runs: Reader<'a>,
    /// Number (from 1) of the next chunk, the run that it belongs to, and the one that follows.
    number: u32,
    current: ChunkRun,
    following: Option<ChunkRun>,
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
        let current = ChunkRun { first: 0, samples: 0, description: 0 };
        Chunks { offsets, wide, runs, number: 1, current, following }
    }

    fn run(runs: &mut Reader<'_>) -> Option<ChunkRun> {
        let (first, samples) = (runs.u32()?, runs.u32()?);
        Some(ChunkRun { first, samples, description: description_index(runs.u32()?) })
    }

    fn next(&mut self) -> Option<Chunk> {
        while let Some(run) = self.following.filter(|run| run.first <= self.number) {
            self.current = run;
            self.following = Self::run(&mut self.runs);
        }
        let offset = if self.wide { self.offsets.u64()? } else { self.offsets.u32().map(u64::from)? };
        self.number = self.number.checked_add(1)?;
        Some(Chunk { offset, samples: self.current.samples, description: self.current.description })
    }
}

/// Files count sample descriptions from 1; 0 and what does not fit mean the first and the last.
pub(super) fn description_index(number: u32) -> u16 {
    u16::try_from(number.saturating_sub(1)).unwrap_or(u16::MAX)
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
        let table = read_table(&stbl, 1000, &Limits::default()).unwrap();
        let sample = |offset, size, presentation, sync| Sample {
            offset,
            size,
            presentation,
            sync,
            content: Content::Picture,
            description: 0,
        };
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
        assert_eq!(table.end, 70);
    }

    #[test]
    fn claimed_counts_do_not_allocate() {
        let all = u32::MAX;
        let stbl = |count| {
            [
                make_box(b"stts", &[0, 1, all, 1]),
                make_box(b"stsc", &[0, 1, 1, all, 1]),
                make_box(b"stsz", &[0, 1, count]),
                make_box(b"stco", &[0, 1, 0]),
            ]
            .concat()
        };
        let read = |stbl: &[u8]| read_table(stbl, 1000, &Limits::default());
        assert_eq!(read(&stbl(9_000_000)).unwrap().samples.len(), 1000);
        assert!(matches!(read(&stbl(all)), Err(LimitError { limit: Limit::Frames, .. })));
        assert!(read(&[]).unwrap().samples.is_empty());
    }

    #[test]
    fn durations_are_signed() {
        let stbl = [
            make_box(b"stts", &[0, 3, 1, 30, 1, (-20_i32) as u32, 1, 10]),
            make_box(b"stsc", &[0, 1, 1, 3, 1]),
            make_box(b"stsz", &[0, 5, 3]),
            make_box(b"stco", &[0, 1, 0]),
        ]
        .concat();
        let table = read_table(&stbl, 1000, &Limits::default()).unwrap();
        assert_eq!(table.samples.iter().map(|s| s.presentation).collect::<Vec<_>>(), [0, 30, 10]);
    }

    #[test]
    fn compact_sizes_have_4_8_or_16_bits() {
        for (bits, words) in
            [(4, vec![0x1230_0000]), (8, vec![0x0102_0300]), (16, vec![0x0001_0002, 0x0003_0000])]
        {
            let stz2 = make_box(b"stz2", &[vec![0, bits, 3], words].concat());
            let sizes = Sizes::read(&stz2);
            let found: Vec<_> = (0..4).map(|index| sizes.get(index)).collect();
            assert_eq!(found, [Some(1), Some(2), Some(3), None], "{bits} bits");
        }
        assert_eq!(Sizes::read(&make_box(b"stz2", &[0, 5, 3, 0, 0])).count(), 0);
    }

    #[test]
    fn chunks_name_their_description() {
        let stbl = [
            make_box(b"stsc", &[0, 2, 1, 1, 2, 2, 1, 0]),
            make_box(b"stsz", &[0, 5, 2]),
            make_box(b"stco", &[0, 2, 0, 50]),
        ]
        .concat();
        let table = read_table(&stbl, 1000, &Limits::default()).unwrap();
        assert_eq!(table.samples.iter().map(|s| s.description).collect::<Vec<_>>(), [1, 0]);
    }
}
