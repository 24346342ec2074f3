//! Finds out what lies at a path and who is to decode it.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::error::VideoError;
use crate::info::{Decoder, OpenOptions, VideoInfo};
use crate::mp4::{self, Track};
use crate::native::{self, NativeSource, Refusal};
use crate::sniff::{Kind, PictureFormat, codec_name, sniff};
use crate::source::Opened;
use crate::warning::Warning;
use crate::{animation, ffmpeg, images};

/// So many first bytes tell the containers and codecs that are known by name.
const HEAD: u64 = 1 << 16;

/// Opens a file or folder.
pub(crate) fn open_source(path: &Path, options: &OpenOptions) -> Result<Opened, VideoError> {
    let unreadable = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => VideoError::NotFound { path: path.to_path_buf() },
        _ => VideoError::Unreadable { path: path.to_path_buf(), source },
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return images::open_folder(path, options);
    }
    // Before it is opened: that alone waits, for a pipe.
    if !metadata.is_file() {
        return Err(VideoError::NotAFile { path: path.to_path_buf(), what: special_file(&metadata) });
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let mut head = Vec::new();
    file.by_ref().take(HEAD).read_to_end(&mut head).map_err(unreadable)?;
    if head.is_empty() {
        return Err(VideoError::NotAVideo { path: path.to_path_buf(), reason: "the file is empty".into() });
    }
    let info = VideoInfo::unknown(path.to_path_buf(), metadata.len());
    match sniff(&head) {
        Kind::Mp4 => open_mp4(file, info, options),
        Kind::Pictures(format) => open_pictures(info, format, options),
        Kind::Heif(name) => open_heif(info, name, options),
        Kind::Playlist(what) => Err(VideoError::RefersToOthers { path: info.path, what: what.into() }),
        Kind::Other { container, codec } => {
            ffmpeg::open(VideoInfo { container: container.into(), codec, ..info }, None, options)
        }
        Kind::Unknown => ffmpeg::open_unknown(info, options),
    }
}

#[cfg(unix)]
fn special_file(metadata: &fs::Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn special_file(_: &fs::Metadata) -> &'static str {
    "a device"
}

fn open_pictures(
    info: VideoInfo,
    format: PictureFormat,
    options: &OpenOptions,
) -> Result<Opened, VideoError> {
    let named = VideoInfo { container: format.name().into(), ..info.clone() };
    match animation::open(info, format, options) {
        Err(error) if error.depends_on_decoder() => {
            ffmpeg_after(error, named, None, options).map(|(opened, _)| opened)
        }
        opened => opened,
    }
}

/// Opens with `ffmpeg` what failed to be read here, and gives the failure back. When `ffmpeg` fails, too, both reasons are told.
pub(crate) fn ffmpeg_after(
    error: VideoError,
    info: VideoInfo,
    expected: Option<Vec<f64>>,
    options: &OpenOptions,
) -> Result<(Opened, VideoError), VideoError> {
    let path = info.path.clone();
    match ffmpeg::open(info, expected, options) {
        Ok((mut info, source)) => {
            info.warnings.push(Warning::ReadThroughFfmpeg { reason: error.without(&path) });
            Ok(((info, source), error))
        }
        // There is no ffmpeg, or it says the same.
        Err(VideoError::UnsupportedCodec { .. }) => Err(error),
        Err(VideoError::NoVideoTrack { .. }) if matches!(error, VideoError::NoVideoTrack { .. }) => {
            Err(error)
        }
        Err(ffmpeg) => Err(VideoError::Both { path, native: Box::new(error), ffmpeg: Box::new(ffmpeg) }),
    }
}

/// A picture in the container of MP4. A large one is cut into tiles, which are tracks of their own for `ffmpeg`: one of them is not
/// the picture.
fn open_heif(info: VideoInfo, name: &'static str, options: &OpenOptions) -> Result<Opened, VideoError> {
    let path = info.path.clone();
    let refused = |said: &str| VideoError::NotAVideo {
        path: path.clone(),
        reason: format!("the {name} picture cannot be read, {said}: convert it to PNG or JPEG"),
    };
    let codec = format!("{name} picture");
    let info = VideoInfo { container: name.into(), codec, ..info };
    let (mut info, source) = match ffmpeg::open(info, None, options) {
        Ok(opened) => opened,
        Err(VideoError::NotAVideo { reason, .. }) => return Err(refused(&reason)),
        Err(VideoError::NoVideoTrack { .. }) => return Err(refused("ffmpeg finds none in it")),
        Err(error) => return Err(error),
    };
    if info.warnings.iter().any(|warning| matches!(warning, Warning::OtherTracks { .. })) {
        return Err(refused("it consists of tiles"));
    }
    info.frames = None;
    Ok((info, source))
}

fn open_mp4(mut file: File, mut info: VideoInfo, options: &OpenOptions) -> Result<Opened, VideoError> {
    info.container = "MP4".into();
    let mp4::Movie { mut track, video_tracks, duration, created } =
        match mp4::read_movie(&mut file, &info, &options.limits) {
            Err(error) if error.depends_on_decoder() => {
                return ffmpeg_after(error, info, None, options).map(|(opened, _)| opened);
            }
            read => read?,
        };
    if video_tracks > 1 {
        info.warnings.push(Warning::OtherTracks { read: track.index, tracks: video_tracks });
    }
    let path = info.path.clone();
    let prepared = native::prepare(&mut file, &mut track, &options.limits);
    describe(&mut info, &track, duration);
    info.created = created;
    match prepared {
        Ok(configurations) => {
            let source = NativeSource::new(&path, track, configurations, options.cancellation.clone());
            let (width, height) = source.size();
            (info.width, info.height) = source.track().orientation.size(width, height);
            info.decoder = Decoder::Native;
            Ok((info, Box::new(source)))
        }
        Err(Refusal::Limit(source)) => Err(VideoError::Limit { path, source }),
        Err(refusal) => {
            if let Refusal::Feature(reason) = refusal {
                info.codec = format!("{} ({reason})", info.codec);
            }
            ffmpeg::open(info, Some(track.expected_timestamps()), options)
        }
    }
}

fn describe(info: &mut VideoInfo, track: &Track, duration: Option<f64>) {
    info.codec = codec_name(&track.codec);
    (info.width, info.height) = track.orientation.size(track.width, track.height);
    info.rotation = track.orientation.degrees();
    let timestamps = track.expected_timestamps();
    info.frames = Some(timestamps.len());
    info.duration = duration.or_else(|| {
        let (first, last) = (timestamps.first()?, timestamps.last()?);
        // The last frame is shown for as long as the others on average.
        Some((last - first) * timestamps.len() as f64 / (timestamps.len() - 1).max(1) as f64)
    });
}
