//! The codebook: the K vectors that stand for the whole clip, `[K, D]`.

/// K codes of D channels, `[K, D]`, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Codebook {
    codes: usize,
    dim: usize,
    data: Vec<f32>,
}

impl Codebook {
    /// Takes `data` as `[K, D]`.
    ///
    /// # Errors
    /// If K or D is 0, or `data` is not `K * D` long.
    pub fn new(codes: usize, dim: usize, data: Vec<f32>) -> Result<Self, CodebookError> {
        if codes == 0 || dim == 0 {
            return Err(CodebookError::Empty { codes, dim });
        }
        if codes.checked_mul(dim) != Some(data.len()) {
            return Err(CodebookError::Length { codes, dim, found: data.len() });
        }
        Ok(Self { codes, dim, data })
    }

    /// K.
    pub fn codes(&self) -> usize {
        self.codes
    }

    /// D.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All codes, `[K, D]`.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// Code `code`, `[D]`.
    ///
    /// # Panics
    /// If `code >= K`, like a slice.
    pub fn code(&self, code: usize) -> &[f32] {
        &self.data[code * self.dim..][..self.dim]
    }

    /// Whether the codes can be compared with tokens of `tokens` channels.
    pub(crate) fn check_dim(&self, tokens: usize) -> Result<(), CodebookError> {
        let codes = self.dim;
        if codes == tokens { Ok(()) } else { Err(CodebookError::Dimension { tokens, codes }) }
    }
}

/// Why values are not a codebook.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodebookError {
    /// K or D is 0.
    #[error("a codebook of shape [K, D] = [{codes}, {dim}] is empty: give at least one code of one channel")]
    Empty {
        /// K.
        codes: usize,
        /// D.
        dim: usize,
    },
    /// `data` has another length than `K * D`.
    #[error("a codebook of shape [K, D] = [{codes}, {dim}] needs K * D values, but {found} were given")]
    Length {
        /// K.
        codes: usize,
        /// D.
        dim: usize,
        /// The length of `data`.
        found: usize,
    },
    /// Codes and tokens have different D.
    #[error("the codes have {codes} channels but the tokens {tokens}: take both from the same model")]
    Dimension {
        /// D of the tokens.
        tokens: usize,
        /// D of the codes.
        codes: usize,
    },
}
