//! Which file is the video of an id.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use vqtoken_files::{Limits, quoted};

use crate::file_name::is_video;
use crate::folder::files_below;
use crate::item::Item;
use crate::read::file::read_json;
use crate::read::{Annotations, ReadError, shown};

const DEPTH: usize = 6;
const MAP: &str = "map_vid_vidorID.json";

/// The videos in a folder, however nested.
#[derive(Clone, Debug)]
pub struct VideoFolder {
    /// By path below the folder and by every ending of it, without extension.
    by_name: BTreeMap<String, Vec<PathBuf>>,
    /// The same with extension.
    by_file: BTreeMap<String, Vec<PathBuf>>,
    /// NExT-QA's videos have other names in the set they come from: id to path there, as its authors' file says.
    other_names: BTreeMap<String, String>,
}

/// The videos of a benchmark's items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocatedVideos {
    /// The file of each item; none where it is missing.
    pub paths: Vec<Option<PathBuf>>,
    /// The missing videos in the order of their first question.
    pub missing: Vec<MissingVideo>,
    /// Videos with several files of their name, in the order of their first question.
    pub ambiguous: Vec<AmbiguousVideo>,
}

/// A missing video, and how many questions ask about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingVideo {
    /// Its id.
    pub video: String,
    /// How many questions.
    pub questions: usize,
}

/// A video whose name several files have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AmbiguousVideo {
    /// Its id.
    pub video: String,
    /// The file that is used: the one nearest to the top of the folder, and the first in order.
    pub used: PathBuf,
    /// How many other files there are.
    pub others: usize,
}

impl std::fmt::Display for AmbiguousVideo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { video, used, others } = self;
        write!(f, "{} files have the name of video {}: {} is used", others + 1, shown(video), quoted(used))
    }
}

impl VideoFolder {
    /// Lists every video in a folder and up to six folders below it.
    ///
    /// A file `map_vid_vidorID.json` in there or beside the annotations gives videos second names.
    pub fn scan(folder: &Path, annotations: Option<&Annotations>) -> Result<Self, ReadError> {
        let files =
            files_below(folder, DEPTH).map_err(|source| ReadError::Io { path: folder.into(), source })?;
        let (mut by_name, mut by_file) = (BTreeMap::new(), BTreeMap::new());
        for file in files.iter().filter(|file| is_video(file)) {
            let name = file.strip_prefix(folder).unwrap_or(file);
            add_endings(&mut by_file, name, file);
            add_endings(&mut by_name, &name.with_extension(""), file);
        }
        let beside = annotations.map(|annotations| annotations.questions.with_file_name(MAP));
        let map = beside
            .filter(|path| path.is_file())
            .or_else(|| files.iter().find(|file| file.ends_with(MAP)).cloned());
        let limits = annotations.map(|annotations| annotations.limits).unwrap_or_default();
        let other_names = map.map(|map| read_map(&map, &limits)).transpose()?.unwrap_or_default();
        Ok(Self { by_name, by_file, other_names })
    }

    /// Whether there are no videos.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The file of a video: by its path or name in the folder, by its other name, or as ActivityNet names files (`v_ID`).
    pub fn find(&self, id: &str) -> Option<&Path> {
        self.files(id).and_then(<[_]>::first).map(PathBuf::as_path)
    }

    fn files(&self, id: &str) -> Option<&[PathBuf]> {
        let other = self.other_names.get(id).map(String::as_str);
        let found = other.and_then(|name| self.by_name.get(name)).or_else(|| self.by_name.get(id));
        found.or_else(|| self.by_name.get(&format!("v_{id}"))).map(Vec::as_slice)
    }

    /// The file of each item. Annotations that name a file with its extension mean that file; where it is not there, one with another
    /// extension is taken.
    pub fn locate(&self, items: &[Item]) -> LocatedVideos {
        let mut located = LocatedVideos::default();
        let mut missing = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for item in items {
            let named = item.file.as_ref().and_then(|file| self.by_file.get(&file.replace('\\', "/")));
            let files = named.map(Vec::as_slice).or_else(|| self.files(&item.video)).unwrap_or_default();
            match files.first() {
                None => {
                    let index = *missing.entry(&item.video).or_insert(located.missing.len());
                    match located.missing.get_mut(index) {
                        Some(video) => video.questions += 1,
                        None => {
                            located.missing.push(MissingVideo { video: item.video.clone(), questions: 1 });
                        }
                    }
                }
                Some(used) if files.len() > 1 && seen.insert(used) => {
                    located.ambiguous.push(AmbiguousVideo {
                        video: item.video.clone(),
                        used: used.clone(),
                        others: files.len() - 1,
                    })
                }
                Some(_) => (),
            }
            located.paths.push(files.first().cloned());
        }
        located
    }
}

/// Adds a file under every ending of its name: ids may hold folders of the set they come from.
fn add_endings(names: &mut BTreeMap<String, Vec<PathBuf>>, name: &Path, file: &Path) {
    for ending in name.ancestors().filter_map(|parent| name.strip_prefix(parent).ok()).chain([name]) {
        if ending.as_os_str().is_empty() {
            continue;
        }
        let files: &mut Vec<PathBuf> = names.entry(ending.to_string_lossy().replace('\\', "/")).or_default();
        if files.last().is_none_or(|last| last != file) {
            files.push(file.to_owned());
        }
    }
}

fn read_map(path: &Path, limits: &Limits) -> Result<BTreeMap<String, String>, ReadError> {
    fs::metadata(path).map_err(|source| ReadError::Io { path: path.into(), source })?;
    serde_json::from_value(read_json(path, limits)?).map_err(|error| {
        crate::read::file::syntax(path, "the whole file", "JSON of names by id", &error.to_string())
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
    fn dots_belong_to_names_and_a_named_file_is_that_file() {
        let folder =
            folder(&["v_abc.123.mp4", "v_abc.mp4", "clip.mp4", "clip.webm", "x/dup.mp4", "y/dup.mp4"]);
        let videos = VideoFolder::scan(folder.path(), None).unwrap();
        let item = |video: &str, file: Option<&str>| Item {
            id: String::new(),
            video: video.into(),
            file: file.map(str::to_owned),
            question: String::new(),
            expected: Expected::Open { answers: vec![] },
            labels: vec![],
        };
        let items = [
            item("v_abc.123", None),
            item("clip", Some("clip.webm")),
            item("clip", Some("clip.avi")),
            item("dup", None),
            item("dup", Some("y/dup.mp4")),
        ];
        let located = videos.locate(&items);
        let paths = located.paths.iter().flatten().map(|path| path.strip_prefix(folder.path()).unwrap());
        let expected = ["v_abc.123.mp4", "clip.webm", "clip.mp4", "x/dup.mp4", "y/dup.mp4"];
        assert_eq!(paths.collect::<Vec<_>>(), expected.map(Path::new));
        let ambiguous: Vec<_> = located.ambiguous.iter().map(|video| video.video.as_str()).collect();
        assert_eq!(ambiguous, ["clip", "dup"]);
    }

    #[test]
    fn missing_videos_are_counted_with_their_questions() {
        let folder = folder(&["b.mp4"]);
        let item = |video: &str| Item {
            id: String::new(),
            video: video.into(),
            file: None,
            question: String::new(),
            expected: Expected::Open { answers: vec![] },
            labels: vec![],
        };
        let items = ["z", "b", "a", "z"].map(item);
        let located = VideoFolder::scan(folder.path(), None).unwrap().locate(&items);
        let LocatedVideos { paths, missing, .. } = located;
        assert_eq!(paths.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false, false]);
        let counts: Vec<_> = missing.iter().map(|video| (video.video.as_str(), video.questions)).collect();
        assert_eq!(counts, [("z", 2), ("a", 1)]);
    }
}
