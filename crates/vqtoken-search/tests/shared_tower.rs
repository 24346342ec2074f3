//! One pass through a tower that the model and the retriever share gives the vectors of the retriever alone.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use vqtoken_archive::{Archive, ArchiveOptions};
use vqtoken_core::Budget;
use vqtoken_model::checkpoint::{Checkpoint, SiglipCheckpoint};
use vqtoken_model::{EncoderOptions, Precision, Retriever, VisionSide};
use vqtoken_search::{Adder, Finder, Source};
use vqtoken_video::{Frame, Mp4Options, Mp4Writer, Sampling};

/// Layers of the model's tower; the retriever's has one more.
const SHARED: usize = 2;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/a").join(name)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// A model that does not use the last layer of its tower, and a SigLIP whose tower is that one.
fn model_and_siglip(folder: &Path) -> (PathBuf, PathBuf) {
    let (model, siglip) = (folder.join("model"), folder.join("siglip"));
    copy(&golden("onevision-hf"), &model);
    let config = fs::read_to_string(model.join("config.json")).unwrap();
    let edited = config.replace("\"vision_feature_layer\": -1", "\"vision_feature_layer\": -2");
    assert_ne!(config, edited);
    fs::write(model.join("config.json"), edited).unwrap();

    copy(&golden("siglip"), &siglip);
    let of = |folder: &Path| fs::read(folder.join("model.safetensors")).unwrap();
    let (model_bytes, siglip_bytes) = (of(&model), of(&siglip));
    let towers = SafeTensors::deserialize(&model_bytes).unwrap();
    let own = SafeTensors::deserialize(&siglip_bytes).unwrap();
    let tensors: Vec<(String, TensorView<'_>)> = own
        .iter()
        .map(|(name, own)| {
            let tower = name.strip_prefix("vision_model.").map(|rest| format!("vision_tower.{rest}"));
            let view = tower.and_then(|tower| towers.tensor(&tower).ok());
            (name.to_owned(), view.unwrap_or(own))
        })
        .collect();
    fs::write(siglip.join("model.safetensors"), safetensors::serialize(tensors, None).unwrap()).unwrap();
    (model, siglip)
}

/// A video of ten frames, of which the third is shown three times.
fn video(folder: &Path) -> PathBuf {
    let path = folder.join("a.mp4");
    let mut writer = Mp4Writer::create(&path, 64, 48, 4.0, Mp4Options::default()).unwrap();
    for shown in [0, 1, 2, 2, 2, 3, 4, 5, 6, 7] {
        let value = |index: usize| ((index / 3 * (shown + 1) + 70 * (index % 3)) % 256) as u8;
        writer.push(&Frame::new(64, 48, (0..64 * 48 * 3).map(value).collect()).unwrap()).unwrap();
    }
    writer.finish().unwrap();
    path
}

/// Spans and vectors of the video's moments, and vectors of its codes.
fn vectors(
    video: &Path,
    vision: &VisionSide,
    finder: &Finder,
    options: EncoderOptions,
    shared_layers: Option<usize>,
) -> (Vec<[f32; 2]>, Vec<f32>, Vec<f32>) {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path(), ArchiveOptions::default()).unwrap();
    let adder = Adder::new(&archive, vision, finder, Sampling::All, options).unwrap();
    let added = adder.with_shared_layers(shared_layers).add(Source::Video(video), &mut |_| {}).unwrap();
    let moments = archive.moment_vectors(&finder.space(), &added.record.id).unwrap().unwrap();
    let codes = archive.code_vectors(&finder.space(), &added.record.id).unwrap().unwrap();
    (moments.spans, moments.vectors, codes)
}

#[test]
fn one_pass_through_a_shared_tower_gives_the_vectors_of_the_retriever_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (model, siglip) = model_and_siglip(folder.path());
    let (checkpoint, siglip) = (Checkpoint::open(&model).unwrap(), SiglipCheckpoint::open(&siglip).unwrap());
    assert_eq!(siglip.layers_shared_with(&checkpoint).unwrap(), Some(SHARED));

    let video = video(folder.path());
    let vision = VisionSide::from_checkpoint(&checkpoint, Precision::F32).unwrap();
    let retriever = Retriever::from_checkpoint(&siglip, Precision::F32).unwrap();
    let finder = Finder::Pictures(Box::new(retriever));
    let options = EncoderOptions::new(Budget::Fixed(4));
    let run = |vision: &VisionSide, options, layers| vectors(&video, vision, &finder, options, layers);
    let alone = run(&vision, options, None);
    assert_eq!(alone.0.len(), 3);
    assert_eq!(run(&vision, options, Some(SHARED)), alone);
    // The states are used: taken for those of another layer, they give other vectors.
    assert_ne!(run(&vision, options, Some(SHARED - 1)).1, alone.1);

    // Where other values would come out, the retriever runs alone, whatever it is told.
    let rounded = VisionSide::from_checkpoint(&checkpoint, Precision::Int8).unwrap();
    assert_eq!(run(&rounded, options, Some(SHARED - 1)).1, alone.1);
    let near = options.with_near_repeats(200.0);
    assert_eq!(run(&vision, near, Some(SHARED - 1)).1, alone.1);
}
