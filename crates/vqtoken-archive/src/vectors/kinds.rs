//! What is stored of a video so that it can be found, and what a search gives.

use crate::error::ArchiveError;
use crate::vectors::MOST_FEATURES;

/// A space of vectors: what one retriever makes of texts, pictures and videos.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Space {
    /// The retriever's id. Vectors of other retrievers are never compared with these.
    pub id: String,
    /// Features of a vector (E).
    pub features: usize,
}

impl Space {
    /// The space of a retriever.
    pub fn new(id: impl Into<String>, features: usize) -> Self {
        Self { id: id.into(), features }
    }
}

/// What a stored vector stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum VectorKind {
    /// A stretch of a video: what texts and pictures are compared with.
    Moments,
    /// A code of the video's main token set: says where in the picture a hit is.
    Codes,
}

impl VectorKind {
    pub(crate) const ALL: [Self; 2] = [Self::Moments, Self::Codes];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Moments => "moments",
            Self::Codes => "codes",
        }
    }
}

/// The vectors of a video in one space. All are of length 1 and are stored in nine bits a feature.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct NewVectors {
    /// From and to, in seconds, `[n, 2]`.
    pub spans: Vec<[f32; 2]>,
    /// `[n, E]`
    pub moments: Vec<f32>,
    /// `[K, E]`, or empty.
    pub codes: Vec<f32>,
}

impl NewVectors {
    /// Vectors of moments and codes.
    pub fn new(spans: Vec<[f32; 2]>, moments: Vec<f32>, codes: Vec<f32>) -> Self {
        Self { spans, moments, codes }
    }

    /// The rows of a kind with their spans.
    pub(crate) fn rows(&self, kind: VectorKind, features: usize) -> Vec<([f32; 2], &[f32])> {
        match kind {
            VectorKind::Moments => {
                self.spans.iter().copied().zip(self.moments.chunks_exact(features)).collect()
            }
            VectorKind::Codes => self.codes.chunks_exact(features).map(|code| ([0.0; 2], code)).collect(),
        }
    }

    pub(crate) fn check(&self, space: &Space) -> Result<(), ArchiveError> {
        let wrong = |reason| Err(ArchiveError::Vectors { space: space.id.clone(), reason });
        let features = space.features;
        if features == 0 || features > MOST_FEATURES {
            return wrong("the space has no features, or more than 65,536");
        }
        if self.spans.len().checked_mul(features) != Some(self.moments.len()) {
            return wrong("there are not as many moments as spans");
        }
        if !self.codes.len().is_multiple_of(features) {
            return wrong("the codes have another number of features");
        }
        if !self.moments.iter().chain(&self.codes).all(|x| x.is_finite()) {
            return wrong("a vector has a value that is not finite");
        }
        let in_order = |[start, end]: &[f32; 2]| start.is_finite() && end.is_finite() && start <= end;
        match self.spans.iter().all(in_order) {
            true => Ok(()),
            false => wrong("a moment ends before it begins, or has no times"),
        }
    }
}

/// The stored vectors of a video.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct StoredVectors {
    /// From and to, in seconds, `[n, 2]`; of codes zeros.
    pub spans: Vec<[f32; 2]>,
    /// `[n, E]`
    pub vectors: Vec<f32>,
}

/// A moment that is near a query.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MomentHit {
    /// The video's id.
    pub id: String,
    /// Which of the video's moments it is, from 0.
    pub moment: usize,
    /// From and to, in seconds.
    pub span: [f32; 2],
    /// The cosine with the query.
    pub cosine: f32,
}

/// What an archive has of a space.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpaceTotals {
    /// The space.
    pub space: Space,
    /// Videos with vectors in it.
    pub videos: u64,
    /// Their moments.
    pub moments: u64,
    /// Bytes of the segments.
    pub bytes: u64,
}
