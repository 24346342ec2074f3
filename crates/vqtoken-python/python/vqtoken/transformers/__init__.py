"""Reducers for models of Hugging Face `transformers`.

    with vqtoken.transformers.reduce_video(model, "vqtoken:32"):
        answer = model.generate(**processor(text=prompt, videos=[video], return_tensors="pt"))

| file | what |
| --- | --- |
| `reduce_video.py` | what a user calls |
| `reading.py` | names such as `pooled+tome:32@renumbered` |
| `onevision.py`, `llava_qwen.py` | the two kinds of models |
| `processor.py` | placeholders in the processor |
| `prompt.py` | placeholders, masks, labels and positions of a prompt |
| `visual_tokens.py` | a token grid reduced |
| `generation.py` | positions of what is generated |
| `attributes.py` | how a model becomes what it was |
"""

from .errors import PatchError, PlaceholderError, UnsupportedModelError
from .reading import Positions
from .reduce_video import Attention, VideoReduction, reduce_video

__all__ = [
    "Attention",
    "PatchError",
    "PlaceholderError",
    "Positions",
    "UnsupportedModelError",
    "VideoReduction",
    "reduce_video",
]
