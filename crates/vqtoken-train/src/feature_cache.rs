//! Features of clips under a frozen tower and projector, computed once and kept on disk, a file a clip: the codes under every
//! budget, and the pooled grid.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use half::f16;
use rayon::prelude::*;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use vqtoken_core::{Budget, Codebook, GridShape, IndexMap, pool_bilinear, quantize};
use vqtoken_model::VisionSide;

use crate::clips::Clips;
use crate::error::{FeatureError, TrainError};

/// The largest header of a file of features, in bytes.
const MAX_HEADER: u64 = 1 << 20;

/// A clip's codes under one budget.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Codes {
    /// `[K, D]`
    pub(crate) codebook: Codebook,
    /// `[T, H, W]`
    pub(crate) index_map: IndexMap,
}

/// The cached features of clips under one vision.
#[derive(Clone, Debug)]
pub(crate) struct FeatureCache {
    folder: PathBuf,
    budgets: Vec<usize>,
    frames: usize,
}

/// A tensor of a file: name, type, shape, bytes.
type Stored = (String, Dtype, Vec<usize>, Vec<u8>);

impl FeatureCache {
    /// Features of `frames` frames of clips, below `cache` in a folder of its own for the tower and projector, the
    /// clips' pictures and the number of frames.
    pub(crate) fn new(
        cache: &Path,
        vision: &VisionSide,
        clips: &dyn Clips,
        frames: usize,
        budgets: &[usize],
    ) -> Self {
        let tower = vision.id().rsplit_once('@').map_or(vision.id(), |(_, tower)| tower);
        let pictures = crc32fast::hash(clips.pictures().as_bytes());
        let folder = cache.join(format!("{tower}-{frames}-{pictures:08x}"));
        Self { folder, budgets: budgets.to_vec(), frames }
    }

    fn file(&self, clip: usize) -> PathBuf {
        self.folder.join(format!("{:03}", clip / 1000)).join(format!("{clip:06}.safetensors"))
    }

    /// Whether a clip's features are there, under all budgets. Only the file's header is read.
    pub(crate) fn has(&self, clip: usize) -> bool {
        self.tensor_names(clip).is_some_and(|names| {
            let has = |wanted: &str| names.iter().any(|name| name == wanted);
            has("pooled") && self.budgets.iter().all(|budget| has(&format!("codes.{budget}")))
        })
    }

    /// The names of the tensors in a clip's file; `None` if there is no such file, or its header is damaged.
    fn tensor_names(&self, clip: usize) -> Option<Vec<String>> {
        let mut file = fs::File::open(self.file(clip)).ok()?;
        let mut length = [0; 8];
        file.read_exact(&mut length).ok()?;
        let mut header = Vec::new();
        file.take(u64::from_le_bytes(length).min(MAX_HEADER)).read_to_end(&mut header).ok()?;
        // The library's own reader of headers needs the whole file.
        let entries: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&header).ok()?;
        Some(entries.into_iter().map(|(name, _)| name).collect())
    }

    /// Computes a clip's features and writes them, in place of those under other budgets.
    ///
    /// # Errors
    ///
    /// If the clip cannot be read, or the file not written.
    pub(crate) fn compute(
        &self,
        clip: usize,
        clips: &dyn Clips,
        vision: &VisionSide,
    ) -> Result<(), TrainError> {
        let frames = clips.frames(clip, self.frames)?;
        let tokens = vision.embed_pixels(&vision.pixel_spec().pixels(&frames))?;
        let grid = vision.token_grid(frames.len(), tokens)?;
        let pooled = pool_bilinear(&grid)?;
        let mut tensors: Vec<Stored> =
            vec![halves("pooled", vec![pooled.shape().len(), pooled.dim()], pooled.data())];
        for &budget in &self.budgets {
            let quantized = quantize(&grid, &vision.quantizer(Budget::Fixed(budget)))?;
            let (codes, map) = (&quantized.codebook, &quantized.index_map);
            tensors.push(halves(&format!("codes.{budget}"), vec![codes.codes(), codes.dim()], codes.data()));
            let GridShape { frames, height, width } = map.shape();
            let labels = map.labels().iter().map(|&label| label as u8).collect();
            tensors.push((format!("map.{budget}"), Dtype::U8, vec![frames, height, width], labels));
        }
        let file = self.file(clip);
        let bytes =
            to_bytes(&tensors).map_err(|source| TrainError::Features { file: file.clone(), source })?;
        let folder = file.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder)
            .map_err(|source| TrainError::Unwritable { path: folder.to_owned(), source })?;
        Ok(vqtoken_files::write(&file, bytes)?)
    }

    /// The codes of each clip under a budget.
    ///
    /// # Errors
    ///
    /// If they are not there or damaged.
    pub(crate) fn codes(&self, clips: &[usize], budget: usize) -> Result<Vec<Codes>, TrainError> {
        clips.par_iter().map(|&clip| self.read(clip, |tensors| codes(tensors, budget))).collect()
    }

    /// The pooled grid of each clip, `[M, D]`.
    ///
    /// # Errors
    ///
    /// If they are not there or damaged.
    pub(crate) fn pooled(&self, clips: &[usize]) -> Result<Vec<Vec<f32>>, TrainError> {
        let pooled = |tensors: &SafeTensors<'_>| Ok(from_halves(tensors.tensor("pooled")?.data()));
        clips.par_iter().map(|&clip| self.read(clip, pooled)).collect()
    }

    fn read<T>(
        &self,
        clip: usize,
        take: impl FnOnce(&SafeTensors<'_>) -> Result<T, FeatureError>,
    ) -> Result<T, TrainError> {
        let file = self.file(clip);
        let bytes =
            fs::read(&file).map_err(|source| TrainError::Unreadable { path: file.clone(), source })?;
        SafeTensors::deserialize(&bytes)
            .map_err(FeatureError::from)
            .and_then(|tensors| take(&tensors))
            .map_err(|source| TrainError::Features { file, source })
    }
}

fn codes(tensors: &SafeTensors<'_>, budget: usize) -> Result<Codes, FeatureError> {
    let (codes_name, map_name) = (format!("codes.{budget}"), format!("map.{budget}"));
    let (codes, map) = (tensors.tensor(&codes_name)?, tensors.tensor(&map_name)?);
    let wrong = |name: String, shape: &[usize], expected: &'static str| FeatureError::Shape {
        name,
        shape: shape.to_vec(),
        expected,
    };
    let &[frames, height, width] = map.shape() else {
        return Err(wrong(map_name, map.shape(), "[T, H, W]"));
    };
    let (count, dim) = match *codes.shape() {
        [count, dim] if count <= budget => (count, dim),
        _ => return Err(wrong(codes_name, codes.shape(), "[K, D] with K up to the budget")),
    };
    let labels = map.data().iter().map(|&label| u32::from(label)).collect();
    Ok(Codes {
        codebook: Codebook::new(count, dim, from_halves(codes.data()))?,
        index_map: IndexMap::new(GridShape { frames, height, width }, count, labels)?,
    })
}

fn to_bytes(tensors: &[Stored]) -> Result<Vec<u8>, FeatureError> {
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| {
            Ok((name.as_str(), TensorView::new(*dtype, shape.clone(), bytes)?))
        })
        .collect::<Result<Vec<_>, FeatureError>>()?;
    Ok(safetensors::serialize(views, None)?)
}

fn halves(name: &str, shape: Vec<usize>, values: &[f32]) -> Stored {
    let bytes = values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect();
    (name.to_owned(), Dtype::F16, shape, bytes)
}

fn from_halves(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<2>().0.iter().map(|&bytes| f16::from_le_bytes(bytes).to_f32()).collect()
}
