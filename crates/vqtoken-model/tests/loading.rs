//! What loading says of directories that are no model, and that saving and loading agree.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

#[path = "common/small.rs"]
mod small;

use std::fs;

use vqtoken_core::{Budget, Codebook, GridShape, IndexMap, VideoTokens};
use vqtoken_model::config::VqAttentionConfig;
use vqtoken_model::{Chat, ChatTemplate, GenerationOptions, ModelError, VideoInPrompt, VideoLlm};

fn message(result: Result<VideoLlm, ModelError>) -> String {
    let message = result.unwrap_err().to_string();
    assert_eq!(message.lines().count(), 1, "{message:?}");
    message
}

fn tokens(model: &VideoLlm) -> VideoTokens {
    let shape = GridShape { frames: 2, height: 2, width: 2 };
    VideoTokens {
        codebook: Codebook::new(3, 8, (0..24).map(|i| (i as f32).sin()).collect()).unwrap(),
        index_map: IndexMap::new(shape, 3, vec![0, 1, 2, 0, 1, 1, 2, 2]).unwrap(),
        timestamps: vec![0.0, 1.0],
        model: model.id().to_owned(),
        source: None,
        budget: Budget::Fixed(3),
        windows: None,
        quality: Default::default(),
    }
}

#[test]
fn saved_models_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    for (name, kind) in [
        ("bare", None),
        ("hash", Some(VqAttentionConfig::Hash { heads: 2, frequencies: 2, bins: 3, feed_forward: 4 })),
        ("paper", Some(VqAttentionConfig::Paper { positions: 8 })),
        ("released", Some(VqAttentionConfig::Released { heads: 4, patches: 4, feed_forward: 16 })),
    ] {
        let config = small::config(kind);
        let model = VideoLlm::load(small::write(folder.path(), name, &config)).unwrap();
        assert_eq!(model.config(), &config);
        assert!(model.id().starts_with(&format!("{name}@")));
        let visual = model.language().visual_tokens(&tokens(&model)).unwrap();
        assert_eq!(visual.count(), 3);
        assert!(visual.to_vec().unwrap().iter().all(|value| value.is_finite()));
        let answer: Result<String, _> = model.ask(&tokens(&model), "What moves?").unwrap().collect();
        assert_eq!(
            answer.unwrap(),
            model.ask(&tokens(&model), "What moves?").unwrap().map(Result::unwrap).collect::<String>()
        );
    }
}

#[test]
fn attention_made_for_another_size_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for (name, kind) in [
        ("paper", VqAttentionConfig::Paper { positions: 9 }),
        ("released", VqAttentionConfig::Released { heads: 4, patches: 9, feed_forward: 16 }),
    ] {
        let model = VideoLlm::load(small::write(folder.path(), name, &small::config(Some(kind)))).unwrap();
        let error = model.language().visual_tokens(&tokens(&model)).unwrap_err().to_string();
        assert!(error.contains('9'), "{error}");
    }
}

#[test]
fn tokens_of_another_model_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = VideoLlm::load(small::write(folder.path(), "model", &small::config(None))).unwrap();
    let mut tokens = tokens(&model);
    tokens.model = "other@00000000".to_owned();
    assert!(matches!(model.language().visual_tokens(&tokens), Err(ModelError::OtherModel { .. })));
}

#[test]
fn shards_are_one_model() {
    let folder = tempfile::tempdir().unwrap();
    let directory = small::write(folder.path(), "model", &small::config(None));
    let whole = VideoLlm::load(&directory).unwrap();

    let bytes = fs::read(directory.join("model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for (i, (name, view)) in tensors.tensors().into_iter().enumerate() {
        if i % 2 == 0 { first.push((name, view)) } else { second.push((name, view)) }
    }
    let mut map = serde_json::Map::new();
    for (file, shard) in
        [("model-00001-of-00002.safetensors", first), ("model-00002-of-00002.safetensors", second)]
    {
        map.extend(shard.iter().map(|(name, _)| (name.clone(), file.into())));
        fs::write(directory.join(file), safetensors::serialize(shard, None).unwrap()).unwrap();
    }
    fs::remove_file(directory.join("model.safetensors")).unwrap();
    let index = directory.join("model.safetensors.index.json");
    fs::write(&index, serde_json::json!({ "weight_map": map }).to_string()).unwrap();
    let sharded = VideoLlm::load(&directory).unwrap();
    assert_eq!(sharded.id(), whole.id());
    assert_eq!(
        sharded.language().logits(&[1, 2, 3], None, &[]).unwrap(),
        whole.language().logits(&[1, 2, 3], None, &[]).unwrap()
    );

    fs::remove_file(directory.join("model-00002-of-00002.safetensors")).unwrap();
    assert!(message(VideoLlm::load(&directory)).contains("model-00002-of-00002.safetensors"));
    fs::write(&index, r#"{"weight_map": {"a": "../model.safetensors"}}"#).unwrap();
    assert!(message(VideoLlm::load(&directory)).contains("no plain file name"));
}

#[test]
fn what_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    assert!(message(VideoLlm::load(folder.path().join("nowhere"))).contains("nowhere"));
    // With the feature the same words are an id, and would be looked for on the hub.
    if cfg!(not(feature = "hub")) {
        assert!(message(VideoLlm::load("owner/model")).contains("feature `hub`"));
    }

    let directory = small::write(folder.path(), "model", &small::config(None));
    assert!(message(VideoLlm::load(directory.join("config.json"))).contains("is a directory"));
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let copy = small::write(folder.path(), &format!("without-{file}"), &small::config(None));
        fs::remove_file(copy.join(file)).unwrap();
        assert!(message(VideoLlm::load(&copy)).contains(file));
    }
    // A model with a VQ-attention whose configuration forgets it, and the reverse.
    let hash = VqAttentionConfig::Hash { heads: 2, frequencies: 2, bins: 3, feed_forward: 4 };
    let with = small::write(folder.path(), "with", &small::config(Some(hash)));
    let config = fs::read(with.join("config.json")).unwrap();
    fs::copy(directory.join("config.json"), with.join("config.json")).unwrap();
    let unexpected = message(VideoLlm::load(&with));
    assert!(unexpected.contains("vq_attention.") && unexpected.contains("more"), "{unexpected}");
    fs::write(directory.join("config.json"), config).unwrap();
    let missing = message(VideoLlm::load(&directory));
    assert!(missing.contains("lacks the tensors vq_attention."), "{missing}");
}

#[test]
fn saving_never_replaces_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let directory = small::write(folder.path(), "model", &small::config(None));
    let device = burn::tensor::Device::flex();
    let model = vqtoken_model::OneVision::new(&small::config(None), &device);
    let error =
        vqtoken_model::checkpoint::save(&directory, &small::config(None), &model, &small::tokenizer())
            .unwrap_err();
    assert!(error.to_string().contains("exists already"), "{error}");
    let missing = folder.path().join("missing/model");
    assert!(
        vqtoken_model::checkpoint::save(&missing, &small::config(None), &model, &small::tokenizer()).is_err()
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_checkpoints_own_template_and_end_tokens_are_used() {
    let folder = tempfile::tempdir().unwrap();
    let directory = small::write(folder.path(), "model", &small::config(None));
    let text_only = |model: &VideoLlm| {
        model
            .language()
            .chat(None, &Chat::new("Hello?"), &GenerationOptions::default())
            .map(|answer| answer.prompt_tokens())
    };
    let chat_ml = text_only(&VideoLlm::load(&directory).unwrap()).unwrap();

    let template = r#"{"chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}"}"#;
    fs::write(directory.join("tokenizer_config.json"), template).unwrap();
    fs::write(directory.join("generation_config.json"), r#"{"eos_token_id": [7, 8]}"#).unwrap();
    let model = VideoLlm::load(&directory).unwrap();
    assert!(text_only(&model).unwrap() < chat_ml);
    assert_eq!(model.language().end_tokens(), [7, 8]);

    fs::write(directory.join("chat_template.jinja"), "{% for %}").unwrap();
    let error = message(VideoLlm::load(&directory));
    assert!(error.contains("chat_template.jinja"), "{error}");
    assert!(ChatTemplate::ChatMl.render(&Chat::new("Hello?"), VideoInPrompt::Absent).is_ok());
}

#[test]
fn answers_end_where_they_should() {
    let folder = tempfile::tempdir().unwrap();
    let model = VideoLlm::load(small::write(folder.path(), "model", &small::config(None))).unwrap();
    let tokens_of = |options: &GenerationOptions| -> Vec<u32> {
        model.language().generate(&[1, 2, 3], None, &[], options).unwrap().map(Result::unwrap).collect()
    };
    let free = GenerationOptions::default().with_max_tokens(20).with_end_tokens(vec![]);
    let all = tokens_of(&free);
    assert_eq!(all.len(), 20);
    let end = all[5];
    let first = all.iter().position(|&token| token == end).unwrap();
    let ended = free.clone().with_end_tokens(vec![end]);
    assert_eq!(tokens_of(&ended), all[..first]);

    // 256 positions are all this model has.
    let long = free.clone().with_max_tokens(1000);
    assert_eq!(tokens_of(&long).len(), 253);
    let prompt = vec![1; 256];
    let refused = model.language().generate(&prompt, None, &[], &free).unwrap_err();
    assert!(matches!(refused, ModelError::PromptTooLong { tokens: 256, limit: 256 }));
    assert!(model.language().generate(&[], None, &[], &free).is_err());
}
