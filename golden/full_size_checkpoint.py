"""Writes a checkpoint with the public 0.5B's layout, shapes and number type, random weights, and the golden tokenizer:
for measuring what loading and asking such a model costs. python full_size_checkpoint.py OUT (needs NumPy; 1.8 GB)"""

import json, shutil, struct, sys
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).parent / "a" / "onevision-hf"
TEXT = dict(hidden_size=896, intermediate_size=4864, num_attention_heads=14, num_hidden_layers=24, num_key_value_heads=2,
            vocab_size=152000, max_position_embeddings=32768)
VISION = dict(hidden_size=1152, image_size=384, intermediate_size=4304, num_attention_heads=16, num_hidden_layers=26,
              patch_size=14)  # fmt: skip
KEYS_AND_VALUES = TEXT["hidden_size"] // TEXT["num_attention_heads"] * TEXT["num_key_value_heads"]


def layer(name, prefix):
    """Names and shapes of a layer's tensors, from those of the golden checkpoint with its sizes replaced."""
    is_text = name.startswith("language_model")
    sizes = TEXT if is_text else VISION
    wide, inner = sizes["hidden_size"], sizes["intermediate_size"]
    part = name.removeprefix(prefix)
    if "k_proj" in part or "v_proj" in part:
        out = KEYS_AND_VALUES if is_text else wide
    elif any(word in part for word in ("gate_proj", "up_proj", "fc1")):
        out = inner
    else:
        out = wide
    into = inner if "down_proj" in part or "fc2" in part else wide
    return [out, into] if part.endswith("weight") and "norm" not in part else [out]


def tensors():
    text, vision = TEXT["hidden_size"], VISION["hidden_size"]
    side = VISION["image_size"] // VISION["patch_size"]
    yield "image_newline", [text]
    yield "language_model.model.embed_tokens.weight", [TEXT["vocab_size"], text]
    yield "language_model.model.norm.weight", [text]
    for index, into in ((1, vision), (2, text)):
        yield f"multi_modal_projector.linear_{index}.weight", [text, into]
        yield f"multi_modal_projector.linear_{index}.bias", [text]
    patch = VISION["patch_size"]
    yield "vision_tower.embeddings.patch_embedding.weight", [vision, 3, patch, patch]
    yield "vision_tower.embeddings.patch_embedding.bias", [vision]
    yield "vision_tower.embeddings.position_embedding.weight", [side * side, vision]
    for kind in ("weight", "bias"):
        yield f"vision_tower.post_layernorm.{kind}", [vision]
    names = header(GOLDEN / "model.safetensors")
    for prefix, layers in (("language_model.model.layers.", TEXT), ("vision_tower.encoder.layers.", VISION)):
        parts = [name for name in names if name.startswith(prefix + "0.")]
        for index in range(layers["num_hidden_layers"]):
            for name in parts:
                yield name.replace(prefix + "0.", f"{prefix}{index}."), layer(name, prefix + "0.")


def header(file):
    with open(file, "rb") as opened:
        (size,) = struct.unpack("<Q", opened.read(8))
        return [name for name in json.loads(opened.read(size)) if name != "__metadata__"]


def main(out):
    out.mkdir(parents=True)
    for file in GOLDEN.iterdir():
        if file.name not in ("model.safetensors", "config.json"):
            shutil.copy(file, out)
    config = json.loads((GOLDEN / "config.json").read_text())
    config["text_config"] |= TEXT
    config["vision_config"] |= VISION
    config |= {"dtype": "bfloat16", "tie_word_embeddings": False}
    config["text_config"]["tie_word_embeddings"] = True
    (out / "config.json").write_text(json.dumps(config, indent=2))
    pixels = json.loads((GOLDEN / "preprocessor_config.json").read_text())
    pixels["size"] = {"height": VISION["image_size"], "width": VISION["image_size"]}
    (out / "preprocessor_config.json").write_text(json.dumps(pixels, indent=2))
    shapes, entries, at = list(tensors()), {}, 0
    for name, shape in shapes:
        end = at + 2 * int(np.prod(shape))
        entries[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    random = np.random.default_rng(0)
    with open(out / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes:
            if "norm" in name and name.endswith("weight"):
                values = np.ones(shape, "f4")
            else:
                values = random.standard_normal(int(np.prod(shape)), "f4") * 0.02
            file.write((values.view("u4") >> 16).astype("<u2").tobytes())
    print(f"{out}: {at / 1e9:.2f} GB, {sum(int(np.prod(shape)) for _, shape in shapes) / 1e6:.0f} million parameters")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
