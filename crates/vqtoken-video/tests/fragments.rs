//! Fragmented MP4 files give the frames and times of the file that they were cut from.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;
#[path = "../../../golden/locate.rs"]
mod locate;

use std::path::Path;
use std::process::Command;

use common::{ffmpeg_program, has_ffmpeg, write_scenes};
use vqtoken_video::{Clip, Mp4Options, Sampling, Video};

const FRAMES: usize = 23;

/// The samples of a file that this crate's writer has written, and the rest of its header.
struct Samples {
    moov: Vec<u8>,
    media: Vec<Vec<u8>>,
    durations: Vec<u32>,
    /// Whether decoding can start at a sample.
    sync: Vec<bool>,
}

/// How a fragment says where its data lie.
#[derive(Clone, Copy, PartialEq)]
enum Base {
    /// `default-base-is-moof`.
    Moof,
    /// An absolute position in `tfhd`.
    Absolute,
    /// Neither: the start of the first track fragment's `moof`.
    Implied,
}

/// Where durations, sizes and flags of samples are written.
#[derive(Clone, Copy, PartialEq)]
enum Fields {
    /// In every sample of `trun`.
    Samples,
    /// Durations in `trex`, flags in `tfhd`, and those of the first sample in `trun`.
    Defaults,
}

fn boxes(data: &[u8]) -> Vec<([u8; 4], &[u8])> {
    let (mut rest, mut found) = (data, Vec::new());
    while rest.len() >= 8 {
        let (size, header) = match u32::from_be_bytes(rest[..4].try_into().unwrap()) {
            1 => (u64::from_be_bytes(rest[8..16].try_into().unwrap()) as usize, 16),
            size => (size as usize, 8),
        };
        found.push((rest[4..8].try_into().unwrap(), &rest[header..size]));
        rest = &rest[size..];
    }
    found
}

fn find<'a>(data: &'a [u8], path: &[&[u8; 4]]) -> &'a [u8] {
    path.iter().fold(data, |data, kind| boxes(data).into_iter().find(|(found, _)| found == *kind).unwrap().1)
}

fn a_box(kind: &[u8; 4], payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32 + 8).to_be_bytes()[..], kind, payload].concat()
}

fn full_box(kind: &[u8; 4], flags: u32, payload: &[u8]) -> Vec<u8> {
    a_box(kind, &[&flags.to_be_bytes()[..], payload].concat())
}

fn words(payload: &[u8]) -> Vec<u32> {
    payload.chunks_exact(4).map(|word| u32::from_be_bytes(word.try_into().unwrap())).collect()
}

impl Samples {
    fn read(file: &Path) -> Self {
        let data = std::fs::read(file).unwrap();
        let table = find(&data, &[b"moov", b"trak", b"mdia", b"minf", b"stbl"]);
        let sizes = words(find(table, &[b"stsz"]))[3..].to_vec();
        let runs = words(find(table, &[b"stts"]))[2..].to_vec();
        let durations: Vec<u32> =
            runs.chunks(2).flat_map(|run| std::iter::repeat_n(run[1], run[0] as usize)).collect();
        let keyframes = words(find(table, &[b"stss"]))[2..].to_vec();
        let mut position = *words(find(table, &[b"co64"])).last().unwrap() as usize;
        let media = sizes.iter().map(|&size| {
            position += size as usize;
            data[position - size as usize..position].to_vec()
        });
        Self {
            media: media.collect(),
            sync: (1..=sizes.len() as u32).map(|number| keyframes.contains(&number)).collect(),
            durations,
            moov: find(&data, &[b"moov"]).to_vec(),
        }
    }

    /// The header without samples, and the defaults of fragments.
    fn header(&self, fields: Fields) -> Vec<u8> {
        fn without_samples(data: &[u8]) -> Vec<u8> {
            let rewritten = boxes(data).into_iter().filter_map(|(kind, payload)| match &kind {
                b"trak" | b"mdia" | b"minf" | b"stbl" => Some(a_box(&kind, &without_samples(payload))),
                b"stts" | b"stsc" | b"co64" => Some(full_box(&kind, 0, &[0; 4])),
                b"stsz" => Some(full_box(&kind, 0, &[0; 8])),
                b"stss" => None,
                _ => Some(a_box(&kind, payload)),
            });
            rewritten.flatten().collect()
        }
        let duration = if fields == Fields::Defaults { self.durations[0] } else { 0 };
        let defaults: Vec<u8> =
            [1, 1, duration, 0, 0].iter().flat_map(|word: &u32| word.to_be_bytes()).collect();
        let extends = a_box(b"mvex", &full_box(b"trex", 0, &defaults));
        a_box(b"moov", &[without_samples(&self.moov), extends].concat())
    }

    /// A fragmented file of `length` samples a fragment.
    fn fragmented(&self, length: usize, base: Base, fields: Fields, index: bool) -> Vec<u8> {
        const NOT_SYNC: u32 = 0x1_0000;
        let mut out = a_box(b"ftyp", b"iso5\0\0\0\0iso5mp41");
        out.extend(self.header(fields));
        if index {
            // One reference to all that follows; a reader may use it or not.
            let words = [1, 90_000, 0, 0, 1, 0, 0, 0x9000_0000_u32];
            out.extend(full_box(
                b"sidx",
                0,
                &words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>(),
            ));
        }
        let mut time = 0_u64;
        for first in (0..self.media.len()).step_by(length) {
            let samples = first..(first + length).min(self.media.len());
            let flags_of = |sample: usize| if self.sync[sample] { 0 } else { NOT_SYNC };
            let fragment = |data_offset: u32| {
                let mut head = 1_u32.to_be_bytes().to_vec();
                let mut head_flags = 0;
                match base {
                    Base::Moof => head_flags |= 0x2_0000,
                    Base::Implied => {}
                    Base::Absolute => {
                        head_flags |= 1;
                        head.extend((out.len() as u64).to_be_bytes());
                    }
                }
                let mut run = (samples.len() as u32).to_be_bytes().to_vec();
                run.extend(data_offset.to_be_bytes());
                let run_flags = match fields {
                    Fields::Samples => 0x701,
                    Fields::Defaults => {
                        head_flags |= 32;
                        head.extend(NOT_SYNC.to_be_bytes());
                        run.extend(flags_of(first).to_be_bytes());
                        0x205
                    }
                };
                for sample in samples.clone() {
                    if fields == Fields::Samples {
                        run.extend(self.durations[sample].to_be_bytes());
                    }
                    run.extend((self.media[sample].len() as u32).to_be_bytes());
                    if fields == Fields::Samples {
                        run.extend(flags_of(sample).to_be_bytes());
                    }
                }
                let track = [
                    full_box(b"tfhd", head_flags, &head),
                    full_box(b"tfdt", 1 << 24, &time.to_be_bytes()),
                    full_box(b"trun", run_flags, &run),
                ];
                let number = full_box(b"mfhd", 0, &(first as u32 + 1).to_be_bytes());
                a_box(b"moof", &[number, a_box(b"traf", &track.concat())].concat())
            };
            // Data begin after the header of `mdat`.
            let moof = fragment(fragment(0).len() as u32 + 8);
            out.extend(moof);
            out.extend(a_box(b"mdat", &self.media[samples.clone()].concat()));
            time += samples.map(|sample| u64::from(self.durations[sample])).sum::<u64>();
        }
        out
    }
}

fn all(path: &Path) -> Clip {
    Video::open(path).unwrap().sample(Sampling::All).unwrap()
}

fn assert_same(what: &str, found: &Clip, expected: &Clip) {
    assert_eq!(found.frames.len(), expected.frames.len(), "{what}");
    assert!(found.damage.is_empty(), "{what}: {:?}", found.damage);
    assert!(found.frames == expected.frames, "{what}: other frames");
    for (a, b) in found.timestamps.iter().zip(&expected.timestamps) {
        assert!((a - b).abs() < 1e-6, "{what}: {:?}, not {:?}", found.timestamps, expected.timestamps);
    }
}

#[test]
fn fragments_give_the_frames_and_times_of_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.mp4");
    write_scenes(
        &whole,
        (64, 48),
        FRAMES,
        12.5,
        Mp4Options { keyframe_interval: 6, ..Mp4Options::default() },
    );
    let (expected, samples) = (all(&whole), Samples::read(&whole));
    assert_eq!(expected.frames.len(), FRAMES);
    for length in [1, 6, 7, FRAMES] {
        for (name, base) in [("moof", Base::Moof), ("absolute", Base::Absolute), ("implied", Base::Implied)] {
            for (kind, fields) in [("samples", Fields::Samples), ("defaults", Fields::Defaults)] {
                if fields == Fields::Defaults && length == 7 {
                    // Keyframes inside a fragment cannot be told by the flags of its first sample.
                    continue;
                }
                for index in [false, true] {
                    let what =
                        format!("{length} samples a fragment, base {name}, fields in {kind}, sidx {index}");
                    let file = folder.path().join("fragments.mp4");
                    std::fs::write(&file, samples.fragmented(length, base, fields, index)).unwrap();
                    assert_same(&what, &all(&file), &expected);
                }
            }
        }
    }
}

#[test]
fn a_cut_off_fragment_costs_only_its_own_frames() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, cut) = (folder.path().join("whole.mp4"), folder.path().join("cut.mp4"));
    write_scenes(
        &whole,
        (64, 48),
        FRAMES,
        12.5,
        Mp4Options { keyframe_interval: 6, ..Mp4Options::default() },
    );
    let (expected, samples) = (all(&whole), Samples::read(&whole));
    let bytes = samples.fragmented(6, Base::Moof, Fields::Samples, false);
    let missing = samples.media[18..].iter().map(Vec::len).sum::<usize>();
    std::fs::write(&cut, &bytes[..bytes.len() - missing]).unwrap();
    let found = all(&cut);
    assert!(found.frames[..18] == expected.frames[..18], "frames of whole fragments");
    assert!(found.frames.len() < FRAMES);
}

#[test]
fn fragments_that_ffmpeg_cuts_are_read_alike() {
    if !has_ffmpeg() {
        return locate::skip("no ffmpeg");
    }
    let folder = tempfile::tempdir().unwrap();
    let (whole, cut) = (folder.path().join("whole.mp4"), folder.path().join("cut.mp4"));
    write_scenes(
        &whole,
        (64, 48),
        FRAMES,
        12.5,
        Mp4Options { keyframe_interval: 6, ..Mp4Options::default() },
    );
    for flags in
        ["frag_keyframe+empty_moov", "frag_keyframe+empty_moov+default_base_moof", "frag_every_frame"]
    {
        let status = Command::new(ffmpeg_program())
            .args(["-v", "error", "-y", "-i"])
            .arg(&whole)
            .args(["-c", "copy", "-movflags", flags])
            .arg(&cut)
            .status();
        assert!(status.unwrap().success(), "{flags}");
        assert_same(flags, &all(&cut), &all(&whole));
    }
}

/// What a terse fragment leaves out.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Terse {
    /// Start times.
    Times,
    /// Start times, and where the second of two runs lies: after the first.
    SecondOffset,
    /// Start times, and every position of the video track: its data begin where those of the sound track before it end.
    SecondTrack,
}

impl Samples {
    /// Fragments of six samples, each in two runs of three.
    fn terse(&self, terse: Terse) -> Vec<u8> {
        const SOUND: &[u8] = &[0xaa; 50];
        let mut out = a_box(b"ftyp", b"iso5\0\0\0\0iso5mp41");
        out.extend(self.header(Fields::Samples));
        for first in (0..self.media.len()).step_by(6) {
            let samples: Vec<usize> = (first..(first + 6).min(self.media.len())).collect();
            let with_sound = terse == Terse::SecondTrack;
            let moof = |data: u32| {
                let mut tracks = full_box(b"mfhd", 0, &[0, 0, 0, 1]);
                let mut position = data;
                if with_sound {
                    let words = [1, position, 1024, SOUND.len() as u32].map(u32::to_be_bytes).concat();
                    let parts = [full_box(b"tfhd", 0, &[0, 0, 0, 2]), full_box(b"trun", 0x301, &words)];
                    tracks.extend(a_box(b"traf", &parts.concat()));
                }
                let mut parts = full_box(b"tfhd", 0, &[0, 0, 0, 1]);
                for (number, run) in samples.chunks(3).enumerate() {
                    let left_out = match terse {
                        Terse::Times => false,
                        Terse::SecondOffset => number > 0,
                        Terse::SecondTrack => true,
                    };
                    let mut words = (run.len() as u32).to_be_bytes().to_vec();
                    if !left_out {
                        words.extend(position.to_be_bytes());
                    }
                    for &sample in run {
                        let size = self.media[sample].len() as u32;
                        let flags = if self.sync[sample] { 0 } else { 0x1_0000 };
                        words.extend([self.durations[sample], size, flags].map(u32::to_be_bytes).concat());
                        position += size;
                    }
                    parts.extend(full_box(b"trun", if left_out { 0x700 } else { 0x701 }, &words));
                }
                tracks.extend(a_box(b"traf", &parts));
                a_box(b"moof", &tracks)
            };
            let moof = moof(moof(0).len() as u32 + 8);
            out.extend(moof);
            let sound = if with_sound { SOUND } else { &[] };
            out.extend(a_box(
                b"mdat",
                &[sound, &self.media[first..=samples[samples.len() - 1]].concat()].concat(),
            ));
            // Players skip boxes that they do not know.
            out.extend(full_box(b"emsg", 0, &[0; 12]));
        }
        out.extend(full_box(b"mfra", 0, &[0; 4]));
        out
    }
}

#[test]
fn fragments_that_leave_things_out_are_completed_from_what_precedes_them() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, terse) = (folder.path().join("whole.mp4"), folder.path().join("terse.mp4"));
    let options = Mp4Options { keyframe_interval: 6, ..Mp4Options::default() };
    write_scenes(&whole, (64, 48), FRAMES, 12.5, options);
    let (expected, samples) = (all(&whole), Samples::read(&whole));
    for kind in [Terse::Times, Terse::SecondOffset, Terse::SecondTrack] {
        std::fs::write(&terse, samples.terse(kind)).unwrap();
        assert_same(&format!("{kind:?} left out"), &all(&terse), &expected);
    }
}
