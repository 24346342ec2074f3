//! Damage, strangers and other processes.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{assert_whole, key, tokens, video};
use tempfile::tempdir;
use vqtoken_archive::{Archive, ArchiveError, ArchiveOptions};

fn open(folder: &Path) -> Result<Archive, ArchiveError> {
    Archive::open(folder, ArchiveOptions::default())
}

/// An archive of three videos that was closed.
fn stored(folder: &Path) {
    let archive = open(folder).unwrap();
    (0..3).for_each(|number| drop(archive.insert(video(number)).unwrap()));
}

fn file(folder: &Path, number: usize, name: &str) -> PathBuf {
    folder.join("videos").join(key(number).id()).join(name)
}

fn flip(path: &Path, place: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[place] ^= 0x55;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_second_archive_on_the_same_folder_is_refused() {
    let folder = tempdir().unwrap();
    let first = open(folder.path()).unwrap();
    let error = open(folder.path()).unwrap_err();
    let process = std::process::id();
    assert!(matches!(error, ArchiveError::Locked { process: Some(found), .. } if found == process));
    assert!(error.to_string().contains("stop it, or choose another folder"), "{error}");
    drop(first);
    open(folder.path()).unwrap();
}

#[test]
fn damaged_files_are_named_with_what_to_do_and_a_new_start_of_them_helps() {
    let folder = tempdir().unwrap();
    stored(folder.path());
    let archive = open(folder.path()).unwrap();
    let (tokens_file, frames_file) = (file(folder.path(), 1, "4.vqt"), file(folder.path(), 1, "frames.bin"));
    flip(&tokens_file, fs::read(&tokens_file).unwrap().len() / 2);
    flip(&frames_file, 200);
    let id = key(1).id();
    let error = archive.tokens(&id, "4").unwrap_err();
    assert!(matches!(error, ArchiveError::DamagedTokens { .. }));
    let message = error.to_string();
    assert!(message.contains("4.vqt") && message.contains(&id) && message.contains("store it again"));
    let error = archive.frame(&id, 0).unwrap_err();
    assert!(matches!(&error, ArchiveError::DamagedFrames { path, .. } if *path == frames_file), "{error}");
    archive.fine(&id).unwrap();
    assert_whole(&archive, &key(0).id());
    archive.insert(video(1)).unwrap();
    assert_whole(&archive, &id);
}

#[test]
fn files_that_are_gone_are_told_and_dropped_at_the_next_start() {
    let folder = tempdir().unwrap();
    stored(folder.path());
    let archive = open(folder.path()).unwrap();
    fs::remove_file(file(folder.path(), 0, "fine.vqt")).unwrap();
    assert!(matches!(archive.fine(&key(0).id()), Err(ArchiveError::Missing { .. })));
    drop(archive);
    fs::remove_file(file(folder.path(), 0, "frames.bin")).unwrap();
    fs::remove_dir_all(folder.path().join("videos").join(key(1).id())).unwrap();
    // Cut short, and so not the file that the catalogue names.
    fs::write(file(folder.path(), 2, "4.vqt"), b"half").unwrap();
    let archive = open(folder.path()).unwrap();
    let lost: Vec<(String, bool)> = archive
        .recovery()
        .lost
        .iter()
        .map(|loss| (loss.path.display().to_string(), loss.whole_video))
        .collect();
    let expected = [(0, "fine.vqt", false), (0, "frames.bin", false), (1, "4.vqt", true)];
    let named = |&(number, name, whole): &(usize, &str, bool)| {
        lost.contains(&(file(folder.path(), number, name).display().to_string(), whole))
    };
    assert!(expected.iter().all(named), "{lost:?}");
    assert!(archive.recovery().lost[0].to_string().contains("dropped from video"), "{lost:?}");
    assert_eq!(archive.count().unwrap(), 2);
    let record = archive.get(&key(0).id()).unwrap();
    assert_eq!((record.frames_stored, record.fine_codes()), (0, 0));
    assert!(matches!(archive.get(&key(1).id()), Err(ArchiveError::NotFound { .. })));
    // What is left of the third are its fine tokens, which are its main ones now.
    assert_eq!(archive.get(&key(2).id()).unwrap().budget, "fine");
    assert_whole(&archive, &key(0).id());
    let bytes = archive.bytes().unwrap();
    drop(archive);
    let archive = open(folder.path()).unwrap();
    assert_eq!(archive.recovery(), &Default::default());
    assert_eq!(archive.bytes().unwrap(), bytes);
}

#[test]
fn remains_are_removed_and_other_peoples_files_are_not() {
    let folder = tempdir().unwrap();
    stored(folder.path());
    let orphan = folder.path().join("videos").join(key(9).id());
    fs::create_dir(&orphan).unwrap();
    tokens(9, 4).save(orphan.join("4.vqt")).unwrap();
    fs::write(file(folder.path(), 0, ".vqtoken-abc.part"), "half").unwrap();
    tokens(0, 7).save(file(folder.path(), 0, "7.vqt")).unwrap();
    let holiday = folder.path().join("videos/holiday.mp4");
    let holidays = folder.path().join("videos/2025");
    fs::write(&holiday, "mine").unwrap();
    fs::create_dir(&holidays).unwrap();
    let archive = open(folder.path()).unwrap();
    assert_eq!(archive.recovery().removed, 3);
    assert_eq!(archive.recovery().foreign, [holidays.clone(), holiday.clone()]);
    assert!(archive.recovery().lost.is_empty() && !orphan.exists());
    assert!(holiday.exists() && holidays.exists());
    assert!(!file(folder.path(), 0, "7.vqt").exists());
    (0..3).for_each(|number| assert_whole(&archive, &key(number).id()));
}

#[test]
fn a_damaged_catalogue_is_an_error_that_says_what_to_do_or_does_no_harm() {
    let folder = tempdir().unwrap();
    stored(folder.path());
    let path = folder.path().join("catalogue.sqlite");
    let whole = fs::read(&path).unwrap();
    let mut refused = 0;
    for place in (0..whole.len()).step_by(whole.len() / 97) {
        let mut damaged = whole.clone();
        damaged[place..(place + 64).min(whole.len())].fill(0xa5);
        fs::write(&path, damaged).unwrap();
        // A copy, as opening may tidy up what a damaged catalogue does not name.
        let copy = tempdir().unwrap();
        fs::copy(&path, copy.path().join("catalogue.sqlite")).unwrap();
        match open(copy.path()) {
            Ok(archive) => drop(archive.list(10, None)),
            Err(error) => {
                refused += 1;
                let message = error.to_string();
                assert!(
                    message.contains("catalogue.sqlite") && message.contains("choose another folder")
                        || message.contains("move it away"),
                    "{message}"
                );
            }
        }
    }
    assert!(refused > 10, "{refused}");
    fs::write(&path, "not a database at all, but some text that is long enough".repeat(20)).unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(error, ArchiveError::DamagedCatalogue { .. }), "{error}");
    // Doing what the message says.
    fs::rename(&path, folder.path().join("old")).unwrap();
    let archive = open(folder.path()).unwrap();
    assert_eq!((archive.count().unwrap(), archive.recovery().removed), (0, 3));
    archive.insert(video(1)).unwrap();
    assert_whole(&archive, &key(1).id());
}

#[test]
fn newer_catalogues_and_other_databases_are_refused_untouched() {
    let folder = tempdir().unwrap();
    stored(folder.path());
    let path = folder.path().join("catalogue.sqlite");
    let change = |sql: &str| rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    change("PRAGMA user_version = 99");
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(error, ArchiveError::NewerCatalogue { version: 99, .. }), "{error}");
    change("PRAGMA application_id = 7");
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(error, ArchiveError::ForeignCatalogue { .. }), "{error}");
    change("PRAGMA user_version = 2; PRAGMA application_id = 1448170561");
    (0..3).for_each(|number| assert_whole(&open(folder.path()).unwrap(), &key(number).id()));
}

#[test]
fn a_failed_insert_leaves_nothing() {
    let folder = tempdir().unwrap();
    let archive = open(folder.path()).unwrap();
    // A file is where the folder of the video would be, so that its files cannot be written.
    fs::write(folder.path().join("videos").join(key(1).id()), "in the way").unwrap();
    assert!(matches!(archive.insert(video(1)), Err(ArchiveError::Write(_))));
    assert_eq!(archive.count().unwrap(), 0);
    // A folder is where the frames would be: the token files before them are taken back.
    fs::create_dir_all(file(folder.path(), 2, "frames.bin")).unwrap();
    assert!(matches!(archive.insert(video(2)), Err(ArchiveError::Write(_))));
    assert!(!folder.path().join("videos").join(key(2).id()).exists());
    archive.insert(video(2)).unwrap();
    assert_whole(&archive, &key(2).id());
}
