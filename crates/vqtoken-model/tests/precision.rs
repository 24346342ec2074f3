//! Precisions keep close to `f32`, frames that repeat are not computed twice, and packed models are not saved.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

#[path = "common/small.rs"]
mod small;

use burn::tensor::Device;
use vqtoken_model::config::{OneVisionConfig, TextConfig, VisionConfig};
use vqtoken_model::{
    FrameEmbedder, LanguageSide, ModelError, OneVision, Precision, Purpose, Sequence, TextPart, TextToRead,
    Unread, VideoLlm, VisionSide, checkpoint,
};
use vqtoken_video::{Cancellation, Frame};

/// Wide enough for rounding errors to average out as they do in models that are used.
fn config() -> OneVisionConfig {
    let small = small::config(None);
    OneVisionConfig {
        vision: VisionConfig {
            hidden_size: 96,
            intermediate_size: 200,
            layers: 3,
            heads: 4,
            image_size: 70,
            patch_size: 14,
            ..small.vision
        },
        text: TextConfig {
            hidden_size: 64,
            intermediate_size: 160,
            layers: 2,
            heads: 4,
            head_dim: 16,
            ..small.text
        },
        vq_attention: None,
        visual_input: None,
    }
}

fn frame(seed: usize) -> Frame {
    let rgb = (0..70 * 70 * 3).map(|i| ((i / 3 * (seed + 3) / 7) % 256) as u8).collect();
    Frame::new(70, 70, rgb).unwrap()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn tokens_keep_their_direction_in_every_precision() {
    let folder = tempfile::tempdir().unwrap();
    let directory = small::write(folder.path(), "model", &config());
    let tokens = |precision| {
        let model = VideoLlm::load_as(&directory, precision).unwrap();
        assert_eq!(model.precision(), precision);
        let tokens = model
            .vision()
            .unwrap()
            .embed_pixels(&model.vision().unwrap().pixel_spec().pixels(&[frame(0), frame(1)]))
            .unwrap();
        let visual = model.language().tokens_of(&tokens[..64 * 8], 64).unwrap();
        (
            model.packed_bytes(),
            model.id().to_owned(),
            tokens,
            model.language().logits(&[], Some(&visual), &[7]).unwrap(),
        )
    };
    let (bytes, id, exact, logits) = tokens(Precision::F32);
    for (precision, least, share) in [(Precision::Bf16, 0.999, 2), (Precision::Int8, 0.995, 4)] {
        let (packed, same_id, found, found_logits) = tokens(precision);
        assert_eq!(id, same_id, "the precision is no part of what a model is");
        // Panels are filled up, scales are added.
        assert!(packed < bytes / share * 3 / 2, "{packed} bytes for {bytes} in f32");
        for (a, b) in exact.chunks(64).zip(found.chunks(64)) {
            assert!(cosine(a, b) > least, "{precision}: {}", cosine(a, b));
        }
        assert!(cosine(&logits, &found_logits) > least);
    }
}

#[test]
fn what_is_read_of_a_text_does_not_depend_on_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let directory = small::write(folder.path(), "model", &config());
    for precision in [Precision::F32, Precision::Bf16, Precision::Int8, Precision::Int4] {
        let language = LanguageSide::load_as(&directory, precision).unwrap();
        let vocabulary = language.config().vocabulary as u32;
        let text = |length: u32, seed: u32| -> Vec<u32> {
            (0..length).map(|index| (index * 7 + seed * 3) % vocabulary).collect()
        };
        // One that takes three rounds, and one whose last round is a single token, beside short ones.
        let ids = [text(5, 1), text(40, 2), text(1, 3), text(17, 4), text(2, 5)];
        let read = |ids: &[Vec<u32>]| {
            let mut texts: Vec<(Sequence, Unread)> = ids
                .iter()
                .map(|ids| {
                    let sequence = language.sequence();
                    let unread = language.unread(&sequence, &[TextPart { ids, visual: None }]).unwrap();
                    (sequence, unread)
                })
                .collect();
            let mut logits = vec![None; ids.len()];
            let (cancellation, purpose) = (Cancellation::new(), Purpose::Logits);
            while logits.iter().any(Option::is_none) {
                let (indices, mut left): (Vec<usize>, Vec<_>) = texts
                    .iter_mut()
                    .enumerate()
                    .filter(|(_, (_, unread))| unread.tokens() > 0)
                    .map(|(index, (sequence, unread))| {
                        (index, TextToRead { unread, sequence, purpose, cancellation: &cancellation })
                    })
                    .unzip();
                for (index, found) in indices.into_iter().zip(language.read_some(&mut left, 16).unwrap()) {
                    logits[index] = found;
                }
            }
            // Keys and values, too: what is drawn next.
            let mut sequences: Vec<&mut Sequence> = texts.iter_mut().map(|(sequence, _)| sequence).collect();
            let next = language.step(&vec![1; ids.len()], &mut sequences).unwrap();
            let next = next.chunks_exact(next.len() / ids.len()).map(<[f32]>::to_vec);
            logits.into_iter().map(Option::unwrap).zip(next).collect::<Vec<_>>()
        };
        let together = read(&ids);
        for (ids, together) in ids.iter().zip(together) {
            let alone = read(std::slice::from_ref(ids)).remove(0);
            assert!(alone == together, "{precision}, {} tokens", ids.len());
            assert!(alone.0.iter().all(|logit| logit.is_finite()));
        }
    }
}

#[test]
fn parts_that_are_read_together_have_the_bits_of_parts_read_alone() {
    let folder = tempfile::tempdir().unwrap();
    let directory = small::write(folder.path(), "model", &config());
    for precision in [Precision::F32, Precision::Bf16, Precision::Int8, Precision::Int4] {
        let language = LanguageSide::load_as(&directory, precision).unwrap();
        let vocabulary = language.config().vocabulary as u32;
        let ids =
            |length: u32| (0..length).map(|index| (index * 7 + length) % vocabulary).collect::<Vec<_>>();
        // The first three fit together, a single token is alone, and the last is cut.
        let ids = [14, 9, 7, 1, 3, 50].map(ids);
        let parts = ids.each_ref().map(|ids| TextPart { ids, visual: None });
        let read = |sequence: &mut Sequence, parts: &[TextPart<'_>]| {
            let mut unread = language.unread(sequence, parts).unwrap();
            loop {
                let (unread, purpose) = (&mut unread, Purpose::Logits);
                let text = TextToRead { unread, sequence, purpose, cancellation: &Cancellation::new() };
                if let Some(logits) = language.read_some(&mut [text], 32).unwrap().remove(0) {
                    return logits;
                }
            }
        };
        let (mut together, mut alone) = (language.sequence(), language.sequence());
        let logits = read(&mut together, &parts);
        let logits_alone = parts.map(|part| read(&mut alone, &[part]));
        assert!(
            logits == logits_alone[parts.len() - 1] && logits.iter().all(|logit| logit.is_finite()),
            "{precision}"
        );
        assert_eq!((together.tokens(), together.position()), (84, 84));

        // Where a part ended, another text goes on as after that part alone.
        let mut beginning = together.up_to(23).unwrap();
        let mut first = language.sequence();
        read(&mut first, &parts[..2]);
        assert_eq!((beginning.tokens(), beginning.position()), (23, 23));
        let next = |sequence: &mut Sequence| language.step(&[1], &mut [sequence]).unwrap();
        assert!(next(&mut beginning) == next(&mut first), "{precision}");
        assert!(together.up_to(22).is_none());
    }
}

#[test]
fn auto_is_what_the_checkpoint_is_stored_in() {
    let folder = tempfile::tempdir().unwrap();
    let directory = small::write(folder.path(), "model", &config());
    let auto = VideoLlm::load(&directory).unwrap().precision();
    assert_eq!(auto, Precision::Auto.resolve(Precision::F32));
    assert_eq!(Precision::Auto.resolve(Precision::Bf16), Precision::Bf16);
}

#[test]
fn repeated_frames_have_the_tokens_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let vision =
        VisionSide::load_as(small::write(folder.path(), "model", &config()), Precision::F32).unwrap();
    let alone = |frame: &Frame| {
        vision.embed_pixels(&vision.pixel_spec().pixels(std::slice::from_ref(frame))).unwrap()
    };
    let (a, b, c) = (frame(0), frame(1), frame(2));
    let shown = [&a, &a, &b, &b, &b, &a, &c, &c, &a, &b, &c, &c];
    let expected: Vec<f32> = shown.iter().flat_map(|frame| alone(frame)).collect();
    let mut embedder = FrameEmbedder::new(&vision, 0.0);
    let mut tokens = Vec::new();
    for frame in shown {
        tokens.extend(embedder.push(frame.clone()).unwrap().unwrap_or_default());
    }
    tokens.extend(embedder.flush().unwrap());
    assert_eq!(embedder.repeats(), 5);
    assert!(embedder.flush().unwrap().is_empty());
    assert!(tokens == expected, "a frame's tokens are not its own");
}

#[test]
fn near_repeats_are_those_below_the_threshold() {
    let folder = tempfile::tempdir().unwrap();
    let vision =
        VisionSide::load_as(small::write(folder.path(), "model", &config()), Precision::F32).unwrap();
    let grey = |level: u8| Frame::new(70, 70, vec![level; 70 * 70 * 3]).unwrap();
    // Steps of 2 levels: each is near to the one before, but every second one is too far from the one that was computed.
    let levels = [100, 102, 104, 106, 108];
    let repeats = |threshold| {
        let mut embedder = FrameEmbedder::new(&vision, threshold);
        for level in levels {
            embedder.push(grey(level)).unwrap();
        }
        assert_eq!(embedder.flush().unwrap().len() % (25 * 64), 0);
        embedder.repeats()
    };
    assert_eq!([0.0, 1.9, 2.0, 3.0, 4.0, 8.0].map(repeats), [0, 0, 2, 2, 3, 4]);
}

#[test]
fn packed_models_are_not_saved() {
    let folder = tempfile::tempdir().unwrap();
    let config = small::config(None);
    let model = checkpoint::randomize(OneVision::new(&config, &Device::flex()), Precision::Bf16, 1).unwrap();
    let directory = folder.path().join("packed");
    let error = checkpoint::save(&directory, &config, &model, &small::tokenizer()).unwrap_err();
    assert!(matches!(error, ModelError::Packed) && !directory.exists());
}

#[test]
fn random_models_are_the_same_for_one_seed_and_any_threads() {
    let folder = tempfile::tempdir().unwrap();
    let directory = small::write(folder.path(), "model", &config());
    let files = checkpoint::ModelFiles::open(&directory).unwrap();
    let tokens = |seed, threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let model = VideoLlm::random("random", config(), &files, Precision::Int8, seed).unwrap();
            model
                .vision()
                .unwrap()
                .embed_pixels(&model.vision().unwrap().pixel_spec().pixels(&[frame(0)]))
                .unwrap()
        })
    };
    let first = tokens(1, 1);
    assert!(first.iter().all(|x| x.is_finite()));
    assert!(first == tokens(1, 3), "threads changed a bit");
    assert!(first != tokens(2, 1), "another seed gave the same");
}
