//! Files below the media folder, and nothing outside of it.

use std::path::{Path, PathBuf};

use url::Url;

use crate::error::ApiError;
use crate::media::known_files::KnownFiles;
use crate::media::{Held, VideoMedia, display_name};

/// The file of a `file:` address. What is outside of the folder is refused in the same words whether it is there or not.
pub(crate) fn open(
    url: &Url,
    place: &str,
    folder: Option<&Path>,
    known: &KnownFiles,
) -> Result<VideoMedia, ApiError> {
    let refused = |problem| ApiError::File { param: place.to_owned(), problem };
    let folder = folder.ok_or_else(|| {
        refused(
            "files of this machine are not served: start the server with --media FOLDER, or upload the file",
        )
    })?;
    if url.host_str().is_some_and(|host| !host.is_empty() && host != "localhost") {
        return Err(refused("a file: address has no host: write file:///path/of/the/file"));
    }
    let path = url.to_file_path().map_err(|()| refused("the address names no file of this machine"))?;
    let outside = || refused("there is no such file below the media folder");
    let path: PathBuf = path.canonicalize().map_err(|_| outside())?;
    if !path.starts_with(folder) {
        return Err(outside());
    }
    let about = path.metadata().map_err(|_| outside())?;
    if !about.is_file() {
        return Err(refused("it is not a file"));
    }
    let content = known.hash(&path, &about).map_err(|_| refused("the file cannot be read"))?;
    let name = path.file_name().map(|name| display_name(&name.to_string_lossy())).unwrap_or_default();
    Ok(VideoMedia { path, name, content, pictures: None, _held: Held::Nothing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_climbs_out_of_the_folder_is_refused() {
        let outer = tempfile::tempdir().unwrap();
        let outer_path = outer.path().canonicalize().unwrap();
        let folder = outer_path.join("media");
        std::fs::create_dir_all(folder.join("inner")).unwrap();
        std::fs::write(outer_path.join("secret.mp4"), "secret").unwrap();
        std::fs::write(folder.join("inner/clip 1.mp4"), "clip").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(outer_path.join("secret.mp4"), folder.join("link.mp4")).unwrap();
        let known = KnownFiles::new();
        let open = |url: &str| {
            super::open(&Url::parse(url).unwrap(), "url", Some(&folder), &known).map(|media| media.name)
        };
        let base = Url::from_file_path(&folder).unwrap();
        assert_eq!(open(&format!("{base}/inner/clip%201.mp4")).unwrap(), "clip 1.mp4");
        for path in ["../secret.mp4", "%2e%2e/secret.mp4", "..%2fsecret.mp4", "link.mp4", "inner", "none.mp4"]
        {
            assert!(open(&format!("{base}/{path}")).is_err(), "{path}");
        }
        assert!(open("file:///etc/passwd").is_err());
        assert!(open("file://example.org/etc/passwd").is_err());
        let none = super::open(&Url::parse("file:///x").unwrap(), "url", None, &known);
        assert!(none.unwrap_err().to_string().contains("--media"));
    }
}
