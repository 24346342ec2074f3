//! Reducers: anything that maps a token grid `[T, H, W, D]` to M tokens. VQToken is one; the others are what it is compared with, each
//! implemented from its own paper and code, not from how comparisons describe it.
//!
//! Start at [`Reducer`]; [`reducer()`] makes one from a text and [`REDUCERS`] lists them. N = T H W tokens, n = H W of a frame. A
//! [`Reduction`] keeps the position of each token in the unreduced sequence, which a language model trained on that sequence needs.
//!
//! | text | type | source | written with | operations |
//! | --- | --- | --- | --- | --- |
//! | `uniform:32` | [`Uniform`] | – | tokens, share | 0 |
//! | `random:32` | [`RandomSubset`] | – | tokens, share, seed | 0 |
//! | `norm:32` | [`NormPruning`] | VQToken's "token pruning" | tokens, share | `2 N D` |
//! | `bilinear` | [`Bilinear`] | LLaVA-OneVision, 2024 | stride s, at most tokens, share | `7 M D` |
//! | `average` | [`Average`] | LLaVA-NeXT, 2024 | stride s, at most tokens, share | `s^2 M D` |
//! | `tome:32` | [`Tome`] | Bolya et al., ICLR 2023 | tokens, share | `2/3 N^2 D` |
//! | `video-tome:32` | [`VideoTome`] | VidToMe, CVPR 2024 | tokens, share | `2 N n D` |
//! | `dpc-knn:32` | [`DpcKnn`] | Chat-UniVi, CVPR 2024 | tokens, share | `2 N n D` |
//! | `dycoke:p=0.7` | [`DyCoke`] | Tao et al., CVPR 2025 | merging rate p, tokens, share | `5 N D` |
//! | `evs:q=0.9` | [`Evs`] | NVIDIA, arXiv 2510.14624 | pruning rate q, tokens, share | `5 N D` |
//! | `vidcom2:q=0.75` | [`VidCom2`] | Liu et al., EMNLP 2025 | pruning rate q, tokens, share | `9.5 N D` |
//! | `fastvid:32` | [`FastVid`] | Shen et al., NeurIPS 2025 | tokens, share | `2 N n D` at most |
//! | `holitom:32` | [`HoliTom`] | Shao et al., NeurIPS 2025 | at most tokens, share | `2 N n D` at most |
//! | `scissor:tau=0.9` | [`Scissor`] | LLaVA-Scissor, 2025 | threshold tau, at most tokens, share | `2 (N n + C^2 + N M) D` |
//! | `sttm:th=0.8` | [`Sttm`] | Hyun et al., ICCV 2025 | threshold th, at most tokens, share | `8 N D` |
//! | `vqtoken:32` | [`VqToken`] | Zhang and Fu, NeurIPS 2025 | codes, adaptive | `2 N K D` an iteration |
//!
//! Tokens and shares are for the whole clip and met exactly where the table does not say "at most" (VQToken: except for clips with fewer
//! directions); C is the number of components of all frames. A budget above N is an error, and so is one below what a method can reach
//! (poolings, DyCoke, STTM). All are deterministic, with the same bits for any number of threads; equal scores prefer the first token.
//! Cosines with zero vectors are 0.

mod amount;
mod average;
mod bilinear;
mod choose;
mod components;
mod density;
mod dpc_knn;
mod dycoke;
mod error;
mod evs;
mod fastvid;
mod holitom;
mod matching;
mod nearest;
mod norm;
mod pooling;
mod reduction;
mod scissor;
mod similarity;
mod sttm;
mod subset;
#[cfg(test)]
mod testing;
mod tome;
mod vidcom2;
mod video_tome;
mod vqtoken;

use crate::grid::TokenGrid;
use crate::quantize::check_tokens;

pub use amount::{Amount, Target};
pub use average::Average;
pub use bilinear::{Bilinear, PooledCell, pool_bilinear, pooled_cells};
pub use dpc_knn::DpcKnn;
pub use dycoke::DyCoke;
pub use error::ReduceError;
pub use evs::Evs;
pub use fastvid::FastVid;
pub use holitom::HoliTom;
pub use norm::NormPruning;
pub use reduction::{ReducedTokens, Reduction};
pub use scissor::Scissor;
pub use sttm::Sttm;
pub use subset::{RandomSubset, Uniform};
pub use tome::Tome;
pub use vidcom2::VidCom2;
pub use video_tome::VideoTome;
pub use vqtoken::VqToken;

/// Anything that maps a token grid to fewer visual tokens.
pub trait Reducer: std::any::Any + std::fmt::Debug + Send + Sync {
    /// The text that [`reducer()`] parses: `tome:32`.
    fn name(&self) -> String;

    /// Reduces the tokens of one clip.
    ///
    /// # Errors
    /// If the budget or parameter does not fit the grid, or a token is not finite.
    fn reduce(&self, grid: &TokenGrid) -> Result<Reduction, ReduceError>;
}

/// A kind of reducer, for help texts.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReducerInfo {
    /// The part before the colon.
    pub name: &'static str,
    /// One or two examples.
    pub usage: &'static str,
    /// What it does, in a line.
    pub description: &'static str,
    /// Where it was published.
    pub source: &'static str,
    /// Parses the part after the colon.
    parse: fn(&str) -> Result<Box<dyn Reducer>, ReduceError>,
}

/// All reducers, simple ones first.
pub const REDUCERS: &[ReducerInfo] = &[
    ReducerInfo {
        name: "uniform",
        usage: "uniform:32, uniform:10%",
        description: "every n-th token",
        source: "baseline",
        parse: |text| Ok(Box::new(Uniform { amount: text.parse()? })),
    },
    ReducerInfo {
        name: "random",
        usage: "random:32, random:32,seed=7",
        description: "a random sample of the tokens",
        source: "baseline",
        parse: |text| Ok(Box::new(RandomSubset::parse(text)?)),
    },
    ReducerInfo {
        name: "norm",
        usage: "norm:32, norm:10%",
        description: "the longest tokens of each frame",
        source: "the token pruning VQToken is compared with",
        parse: |text| Ok(Box::new(NormPruning { amount: text.parse()? })),
    },
    ReducerInfo {
        name: "bilinear",
        usage: "bilinear, bilinear:s=4",
        description: "each frame's grid interpolated to half its sides",
        source: "LLaVA-OneVision, 2024",
        parse: |text| Ok(Box::new(Bilinear { target: pooling::Stride::parse(text)? })),
    },
    ReducerInfo {
        name: "average",
        usage: "average, average:s=4",
        description: "means of squares of each frame's grid",
        source: "LLaVA-NeXT, 2024",
        parse: |text| Ok(Box::new(Average { target: pooling::Stride::parse(text)? })),
    },
    ReducerInfo {
        name: "tome",
        usage: "tome:32, tome:10%",
        description: "alternate tokens merge into their most similar others, by halves",
        source: "ToMe, Bolya et al., ICLR 2023",
        parse: |text| Ok(Box::new(Tome { amount: text.parse()? })),
    },
    ReducerInfo {
        name: "video-tome",
        usage: "video-tome:32, video-tome:10%",
        description: "tokens of four frames merge into the most similar tokens of one of them",
        source: "VidToMe, Li et al., CVPR 2024",
        parse: |text| Ok(Box::new(VideoTome { amount: text.parse()? })),
    },
    ReducerInfo {
        name: "dpc-knn",
        usage: "dpc-knn:32, dpc-knn:10%",
        description: "density peaks of frames, of their tokens and of events",
        source: "Chat-UniVi, Jin et al., CVPR 2024",
        parse: |text| Ok(Box::new(DpcKnn { amount: text.parse()? })),
    },
    ReducerInfo {
        name: "dycoke",
        usage: "dycoke:p=0.7, dycoke:50%",
        description: "in windows of four frames, tokens that repeat an earlier frame are dropped",
        source: "DyCoke, Tao et al., CVPR 2025",
        parse: |text| Ok(Box::new(DyCoke { target: dycoke::MERGING_RATE.parse(text)? })),
    },
    ReducerInfo {
        name: "evs",
        usage: "evs:q=0.9, evs:10%",
        description: "the tokens that changed most since the previous frame",
        source: "EVS, NVIDIA, arXiv 2510.14624",
        parse: |text| Ok(Box::new(Evs { target: evs::PRUNING_RATE.parse(text)? })),
    },
    ReducerInfo {
        name: "vidcom2",
        usage: "vidcom2:q=0.75, vidcom2:32",
        description: "the tokens least like the means of their frame and of the video",
        source: "VidCom2, Liu et al., EMNLP 2025",
        parse: |text| Ok(Box::new(VidCom2 { target: evs::PRUNING_RATE.parse(text)? })),
    },
    ReducerInfo {
        name: "fastvid",
        usage: "fastvid:32, fastvid:10%",
        description: "anchors of each segment that others merge into, and its salient tokens",
        source: "FastVID, Shen et al., NeurIPS 2025",
        parse: |text| Ok(Box::new(FastVid { amount: text.parse()? })),
    },
    ReducerInfo {
        name: "holitom",
        usage: "holitom:32, holitom:10%",
        description: "cells that stay alike become one over a window of frames, then density peaks",
        source: "HoliTom, Shao et al., NeurIPS 2025",
        parse: |text| Ok(Box::new(HoliTom { amount: text.parse()? })),
    },
    ReducerInfo {
        name: "scissor",
        usage: "scissor:tau=0.9, scissor:32",
        description: "connected components of alike tokens, in frames and over time",
        source: "LLaVA-Scissor, Sun et al., 2025",
        parse: |text| Ok(Box::new(Scissor { target: scissor::THRESHOLD.parse(text)? })),
    },
    ReducerInfo {
        name: "sttm",
        usage: "sttm:th=0.8, sttm:32",
        description: "quadtrees of each frame, and their nodes merged over time",
        source: "STTM, Hyun et al., ICCV 2025",
        parse: |text| Ok(Box::new(Sttm { target: sttm::THRESHOLD.parse(text)? })),
    },
    ReducerInfo {
        name: "vqtoken",
        usage: "vqtoken:32, vqtoken:adaptive:elbow:12-32",
        description: "the codebook of the clip, with its index map for VQ-attention",
        source: "VQToken, Zhang and Fu, NeurIPS 2025",
        parse: |text| Ok(Box::new(VqToken { budget: text.parse()? })),
    },
];

/// Parses a reducer: its name, a colon, and an amount or parameter, as in [`ReducerInfo::usage`].
///
/// # Errors
/// If there is no such reducer, or the part after the colon cannot be parsed.
pub fn reducer(text: &str) -> Result<Box<dyn Reducer>, ReduceError> {
    let (name, rest) = text.split_once(':').unwrap_or((text, ""));
    match REDUCERS.iter().find(|info| info.name == name) {
        Some(info) => (info.parse)(rest),
        None => {
            let names: Vec<&str> = REDUCERS.iter().map(|info| info.name).collect();
            Err(ReduceError::Unknown { text: text.to_owned(), names: names.join(", ") })
        }
    }
}

/// Refuses values that are not finite.
fn check(grid: &TokenGrid) -> Result<(), ReduceError> {
    Ok(check_tokens(grid, 0)?)
}
