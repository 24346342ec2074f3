//! SigLIP checkpoints that are incomplete or do something else, and the rules that public ones leave to their tokenizer's class.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

#[path = "common/edits.rs"]
mod edits;
#[path = "common/siglip.rs"]
mod siglip;

use std::fs;
use std::path::Path;

use edits::edit;
use serde_json::{Value, json};
use siglip::{copy, edit_tensors};
use vqtoken_model::{Precision, Retriever};

/// The message of a refusal, which is one line.
fn refusal(directory: &Path) -> String {
    let message = Retriever::load(directory).unwrap_err().to_string();
    assert_eq!(message.lines().count(), 1, "{message:?}");
    println!("{message}");
    message
}

#[test]
fn what_is_missing_from_a_checkpoint_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let without = |name: &str, prefix: &str| {
        let directory = copy(folder.path(), name);
        edit_tensors(&directory, |tensors| tensors.retain(|(name, ..)| !name.starts_with(prefix)));
        refusal(&directory)
    };
    for (name, prefix, problem) in [
        ("text", "text_model.", "has no text tower (no tensors text_model.*)"),
        ("vision", "vision_model.", "has no vision tower (no tensors vision_model.*)"),
        ("head", "vision_model.head.", "has no pooling head (no tensors vision_model.head.*)"),
        ("probe", "vision_model.head.probe", "lacks the tensor vision_model.head.probe"),
        (
            "fused",
            "vision_model.head.attention.in_proj_bias",
            "lacks the tensor vision_model.head.attention.in_proj_bias:",
        ),
        (
            "norm",
            "text_model.final_layer_norm.",
            "lacks the tensors text_model.final_layer_norm.weight, text_model.final_layer_norm.bias",
        ),
        ("scale", "logit_scale", "lacks the tensor logit_scale"),
    ] {
        let message = without(name, prefix);
        assert!(message.contains(problem) && message.contains(name), "{message}");
    }
    let directory = copy(folder.path(), "configured-headless");
    edit(&directory.join("config.json"), |json| json["vision_config"]["vision_use_head"] = json!(false));
    assert!(refusal(&directory).contains("has no pooling head"));

    for (file, problem) in [
        ("tokenizer.json", "there is no tokenizer.json"),
        ("config.json", "there is no config.json"),
        ("model.safetensors", "there is neither model.safetensors"),
    ] {
        let directory = copy(folder.path(), &format!("without-{file}"));
        fs::remove_file(directory.join(file)).unwrap();
        assert!(refusal(&directory).contains(problem));
    }
    let directory = copy(folder.path(), "sentencepiece");
    fs::rename(directory.join("tokenizer.json"), directory.join("spiece.model")).unwrap();
    assert!(refusal(&directory).contains("SentencePiece spiece.model"));
    assert!(refusal(&folder.path().join("nowhere")).contains("no model at"));
    assert!(refusal(&siglip::golden().join("onevision-hf")).contains("\"llava_onevision\""));
}

#[test]
fn tensors_that_do_not_belong_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let directory = copy(folder.path(), "unexpected");
    edit_tensors(&directory, |tensors| tensors.push(edits::stored("text_model.prompt", &[2], &[0.0; 2])));
    assert!(refusal(&directory).contains("text_model.prompt"));

    let directory = copy(folder.path(), "positions");
    edit_tensors(&directory, |tensors| {
        tensors.push(edits::stored("text_model.embeddings.position_ids", &[1, 2], &[0.0; 2]));
    });
    Retriever::load(&directory).unwrap();

    let directory = copy(folder.path(), "misshaped");
    edit(&directory.join("config.json"), |json| json["text_config"]["vocab_size"] = json!(80));
    let message = refusal(&directory);
    assert!(message.contains("text_model.embeddings.token_embedding.weight has shape [81, 64]"), "{message}");

    let directory = copy(folder.path(), "not-finite");
    edit_tensors(&directory, |tensors| {
        let (.., bytes) = tensors.iter_mut().find(|(name, ..)| name == "vision_model.head.probe").unwrap();
        bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    assert!(refusal(&directory).contains("vision_model.head.probe holds NaN"));

    let directory = copy(folder.path(), "many-layers");
    edit(&directory.join("config.json"), |json| json["text_config"]["num_hidden_layers"] = json!(900_000));
    assert!(refusal(&directory).contains("declares 900003 layers"));
}

#[test]
fn preprocessors_that_do_something_else_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (index, (key, value, problem)) in [
        ("resample", json!(1), "resample 1 is not supported"),
        ("size", json!({"height": 64, "width": 64}), "the vision tower takes pictures of 56 by 56"),
        ("do_normalize", json!(false), "do_normalize is false"),
        ("rescale_factor", json!(1), "rescale_factor 1"),
        ("image_std", json!([0.5, 0.0, 0.5]), "image_std above 0"),
    ]
    .into_iter()
    .enumerate()
    {
        let directory = copy(folder.path(), &index.to_string());
        edit(&directory.join("preprocessor_config.json"), |json| json[key] = value);
        let message = refusal(&directory);
        assert!(message.contains(problem) && message.contains("preprocessor_config.json"), "{message}");
    }
}

#[test]
fn the_preprocessor_chooses_the_filter() {
    let folder = tempfile::tempdir().unwrap();
    let pixels = |name: &str, resample: Option<i64>| {
        let directory = copy(folder.path(), name);
        edit(&directory.join("preprocessor_config.json"), |json| json["resample"] = json!(resample));
        let retriever = Retriever::load_as(&directory, Precision::F32).unwrap();
        retriever.pixels(&[siglip::frame(1)])
    };
    let (bicubic, bilinear) = (pixels("bicubic", Some(3)), pixels("bilinear", Some(2)));
    assert!(bicubic == pixels("unnamed", None));
    assert_eq!(bicubic.data.len(), bilinear.data.len());
    let differences = bicubic.data.iter().zip(&bilinear.data).map(|(a, b)| f64::from((a - b).abs()));
    let mean = differences.sum::<f64>() / bicubic.data.len() as f64;
    assert!(mean > 0.001 && mean < 0.2, "two filters of one picture differ by {mean} on average");
}

#[test]
fn long_texts_are_cut_and_the_cut_is_told() {
    let retriever = Retriever::load_as(siglip::golden().join("siglip"), Precision::F32).unwrap();
    let long = "dog ".repeat(10_000);
    let ids = retriever.text_ids(&long).unwrap();
    assert_eq!((ids.ids.len(), ids.ids[63]), (64, 1), "the end token is kept");
    let tokens_of_a_dog = retriever.text_ids("dog").unwrap().ids.iter().filter(|&&id| id != 1).count();
    assert_eq!(ids.tokens_cut, 10_000 * tokens_of_a_dog - 63);
    let embedded = retriever.embed_texts(&[&long, "a dog", ""]).unwrap();
    assert_eq!(embedded.tokens_cut, [ids.tokens_cut, 0, 0]);
    assert!(embedded.vectors.iter().all(|x| x.is_finite()));

    // 63 tokens and the end token fit.
    let word = |count| retriever.text_ids(&"a ".repeat(count)).unwrap();
    let fitting = (1..64).rev().find(|&count| word(count).tokens_cut == 0).unwrap();
    assert!(word(fitting + 1).tokens_cut > 0);
    assert!(word(fitting).ids[62] != 1 || word(fitting).ids[61] != 1);
    // One word without an end is cut, too.
    assert!(retriever.text_ids(&"a".repeat(100_000)).unwrap().tokens_cut > 10_000);
}

#[test]
fn an_empty_text_is_padding() {
    let retriever = Retriever::load(siglip::golden().join("siglip")).unwrap();
    for text in ["", "   ", "!?", "\n\t"] {
        let ids = retriever.text_ids(text).unwrap();
        assert!(ids.ids.iter().all(|&id| id == 1) && ids.tokens_cut == 0, "{text:?}: {ids:?}");
    }
}

/// A copy whose `tokenizer.json` leaves to the Python class what it can, and a `tokenizer_config.json`.
fn with_rules(folder: &Path, name: &str, config: Value) -> Retriever {
    let directory = copy(folder, name);
    edit(&directory.join("tokenizer.json"), |json| {
        for key in ["normalizer", "post_processor", "padding", "truncation"] {
            json[key] = Value::Null;
        }
    });
    fs::write(directory.join("tokenizer_config.json"), config.to_string()).unwrap();
    Retriever::load_as(&directory, Precision::F32).unwrap()
}

#[test]
fn siglips_rules_are_kept_where_tokenizer_json_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let whole = Retriever::load_as(siglip::golden().join("siglip"), Precision::F32).unwrap();
    let rules = json!({"tokenizer_class": "SiglipTokenizer", "eos_token": "</s>", "pad_token": "</s>",
        "do_lower_case": true, "model_max_length": 64,
        "added_tokens_decoder": {"1": {"content": "</s>", "special": true}, "2": {"content": "<unk>", "special": true}}});
    let bare = with_rules(folder.path(), "siglip", rules);
    for text in
        ["A RED CIRCLE, moving left!", "  two   people.\topen a\ndoor ", "", "it's (slowly) rolling_back"]
    {
        assert_eq!(bare.text_ids(text).unwrap(), whole.text_ids(text).unwrap(), "{text:?}");
    }
}

#[test]
fn siglip_2_lower_cases_and_keeps_punctuation() {
    let folder = tempfile::tempdir().unwrap();
    let rules = json!({"tokenizer_class": "GemmaTokenizer", "add_bos_token": false, "add_eos_token": true,
        "eos_token": "</s>", "bos_token": "<unk>", "pad_token": "<pad>", "model_max_length": 1e30, "padding_side": "right"});
    let retriever = with_rules(folder.path(), "siglip2", rules);
    let ids = |text: &str| retriever.text_ids(text).unwrap().ids;
    assert_eq!(ids("A DOG"), ids("a dog"));
    assert_ne!(ids("a dog!"), ids("a dog"), "punctuation is read");
    let end = ids("a dog").iter().position(|&id| id == 1).unwrap();
    assert!(ids("a dog")[end + 1..].iter().all(|&id| id == 0), "padding is <pad>");
    assert_eq!(ids("").iter().filter(|&&id| id == 1).count(), 1);

    let rules = json!({"tokenizer_class": "GemmaTokenizer", "add_bos_token": true, "add_eos_token": true,
        "eos_token": "</s>", "bos_token": "<unk>", "pad_token": "<pad>", "model_max_length": 16, "padding_side": "left"});
    let retriever = with_rules(folder.path(), "left", rules);
    let ids = retriever.text_ids("a dog").unwrap().ids;
    assert_eq!((ids.len(), ids[0], ids[15]), (16, 0, 1));
    assert!(ids.contains(&2), "the start token is there");
    assert_eq!(retriever.embed_texts(&["a dog"]).unwrap().vectors.len(), retriever.features());
}

#[test]
fn tokenizers_of_other_models_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let directory = copy(folder.path(), "vocabulary");
    edit(&directory.join("tokenizer.json"), |json| {
        let words = json["model"]["vocab"].as_array_mut().unwrap();
        words.push(json!(["\u{2581}zebra", -0.1]));
    });
    let retriever = Retriever::load(&directory).unwrap();
    let message = retriever.text_ids("zebra").unwrap_err().to_string();
    assert!(message.contains("token 81") && message.contains("vocabulary of 81"), "{message}");

    let directory = copy(folder.path(), "pad");
    fs::write(directory.join("tokenizer_config.json"), json!({"pad_token": "<nothing>"}).to_string())
        .unwrap();
    assert!(refusal(&directory).contains("<nothing>"));

    let directory = copy(folder.path(), "damaged");
    fs::write(directory.join("tokenizer.json"), "{").unwrap();
    assert!(refusal(&directory).contains("tokenizer.json"));
}
