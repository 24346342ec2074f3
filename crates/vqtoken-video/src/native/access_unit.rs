//! H.264 as it lies in MP4: the decoder configuration and length-prefixed NAL units (ISO/IEC 14496-15).

use rust_h264::nal::{NalUnit, NalUnitType, SpsInfo, parse_avcc, parse_avcc_config, parse_sps_info};

/// The largest picture of any level of the standard: 139,264 macroblocks.
const MOST_PIXELS: u64 = 139_264 * 256;

/// Decoder configuration: how NAL units are prefixed, and the parameter sets.
pub(crate) struct Configuration {
    length_size: usize,
    parameter_sets: Vec<NalUnit<'static>>,
    /// Of the first sequence parameter set.
    pub(crate) info: Option<SpsInfo>,
}

impl Configuration {
    /// Reads the payload of an `avcC` box. Without one (`avc3`) the parameter sets come in the samples.
    pub(crate) fn read(avc_config: Option<&[u8]>) -> Result<Self, &'static str> {
        let Some(bytes) = avc_config else {
            return Ok(Self { length_size: 4, parameter_sets: Vec::new(), info: None });
        };
        let parsed = parse_avcc_config(bytes)?;
        let info = parsed.sps_nals.first().and_then(|nal| parse_sps_info(nal).ok());
        let parameter_sets = parsed.sps_nals.into_iter().chain(parsed.pps_nals).map(into_owned).collect();
        Ok(Self { length_size: parsed.length_size, parameter_sets, info })
    }

    /// Parameter sets that precede the first sample.
    pub(crate) fn parameter_sets(&self) -> &[NalUnit<'static>] {
        &self.parameter_sets
    }

    /// Takes a sample apart.
    pub(crate) fn access_unit<'a>(&self, sample: &'a [u8]) -> Result<AccessUnit<'a>, &'static str> {
        check_lengths(sample, self.length_size)?;
        let nals = parse_avcc(sample, self.length_size);
        if nals.iter().any(too_large) {
            return Err("a picture larger than any level of H.264 allows");
        }
        Ok(AccessUnit { nals })
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
    let pixels = u64::from(info.coded_width) * u64::from(info.coded_height);
    (pixels > MOST_PIXELS).then(|| format!("{} x {} pixels", info.coded_width, info.coded_height))
}

/// The NAL units of one coded picture.
pub(crate) struct AccessUnit<'a> {
    pub(crate) nals: Vec<NalUnit<'a>>,
}

impl AccessUnit<'_> {
    /// Whether display order starts anew here.
    pub(crate) fn is_idr(&self) -> bool {
        self.nals.iter().any(|nal| nal.nal_unit_type == NalUnitType::SliceIdr)
    }

    /// Whether no other picture refers to this one, so that its loss harms nothing else.
    pub(crate) fn is_disposable(&self) -> bool {
        self.nals.iter().filter(|nal| is_slice(nal)).all(|nal| nal.nal_ref_idc == 0)
    }

    /// Whether there is a picture in it at all.
    pub(crate) fn has_picture(&self) -> bool {
        self.nals.iter().any(is_slice)
    }
}

fn is_slice(nal: &NalUnit<'_>) -> bool {
    matches!(nal.nal_unit_type, NalUnitType::Slice | NalUnitType::SliceIdr | NalUnitType::SliceDataA)
}

fn too_large(nal: &NalUnit<'_>) -> bool {
    nal.nal_unit_type == NalUnitType::Sps
        && parse_sps_info(nal)
            .is_ok_and(|info| u64::from(info.coded_width) * u64::from(info.coded_height) > MOST_PIXELS)
}

fn check_lengths(mut sample: &[u8], length_size: usize) -> Result<(), &'static str> {
    while !sample.is_empty() {
        let (prefix, rest) =
            sample.split_at_checked(length_size).ok_or("the sample ends inside a NAL unit's length")?;
        let len = prefix.iter().fold(0, |len, &byte| len << 8 | usize::from(byte));
        sample = rest.get(len..).ok_or("a NAL unit reaches beyond its sample")?;
    }
    Ok(())
}

fn into_owned(nal: NalUnit<'_>) -> NalUnit<'static> {
    NalUnit {
        nal_ref_idc: nal.nal_ref_idc,
        nal_unit_type: nal.nal_unit_type,
        rbsp: nal.rbsp.into_owned().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_must_add_up() {
        assert!(check_lengths(&[0, 0, 0, 1, 9, 0, 0, 0, 0], 4).is_ok());
        assert!(check_lengths(&[0, 0, 0, 2, 9], 4).is_err());
        assert!(check_lengths(&[0, 0, 0], 4).is_err());
        assert!(check_lengths(&[0xff, 0xff, 0xff, 0xff, 9], 4).is_err());
        assert!(check_lengths(&[2, 9, 9, 0], 1).is_ok());
    }

    #[test]
    fn a_broken_configuration_is_an_error() {
        assert!(Configuration::read(Some(&[1, 2, 3])).is_err());
        assert!(Configuration::read(None).is_ok());
    }
}
