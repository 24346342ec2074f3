//! Rows that are not questions about a video.

use std::fmt;

use serde::Serialize;

/// How many rows of a file were left out, by what they are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// Rows about pictures.
    pub pictures: usize,
    /// Rows of text alone.
    pub texts: usize,
}

impl LeftOut {
    /// All of them.
    pub fn rows(&self) -> usize {
        self.pictures + self.texts
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pictures, texts } = self;
        write!(f, "{} rows without a video: {pictures} about pictures, {texts} of text alone", self.rows())
    }
}
