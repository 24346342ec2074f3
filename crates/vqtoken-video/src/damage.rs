//! What the user is told about a stream that is not sound.

use std::fmt;

/// A place where the stream is damaged. What decodes around it is used.
#[derive(Clone, Debug, PartialEq)]
pub struct Damage {
    /// The first frame in trouble, counted in file order from 0.
    pub frame: usize,
    /// When that frame would have been shown, in seconds, if known.
    pub seconds: Option<f64>,
    /// How many frames are missing from the clip because of it.
    pub lost: usize,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "damaged at frame {}", self.frame)?;
        if let Some(seconds) = self.seconds {
            write!(f, " ({seconds:.2} s)")?;
        }
        match self.lost {
            0 => write!(f, ": {}", self.what),
            1 => write!(f, ", 1 frame lost: {}", self.what),
            lost => write!(f, ", {lost} frames lost: {}", self.what),
        }
    }
}
