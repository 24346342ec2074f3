//! What goes into an archive comes out, and the archive keeps its size.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;
use std::path::Path;

use common::{MODEL, SAMPLING, assert_whole, jpegs, key, tokens, video};
use tempfile::tempdir;
use vqtoken_archive::{Archive, ArchiveError, ArchiveOptions, ContentHash, FINE, NewVideo};

fn open(folder: &Path) -> Archive {
    let archive = Archive::open(folder, ArchiveOptions::default()).unwrap();
    assert_eq!(archive.recovery(), &Default::default());
    archive
}

/// Bytes of all files of all videos.
fn on_disk(folder: &Path) -> u64 {
    let folders = fs::read_dir(folder.join("videos")).unwrap().map(|entry| entry.unwrap().path());
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap());
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn a_video_is_found_by_its_content_also_after_a_restart() {
    let folder = tempdir().unwrap();
    let archive = open(folder.path());
    assert_eq!(archive.find(&key(1).content, MODEL, SAMPLING).unwrap(), None);
    let stored = archive.insert(video(1)).unwrap();
    assert_eq!(stored.id, key(1).id());
    assert_eq!((stored.fine_codes(), stored.frames_stored, stored.sets.len()), (12, 3, 2));
    drop(archive);
    let archive = open(folder.path());
    let found = archive.find(&key(1).content, MODEL, SAMPLING).unwrap().unwrap();
    assert_eq!(found, stored);
    assert_eq!(found.source, tokens(1, 4).source);
    assert_eq!(found.warnings, ["variable frame rate"]);
    assert_whole(&archive, &found.id);
    for (content, model, sampling) in [
        (ContentHash::of_bytes(b"another"), MODEL, SAMPLING),
        (key(1).content, "other", SAMPLING),
        (key(1).content, MODEL, "fps=1"),
    ] {
        assert_eq!(archive.find(&content, model, sampling).unwrap(), None);
    }
}

#[test]
fn token_sets_are_added_and_replaced() {
    let folder = tempdir().unwrap();
    let archive = open(folder.path());
    let id = archive.insert(video(1)).unwrap().id;
    let record = archive.add_tokens(&id, "8", &tokens(1, 8)).unwrap();
    assert_eq!(record.sets.iter().map(|set| set.budget.as_str()).collect::<Vec<_>>(), ["4", "8", FINE]);
    assert_eq!(archive.get(&id).unwrap(), record);
    archive.add_tokens(&id, "8", &tokens(1, 6)).unwrap();
    assert_eq!(archive.tokens(&id, "8").unwrap(), tokens(1, 6));
    assert_eq!(archive.get(&id).unwrap().set("8").unwrap().codes, 6);
    // The same video once more, with another budget and no frames.
    let again = archive.insert(NewVideo::new(key(1), "renamed", "5", tokens(1, 5))).unwrap();
    assert_eq!((again.name.as_str(), again.budget.as_str(), again.frames_stored), ("1.mp4", "4", 3));
    assert_eq!((again.sets.len(), archive.count().unwrap()), (4, 1));
    assert_eq!(archive.fine(&id).unwrap(), tokens(1, 12));
    let texts = "1.mp4".len() + MODEL.len() + SAMPLING.len() + "variable frame rate".len();
    assert_eq!(archive.bytes().unwrap(), on_disk(folder.path()) + texts as u64);
    assert_eq!(archive.insert(video(1)).unwrap().bytes, again.bytes);
    drop(archive);
    assert_eq!(open(folder.path()).get(&id).unwrap().sets, again.sets);
}

#[test]
fn what_is_not_there_is_said_by_name() {
    let folder = tempdir().unwrap();
    let archive = open(folder.path());
    let id = archive.insert(video(1)).unwrap().id;
    for id in ["v0", "../../etc/passwd", "", "'; DROP TABLE videos; --"] {
        assert!(matches!(archive.get(id), Err(ArchiveError::NotFound { .. })));
        assert!(matches!(archive.tokens(id, "4"), Err(ArchiveError::NotFound { .. })));
        assert!(matches!(archive.frame(id, 0), Err(ArchiveError::NotFound { .. })));
        assert!(matches!(archive.remove(id), Err(ArchiveError::NotFound { .. })));
        assert!(matches!(archive.add_tokens(id, "4", &tokens(1, 4)), Err(ArchiveError::NotFound { .. })));
        assert!(matches!(archive.list(5, Some(id)), Err(ArchiveError::NotFound { .. })));
    }
    let message = archive.tokens(&id, "../4").unwrap_err().to_string();
    assert!(message.contains("ask for one of 4, fine"), "{message}");
    assert!(matches!(archive.frame(&id, 3), Err(ArchiveError::NoFrame { stored: 3, .. })));
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let folder = tempdir().unwrap();
    let archive = open(folder.path());
    let refused = |video: NewVideo| archive.insert(video).unwrap_err();
    let mut other = tokens(1, 4);
    other.model = "other".into();
    assert!(matches!(refused(NewVideo::new(key(1), "", "4", other)), ArchiveError::Model { .. }));
    let mut shorter = video(1);
    shorter.jpegs.pop();
    assert!(matches!(refused(shorter), ArchiveError::Jpegs { frames: 3, jpegs: 2, .. }));
    let mut twice = video(1);
    twice.budget = FINE.into();
    assert!(matches!(refused(twice), ArchiveError::TwiceFine));
    let mut long = video(1);
    long.name = "n".repeat(70_000);
    assert!(matches!(refused(long), ArchiveError::LongTexts { .. }));
    let mut unnamed = video(1);
    unnamed.budget.clear();
    assert!(matches!(refused(unnamed), ArchiveError::Budget { .. }));
    let mut untimed = video(1);
    untimed.tokens.timestamps.pop();
    assert!(matches!(refused(untimed), ArchiveError::Tokens(_)));
    assert_eq!((archive.count().unwrap(), on_disk(folder.path())), (0, 0));
}

#[test]
fn pages_go_from_the_newest_to_the_oldest() {
    let folder = tempdir().unwrap();
    let archive = open(folder.path());
    let ids: Vec<String> = (0..7).map(|number| archive.insert(video(number)).unwrap().id).collect();
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = archive.list(3, after.as_deref()).unwrap();
        found.extend(page.videos.iter().map(|video| video.id.clone()));
        after = found.last().cloned();
        if !page.has_more {
            break;
        }
    }
    found.reverse();
    assert_eq!(found, ids);
    archive.remove(&ids[3]).unwrap();
    assert_eq!(archive.list(100, None).unwrap().videos.len(), 6);
}

#[test]
fn what_was_not_used_for_longest_goes_first_and_the_size_is_never_exceeded() {
    let folder = tempdir().unwrap();
    let one = open(folder.path()).insert(video(100)).unwrap().bytes;
    // Room for four, whose numbers take a few bytes more or less.
    let most = 4 * one + 200;
    let options = ArchiveOptions::default().with_most_bytes(most);
    let archive = Archive::open(folder.path(), options).unwrap();
    archive.remove(&key(100).id()).unwrap();
    for number in 0..4 {
        archive.insert(video(number)).unwrap();
    }
    archive.tokens(&key(0).id(), "4").unwrap();
    archive.touch(&key(1).id());
    archive.insert(video(4)).unwrap();
    archive.insert(video(5)).unwrap();
    let left = |archive: &Archive| -> Vec<String> {
        archive.list(10, None).unwrap().videos.into_iter().map(|video| video.name).collect()
    };
    assert_eq!(left(&archive), ["5.mp4", "4.mp4", "1.mp4", "0.mp4"]);
    assert!(matches!(archive.get(&key(2).id()), Err(ArchiveError::NotFound { .. })));
    assert!(archive.bytes().unwrap() <= most && on_disk(folder.path()) <= most);
    // A further token set makes room, too, and not by its own video.
    archive.touch(&key(4).id());
    archive.touch(&key(5).id());
    archive.touch(&key(1).id());
    let big = tokens(0, 48);
    archive.add_tokens(&key(0).id(), "48", &big).unwrap();
    assert_eq!(left(&archive), ["5.mp4", "1.mp4", "0.mp4"]);
    // Uses survive a restart, and a smaller size is kept from the start.
    archive.touch(&key(0).id());
    drop(archive);
    let small = Archive::open(folder.path(), options.with_most_bytes(2 * one)).unwrap();
    assert_eq!(left(&small), ["0.mp4"]);
    assert_whole(&small, &key(0).id());
}

#[test]
fn a_video_that_cannot_fit_is_refused_and_evicts_nothing() {
    let folder = tempdir().unwrap();
    let archive = open(folder.path());
    let one = archive.insert(video(1)).unwrap().bytes;
    drop(archive);
    let archive = Archive::open(folder.path(), ArchiveOptions::default().with_most_bytes(one + 100)).unwrap();
    let mut huge = video(2).with_jpegs(vec![vec![0; 1000]; 3]);
    assert!(matches!(archive.insert(huge.clone()), Err(ArchiveError::TooLarge { .. })));
    huge.key = key(1);
    assert!(matches!(archive.insert(huge), Err(ArchiveError::TooLarge { .. })));
    assert!(archive.add_tokens(&key(1).id(), "48", &tokens(1, 48)).is_err());
    assert_whole(&archive, &key(1).id());
    assert_eq!(archive.count().unwrap(), 1);
}

#[test]
fn many_threads_read_and_write_at_once() {
    let folder = tempdir().unwrap();
    let options = ArchiveOptions::default().with_most_bytes(60_000);
    let archive = &Archive::open(folder.path(), options).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for round in 0..8 {
                    let number = (thread * 3 + round) % 10;
                    archive.insert(video(number)).unwrap();
                    for number in 0..10 {
                        // Evicted meanwhile, or whole.
                        match archive.tokens(&key(number).id(), "4") {
                            Ok(found) => assert_eq!(found, tokens(number, 4)),
                            Err(ArchiveError::NotFound { .. }) => {}
                            Err(error) => panic!("{error}"),
                        }
                        match archive.frame(&key(number).id(), 1) {
                            Ok(found) => assert_eq!(found, jpegs(number)[1]),
                            Err(ArchiveError::NotFound { .. }) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            });
        }
    });
    assert!(archive.bytes().unwrap() <= 60_000);
}
