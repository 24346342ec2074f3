"""`vqtoken_rs`: a model of this package as lmms-eval asks it."""

from __future__ import annotations

from typing import Any

from lmms_eval.api.instance import Instance
from lmms_eval.api.model import lmms
from lmms_eval.protocol import ChatMessages
from loguru import logger
from tqdm import tqdm

from .. import _vqtoken as native
from ..errors import VideoError
from .request import Request

_UNUSED = ("batch_size", "max_batch_size", "device")
"""What lmms-eval gives every model. A video is read once for all of its questions; there is no other batch, and no device."""


class VqTokenRs(lmms):
    """Arguments (`--model_args`), as those of `vqtoken eval`:

    | name | meaning |
    | --- | --- |
    | `pretrained` | a directory, or an id on the Hugging Face hub; the built-in model if not given |
    | `tokens` | codes: a number or `adaptive:elbow:12-32` |
    | `reducer` | `vqtoken`, `pooled`, or a training-free reducer with its budget, such as `tome:32` or `pooled+tome:32` |
    | `frames` or `fps` | how a video is sampled; 32 frames if not given |
    | `precision` | `auto`, `f32`, `bf16`, `int8` or `int4` |
    | `system` | the system message, where the task has none |
    | `seed` | of sampling |
    """

    is_simple = False

    def __init__(
        self,
        pretrained: str | None = None,
        tokens: int | str | None = None,
        reducer: str | None = None,
        frames: int | None = None,
        fps: float | None = None,
        precision: native.Precision = "auto",
        system: str | None = None,
        seed: int = 0,
        **others: Any,
    ) -> None:
        super().__init__()
        unknown = [name for name in others if name not in _UNUSED]
        if unknown:
            raise ValueError(f"vqtoken_rs has no argument {', '.join(unknown)}: see vqtoken.lmms_eval.model.VqTokenRs")
        self._model = native.VideoLlm.load(pretrained, precision=precision)
        self._system = system
        self._seed = int(seed)
        self._reading = {"tokens": tokens, "reducer": reducer, "frames": frames, "fps": fps}

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """An answer to each request. Where a video does not decode, its answers are empty, and the log says why."""
        read = [self._request(instance) for instance in requests]
        groups: dict[Any, list[int]] = {}
        for index, request in enumerate(read):
            groups.setdefault(request.group, []).append(index)
        answers = [""] * len(requests)
        progress = tqdm(total=len(requests), disable=self.rank != 0, desc="vqtoken")
        for indices in groups.values():
            for index, answer in zip(indices, self._answers([read[index] for index in indices])):
                answers[index] = read[index].cut(answer)
                self.cache_hook.add_partial(
                    "generate_until", (requests[index].args[0], requests[index].args[2]), answers[index]
                )
            progress.update(len(indices))
        progress.close()
        return answers

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        raise NotImplementedError(
            "vqtoken_rs writes answers and scores none: choose a task with output_type generate_until, "
            "or rank options with `vqtoken eval shapes`"
        )

    def generate_until_multi_round(self, requests: list[Instance]) -> list[str]:
        raise NotImplementedError("vqtoken_rs answers single questions: choose a task with output_type generate_until")

    def _request(self, instance: Instance) -> Request:
        _, messages, options, document, task, split = instance.args
        messages = ChatMessages(messages=messages(self.task_dict[task][split][document])).messages
        try:
            return Request.read(messages, options)
        except ValueError as error:
            raise ValueError(f"{task}, document {document}: {error}") from error

    def _answers(self, requests: list[Request]) -> list[str]:
        """Answers to requests of one group."""
        first = requests[0]
        try:
            return self._model.ask(
                first.video,
                [request.question for request in requests],
                system=first.system or self._system,
                max_tokens=first.max_tokens,
                temperature=first.temperature,
                top_p=first.top_p,
                top_k=first.top_k,
                seed=self._seed,
                **self._reading_of(first.video),
            )
        except VideoError as error:
            logger.error(f"{len(requests)} questions have no answer: {error}")
            return [""] * len(requests)

    def _reading_of(self, video: Any) -> dict[str, Any]:
        """How a video is read; nothing where there is none. Frames in memory were sampled by the task, `fps` is for files."""
        if video is None:
            return {}
        return self._reading if isinstance(video, str) else {**self._reading, "fps": None}
