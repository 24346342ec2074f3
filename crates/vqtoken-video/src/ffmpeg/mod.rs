//! Every codec and container that is not decoded natively: frames from an `ffmpeg` program over pipes.
//!
//! One run gives the time of every frame on one pipe and the wanted frames, as PPM pictures, on another. `ffmpeg` applies the
//! rotation, and the colour matrix and range of the stream (BT.601 where it names none); HDR is not tone mapped.

mod command;
mod description;
pub(crate) mod live;
mod log;
mod pass;
mod ppm;
mod probe;
mod process;
mod times;

use std::time::Duration;

use vqtoken_files::{Limit, Limits};

pub(crate) use self::command::program;
use self::description::{Description, Stream};
use self::pass::FfmpegSource;
use self::probe::FlatReader;
use self::process::Halt;
use crate::error::VideoError;
use crate::info::{Decoder, OpenOptions, Programs, VideoInfo};
use crate::source::Opened;
use crate::warning::Warning;

/// Opens a file of which codec and container are known, filling in what only `ffmpeg` knows.
pub(crate) fn open(
    info: VideoInfo,
    expected: Option<Vec<f64>>,
    options: &OpenOptions,
) -> Result<Opened, VideoError> {
    if options.programs == Programs::None {
        return Err(missing(info));
    }
    match probe::describe(&info.path, &options.limits, options.patience) {
        Ok(None) => Err(missing(info)),
        Ok(Some(description)) => opened(info, description, expected, options),
        Err(halt) => Err(halted(&info.path, halt, options.patience)),
    }
}

/// Opens a file whose first bytes say nothing.
pub(crate) fn open_unknown(info: VideoInfo, options: &OpenOptions) -> Result<Opened, VideoError> {
    let path = info.path.clone();
    open(info, None, options).map_err(|error| match error {
        VideoError::UnsupportedCodec { .. } => VideoError::NotAVideo {
            path,
            reason: "none of the known containers (with ffmpeg on PATH there would be more)".into(),
        },
        error => error,
    })
}

fn missing(info: VideoInfo) -> VideoError {
    VideoError::UnsupportedCodec {
        path: info.path,
        codec: info.codec,
        container: info.container,
        program: program(),
    }
}

fn halted(path: &std::path::Path, halt: Halt, patience: Duration) -> VideoError {
    let path = path.to_path_buf();
    match halt {
        Halt::Stalled => VideoError::Stalled { path, seconds: patience.as_secs_f64() },
        Halt::Io(error) => VideoError::Ffmpeg { path, said: error.to_string() },
    }
}

fn opened(
    mut info: VideoInfo,
    description: Description,
    expected: Option<Vec<f64>>,
    options: &OpenOptions,
) -> Result<Opened, VideoError> {
    if let Some((width, height)) = description.oversized {
        check(&info, width, height, &options.limits)?;
    }
    let Some(stream) = choose(&description.streams) else {
        return Err(no_stream(info, description));
    };
    info.decoder = Decoder::Ffmpeg;
    check(&info, stream.width, stream.height, &options.limits)?;
    warn(&mut info, &description.streams, stream);
    complete(&mut info, stream, description.container.as_deref());
    info.duration = info.duration.or(description.duration);
    info.created = info.created.or(description.created);
    let source = FfmpegSource::new(info.path.clone(), stream.index, expected, options);
    Ok((info, Box::new(source)))
}

/// The track that players show: the first that is marked as default, or else the first; never a cover.
fn choose(streams: &[Stream]) -> Option<&Stream> {
    let mut videos = streams.iter().filter(|stream| !stream.is_attached);
    let first = videos.clone().next();
    videos.find(|stream| stream.is_default).or(first)
}

fn no_stream(info: VideoInfo, description: Description) -> VideoError {
    let path = info.path;
    match (description.container, description.complaint) {
        (None, Some(said)) if said.contains("not on whitelist") => {
            VideoError::RefersToOthers { path, what: "in a format that may name other files".into() }
        }
        (None, said) => {
            let said = said.unwrap_or_else(|| "it gives no reason".into());
            let said = said.strip_prefix(&format!("file:{}: ", path.display())).unwrap_or(&said);
            let reason = format!("ffmpeg cannot open it: {said}");
            VideoError::NotAVideo { path, reason }
        }
        (Some(container), _) => VideoError::NoVideoTrack { path, container },
    }
}

fn check(info: &VideoInfo, width: usize, height: usize, limits: &Limits) -> Result<(), VideoError> {
    limits
        .check_product(Limit::FramePixels, &[width, height])
        .map_err(|source| VideoError::Limit { path: info.path.clone(), source })
}

fn warn(info: &mut VideoInfo, streams: &[Stream], stream: &Stream) {
    let attached = streams.iter().filter(|stream| stream.is_attached).count();
    let videos = streams.len() - attached;
    if attached > 0 {
        info.warnings.push(Warning::AttachedPictures { pictures: attached });
    }
    if videos > 1 {
        info.warnings.push(Warning::OtherTracks { read: stream.index, tracks: videos });
    }
    if let Some(transfer) = &stream.transfer {
        info.warnings.push(Warning::Hdr { transfer: transfer.clone() });
    }
}

fn complete(info: &mut VideoInfo, stream: &Stream, container: Option<&str>) {
    if info.container.is_empty() {
        info.container = container.unwrap_or_default().to_owned();
    }
    if info.codec.is_empty() || info.codec == "video" {
        info.codec.clone_from(&stream.codec);
    }
    if info.width == 0 {
        info.rotation = stream.rotation;
        let turned = stream.rotation % 180 == 90;
        (info.width, info.height) =
            if turned { (stream.height, stream.width) } else { (stream.width, stream.height) };
    }
}

/// Reads bytes with every parser of what `ffmpeg` and `ffprobe` put out. For fuzzing only.
pub fn parse_output(bytes: &[u8], limits: &Limits) {
    let mut pictures = bytes;
    while let Ok(Some(_)) = ppm::read_ppm(&mut pictures, limits) {}
    let (mut times, mut flat, mut logged) =
        (times::Times::default(), FlatReader::default(), Description::default());
    process::each_line(bytes, |line| {
        if let Some(line) = times::frame_line(line) {
            times.add(line);
        }
        flat.add(line);
        log::read_description(&mut logged, line);
        true
    });
    assert!(times.seconds.is_sorted() && times.seconds.iter().all(|seconds| seconds.is_finite()));
    for description in [flat.finish(), logged] {
        assert!(description.complaint.is_none_or(|text| !text.contains('\n')));
        let _ = choose(&description.streams);
    }
}
