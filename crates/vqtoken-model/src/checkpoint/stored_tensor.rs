//! The numbers of one stored tensor, as f32.

use std::ops::Range;
use std::sync::Arc;

use safetensors::Dtype;

use super::adapter::low_rank::LowRank;

/// The element types that are read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    F64,
    F32,
    F16,
    Bf16,
}

impl Kind {
    /// None for a type that is not read.
    pub(super) fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F64 => Some(Self::F64),
            Dtype::F32 => Some(Self::F32),
            Dtype::F16 => Some(Self::F16),
            Dtype::BF16 => Some(Self::Bf16),
            _ => None,
        }
    }
}

/// Numbers of a checkpoint where they lie: in a mapped file, or in memory.
#[derive(Clone, Copy, Debug)]
pub struct StoredTensor<'a> {
    pub(super) kind: Kind,
    pub(super) bytes: &'a [u8],
    /// What an adapter adds.
    pub(super) change: Option<&'a Arc<LowRank>>,
}

impl StoredTensor<'_> {
    /// How many numbers.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.width()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Puts the numbers `range` into `out`, which is as long as that.
    pub fn read(&self, range: Range<usize>, out: &mut [f32]) {
        let width = self.width();
        let bytes = &self.bytes[range.start * width..range.end * width];
        let pairs = bytes.chunks_exact(2).map(|b| [b[0], b[1]]);
        match self.kind {
            Kind::F64 => {
                for (out, b) in out.iter_mut().zip(bytes.as_chunks::<8>().0) {
                    *out = f64::from_le_bytes(*b) as f32;
                }
            }
            Kind::F32 => {
                for (out, b) in out.iter_mut().zip(bytes.chunks_exact(4)) {
                    *out = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
                }
            }
            Kind::F16 => {
                out.iter_mut().zip(pairs).for_each(|(out, b)| *out = half::f16::from_le_bytes(b).to_f32());
            }
            Kind::Bf16 => {
                out.iter_mut().zip(pairs).for_each(|(out, b)| *out = half::bf16::from_le_bytes(b).to_f32());
            }
        }
        if let Some(change) = self.change {
            change.add_to(range, out);
        }
    }

    fn width(&self) -> usize {
        match self.kind {
            Kind::F64 => 8,
            Kind::F32 => 4,
            Kind::F16 | Kind::Bf16 => 2,
        }
    }
}
