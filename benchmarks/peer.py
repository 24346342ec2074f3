"""What PyTorch, transformers and faiss take for one case of `vqtoken bench`; one line of JSON with seconds.

    pip install torch transformers faiss-cpu safetensors
    python benchmarks/peer.py vision --precision f32 --frames 2
    python benchmarks/peer.py language --precision bf16 --prompt 81 --tokens 16
    python benchmarks/peer.py train
    python benchmarks/peer.py quantize --tokens-file TOKENS.safetensors

Weights and inputs are random, of the shapes that `vqtoken bench` takes: SigLIP-so400m/14@384 with 26 layers, Qwen2-0.5B, a small tower of 96
features. Every case warms up once.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def seconds_of(work: Callable[[], object], repeat: int) -> float:
    """The median of several runs after one that warms up."""
    work()
    runs = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        runs.append(time.perf_counter() - start)
    return statistics.median(runs)


def vision(arguments: argparse.Namespace) -> dict[str, float]:
    """Seconds a frame of the tower."""
    from transformers import SiglipVisionConfig, SiglipVisionModel

    config = SiglipVisionConfig(
        hidden_size=1152, intermediate_size=4304, num_hidden_layers=26, num_attention_heads=16, image_size=384,
        patch_size=14, vision_use_head=False,
    )  # fmt: skip
    dtype = DTYPES[arguments.precision]
    model = SiglipVisionModel(config).eval().to(dtype)
    pixels = torch.randn(arguments.frames, 3, 384, 384).to(dtype)
    with torch.no_grad():
        return {"tower": seconds_of(lambda: model(pixels), arguments.repeat) / arguments.frames}


def language(arguments: argparse.Namespace) -> dict[str, float]:
    """Seconds of reading a prompt of embeddings up to the first logits, and of each token after it."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=151936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14,
        num_key_value_heads=2, tie_word_embeddings=True,
    )  # fmt: skip
    dtype = DTYPES[arguments.precision]
    model = Qwen2ForCausalLM(config).eval().to(dtype)
    prompt = torch.randn(1, arguments.prompt, 896).to(dtype)
    token = torch.tensor([[5]])

    def decode() -> float:
        cache = model(inputs_embeds=prompt[:, :81], use_cache=True, logits_to_keep=1).past_key_values
        start = time.perf_counter()
        for _ in range(arguments.tokens):
            model(input_ids=token, past_key_values=cache, use_cache=True)
        return (time.perf_counter() - start) / arguments.tokens

    with torch.no_grad():
        prefill = seconds_of(
            lambda: model(inputs_embeds=prompt, use_cache=True, logits_to_keep=1), arguments.repeat
        )
        decode()
        token_seconds = statistics.median(decode() for _ in range(arguments.repeat))
    return {f"prefill of {arguments.prompt}": prefill, "token": token_seconds}


class Layer(torch.nn.Module):
    """A pre-norm transformer layer, as the small tower has it."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        linear = torch.nn.Linear
        self.heads, self.norms = heads, torch.nn.ModuleList(torch.nn.LayerNorm(dim) for _ in range(2))
        self.query, self.key, self.value, self.output = (linear(dim, dim) for _ in range(4))
        self.inner, self.outer = linear(dim, 4 * dim), linear(4 * dim, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed = self.norms[0](x)
        parts = [layer(normed).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)]
        attended = torch.nn.functional.scaled_dot_product_attention(*parts)
        x = x + self.output(attended.transpose(1, 2).flatten(2))
        return x + self.outer(torch.nn.functional.gelu(self.inner(self.norms[1](x)), approximate="tanh"))


def train(arguments: argparse.Namespace) -> dict[str, float]:
    """Seconds a frame of forward, backward and AdamW on 8 frames of 729 patches."""
    frames, dim, patch = 8, 96, 3 * 14 * 14
    model = torch.nn.Sequential(torch.nn.Linear(patch, dim), *(Layer(dim, 4) for _ in range(3)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    patches = torch.randn(frames, 729, patch)

    def step() -> None:
        optimizer.zero_grad()
        model(patches).square().mean().backward()
        optimizer.step()

    return {"training step": seconds_of(step, arguments.repeat) / frames}


def quantize(arguments: argparse.Namespace) -> dict[str, float]:
    """Seconds of faiss's k-means in its fastest form, spherical, 25 iterations, on tokens of length 1."""
    import faiss
    from safetensors.torch import load_file

    faiss.omp_set_num_threads(arguments.threads)
    tokens = torch.nn.functional.normalize(load_file(arguments.tokens_file)["tokens"], dim=-1).numpy()

    def cluster() -> None:
        means = faiss.Kmeans(tokens.shape[1], arguments.codes, niter=25, spherical=True, seed=1, max_points_per_centroid=10**9)
        means.train(tokens)
        means.index.search(tokens, 1)

    return {"clusters": seconds_of(cluster, arguments.repeat)}


CASES = {case.__name__: case for case in (vision, language, train, quantize)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--precision", choices=DTYPES, default="f32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--frames", type=int, default=2)
    parser.add_argument("--prompt", type=int, default=81, help="positions, the newline after the visual tokens included")
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--tokens-file")
    parser.add_argument("--codes", type=int, default=32)
    arguments = parser.parse_args()
    if arguments.case == "quantize" and not arguments.tokens_file:
        parser.error("quantize needs --tokens-file")
    torch.set_num_threads(arguments.threads)
    print(json.dumps(CASES[arguments.case](arguments)))
