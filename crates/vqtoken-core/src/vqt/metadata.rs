//! The entries of `__metadata__`: what is written, and how each is read.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use super::error::VqtFormatError;
use super::layout::{CHECKSUM_DIGITS, FORMAT, VERSION};
use crate::grid::GridShape;
use crate::video_tokens::{Source, VideoTokens, Windows};

/// What any file of these video tokens says, by key; the tensors may add to it.
pub(super) fn metadata(tokens: &VideoTokens) -> BTreeMap<&'static str, String> {
    let mut metadata = BTreeMap::from([
        ("format", FORMAT.to_owned()),
        ("version", VERSION.to_string()),
        ("checksum", "0".repeat(CHECKSUM_DIGITS)),
        ("model", tokens.model.clone()),
        ("budget", tokens.budget.to_string()),
    ]);
    if let Some(Source { name, width, height, duration, bytes, frames }) = &tokens.source {
        metadata.insert("source.name", name.clone());
        metadata.insert("source.video", format!("{width},{height},{duration},{bytes},{frames}"));
    }
    if let Some(Windows { seconds, total }) = &tokens.windows {
        metadata.insert("window.seconds", seconds.to_string());
        metadata.extend(total.iter().map(|total| ("window.total", total.to_string())));
    }
    metadata
}

pub(super) fn grid_text(shape: GridShape) -> String {
    format!("{},{},{}", shape.frames, shape.height, shape.width)
}

/// The entries of a file, by key.
pub(super) struct Entries<'a>(pub(super) &'a HashMap<String, String>);

impl Entries<'_> {
    pub(super) fn get(&self, key: &'static str) -> Result<&str, VqtFormatError> {
        self.0.get(key).map(String::as_str).ok_or(VqtFormatError::MissingMetadata { key })
    }

    pub(super) fn parse<T: FromStr>(
        &self,
        key: &'static str,
        expected: &'static str,
    ) -> Result<T, VqtFormatError> {
        self.parse_with(key, expected, |value| value.parse().ok())
    }

    pub(super) fn parse_with<T>(
        &self,
        key: &'static str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, VqtFormatError> {
        let value = self.get(key)?;
        parse(value).ok_or_else(|| VqtFormatError::Metadata { key, value: value.to_owned(), expected })
    }

    pub(super) fn grid(&self) -> Result<GridShape, VqtFormatError> {
        self.parse_with("grid", "frames,rows,columns", |text| {
            let mut parts = text.split(',');
            let shape =
                GridShape { frames: next(&mut parts)?, height: next(&mut parts)?, width: next(&mut parts)? };
            parts.next().is_none().then_some(shape)
        })
    }

    pub(super) fn source(&self) -> Result<Option<Source>, VqtFormatError> {
        let Some(name) = self.0.get("source.name") else { return Ok(None) };
        self.parse_with("source.video", "width,height,seconds,bytes,frames", |text| {
            let mut parts = text.split(',');
            let source = Source {
                name: name.clone(),
                width: next(&mut parts)?,
                height: next(&mut parts)?,
                duration: next(&mut parts)?,
                bytes: next(&mut parts)?,
                frames: next(&mut parts)?,
            };
            parts.next().is_none().then_some(Some(source))
        })
    }

    /// As version 1 keeps it.
    pub(super) fn source_v1(&self) -> Result<Option<Source>, VqtFormatError> {
        let Some(name) = self.0.get("source.name") else { return Ok(None) };
        Ok(Some(Source {
            name: name.clone(),
            width: self.parse("source.width", "a number of pixels")?,
            height: self.parse("source.height", "a number of pixels")?,
            duration: self.parse("source.duration", "seconds")?,
            bytes: self.parse("source.bytes", "a number of bytes")?,
            frames: self.parse("source.frames", "a number of frames")?,
        }))
    }

    pub(super) fn windows(&self) -> Result<Option<Windows>, VqtFormatError> {
        let total = self.0.get("window.total").map(|total| total.parse()).transpose()?;
        if total.is_none() && !self.0.contains_key("window.seconds") {
            return Ok(None);
        }
        Ok(Some(Windows { seconds: self.parse("window.seconds", "seconds above 0")?, total }))
    }
}

fn next<'a, T: FromStr>(parts: &mut impl Iterator<Item = &'a str>) -> Option<T> {
    parts.next()?.parse().ok()
}
