//! `adapter_config.json`, as the library PEFT writes it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// What decides how an adapter changes its base model. Keys that only matter in training are not read.
#[derive(Debug, Deserialize)]
pub(super) struct AdapterConfig {
    pub(super) base_model_name_or_path: Option<String>,
    peft_type: Option<String>,
    r: Option<usize>,
    lora_alpha: Option<f64>,
    #[serde(default)]
    alpha_pattern: Option<BTreeMap<String, f64>>,
    use_rslora: Option<bool>,
    use_dora: Option<bool>,
    use_qalora: Option<bool>,
    lora_bias: Option<bool>,
    init_lora_weights: Option<Value>,
    layer_replication: Option<Value>,
    trainable_token_indices: Option<Value>,
    target_parameters: Option<Value>,
}

impl AdapterConfig {
    /// Names what this adapter has and cannot be read, if there is such a thing.
    pub(super) fn unsupported(&self) -> Option<String> {
        let kind = self.peft_type.as_deref().unwrap_or("LORA");
        if !kind.eq_ignore_ascii_case("lora") {
            return Some(format!("peft_type {kind}"));
        }
        let is_given = |value: &Option<Value>| match value {
            None | Some(Value::Null) => false,
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Object(items)) => !items.is_empty(),
            Some(_) => true,
        };
        let features = [
            ("use_dora", self.use_dora == Some(true)),
            ("use_qalora", self.use_qalora == Some(true)),
            ("lora_bias", self.lora_bias == Some(true)),
            ("layer_replication", is_given(&self.layer_replication)),
            ("trainable_token_indices", is_given(&self.trainable_token_indices)),
            ("target_parameters", is_given(&self.target_parameters)),
        ];
        if let Some((name, _)) = features.iter().find(|(_, given)| *given) {
            return Some((*name).to_owned());
        }
        // These start from a changed base model, which the published base is not.
        let start = self.init_lora_weights.as_ref().and_then(Value::as_str).unwrap_or_default();
        let changes_base = ["pissa", "olora", "loftq", "corda"].iter().any(|name| start.starts_with(name));
        if changes_base {
            return Some(format!("init_lora_weights {start:?}"));
        }
        let patterns = self.alpha_pattern.iter().flat_map(BTreeMap::keys);
        patterns
            .into_iter()
            .find(|pattern| pattern.contains(['*', '+', '?', '(', '[', '|', '\\', '^', '$']))
            .map(|pattern| format!("alpha_pattern {pattern:?}"))
    }

    /// What the product of the two matrices of a module is multiplied by: alpha / r, or alpha / sqrt(r) for rsLoRA.
    ///
    /// `rank` is that of the module's own matrices, which a `rank_pattern` may have set.
    pub(super) fn scale(&self, module: &str, rank: usize) -> f32 {
        let own = self.alpha_pattern.iter().flatten().find(|(pattern, _)| {
            module.strip_suffix(pattern.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        });
        // The library's default.
        let alpha = own.map(|(_, alpha)| *alpha).or(self.lora_alpha).unwrap_or(8.0);
        let rank = rank as f64;
        (alpha / if self.use_rslora == Some(true) { rank.sqrt() } else { rank }) as f32
    }

    /// The rank that it states for most modules.
    pub(super) fn rank(&self) -> Option<usize> {
        self.r
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> AdapterConfig {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_scale_is_alpha_over_the_rank() {
        let plain = config(r#"{"r": 8, "lora_alpha": 16, "alpha_pattern": {"mlp.up_proj": 4}}"#);
        assert_eq!(plain.scale("model.layers.0.self_attn.q_proj", 8), 2.0);
        assert_eq!(plain.scale("model.layers.0.mlp.up_proj", 8), 0.5);
        let stabilised = config(r#"{"r": 4, "lora_alpha": 16, "use_rslora": true}"#);
        assert_eq!(stabilised.scale("q_proj", 4), 8.0);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (json, name) in [
            (r#"{"peft_type": "IA3"}"#, "IA3"),
            (r#"{"use_dora": true}"#, "use_dora"),
            (r#"{"init_lora_weights": "pissa_niter_4"}"#, "pissa"),
            (r#"{"layer_replication": [[0, 2]]}"#, "layer_replication"),
            (r#"{"alpha_pattern": {".*q_proj": 1}}"#, "alpha_pattern"),
        ] {
            let found = config(json).unsupported().unwrap_or_default();
            assert!(found.contains(name), "{json}: {found}");
        }
        let usual = r#"{"peft_type": "LORA", "init_lora_weights": true, "layer_replication": null, "use_dora": false}"#;
        assert_eq!(config(usual).unsupported(), None);
    }
}
