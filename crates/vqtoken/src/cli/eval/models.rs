//! The models of an evaluation: what names them, and which of them see with the same eyes.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use vqtoken::{Precision, VideoLlm, builtin};
use vqtoken_video::PixelSpec;

use super::super::output;
use super::ablation::UntrainedAttention;

/// A loaded model.
pub(super) struct Subject {
    pub(super) model: VideoLlm,
    /// Name, checksum of the vision tower, checksum of the weights where they are files, precision: two models of one name are
    /// told apart by it.
    pub(super) id: String,
    /// How frames become pixel values.
    pixel_spec: PixelSpec,
    pub(super) untrained: Option<UntrainedAttention>,
    /// The place of the first model with this one's vision tower, projector and pixels.
    pub(super) tower: usize,
}

impl Subject {
    /// Loads the model in a directory, or the built-in one.
    pub(super) fn load(path: Option<&Path>, precision: Precision) -> anyhow::Result<Self> {
        let spinner = output::spinner("model");
        let model = match path {
            Some(path) => VideoLlm::load_as(path, precision)?,
            None => builtin::load(precision)?,
        };
        let weights = path.map(checksum).transpose()?.flatten();
        let weights = weights.map(|weights| format!("/{weights:08x}")).unwrap_or_default();
        let id = format!("{}{weights} {}", model.id(), model.language().precision());
        let untrained = UntrainedAttention::new(model.config());
        spinner.finish_and_clear();
        let pixel_spec = model.vision()?.pixel_spec().clone();
        Ok(Self { model, id, pixel_spec, untrained, tower: 0 })
    }

    /// Whether both give the same token grid of the same frames.
    fn sees_like(&self, other: &Self) -> bool {
        let checksum = |subject: &Self| subject.model.id().rsplit('@').next().map(str::to_owned);
        let (mine, others) = (self.model.config(), other.model.config());
        checksum(self) == checksum(other)
            && mine.vision == others.vision
            && mine.text.hidden_size == others.text.hidden_size
            && self.pixel_spec == other.pixel_spec
            && self.model.language().precision() == other.model.language().precision()
    }
}

/// Finds for each model the first with the same tower.
pub(super) fn share_towers(subjects: &mut [Subject]) {
    for place in 1..subjects.len() {
        let first = subjects[..place].iter().position(|other| subjects[place].sees_like(other));
        subjects[place].tower = first.unwrap_or(place);
    }
}

/// CRC-32 over the weight files of a directory, in the order of their names. None for a model of the hub.
fn checksum(directory: &Path) -> anyhow::Result<Option<u32>> {
    if !directory.is_dir() {
        return Ok(None);
    }
    let unreadable = || format!("{} cannot be read: check that you may read it", directory.display());
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
