//! A model so small that it is trained within seconds.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::{Map, Value};
use vqtoken_train::{EarlierRun, Event, RunFolders, TrainConfig, TrainError, read_metrics, run};

/// A `config.json` of the public layout: 8 x 8 patches a frame.
pub(crate) const MODEL: &str = r#"{
  "architectures": ["LlavaOnevisionForConditionalGeneration"], "model_type": "llava_onevision",
  "projector_hidden_act": "gelu", "vision_feature_layer": -1, "vision_feature_select_strategy": "full",
  "tie_word_embeddings": true,
  "text_config": {"model_type": "qwen2", "hidden_act": "silu", "hidden_size": 48, "intermediate_size": 96,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 12, "vocab_size": 640,
    "max_position_embeddings": 4096, "rms_norm_eps": 1e-06, "tie_word_embeddings": true,
    "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}, "eos_token_id": [1]},
  "vision_config": {"model_type": "siglip_vision_model", "hidden_act": "gelu_pytorch_tanh", "hidden_size": 32,
    "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4, "image_size": 112, "patch_size": 14,
    "layer_norm_eps": 1e-06, "vision_use_head": false},
  "vq_attention": {"kind": "hash", "heads": 2, "frequencies": 2, "bins": 8, "feed_forward": 64}
}"#;

/// The `tokenizer.json` that a model of this shape gets from moving shapes. Training it takes longer than some of the runs, so it exists once.
static TOKENIZER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let trial = Trial::empty();
    let text = r#"
        [model]
        config = "config.json"
        [data.shapes]
        clips = 10
        seed = 0
        size = 112
        validation = 0.2
        test = 0.0
        [[stage]]
        name = "answers"
        steps = 1
        batch = 1
        learning_rates = { language_model = 1e-3 }
        [stage.answers]
        visual_input = "blind"
        frames = 1
        budgets = [1]
        validation_clips = 1
    "#;
    let model = trial.run(text, "out").unwrap();
    std::fs::read(model.join("tokenizer.json")).unwrap()
});

/// A run in a folder that goes away with the test.
pub(crate) struct Trial {
    pub(crate) folder: tempfile::TempDir,
}

impl Trial {
    /// With the files that configurations name: `config.json` and `tokenizer.json`.
    pub(crate) fn new() -> Self {
        let trial = Self::empty();
        std::fs::write(trial.folder.path().join("tokenizer.json"), &*TOKENIZER).unwrap();
        trial
    }

    /// With `config.json` alone.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), MODEL).unwrap();
        Self { folder }
    }

    pub(crate) fn config(&self, text: &str) -> Result<TrainConfig, TrainError> {
        TrainConfig::parse(&self.folder.path().join("run.toml"), text)
    }

    pub(crate) fn folders(&self, out: &str) -> RunFolders {
        RunFolders::new(self.folder.path().join(out), self.folder.path().join("features"))
    }

    /// Runs to the end.
    pub(crate) fn run(&self, text: &str, out: &str) -> Result<PathBuf, TrainError> {
        let go_on = &mut |_: Event<'_>| ControlFlow::Continue(());
        Ok(run(&self.config(text)?, &self.folders(out), EarlierRun::Resume, go_on)?.unwrap())
    }

    /// The lines of a stage's log that are steps.
    pub(crate) fn steps(&self, out: &str, stage: &str) -> Vec<Map<String, Value>> {
        let log = self.folder.path().join(out).join(stage).join("metrics.jsonl");
        let lines = read_metrics(Path::new(&log)).unwrap();
        lines.into_iter().filter(|line| !line.contains_key("validation")).collect()
    }
}

/// The numbers of a log under a key.
pub(crate) fn values(lines: &[Map<String, Value>], key: &str) -> Vec<f64> {
    lines.iter().map(|line| line[key].as_f64().unwrap()).collect()
}
