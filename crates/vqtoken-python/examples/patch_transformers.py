"""A LLaVA-OneVision of `transformers` reads the same video whole and reduced.

    python patch_transformers.py llava-hf/llava-onevision-qwen2-0.5b-ov-hf "Which way does the square move?" clip.mp4

Without a clip it makes one: a red square that moves to the right.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from transformers import AutoProcessor, LlavaOnevisionForConditionalGeneration
from vqtoken.transformers import reduce_video

FRAMES = 8


def moving_square(size: int = 96) -> np.ndarray:
    """A red square from left to right, `[FRAMES, size, size, 3]` uint8."""
    frames = np.full((FRAMES, size, size, 3), 255, np.uint8)
    for index, frame in enumerate(frames):
        left = index * (size - 24) // (FRAMES - 1)
        frame[36:60, left : left + 24] = (220, 30, 30)
    return frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="directory or hub id")
    parser.add_argument("question")
    parser.add_argument("video", nargs="?")
    parser.add_argument("--reducers", nargs="+", default=["pooled", "vqtoken:32", "tome:64", "evs:q=0.9"])
    arguments = parser.parse_args()

    processor = AutoProcessor.from_pretrained(arguments.model)
    model = LlavaOnevisionForConditionalGeneration.from_pretrained(arguments.model).eval()
    content = [{"type": "video"}, {"type": "text", "text": arguments.question}]
    prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    if arguments.video is None:
        video = moving_square()
    else:
        from transformers.video_utils import load_video

        video, _ = load_video(arguments.video, num_frames=FRAMES)

    for reducer in arguments.reducers:
        with reduce_video(model, reducer, processor=processor):
            inputs = processor(text=[prompt], videos=[video], return_tensors="pt").to(model.device)
            start = time.perf_counter()
            with torch.inference_mode():
                answer = model.generate(**inputs, max_new_tokens=32, do_sample=False)
            seconds = time.perf_counter() - start
        length = inputs["input_ids"].shape[1]
        text = processor.decode(answer[0, length:], skip_special_tokens=True)
        print(f"{reducer:12} prompt of {length} ids, {seconds:.2f} s: {text!r}")


if __name__ == "__main__":
    main()
