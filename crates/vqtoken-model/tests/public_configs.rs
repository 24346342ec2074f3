//! The configurations that public checkpoints have: each is read as published, and again with the sizes of a small model, whose
//! weights are then loaded under it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

#[path = "common/edits.rs"]
mod edits;
#[path = "common/small.rs"]
mod small;

use std::fs;
use std::path::{Path, PathBuf};

use edits::{Stored, edit, logits, tensors, write_tensors};
use serde_json::{Value, json};
use vqtoken_model::config::{OneVisionConfig, TextConfig, VisionConfig, VqAttentionConfig};
use vqtoken_model::{CodeKind, TrainedInput, VideoLlm};

fn pinpoints() -> Value {
    let sides = [384, 768, 1152, 1536, 1920, 2304];
    sides.iter().flat_map(|a| sides.iter().map(move |b| json!([a, b]))).collect()
}

/// Qwen2 as the `transformers` layout has it below `text_config`.
fn qwen2(small: bool) -> Value {
    let mut text = json!({
        "_name_or_path": "Qwen/Qwen2-0.5B-Instruct",
        "architectures": ["Qwen2ForCausalLM"],
        "bos_token_id": 151_643,
        "eos_token_id": 151_645,
        "hidden_size": 896,
        "intermediate_size": 4864,
        "max_window_layers": 24,
        "model_type": "qwen2",
        "num_attention_heads": 14,
        "num_hidden_layers": 24,
        "num_key_value_heads": 2,
        "rope_theta": 1_000_000.0,
        "sliding_window": 32_768,
        "tie_word_embeddings": true,
        "torch_dtype": "bfloat16",
        "use_sliding_window": false,
        "vocab_size": 152_000,
    });
    if !small {
        for (key, value) in [
            ("hidden_size", 3584),
            ("intermediate_size", 18_944),
            ("max_window_layers", 28),
            ("num_attention_heads", 28),
            ("num_hidden_layers", 28),
            ("num_key_value_heads", 4),
            ("sliding_window", 131_072),
            ("vocab_size", 152_128),
        ] {
            text[key] = json!(value);
        }
        text["_name_or_path"] = json!("Qwen/Qwen2-7B-Instruct");
        text["tie_word_embeddings"] = json!(false);
    }
    text
}

/// `llava-hf/llava-onevision-qwen2-{0.5b,7b}-{ov,si}-hf` and `-ov-chat-hf`.
fn hugging_face(small: bool, name: &str) -> Value {
    json!({
        "_name_or_path": name,
        "architectures": ["LlavaOnevisionForConditionalGeneration"],
        "ignore_index": -100,
        "image_grid_pinpoints": pinpoints(),
        "image_token_index": 151_646,
        "model_type": "llava_onevision",
        "projector_hidden_act": "gelu",
        "text_config": qwen2(small),
        "tie_word_embeddings": false,
        "torch_dtype": "float16",
        "transformers_version": "4.45.0.dev0",
        "use_image_newline_parameter": true,
        "video_token_index": 151_647,
        "vision_aspect_ratio": "anyres_max_9",
        "vision_config": {
            "hidden_size": 1152,
            "image_size": 384,
            "intermediate_size": 4304,
            "model_type": "siglip_vision_model",
            "num_attention_heads": 16,
            "num_hidden_layers": 26,
            "patch_size": 14,
            "vision_use_head": false,
        },
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
    })
}

/// The same as the fifth major version of `transformers` writes it.
fn hugging_face_new(small: bool) -> Value {
    let mut config = hugging_face(small, "");
    let object = config.as_object_mut().unwrap();
    object.remove("torch_dtype");
    object.insert("dtype".to_owned(), json!("float16"));
    object.insert("image_token_id".to_owned(), json!(151_646));
    object.insert("video_token_id".to_owned(), json!(151_647));
    let text = config["text_config"].as_object_mut().unwrap();
    text.remove("torch_dtype");
    text.remove("rope_theta");
    text.insert("dtype".to_owned(), json!("bfloat16"));
    text.insert("rope_parameters".to_owned(), json!({"rope_theta": 1_000_000.0, "rope_type": "default"}));
    let layers = text["num_hidden_layers"].as_u64().unwrap();
    text.insert("layer_types".to_owned(), (0..layers).map(|_| json!("full_attention")).collect());
    text.insert("sliding_window".to_owned(), Value::Null);
    text.insert("pad_token_id".to_owned(), Value::Null);
    config
}

/// `lmms-lab/llava-onevision-qwen2-{0.5b,7b}-{ov,si}` and `-ov-chat`.
fn original(small: bool) -> Value {
    let mut config = qwen2(small);
    let object = config.as_object_mut().unwrap();
    object.remove("model_type");
    let more = json!({
        "architectures": ["LlavaQwenForCausalLM"],
        "attention_dropout": 0.0,
        "hidden_act": "silu",
        "image_aspect_ratio": "anyres_max_9",
        "image_crop_resolution": null,
        "image_grid_pinpoints": pinpoints(),
        "image_split_resolution": null,
        "image_token_index": 151_646,
        "initializer_range": 0.02,
        "max_position_embeddings": 32_768,
        "mm_hidden_size": 1152,
        "mm_patch_merge_type": "spatial_unpad",
        "mm_projector_lr": null,
        "mm_projector_type": "mlp2x_gelu",
        "mm_resampler_type": null,
        "mm_spatial_pool_mode": "bilinear",
        "mm_tunable_parts": "mm_vision_tower,mm_mlp_adapter,mm_language_model",
        "mm_use_im_patch_token": false,
        "mm_use_im_start_end": false,
        "mm_vision_select_feature": "patch",
        "mm_vision_select_layer": -2,
        "mm_vision_tower": "google/siglip-so400m-patch14-384",
        "mm_vision_tower_lr": 2e-6,
        "model_type": "llava",
        "pos_skipping_range": 4096,
        "rms_norm_eps": 1e-6,
        "rope_scaling": null,
        "tokenizer_model_max_length": 32_768,
        "tokenizer_padding_side": "right",
        "use_cache": true,
        "use_mm_proj": true,
        "use_pos_skipping": false,
        "vision_tower_pretrained": null,
        "vocab_size": if small { 151_936 } else { 152_064 },
    });
    object.extend(more.as_object().unwrap().clone());
    config
}

/// Every public configuration, whether it is the one of 0.5B, and whether its layout is the original one.
fn all() -> Vec<(String, Value, bool, bool)> {
    let mut all = Vec::new();
    for (size, small) in [("0.5b", true), ("7b", false)] {
        for variant in ["ov", "si", "ov-chat"] {
            let name = format!("llava-hf/llava-onevision-qwen2-{size}-{variant}-hf");
            all.push((name.clone(), hugging_face(small, &name), small, false));
            all.push((
                format!("lmms-lab/llava-onevision-qwen2-{size}-{variant}"),
                original(small),
                small,
                true,
            ));
        }
        all.push((format!("new {size}"), hugging_face_new(small), small, false));
        let mut typed = original(small);
        typed["model_type"] = json!("llava_qwen");
        all.push((format!("llava_qwen {size}"), typed, small, true));
    }
    all
}

#[test]
fn public_configurations_are_read() {
    for (name, config, small, is_original) in all() {
        let config = OneVisionConfig::parse(&name, &config.to_string()).unwrap();
        assert_eq!(config.vision, VisionConfig::siglip_so400m(), "{name}");
        let expected = if small { TextConfig::qwen2_0_5b() } else { TextConfig::qwen2_7b() };
        let vocabulary = match (is_original, small) {
            (true, _) => expected.vocabulary,
            (false, true) => 152_000,
            (false, false) => 152_128,
        };
        // Flags on tying contradict each other in public files; the tensors decide.
        assert_eq!(config.text, TextConfig { vocabulary, tied: config.text.tied, ..expected }, "{name}");
        assert_eq!(config.trained_input(), TrainedInput::Pooled, "{name}");
    }
}

/// Gives a public configuration the sizes of the small model.
fn shrink(config: &mut Value, is_original: bool) {
    let sizes = json!({
        "hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1,
        "num_key_value_heads": 1, "max_window_layers": 1, "eos_token_id": 463, "bos_token_id": 461,
    });
    let tower = json!({
        "hidden_size": 8, "image_size": 8, "intermediate_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1, "patch_size": 4,
    });
    let extend = |target: &mut Value, more: &Value| {
        if !target.is_object() {
            *target = json!({});
        }
        target.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    };
    extend(if is_original { &mut *config } else { &mut config["text_config"] }, &sizes);
    // The name of the published tower stands for its shape, which a small one states.
    extend(&mut config["vision_config"], &tower);
}

fn original_name(name: &str) -> String {
    const RENAMED: [(&str, &str); 6] = [
        ("language_model.model.", "model."),
        ("language_model.lm_head.", "lm_head."),
        ("multi_modal_projector.linear_1.", "model.mm_projector.0."),
        ("multi_modal_projector.linear_2.", "model.mm_projector.2."),
        ("image_newline", "model.image_newline"),
        ("vision_tower.", "model.vision_tower.vision_tower.vision_model."),
    ];
    let renamed = RENAMED.iter().find_map(|(from, to)| Some(format!("{to}{}", name.strip_prefix(from)?)));
    renamed.unwrap_or_else(|| name.to_owned())
}

/// A small model on disk, with the tensors that the public one of this size has.
fn write(
    folder: &Path,
    name: &str,
    public: &Value,
    small_model: bool,
    is_original: bool,
) -> (PathBuf, Vec<f32>) {
    let mut shape = small::config(None);
    shape.text.head_dim = 4;
    shape.text.tied = small_model;
    shape.text.rope_theta = 1e6;
    shape.text.max_positions = 32_768;
    let directory = small::write(folder, &name.replace(['/', ' '], "-"), &shape);
    let expected = logits(&VideoLlm::load(&directory).unwrap());
    let mut config = public.clone();
    shrink(&mut config, is_original);
    edit(&directory.join("config.json"), |json| *json = config);
    if is_original {
        let file = directory.join("model.safetensors");
        let renamed: Vec<Stored> = tensors(&file)
            .into_iter()
            .map(|(name, dtype, shape, bytes)| (original_name(&name), dtype, shape, bytes))
            .collect();
        write_tensors(&file, &renamed);
    }
    (directory, expected)
}

#[test]
fn small_models_load_under_public_configurations() {
    let folder = tempfile::tempdir().unwrap();
    for (name, config, small, is_original) in all() {
        let (directory, expected) = write(folder.path(), &name, &config, small, is_original);
        let model = VideoLlm::load(&directory).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(logits(&model), expected, "{name}");
        assert_eq!(model.config().text.tied, small, "{name}");
        assert!(model.vision().is_ok());
    }
}

#[test]
fn the_released_attention_is_found_in_the_original_layout() {
    let folder = tempfile::tempdir().unwrap();
    for small in [true, false] {
        let (directory, _) =
            write(folder.path(), &format!("released-{small}"), &original(small), small, true);
        let kind = VqAttentionConfig::Released { heads: 8, patches: 4, feed_forward: 16 };
        let donor =
            small::write(folder.path(), &format!("donor-{small}"), &small::config(Some(kind.clone())));
        let file = directory.join("model.safetensors");
        let mut all = tensors(&file);
        // The names of the released file: one torch decoder layer with a fused projection.
        let attention: Vec<Stored> = tensors(&donor.join("model.safetensors"))
            .into_iter()
            .filter(|(name, ..)| name.starts_with("vq_attention."))
            .collect();
        all.extend(fused(attention));
        write_tensors(&file, &all);
        let model = VideoLlm::load(&directory).unwrap();
        assert_eq!(model.config().vq_attention, Some(kind));
        assert_eq!(model.trained_input(), TrainedInput::Codes(CodeKind::Released));
        fs::remove_dir_all(donor).unwrap();
    }
}

/// The tensors of a released VQ-attention under their published names.
fn fused(attention: Vec<Stored>) -> Vec<Stored> {
    let mut fused: Vec<Stored> = Vec::new();
    for projection in ["q_proj", "k_proj", "v_proj"] {
        for (name, dtype, shape, bytes) in &attention {
            let Some((module, kind)) = name.split_once(&format!(".{projection}.")) else { continue };
            let module = module.strip_prefix("vq_attention.").unwrap();
            let name = format!("model.cross_attention.transformer_decoder.layers.0.{module}.in_proj_{kind}");
            match fused.iter_mut().find(|(other, ..)| *other == name) {
                Some((_, _, all, values)) => {
                    all[0] += shape[0];
                    values.extend(bytes);
                }
                None => fused.push((name, *dtype, shape.clone(), bytes.clone())),
            }
        }
    }
    let rest = attention.into_iter().filter(|(name, ..)| {
        !["q_proj", "k_proj", "v_proj"].iter().any(|projection| name.contains(&format!("attn.{projection}.")))
    });
    fused.extend(rest.map(|(name, dtype, shape, bytes)| {
        let name = name.strip_prefix("vq_attention.").unwrap();
        let name = name.replace("feed_forward.fc1.", "linear1.").replace("feed_forward.fc2.", "linear2.");
        let is_layer =
            ["self_attn", "multihead_attn", "linear", "norm"].iter().any(|part| name.starts_with(part));
        let layer = if is_layer { "transformer_decoder.layers.0." } else { "" };
        (format!("model.cross_attention.{layer}{name}"), dtype, shape, bytes)
    }));
    fused
}
