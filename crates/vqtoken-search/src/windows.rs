//! Which stretches of a video's sampled frames become moments.

use std::ops::Range;

/// The shortest window, in sampled frames.
const SHORTEST: usize = 4;

/// Windows of the whole video, of halves, quarters and so on, down to four sampled frames; each begins half a window after the one before, so that whatever
/// lasts as long as a window lies for the most part in one of them. In all at most as many as there are frames.
pub fn windows(frames: usize) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    if frames == 0 {
        return all;
    }
    all.push(0..frames);
    let mut parts = 2;
    while frames / parts >= SHORTEST {
        // In halves of a part, so that windows overlap and the last one ends with the video.
        let edge = |half: usize| half * frames / (2 * parts);
        all.extend((0..2 * parts - 1).map(|half| edge(half)..edge(half + 2)));
        parts *= 2;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_halve_and_overlap() {
        assert!(windows(0).is_empty());
        assert_eq!(windows(3), std::slice::from_ref(&(0..3)));
        assert_eq!(windows(8), [0..8, 0..4, 2..6, 4..8]);
        for frames in 1..200 {
            let all = windows(frames);
            assert!(all.len() <= frames.max(1) && all.iter().all(|window| window.end <= frames));
            assert!(all[1..].iter().all(|window| window.len() >= SHORTEST));
            assert!(all.iter().filter(|window| window.end == frames).count() >= 1);
        }
        assert_eq!(windows(32).len(), 1 + 3 + 7 + 15);
    }
}
