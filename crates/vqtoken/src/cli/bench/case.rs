//! What is measured: a procedure and a budget, by name.

use std::fmt;
use std::str::FromStr;

use crate::{Budget, QuantizerConfig, Rule};
use vqtoken_core::Procedure;

/// `fixed` or `adaptive-RULE`, with `stream-` or `published-` before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Case {
    pub(super) way: Way,
    /// How K is chosen; none for a fixed budget.
    rule: Option<Rule>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// All tokens at once.
    Whole,
    /// All tokens at once, by the published procedure.
    Published,
    /// Chunk by chunk.
    Stream,
}

impl Way {
    fn prefix(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::Published => "published-",
            Self::Stream => "stream-",
        }
    }
}

/// Measured if no case is named: all that take seconds.
pub(super) const DEFAULT: [Case; 8] = [
    Case { way: Way::Whole, rule: None },
    Case { way: Way::Whole, rule: Some(Rule::Elbow) },
    Case { way: Way::Whole, rule: Some(Rule::Silhouette) },
    Case { way: Way::Whole, rule: Some(Rule::Distortion(0.9)) },
    Case { way: Way::Whole, rule: Some(Rule::Bits(0.02)) },
    Case { way: Way::Stream, rule: None },
    Case { way: Way::Stream, rule: Some(Rule::Elbow) },
    Case { way: Way::Published, rule: None },
];

/// Iterations after which the published procedure stopped a fit of a fixed budget.
const PUBLISHED_FIXED_ITERATIONS: usize = 50;

impl Case {
    /// Whether the number of codes is given, not chosen.
    pub(super) fn is_fixed(&self) -> bool {
        self.rule.is_none()
    }

    /// How the quantizer is set up for it.
    pub(super) fn config(&self, codes: usize, range: (usize, usize), seed: u64) -> QuantizerConfig {
        let (min, max) = range;
        let mut config = QuantizerConfig::default().with_seed(seed);
        config.budget = self.rule.map_or(Budget::Fixed(codes), |rule| Budget::Adaptive { min, max, rule });
        if self.way == Way::Published {
            config.procedure = Procedure::Published;
            if self.rule.is_none() {
                config.max_iterations = PUBLISHED_FIXED_ITERATIONS;
            }
        }
        config
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.way.prefix())?;
        match self.rule {
            None => f.write_str("fixed"),
            Some(rule) => write!(f, "adaptive-{rule}"),
        }
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (way, budget) = [Way::Published, Way::Stream]
            .into_iter()
            .find_map(|way| Some((way, text.strip_prefix(way.prefix())?)))
            .unwrap_or((Way::Whole, text));
        if budget == "fixed" {
            return Ok(Self { way, rule: None });
        }
        let rule = budget.strip_prefix("adaptive-").ok_or(
            "write fixed or adaptive-RULE with a rule of elbow, silhouette, distortion=0.9 or bits=0.02, and stream- \
             or published- before it if you like",
        )?;
        rule.parse()
            .map(|rule| Self { way, rule: Some(rule) })
            .map_err(|error: vqtoken_core::RuleError| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_cases() {
        for case in DEFAULT {
            assert_eq!(case.to_string().parse(), Ok(case));
        }
        let slow: Case = "published-adaptive-silhouette".parse().unwrap();
        assert_eq!(slow, Case { way: Way::Published, rule: Some(Rule::Silhouette) });
        for text in ["", "fast", "published", "stream-published-fixed", "adaptive-", "adaptive-bits=0"] {
            assert!(text.parse::<Case>().is_err(), "{text}");
        }
    }

    #[test]
    fn published_fits_stop_where_they_stopped() {
        let iterations = |name: &str| name.parse::<Case>().unwrap().config(32, (12, 32), 0).max_iterations;
        assert_eq!(iterations("published-fixed"), 50);
        assert_eq!(iterations("published-adaptive-elbow"), 100);
    }
}
