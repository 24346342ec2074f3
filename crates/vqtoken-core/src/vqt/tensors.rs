//! The tensors of a file, read to what they stand for.

use std::collections::BTreeSet;

use half::bf16;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use vqtoken_files::Limits;

use super::error::VqtFormatError;
use super::metadata::Entries;
use super::rounding::from_int8;
use super::ticks::Tick;
use crate::codebook::Codebook;
use crate::grid::GridShape;
use crate::index_map::IndexMap;
use crate::quality::Quality;

/// The tensors of a file, each of which must be taken once.
pub(super) struct Tensors<'a> {
    structure: &'a Metadata,
    data: &'a [u8],
    left: BTreeSet<String>,
}

impl<'a> Tensors<'a> {
    pub(super) fn new(structure: &'a Metadata, data: &'a [u8]) -> Self {
        Self { structure, data, left: structure.offset_keys().into_iter().collect() }
    }

    pub(super) fn has(&self, tensor: &str) -> bool {
        self.left.contains(tensor)
    }

    /// Type, shape and bytes. The parser has checked that these agree, and that the bytes are inside the file.
    fn take(&mut self, tensor: &'static str) -> Result<(&'a TensorInfo, &'a [u8]), VqtFormatError> {
        let missing = VqtFormatError::MissingTensor { tensor };
        let info = self.structure.info(tensor).ok_or(missing)?;
        self.left.remove(tensor);
        let (begin, end) = info.data_offsets;
        Ok((info, &self.data[begin..end]))
    }

    /// What was not taken does not belong into the file.
    pub(super) fn finish(mut self) -> Result<(), VqtFormatError> {
        match self.left.pop_first() {
            Some(tensor) => Err(VqtFormatError::UnexpectedTensor { tensor }),
            None => Ok(()),
        }
    }

    pub(super) fn codebook(&mut self) -> Result<(Codebook, Quality), VqtFormatError> {
        let (info, data) = self.take("codebook")?;
        let &[codes, dim] = info.shape.as_slice() else { return Err(misshaped_codebook(info)) };
        let (values, quality) = match info.dtype {
            Dtype::F32 => (numbers(data, f32::from_le_bytes), Quality::Exact),
            Dtype::BF16 => (numbers(data, |value| bf16::from_le_bytes(value).to_f32()), Quality::Bf16),
            Dtype::I8 => {
                let (info, scales) = self.take("codebook_scales")?;
                if info.dtype != Dtype::BF16 || info.shape != [codes] {
                    return Err(misshaped("codebook_scales", info, "BF16 [K]"));
                }
                let steps: Vec<i8> = numbers(data, i8::from_le_bytes);
                (from_int8(&steps, &numbers(scales, bf16::from_le_bytes), dim)?, Quality::Int8)
            }
            _ => return Err(misshaped_codebook(info)),
        };
        Ok((Codebook::new(codes, dim, values)?, quality))
    }

    /// As version 1 keeps it.
    pub(super) fn codebook_exact(&mut self) -> Result<Codebook, VqtFormatError> {
        let (info, data) = self.take("codebook")?;
        let (Dtype::F32, &[codes, dim]) = (info.dtype, info.shape.as_slice()) else {
            return Err(misshaped("codebook", info, "F32 [K, D]"));
        };
        Ok(Codebook::new(codes, dim, numbers(data, f32::from_le_bytes))?)
    }

    pub(super) fn index_map(&mut self, codes: usize) -> Result<IndexMap, VqtFormatError> {
        let (info, data) = self.take("index_map")?;
        let (Some(labels), &[frames, height, width]) = (unsigned(info, data), info.shape.as_slice()) else {
            return Err(misshaped("index_map", info, "U8, U16 or U32 [T, H, W]"));
        };
        Ok(IndexMap::new(GridShape { frames, height, width }, codes, labels)?)
    }

    pub(super) fn index_map_coded(
        &mut self,
        shape: GridShape,
        codes: usize,
        limits: &Limits,
    ) -> Result<IndexMap, VqtFormatError> {
        let (info, data) = self.take("index_map_coded")?;
        let (Dtype::U8, &[_]) = (info.dtype, info.shape.as_slice()) else {
            return Err(misshaped("index_map_coded", info, "U8 [bytes]"));
        };
        Ok(IndexMap::decode_within(shape, codes, data, limits)?)
    }

    pub(super) fn timestamps(&mut self) -> Result<Vec<f64>, VqtFormatError> {
        let (info, data) = self.take("timestamps")?;
        let (Dtype::F64, &[_]) = (info.dtype, info.shape.as_slice()) else {
            return Err(misshaped("timestamps", info, "F64 [T]"));
        };
        Ok(numbers(data, f64::from_le_bytes))
    }

    pub(super) fn ticks(&mut self, entries: &Entries) -> Result<Vec<f64>, VqtFormatError> {
        let (info, data) = self.take("ticks")?;
        let (Some(steps), &[_]) = (unsigned(info, data), info.shape.as_slice()) else {
            return Err(misshaped("ticks", info, "U8, U16 or U32 [T]"));
        };
        entries.parse_with("tick", "A/B seconds that suit all ticks", |text| {
            Tick::parse(text)?.timestamps(&steps)
        })
    }
}

fn misshaped(tensor: &'static str, found: &TensorInfo, expected: &'static str) -> VqtFormatError {
    VqtFormatError::Tensor { tensor, found: format!("{:?} {:?}", found.dtype, found.shape), expected }
}

fn misshaped_codebook(found: &TensorInfo) -> VqtFormatError {
    misshaped("codebook", found, "F32, BF16 or I8 [K, D]")
}

fn unsigned(info: &TensorInfo, data: &[u8]) -> Option<Vec<u32>> {
    match info.dtype {
        Dtype::U8 => Some(numbers(data, |number| u32::from(u8::from_le_bytes(number)))),
        Dtype::U16 => Some(numbers(data, |number| u32::from(u16::from_le_bytes(number)))),
        Dtype::U32 => Some(numbers(data, u32::from_le_bytes)),
        _ => None,
    }
}

/// Little-endian numbers of `B` bytes each.
fn numbers<const B: usize, N>(data: &[u8], number: impl Fn([u8; B]) -> N) -> Vec<N> {
    data.as_chunks::<B>().0.iter().map(|&bytes| number(bytes)).collect()
}
