//! MP4 files that are laid out in unusual ways give the frames of the plain file that they were made from.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;
#[path = "../../../golden/locate.rs"]
mod locate;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::{ffmpeg_program, has_ffmpeg, write_scenes};
use vqtoken_video::{Clip, Decoder, Mp4Options, Sampling, Video, VideoError};

/// A clip of 24 frames at 10 a second, and room for files that are made from it. The header lies after the media, so that
/// rewriting it moves nothing.
struct Plain {
    folder: tempfile::TempDir,
    bytes: Vec<u8>,
    clip: Clip,
}

/// Seconds between frames.
const STEP: f64 = 0.1;

impl Plain {
    /// With B-pictures, composition offsets and an edit list, by `ffmpeg`; `None` where there is none.
    fn with_b_pictures() -> Option<Self> {
        if !has_ffmpeg() {
            locate::skip("no ffmpeg");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plain.mp4");
        let mut command = Command::new(ffmpeg_program());
        command.args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=s=96x64:r=10:d=2.4", "-c:v", "libx264"]);
        command.args(["-bf", "2", "-g", "12", "-pix_fmt", "yuv420p"]).arg(&path);
        assert!(command.status().unwrap().success());
        Some(Self::read(folder, &path))
    }

    /// With P-pictures, by this crate.
    fn written() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plain.mp4");
        let options = Mp4Options { keyframe_interval: 6, ..Mp4Options::default() };
        write_scenes(&path, (64, 48), 24, 10.0, options);
        Self::read(folder, &path)
    }

    fn read(folder: tempfile::TempDir, path: &Path) -> Self {
        let clip = Video::open(path).unwrap().sample(Sampling::All).unwrap();
        assert_eq!((clip.frames.len(), clip.info.decoder), (24, Decoder::Native));
        Self { bytes: std::fs::read(path).unwrap(), folder, clip }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("made.mp4")
    }

    fn sample(&self, bytes: &[u8]) -> Result<Clip, VideoError> {
        std::fs::write(self.path(), bytes).unwrap();
        Video::open(self.path())?.sample(Sampling::All)
    }

    /// The file with boxes of its header rewritten.
    fn with(&self, rewrite: &Rewrite<'_>) -> Vec<u8> {
        rewritten(&self.bytes, rewrite)
    }

    /// The bytes must give these frames of the plain file at multiples of [`STEP`].
    fn assert_gives(&self, what: &str, bytes: &[u8], frames: &[usize]) {
        let found = self.sample(bytes).unwrap();
        assert_eq!(found.info.decoder, Decoder::Native, "{what}");
        assert_eq!(found.info.frames, Some(frames.len()), "{what}: the headers tell how many");
        assert_eq!(found.frames.len(), frames.len(), "{what}");
        assert!(found.damage.is_empty(), "{what}: {:?}", found.damage);
        for (at, &frame) in frames.iter().enumerate() {
            assert!(found.frames[at] == self.clip.frames[frame], "{what}: frame {at} is not {frame}");
        }
    }

    fn assert_same(&self, what: &str, bytes: &[u8]) {
        self.assert_gives(what, bytes, &(0..24).collect::<Vec<_>>());
    }

    fn assert_times(&self, what: &str, first: f64) {
        let video = Video::open(self.path()).unwrap();
        let times = video.sample(Sampling::All).unwrap().timestamps;
        let right = times.iter().enumerate().all(|(at, time)| (time - first - at as f64 * STEP).abs() < 1e-6);
        assert!(right, "{what}: {times:?}");
    }
}

/// Takes a kind and a payload, gives the boxes to write in their place; `None` leaves them.
type Rewrite<'a> = dyn Fn(&[u8; 4], &[u8]) -> Option<Vec<u8>> + 'a;

fn a_box(kind: &[u8; 4], payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32 + 8).to_be_bytes()[..], kind, payload].concat()
}

fn table(kind: &[u8; 4], words: &[u32]) -> Vec<u8> {
    a_box(kind, &words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>())
}

fn words(payload: &[u8]) -> Vec<u32> {
    payload.chunks_exact(4).map(|word| u32::from_be_bytes(word.try_into().unwrap())).collect()
}

fn rewritten(mut data: &[u8], rewrite: &Rewrite<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    while data.len() >= 8 {
        let (size, header) = match u32::from_be_bytes(data[..4].try_into().unwrap()) {
            1 => (u64::from_be_bytes(data[8..16].try_into().unwrap()) as usize, 16),
            size => (size as usize, 8),
        };
        let kind: [u8; 4] = data[4..8].try_into().unwrap();
        let payload = &data[header..size];
        match rewrite(&kind, payload) {
            Some(boxes) => out.extend(boxes),
            None if matches!(&kind, b"moov" | b"trak" | b"mdia" | b"minf" | b"stbl" | b"edts") => {
                out.extend(a_box(&kind, &rewritten(payload, rewrite)));
            }
            None => out.extend(&data[..size]),
        }
        data = &data[size..];
    }
    out
}

/// An edit list over the clip: (frames shown, first frame or -1, rate in 16.16).
fn edits(entries: &[(u32, i32, u32)]) -> impl Fn(&[u8; 4], &[u8]) -> Option<Vec<u8>> {
    let entries = entries.to_vec();
    move |kind, payload| {
        // Media times begin at 0.2 s in this file, and 0.1 s are 1024 ticks.
        (kind == b"elst").then(|| {
            let before = words(payload)[3] as i32;
            let mut list = vec![0, entries.len() as u32];
            for (frames, first, rate) in &entries {
                let media = if *first < 0 { -1 } else { before + first * 1024 };
                list.extend([frames * 100, media as u32, *rate]);
            }
            table(b"elst", &list)
        })
    }
}

const NORMAL: u32 = 1 << 16;

#[test]
fn edit_lists_are_shown_as_players_show_them() {
    let Some(plain) = Plain::with_b_pictures() else { return };
    let check = |what: &str, entries: &[(u32, i32, u32)], frames: Vec<usize>, first: f64| {
        plain.assert_gives(what, &plain.with(&edits(entries)), &frames);
        plain.assert_times(what, first);
    };
    check("cut", &[(5, 3, NORMAL)], (3..8).collect(), 0.0);
    check("reordered", &[(6, 14, NORMAL), (5, 0, NORMAL)], (14..20).chain(0..5).collect(), 0.0);
    check("repeated", &[(4, 2, NORMAL); 3], (2..6).cycle().take(12).collect(), 0.0);
    check("late", &[(7, -1, NORMAL), (24, 0, NORMAL)], (0..24).collect(), 0.7);
    check("overlapping", &[(4, 0, NORMAL), (4, 2, NORMAL)], vec![0, 1, 2, 3, 2, 3, 4, 5], 0.0);

    let gap = plain.sample(&plain.with(&edits(&[(2, 0, NORMAL), (5, -1, NORMAL), (2, 2, NORMAL)]))).unwrap();
    let times: Vec<i32> = gap.timestamps.iter().map(|time| (time * 10.0).round() as i32).collect();
    assert_eq!(times, [0, 1, 7, 8]);

    let slow = plain.sample(&plain.with(&edits(&[(8, 0, NORMAL / 2)]))).unwrap();
    let times: Vec<i32> = slow.timestamps.iter().map(|time| (time * 10.0).round() as i32).collect();
    assert_eq!(times, [0, 2, 4, 6]);

    let beyond = plain.sample(&plain.with(&edits(&[(5, 500, NORMAL)]))).unwrap();
    assert_eq!(beyond.frames.len(), 24);
    assert!(beyond.damage[0].what.contains("edit list"), "{:?}", beyond.damage);
}

#[test]
fn sampled_frames_of_a_reordered_list_come_in_display_order() {
    let Some(plain) = Plain::with_b_pictures() else { return };
    std::fs::write(plain.path(), plain.with(&edits(&[(6, 14, NORMAL), (6, 0, NORMAL)]))).unwrap();
    let mut frames = Vec::new();
    let video = Video::open(plain.path()).unwrap();
    video.sample_each(Sampling::Uniform(4), &mut |frame, time| frames.push((frame, time))).unwrap();
    let expected = [14, 17, 1, 5].map(|index| &plain.clip.frames[index]);
    assert!(frames.iter().map(|(frame, _)| frame).eq(expected));
    assert!(frames.is_sorted_by_key(|(_, time)| (time * 1000.0) as i64));
}

#[test]
fn times_that_cannot_be_right_do_not_change_the_order_of_pictures() {
    let Some(plain) = Plain::with_b_pictures() else { return };
    let without_edits = |kind: &[u8; 4]| (kind == b"edts").then(Vec::new);
    let no_offsets = plain.with(&|kind, _| without_edits(kind).or_else(|| (kind == b"ctts").then(Vec::new)));
    plain.assert_same("no composition offsets", &no_offsets);
    let zero_offsets = plain.with(&|kind, _| {
        without_edits(kind).or_else(|| (kind == b"ctts").then(|| table(b"ctts", &[0, 1, 24, 0])))
    });
    plain.assert_same("all composition offsets zero", &zero_offsets);
    let zero = [0, 3, 9, 1024, 5, 0, 10, 1024];
    let stalled = plain
        .with(&|kind, _| without_edits(kind).or_else(|| (kind == b"stts").then(|| table(b"stts", &zero))));
    plain.assert_same("durations of zero", &stalled);
}

#[test]
fn presentation_times_may_be_signed_durations() {
    let Some(plain) = Plain::with_b_pictures() else { return };
    let mut times = Vec::new();
    let offsets = std::cell::RefCell::new(Vec::new());
    plain.with(&|kind, payload| {
        if kind == b"ctts" {
            let runs = words(payload)[2..].to_vec();
            let all = runs.chunks(2).flat_map(|run| std::iter::repeat_n(run[1], run[0] as usize));
            offsets.borrow_mut().extend(all);
        }
        None
    });
    times.extend(offsets.borrow().iter().enumerate().map(|(at, &shift)| at as u32 * 1024 + shift));
    let first = times[0];
    let deltas = times.windows(2).flat_map(|pair| [1, pair[1].wrapping_sub(pair[0])]);
    let list: Vec<u32> = [0, 24].into_iter().chain(deltas).chain([1, 1024]).collect();
    assert!(first > 0 && list.iter().any(|&delta| delta > u32::MAX / 2));
    let made = plain.with(&|kind, _| match kind {
        b"edts" | b"ctts" => Some(Vec::new()),
        b"stts" => Some(table(b"stts", &list)),
        _ => None,
    });
    plain.assert_same("signed durations", &made);
    plain.assert_times("signed durations", 0.0);
}

#[test]
fn sync_tables_are_not_needed_to_find_keyframes() {
    for plain in [Some(Plain::written()), Plain::with_b_pictures()].into_iter().flatten() {
        for entries in [&[][..], &[0][..], &[2], &[0, 2, 5, 900]] {
            let list: Vec<u32> =
                [0, entries.len() as u32].into_iter().chain(entries.iter().copied()).collect();
            let made = plain.with(&|kind, _| (kind == b"stss").then(|| table(b"stss", &list)));
            plain.assert_same(&format!("sync samples {entries:?}"), &made);
        }
    }
}

#[test]
fn sizes_may_be_compact() {
    let plain = Plain::written();
    let made = plain.with(&|kind, payload| {
        let sizes = words(payload);
        (kind == b"stsz").then(|| {
            let mut stz2 = table(b"stz2", &[0, 16, sizes[2]]);
            stz2.extend(sizes[3..].iter().flat_map(|&size| (size as u16).to_be_bytes()));
            let len = stz2.len() as u32;
            stz2[..4].copy_from_slice(&len.to_be_bytes());
            stz2
        })
    });
    plain.assert_same("stz2", &made);
}

#[test]
fn a_movie_header_may_be_compressed_but_no_bomb() {
    use std::io::Write;
    let plain = Plain::written();
    let packed = |claim: Option<u32>| {
        plain.with(&|kind, payload| {
            (kind == b"moov").then(|| {
                let moov = a_box(b"moov", payload);
                let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
                zlib.write_all(&moov).unwrap();
                let size = claim.unwrap_or(moov.len() as u32).to_be_bytes();
                let data = a_box(b"cmvd", &[&size[..], &zlib.finish().unwrap()].concat());
                a_box(b"moov", &a_box(b"cmov", &[a_box(b"dcom", b"zlib"), data].concat()))
            })
        })
    };
    plain.assert_same("cmov", &packed(None));
    for claim in [u32::MAX, 1 << 26, 0] {
        // An ffmpeg may read past the claim; that it had to is told.
        let told = match plain.sample(&packed(Some(claim))) {
            Ok(clip) => clip.messages().join("; "),
            Err(error) => error.to_string(),
        };
        assert!(told.contains("cmov") || told.contains("limit"), "{claim}: {told}");
    }
}

#[test]
fn encrypted_tracks_are_refused_by_that_name() {
    let plain = Plain::written();
    for kind in [b"encv", b"drmi"] {
        let mut bytes = plain.bytes.clone();
        let at = bytes.windows(4).rposition(|word| word == b"avc1").unwrap();
        bytes[at..at + 4].copy_from_slice(kind);
        let error = plain.sample(&bytes).unwrap_err();
        assert!(matches!(error, VideoError::Encrypted { .. }), "{error}");
        assert!(error.to_string().contains("encrypted"));
    }
}

#[test]
fn stills_and_lone_fragments_are_refused_by_their_names() {
    let plain = Plain::written();
    for (brand, name) in [(b"avif", "AVIF"), (b"heic", "HEIC"), (b"mif1", "HEIF")] {
        let file = [a_box(b"ftyp", &[&brand[..], &[0; 4]].concat()), a_box(b"meta", &[0; 4])].concat();
        let error = plain.sample(&file).unwrap_err().to_string();
        assert!(error.contains(name) && !error.contains("cut off"), "{error}");
    }
    let fragments = [a_box(b"styp", b"msdh\0\0\0\0"), a_box(b"moof", &[])].concat();
    let error = plain.sample(&fragments).unwrap_err().to_string();
    assert!(error.contains("initialisation segment"), "{error}");
}

#[test]
fn messages_and_delimiters_as_samples_are_no_frames() {
    let plain = Plain::written();
    // After the media lie a delimiter and an SEI message; each picture is followed by a sample of each, at its time.
    let extra: [&[u8]; 2] = [&[0, 0, 0, 2, 9, 0xf0], &[0, 0, 0, 4, 6, 5, 1, 0x80]];
    let mut bytes = plain.bytes.clone();
    let at = bytes.len() as u64 + 8;
    bytes.extend(a_box(b"mdat", &extra.concat()));
    let header = plain.bytes.windows(4).rposition(|word| word == b"moov").unwrap() - 4;
    let sizes = std::cell::RefCell::new((Vec::new(), 0_u64));
    rewritten(&plain.bytes, &|kind, payload| {
        match kind {
            b"stsz" => sizes.borrow_mut().0 = words(payload)[3..].to_vec(),
            b"co64" => sizes.borrow_mut().1 = u64::from(*words(payload).last().unwrap()),
            _ => {}
        }
        None
    });
    let (sizes, mut offset) = sizes.into_inner();
    let mut chunks = vec![0, 72];
    let mut all = vec![0, 0, 72];
    for size in sizes {
        for (place, size) in [(offset, size), (at, 6), (at + 6, 8)] {
            chunks.extend([(place >> 32) as u32, place as u32]);
            all.push(size);
        }
        offset += u64::from(size);
    }
    let tail = rewritten(&plain.bytes[header..], &|kind, payload| match kind {
        b"stsz" => Some(table(b"stsz", &all)),
        b"co64" => Some(table(b"co64", &chunks)),
        b"stsc" => Some(table(b"stsc", &[0, 1, 1, 1, 1])),
        b"stss" => {
            let list = words(payload);
            let moved = list[2..].iter().map(|number| (number - 1) * 3 + 1);
            Some(table(b"stss", &[list[0], list[1]].into_iter().chain(moved).collect::<Vec<_>>()))
        }
        b"stts" => {
            let step = words(payload)[3];
            let runs = (0..24).flat_map(|_| [2, 0, 1, step]);
            Some(table(b"stts", &[0, 48].into_iter().chain(runs).collect::<Vec<_>>()))
        }
        _ => None,
    });
    // The old header is turned into free space, so that the media stay in place.
    bytes[header + 4..header + 8].copy_from_slice(b"free");
    bytes.extend(tail);
    plain.assert_same("extra samples", &bytes);
    plain.assert_times("extra samples", 0.0);
}

#[test]
fn the_enabled_track_is_chosen_and_covers_of_sound_are_no_video() {
    let Some(plain) = Plain::with_b_pictures() else { return };
    let run = |arguments: &[&str]| {
        let mut command = Command::new(ffmpeg_program());
        command.args(["-v", "error", "-y", "-i"]).arg(plain.folder.path().join("plain.mp4")).args(arguments);
        assert!(command.arg(plain.path()).status().unwrap().success(), "{arguments:?}");
        std::fs::read(plain.path()).unwrap()
    };
    // Another video first, which is then disabled.
    let second = ["-f", "lavfi", "-i", "testsrc=s=32x32:r=5:d=1", "-map", "1", "-map", "0", "-c:v:1", "copy"];
    let mut bytes = run(&[&second[..], &["-c:v:0", "libx264", "-pix_fmt", "yuv420p"]].concat());
    let enabled = bytes.windows(4).position(|word| word == b"tkhd").unwrap() + 7;
    bytes[enabled] &= !1;
    plain.assert_same("the first track is disabled", &bytes);

    let sound = ["-f", "lavfi", "-i", "sine=d=1", "-map", "1:a", "-map", "0:v", "-frames:v", "1"];
    let bytes =
        run(&[&sound[..], &["-c:v", "mjpeg", "-disposition:v", "attached_pic", "-f", "mp4"]].concat());
    let error = plain.sample(&bytes).unwrap_err();
    assert!(matches!(error, VideoError::NoVideoTrack { .. }), "{error}");
}

#[test]
fn pictures_of_another_size_are_scaled_to_the_first() {
    let Some(plain) = Plain::with_b_pictures() else { return };
    let streams: Vec<u8> = ["96x64", "64x48"]
        .into_iter()
        .enumerate()
        .flat_map(|(number, size)| {
            let part = plain.folder.path().join("part.ts");
            let mut command = Command::new(ffmpeg_program());
            command
                .args(["-v", "error", "-y", "-f", "lavfi", "-i"])
                .arg(format!("testsrc2=s={size}:r=10:d=1"));
            command.args(["-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "2", "-output_ts_offset"]);
            assert!(command.arg((number * 2).to_string()).arg(&part).status().unwrap().success());
            std::fs::read(part).unwrap()
        })
        .collect();
    let joined = plain.folder.path().join("joined.ts");
    std::fs::write(&joined, streams).unwrap();
    let mut command = Command::new(ffmpeg_program());
    command.args(["-v", "error", "-y", "-i"]).arg(joined).args(["-c", "copy"]).arg(plain.path());
    assert!(command.status().unwrap().success());
    let found = Video::open(plain.path()).unwrap().sample(Sampling::All).unwrap();
    assert_eq!((found.frames.len(), found.info.decoder), (20, Decoder::Native));
    assert!(found.frames.iter().all(|frame| (frame.width(), frame.height()) == (96, 64)));
    assert!(found.damage.is_empty(), "{:?}", found.damage);
}

#[test]
fn cropping_on_all_sides_is_that_of_the_bitstream() {
    let Some(plain) = Plain::with_b_pictures() else { return };
    let (from, to) = (plain.folder.path().join("plain.mp4"), plain.path());
    let crop = "h264_metadata=crop_left=4:crop_right=2:crop_top=6:crop_bottom=8";
    let mut command = Command::new(ffmpeg_program());
    command.args(["-v", "error", "-y", "-i"]).arg(from).args(["-c", "copy", "-bsf:v", crop]).arg(&to);
    assert!(command.status().unwrap().success());
    let found = Video::open(&to).unwrap().sample(Sampling::All).unwrap();
    assert_eq!(found.info.decoder, Decoder::Native);
    for (found, whole) in found.frames.iter().zip(&plain.clip.frames) {
        assert_eq!((found.width(), found.height()), (90, 50));
        for row in 0..50 {
            let start = ((row + 6) * 96 + 4) * 3;
            assert!(found.rgb()[row * 270..][..270] == whole.rgb()[start..][..270], "row {row}");
        }
    }
}

#[test]
fn fragments_with_composition_offsets_give_the_frames_of_the_whole() {
    let Some(plain) = Plain::with_b_pictures() else { return };
    let from = plain.folder.path().join("plain.mp4");
    for flags in
        ["frag_keyframe+empty_moov", "frag_every_frame+empty_moov+default_base_moof", "frag_keyframe"]
    {
        let mut command = Command::new(ffmpeg_program());
        command.args(["-v", "error", "-y", "-i"]).arg(&from).args(["-c", "copy", "-movflags", flags]);
        assert!(command.arg(plain.path()).status().unwrap().success());
        let bytes = std::fs::read(plain.path()).unwrap();
        plain.assert_same(flags, &bytes);
    }
}

/// One line, within a second.
fn assert_refused_quickly(what: &str, plain: &Plain, bytes: &[u8]) {
    let started = Instant::now();
    std::fs::write(plain.path(), bytes).unwrap();
    let result = Video::open(plain.path()).map(|video| video.info().frames);
    // A debug build on a busy machine is slower than what the limit is about.
    assert!(started.elapsed() < Duration::from_secs(4), "{what} took {:?}", started.elapsed());
    let Err(error) = result else { panic!("{what} is taken") };
    let error = error.to_string();
    assert!(!error.contains('\n') && error.contains("limit"), "{what}: {error}");
}

#[test]
fn counts_beyond_the_limits_are_refused_before_they_take_memory() {
    let plain = Plain::written();
    let all = u32::MAX;
    let sizes = plain.with(&|kind, _| (kind == b"stsz").then(|| table(b"stsz", &[0, 1, all])));
    assert_refused_quickly("one size for all", &plain, &sizes);
    let sizes = plain.with(&|kind, _| (kind == b"stsz").then(|| table(b"stsz", &[0, 0, all, 1, 1])));
    assert_refused_quickly("a size each", &plain, &sizes);
    let long = plain.with(&|kind, payload| match kind {
        b"stts" => Some(table(b"stts", &[0, 1, all, 0x7fff_ffff])),
        b"mdhd" => {
            let mut header = words(payload);
            // A tick a second.
            header[if payload[0] == 1 { 5 } else { 3 }] = 1;
            Some(table(b"mdhd", &header))
        }
        _ => None,
    });
    assert_refused_quickly("durations of years", &plain, &long);
    let entry = [0, 0, NORMAL];
    let list: Vec<u32> = [0, 500_000].into_iter().chain(entry.into_iter().cycle().take(1_500_000)).collect();
    let edits = plain.with(&|kind, payload| {
        (kind == b"mdia").then(|| [a_box(b"edts", &table(b"elst", &list)), a_box(b"mdia", payload)].concat())
    });
    assert_refused_quickly("half a million edits", &plain, &edits);
    let head =
        [a_box(b"moov", &plain.bytes[plain.bytes.windows(4).rposition(|w| w == b"moov").unwrap() + 4..])];
    let run = [table(b"tfhd", &[0x2_0000, 1]), table(b"trun", &[0, all])].concat();
    let moof = a_box(b"moof", &a_box(b"traf", &run));
    assert_refused_quickly("a run of samples", &plain, &[head.concat(), moof].concat());
}

#[test]
fn a_picture_of_65536_squared_is_refused_before_it_takes_memory() {
    let plain = Plain::written();
    // Baseline, POC type 2, one reference, 4096 x 4096 macroblocks, progressive, no cropping.
    let number = format!("{:012}{:b}", 0, 4096);
    let fields = format!("110110100{number}{number}100010000000");
    let bits: Vec<u8> = fields.bytes().map(|bit| bit - b'0').collect();
    let packed = bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | bit));
    let sequence: Vec<u8> = [0x67, 66, 0, 51].into_iter().chain(packed).collect();
    let head = [1, 66, 0, 51, 0xff, 0xe1, 0, sequence.len() as u8];
    let configuration = a_box(b"avcC", &[&head[..], &sequence, &[0]].concat());
    let made = plain.with(&|kind, payload| {
        (kind == b"stsd").then(|| {
            let entry = [&payload[16..16 + 78], &configuration].concat();
            a_box(b"stsd", &[&payload[..8], &a_box(b"avc1", &entry)].concat())
        })
    });
    assert_refused_quickly("a huge picture", &plain, &made);
}

#[test]
fn boxes_within_boxes_and_lying_sizes_end_quietly() {
    let plain = Plain::written();
    let nested = (0..10_000).fold(Vec::new(), |inner, _| a_box(b"trak", &inner));
    let mut zero = a_box(b"moov", &nested);
    for size in [0_u32, 1, 7, 9, u32::MAX] {
        zero[8..12].copy_from_slice(&size.to_be_bytes());
        let error = plain.sample(&zero).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn frames_that_the_table_promises_and_does_not_have_are_reported() {
    let plain = Plain::written();
    let made = plain.with(&|kind, payload| {
        let mut sizes = words(payload);
        (kind == b"stsz").then(|| {
            sizes[2] += 5;
            table(b"stsz", &sizes)
        })
    });
    let clip = plain.sample(&made).unwrap();
    assert_eq!(clip.frames.len(), 24);
    assert_eq!(clip.damage.iter().map(|damage| damage.lost).sum::<usize>(), 5);
}
