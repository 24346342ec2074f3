//! Video tokens to the bytes of a `.vqt` file.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{CHECKSUM_DIGITS, FORMAT, MAX_HEADER, PREFIX, VERSION, check, checksum, find_checksum};
use crate::video_tokens::VideoTokens;
use crate::vqt::VqtFormatError;

/// Fields in the order they are written; maps sorted, so that the same tokens give the same bytes.
#[derive(Serialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    metadata: BTreeMap<&'static str, String>,
    codebook: Tensor,
    index_map: Tensor,
    timestamps: Tensor,
}

#[derive(Serialize)]
struct Tensor {
    dtype: &'static str,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// The tensors' bytes, appended one after the other: the widest type first, so that each is aligned.
#[derive(Default)]
struct Data(Vec<u8>);

impl Data {
    fn push(&mut self, dtype: &'static str, shape: Vec<usize>, bytes: impl Iterator<Item = u8>) -> Tensor {
        let begin = self.0.len();
        self.0.extend(bytes);
        Tensor { dtype, shape, data_offsets: [begin, self.0.len()] }
    }
}

pub(crate) fn to_bytes(tokens: &VideoTokens) -> Result<Vec<u8>, VqtFormatError> {
    check(tokens)?;
    let (codebook, index_map, timestamps) = (&tokens.codebook, &tokens.index_map, &tokens.timestamps);
    let mut data = Data::default();
    let timestamps =
        data.push("F64", vec![timestamps.len()], timestamps.iter().flat_map(|seconds| seconds.to_le_bytes()));
    let shape = vec![codebook.codes(), codebook.dim()];
    let codebook = data.push("F32", shape, codebook.data().iter().flat_map(|value| value.to_le_bytes()));
    let shape = index_map.shape();
    let shape = vec![shape.frames, shape.height, shape.width];
    let (dtype, width) = label_type(index_map.codes());
    let labels = index_map.labels().iter();
    let index_map =
        data.push(dtype, shape, labels.flat_map(|label| label.to_le_bytes().into_iter().take(width)));
    let header = Header { metadata: metadata(tokens), codebook, index_map, timestamps };
    let unwritable = |reason: String| VqtFormatError::NotVqt { reason };
    let mut header = serde_json::to_vec(&header).map_err(|error| unwritable(error.to_string()))?;
    header.resize(header.len().next_multiple_of(PREFIX), b' ');
    if header.len() > MAX_HEADER {
        return Err(VqtFormatError::LongHeader { bytes: header.len() });
    }
    let digits = find_checksum(&header).ok_or_else(|| unwritable("it has no checksum".to_owned()))? + PREFIX;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.append(&mut header);
    file.append(&mut data.0);
    let checksum = checksum(&file, digits);
    file[digits..digits + CHECKSUM_DIGITS].copy_from_slice(checksum.as_bytes());
    Ok(file)
}

/// The smallest unsigned type that holds `codes - 1`, and its bytes.
fn label_type(codes: usize) -> (&'static str, usize) {
    match codes {
        0..=0x100 => ("U8", 1),
        0x101..=0x1_0000 => ("U16", 2),
        _ => ("U32", 4),
    }
}

fn metadata(tokens: &VideoTokens) -> BTreeMap<&'static str, String> {
    let mut metadata = BTreeMap::from([
        ("format", FORMAT.to_owned()),
        ("version", VERSION.to_string()),
        ("checksum", "0".repeat(CHECKSUM_DIGITS)),
        ("model", tokens.model.clone()),
        ("budget", tokens.budget.to_string()),
    ]);
    if let Some(source) = &tokens.source {
        metadata.extend([
            ("source.name", source.name.clone()),
            ("source.width", source.width.to_string()),
            ("source.height", source.height.to_string()),
            ("source.duration", source.duration.to_string()),
            ("source.bytes", source.bytes.to_string()),
            ("source.frames", source.frames.to_string()),
        ]);
    }
    metadata
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_take_the_smallest_type() {
        for (codes, dtype) in [(1, "U8"), (256, "U8"), (257, "U16"), (65536, "U16"), (65537, "U32")] {
            assert_eq!(label_type(codes).0, dtype);
        }
    }
}
