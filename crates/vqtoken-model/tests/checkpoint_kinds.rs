//! The kinds of checkpoints that people have: flags that contradict tensors, element types, shards, formats that are refused.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

#[path = "common/edits.rs"]
mod edits;
#[path = "common/small.rs"]
mod small;

use std::fs;

use edits::{edit, logits, refusal, stored, tensors, values, write_tensors};
use safetensors::tensor::Dtype;
use serde_json::json;
use vqtoken_model::config::OneVisionConfig;
use vqtoken_model::{CodeKind, ModelError, TrainedInput, VideoLlm};

#[test]
fn the_output_layer_is_tied_where_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let directory = small::write(folder.path(), "tied", &small::config(None));
    let expected = logits(&VideoLlm::load(&directory).unwrap());
    for (top, text) in [
        (json!(false), json!(true)),
        (json!(null), json!(true)),
        (json!(false), json!(false)),
        (json!(null), json!(null)),
    ] {
        edit(&directory.join("config.json"), |config| {
            config["tie_word_embeddings"] = top.clone();
            config["text_config"]["tie_word_embeddings"] = text.clone();
        });
        assert_eq!(logits(&VideoLlm::load(&directory).unwrap()), expected, "{top} {text}");
    }
    // An output layer that is there is used, whatever the flags say.
    let mut config = small::config(None);
    config.text.tied = false;
    let directory = small::write(folder.path(), "head", &config);
    let expected = logits(&VideoLlm::load(&directory).unwrap());
    edit(&directory.join("config.json"), |config| {
        config["tie_word_embeddings"] = json!(true);
        config["text_config"]["tie_word_embeddings"] = json!(true);
    });
    assert_eq!(logits(&VideoLlm::load(&directory).unwrap()), expected);
}

#[test]
fn the_embedding_table_decides_how_many_words_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let directory = small::write(folder.path(), "model", &small::config(None));
    edit(&directory.join("config.json"), |config| config["text_config"]["vocab_size"] = json!(152_000));
    assert_eq!(VideoLlm::load(&directory).unwrap().config().text.vocabulary, 466);
}

#[test]
fn every_element_type_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let directory = small::write(folder.path(), "model", &small::config(None));
    let file = directory.join("model.safetensors");
    let original = tensors(&file);
    let expected = logits(&VideoLlm::load(&directory).unwrap());
    type Convert = fn(f32) -> Vec<u8>;
    let kinds: [(Dtype, Convert); 3] = [
        (Dtype::F64, |x| f64::from(x).to_le_bytes().to_vec()),
        (Dtype::F16, |x| half::f16::from_f32(x).to_le_bytes().to_vec()),
        (Dtype::BF16, |x| half::bf16::from_f32(x).to_le_bytes().to_vec()),
    ];
    for (dtype, convert) in kinds {
        let converted: Vec<_> = original
            .iter()
            .map(|(name, _, shape, bytes)| {
                (name.clone(), dtype, shape.clone(), values(bytes).into_iter().flat_map(convert).collect())
            })
            .collect();
        write_tensors(&file, &converted);
        let found = logits(&VideoLlm::load_as(&directory, vqtoken_model::Precision::F32).unwrap());
        // bf16 keeps eight bits of each weight.
        let worst = expected.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 0.05, "{dtype:?}: {worst}");
    }
    let mut integers = original;
    integers[0].1 = Dtype::I32;
    write_tensors(&file, &integers);
    assert!(refusal(&directory).contains("I32"));
}

#[test]
fn quantized_weights_are_refused_by_their_method() {
    let folder = tempfile::tempdir().unwrap();
    for (name, tensor) in [
        ("bitsandbytes", "weight.absmax"),
        ("bitsandbytes", "weight.quant_state.bitsandbytes__nf4"),
        ("GPTQ", "qweight"),
        ("AWQ", "qzeros"),
    ] {
        let directory = small::write(folder.path(), &tensor.replace('.', "-"), &small::config(None));
        let file = directory.join("model.safetensors");
        let mut all = tensors(&file);
        all.push(stored(&format!("language_model.model.layers.0.mlp.up_proj.{tensor}"), &[1], &[1.0]));
        write_tensors(&file, &all);
        let message = refusal(&directory);
        assert!(message.contains(name) && message.contains("int8"), "{message}");
    }
    let directory = small::write(folder.path(), "stated", &small::config(None));
    for (stated, name) in
        [(json!({"quant_method": "awq", "bits": 4}), "awq"), (json!({"load_in_4bit": true}), "bitsandbytes")]
    {
        edit(&directory.join("config.json"), |config| config["quantization_config"] = stated);
        assert!(refusal(&directory).contains(name));
    }
}

#[test]
fn other_formats_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for (file, format) in [
        ("pytorch_model.bin", "pickle"),
        ("model.gguf", "GGUF"),
        ("model.onnx", "ONNX"),
        ("tf_model.h5", "TensorFlow"),
    ] {
        let directory = small::write(folder.path(), file, &small::config(None));
        fs::remove_file(directory.join("model.safetensors")).unwrap();
        fs::write(directory.join(file), "x").unwrap();
        let message = refusal(&directory);
        assert!(
            message.contains(format) && message.contains(file) && message.contains("safetensors"),
            "{message}"
        );
    }
    let file = folder.path().join("lonely.gguf");
    fs::write(&file, "x").unwrap();
    assert!(refusal(&file).contains("GGUF"));
    // One safetensors file of another name can only be the weights.
    let directory = small::write(folder.path(), "renamed", &small::config(None));
    fs::rename(directory.join("model.safetensors"), directory.join("weights.safetensors")).unwrap();
    assert!(VideoLlm::load(&directory).is_ok());
}

#[test]
fn headers_are_bounded_before_they_are_believed() {
    let folder = tempfile::tempdir().unwrap();
    let directory = small::write(folder.path(), "model", &small::config(None));
    let file = directory.join("model.safetensors");
    // A sparse file of a terabyte whose header claims most of it.
    let header = (1_u64 << 39).to_le_bytes();
    fs::write(&file, header).unwrap();
    if fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(1 << 40).is_ok() {
        assert!(refusal(&directory).contains("header"));
    }
    for text in [
        r#"{"a": {"dtype": "F3", "shape": [1], "data_offsets": [0, 4]}}"#,
        r#"{"a": {"dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 4]}}"#,
        r#"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}"#,
        r#"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "b": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}"#,
        r#"[1]"#,
    ] {
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text.as_bytes());
        bytes.extend([0; 4]);
        fs::write(&file, bytes).unwrap();
        assert!(refusal(&directory).contains("model.safetensors"), "{text}");
    }
}

#[test]
fn missing_shards_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let directory = small::write(folder.path(), "model", &small::config(None));
    fs::rename(directory.join("model.safetensors"), directory.join("model-00001-of-00003.safetensors"))
        .unwrap();
    let map = json!({"weight_map": {"a": "model-00001-of-00003.safetensors", "b": "model-00002-of-00003.safetensors", "c": "model-00003-of-00003.safetensors"}});
    fs::write(directory.join("model.safetensors.index.json"), map.to_string()).unwrap();
    let message = refusal(&directory);
    assert!(
        message.contains("2 of them are missing") && message.contains("model-00002-of-00003"),
        "{message}"
    );
}

#[test]
fn ids_outside_the_vocabulary_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let directory = small::write(folder.path(), "model", &small::config(None));
    let model = VideoLlm::load(&directory).unwrap();
    for id in [466, u32::MAX] {
        let refused = model.language().logits(&[1, id], None, &[]);
        assert!(matches!(refused, Err(ModelError::TokenId { vocabulary: 466, .. })));
    }
    fs::write(directory.join("generation_config.json"), r#"{"eos_token_id": 466}"#).unwrap();
    assert!(refusal(&directory).contains("466"));
}

#[test]
fn end_tokens_are_found_where_no_file_states_them() {
    let folder = tempfile::tempdir().unwrap();
    let directory = small::write(folder.path(), "model", &small::config(None));
    edit(&directory.join("config.json"), |config| config["text_config"]["eos_token_id"] = json!(null));
    assert_eq!(VideoLlm::load(&directory).unwrap().language().end_tokens(), [463]);
    fs::write(directory.join("tokenizer_config.json"), r#"{"eos_token": {"content": "<|endoftext|>"}}"#)
        .unwrap();
    assert_eq!(VideoLlm::load(&directory).unwrap().language().end_tokens(), [461]);
}

#[test]
fn preprocessors_are_read_in_every_nesting() {
    let folder = tempfile::tempdir().unwrap();
    let directory = small::write(folder.path(), "model", &small::config(None));
    let mean = |model: &VideoLlm| model.vision().unwrap().pixel_spec().mean;
    let load = || VideoLlm::load(&directory).unwrap();
    assert_eq!(mean(&load()), [0.5; 3]);
    let values = |x: f32| json!({"image_mean": [x, x, x], "image_std": [0.5, 0.5, 0.5]});
    for (file, json, expected) in [
        ("processor_config.json", json!({"image_processor": values(0.25)}), 0.25),
        (
            "processor_config.json",
            json!({"image_processor": values(0.25), "video_processor": values(0.75)}),
            0.75,
        ),
        ("preprocessor_config.json", values(0.125), 0.125),
        ("video_preprocessor_config.json", values(0.625), 0.625),
    ] {
        fs::write(directory.join(file), json.to_string()).unwrap();
        assert_eq!(mean(&load()), [expected; 3], "{file}");
    }
}

#[test]
fn a_checkpoint_says_what_it_was_trained_to_read() {
    let folder = tempfile::tempdir().unwrap();
    let hash =
        vqtoken_model::config::VqAttentionConfig::Hash { heads: 2, frequencies: 2, bins: 3, feed_forward: 4 };
    for (name, config, expected) in [
        ("plain", small::config(None), TrainedInput::Pooled),
        ("hash", small::config(Some(hash)), TrainedInput::Codes(CodeKind::Hash)),
        (
            "stated",
            OneVisionConfig {
                visual_input: Some(vqtoken_model::config::VisualInput::Codes),
                ..small::config(None)
            },
            TrainedInput::Codes(CodeKind::Bare),
        ),
    ] {
        let model = VideoLlm::load(small::write(folder.path(), name, &config)).unwrap();
        assert_eq!(model.trained_input(), expected, "{name}");
        assert_eq!(model.vision().unwrap().trained_input(), expected, "{name}");
    }
}
