//! What a checkpoint was trained to read in place of a video.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{OneVisionConfig, VqAttentionConfig};

/// The key `visual_input` of a `config.json`, for models whose tensors do not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum VisualInput {
    /// Every frame's grid, pooled.
    Pooled,
    /// Codes.
    Codes,
}

/// What a model was trained to read in place of a video. Other input works, and costs accuracy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrainedInput {
    /// Every frame's grid at half its sides, as LLaVA-OneVision reads videos.
    Pooled,
    /// The codes of a video.
    Codes(CodeKind),
}

/// What happens to codes before the language model reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodeKind {
    /// Nothing.
    Bare,
    /// They go through the VQ-attention of the published weights.
    Released,
    /// They go through the VQ-attention of the paper's equations.
    Paper,
    /// They go through attention over the token hash.
    Hash,
}

impl OneVisionConfig {
    /// What the model was trained to read: what the configuration states, else codes if there is a VQ-attention, else pooled patches.
    pub fn trained_input(&self) -> TrainedInput {
        let kind = match self.vq_attention {
            None => CodeKind::Bare,
            Some(VqAttentionConfig::Released { .. }) => CodeKind::Released,
            Some(VqAttentionConfig::Paper { .. }) => CodeKind::Paper,
            Some(VqAttentionConfig::Hash { .. }) => CodeKind::Hash,
        };
        match (self.visual_input, kind) {
            (Some(VisualInput::Pooled), _) | (None, CodeKind::Bare) => TrainedInput::Pooled,
            _ => TrainedInput::Codes(kind),
        }
    }
}

impl fmt::Display for TrainedInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pooled => "pooled patches",
            Self::Codes(CodeKind::Bare) => "bare codes",
            Self::Codes(CodeKind::Released) => "codes through the released VQ-attention",
            Self::Codes(CodeKind::Paper) => "codes through the paper's VQ-attention",
            Self::Codes(CodeKind::Hash) => "codes through the hash VQ-attention",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> OneVisionConfig {
        let text = include_str!("../../../../golden/a/onevision-hf/config.json");
        OneVisionConfig::parse("config.json", text).unwrap()
    }

    #[test]
    fn a_plain_checkpoint_was_trained_on_pooled_patches() {
        assert_eq!(small().trained_input(), TrainedInput::Pooled);
        let paper =
            OneVisionConfig { vq_attention: Some(VqAttentionConfig::Paper { positions: 4 }), ..small() };
        assert_eq!(paper.trained_input(), TrainedInput::Codes(CodeKind::Paper));
    }

    #[test]
    fn a_configuration_can_state_what_was_read() {
        let bare = OneVisionConfig { visual_input: Some(VisualInput::Codes), ..small() };
        assert_eq!(bare.trained_input(), TrainedInput::Codes(CodeKind::Bare));
        let read = OneVisionConfig::parse("config.json", &bare.to_json()).unwrap();
        assert_eq!(read, bare);
    }
}
