//! The boxes of an MP4 file with one H.264 track: `ftyp`, then `mdat` with all samples, then `moov`.

/// Ticks a second: every usual frame rate comes out exact or within a hundred thousandth of a second.
pub(crate) const TIMESCALE: u32 = 90_000;

/// Where the samples begin in the file.
pub(crate) const MEDIA_OFFSET: u64 = FILE_TYPE_LEN + 16;
const FILE_TYPE_LEN: u64 = 8 + 8 + 12;

/// What is known of the track once the last frame is in.
pub(crate) struct TrackFacts<'a> {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Degrees clockwise: 0, 90, 180 or 270.
    pub(crate) rotation: u16,
    /// NAL units without prefixes.
    pub(crate) sequence_set: &'a [u8],
    pub(crate) picture_set: &'a [u8],
    pub(crate) sizes: &'a [u32],
    /// In ticks, one a sample.
    pub(crate) durations: &'a [u32],
    /// Numbers of the keyframes, from 1.
    pub(crate) keyframes: &'a [u32],
}

/// `ftyp` and the header of an `mdat` box that holds `media_len` bytes.
pub(crate) fn opening(media_len: u64) -> Vec<u8> {
    let mut out = a_box(b"ftyp", &[b"isom", &be(512), b"isom", b"avc1", b"mp41"]);
    out.extend(be(1));
    out.extend(b"mdat");
    out.extend((media_len + 16).to_be_bytes());
    out
}

/// The `moov` box.
pub(crate) fn movie(facts: &TrackFacts<'_>) -> Vec<u8> {
    let duration = facts.durations.iter().fold(0_u32, |sum, ticks| sum.saturating_add(*ticks));
    let header = full_box(
        b"mvhd",
        0,
        &[
            &[0; 8],
            &be(TIMESCALE),
            &be(duration),
            &be(1 << 16),
            &[1, 0],
            &[0; 10],
            &matrix(0, 0, 0),
            &[0; 24],
            &be(2),
        ],
    );
    a_box(b"moov", &[&header, &track(facts, duration)])
}

fn track(facts: &TrackFacts<'_>, duration: u32) -> Vec<u8> {
    let (width, height) = (facts.width as u32, facts.height as u32);
    let header = full_box(
        b"tkhd",
        3,
        &[
            &[0; 8],
            &be(1),
            &[0; 4],
            &be(duration),
            &[0; 16],
            &matrix(facts.rotation, width, height),
            &be(width << 16),
            &be(height << 16),
        ],
    );
    let undetermined_language = [0x55, 0xc4, 0, 0];
    let media_header =
        full_box(b"mdhd", 0, &[&[0; 8], &be(TIMESCALE), &be(duration), &undetermined_language]);
    let handler = full_box(b"hdlr", 0, &[&[0; 4], b"vide", &[0; 12], b"video\0"]);
    let here = full_box(b"url ", 1, &[]);
    let data = a_box(b"dinf", &[&full_box(b"dref", 0, &[&be(1), &here])]);
    let picture_header = full_box(b"vmhd", 1, &[&[0; 8]]);
    let information = a_box(b"minf", &[&picture_header, &data, &sample_table(facts)]);
    a_box(b"trak", &[&header, &a_box(b"mdia", &[&media_header, &handler, &information])])
}

fn sample_table(facts: &TrackFacts<'_>) -> Vec<u8> {
    let count = facts.sizes.len() as u32;
    let sizes: Vec<u8> = facts.sizes.iter().flat_map(|size| be(*size)).collect();
    let keyframes: Vec<u8> = facts.keyframes.iter().flat_map(|number| be(*number)).collect();
    let runs = runs(facts.durations);
    let durations: Vec<u8> =
        runs.iter().flat_map(|(count, ticks)| [be(*count), be(*ticks)].concat()).collect();
    a_box(
        b"stbl",
        &[
            &full_box(b"stsd", 0, &[&be(1), &sample_entry(facts)]),
            &full_box(b"stts", 0, &[&be(runs.len() as u32), &durations]),
            &full_box(b"stss", 0, &[&be(facts.keyframes.len() as u32), &keyframes]),
            &full_box(b"stsc", 0, &[&be(1), &be(1), &be(count), &be(1)]),
            &full_box(b"stsz", 0, &[&be(0), &be(count), &sizes]),
            &full_box(b"co64", 0, &[&be(1), &MEDIA_OFFSET.to_be_bytes()]),
        ],
    )
}

fn sample_entry(facts: &TrackFacts<'_>) -> Vec<u8> {
    let (sequence, picture) = (facts.sequence_set, facts.picture_set);
    let profile = sequence.get(1..4).unwrap_or(&[66, 0, 30]);
    // High profiles repeat chroma format and bit depths: 4:2:0 and 8 bits.
    let high: &[u8] = if profile[0] >= 100 { &[0xfd, 0xf8, 0xf8, 0] } else { &[] };
    let configuration = a_box(
        b"avcC",
        &[
            &[1],
            profile,
            &[0xff, 0xe1],
            &(sequence.len() as u16).to_be_bytes(),
            sequence,
            &[1],
            &(picture.len() as u16).to_be_bytes(),
            picture,
            high,
        ],
    );
    // BT.601 in limited range: primaries, transfer and matrix of SMPTE 170M.
    let colour = a_box(b"colr", &[b"nclx", &[0, 6, 0, 6, 0, 6, 0]]);
    a_box(
        b"avc1",
        &[
            &[0, 0, 0, 0, 0, 0, 0, 1],
            &[0; 16],
            &(facts.width as u16).to_be_bytes(),
            &(facts.height as u16).to_be_bytes(),
            &be(72 << 16),
            &be(72 << 16),
            &[0; 4],
            &[0, 1],
            &[0; 32],
            &[0, 24, 0xff, 0xff],
            &configuration,
            &colour,
        ],
    )
}

/// Neighbours of equal value as (count, value).
fn runs(values: &[u32]) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &value in values {
        match runs.last_mut() {
            Some((count, last)) if *last == value => *count += 1,
            _ => runs.push((1, value)),
        }
    }
    runs
}

/// The display matrix of a clockwise turn, moved so that the picture stays in the positive quadrant.
fn matrix(rotation: u16, width: u32, height: u32) -> Vec<u8> {
    let (width, height) = (width << 16, height << 16);
    let (one, minus) = (1 << 16, (-1_i32 << 16) as u32);
    let [a, b, c, d, x, y] = match rotation {
        90 => [0, one, minus, 0, height, 0],
        180 => [minus, 0, 0, minus, width, height],
        270 => [0, minus, one, 0, 0, width],
        _ => [one, 0, 0, one, 0, 0],
    };
    [a, b, 0, c, d, 0, x, y, 1 << 30].into_iter().flat_map(be).collect()
}

fn be(value: u32) -> [u8; 4] {
    value.to_be_bytes()
}

fn a_box(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let len = 8 + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut out = Vec::with_capacity(len);
    out.extend(be(len as u32));
    out.extend(kind);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

fn full_box(kind: &[u8; 4], flags: u32, parts: &[&[u8]]) -> Vec<u8> {
    let flags = be(flags);
    let mut all: Vec<&[u8]> = vec![&flags];
    all.extend(parts);
    a_box(kind, &all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_opening_has_the_stated_length() {
        assert_eq!(opening(7).len() as u64, MEDIA_OFFSET);
    }

    #[test]
    fn equal_neighbours_become_runs() {
        assert_eq!(runs(&[3, 3, 4, 3]), [(2, 3), (1, 4), (1, 3)]);
        assert!(runs(&[]).is_empty());
    }
}
