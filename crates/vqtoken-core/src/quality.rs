//! How precisely a file stores the codebook.

use std::fmt;
use std::str::FromStr;

/// How precisely a `.vqt` file keeps the codebook. In memory it is always `f32`; what a lossy quality once rounded stays as
/// it is when it is stored again with that quality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Quality {
    /// Every bit: 4 bytes a value.
    #[default]
    Exact,
    /// The nearest bfloat16, 2 bytes a value: off by at most 1/256 of the value, or 1e-40 where that is more.
    Bf16,
    /// A byte a value and a scale a code: off by at most 1/253 of the code's largest value, or 2e-36 where that is more.
    Int8,
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "exact",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        })
    }
}

impl FromStr for Quality {
    type Err = QualityError;

    fn from_str(text: &str) -> Result<Self, QualityError> {
        match text {
            "exact" => Ok(Self::Exact),
            "bf16" => Ok(Self::Bf16),
            "int8" => Ok(Self::Int8),
            _ => Err(QualityError { text: text.to_owned() }),
        }
    }
}

/// No quality can be read from a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no quality of a codebook: write exact, bf16 or int8")]
#[non_exhaustive]
pub struct QualityError {
    /// What was written.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_qualities() {
        for quality in [Quality::Exact, Quality::Bf16, Quality::Int8] {
            assert_eq!(quality.to_string().parse(), Ok(quality));
        }
        let error = "low\n".parse::<Quality>().unwrap_err().to_string();
        assert_eq!(error, r#""low\n" is no quality of a codebook: write exact, bf16 or int8"#);
    }
}
