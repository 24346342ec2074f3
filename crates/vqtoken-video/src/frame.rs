//! One picture.

use std::sync::Arc;

use crate::error::VideoError;

/// One RGB picture with 8 bits a channel, rows from the top, `[H, W, 3]`. A clone shares the bytes, so a clip
/// that shows one frame many times holds it once.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    width: usize,
    height: usize,
    rgb: Arc<Vec<u8>>,
}

impl Frame {
    /// A frame from its bytes `[H, W, 3]`.
    ///
    /// # Errors
    /// [`VideoError::BadFrame`] when a side is zero or `rgb` is not `height * width * 3` long.
    pub fn new(width: usize, height: usize, rgb: Vec<u8>) -> Result<Frame, VideoError> {
        let expected = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(3));
        if width == 0 || height == 0 || expected != Some(rgb.len()) {
            return Err(VideoError::BadFrame { width, height, got: rgb.len() });
        }
        Ok(Frame::from_parts(width, height, rgb))
    }

    /// A frame whose bytes were made to fit by the caller.
    pub(crate) fn from_parts(width: usize, height: usize, rgb: Vec<u8>) -> Frame {
        debug_assert_eq!(rgb.len(), width * height * 3);
        Frame { width, height, rgb: Arc::new(rgb) }
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The bytes, `[H, W, 3]`.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({} x {})", self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_must_fit_the_size() {
        assert!(Frame::new(2, 3, vec![0; 18]).is_ok());
        for (width, height, bytes) in [(2, 3, 17), (0, 3, 0), (3, 0, 0), (usize::MAX, 2, 6)] {
            assert!(matches!(Frame::new(width, height, vec![0; bytes]), Err(VideoError::BadFrame { .. })));
        }
    }
}
