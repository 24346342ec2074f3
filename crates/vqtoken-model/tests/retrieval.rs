//! Pooling of any hidden states, moments, and one pass through a tower that a language model and a retriever share.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod common;
#[path = "common/edits.rs"]
mod edits;
#[path = "common/siglip.rs"]
mod siglip;
#[path = "common/small.rs"]
mod small;

use std::path::{Path, PathBuf};

use common::assert_close;
use edits::{edit, tensors, write_tensors};
use serde_json::json;
use vqtoken_model::checkpoint::{Checkpoint, SiglipCheckpoint};
use vqtoken_model::config::{OneVisionConfig, VisionConfig};
use vqtoken_model::{
    ModelError, Moment, MomentCutter, MomentOptions, Precision, RetrievalError, Retriever, VisionSide, cosine,
};
use vqtoken_video::Cancellation;

fn retriever() -> Retriever {
    Retriever::load_as(siglip::golden().join("siglip"), Precision::F32).unwrap()
}

#[test]
fn pooling_takes_any_set_of_hidden_states() {
    let retriever = retriever();
    let (n, d) = (retriever.patches(), retriever.hidden_features());
    let hidden = retriever.hidden_states(&siglip::pixels(2)).unwrap();
    let pictures = retriever.pool_pictures(&hidden).unwrap();
    let e = retriever.features();
    assert_close("a frame", &retriever.pool_tokens(&hidden[..n * d], n).unwrap(), &pictures[..e], 1e-6);

    // The query looks for no position: order and repetition of the set change nothing.
    let reversed: Vec<f32> = hidden[..n * d].chunks(d).rev().flatten().copied().collect();
    assert_close("reversed", &retriever.pool_tokens(&reversed, n).unwrap(), &pictures[..e], 1e-5);
    let twice = [&hidden[..n * d], &hidden[..n * d]].concat();
    assert_close("twice", &retriever.pool_tokens(&twice, 2 * n).unwrap(), &pictures[..e], 1e-5);
    let second = retriever.pool_tokens(&hidden, 2 * n).unwrap();
    assert!(cosine(&second, &pictures[..e]) < 0.99999, "two frames are not the first of them");

    let each = retriever.pool_each(&hidden[..5 * d]).unwrap();
    for (code, vector) in hidden.chunks(d).zip(each.chunks(e)) {
        assert_close("a code", vector, &retriever.pool_tokens(code, 1).unwrap(), 1e-6);
    }
    assert_ne!(each[..e], each[e..2 * e]);
}

#[test]
fn values_that_are_no_hidden_states_are_refused() {
    let retriever = retriever();
    let d = retriever.hidden_features();
    let hidden = vec![0.5; retriever.patches() * d];
    let refusals = [
        retriever.pool_tokens(&[], 0),
        retriever.pool_tokens(&hidden[..d], 2),
        retriever.pool_tokens(&hidden[..d], usize::MAX),
        retriever.pool_each(&hidden[..d + 1]),
        retriever.pool_each(&[]),
        retriever.pool_pictures(&hidden[..d]),
        retriever.embed_tower_states(2, &hidden[d..]),
    ];
    for refusal in refusals {
        let error = refusal.unwrap_err();
        assert!(matches!(error, ModelError::Retrieval(RetrievalError::HiddenStates { .. })), "{error}");
    }
    let error = retriever.embed_tower_states(4, &hidden).unwrap_err();
    assert!(
        matches!(error, ModelError::Retrieval(RetrievalError::Layers { given: 4, layers: 3 })),
        "{error}"
    );
    let mut pixels = siglip::pixels(1);
    pixels.size = 55;
    let error = retriever.hidden_states(&pixels).unwrap_err().to_string();
    assert!(error.contains("reads sides of 56"), "{error}");
}

#[test]
fn no_texts_and_no_pictures_have_no_vectors() {
    let retriever = retriever();
    assert!(retriever.embed_texts(&[]).unwrap().vectors.is_empty());
    assert!(retriever.embed_pictures(&[]).unwrap().is_empty());
}

#[test]
fn cancelled_work_is_given_up() {
    let cancellation = Cancellation::new();
    let retriever = retriever().with_cancellation(cancellation.clone());
    cancellation.cancel();
    let frame = siglip::frame(1);
    assert!(matches!(retriever.embed_pictures(&[frame]), Err(ModelError::Cancelled)));
    assert!(matches!(retriever.embed_texts(&["a dog"]), Err(ModelError::Cancelled)));
}

#[test]
fn vectors_are_the_same_for_any_threads_and_beside_any_others() {
    let retriever = retriever();
    let frames = [siglip::frame(1), siglip::frame(2), siglip::frame(3)];
    let texts = ["a dog", "the ball hits the wall", ""];
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (retriever.embed_pictures(&frames).unwrap(), retriever.embed_texts(&texts).unwrap()))
    };
    let (pictures, embedded) = run(1);
    assert!((pictures.clone(), embedded.clone()) == run(3), "threads changed a bit");
    let e = retriever.features();
    for (index, vector) in pictures.chunks(e).enumerate() {
        let alone = retriever.embed_pictures(&frames[index..=index]).unwrap();
        assert_close("a picture alone", vector, &alone, 1e-6);
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-6);
    }
    for (text, vector) in texts.iter().zip(embedded.vectors.chunks(e)) {
        assert_close(text, vector, &retriever.embed_texts(&[text]).unwrap().vectors, 1e-6);
    }
}

/// Writes a LLaVA-OneVision whose tower is that of the SigLIP, of which it uses all layers but the last.
fn language_model_of(folder: &Path, name: &str, siglip: &Path) -> PathBuf {
    let vision = SiglipCheckpoint::open(siglip).unwrap().config().vision.clone();
    let layers = vision.layers;
    let config =
        OneVisionConfig { vision: VisionConfig { layers: layers - 1, ..vision }, ..small::config(None) };
    let directory = small::write(folder, name, &config);
    let path = directory.join("model.safetensors");
    let mut stored = tensors(&path);
    stored.retain(|(name, ..)| !name.starts_with("vision_tower."));
    let tower = tensors(&siglip.join("model.safetensors")).into_iter();
    stored.extend(tower.filter_map(|(name, dtype, shape, bytes)| {
        let name = name.strip_prefix("vision_model.")?;
        Some((format!("vision_tower.vision_model.{name}"), dtype, shape, bytes))
    }));
    write_tensors(&path, &stored);
    edit(&directory.join("config.json"), |json| {
        json["vision_config"]["num_hidden_layers"] = json!(layers);
        json["vision_feature_layer"] = json!(-2);
    });
    directory
}

#[test]
fn one_pass_serves_the_language_model_and_the_retriever() {
    let folder = tempfile::tempdir().unwrap();
    let siglip = siglip::golden().join("siglip");
    let directory = language_model_of(folder.path(), "llava", &siglip);
    let model = Checkpoint::open(&directory).unwrap();
    let checkpoint = SiglipCheckpoint::open(&siglip).unwrap();
    assert_eq!(checkpoint.layers_shared_with(&model).unwrap(), Some(2));

    let vision = VisionSide::from_checkpoint(&model, Precision::F32).unwrap();
    let retriever = Retriever::from_checkpoint(&checkpoint, Precision::F32).unwrap();
    let pixels = siglip::pixels(5);
    let states = vision.hidden_states(&pixels).unwrap();
    let hidden = retriever.hidden_states_after(2, &states).unwrap();
    assert_close("hidden", &hidden, &retriever.hidden_states(&pixels).unwrap(), 1e-6);
    let cases = common::Cases::open(&siglip::golden(), "siglip");
    assert_close("golden hidden", &hidden, &cases.floats("vision_last_hidden_post_norm"), 1e-4);
    let vectors = retriever.embed_tower_states(2, &states).unwrap();
    assert_close("golden image_embeds", &vectors, &cases.floats("image_embeds"), 1e-4);
    // A frame's states are not the retriever's before the last layer.
    assert!(cosine(&states, &hidden) < 0.9999);
}

#[test]
fn towers_that_differ_in_one_bit_or_in_their_pixels_are_not_shared() {
    let folder = tempfile::tempdir().unwrap();
    let siglip = siglip::golden().join("siglip");
    let checkpoint = SiglipCheckpoint::open(&siglip).unwrap();
    let shared =
        |directory: &Path| checkpoint.layers_shared_with(&Checkpoint::open(directory).unwrap()).unwrap();

    let last = language_model_of(folder.path(), "last-layer", &siglip);
    let flip = |directory: &Path, name: &str| {
        siglip::edit_tensors(directory, |tensors| {
            let tensor = tensors.iter_mut().find(|(stored, ..)| stored.ends_with(name)).unwrap();
            tensor.3[0] ^= 1;
        });
    };
    flip(&last, "vision_model.encoder.layers.2.mlp.fc1.weight");
    assert_eq!(shared(&last), Some(2), "the language model does not use the last layer");
    flip(&last, "vision_model.encoder.layers.1.mlp.fc1.weight");
    assert_eq!(shared(&last), None);

    let pixels = language_model_of(folder.path(), "pixels", &siglip);
    edit(&pixels.join("preprocessor_config.json"), |json| {
        *json = json!({"image_mean": [0.5, 0.5, 0.4], "image_std": [0.5, 0.5, 0.5]});
    });
    assert_eq!(shared(&pixels), None);

    let other = small::write(folder.path(), "other", &small::config(None));
    assert_eq!(shared(&other), None);
}

/// Hidden states of one of two pictures for each frame.
fn hidden_of(retriever: &Retriever, shown: &[usize]) -> Vec<Vec<f32>> {
    let hidden = retriever.hidden_states(&siglip::pixels(2)).unwrap();
    let row = retriever.patches() * retriever.hidden_features();
    shown.iter().map(|&picture| hidden[picture * row..][..row].to_vec()).collect()
}

/// All moments of frames that show one of two pictures each.
fn cut(
    retriever: &Retriever,
    options: MomentOptions,
    times: &[f64],
    shown: &[usize],
    end: f64,
) -> Vec<Moment> {
    let mut cutter = MomentCutter::new(retriever, options).unwrap();
    let mut moments = Vec::new();
    for (&time, hidden) in times.iter().zip(hidden_of(retriever, shown)) {
        moments.extend(cutter.push(time, &hidden).unwrap());
    }
    moments.extend(cutter.finish(end).unwrap());
    assert_eq!(cutter.finish(end).unwrap(), None);
    moments
}

/// Start, end and frames of each moment.
fn spans(moments: &[Moment]) -> Vec<(f64, f64, usize)> {
    moments.iter().map(|moment| (moment.start, moment.end, moment.frames)).collect()
}

#[test]
fn a_moment_is_a_second_and_moments_leave_no_gap() {
    let retriever = retriever();
    let times = [0.0, 0.5, 1.0, 1.5, 2.0, 5.25];
    let moments = cut(&retriever, MomentOptions::default(), &times, &[0, 0, 1, 1, 0, 1], 6.0);
    assert_eq!(spans(&moments), [(0.0, 1.0, 2), (1.0, 2.0, 2), (2.0, 5.25, 1), (5.25, 6.0, 1)]);
    let pictures = retriever.pool_pictures(&hidden_of(&retriever, &[0, 1]).concat()).unwrap();
    let e = retriever.features();
    for (Moment { vector, .. }, picture) in moments.iter().zip([0, 1, 0, 1]) {
        assert!((cosine(vector, &pictures[picture * e..][..e]) - 1.0).abs() < 1e-6);
        assert!((vector.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
    }
}

#[test]
fn shots_are_cut_where_the_picture_changes_and_when_they_are_too_long() {
    let retriever = retriever();
    let hidden = hidden_of(&retriever, &[0, 1]);
    let [a, b] = [0, 1].map(|i| retriever.pool_tokens(&hidden[i], retriever.patches()).unwrap());
    let threshold = (1.0 + cosine(&a, &b)) / 2.0;
    let times: Vec<f64> = (0..8).map(|i| f64::from(i) / 2.0).collect();
    let shown = [0, 0, 0, 1, 1, 1, 1, 0];
    let shots = |threshold, longest| {
        spans(&cut(&retriever, MomentOptions::Shots { threshold, longest }, &times, &shown, 4.0))
    };
    assert_eq!(shots(threshold, 60.0), [(0.0, 1.5, 3), (1.5, 3.5, 4), (3.5, 4.0, 1)]);
    assert_eq!(shots(threshold, 1.5), [(0.0, 1.5, 3), (1.5, 3.0, 3), (3.0, 3.5, 1), (3.5, 4.0, 1)]);
    assert_eq!(shots(-1.0, 60.0), [(0.0, 4.0, 8)], "nothing is below a cosine of -1");
}

#[test]
fn moments_that_make_no_sense_are_refused() {
    let retriever = retriever();
    for options in [
        MomentOptions::Seconds(0.0),
        MomentOptions::Seconds(f64::NAN),
        MomentOptions::Shots { threshold: 1.5, longest: 1.0 },
        MomentOptions::Shots { threshold: f32::NAN, longest: 1.0 },
        MomentOptions::Shots { threshold: 0.5, longest: f64::INFINITY },
    ] {
        let error = MomentCutter::new(&retriever, options).unwrap_err();
        assert!(matches!(error, ModelError::Retrieval(RetrievalError::Moments { .. })), "{error}");
    }
    let hidden = hidden_of(&retriever, &[0]).remove(0);
    let mut cutter = MomentCutter::new(&retriever, MomentOptions::default()).unwrap();
    cutter.push(2.0, &hidden).unwrap();
    for time in [1.0, f64::NAN] {
        let error = cutter.push(time, &hidden).unwrap_err();
        assert!(matches!(error, ModelError::Retrieval(RetrievalError::Order { .. })), "{error}");
    }
    assert!(cutter.push(2.0, &hidden[1..]).is_err());
    // What was refused left no trace.
    let moment = cutter.finish(3.0).unwrap().unwrap();
    assert_eq!((moment.start, moment.end, moment.frames), (2.0, 3.0, 1));
}
