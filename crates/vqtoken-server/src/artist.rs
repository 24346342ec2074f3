//! What draws: handed in by the program, whose pictures and the page's thereby have the same colours.

use std::error::Error;

use vqtoken_core::VideoTokens;
use vqtoken_video::Frame;

/// Why there is no picture.
pub type DrawError = Box<dyn Error + Send + Sync>;

/// Draws video tokens, and their T frames if they are at hand, as PNG.
pub type DrawPicture = fn(&VideoTokens, Option<&[Frame]>) -> Result<Vec<u8>, DrawError>;

/// Functions that draw.
#[derive(Clone, Copy, Debug)]
pub struct Artist {
    /// The picture of a video.
    pub picture: DrawPicture,
    /// The colours of so many codes, red, green and blue.
    pub colours: fn(usize) -> Vec<[u8; 3]>,
}

impl Artist {
    /// Colours as a page writes them, `#rrggbb`.
    pub(crate) fn colours(&self, codes: usize) -> Vec<String> {
        let hexadecimal = |[red, green, blue]: [u8; 3]| format!("#{red:02x}{green:02x}{blue:02x}");
        (self.colours)(codes).into_iter().map(hexadecimal).collect()
    }
}
