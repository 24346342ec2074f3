//! Which files of a repository a model needs.

use super::HubError;

/// Files that are fetched if they are there.
const SMALL: [&str; 16] = [
    "config.json",
    "adapter_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "generation_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "processor_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "non_lora_trainables.safetensors",
    "non_lora_trainables.bin",
];

/// The only further template that is read.
const FURTHER_TEMPLATE: &str = "additional_chat_templates/default.jinja";

const WHOLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const ADAPTER: &str = "adapter_model.safetensors";

/// The files of a model among those that its repository `id` has.
///
/// # Errors
///
/// If none of them are weights in safetensors.
pub(super) fn wanted<'a>(id: &str, there: &'a [String]) -> Result<Vec<&'a str>, HubError> {
    let names = || there.iter().map(String::as_str);
    let mut wanted: Vec<&str> =
        names().filter(|name| SMALL.contains(name) || *name == FURTHER_TEMPLATE).collect();
    let weights = weights(there);
    if weights.is_empty() {
        let endings = [".bin", ".pt", ".pth", ".gguf", ".onnx", ".h5", ".msgpack"];
        let other = names().find(|name| endings.iter().any(|ending| name.ends_with(ending)));
        return Err(HubError::NoWeights { id: id.to_owned(), other: other.map(str::to_owned) });
    }
    wanted.extend(weights);
    Ok(wanted)
}

/// The whole file if there is one, else the index and its shards, else an adapter, else the only safetensors file.
fn weights(there: &[String]) -> Vec<&str> {
    let names = || there.iter().map(String::as_str);
    if let Some(whole) = names().find(|name| *name == WHOLE) {
        return vec![whole];
    }
    if names().any(|name| name == INDEX) {
        let is_shard = |name: &&str| name.starts_with("model-") && name.ends_with(".safetensors");
        return names().filter(|name| *name == INDEX || is_shard(name)).collect();
    }
    if let Some(adapter) = names().find(|name| *name == ADAPTER) {
        return vec![adapter];
    }
    let all: Vec<&str> =
        names().filter(|name| name.ends_with(".safetensors") && !name.contains('/')).collect();
    if all.len() == 1 { all } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(there: &[&str]) -> Result<Vec<String>, String> {
        let there: Vec<String> = there.iter().map(|name| (*name).to_owned()).collect();
        let wanted = wanted("a/b", &there).map_err(|error| error.to_string());
        wanted.map(|names| names.into_iter().map(str::to_owned).collect())
    }

    #[test]
    fn only_what_is_read_is_fetched() {
        let all = [
            "README.md",
            "config.json",
            "merges.txt",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "onnx/model.onnx",
        ];
        assert_eq!(of(&all).unwrap(), [all[1], all[2], all[3], all[4], all[5]]);
        assert_eq!(of(&["config.json", WHOLE, INDEX]).unwrap(), ["config.json", WHOLE]);
        assert_eq!(of(&["adapter_config.json", ADAPTER]).unwrap(), ["adapter_config.json", ADAPTER]);
    }

    #[test]
    fn weights_of_other_formats_are_named() {
        let error = of(&["config.json", "pytorch_model.bin"]).unwrap_err();
        assert!(error.contains("pytorch_model.bin") && error.contains("a/b"), "{error}");
    }
}
