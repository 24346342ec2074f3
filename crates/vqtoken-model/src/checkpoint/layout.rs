//! The names that a tensor has in the public layouts, and the one name it has here.
//!
//! | layout | example |
//! | --- | --- |
//! | `transformers`, old | `language_model.model.layers.0.self_attn.o_proj.weight` |
//! | `transformers`, new | `model.language_model.layers.0.self_attn.o_proj.weight` |
//! | original LLaVA-NeXT | `model.layers.0.self_attn.o_proj.weight` |
//! | here | `language_model.layers.0.self_attn.out_proj.weight` |
//!
//! The names here are the paths of the modules' fields, so loading and saving need no table of layers.

/// Which rows of a stored tensor make up a tensor: part `index` of `count` equal parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) index: usize,
    pub(crate) count: usize,
}

impl Part {
    pub(super) const WHOLE: Self = Self { index: 0, count: 1 };
}

/// The tensors that a stored tensor holds: one, but for torch's fused query, key and value projection.
pub(crate) fn canonical_names(stored: &str) -> Vec<(String, Part)> {
    let name = stored.strip_prefix("model.").unwrap_or(stored);
    if let Some(rest) = name.strip_prefix("cross_attention.") {
        return released_attention_names(rest);
    }
    vec![(canonical_name(name), Part::WHOLE)]
}

fn canonical_name(name: &str) -> String {
    const PREFIXES: [(&str, &str); 11] = [
        ("vision_tower.vision_tower.vision_model.", "vision_tower."),
        ("vision_tower.vision_model.", "vision_tower."),
        ("mm_projector.0.", "multi_modal_projector.linear_1."),
        ("mm_projector.2.", "multi_modal_projector.linear_2."),
        ("language_model.lm_head.", "lm_head."),
        ("language_model.model.", "language_model."),
        ("language_model.", "language_model."),
        ("layers.", "language_model.layers."),
        ("embed_tokens.", "language_model.embed_tokens."),
        ("norm.", "language_model.norm."),
        ("", ""),
    ];
    let renamed = PREFIXES
        .iter()
        .find_map(|(from, to)| name.strip_prefix(from).map(|rest| format!("{to}{rest}")))
        .unwrap_or_else(|| name.to_owned());
    match renamed.starts_with("language_model.") {
        true => renamed.replace(".self_attn.o_proj.", ".self_attn.out_proj."),
        false => renamed,
    }
}

/// The tensors that a stored tensor of a whole SigLIP holds, whose names are the same here, but for the fused projection of its head.
pub(super) fn siglip_names(stored: &str) -> Vec<(String, Part)> {
    fused_projection(stored).unwrap_or_else(|| vec![(stored.to_owned(), Part::WHOLE)])
}

/// The name that a whole SigLIP's file has for a tensor.
pub(super) fn stored_siglip_name(name: &str) -> String {
    let Some((attention, rest)) = name.split_once(".head.attention.") else { return name.to_owned() };
    match rest.split_once("_proj.") {
        Some(("q" | "k" | "v", kind)) => format!("{attention}.head.attention.in_proj_{kind}"),
        _ => name.to_owned(),
    }
}

/// Query, key and value projection of a name like `x.in_proj_weight`.
fn fused_projection(name: &str) -> Option<Vec<(String, Part)>> {
    let (attention, kind) = name.split_once(".in_proj_")?;
    let part = |(index, projection)| (format!("{attention}.{projection}.{kind}"), Part { index, count: 3 });
    Some(["q_proj", "k_proj", "v_proj"].into_iter().enumerate().map(part).collect())
}

/// Names below `cross_attention.`: one torch `TransformerDecoderLayer` and the projection of the index map.
fn released_attention_names(rest: &str) -> Vec<(String, Part)> {
    let name = rest.strip_prefix("transformer_decoder.layers.0.").unwrap_or(rest);
    let name = name.replace("linear1.", "feed_forward.fc1.").replace("linear2.", "feed_forward.fc2.");
    let name = format!("vq_attention.{name}");
    fused_projection(&name).unwrap_or_else(|| vec![(name, Part::WHOLE)])
}

/// The name under which a tensor is saved: the one that `transformers` writes to disk.
pub(crate) fn stored_name(canonical: &str) -> String {
    match canonical.strip_prefix("language_model.") {
        Some(rest) => {
            format!("language_model.model.{}", rest.replace(".self_attn.out_proj.", ".self_attn.o_proj."))
        }
        None if canonical.starts_with("lm_head.") => format!("language_model.{canonical}"),
        None => canonical.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_has_the_same_names() {
        let here = "language_model.layers.0.self_attn.out_proj.weight";
        for stored in [
            "language_model.model.layers.0.self_attn.o_proj.weight",
            "model.language_model.layers.0.self_attn.o_proj.weight",
            "model.layers.0.self_attn.o_proj.weight",
        ] {
            assert_eq!(canonical_names(stored), [(here.to_owned(), Part::WHOLE)]);
        }
        let here = "vision_tower.encoder.layers.1.self_attn.out_proj.bias";
        for stored in [
            "vision_tower.encoder.layers.1.self_attn.out_proj.bias",
            "vision_tower.vision_model.encoder.layers.1.self_attn.out_proj.bias",
            "model.vision_tower.encoder.layers.1.self_attn.out_proj.bias",
            "model.vision_tower.vision_tower.vision_model.encoder.layers.1.self_attn.out_proj.bias",
        ] {
            assert_eq!(canonical_names(stored), [(here.to_owned(), Part::WHOLE)]);
        }
        for (stored, here) in [
            ("language_model.lm_head.weight", "lm_head.weight"),
            ("lm_head.weight", "lm_head.weight"),
            ("model.norm.weight", "language_model.norm.weight"),
            ("model.mm_projector.2.bias", "multi_modal_projector.linear_2.bias"),
            ("model.image_newline", "image_newline"),
        ] {
            assert_eq!(canonical_names(stored), [(here.to_owned(), Part::WHOLE)]);
        }
    }

    #[test]
    fn the_fused_projection_is_three() {
        let stored = "model.cross_attention.transformer_decoder.layers.0.multihead_attn.in_proj_weight";
        let names = canonical_names(stored);
        assert_eq!(names[1].0, "vq_attention.multihead_attn.k_proj.weight");
        assert_eq!(names[2].1, Part { index: 2, count: 3 });
    }

    #[test]
    fn siglip_has_its_own_names_but_for_the_fused_projection() {
        let stored = "vision_model.head.attention.in_proj_bias";
        let names: Vec<String> = siglip_names(stored).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names[0], "vision_model.head.attention.q_proj.bias");
        assert!(names.iter().all(|name| stored_siglip_name(name) == stored));
        for name in ["vision_model.head.attention.out_proj.weight", "text_model.head.weight", "logit_scale"] {
            assert_eq!(siglip_names(name), [(name.to_owned(), Part::WHOLE)]);
            assert_eq!(stored_siglip_name(name), name);
        }
    }

    #[test]
    fn saved_names_are_read_back() {
        for name in [
            "language_model.layers.2.self_attn.out_proj.weight",
            "language_model.embed_tokens.weight",
            "vision_tower.embeddings.patch_embedding.bias",
            "lm_head.weight",
            "vq_attention.self_attn.q_proj.weight",
        ] {
            assert_eq!(canonical_names(&stored_name(name)), [(name.to_owned(), Part::WHOLE)]);
        }
    }
}
