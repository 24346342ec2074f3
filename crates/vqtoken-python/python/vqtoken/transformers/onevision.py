"""`LlavaOnevisionForConditionalGeneration` of `transformers`, 4.5x and 5.x.

`transformers` checks that a prompt has as many placeholders as a video has features, so the prompt is rewritten before the model
reads it: token ids, attention mask, labels and positions. The visual tokens are put among the embeddings here, and the model is
called with embeddings in place of ids and pixels.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from .. import _vqtoken as native
from ..errors import ArrayError, VqtokenWarning
from .attributes import Attributes
from .errors import PlaceholderError, UnsupportedModelError
from .generation import continuing_positions
from .prompt import Prompt, expand
from .reading import Reading
from .visual_tokens import VisualTokens, visual_tokens

_FEATURE_OPTIONS = ("vision_feature_layer", "vision_feature_select_strategy")
_ROW_INPUTS = ("position_ids", "inputs_embeds", "mm_token_type_ids")


def is_onevision(model: nn.Module) -> bool:
    """Whether a model has the parts of LLaVA-OneVision in `transformers`."""
    inner = getattr(model, "model", None)
    parts = ("vision_tower", "multi_modal_projector", "image_newline", "apply_pooling", "get_video_features")
    return all(hasattr(inner, part) for part in parts) and hasattr(model, "generate")


class OneVision:
    """Reads the videos of calls to one model by a reducer."""

    def __init__(
        self, model: Any, reading: Reading, vq_attention: native.VqAttention | None, provisional: int | None
    ) -> None:
        """`provisional` is how many placeholders a reduced processor gives a video, if there is one."""
        self._model, self._inner = model, model.model
        self._reading, self._vq_attention, self._provisional = reading, vq_attention, provisional
        self._forward, self._generate = model.forward, model.generate
        self._pool = self._inner.apply_pooling
        self._has_warned = False

    def install(self, attributes: Attributes) -> None:
        """Replaces what a caller calls."""
        model = self._model
        attributes.replace(model, "forward", self._wrapped_forward())
        attributes.replace(model, "generate", self._wrapped_generate())
        attributes.replace(
            model, "prepare_inputs_for_generation", continuing_positions(model.prepare_inputs_for_generation)
        )

    def _wrapped_forward(self) -> Any:
        signature = inspect.signature(self._forward)

        @functools.wraps(self._forward)
        def forward(*args: Any, **kwargs: Any) -> Any:
            kwargs = _by_name(signature, args, kwargs)
            if kwargs.get("pixel_values_videos") is None:
                return self._forward(**kwargs)
            prompt, embeddings = self._read(kwargs)
            kwargs.update(attention_mask=prompt.attention_mask, inputs_embeds=embeddings)
            if prompt.position_ids is not None:
                kwargs["position_ids"] = prompt.position_ids
            if prompt.labels is not None:
                kwargs["labels"] = prompt.labels
            return self._forward(**kwargs)

        return forward

    def _wrapped_generate(self) -> Any:
        @functools.wraps(self._generate)
        def generate(inputs: Tensor | None = None, *args: Any, **kwargs: Any) -> Any:
            if kwargs.get("pixel_values_videos") is None:
                return self._generate(inputs, *args, **kwargs)
            given = kwargs["input_ids"] = kwargs.get("input_ids", inputs)
            prompt, embeddings = self._read(kwargs)
            assert given is not None, "a prompt without input_ids is refused"
            longer = prompt.input_ids.shape[1] - given.shape[1]
            for limit in ("max_length", "min_length"):
                if kwargs.get(limit) is not None:
                    kwargs[limit] = max(kwargs[limit] + longer, 0)
            kwargs.update(attention_mask=prompt.attention_mask, input_ids=prompt.input_ids, inputs_embeds=embeddings)
            if prompt.position_ids is not None:
                kwargs["position_ids"] = prompt.position_ids
            return _with_prompt(self._generate(None, *args, **kwargs), prompt.input_ids, given)

        return generate

    def _read(self, kwargs: dict[str, Any]) -> tuple[Prompt, Tensor]:
        """Takes ids, pixels of videos and what belongs to them out of `kwargs`; the prompt and its embeddings `[B, L, D]`."""
        ids, pixels = kwargs.pop("input_ids", None), kwargs.pop("pixel_values_videos")
        kwargs.pop("image_sizes_videos", None)
        given = [name for name in _ROW_INPUTS if kwargs.pop(name, None) is not None]
        if ids is None or given:
            names = ", ".join(given) or "no input_ids"
            raise PlaceholderError(f"{names} with pixel_values_videos: give input_ids, attention_mask and labels only")
        options = {name: kwargs[name] for name in _FEATURE_OPTIONS if kwargs.get(name) is not None}
        grids = self._grids(pixels, options)
        videos = [visual_tokens(grid, self._reading, self._pool, self._vq_attention) for grid in grids]
        frames, patches, _ = grids.shape[1:]
        pooled = frames * _pooled_patches(patches) + 1
        accepted = [[pooled] * len(videos), [len(video) + 1 for video in videos]]
        if self._provisional is not None:
            accepted.insert(0, [self._provisional] * len(videos))
        prompt = expand(
            ids,
            kwargs.pop("attention_mask", None),
            kwargs.pop("labels", None),
            videos,
            self._token_id("video"),
            accepted,
            self._pad_token(),
        )
        return prompt, self._embed(prompt, videos)

    def _grids(self, pixels: Tensor, options: dict[str, Any]) -> Tensor:
        """The unpooled token grids of pixels `[V, T, 3, S, S]`: `[V, T, N, D]`."""
        if not isinstance(pixels, Tensor) or pixels.ndim != 5:
            shape = list(getattr(pixels, "shape", [])) or type(pixels).__name__
            raise ArrayError(f"pixel_values_videos is {shape}: expected a tensor [videos, frames, 3, height, width]")
        unpooled: list[Tensor] = []
        config = self._model.config
        defaults = {name: getattr(config, name) for name in _FEATURE_OPTIONS}
        attributes = Attributes()

        def pool(tokens: Tensor) -> Tensor:
            unpooled.append(tokens)
            return self._pool(tokens)

        # The features right before the pooling, by the model's own code.
        attributes.replace(self._inner, "apply_pooling", pool)
        try:
            self._inner.get_video_features(pixels, **{**defaults, **options})
        finally:
            attributes.restore()
        if len(unpooled) != 1:
            raise UnsupportedModelError(
                f"{type(self._model).__name__} pools a video {len(unpooled)} times: expected once, as LLaVA-OneVision does"
            )
        self._warn_of_training()
        return unpooled[0].unflatten(0, pixels.shape[:2])

    def _warn_of_training(self) -> None:
        is_trained = torch.is_grad_enabled() and self._model.training
        if is_trained and self._reading.reducer is not None and not self._has_warned:
            self._has_warned = True
            message = f"{self._reading}: no gradient flows through reduced tokens to the vision tower"
            warnings.warn(message, VqtokenWarning, stacklevel=5)

    def _embed(self, prompt: Prompt, videos: list[VisualTokens]) -> Tensor:
        """Embeddings `[B, L, D]` of a prompt with its visual tokens; images are put in by the model."""
        embeddings = self._model.get_input_embeddings()(prompt.input_ids)
        newline = self._inner.image_newline[None].to(embeddings)
        features = torch.cat([part for video in videos for part in (video.tokens.to(embeddings), newline)])
        is_video = (prompt.input_ids == self._token_id("video")).unsqueeze(-1).expand_as(embeddings)
        return embeddings.masked_scatter(is_video, features)

    def _token_id(self, kind: str) -> int:
        config = self._model.config
        name = f"{kind}_token_id"
        return int(getattr(config, name) if hasattr(config, name) else getattr(config, f"{kind}_token_index"))

    def _pad_token(self) -> int:
        for config in (self._model.generation_config, self._model.config.get_text_config()):
            for token in (getattr(config, "pad_token_id", None), getattr(config, "eos_token_id", None)):
                if token is not None:
                    return int(token[0] if isinstance(token, list) else token)
        return 0


def _by_name(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments by name, so that positional ones are found, too."""
    names = [name for name, p in signature.parameters.items() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    return {**dict(zip(names, args)), **kwargs}


def _pooled_patches(patches: int) -> int:
    """Patches of a frame after the pooling to half its sides."""
    side = round(patches**0.5)
    return (-(-side // 2)) ** 2


def _with_prompt(output: Any, read: Tensor, given: Tensor) -> Any:
    """Generated sequences with the prompt that the caller gave in place of the one that the model read."""
    sequences = output if isinstance(output, Tensor) else output.sequences
    new = sequences[:, read.shape[1] :]
    sequences = torch.cat([given.repeat_interleave(len(new) // len(given), 0).to(new), new], dim=1)
    if isinstance(output, Tensor):
        return sequences
    output.sequences = sequences
    return output
