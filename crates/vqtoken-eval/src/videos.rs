//! Which file is the video of an id.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::folder::files_below;
use crate::item::Item;
use crate::read::rows::read_json;
use crate::read::{Annotations, ReadError};

const EXTENSIONS: [&str; 14] =
    ["mp4", "mkv", "webm", "avi", "mov", "m4v", "flv", "wmv", "mpg", "mpeg", "3gp", "ts", "ogv", "gif"];
const DEPTH: usize = 6;
const MAP: &str = "map_vid_vidorID.json";

/// The videos in a folder, however nested.
#[derive(Clone, Debug)]
pub struct VideoFolder {
    /// By path below the folder without extension, and by file name without extension; the first of several stays.
    by_name: BTreeMap<String, PathBuf>,
    /// NExT-QA's videos have other names in the set they come from: id to path there, as its authors' file says.
    other_names: BTreeMap<String, String>,
}

/// A missing video, and how many questions ask about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingVideo {
    /// Its id.
    pub video: String,
    /// How many questions.
    pub questions: usize,
}

impl VideoFolder {
    /// Lists every video in a folder and up to six folders below it.
    ///
    /// A file `map_vid_vidorID.json` in there or beside the annotations gives videos second names.
    pub fn scan(folder: &Path, annotations: Option<&Annotations>) -> Result<Self, ReadError> {
        let files =
            files_below(folder, DEPTH).map_err(|source| ReadError::Io { path: folder.into(), source })?;
        let mut by_name = BTreeMap::new();
        for file in &files {
            let extension = file.extension().and_then(|text| text.to_str()).map(str::to_ascii_lowercase);
            if !extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str())) {
                continue;
            }
            let name = file.strip_prefix(folder).unwrap_or(file).with_extension("");
            // Every ending of the path is a name: ids may hold folders of the set they come from.
            for ending in name.ancestors().filter_map(|parent| name.strip_prefix(parent).ok()) {
                if !ending.as_os_str().is_empty() {
                    let ending = ending.to_string_lossy().replace('\\', "/");
                    by_name.entry(ending).or_insert_with(|| file.clone());
                }
            }
            by_name.entry(name.to_string_lossy().replace('\\', "/")).or_insert_with(|| file.clone());
        }
        let beside = annotations.map(|annotations| annotations.questions.with_file_name(MAP));
        let map = beside
            .filter(|path| path.is_file())
            .or_else(|| files.iter().find(|file| file.ends_with(MAP)).cloned());
        let other_names = map.as_deref().map(read_map).transpose()?.unwrap_or_default();
        Ok(Self { by_name, other_names })
    }

    /// Whether there are no videos.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The file of a video: by its path or name in the folder, by its other name, or as ActivityNet names files (`v_ID`).
    pub fn find(&self, id: &str) -> Option<&Path> {
        let other = self.other_names.get(id).map(String::as_str);
        let found = other.and_then(|name| self.by_name.get(name)).or_else(|| self.by_name.get(id));
        found.or_else(|| self.by_name.get(&format!("v_{id}"))).map(PathBuf::as_path)
    }

    /// The file of each item, and the missing videos in the order of their first question.
    pub fn locate(&self, items: &[Item]) -> (Vec<Option<PathBuf>>, Vec<MissingVideo>) {
        let mut missing: Vec<MissingVideo> = Vec::new();
        let mut indices = BTreeMap::new();
        let paths = items.iter().map(|item| {
            let path = self.find(&item.video);
            if path.is_none() {
                let index = *indices.entry(&item.video).or_insert(missing.len());
                match missing.get_mut(index) {
                    Some(video) => video.questions += 1,
                    None => missing.push(MissingVideo { video: item.video.clone(), questions: 1 }),
                }
            }
            path.map(Path::to_path_buf)
        });
        (paths.collect(), missing)
    }
}

fn read_map(path: &Path) -> Result<BTreeMap<String, String>, ReadError> {
    fs::metadata(path).map_err(|source| ReadError::Io { path: path.into(), source })?;
    serde_json::from_value(read_json(path)?).map_err(|error| {
        crate::read::rows::syntax(path, "the whole file", "JSON of names by id", &error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::Expected;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    #[test]
    fn videos_are_found_by_id_in_any_folder_with_any_extension() {
        let files = ["1.MP4", "0101/2.webm", "deep/er/v_abc.mkv", "notes.txt", "x/dup.mp4", "y/dup.mp4"];
        let folder = folder(&files);
        let videos = VideoFolder::scan(folder.path(), None).unwrap();
        let find =
            |id: &str| videos.find(id).map(|path| path.strip_prefix(folder.path()).unwrap().to_path_buf());
        assert_eq!(find("1"), Some("1.MP4".into()));
        assert_eq!(find("2"), Some("0101/2.webm".into()));
        assert_eq!(find("0101/2"), Some("0101/2.webm".into()));
        assert_eq!(find("abc"), Some("deep/er/v_abc.mkv".into()));
        assert_eq!(find("er/v_abc"), Some("deep/er/v_abc.mkv".into()));
        assert_eq!(find("dup"), Some("x/dup.mp4".into()), "the first in order");
        assert_eq!((find("notes"), find(""), find("0101")), (None, None, None));
    }

    #[test]
    fn the_authors_map_decides_between_videos_of_one_name() {
        let folder = folder(&["0001/7.mp4", "0002/7.mp4"]);
        fs::write(folder.path().join(MAP), r#"{"7": "0002/7"}"#).unwrap();
        let videos = VideoFolder::scan(folder.path(), None).unwrap();
        assert!(videos.find("7").unwrap().ends_with("0002/7.mp4"));
        fs::write(folder.path().join(MAP), r#"{"7": 3}"#).unwrap();
        let message = VideoFolder::scan(folder.path(), None).unwrap_err().to_string();
        assert!(message.contains(MAP) && message.contains("names by id"), "{message}");
    }

    #[test]
    fn missing_videos_are_counted_with_their_questions() {
        let folder = folder(&["b.mp4"]);
        let item = |video: &str| Item {
            id: String::new(),
            video: video.into(),
            question: String::new(),
            expected: Expected::Open { answers: vec![] },
            labels: vec![],
        };
        let items = ["z", "b", "a", "z"].map(item);
        let (paths, missing) = VideoFolder::scan(folder.path(), None).unwrap().locate(&items);
        assert_eq!(paths.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false, false]);
        let counts: Vec<_> = missing.iter().map(|video| (video.video.as_str(), video.questions)).collect();
        assert_eq!(counts, [("z", 2), ("a", 1)]);
    }
}
