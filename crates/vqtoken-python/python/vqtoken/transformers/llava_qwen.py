"""`LlavaQwenForCausalLM` and its like: the original layout of LLaVA-NeXT and of LLaVA-OneVision's authors.

These classes are not in `transformers`. A model is taken for one by what it has: `get_vision_tower`, `encode_images`,
`get_2dPool`, which pools the frames of a video, `[T, N, D]`, and `prepare_inputs_labels_for_multimodal`, which puts features in
place of the token -200 and returns embeddings. Here the pooling gives the reduced tokens as one frame, `[1, M, D]`, and what is
returned is given positions.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .. import _vqtoken as native
from .attributes import Attributes
from .errors import UnsupportedModelError
from .generation import continuing_positions
from .reading import Reading
from .visual_tokens import VisualTokens, visual_tokens

IMAGE_TOKEN_INDEX = -200
"""What stands for a picture or a video in the token ids of LLaVA-NeXT."""

_METHODS = ("get_vision_tower", "encode_images", "get_2dPool", "prepare_inputs_labels_for_multimodal")


def is_llava_qwen(model: nn.Module) -> bool:
    """Whether a model has the methods of LLaVA-NeXT's classes."""
    return all(callable(getattr(model, method, None)) for method in _METHODS)


class LlavaQwen:
    """Reads the videos of calls to one model by a reducer."""

    def __init__(self, model: Any, reading: Reading, vq_attention: native.VqAttention | None) -> None:
        """Raises `UnsupportedModelError` if the model puts newlines into the grid of a video: reduced tokens are no grid."""
        config = model.config
        newline = getattr(config, "mm_newline_position", "one_token")
        if reading.reducer is not None and newline not in ("one_token", "no_token"):
            raise UnsupportedModelError(
                f"mm_newline_position is {newline!r}: only 'one_token' and 'no_token' work with reduced tokens"
            )
        merge = getattr(config, "mm_patch_merge_type", "flat")
        self._newlines = int(newline == "one_token" and merge.startswith("spatial") and "unpad" in merge)
        self._model, self._reading, self._vq_attention = model, reading, vq_attention
        self._pool, self._prepare = model.get_2dPool, model.prepare_inputs_labels_for_multimodal
        self._videos: list[VisualTokens] = []

    def install(self, attributes: Attributes) -> None:
        """Replaces the pooling, and what splices its result into the prompt."""
        if self._reading.reducer is None:
            return
        model = self._model
        attributes.replace(model, "get_2dPool", self._reduced)
        attributes.replace(model, "prepare_inputs_labels_for_multimodal", self._wrapped_prepare())
        if hasattr(model, "prepare_inputs_for_generation"):
            attributes.replace(
                model, "prepare_inputs_for_generation", continuing_positions(model.prepare_inputs_for_generation)
            )

    def _reduced(self, image_feature: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """`[T, N, D]` as `[1, M, D]`."""

        def pool(grid: Tensor) -> Tensor:
            return self._pool(grid, *args, **kwargs)

        video = visual_tokens(image_feature, self._reading, pool, self._vq_attention)
        self._videos.append(video)
        return video.tokens[None]

    def _wrapped_prepare(self) -> Any:
        signature = inspect.signature(self._prepare)

        @functools.wraps(self._prepare)
        def prepare(*args: Any, **kwargs: Any) -> Any:
            call = signature.bind(*args, **kwargs)
            call.apply_defaults()
            self._videos = []
            result = self._prepare(*args, **kwargs)
            videos, self._videos = self._videos, []
            if all(video.sequence_length == len(video) for video in videos):
                return result
            ids, _, mask, cache, embeddings, labels = result
            rows = self._positions(call.arguments, videos)
            position_ids, attended = self._pad(rows, embeddings)
            return ids, position_ids, attended if mask is None else mask, cache, embeddings, labels

        return prepare

    def _positions(self, call: dict[str, Any], videos: Sequence[VisualTokens]) -> list[Tensor]:
        """Positions `[L_i]` of each row of embeddings."""
        input_ids, mask = call["input_ids"], call.get("attention_mask")
        modalities = call.get("modalities") or []
        modalities = [modalities] if isinstance(modalities, str) else list(modalities)
        pending = iter(videos)
        features: Iterator[VisualTokens | None] = iter(
            [next(pending) if modality == "video" else None for modality in modalities]
        )
        attended = torch.ones_like(input_ids, dtype=torch.bool) if mask is None else mask.bool()
        return [self._row_positions(ids[seen], features) for ids, seen in zip(input_ids, attended)]

    def _row_positions(self, ids: Tensor, features: Iterator[VisualTokens | None]) -> Tensor:
        """Positions of a row of token ids, `[L]`; takes its videos from `features`."""
        places = (ids == IMAGE_TOKEN_INDEX).nonzero().flatten().tolist()
        if not places:
            # LLaVA-NeXT lets a row of text alone take an image, too, of which it reads nothing.
            next(features, None)
        parts, place, position = [], 0, 0
        for stop in [*places, len(ids)]:
            parts.append(position + torch.arange(stop - place))
            position += stop - place
            if stop == len(ids):
                break
            video = next(features, None)
            if video is None:
                raise UnsupportedModelError(
                    "pictures and videos in one call: ask about them apart, or give reduce_video positions='renumbered'"
                )
            parts.append(position + video.positions)
            position += video.sequence_length
            parts.append(position + torch.arange(self._newlines))
            position, place = position + self._newlines, stop + 1
        return torch.cat(parts)

    def _pad(self, rows: list[Tensor], embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """Positions and attention mask `[B, L]` of embeddings `[B, L, D]`."""
        config = self._model.config
        limit = getattr(config, "tokenizer_model_max_length", None)
        rows = [row[:limit] for row in rows]
        longest = max(map(len, rows))
        if embeddings.shape[:2] != (len(rows), longest):
            raise UnsupportedModelError(
                f"{type(self._model).__name__} made {list(embeddings.shape[:2])} embeddings of a prompt of "
                f"{[len(rows), longest]}: it does not put features in place of {IMAGE_TOKEN_INDEX} as LLaVA-NeXT does"
            )
        pads_left = getattr(config, "tokenizer_padding_side", "right") == "left"
        positions = torch.zeros(len(rows), longest, dtype=torch.long)
        attended = torch.zeros_like(positions)
        for index, row in enumerate(rows):
            place = slice(longest - len(row), None) if pads_left else slice(0, len(row))
            positions[index, place], attended[index, place] = row, 1
        return positions.to(embeddings.device), attended.to(embeddings.device)
