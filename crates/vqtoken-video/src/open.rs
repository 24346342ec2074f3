//! Finds out what lies at a path and who is to decode it.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use vqtoken_files::Limits;

use crate::error::VideoError;
use crate::info::{Decoder, OpenOptions, VideoInfo};
use crate::mp4::{self, Track};
use crate::native::{self, NativeSource, Refusal};
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
        Kind::Mp4 => open_mp4(file, info, &Limits::default()),
        Kind::Gif => gif::open(info),
        Kind::Image => images::open_file(path, options.images_per_second),
        Kind::Other { container, codec } => {
            ffmpeg::open(VideoInfo { container: container.into(), codec, ..info }, None)
        }
        Kind::Unknown => ffmpeg::open_unknown(info),
    }
}

fn open_mp4(mut file: File, mut info: VideoInfo, limits: &Limits) -> Result<Opened, VideoError> {
    let path = info.path.clone();
    info.container = "MP4".into();
    let (mut track, duration) = mp4::read_track(&mut file, &info, limits)?;
    let prepared = native::prepare(&mut file, &mut track, limits);
    describe(&mut info, &track, duration);
    match prepared {
        Ok(configurations) => {
            let source = NativeSource::new(&path, track, configurations);
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
