//! When a movie was recorded: QuickTime's metadata, which phones keep when a video is cut, before the movie header.

use std::time::SystemTime;

use super::boxes::{Reader, child, children, descend};
use crate::creation_time;

/// The key of QuickTime's metadata.
const CREATION_DATE: &[u8] = b"com.apple.quicktime.creationdate";

/// Of the payload of `moov` and the seconds from the beginning of 1904 on that its `mvhd` states.
pub(super) fn created(moov: &[u8], since_1904: u64) -> Option<SystemTime> {
    let metadata = [child(moov, b"meta"), descend(moov, &[b"udta", b"meta"])];
    let stated = metadata.into_iter().flatten().find_map(creation_date);
    stated.and_then(creation_time::of_text).or_else(|| creation_time::of_1904(since_1904))
}

/// The text under [`CREATION_DATE`] in a `meta` box: `keys` has the names, `ilst` for each index from 1 a box with a value.
fn creation_date(meta: &[u8]) -> Option<&str> {
    // With version and flags in MP4, without in QuickTime.
    let inside = if meta.get(4..8) == Some(b"hdlr") { meta } else { meta.get(4..)? };
    let mut keys = Reader::new(child(inside, b"keys")?);
    keys.version_and_flags()?;
    keys.u32()?;
    let position = children(keys.rest()).position(|(_, name)| name == CREATION_DATE)?;
    let index = u32::try_from(position + 1).ok()?.to_be_bytes();
    let mut value = Reader::new(descend(inside, &[b"ilst", &index, b"data"])?);
    // Type and language of the value.
    value.bytes(8)?;
    std::str::from_utf8(value.rest()).ok()
}
