//! When a video was recorded: what its container states, else when the file was last changed.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::time::{Duration, SystemTime};

use vqtoken_search::{RECORDED, file_facts};
use vqtoken_video::{Frame, Mp4Options, Mp4Writer, Video};

#[test]
fn recorded_is_what_the_container_states_else_when_the_file_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    let mut writer = Mp4Writer::create(&path, 32, 32, 8.0, Mp4Options::default()).unwrap();
    writer.push(&Frame::new(32, 32, vec![90; 3 * 32 * 32]).unwrap()).unwrap();
    writer.finish().unwrap();
    let recorded = || {
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        fs::File::options().append(true).open(&path).unwrap().set_modified(changed).unwrap();
        let facts = file_facts(&path, Video::open(&path).unwrap().info());
        facts.into_iter().find(|(name, _)| name == RECORDED).unwrap().1
    };
    assert_eq!(recorded(), "2001-09-09T01:46:40Z");
    let mut bytes = fs::read(&path).unwrap();
    let header = bytes.windows(4).rposition(|kind| kind == b"mvhd").unwrap();
    // Seconds since 1904, after the box's version and flags.
    bytes[header + 8..header + 12].copy_from_slice(&3_797_411_400_u32.to_be_bytes());
    fs::write(&path, bytes).unwrap();
    assert_eq!(recorded(), "2024-05-01T12:30:00Z");
}
