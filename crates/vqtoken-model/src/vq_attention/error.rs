//! What a VQ-attention cannot read.

/// Why a codebook and an index map give no visual tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttentionError {
    /// Codebook and index map do not belong together.
    #[error("the codebook has {codebook} codes, the index map {index_map}: use both of one quantization")]
    Codes {
        /// Codes of the codebook.
        codebook: usize,
        /// Codes of the index map.
        index_map: usize,
    },
    /// The paper's kind was made for index maps of another size.
    #[error(
        "this checkpoint's VQ-attention reads index maps of {expected} positions, the video tokens have {found}: sample as many \
         frames as it was trained with"
    )]
    Positions {
        /// Positions that the module was made for.
        expected: usize,
        /// Positions of the index map.
        found: usize,
    },
    /// The released kind was made for frames of another size.
    #[error(
        "this checkpoint's VQ-attention reads frames of {expected} patches, the video tokens have {found}: encode the video with \
         this model"
    )]
    Patches {
        /// Patches of a frame that the module was made for.
        expected: usize,
        /// Patches of a frame of the index map.
        found: usize,
    },
}
