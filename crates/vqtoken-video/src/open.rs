//! Finds out what lies at a path and who is to decode it.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::error::VideoError;
use crate::info::{Decoder, OpenOptions, VideoInfo};
use crate::mp4::{self, Track};
use crate::native::{self, NativeSource};
use crate::sniff::{Kind, codec_name, sniff};
use crate::source::Opened;
use crate::{ffmpeg, gif, images};

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
        return images::open_folder(path, options.images_per_second);
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let mut head = Vec::new();
    file.by_ref().take(HEAD).read_to_end(&mut head).map_err(unreadable)?;
    if head.is_empty() {
        return Err(VideoError::NotAVideo { path: path.to_path_buf(), reason: "the file is empty".into() });
    }
    let info = VideoInfo {
        path: path.to_path_buf(),
        container: String::new(),
        codec: String::new(),
        width: 0,
        height: 0,
        frames: None,
        duration: None,
        rotation: 0,
        file_bytes: metadata.len(),
        decoder: Decoder::Ffmpeg,
    };
    match sniff(&head) {
        Kind::Mp4 => open_mp4(file, info),
        Kind::Gif => gif::open(info),
        Kind::Image => images::open_file(path, options.images_per_second),
        Kind::Other { container, codec } => {
            ffmpeg::open(VideoInfo { container: container.into(), codec, ..info }, None)
        }
        Kind::Unknown => ffmpeg::open_unknown(info),
    }
}

fn open_mp4(mut file: File, mut info: VideoInfo) -> Result<Opened, VideoError> {
    let path = info.path.clone();
    let movie = mp4::read_movie(&mut file, info.file_bytes)
        .map_err(|source| VideoError::Unreadable { path: path.clone(), source })?;
    info.container = "MP4".into();
    let Some(movie) = movie else {
        let reason = "an MP4 file without its movie header (moov): it was cut off or never finished";
        return Err(VideoError::NotAVideo { path, reason: reason.into() });
    };
    let Some(track) = movie.track else {
        return Err(VideoError::NoVideoTrack { path, container: info.container });
    };
    if track.samples.is_empty() {
        return Err(VideoError::NoFrames { path, reason: "the video track is empty".into() });
    }
    describe(&mut info, &track, movie.duration);
    match native::configuration(&track) {
        Ok(configuration) => {
            let source = NativeSource::new(&path, track, configuration);
            let (width, height) = source.size();
            (info.width, info.height) = source.track().orientation.size(width, height);
            info.decoder = Decoder::Native;
            Ok((info, Box::new(source)))
        }
        Err(reason) => {
            if let Some(reason) = reason {
                info.codec = format!("{} ({reason})", info.codec);
            }
            ffmpeg::open(info, Some(track.expected_timestamps()))
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
