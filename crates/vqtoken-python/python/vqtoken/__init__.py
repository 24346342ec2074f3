"""Read a whole video as a few dozen discrete tokens.

>>> import numpy as np
>>> import vqtoken
>>> tokens = np.random.default_rng(0).normal(size=(4, 6, 6, 16)).astype("float32")  # [T, H, W, D]
>>> quantization = vqtoken.quantize(tokens, 8)
>>> quantization.codebook.shape, quantization.index_map.shape
((8, 16), (4, 6, 6))
>>> vqtoken.reduce(tokens, "tome:10").tokens.shape
(10, 16)
>>> vqtoken.reduce(tokens, "tome:0")
Traceback (most recent call last):
vqtoken.errors.ReduceError: ...

| for | see |
| --- | --- |
| asking a video | `VideoLlm` |
| a video as kilobytes | `VideoTokens` |
| the method and other reducers on arrays | `quantize`, `reduce`, `REDUCERS` |
| where and when codes occur | `TokenHash` |
| a transformers model that reads reduced video | `vqtoken.transformers` |
| folders and tables of videos, on Ray and Daft | `vqtoken.corpus` |
| a benchmark of lmms-eval | `vqtoken.lmms_eval` |
"""

from vqtoken._vqtoken import (
    REDUCERS,
    Answer,
    CurvePoint,
    Quantization,
    ReducerInfo,
    Reduction,
    TokenGrid,
    TokenHash,
    VideoLlm,
    VideoTokens,
    VqAttention,
    __version__,
    check_budget,
    pool,
    quantize,
    reduce,
    set_threads,
    threads,
    tok_dense,
)
from vqtoken.errors import (
    ArrayError,
    Error,
    ForkError,
    ModelError,
    ReduceError,
    TokensError,
    VideoError,
    VqtokenWarning,
)

__all__ = [
    "REDUCERS",
    "Answer",
    "ArrayError",
    "CurvePoint",
    "Error",
    "ForkError",
    "ModelError",
    "Quantization",
    "ReduceError",
    "ReducerInfo",
    "Reduction",
    "TokenGrid",
    "TokenHash",
    "TokensError",
    "VideoError",
    "VideoLlm",
    "VideoTokens",
    "VqAttention",
    "VqtokenWarning",
    "__version__",
    "check_budget",
    "pool",
    "quantize",
    "reduce",
    "set_threads",
    "threads",
    "tok_dense",
]
