"""The golden checkpoints in `transformers`, and their videos."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("torchvision", reason="the video processor of transformers needs torchvision")

PINPOINTS = [[56, 56], [56, 112], [112, 56], [112, 112]]
"""Sizes of pictures, for the tiny tower."""

torch.set_grad_enabled(False)
torch.set_num_threads(2)


@pytest.fixture(scope="session")
def golden() -> Path:
    """The golden set of the project, or the one that VQTOKEN_GOLDEN names."""
    named = os.environ.get("VQTOKEN_GOLDEN")
    return Path(named) if named else Path(__file__).resolve().parents[4] / "golden" / "a"


@pytest.fixture
def checkpoint(golden: Path) -> Path:
    return golden / "onevision-hf"


@pytest.fixture
def model(checkpoint: Path) -> Any:
    """A tiny LLaVA-OneVision: 4 x 4 patches a frame, 2 x 2 after pooling."""
    config = transformers.LlavaOnevisionConfig.from_pretrained(checkpoint)
    config.image_grid_pinpoints = PINPOINTS
    if transformers.__version__.startswith("4."):
        # Version 5 wrote the base of rotary embeddings under another name.
        config.text_config.rope_theta = config.text_config.rope_parameters["rope_theta"]
    kind = transformers.LlavaOnevisionForConditionalGeneration
    # The tower's weights have had another name since some version 5.
    older = {**getattr(kind, "_checkpoint_conversion_mapping", {}), "^vision_tower": "model.vision_tower.vision_model"}
    for names in (None, older):
        model, report = kind.from_pretrained(checkpoint, config=config, key_mapping=names, output_loading_info=True)
        if not report["missing_keys"] and not report["unexpected_keys"]:
            return model.eval()
    pytest.fail(f"weights of {checkpoint} do not fit: {report}")


@pytest.fixture
def processor(checkpoint: Path) -> Any:
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(checkpoint / "tokenizer.json"),
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        padding_side="left",
        model_input_names=["input_ids", "attention_mask"],
    )
    side = {"height": 56, "width": 56}
    return transformers.LlavaOnevisionProcessor(
        image_processor=transformers.LlavaOnevisionImageProcessor(size=side, image_grid_pinpoints=PINPOINTS),
        tokenizer=tokenizer,
        video_processor=transformers.LlavaOnevisionVideoProcessor(size=side),
        num_image_tokens=16,
        vision_feature_select_strategy="full",
    )


@pytest.fixture
def prompt() -> Callable[[str], str]:
    """A prompt about one video."""

    def chat(question: str) -> str:
        return (
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<video>\n"
            f"{question}<|im_end|>\n<|im_start|>assistant\n"
        )

    return chat


@pytest.fixture
def videos() -> torch.Tensor:
    """Two videos of 4 frames, `[2, 4, 3, 80, 60]` uint8."""
    return torch.randint(0, 256, (2, 4, 3, 80, 60), dtype=torch.uint8, generator=torch.manual_seed(7))


@pytest.fixture
def inputs(processor: Any, prompt: Any, videos: torch.Tensor) -> Callable[..., Any]:
    """What the processor makes of some of the two videos, each with its question."""
    questions = ["Which way does the red circle go?", "Describe what is happening in this video at the end."]

    def process(*indices: int) -> Any:
        text = [prompt(questions[index]) for index in indices]
        return processor(text=text, videos=[videos[index] for index in indices], return_tensors="pt", padding=True)

    return process
