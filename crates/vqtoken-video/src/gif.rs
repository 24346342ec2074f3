//! Animated GIF: composited frames, their delays as timestamps.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use image::codecs::gif::GifDecoder;
use image::{AnimationDecoder, DynamicImage, ImageDecoder};

use crate::damage::Damage;
use crate::error::VideoError;
use crate::frame::Frame;
use crate::info::{Decoder, VideoInfo};
use crate::source::{Keep, Opened, Pass, Source, Wanted};

/// Players show frames with a shorter delay than 20 ms for 100 ms.
const SHORTEST_DELAY: f64 = 0.02;
const USUAL_DELAY: f64 = 0.1;

/// Reads the header of a GIF.
pub(crate) fn open(info: VideoInfo) -> Result<Opened, VideoError> {
    let source = GifSource { path: info.path.clone() };
    let (width, height) = source.decoder()?.dimensions();
    let info = VideoInfo {
        container: "GIF".into(),
        codec: "GIF".into(),
        width: width as usize,
        height: height as usize,
        decoder: Decoder::Images,
        ..info
    };
    Ok((info, Box::new(source)))
}

struct GifSource {
    path: PathBuf,
}

impl GifSource {
    fn decoder(&self) -> Result<GifDecoder<BufReader<File>>, VideoError> {
        let file = File::open(&self.path)
            .map_err(|source| VideoError::Unreadable { path: self.path.clone(), source })?;
        GifDecoder::new(BufReader::new(file))
            .map_err(|error| VideoError::NotAVideo { path: self.path.clone(), reason: error.to_string() })
    }
}

impl Source for GifSource {
    fn expected_timestamps(&self) -> Option<Vec<f64>> {
        None
    }

    fn pass(&self, wanted: &Wanted, keep: Keep<'_>) -> Result<Pass, VideoError> {
        let mut pass = Pass::default();
        let mut now = 0.0;
        for (index, frame) in self.decoder()?.into_frames().enumerate() {
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => {
                    let what = format!("the rest of the file is lost: {error}");
                    pass.damage.push(Damage { frame: index, seconds: Some(now), lost: 0, what });
                    break;
                }
            };
            let (numerator, denominator) = frame.delay().numer_denom_ms();
            let delay = f64::from(numerator) / f64::from(denominator.max(1)) / 1000.0;
            pass.timestamps.push(now);
            now += if delay < SHORTEST_DELAY { USUAL_DELAY } else { delay };
            if wanted.contains(index) {
                let image = DynamicImage::ImageRgba8(frame.into_buffer()).into_rgb8();
                keep(index, Frame::new(image.width() as usize, image.height() as usize, image.into_raw())?);
            }
        }
        Ok(pass)
    }
}
