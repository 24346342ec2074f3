//! The models of an evaluation: how they are identified, and which of them share a vision tower.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::{VideoLlm, VisionSide};
use anyhow::Context;
use vqtoken_files::quoted;

use super::super::{BaseArguments, ModelArguments, output, pipeline};
use super::ablation::UntrainedAttention;

/// A loaded model.
pub(super) struct LoadedModel {
    pub(super) video_llm: VideoLlm,
    pub(super) vision: VisionSide,
    /// Name, checksum of the vision tower, checksum of the weights where they are files, precision: two models of one name are
    /// told apart by it.
    pub(super) id: String,
    pub(super) untrained: Option<UntrainedAttention>,
    /// The index of the first model with this one's vision tower, projector and pixels.
    pub(super) tower: usize,
}

impl LoadedModel {
    /// Loads the model that was asked for, or the built-in one.
    pub(super) fn load(arguments: &ModelArguments, base: &BaseArguments) -> anyhow::Result<Self> {
        let spinner = output::spinner("model");
        let checkpoint = pipeline::checkpoint(arguments, base)?;
        let video_llm = VideoLlm::from_checkpoint(checkpoint, arguments.precision)?;
        let mut weights = String::new();
        for directory in [&arguments.model, &base.base].into_iter().flatten() {
            if let Some(checksum) = checksum(directory)? {
                weights.push_str(&format!("/{checksum:08x}"));
            }
        }
        let id = format!("{}{weights} {}", video_llm.id(), video_llm.precision());
        let untrained = UntrainedAttention::new(video_llm.config());
        let vision = video_llm.vision()?.clone();
        spinner.finish_and_clear();
        Ok(Self { video_llm, vision, id, untrained, tower: 0 })
    }

    /// Whether both give the same token grid of the same frames.
    fn shares_tower(&self, other: &Self) -> bool {
        let (vision, other) = (&self.vision, &other.vision);
        let checksum = |vision: &VisionSide| vision.id().rsplit('@').next().map(str::to_owned);
        checksum(vision) == checksum(other)
            && vision.config() == other.config()
            && vision.features() == other.features()
            && vision.pixel_spec() == other.pixel_spec()
            && vision.precision() == other.precision()
    }
}

/// Finds for each model the first with the same tower.
pub(super) fn share_towers(models: &mut [LoadedModel]) {
    for index in 1..models.len() {
        let first = models[..index].iter().position(|other| models[index].shares_tower(other));
        models[index].tower = first.unwrap_or(index);
    }
}

/// CRC-32 over the weight files of a directory, in the order of their names. None for a model of the hub.
fn checksum(directory: &Path) -> anyhow::Result<Option<u32>> {
    if !directory.is_dir() {
        return Ok(None);
    }
    let unreadable = || format!("{} cannot be read: check that you may read it", quoted(&directory));
    let entries = fs::read_dir(directory).with_context(unreadable)?;
    let mut files: Vec<PathBuf> = entries
        .collect::<Result<Vec<_>, _>>()
        .with_context(unreadable)?
        .iter()
        .map(|entry| entry.path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "safetensors"));
    files.sort();
    let mut hash = crc32fast::Hasher::new();
    let mut block = vec![0; 1 << 20];
    for file in files {
        let mut file = File::open(file).with_context(unreadable)?;
        loop {
            match file.read(&mut block).with_context(unreadable)? {
                0 => break,
                count => hash.update(&block[..count]),
            }
        }
    }
    Ok(Some(hash.finalize()))
}
