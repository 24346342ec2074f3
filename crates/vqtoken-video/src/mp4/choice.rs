//! Which of several video tracks is the video.

use super::Track;
use super::boxes::{FourCc, Reader, child, children};

/// Codecs of single pictures: a track of them beside another is one of covers, chapter pictures or thumbnails.
const STILLS: [&FourCc; 7] = [b"jpeg", b"png ", b"mjpa", b"mjpb", b"gif ", b"tiff", b"mjpg"];

/// Marks the tracks that accompany others: chapter pictures, thumbnails, depth and alpha, and covers of sound.
pub(super) fn mark_companions(moov: &[u8], tracks: &mut [Track]) {
    let mut companions = Vec::new();
    let mut sound = false;
    for (_, trak) in children(moov).filter(|(kind, _)| kind == b"trak") {
        sound |= super::track::handler(trak).is_some_and(|kind| &kind == b"soun");
        for (kind, references) in children(child(trak, b"tref").unwrap_or(&[])) {
            match &kind {
                // A track names its chapters; thumbnails and auxiliary pictures name what they belong to.
                b"chap" => {
                    let mut reader = Reader::new(references);
                    companions.extend(std::iter::from_fn(|| reader.u32()));
                }
                b"thmb" | b"auxl" => companions.extend(super::track::id(trak)),
                _ => {}
            }
        }
    }
    companions.sort_unstable();
    for track in tracks {
        let cover = sound && is_still(track) && track.samples.len() == 1;
        track.companion = cover || companions.binary_search(&track.id).is_ok();
    }
}

fn is_still(track: &Track) -> bool {
    STILLS.contains(&&track.codec)
}

/// The first track that is enabled, has samples and holds no stills, or what comes nearest to it. Chapter pictures and covers of
/// sound are not video. Also how many tracks of moving pictures there are.
pub(super) fn choose(mut tracks: Vec<Track>) -> Option<(Track, usize)> {
    tracks.retain(|track| !track.companion);
    let fitness = |track: &Track| (!track.samples.is_empty(), !is_still(track), track.enabled);
    let best = tracks.iter().map(fitness).max()?;
    let moving = tracks.iter().filter(|track| !track.samples.is_empty() && !is_still(track)).count();
    Some((tracks.into_iter().find(|track| fitness(track) == best)?, moving))
}
