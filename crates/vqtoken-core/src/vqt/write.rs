//! Video tokens to the bytes of a `.vqt` file.

use std::collections::BTreeMap;

use half::bf16;
use serde::Serialize;

use super::check::check;
use super::error::VqtFormatError;
use super::layout::{CHECKSUM_DIGITS, MAX_HEADER, PREFIX, checksum, find_checksum};
use super::metadata::{grid_text, metadata};
use super::rounding::{to_bf16, to_int8};
use super::ticks::{Tick, ticks};
use crate::codebook::Codebook;
use crate::quality::Quality;
use crate::video_tokens::VideoTokens;

/// Maps are sorted, so that the same tokens give the same bytes.
#[derive(Serialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    metadata: BTreeMap<&'static str, String>,
    #[serde(flatten)]
    tensors: BTreeMap<&'static str, Tensor>,
}

#[derive(Serialize)]
struct Tensor {
    dtype: &'static str,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// A tensor's name, type, bytes a value, shape and bytes.
type Part = (&'static str, &'static str, usize, Vec<usize>, Vec<u8>);

pub(super) fn to_bytes(tokens: &VideoTokens) -> Result<Vec<u8>, VqtFormatError> {
    check(tokens)?;
    let mut metadata = metadata(tokens);
    let mut parts = codebook(&tokens.codebook, tokens.quality);
    parts.push(index_map(tokens, &mut metadata));
    parts.push(timestamps(tokens, &mut metadata));
    // The widest type first, so that each tensor is aligned.
    parts.sort_by_key(|&(_, _, width, ..)| std::cmp::Reverse(width));
    let (mut tensors, mut data) = (BTreeMap::new(), Vec::new());
    for (name, dtype, _, shape, bytes) in parts {
        let data_offsets = [data.len(), data.len() + bytes.len()];
        data.extend(bytes);
        tensors.insert(name, Tensor { dtype, shape, data_offsets });
    }
    file(&Header { metadata, tensors }, &data)
}

fn file(header: &Header, data: &[u8]) -> Result<Vec<u8>, VqtFormatError> {
    let unwritable = |reason: String| VqtFormatError::NotVqt { reason };
    let mut header = serde_json::to_vec(header).map_err(|error| unwritable(error.to_string()))?;
    header.resize(header.len().next_multiple_of(PREFIX), b' ');
    if header.len() > MAX_HEADER {
        return Err(VqtFormatError::LongHeader { bytes: header.len() });
    }
    let digits = find_checksum(&header).ok_or_else(|| unwritable("it has no checksum".to_owned()))? + PREFIX;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.append(&mut header);
    file.extend(data);
    let checksum = checksum(&file, digits);
    file[digits..digits + CHECKSUM_DIGITS].copy_from_slice(checksum.as_bytes());
    Ok(file)
}

fn codebook(codebook: &Codebook, quality: Quality) -> Vec<Part> {
    let (codes, values) = (codebook.codes(), codebook.data().iter());
    let shape = vec![codes, codebook.dim()];
    match quality {
        Quality::Exact => {
            vec![("codebook", "F32", 4, shape, values.flat_map(|value| value.to_le_bytes()).collect())]
        }
        Quality::Bf16 => {
            let bytes = values.flat_map(|&value| to_bf16(value).to_le_bytes()).collect();
            vec![("codebook", "BF16", 2, shape, bytes)]
        }
        Quality::Int8 => {
            let (steps, scales) = to_int8(codebook);
            let steps = steps.into_iter().flat_map(i8::to_le_bytes).collect();
            let scales = scales.into_iter().flat_map(bf16::to_le_bytes).collect();
            vec![("codebook", "I8", 1, shape, steps), ("codebook_scales", "BF16", 2, vec![codes], scales)]
        }
    }
}

/// Coded, or as it is where that is shorter.
fn index_map(tokens: &VideoTokens, metadata: &mut BTreeMap<&'static str, String>) -> Part {
    let (map, shape) = (&tokens.index_map, tokens.index_map.shape());
    let coded = map.encode();
    let (dtype, width) = unsigned_type(map.codes().saturating_sub(1));
    if coded.len() < map.labels().len() * width {
        metadata.insert("grid", grid_text(shape));
        return ("index_map_coded", "U8", 1, vec![coded.len()], coded);
    }
    let shape = vec![shape.frames, shape.height, shape.width];
    ("index_map", dtype, width, shape, unsigned(map.labels(), width))
}

/// As ticks if that is exact.
fn timestamps(tokens: &VideoTokens, metadata: &mut BTreeMap<&'static str, String>) -> Part {
    let timestamps = &tokens.timestamps;
    let Some((Tick { numerator, denominator }, steps)) = ticks(timestamps) else {
        let bytes = timestamps.iter().flat_map(|seconds| seconds.to_le_bytes()).collect();
        return ("timestamps", "F64", 8, vec![timestamps.len()], bytes);
    };
    metadata.insert("tick", format!("{numerator}/{denominator}"));
    let (dtype, width) = unsigned_type(steps.iter().max().map_or(0, |&step| step as usize));
    ("ticks", dtype, width, vec![steps.len()], unsigned(&steps, width))
}

/// The smallest unsigned type that holds `largest`, and its bytes.
fn unsigned_type(largest: usize) -> (&'static str, usize) {
    match largest {
        0..=0xff => ("U8", 1),
        0x100..=0xffff => ("U16", 2),
        _ => ("U32", 4),
    }
}

fn unsigned(numbers: &[u32], width: usize) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes().into_iter().take(width)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_the_smallest_type() {
        for (largest, dtype) in [(0, "U8"), (255, "U8"), (256, "U16"), (65535, "U16"), (65536, "U32")] {
            assert_eq!(unsigned_type(largest).0, dtype);
        }
    }
}
