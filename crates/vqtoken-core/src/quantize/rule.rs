//! The rules by which an adaptive budget chooses K, and how they are written.

use std::fmt;
use std::str::FromStr;

/// How K is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Rule {
    /// The K whose point on the curve of distortion is farthest from the chord between its ends ([`crate::elbow`]).
    Elbow,
    /// The K with the best mean cosine silhouette ([`crate::silhouette`]).
    Silhouette,
    /// The smallest K that keeps this share of the tokens' variance, above 0 and at most 1: 1 - inertia(K) / inertia(1). The
    /// largest K if none does.
    Distortion(f64),
    /// The K of the best bargain when every code costs this many bits, above 0. What K codes save are the bits for each value of a
    /// token that a Gaussian source of the same variance would need more with one code: 1/2 log2(inertia(1) / inertia(K)). So the
    /// price means the same for short and long clips and for any model.
    Bits(f64),
}

impl Rule {
    /// Whether the rule's number makes sense.
    ///
    /// # Errors
    /// If a share is not above 0 and at most 1, or a price not above 0 and finite.
    pub(crate) fn check(&self) -> Result<(), RuleError> {
        match *self {
            Self::Distortion(share) if !(share > 0.0 && share <= 1.0) => Err(RuleError::Share { share }),
            Self::Bits(price) if !(price > 0.0 && price.is_finite()) => Err(RuleError::Price { price }),
            _ => Ok(()),
        }
    }
}

/// Why a rule cannot be used, or a text is not a rule.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// The text is not a rule.
    #[error(
        "invalid rule {text:?} for choosing the number of codes: expected elbow, silhouette, distortion=0.9 or bits=0.02"
    )]
    Unknown {
        /// The text given.
        text: String,
    },
    /// A share of the variance outside (0, 1].
    #[error(
        "invalid rule distortion={share}: the share of the variance to keep must be above 0 and at most 1"
    )]
    Share {
        /// The share given.
        share: f64,
    },
    /// A price that is not positive and finite.
    #[error("invalid rule bits={price}: the price of a code must be a number above 0, such as 0.02")]
    Price {
        /// The price given.
        price: f64,
    },
}

/// `elbow`, `silhouette`, `distortion=0.9` or `bits=0.02`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elbow => f.write_str("elbow"),
            Self::Silhouette => f.write_str("silhouette"),
            Self::Distortion(share) => write!(f, "distortion={share}"),
            Self::Bits(price) => write!(f, "bits={price}"),
        }
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let unreadable = || RuleError::Unknown { text: text.to_owned() };
        let rule = match text.split_once('=') {
            None if text == "elbow" => Self::Elbow,
            None if text == "silhouette" => Self::Silhouette,
            Some(("distortion", share)) => Self::Distortion(share.parse().map_err(|_| unreadable())?),
            Some(("bits", price)) => Self::Bits(price.parse().map_err(|_| unreadable())?),
            _ => return Err(unreadable()),
        };
        rule.check().map(|()| rule)
    }
}
