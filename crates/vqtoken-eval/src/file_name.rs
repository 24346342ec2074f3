//! Names of video files.

use std::path::Path;

const EXTENSIONS: [&str; 14] =
    ["mp4", "mkv", "webm", "avi", "mov", "m4v", "flv", "wmv", "mpg", "mpeg", "3gp", "ts", "ogv", "gif"];
/// Whether a file is a video by its extension.
pub(crate) fn is_video(path: &Path) -> bool {
    let extension = path.extension().and_then(|text| text.to_str());
    extension.is_some_and(|extension| EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension)))
}

/// The name of a video: its file's without the extension of a video, if it has one. Other dots belong to the name.
pub(crate) fn video_name(file: &str) -> String {
    let path = Path::new(file);
    match is_video(path) {
        true => path.with_extension("").to_string_lossy().into_owned(),
        false => file.to_owned(),
    }
}

/// The file, if it is named with the extension of a video.
pub(crate) fn video_file(file: &str) -> Option<String> {
    is_video(Path::new(file)).then(|| file.to_owned())
}
