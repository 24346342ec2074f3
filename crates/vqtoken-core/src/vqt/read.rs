//! The bytes of a `.vqt` file to video tokens. Nothing in them is believed before it is checked.

use std::collections::HashMap;
use std::str::FromStr;

use safetensors::tensor::{Metadata, SafeTensorError, TensorInfo};
use safetensors::{Dtype, SafeTensors};

use super::{CHECKSUM_DIGITS, FORMAT, MAX_HEADER, PREFIX, VERSION, check, checksum, find_checksum};
use crate::codebook::Codebook;
use crate::grid::GridShape;
use crate::index_map::IndexMap;
use crate::video_tokens::{Source, VideoTokens};
use crate::vqt::VqtFormatError;

const TENSORS: [&str; 3] = ["codebook", "index_map", "timestamps"];

pub(crate) fn from_bytes(bytes: &[u8]) -> Result<VideoTokens, VqtFormatError> {
    let header = check_prefix(bytes, bytes.len() as u64)?;
    let (_, structure) = SafeTensors::read_metadata(bytes).map_err(|error| match error {
        SafeTensorError::MetadataIncompleteBuffer => VqtFormatError::Length { found: bytes.len() },
        error => not_vqt(&error.to_string()),
    })?;
    let no_metadata = HashMap::new();
    let entries = Entries(structure.metadata().as_ref().unwrap_or(&no_metadata));
    check_version(&entries)?;
    check_checksum(bytes, header, &entries)?;
    let tensors = Tensors { structure: &structure, data: &bytes[PREFIX + header..] };
    let tokens = video_tokens(&tensors, &entries)?;
    check(&tokens)?;
    Ok(tokens)
}

/// The length of the header, from the first bytes of a file of `file` bytes.
pub(crate) fn check_prefix(bytes: &[u8], file: u64) -> Result<usize, VqtFormatError> {
    let Some(length) = bytes.first_chunk::<PREFIX>() else {
        return Err(not_vqt("it is shorter than 8 bytes"));
    };
    let length = u64::from_le_bytes(*length);
    match usize::try_from(length) {
        Ok(length) if length <= MAX_HEADER && (length + PREFIX) as u64 <= file => Ok(length),
        _ => Err(not_vqt(&format!("a header of {length} bytes does not fit into a file of {file}"))),
    }
}

fn not_vqt(reason: &str) -> VqtFormatError {
    // Parsers quote what they read; a message is one short line whatever that was.
    let reason = reason.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect();
    VqtFormatError::NotVqt { reason }
}

fn check_version(entries: &Entries) -> Result<(), VqtFormatError> {
    if entries.0.get("format").map(String::as_str) != Some(FORMAT) {
        return Err(not_vqt("its metadata has no format \"vqtoken\""));
    }
    match entries.parse::<u64>("version", "a number")? {
        VERSION => Ok(()),
        version if version > VERSION => Err(VqtFormatError::Newer { version, known: VERSION }),
        version => {
            let value = version.to_string();
            Err(VqtFormatError::Metadata { key: "version", value, expected: "1 or more" })
        }
    }
}

fn check_checksum(bytes: &[u8], header: usize, entries: &Entries) -> Result<(), VqtFormatError> {
    let expected = entries.get("checksum")?;
    let digits = find_checksum(&bytes[PREFIX..PREFIX + header]).map(|digits| digits + PREFIX);
    let written = digits.map(|digits| &bytes[digits..digits + CHECKSUM_DIGITS]);
    let (Some(digits), true) = (digits, written == Some(expected.as_bytes())) else {
        let expected_form = "8 hexadecimal digits written without spaces around them";
        return Err(VqtFormatError::Metadata {
            key: "checksum",
            value: expected.to_owned(),
            expected: expected_form,
        });
    };
    let found = checksum(bytes, digits);
    if found == expected {
        Ok(())
    } else {
        Err(VqtFormatError::Checksum { expected: expected.to_owned(), found })
    }
}

fn video_tokens(tensors: &Tensors, entries: &Entries) -> Result<VideoTokens, VqtFormatError> {
    let mut names: Vec<String> = tensors.structure.offset_keys();
    names.retain(|name| !TENSORS.contains(&name.as_str()));
    if let Some(tensor) = names.pop() {
        return Err(VqtFormatError::UnexpectedTensor { tensor });
    }
    let (codebook, data) = tensors.get("codebook")?;
    let (Dtype::F32, &[codes, dim]) = (codebook.dtype, codebook.shape.as_slice()) else {
        return Err(misshaped("codebook", codebook, "F32 [K, D]"));
    };
    let codebook = Codebook::new(codes, dim, numbers(data, f32::from_le_bytes))?;

    let (index_map, data) = tensors.get("index_map")?;
    let labels = match index_map.dtype {
        Dtype::U8 => data.iter().map(|&label| u32::from(label)).collect(),
        Dtype::U16 => numbers(data, |label| u32::from(u16::from_le_bytes(label))),
        Dtype::U32 => numbers(data, u32::from_le_bytes),
        _ => return Err(misshaped("index_map", index_map, "U8, U16 or U32 [T, H, W]")),
    };
    let &[frames, height, width] = index_map.shape.as_slice() else {
        return Err(misshaped("index_map", index_map, "U8, U16 or U32 [T, H, W]"));
    };
    let index_map = IndexMap::new(GridShape { frames, height, width }, codes, labels)?;

    let (timestamps, data) = tensors.get("timestamps")?;
    let (Dtype::F64, &[_]) = (timestamps.dtype, timestamps.shape.as_slice()) else {
        return Err(misshaped("timestamps", timestamps, "F64 [T]"));
    };
    let timestamps = numbers(data, f64::from_le_bytes);
    let model = entries.get("model")?.to_owned();
    let budget = entries.get("budget")?.parse()?;
    Ok(VideoTokens { codebook, index_map, timestamps, model, source: source(entries)?, budget })
}

fn source(entries: &Entries) -> Result<Option<Source>, VqtFormatError> {
    let Some(name) = entries.0.get("source.name") else { return Ok(None) };
    Ok(Some(Source {
        name: name.clone(),
        width: entries.parse("source.width", "a number of pixels")?,
        height: entries.parse("source.height", "a number of pixels")?,
        duration: entries.parse("source.duration", "seconds")?,
        bytes: entries.parse("source.bytes", "a number of bytes")?,
        frames: entries.parse("source.frames", "a number of frames")?,
    }))
}

fn misshaped(tensor: &'static str, found: &TensorInfo, expected: &'static str) -> VqtFormatError {
    VqtFormatError::Tensor { tensor, found: format!("{:?} {:?}", found.dtype, found.shape), expected }
}

/// Little-endian numbers of `B` bytes each.
fn numbers<const B: usize, N>(data: &[u8], number: impl Fn([u8; B]) -> N) -> Vec<N> {
    data.as_chunks::<B>().0.iter().map(|&bytes| number(bytes)).collect()
}

/// The entries of `__metadata__`, by key.
struct Entries<'a>(&'a HashMap<String, String>);

impl Entries<'_> {
    fn get(&self, key: &'static str) -> Result<&str, VqtFormatError> {
        self.0.get(key).map(String::as_str).ok_or(VqtFormatError::MissingMetadata { key })
    }

    fn parse<T: FromStr>(&self, key: &'static str, expected: &'static str) -> Result<T, VqtFormatError> {
        let value = self.get(key)?;
        value.parse().map_err(|_| VqtFormatError::Metadata { key, value: value.to_owned(), expected })
    }
}

struct Tensors<'a> {
    structure: &'a Metadata,
    data: &'a [u8],
}

impl<'a> Tensors<'a> {
    /// Type, shape and bytes. The parser has checked that these agree, and that the bytes are inside the file.
    fn get(&self, tensor: &'static str) -> Result<(&'a TensorInfo, &'a [u8]), VqtFormatError> {
        let missing = VqtFormatError::MissingTensor { tensor };
        let info = self.structure.info(tensor).ok_or(missing)?;
        let (begin, end) = info.data_offsets;
        Ok((info, &self.data[begin..end]))
    }
}
