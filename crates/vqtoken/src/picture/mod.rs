//! The picture of a clip's video tokens: frames over their index maps, one colour per code, what share of the clip each code
//! has, and the paths that the token hash gives.
//!
//! | file | idea |
//! | --- | --- |
//! | `header.rs` | what was made from what |
//! | `tiles.rs` | frames, each over its index map |
//! | `legend.rs` | codes and their shares |
//! | `paths.rs`, `movers.rs` | where codes go; which of them move |
//! | `presence.rs` | when codes are there |
//! | `hits.rs` | another picture: the hits of a search with their cells lit |
//! | `curve.rs`, `axis.rs` | another picture: why an adaptive budget chose its number of codes |
//! | `palette.rs` | a colour for each code |
//! | `canvas.rs`, `text.rs` | shapes; lettering |
//! | `error.rs`, `save.rs` | what can go wrong; the PNG file |

mod axis;
mod canvas;
mod curve;
mod error;
mod header;
mod hits;
mod legend;
mod movers;
mod palette;
mod paths;
mod presence;
mod save;
#[cfg(test)]
mod tests;
mod text;
mod tiles;

use image::RgbImage;
use vqtoken_core::{TokenHash, VideoTokens};
use vqtoken_video::Frame;

use canvas::{Canvas, Colour};
pub use curve::draw_curve;
pub use error::PictureError;
pub use hits::{DrawnHit, draw_hits};
pub use save::{png, save_png};

/// What to draw, and how large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureOptions {
    /// Of the T sampled frames at most so many are drawn, evenly spread; 1 to 64.
    pub frames: usize,
    /// Width of the picture in pixels, 640 to 4096; 1800 if not given. The height follows, at most twice the width.
    pub width: Option<usize>,
}

/// Eight frames, 1800 pixels wide.
impl Default for PictureOptions {
    fn default() -> Self {
        Self { frames: 8, width: None }
    }
}

const DEFAULT_WIDTH: usize = 1800;
const MARGIN: usize = 40;
const GAP: usize = 16;
const SECTION_GAP: usize = 30;

/// The colours of so many codes, red, green and blue: those of every picture.
pub fn colours(codes: usize) -> Vec<[u8; 3]> {
    palette::palette(codes)
}

/// What draws for the server.
pub fn artist() -> vqtoken_server::Artist {
    vqtoken_server::Artist {
        picture: |tokens, frames| {
            let image = draw(tokens, frames, &PictureOptions::default())?;
            Ok(png(&image)?)
        },
        colours,
    }
}

/// What every part of the picture is drawn from.
struct Scene<'a> {
    tokens: &'a VideoTokens,
    hash: TokenHash,
    /// The T sampled frames.
    frames: Option<&'a [Frame]>,
    /// `[K]`.
    colours: Vec<Colour>,
    /// The share of all cells that each code holds, `[K]`.
    shares: Vec<f64>,
    /// All codes, the largest share first.
    by_share: Vec<u32>,
    /// Pixels between the margins.
    width: usize,
    /// Width / height of a frame as displayed, kept within 1:4 and 4:1.
    aspect: f32,
}

/// Draws video tokens, with the frames they were made from if these are at hand: one for each of the T steps of the
/// index map, of any but one size. The same input gives the same pixels.
///
/// # Errors
/// If the parts of `tokens` do not belong together, or there are not T frames of one size.
pub fn draw(
    tokens: &VideoTokens,
    frames: Option<&[Frame]>,
    options: &PictureOptions,
) -> Result<RgbImage, PictureError> {
    error::check(tokens, frames)?;
    let full = options.width.unwrap_or(DEFAULT_WIDTH).clamp(640, 4096);
    let scene = Scene::new(tokens, frames, full - 2 * MARGIN);
    let sections = [
        header::draw(&scene),
        tiles::draw(&scene, options.frames.clamp(1, 64)),
        legend::draw(&scene),
        paths::draw(&scene),
    ];
    let height: usize = sections.iter().map(|section| section.height() + SECTION_GAP).sum();
    let mut canvas = Canvas::new(full, 2 * MARGIN + height - SECTION_GAP);
    let mut y = MARGIN;
    for section in &sections {
        canvas.place(MARGIN, y, section);
        y += section.height() + SECTION_GAP;
    }
    Ok(canvas.into_image())
}

impl<'a> Scene<'a> {
    fn new(tokens: &'a VideoTokens, frames: Option<&'a [Frame]>, width: usize) -> Self {
        let shape = tokens.index_map.shape();
        let hash = TokenHash::new(&tokens.index_map);
        let codes = hash.codes() as u32;
        let share = |code| hash.positions(code).len() as f64 / shape.len() as f64;
        let shares: Vec<f64> = (0..codes).map(share).collect();
        let mut by_share: Vec<u32> = (0..codes).collect();
        by_share.sort_by(|&a, &b| shares[b as usize].total_cmp(&shares[a as usize]));
        let source = tokens.source.as_ref().map(|source| (source.width, source.height));
        let frame = frames.and_then(<[Frame]>::first).map(|frame| (frame.width(), frame.height()));
        let (across, down) = frame
            .or(source.filter(|&(width, height)| width > 0 && height > 0))
            .unwrap_or((shape.width, shape.height));
        Self {
            tokens,
            hash,
            frames,
            colours: palette::palette(codes as usize),
            shares,
            by_share,
            width,
            aspect: (across as f32 / down as f32).clamp(0.25, 4.0),
        }
    }

    fn colour(&self, code: u32) -> Colour {
        self.colours[code as usize]
    }

    /// The width of a swatch that has room for any code's number.
    fn chip_width(&self) -> usize {
        text::Face::Strong.width(&self.hash.codes().saturating_sub(1).to_string()).max(16) + 12
    }

    /// A swatch of a code with its number in it, [`CHIP_HEIGHT`] high.
    fn chip(&self, canvas: &mut Canvas, x: usize, y: usize, code: u32) {
        let (colour, label) = (self.colour(code), code.to_string());
        let width = self.chip_width();
        canvas.fill(canvas::Rect { x, y, width, height: CHIP_HEIGHT }, colour);
        let x = x + (width - text::Face::Strong.width(&label)) / 2;
        canvas.text(x, y, &label, text::Face::Strong, canvas::ink_on(colour));
    }
}

/// As high as the lettering in it.
const CHIP_HEIGHT: usize = 16;
