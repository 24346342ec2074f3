"""What the language model reads in place of a video."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .. import _vqtoken as native
from ..errors import ArrayError
from .reading import Reading


@dataclass(frozen=True)
class VisualTokens:
    """M visual tokens and where they stand; the `image_newline` that follows them is not one of them."""

    tokens: Tensor
    """`[M, D]`."""
    positions: Tensor
    """The position of each in the unreduced sequence, `[M]`, ascending, on the CPU."""
    sequence_length: int
    """Tokens of the unreduced sequence: the position of what follows them."""

    @staticmethod
    def in_a_row(tokens: Tensor) -> VisualTokens:
        """Tokens `[M, D]` at positions 0, 1, 2, .."""
        return VisualTokens(tokens, torch.arange(len(tokens)), len(tokens))

    def __len__(self) -> int:
        return len(self.tokens)


def visual_tokens(
    grid: Tensor,
    reading: Reading,
    pool: Callable[[Tensor], Tensor],
    vq_attention: native.VqAttention | None,
) -> VisualTokens:
    """Visual tokens of one video.

    `grid` is its unpooled token grid, `[T, N, D]`, N patches in a square. `pool` is the model's own pooling, `[T, N, D]` to
    `[T, N', D]`. Reduced tokens have the type and device of the grid and carry no gradient; pooled ones do.

    Raises `ReduceError` if the reducer refuses the grid, and `ArrayError` if the patches are no square.
    """
    tokens = pool(grid) if reading.is_pooled else grid
    if reading.reducer is None:
        return VisualTokens.in_a_row(tokens.flatten(0, 1))
    reduction = native.reduce(_square(tokens).numpy(), reading.reducer)
    quantization = reduction.quantization
    if quantization is not None:
        codes = quantization.codebook
        if reading.is_attended and vq_attention is not None:
            codes = vq_attention.attend(codes, quantization.index_map)
        return VisualTokens.in_a_row(torch.tensor(codes).to(grid))
    reduced = torch.tensor(reduction.tokens).to(grid)
    if reading.positions == "renumbered":
        return VisualTokens.in_a_row(reduced)
    return VisualTokens(reduced, torch.tensor(reduction.positions), reduction.sequence_length)


def _square(tokens: Tensor) -> Tensor:
    """`[T, N, D]` as `[T, H, W, D]`, float32 on the CPU."""
    frames, patches, width = tokens.shape
    side = round(patches**0.5)
    if side * side != patches:
        raise ArrayError(f"a frame has {patches} patches: expected a square number of them")
    return tokens.detach().to("cpu", torch.float32).reshape(frames, side, side, width).contiguous()
