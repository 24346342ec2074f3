//! The bytes of a `.vqt` file to video tokens. Nothing in them is believed before it is checked.

use std::collections::HashMap;

use safetensors::SafeTensors;
use safetensors::tensor::SafeTensorError;

use vqtoken_files::{Limit, Limits};

use super::check::check;
use super::error::VqtFormatError;
use super::layout::{CHECKSUM_DIGITS, FORMAT, MAX_HEADER, PREFIX, VERSION, checksum, find_checksum};
use super::metadata::Entries;
use super::tensors::Tensors;
use crate::quality::Quality;
use crate::video_tokens::VideoTokens;

pub(super) fn from_bytes(bytes: &[u8], limits: &Limits) -> Result<VideoTokens, VqtFormatError> {
    let header = check_prefix(bytes, bytes.len() as u64)?;
    let (_, structure) = SafeTensors::read_metadata(bytes).map_err(|error| match error {
        SafeTensorError::MetadataIncompleteBuffer => VqtFormatError::Length { found: bytes.len() },
        error => not_vqt(&error.to_string()),
    })?;
    let no_metadata = HashMap::new();
    let entries = Entries(structure.metadata().as_ref().unwrap_or(&no_metadata));
    let version = check_version(&entries)?;
    check_checksum(bytes, header, &entries)?;
    let tensors = Tensors::new(&structure, &bytes[PREFIX + header..]);
    let tokens = match version {
        1 => version_1(tensors, &entries)?,
        _ => version_2(tensors, &entries, limits)?,
    };
    check(&tokens)?;
    limits.check(Limit::Labels, tokens.index_map.shape().len() as u64)?;
    limits.check(Limit::Frames, tokens.timestamps.len() as u64)?;
    limits.check(Limit::Seconds, span(&tokens.timestamps))?;
    Ok(tokens)
}

/// Whole seconds between the earliest frame and the latest.
fn span(timestamps: &[f64]) -> u64 {
    let (first, last) =
        timestamps.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(first, last), &seconds| {
            (first.min(seconds), last.max(seconds))
        });
    // A cast saturates, and an empty clip has a span of 0.
    (last - first) as u64
}

/// The length of the header, from the first bytes of a file of `file` bytes.
pub(super) fn check_prefix(bytes: &[u8], file: u64) -> Result<usize, VqtFormatError> {
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

fn check_version(entries: &Entries) -> Result<u64, VqtFormatError> {
    if entries.0.get("format").map(String::as_str) != Some(FORMAT) {
        return Err(not_vqt("its metadata has no format \"vqtoken\""));
    }
    match entries.parse::<u64>("version", "a number")? {
        version @ 1..=VERSION => Ok(version),
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
    // Only digits, because a message must show what was found.
    let regular = expected.bytes().all(|digit| digit.is_ascii_hexdigit());
    let (Some(digits), true) = (digits, regular && written == Some(expected.as_bytes())) else {
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

fn version_2(
    mut tensors: Tensors,
    entries: &Entries,
    limits: &Limits,
) -> Result<VideoTokens, VqtFormatError> {
    let (codebook, quality) = tensors.codebook()?;
    let index_map = if tensors.has("index_map_coded") {
        tensors.index_map_coded(entries.grid()?, codebook.codes(), limits)?
    } else {
        tensors.index_map(codebook.codes())?
    };
    let timestamps = if tensors.has("ticks") { tensors.ticks(entries)? } else { tensors.timestamps()? };
    tensors.finish()?;
    Ok(VideoTokens {
        codebook,
        index_map,
        timestamps,
        model: entries.get("model")?.to_owned(),
        source: entries.source()?,
        budget: entries.get("budget")?.parse()?,
        windows: entries.windows()?,
        quality,
    })
}

fn version_1(mut tensors: Tensors, entries: &Entries) -> Result<VideoTokens, VqtFormatError> {
    let codebook = tensors.codebook_exact()?;
    let index_map = tensors.index_map(codebook.codes())?;
    let timestamps = tensors.timestamps()?;
    tensors.finish()?;
    Ok(VideoTokens {
        codebook,
        index_map,
        timestamps,
        model: entries.get("model")?.to_owned(),
        source: entries.source_v1()?,
        budget: entries.get("budget")?.parse()?,
        windows: None,
        quality: Quality::Exact,
    })
}
