//! H.264 as it lies in MP4: the decoder configuration and length-prefixed NAL units (ISO/IEC 14496-15).

use rust_h264::nal::{SpsInfo, parse_annex_b, parse_sps_info};
use rusty_h264_common::nal::emulation_unprevent;
use rusty_h264_decoder::Sps;

use super::engine::EngineKind;
use super::slice::{self, Field};
use crate::mp4::boxes::Reader;

/// The largest picture of any level of the standard: 139,264 macroblocks.
const MOST_PIXELS: u64 = 139_264 * 256;

const SLICE: u8 = 1;
const DATA_PARTITION: u8 = 2;
const IDR_SLICE: u8 = 5;
const MESSAGE: u8 = 6;
const SEQUENCE_SET: u8 = 7;
const PICTURE_SET: u8 = 8;

/// Decoder configuration: how NAL units are prefixed, and the parameter sets.
pub(crate) struct Configuration {
    /// Bytes of the length before each NAL unit.
    pub(crate) length_size: usize,
    /// NAL units without prefixes.
    parameter_sets: Vec<Vec<u8>>,
    /// Of the first sequence parameter set.
    pub(crate) info: Option<SpsInfo>,
    /// The first sequence parameter set, where it allows fields.
    interlaced: Option<Box<Sps>>,
    /// Larger pictures are not decoded.
    most_pixels: u64,
}

/// The configuration that a sample's description names; a number that is too high means the last. There is one at least.
pub(crate) fn of_description(configurations: &[Configuration], description: u16) -> &Configuration {
    &configurations[usize::from(description).min(configurations.len() - 1)]
}

impl Configuration {
    /// Reads the payload of an `avcC` box. Without one (`avc3`) the parameter sets come in the samples. `most_pixels`: width times
    /// height of the largest picture to decode.
    pub(crate) fn read(avc_config: Option<&[u8]>, most_pixels: u64) -> Result<Self, &'static str> {
        let (length_size, parameter_sets) = match avc_config {
            None => (4, Vec::new()),
            Some(bytes) => read_record(bytes).ok_or("broken decoder configuration")?,
        };
        let info = parameter_sets.iter().find_map(|nal| sequence_info(nal));
        let sequence = parameter_sets.iter().find(|nal| kind(nal) == SEQUENCE_SET);
        let sequence = sequence.and_then(|nal| Sps::parse(&emulation_unprevent(&nal[1..])).ok());
        let interlaced = sequence.filter(|sequence| !sequence.frame_mbs_only).map(Box::new);
        let most_pixels = most_pixels.min(MOST_PIXELS);
        Ok(Self { length_size, parameter_sets, info, interlaced, most_pixels })
    }

    /// Whether pictures may be fields.
    pub(crate) fn is_interlaced(&self) -> bool {
        self.interlaced.is_some()
    }

    /// The field that a slice belongs to, if it is one.
    pub(crate) fn field(&self, nal: &[u8]) -> Option<Field> {
        slice::field(nal, self.interlaced.as_deref()?)
    }

    /// Whether the parameter sets are the same.
    pub(crate) fn decodes_like(&self, other: &Self) -> bool {
        self.parameter_sets == other.parameter_sets
    }

    /// Parameter sets that precede the first sample, as an Annex B stream.
    pub(crate) fn stream(&self) -> Vec<u8> {
        annex_b(self.parameter_sets.iter().map(Vec::as_slice))
    }

    /// Which engine these parameter sets ask for.
    pub(crate) fn engine(&self) -> EngineKind {
        self.parameter_sets.iter().map(|nal| engine_for(nal)).max().unwrap_or(EngineKind::Strict)
    }

    /// Takes a sample apart, or two that hold a field each.
    pub(crate) fn access_unit<'a>(&self, sample: &'a [u8]) -> Result<AccessUnit<'a>, &'static str> {
        let unit = AccessUnit { nals: split(sample, self.length_size)? };
        let too_large = |info: SpsInfo| coded_pixels(&info) > self.most_pixels;
        if unit.nals.iter().filter_map(|nal| sequence_info(nal)).any(too_large) {
            return Err("a picture that is too large");
        }
        Ok(unit)
    }
}

/// Why these pictures cannot be decoded here, if they cannot.
pub(crate) fn unsupported(info: &SpsInfo) -> Option<String> {
    if info.chroma_format > 2 {
        return Some("4:4:4 chroma".into());
    }
    let depths = (info.bit_depth_luma, info.bit_depth_chroma);
    let known = matches!(depths.0, 8 | 10) && (depths.0 == depths.1 || info.chroma_format == 0);
    if !known {
        return Some(format!("{} bits a sample", depths.0.max(depths.1)));
    }
    let too_large = coded_pixels(info) > MOST_PIXELS;
    too_large.then(|| format!("{} x {} pixels", info.coded_width, info.coded_height))
}

/// Width times height before cropping.
pub(crate) fn coded_pixels(info: &SpsInfo) -> u64 {
    u64::from(info.coded_width) * u64::from(info.coded_height)
}

/// Whether the container marks a sample as a keyframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyframe {
    Marked,
    Unmarked,
}

/// The NAL units of one coded picture.
pub(crate) struct AccessUnit<'a> {
    nals: Vec<&'a [u8]>,
}

impl AccessUnit<'_> {
    /// The same as an Annex B stream.
    pub(crate) fn stream(&self) -> Vec<u8> {
        annex_b(self.nals.iter().copied())
    }

    /// Which engine the parameter sets in it ask for.
    pub(crate) fn engine(&self) -> EngineKind {
        self.nals.iter().map(|nal| engine_for(nal)).max().unwrap_or(EngineKind::Strict)
    }

    /// Whether display order starts anew here.
    pub(crate) fn is_idr(&self) -> bool {
        self.nals.iter().any(|nal| kind(nal) == IDR_SLICE)
    }

    /// Whether decoding can start here. `keyframe`: the container says so, which is believed where nothing speaks against it.
    pub(crate) fn is_entry(&self, keyframe: Keyframe) -> bool {
        let recovers = || self.nals.iter().any(|nal| kind(nal) == MESSAGE && slice::is_recovery_point(nal));
        let intra = || {
            self.has_picture() && self.nals.iter().filter(|nal| is_slice(nal)).all(|nal| slice::is_intra(nal))
        };
        self.is_idr() || (intra() && (keyframe == Keyframe::Marked || recovers()))
    }

    /// Pictures, or fields, in it.
    pub(crate) fn pictures(&self) -> usize {
        self.nals.iter().filter(|nal| is_slice(nal) && slice::begins_picture(nal)).count()
    }

    /// The first sequence parameter set in it.
    pub(crate) fn info(&self) -> Option<SpsInfo> {
        self.nals.iter().find_map(|nal| sequence_info(nal))
    }

    /// Whether no other picture refers to this one, so that its loss harms nothing else.
    pub(crate) fn is_disposable(&self) -> bool {
        self.nals.iter().filter(|nal| is_slice(nal)).all(|nal| nal[0] & 0x60 == 0)
    }

    /// Whether there is a picture in it at all.
    pub(crate) fn has_picture(&self) -> bool {
        self.nals.iter().any(|nal| is_slice(nal))
    }
}

fn kind(nal: &[u8]) -> u8 {
    nal.first().map_or(0, |header| header & 31)
}

pub(crate) fn is_slice(nal: &[u8]) -> bool {
    matches!(kind(nal), SLICE | DATA_PARTITION | IDR_SLICE)
}

fn engine_for(nal: &[u8]) -> EngineKind {
    match kind(nal) {
        SEQUENCE_SET => EngineKind::for_sequence(&nal[1..]),
        PICTURE_SET => EngineKind::for_picture(&nal[1..]),
        _ => EngineKind::Strict,
    }
}

fn sequence_info(nal: &[u8]) -> Option<SpsInfo> {
    if kind(nal) != SEQUENCE_SET {
        return None;
    }
    parse_annex_b(&annex_b([nal].into_iter())).first().and_then(|nal| parse_sps_info(nal).ok())
}

fn annex_b<'a>(nals: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut stream = Vec::new();
    for nal in nals {
        stream.extend([0, 0, 0, 1]);
        stream.extend_from_slice(nal);
    }
    stream
}

/// Bytes of a length prefix, and all parameter sets.
fn read_record(bytes: &[u8]) -> Option<(usize, Vec<Vec<u8>>)> {
    let mut reader = Reader::new(bytes);
    reader.bytes(4)?;
    let length_size = usize::from(reader.u8()? & 3) + 1;
    let mut sets = Vec::new();
    for mask in [0x1f, 0xff] {
        for _ in 0..reader.u8()? & mask {
            let len = usize::from(reader.u16()?);
            sets.push(reader.bytes(len)?.to_vec());
        }
    }
    Some((length_size, sets))
}

fn split(mut sample: &[u8], length_size: usize) -> Result<Vec<&[u8]>, &'static str> {
    let mut nals = Vec::new();
    while !sample.is_empty() {
        let (prefix, rest) =
            sample.split_at_checked(length_size).ok_or("the sample ends inside a NAL unit's length")?;
        let len = prefix.iter().fold(0, |len, &byte| len << 8 | usize::from(byte));
        let (nal, rest) = rest.split_at_checked(len).ok_or("a NAL unit reaches beyond its sample")?;
        if !nal.is_empty() {
            nals.push(nal);
        }
        sample = rest;
    }
    Ok(nals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_must_add_up() {
        assert_eq!(split(&[0, 0, 0, 1, 9, 0, 0, 0, 0], 4), Ok(vec![&[9][..]]));
        assert!(split(&[0, 0, 0, 2, 9], 4).is_err());
        assert!(split(&[0, 0, 0], 4).is_err());
        assert!(split(&[0xff, 0xff, 0xff, 0xff, 9], 4).is_err());
        assert_eq!(split(&[2, 9, 8, 0], 1), Ok(vec![&[9, 8][..]]));
    }

    #[test]
    fn units_know_what_they_are() {
        let unit = |nals: Vec<&'static [u8]>| AccessUnit { nals };
        assert!(unit(vec![&[6, 0], &[0x65, 0]]).is_idr());
        assert!(unit(vec![&[0x01, 0]]).is_disposable());
        assert!(!unit(vec![&[0x41, 0]]).is_disposable());
        assert!(!unit(vec![&[6, 0]]).has_picture());
    }

    #[test]
    fn a_broken_configuration_is_an_error() {
        let read = |bytes| Configuration::read(bytes, u64::MAX);
        assert!(read(Some(&[1, 2, 3])).is_err());
        assert!(read(Some(&[1, 66, 0, 30, 0xff, 0xe1, 0, 9, 1])).is_err());
        assert!(read(None).is_ok());
    }
}
