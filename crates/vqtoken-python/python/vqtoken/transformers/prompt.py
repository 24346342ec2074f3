"""A prompt in which each video has as many placeholders as it has visual tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import PlaceholderError
from .visual_tokens import VisualTokens

IGNORED_LABEL = -100
"""The label of positions without a loss."""


@dataclass(frozen=True)
class Prompt:
    """Token ids of B rows, padded to one length L."""

    input_ids: Tensor
    """`[B, L]`, a placeholder for each visual token and one for the `image_newline` after each video."""
    attention_mask: Tensor
    """`[B, L]`, 0 where a row is padded."""
    position_ids: Tensor | None
    """`[B, L]`; None where every row is read at 0, 1, 2, .., which models do by themselves."""
    labels: Tensor | None
    """`[B, L]`, -100 at placeholders and padding."""


def expand(
    input_ids: Tensor,
    attention_mask: Tensor | None,
    labels: Tensor | None,
    videos: Sequence[VisualTokens],
    video_token: int,
    accepted: Sequence[Sequence[int]],
    pad_token: int,
) -> Prompt:
    """Gives each video a placeholder for each of its visual tokens and one for the `image_newline`.

    `input_ids`, `attention_mask` and `labels` are `[B, L0]`. Each of `accepted` says how many placeholders each video may have in
    `input_ids`; the first whose sum fits is taken. Rows of unequal length are padded on the side on which they were padded, on the
    left if they were not: generation continues at the right end. They are padded with the token that they were padded with, else
    with `pad_token`.

    Raises `PlaceholderError` if no sum fits, or if the placeholders of one video are not next to each other.
    """
    found = int((input_ids == video_token).sum())
    lengths = next((lengths for lengths in accepted if sum(lengths) == found), None)
    if lengths is None:
        expected = ", or ".join(str(sum(lengths)) for lengths in dict.fromkeys(map(tuple, accepted)))
        raise PlaceholderError(
            f"the prompt has {found} video placeholders for {len(videos)} videos: expected {expected}; "
            "give the processor as many videos as the text has <video>, and do not truncate the prompt"
        )
    mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
    pads_right = bool((mask[:, -1] == 0).any()) and not bool((mask[:, 0] == 0).any())
    padding = input_ids[mask == 0]
    pad_token = int(padding[0]) if len(padding) else pad_token
    pending = iter(zip(videos, lengths))
    rows = [
        _expand_row(ids, attended, row_labels, video_token, pending)
        for ids, attended, row_labels in zip(
            input_ids, mask, [None] * len(input_ids) if labels is None else labels
        )
    ]
    stacked = lambda key, fill: _stack([getattr(row, key) for row in rows], fill, pads_right)  # noqa: E731
    keeps_gaps = any(row.has_gaps for row in rows)
    return Prompt(
        stacked("ids", pad_token),
        stacked("attended", 0),
        stacked("positions", 0) if keeps_gaps else None,
        None if labels is None else stacked("labels", IGNORED_LABEL),
    )


@dataclass(frozen=True)
class _Row:
    ids: Tensor
    attended: Tensor
    positions: Tensor
    labels: Tensor | None
    has_gaps: bool


def _expand_row(
    ids: Tensor,
    attended: Tensor,
    labels: Tensor | None,
    video_token: int,
    pending: Iterator[tuple[VisualTokens, int]],
) -> _Row:
    """A row without its padding, `[L]`; takes its videos from `pending`."""
    kept = attended.nonzero()
    start, end = (int(kept[0]), int(kept[-1]) + 1) if len(kept) else (0, 0)
    ids, attended = ids[start:end], attended[start:end]
    labels = None if labels is None else labels[start:end]
    is_video = ids == video_token
    parts: list[tuple[Tensor, Tensor, Tensor, Tensor | None]] = []
    place, position, has_gaps = 0, 0, False

    def copy_text(stop: int) -> None:
        nonlocal position
        seen = attended[place:stop]
        steps = position + torch.cumsum(seen.long(), 0) - 1
        text_labels = None if labels is None else labels[place:stop]
        parts.append((ids[place:stop], seen, steps.clamp(min=0), text_labels))
        position += int(seen.sum())

    while place < len(ids):
        following = is_video[place:].nonzero()
        if not len(following):
            copy_text(len(ids))
            break
        first = place + int(following[0])
        copy_text(first)
        video, length = next(pending)
        place = first + length
        if place > len(ids) or not bool(is_video[first:place].all()):
            raise PlaceholderError(
                f"a video has fewer than {length} placeholders next to each other: do not truncate or edit the expanded prompt"
            )
        count = len(video) + 1
        steps = torch.cat([video.positions, torch.tensor([video.sequence_length])]).to(ids.device) + position
        ignored = None if labels is None else labels.new_full((count,), IGNORED_LABEL)
        parts.append((ids.new_full((count,), video_token), attended.new_ones(count), steps, ignored))
        position += video.sequence_length + 1
        has_gaps = has_gaps or video.sequence_length != len(video)
    if not parts:
        parts.append((ids, attended, torch.zeros_like(ids), labels))
    row = [None if part[0] is None else torch.cat(part) for part in zip(*parts)]
    return _Row(row[0], row[1], row[2], row[3], has_gaps)


def _stack(rows: Sequence[Tensor], fill: int, pads_right: bool) -> Tensor:
    """Rows `[L_i]` as `[B, max L_i]`."""
    longest = max(map(len, rows))
    padding = [row.new_full((longest - len(row),), fill) for row in rows]
    pairs = zip(rows, padding) if pads_right else zip(padding, rows)
    return torch.stack([torch.cat(pair) for pair in pairs])
