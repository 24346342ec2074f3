//! Other numbers of codes of a video, from the merge tree of the codes that it has: the video is not needed.

use vqtoken_core::{Budget, CodeTree, Rule, VideoTokens};

use crate::error::ApiError;

/// The same video under another budget.
pub(crate) fn with_budget(tokens: &VideoTokens, budget: Budget) -> Result<VideoTokens, ApiError> {
    budget.check()?;
    let have = tokens.codebook.codes();
    let tree = CodeTree::new(tokens);
    let codes = match budget {
        Budget::Fixed(codes) => codes,
        Budget::Adaptive { min, max, rule: Rule::Elbow } => tree.elbow(min, max),
        Budget::Adaptive { .. } => {
            return Err(ApiError::parameter(
                "tokens",
                "has a rule that needs the video: for a stored one write a number, or adaptive:elbow:MIN-MAX",
            ));
        }
    };
    // A video of fewer different tokens than it might have had codes has a code for each: more there cannot be.
    let has_all = matches!(tokens.budget, Budget::Fixed(most) if most > have);
    if codes > have && !has_all {
        return Err(ApiError::parameter(
            "tokens",
            format!(
                "asks for {codes} codes, and {have} are stored of this video: ask for fewer, or send the video"
            ),
        ));
    }
    let made = tree.tokens_at(codes).map_err(|error| ApiError::refused("tokens", error))?;
    Ok(VideoTokens { budget, ..made })
}

#[cfg(test)]
mod tests {
    use vqtoken_core::{Codebook, GridShape, IndexMap, Quality};

    use super::*;

    fn tokens(budget: usize) -> VideoTokens {
        let shape = GridShape { frames: 1, height: 1, width: 3 };
        VideoTokens {
            codebook: Codebook::new(3, 2, vec![1.0, 0.0, 0.9, 0.1, 0.0, 1.0]).unwrap(),
            index_map: IndexMap::new(shape, 3, vec![0, 1, 2]).unwrap(),
            timestamps: vec![0.0],
            model: "m".to_owned(),
            source: None,
            budget: Budget::Fixed(budget),
            windows: None,
            quality: Quality::default(),
        }
    }

    #[test]
    fn fewer_codes_are_made_and_more_are_refused_unless_there_are_all() {
        let two = with_budget(&tokens(3), Budget::Fixed(2)).unwrap();
        assert_eq!((two.codebook.codes(), two.index_map.labels()), (2, &[0, 0, 1][..]));
        assert_eq!(two.budget, Budget::Fixed(2));
        let elbow = Budget::Adaptive { min: 1, max: 2, rule: Rule::Elbow };
        assert_eq!(with_budget(&tokens(3), elbow).unwrap().budget, elbow);
        assert!(with_budget(&tokens(3), Budget::Fixed(4)).is_err());
        assert_eq!(with_budget(&tokens(256), Budget::Fixed(4)).unwrap().codebook.codes(), 3);
        let silhouette = Budget::Adaptive { min: 1, max: 2, rule: Rule::Silhouette };
        assert!(with_budget(&tokens(3), silhouette).unwrap_err().to_string().contains("needs the video"));
    }
}
