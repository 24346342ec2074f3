//! What a frozen tower and projector make of a clip, computed once and kept on disk: its codes under every budget, and its
//! pooled grid. One file a clip, so that a run that was broken off goes on where it was.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use half::f16;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use vqtoken_core::{Budget, Codebook, GridShape, IndexMap, pool_bilinear, quantize};
use vqtoken_model::VisionSide;

use crate::checkpoint::write_whole;
use crate::data::Clips;
use crate::error::TrainError;

/// Bytes that the head of a file of features takes at most.
const LARGEST_HEAD: u64 = 1 << 20;

/// A clip's codes under one budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Codes {
    /// `[K, D]`
    pub codebook: Codebook,
    /// `[T, H, W]`
    pub index_map: IndexMap,
}

/// The features of clips under one model.
#[derive(Clone, Debug)]
pub struct Features {
    folder: PathBuf,
    budgets: Vec<usize>,
    frames: usize,
}

impl Features {
    /// Features below `cache`, in a folder of their own for a model's tower, the clips' pictures and the frames looked at.
    pub fn new(
        cache: &Path,
        vision: &VisionSide,
        clips: &dyn Clips,
        frames: usize,
        budgets: &[usize],
    ) -> Self {
        let tower = vision.id().rsplit('@').next().unwrap_or_default();
        let pictures = crc32fast::hash(clips.pictures().as_bytes());
        let folder = cache.join(format!("{tower}-{frames}-{pictures:08x}"));
        Self { folder, budgets: budgets.to_vec(), frames }
    }

    fn file(&self, number: usize) -> PathBuf {
        self.folder.join(format!("{:03}", number / 1000)).join(format!("{number:06}.safetensors"))
    }

    /// Whether a clip's features are there, under all budgets. Only the head of the file is read.
    pub fn has(&self, number: usize) -> bool {
        self.names(number).is_some_and(|names| {
            let under = |budget: &usize| names.iter().any(|name| *name == format!("codes.{budget}"));
            self.budgets.iter().all(under)
        })
    }

    /// The names of the tensors in a clip's file; none if there is no such file, or it is damaged.
    fn names(&self, number: usize) -> Option<Vec<String>> {
        let mut file = fs::File::open(self.file(number)).ok()?;
        let mut length = [0; 8];
        file.read_exact(&mut length).ok()?;
        let mut head = Vec::new();
        file.take(u64::from_le_bytes(length).min(LARGEST_HEAD)).read_to_end(&mut head).ok()?;
        // The library's own reader of heads wants the whole file.
        let entries: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&head).ok()?;
        Some(entries.into_iter().map(|(name, _)| name).collect())
    }

    /// Computes and keeps the features of a clip, in place of those under other budgets.
    ///
    /// # Errors
    ///
    /// If the clip cannot be read, or the file not written.
    pub fn make(&self, number: usize, clips: &dyn Clips, vision: &VisionSide) -> Result<(), TrainError> {
        let frames = clips.frames(number, self.frames)?;
        let tokens = vision.embed_pixels(&vision.pixel_spec().pixels(&frames))?;
        let grid = vision.token_grid(frames.len(), tokens)?;
        let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
        let pooled = pool_bilinear(&grid)?;
        tensors.push(halves("pooled", vec![pooled.shape().len(), pooled.dim()], pooled.data()));
        for &budget in &self.budgets {
            let quantized = quantize(&grid, &vision.quantizer(Budget::Fixed(budget)))?;
            let (codes, map) = (&quantized.codebook, &quantized.index_map);
            tensors.push(halves(&format!("codes.{budget}"), vec![codes.codes(), codes.dim()], codes.data()));
            let GridShape { frames, height, width } = map.shape();
            let labels = map.labels().iter().map(|&label| label as u8).collect();
            tensors.push((format!("map.{budget}"), Dtype::U8, vec![frames, height, width], labels));
        }
        let file = self.file(number);
        let bad = |problem: String| TrainError::Checkpoint { file: file.clone(), problem };
        let views = tensors
            .iter()
            .map(|(name, dtype, shape, bytes)| {
                let view = TensorView::new(*dtype, shape.clone(), bytes).map_err(|e| bad(e.to_string()))?;
                Ok((name.as_str(), view))
            })
            .collect::<Result<Vec<_>, TrainError>>()?;
        let bytes = safetensors::serialize(views, None).map_err(|error| bad(error.to_string()))?;
        let folder = file.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder)
            .map_err(|source| TrainError::Unwritable { path: folder.to_owned(), source })?;
        write_whole(&file, &bytes)
    }

    /// A clip's codes under the budget of this place in the list.
    ///
    /// # Errors
    ///
    /// If they are not there or damaged.
    pub fn codes(&self, number: usize, budget: usize) -> Result<Codes, TrainError> {
        let budget = self.budgets[budget];
        self.read(number, |tensors, bad| {
            let codes = tensors.tensor(&format!("codes.{budget}")).map_err(|e| bad(e.to_string()))?;
            let map = tensors.tensor(&format!("map.{budget}")).map_err(|e| bad(e.to_string()))?;
            let &[frames, height, width] = map.shape() else {
                return Err(bad("the index map is not three-dimensional".to_owned()));
            };
            let &[count, dim] = codes.shape() else {
                return Err(bad("the codebook is not two-dimensional".to_owned()));
            };
            let labels = map.data().iter().map(|&label| u32::from(label)).collect();
            let shape = GridShape { frames, height, width };
            Ok(Codes {
                codebook: Codebook::new(count, dim, from_halves(codes.data()))
                    .map_err(|e| bad(e.to_string()))?,
                index_map: IndexMap::new(shape, count, labels).map_err(|e| bad(e.to_string()))?,
            })
        })
    }

    /// A clip's pooled tokens, `[M, D]`.
    ///
    /// # Errors
    ///
    /// If they are not there or damaged.
    pub fn pooled(&self, number: usize) -> Result<Vec<f32>, TrainError> {
        self.read(number, |tensors, bad| {
            Ok(from_halves(tensors.tensor("pooled").map_err(|error| bad(error.to_string()))?.data()))
        })
    }

    fn read<T>(
        &self,
        number: usize,
        take: impl FnOnce(&SafeTensors<'_>, &dyn Fn(String) -> TrainError) -> Result<T, TrainError>,
    ) -> Result<T, TrainError> {
        let file = self.file(number);
        let bad = |problem: String| TrainError::Checkpoint {
            file: file.clone(),
            problem: format!("{problem}: remove it, and it is made anew"),
        };
        let bytes =
            fs::read(&file).map_err(|source| TrainError::Unreadable { path: file.clone(), source })?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| bad(error.to_string()))?;
        take(&tensors, &bad)
    }
}

fn halves(name: &str, shape: Vec<usize>, values: &[f32]) -> (String, Dtype, Vec<usize>, Vec<u8>) {
    let bytes = values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect();
    (name.to_owned(), Dtype::F16, shape, bytes)
}

fn from_halves(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<2>().0.iter().map(|&bytes| f16::from_le_bytes(bytes).to_f32()).collect()
}
