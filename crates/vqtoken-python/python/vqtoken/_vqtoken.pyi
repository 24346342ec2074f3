"""The compiled part of the package. Import its names from `vqtoken`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Path: TypeAlias = str | PathLike[str]
Budget: TypeAlias = int | str
"""How many codes: a number, `"adaptive"`, `"adaptive:RULE"` or `"adaptive:RULE:MIN-MAX"`."""
Precision: TypeAlias = Literal["auto", "f32", "bf16", "int8", "int4"]
Quality: TypeAlias = Literal["exact", "bf16", "int8"]
Progress: TypeAlias = Callable[[int, int | None], object]
"""Called with the frames encoded so far and the frames expected, if that is known."""
Array: TypeAlias = Any
"""A NumPy array, or anything with `__dlpack__` on the CPU, such as a torch tensor; float32, float16 or bfloat16."""

__version__: str

class ReducerInfo:
    """A kind of reducer."""

    @property
    def name(self) -> str: ...
    @property
    def usage(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def source(self) -> str: ...

REDUCERS: tuple[ReducerInfo, ...]

class CurvePoint:
    """What one K of an adaptive budget costs."""

    @property
    def codes(self) -> int: ...
    @property
    def distortion(self) -> float: ...
    @property
    def inertia(self) -> float: ...
    @property
    def silhouette(self) -> float | None: ...

class Quantization:
    """A quantized clip."""

    @property
    def codebook(self) -> NDArray[np.float32]:
        """The means of the unit tokens of each code, `[K, D]`."""
    @property
    def index_map(self) -> NDArray[np.uint32]:
        """The code of each token, `[T, H, W]`; `[N]` where tokens were `[N, D]`."""
    @property
    def codes(self) -> int: ...
    @property
    def distortion(self) -> float:
        """The sum over tokens of 1 - cosine to their centroid."""
    @property
    def inertia(self) -> float: ...
    @property
    def variance(self) -> float: ...
    @property
    def converged(self) -> bool: ...
    @property
    def iterations(self) -> int: ...
    @property
    def curve(self) -> list[CurvePoint]:
        """A point for each K of an adaptive budget; empty for a fixed one."""
    def hash(self) -> TokenHash: ...
    def curve_picture(self, title: str = "tokens") -> bytes:
        """The curve by which an adaptive budget chose, as PNG."""

class Reduction:
    """A token grid reduced to M tokens."""

    @property
    def tokens(self) -> NDArray[np.float32]:
        """`[M, D]`, ordered by position."""
    @property
    def positions(self) -> NDArray[np.int64]:
        """The position of each token in the unreduced sequence, `[M]`, ascending."""
    @property
    def sequence_length(self) -> int: ...
    @property
    def assignment(self) -> NDArray[np.int64]:
        """The reduced token that each grid token went into, `[N]`; -1 where it was pruned."""
    @property
    def quantization(self) -> Quantization | None:
        """For `vqtoken`: codebook and index map."""
    @property
    def flops(self) -> int: ...

class TokenHash:
    """Where and when each code occurs."""

    def __init__(self, index_map: NDArray[np.uint32], codes: int | None = None) -> None: ...
    @property
    def shape(self) -> tuple[int, int, int]: ...
    @property
    def codes(self) -> int: ...
    def code_at(self, frame: int, row: int, column: int) -> int: ...
    def positions(self, code: int) -> NDArray[np.uint32]:
        """Indices into the flat `[T, H, W]` grid of a code's cells, ascending."""
    def cells(self, code: int) -> NDArray[np.uint32]:
        """Frame, row and column of a code's cells, `[n, 3]`."""
    def presence(self, code: int) -> NDArray[np.float32]:
        """The share of each frame that a code covers, `[T]`."""
    def paths(self, bins: int = 16) -> NDArray[np.float32]:
        """Presence, centre (row, column) and spread of each code in each bin of time, `[K, bins, 5]`."""

class VideoTokens:
    """A clip as the language model needs it: a codebook and an index map."""

    @staticmethod
    def load(path: Path) -> VideoTokens: ...
    @staticmethod
    def from_bytes(data: bytes) -> VideoTokens: ...
    def save(self, path: Path, *, quality: Quality | None = None) -> None: ...
    def to_bytes(self, *, quality: Quality | None = None) -> bytes: ...
    @property
    def codebook(self) -> NDArray[np.float32]:
        """`[K, D]`, read-only, a view of this object's memory."""
    @property
    def index_map(self) -> NDArray[np.uint32]:
        """`[T, H, W]`, read-only, a view of this object's memory."""
    @property
    def timestamps(self) -> NDArray[np.float64]:
        """When each sampled frame is shown, in seconds, `[T]`, read-only, a view of this object's memory."""
    @property
    def shape(self) -> tuple[int, int, int]:
        """`(T, H, W)`."""
    @property
    def codes(self) -> int: ...
    @property
    def model(self) -> str: ...
    @property
    def source(self) -> dict[str, Any] | None: ...
    @property
    def duration(self) -> float: ...
    @property
    def budget(self) -> str: ...
    @property
    def quality(self) -> str: ...
    @property
    def warnings(self) -> list[str]:
        """What the encoder had to say about the video; empty for loaded tokens."""
    def hash(self) -> TokenHash: ...
    def picture(self, frames: Array | None = None, *, width: int | None = None) -> bytes:
        """Frames over their index maps and the paths of the codes, as PNG."""
    def _repr_png_(self) -> bytes: ...

class TokenGrid:
    """Patch embeddings of a clip, `[T, H, W, D]`, by reference to the array they were made from where that is float32."""

    def __init__(self, tokens: Array) -> None: ...
    @property
    def data(self) -> NDArray[np.float32]: ...
    @property
    def shape(self) -> tuple[int, ...]: ...

class Answer(Iterator[str]):
    """An answer, piece by piece."""

    @property
    def prompt_tokens(self) -> int: ...
    @property
    def generated_tokens(self) -> int: ...
    def text(self) -> str:
        """All that is left of the answer."""

class VideoLlm:
    """A vision side and a language side. The vision side is loaded when a frame first needs it."""

    @staticmethod
    def load(
        model: Path | None = None, *, precision: Precision = "auto", base: Path | None = None
    ) -> VideoLlm:
        """Loads a model directory or one by its hub id; without a name the built-in model."""
    @property
    def id(self) -> str: ...
    @property
    def trained_input(self) -> str:
        """What the language model was trained to read in place of a video: `"pooled"` or codes."""
    @property
    def precision(self) -> str: ...
    @property
    def features(self) -> int:
        """D, the width of a token."""
    @property
    def grid_side(self) -> int:
        """H = W of the token grid."""
    @property
    def image_size(self) -> int: ...
    def encode(
        self,
        video: Path | Array | Iterable[Array],
        *,
        frames: int | None = None,
        fps: float | None = None,
        timestamps: Sequence[float] | None = None,
        tokens: Budget | None = None,
        window: float | None = None,
        total: Budget | None = None,
        near_repeats: float = 0.0,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> VideoTokens:
        """Video tokens of a file, of frames `[T, H, W, 3]` uint8, or of an iterator of frames `[H, W, 3]`."""
    def ask(
        self,
        video: Path | VideoTokens | Array | Iterable[Array] | None,
        question: str | Sequence[str],
        *,
        system: str | None = None,
        reducer: str | None = None,
        tokens: Budget | None = None,
        frames: int | None = None,
        fps: float | None = None,
        timestamps: Sequence[float] | None = None,
        max_tokens: int = 128,
        temperature: float = 0.0,
        top_p: float = 1.0,
        top_k: int = 0,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> str | list[str]:
        """The answer to a question about a video; a list of answers, each on its own, to a list of questions.

        `reducer` is `"vqtoken"` (codes, as `tokens` says), `"pooled"`, another reducer with its budget, such as `"tome:32"`, or
        `"pooled+tome:32"` of the pooled grid; `"@renumbered"` after either counts positions 0, 1, 2, ..
        """
    def ask_stream(
        self,
        video: Path | VideoTokens | Array | Iterable[Array] | None,
        question: str,
        *,
        system: str | None = None,
        reducer: str | None = None,
        tokens: Budget | None = None,
        frames: int | None = None,
        fps: float | None = None,
        timestamps: Sequence[float] | None = None,
        max_tokens: int = 128,
        temperature: float = 0.0,
        top_p: float = 1.0,
        top_k: int = 0,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Answer:
        """The same answer, piece by piece."""
    def token_grid(
        self,
        video: Path | Array | Iterable[Array],
        *,
        frames: int | None = None,
        fps: float | None = None,
        near_repeats: float = 0.0,
        progress: Progress | None = None,
    ) -> NDArray[np.float32]:
        """The unreduced token grid, `[T, H, W, D]`."""
    def embed_pixels(self, pixels: Array) -> NDArray[np.float32]:
        """Tokens of normalised pixels `[T, 3, S, S]`: `[T, H, W, D]`."""
    def attend(self, codebook: Array, index_map: NDArray[np.uint32]) -> NDArray[np.float32]:
        """Visual tokens `[M, D]` of codes: through the VQ-attention, or the codes themselves where the model has none."""
    def logits(
        self,
        before: Sequence[int],
        visual: Array | None = None,
        after: Sequence[int] = (),
        *,
        positions: Sequence[int] | None = None,
        sequence_length: int | None = None,
    ) -> NDArray[np.float32]:
        """Logits at every position of a prompt of token ids with visual tokens and one image_newline between them."""

class VqAttention:
    """The VQ-attention of a checkpoint alone, without tower and language model."""

    @staticmethod
    def load(model: Path) -> VqAttention | None:
        """None where the checkpoint has none."""
    def attend(self, codebook: Array, index_map: NDArray[np.uint32]) -> NDArray[np.float32]: ...

def quantize(
    tokens: Array | TokenGrid,
    budget: Budget | None = None,
    *,
    seed: int = 0,
    restarts: int | None = None,
    max_iterations: int | None = None,
) -> Quantization:
    """Codes and index map of tokens `[T, H, W, D]` or `[N, D]`."""

def reduce(tokens: Array | TokenGrid, reducer: str) -> Reduction:
    """A token grid `[T, H, W, D]` (or `[N, D]`, one frame of one row) by any reducer, such as `"tome:32"`."""

def check_budget(budget: Budget) -> str:
    """A budget in its one spelling, such as `32` or `adaptive:elbow:12-32`. Raises `ReduceError` for what is none."""

def pool(tokens: Array | TokenGrid) -> NDArray[np.float32]:
    """LLaVA-OneVision's pooling of every frame to half its sides: `[T, H', W', D]`."""

def tok_dense(accuracy_percent: float, tokens: float) -> float: ...

def set_threads(threads: int) -> None:
    """Bounds the threads that computations share in this process. Raises once they have been started with another number."""

def threads() -> int:
    """The threads that computations share."""

def run_command_line(arguments: Sequence[str]) -> int:
    """The command `vqtoken` in this process; its exit code."""
