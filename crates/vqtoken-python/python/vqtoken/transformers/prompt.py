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
    ignored = torch.full_like(input_ids, IGNORED_LABEL)
    rows = [
        _expand_row(ids, attended, row_labels, video_token, pending)
        for ids, attended, row_labels in zip(input_ids, mask, ignored if labels is None else labels)
    ]
    has_gaps = any(video.sequence_length != len(video) for video in videos)
    return Prompt(
        input_ids=_stack([row.ids for row in rows], pad_token, pads_right),
        attention_mask=_stack([row.attended for row in rows], 0, pads_right),
        position_ids=_stack([row.positions for row in rows], 0, pads_right) if has_gaps else None,
        labels=None if labels is None else _stack([row.labels for row in rows], IGNORED_LABEL, pads_right),
    )


@dataclass(frozen=True)
class _Row:
    """A row without its padding, or a part of one; each is `[L]`."""

    ids: Tensor
    attended: Tensor
    labels: Tensor
    positions: Tensor


def _expand_row(
    ids: Tensor,
    attended: Tensor,
    labels: Tensor,
    video_token: int,
    pending: Iterator[tuple[VisualTokens, int]],
) -> _Row:
    """A row `[L0]`, whose videos are the next of `pending`."""
    kept = attended.nonzero().flatten()
    row = slice(int(kept[0]), int(kept[-1]) + 1) if len(kept) else slice(0, 0)
    ids, attended, labels = ids[row], attended[row], labels[row]
    parts, position = [], 0
    for place, video in _parts(ids == video_token, pending):
        if video is None:
            seen = attended[place]
            # What is masked within a row takes no position.
            steps = (torch.cumsum(seen.long(), 0) - 1).clamp(min=0)
            parts.append(_Row(ids[place], seen, labels[place], position + steps))
            position += int(seen.sum())
        else:
            count = len(video) + 1
            steps = torch.cat([video.positions, torch.tensor([video.sequence_length])]).to(ids.device)
            ignored = labels.new_full((count,), IGNORED_LABEL)
            parts.append(_Row(ids.new_full((count,), video_token), attended.new_ones(count), ignored, position + steps))
            position += video.sequence_length + 1
    return _Row(
        torch.cat([part.ids for part in parts]),
        torch.cat([part.attended for part in parts]),
        torch.cat([part.labels for part in parts]),
        torch.cat([part.positions for part in parts]),
    )


def _parts(
    is_video: Tensor, pending: Iterator[tuple[VisualTokens, int]]
) -> Iterator[tuple[slice, VisualTokens | None]]:
    """Where a row has text (None) and where the next videos of `pending`; at least one part."""
    place = 0
    while place < len(is_video):
        following = is_video[place:].nonzero()
        first = place + int(following[0]) if len(following) else len(is_video)
        yield slice(place, first), None
        if first == len(is_video):
            return
        video, length = next(pending)
        place = first + length
        if place > len(is_video) or not bool(is_video[first:place].all()):
            raise PlaceholderError(
                f"a video has fewer than {length} placeholders next to each other: do not truncate or edit the expanded prompt"
            )
        yield slice(first, place), video
    if place == 0:
        yield slice(0, 0), None


def _stack(rows: Sequence[Tensor], fill: int, pads_right: bool) -> Tensor:
    """Rows `[L_i]` as `[B, max L_i]`."""
    longest = max(map(len, rows))
    padding = [row.new_full((longest - len(row),), fill) for row in rows]
    pairs = zip(rows, padding) if pads_right else zip(padding, rows)
    return torch.stack([torch.cat(pair) for pair in pairs])
