//! Texts and pictures against `transformers`: SigLIP's tokenizer, both towers, both heads, the logits between them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod common;
#[path = "../../../golden/locate.rs"]
mod locate;

use std::path::Path;

use common::{Cases, assert_close};
use locate::{golden_sets, skip};
use serde::Deserialize;
use vqtoken_model::{Precision, Retriever, cosine};
use vqtoken_video::Pixels;

/// How far values of the towers and their heads may be from the reference's: sums in another order. The largest difference of the
/// project's own cases is 3.3e-6, that of hidden states; other sets may have larger values.
const TOLERANCE: f32 = 1e-4;

/// Logits are cosines times a scale, ten here.
const LOGIT_TOLERANCE: f32 = 1e-3;

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<u32>,
}

fn texts(set: &Path) -> Vec<Text> {
    let text = std::fs::read_to_string(set.join("cases/siglip_texts.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn pixels(cases: &Cases) -> Pixels {
    let shape = cases.shape("pixels");
    Pixels { frames: shape[0], size: shape[2], data: cases.floats("pixels") }
}

/// Runs a check on every golden set that holds a SigLIP.
fn for_each_retriever(precision: Precision, check: impl Fn(&Path, &Retriever, &Cases)) {
    for set in golden_sets() {
        if !set.join("siglip").is_dir() {
            skip(&format!("no siglip in {}", set.display()));
            continue;
        }
        println!("{}", set.display());
        let retriever = Retriever::load_as(set.join("siglip"), precision).unwrap();
        check(&set, &retriever, &Cases::open(&set, "siglip"));
    }
}

#[test]
fn golden_siglip_text_ids() {
    for_each_retriever(Precision::F32, |set, retriever, _| {
        for case in texts(set) {
            assert_eq!(retriever.text_ids(&case.text).unwrap().ids, case.ids, "{:?}", case.text);
        }
    });
}

#[test]
fn golden_siglip_texts() {
    for_each_retriever(Precision::F32, |set, retriever, cases| {
        let texts = texts(set);
        let texts: Vec<&str> = texts.iter().map(|case| case.text.as_str()).collect();
        let pooled = retriever.pool_texts(&texts).unwrap();
        assert_close("text_pooled", &pooled.vectors, &cases.floats("text_pooled"), TOLERANCE);
        let embedded = retriever.embed_texts(&texts).unwrap();
        assert_close("text_embeds", &embedded.vectors, &cases.floats("text_embeds"), TOLERANCE);
        assert_eq!(embedded.tokens_cut.len(), texts.len());
    });
}

#[test]
fn golden_siglip_pictures() {
    for_each_retriever(Precision::F32, |_, retriever, cases| {
        let hidden = retriever.hidden_states(&pixels(cases)).unwrap();
        assert_close("hidden", &hidden, &cases.floats("vision_last_hidden_post_norm"), TOLERANCE);
        let mut pooled = retriever.pool_pictures(&hidden).unwrap();
        assert_close("vision_pooled", &pooled, &cases.floats("vision_pooled"), TOLERANCE);
        vqtoken_model::normalize_rows(&mut pooled, retriever.features());
        assert_close("image_embeds", &pooled, &cases.floats("image_embeds"), TOLERANCE);
    });
}

#[test]
fn golden_siglip_logits_and_best_texts() {
    for_each_retriever(Precision::F32, |set, retriever, cases| {
        let e = retriever.features();
        let texts = texts(set);
        let texts: Vec<&str> = texts.iter().map(|case| case.text.as_str()).collect();
        let texts = retriever.embed_texts(&texts).unwrap().vectors;
        let pictures = retriever.pool_pictures(&retriever.hidden_states(&pixels(cases)).unwrap()).unwrap();
        let expected = cases.floats("logits_per_image");
        let mut logits = Vec::new();
        for picture in pictures.chunks(e) {
            logits.extend(texts.chunks(e).map(|text| retriever.scoring().logit(text, picture)));
            let score = retriever.scoring().score(&texts[..e], picture);
            let logit = retriever.scoring().logit(&texts[..e], picture);
            assert!((score - 1.0 / (1.0 + (-logit).exp())).abs() < 1e-6);
        }
        assert_close("logits_per_image", &logits, &expected, LOGIT_TOLERANCE);
        let best = |logits: &[f32]| -> Vec<usize> {
            let rows = logits.chunks(texts.len() / e);
            rows.map(|row| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap()).collect()
        };
        assert_eq!(best(&logits), best(&expected));
    });
}

/// Direction is kept; the towers of these cases are so narrow that rounding errors do not average out as in real ones.
#[test]
fn golden_siglip_packed_weights_keep_the_direction_of_vectors() {
    for (precision, least) in [(Precision::Bf16, 0.999), (Precision::Int8, 0.99)] {
        for_each_retriever(precision, |set, retriever, cases| {
            assert_eq!(retriever.precision(), precision);
            let e = retriever.features();
            let pooled = retriever.pool_pictures(&retriever.hidden_states(&pixels(cases)).unwrap()).unwrap();
            let texts = texts(set);
            let texts: Vec<&str> = texts.iter().map(|case| case.text.as_str()).collect();
            let texts = retriever.embed_texts(&texts).unwrap().vectors;
            for (name, found) in [("image_embeds", pooled), ("text_embeds", texts)] {
                for (found, expected) in found.chunks(e).zip(cases.floats(name).chunks(e)) {
                    assert!(
                        cosine(found, expected) > least,
                        "{precision} {name}: {}",
                        cosine(found, expected)
                    );
                }
            }
        });
    }
}
