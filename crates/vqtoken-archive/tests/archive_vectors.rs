//! Vectors: stored with their videos, found by a query, read while others write, merged, checked.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::collections::BTreeSet;
use std::fs;

use common::{key, video};
use tempfile::tempdir;
use vqtoken_archive::{Archive, ArchiveError, ArchiveOptions, NewVectors, Scan, Space};

const FEATURES: usize = 16;

fn space() -> Space {
    Space::new("retriever@01234567", FEATURES)
}

/// A vector that points to one feature, a little to the next.
fn towards(feature: usize) -> Vec<f32> {
    let mut vector = vec![0.0; FEATURES];
    vector[feature % FEATURES] = 0.8;
    vector[(feature + 1) % FEATURES] = 0.6;
    vector
}

/// Two moments and one code of video `number`.
fn vectors(number: usize) -> NewVectors {
    let moments = [towards(number), towards(number + 3)].concat();
    NewVectors::new(vec![[0.0, 1.0], [1.0, 1.5]], moments, towards(number + 5))
}

fn stored(archive: &Archive, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        archive.insert(video(number)).unwrap();
        archive.put_vectors(&space(), &[(key(number).id(), vectors(number))]).unwrap();
    }
}

fn nearest(archive: &Archive, feature: usize) -> (String, usize) {
    let hits = archive.nearest_moments(&space(), &towards(feature), 1, Scan::Auto, None).unwrap();
    (hits[0].id.clone(), hits[0].moment)
}

#[test]
fn moments_are_found_and_removed_videos_are_not() {
    let folder = tempdir().unwrap();
    let archive = Archive::open(folder.path(), ArchiveOptions::default()).unwrap();
    assert!(archive.nearest_moments(&space(), &towards(1), 5, Scan::Auto, None).unwrap().is_empty());
    stored(&archive, [0, 1, 2]);
    assert_eq!(nearest(&archive, 2), (key(2).id(), 0));
    assert_eq!(nearest(&archive, 4), (key(1).id(), 1));
    let hits = archive.nearest_moments(&space(), &towards(1), 10, Scan::Sketches, None).unwrap();
    assert_eq!(hits.len(), 6);
    assert!(hits[0].cosine > 0.99 && hits[0].span == [0.0, 1.0]);
    let only = BTreeSet::from([key(0).id()]);
    let hits = archive.nearest_moments(&space(), &towards(1), 10, Scan::Exact, Some(&only)).unwrap();
    assert!(hits.len() == 2 && hits.iter().all(|hit| hit.id == key(0).id()));
    let codes = archive.code_vectors(&space(), &key(1).id()).unwrap().unwrap();
    assert!(codes.iter().zip(towards(6)).all(|(a, b)| (a - b).abs() < 0.01));

    archive.remove(&key(2).id()).unwrap();
    assert_ne!(nearest(&archive, 2).0, key(2).id());
    assert_eq!(archive.moments(&space()).unwrap(), 4);
    // New vectors take the place of the old ones.
    let moved = NewVectors::new(vec![[0.0, 1.0]], towards(9), vec![]);
    archive.put_vectors(&space(), &[(key(0).id(), moved)]).unwrap();
    assert_eq!(nearest(&archive, 9), (key(0).id(), 0));
    assert_eq!(archive.moments(&space()).unwrap(), 3);
    assert!(archive.moment_vectors(&Space::new("other", FEATURES), &key(0).id()).unwrap().is_none());
}

#[test]
fn a_reader_sees_what_a_writer_does() {
    let folder = tempdir().unwrap();
    let none = Archive::open_to_read(folder.path(), ArchiveOptions::default()).unwrap_err();
    assert!(matches!(none, ArchiveError::NoArchive { .. }));
    let archive = Archive::open(folder.path(), ArchiveOptions::default()).unwrap();
    stored(&archive, [0, 1]);
    let readers: Vec<_> =
        (0..2).map(|_| Archive::open_to_read(folder.path(), ArchiveOptions::default()).unwrap()).collect();
    for reader in &readers {
        assert_eq!(nearest(reader, 1), (key(1).id(), 0));
        assert!(matches!(reader.remove(&key(1).id()), Err(ArchiveError::ReadOnly { .. })));
        reader.touch(&key(1).id());
    }
    stored(&archive, [7]);
    archive.compact().unwrap();
    for reader in &readers {
        assert_eq!(nearest(reader, 7), (key(7).id(), 0));
        assert!(reader.damaged_parts().unwrap().is_empty());
    }
    archive.remove(&key(7).id()).unwrap();
    assert!(readers.iter().all(|reader| nearest(reader, 7).0 != key(7).id()));
}

#[test]
fn compacting_keeps_what_counts_in_one_segment() {
    let folder = tempdir().unwrap();
    let archive = Archive::open(folder.path(), ArchiveOptions::default()).unwrap();
    // Merging begins by itself.
    stored(&archive, 0..40);
    let files = || fs::read_dir(folder.path().join("segments")).unwrap().count();
    assert!(files() < 40, "{}", files());
    (0..20).for_each(|number| archive.remove(&key(number).id()).unwrap());
    let before: Vec<_> = (0..16).map(|feature| nearest(&archive, feature)).collect();
    let done = archive.compact().unwrap();
    assert_eq!(done.segments_after, 2);
    assert!(done.bytes_after < done.bytes_before);
    assert_eq!(files(), 2);
    let after: Vec<_> = (0..16).map(|feature| nearest(&archive, feature)).collect();
    assert_eq!(before, after);
    assert_eq!(archive.moments(&space()).unwrap(), 40);
    assert_eq!(archive.spaces().unwrap()[0].moments, 40);
    assert!(archive.verify().unwrap().is_empty());
    drop(archive);
    let again = Archive::open(folder.path(), ArchiveOptions::default()).unwrap();
    assert_eq!(again.recovery().removed, 0);
    assert_eq!(nearest(&again, 3), after[3]);
}

#[test]
fn a_damaged_segment_is_named_and_the_rest_is_served() {
    let folder = tempdir().unwrap();
    let archive = Archive::open(folder.path(), ArchiveOptions::default()).unwrap();
    stored(&archive, [0, 1, 2]);
    drop(archive);
    let mut segments: Vec<_> =
        fs::read_dir(folder.path().join("segments")).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    // Moments of video 0, codes of video 0, moments of video 1, ...
    let mut bytes = fs::read(&segments[2]).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&segments[2], bytes).unwrap();
    let archive = Archive::open(folder.path(), ArchiveOptions::default()).unwrap();
    assert_ne!(nearest(&archive, 1).0, key(1).id());
    assert_eq!(nearest(&archive, 2), (key(2).id(), 0));
    for damaged in [archive.damaged_parts().unwrap(), archive.verify().unwrap()] {
        assert_eq!(damaged.len(), 1);
        assert_eq!((&damaged[0].path, &damaged[0].videos), (&segments[2], &vec![key(1).id()]));
        assert!(damaged[0].message.contains("damaged"), "{}", damaged[0].message);
        assert!(!damaged[0].is_other_version);
    }
    let missing = archive.without_vectors(&space()).unwrap();
    assert_eq!(missing.iter().map(|video| video.id.clone()).collect::<Vec<_>>(), [key(1).id()]);
    archive.put_vectors(&space(), &[(key(1).id(), vectors(1))]).unwrap();
    assert_eq!(nearest(&archive, 1), (key(1).id(), 0));
    archive.compact().unwrap();
    assert!(archive.damaged_parts().unwrap().is_empty() && archive.verify().unwrap().is_empty());
}

#[test]
fn videos_of_a_segment_of_an_earlier_version_get_vectors_anew() {
    let folder = tempdir().unwrap();
    let archive = Archive::open(folder.path(), ArchiveOptions::default()).unwrap();
    stored(&archive, [0, 1]);
    drop(archive);
    let mut segments: Vec<_> =
        fs::read_dir(folder.path().join("segments")).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    // Moments of video 0, codes of video 0, moments of video 1, ...
    let mut bytes = fs::read(&segments[0]).unwrap();
    bytes[8] = 1;
    fs::write(&segments[0], bytes).unwrap();
    let archive = Archive::open(folder.path(), ArchiveOptions::default()).unwrap();
    for damaged in [archive.damaged_parts().unwrap(), archive.verify().unwrap()] {
        assert_eq!((damaged.len(), &damaged[0].videos), (1, &vec![key(0).id()]));
        assert!(damaged[0].message.contains("version 1"), "{}", damaged[0].message);
        assert!(damaged[0].is_other_version);
    }
    assert_eq!(nearest(&archive, 1), (key(1).id(), 0));
    let missing = archive.without_vectors(&space()).unwrap();
    assert_eq!(missing.iter().map(|video| video.id.clone()).collect::<Vec<_>>(), [key(0).id()]);
    archive.put_vectors(&space(), &[(key(0).id(), vectors(0))]).unwrap();
    assert_eq!(nearest(&archive, 0), (key(0).id(), 0));
}

#[test]
fn vectors_that_do_not_fit_are_refused_and_nothing_is_stored() {
    let folder = tempdir().unwrap();
    let archive = Archive::open(folder.path(), ArchiveOptions::default()).unwrap();
    archive.insert(video(0)).unwrap();
    let id = || key(0).id();
    for (space, wrong) in [
        (space(), NewVectors::new(vec![[0.0, 1.0]], vec![0.0; 15], vec![])),
        (space(), NewVectors::new(vec![[0.0, 1.0]], vec![f32::NAN; 16], vec![])),
        (space(), NewVectors::new(vec![[1.0, 0.0]], vec![0.0; 16], vec![])),
        (space(), NewVectors::new(vec![], vec![], vec![0.0; 17])),
        (Space::new("wide", 1 << 20), NewVectors::default()),
        (Space::new("none", 0), NewVectors::default()),
    ] {
        let error = archive.put_vectors(&space, &[(id(), vectors(0)), (id(), wrong)]).unwrap_err();
        assert!(matches!(error, ArchiveError::Vectors { .. }), "{error}");
    }
    let unknown = archive.put_vectors(&space(), &[(key(9).id(), vectors(0))]).unwrap_err();
    assert!(matches!(unknown, ArchiveError::NotFound { .. }));
    assert!(archive.spaces().unwrap().is_empty());
    let wrong = archive.nearest_moments(&space(), &[1.0; 3], 1, Scan::Auto, None).unwrap_err();
    assert!(matches!(wrong, ArchiveError::Vectors { .. }));
}

#[test]
fn facts_stay_with_their_video() {
    let folder = tempdir().unwrap();
    let archive = Archive::open(folder.path(), ArchiveOptions::default()).unwrap();
    archive.insert(video(0)).unwrap();
    let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    archive.set_facts(&key(0).id(), &[fact("recorded", "2024"), fact("path", "a.mp4")]).unwrap();
    archive.set_facts(&key(0).id(), &[fact("recorded", "2025")]).unwrap();
    let expected = [fact("path", "a.mp4"), fact("recorded", "2025")];
    assert_eq!(archive.facts(&key(0).id()).unwrap(), expected);
    assert!(archive.set_facts(&key(1).id(), &[fact("a", "b")]).is_err());
    archive.remove(&key(0).id()).unwrap();
    assert!(archive.facts(&key(0).id()).unwrap().is_empty());
}
