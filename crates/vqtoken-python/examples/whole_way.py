"""The whole way in an empty virtual environment: install the wheel, ask a clip, patch a transformers model, encode a folder on Ray, kill
that, go on, and ask over the result.

    python examples/whole_way.py vqtoken-0.1.0-cp310-abi3-manylinux_2_34_x86_64.whl TINY_LLAVA_DIR [--folder WORK]

TINY_LLAVA_DIR is a LLaVA-OneVision in the layout of transformers, such as golden/a/onevision-hf, which gets a processor and a chat
template here. torch and transformers are gigabytes.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

CLIPS = 24


def say(text: str) -> None:
    print(f"\n== {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        walk(arguments.wheel.resolve(), arguments.model.resolve(), arguments.folder or Path(temporary))


def walk(wheel: Path, model: Path, folder: Path) -> None:
    environment = folder / "environment"
    python = environment / "bin" / "python"

    def run(*command: object) -> None:
        subprocess.run([python, *map(str, command)], check=True, cwd=folder)

    say("an empty environment, the wheel and NumPy")
    venv.create(environment, with_pip=True, clear=True)
    run("-m", "pip", "install", "--quiet", wheel)
    run("-m", "pip", "list")

    say("ask a clip")
    run("-m", "vqtoken", "demo", "-o", "shapes.mp4")
    run("-W", "ignore", "-c", ASK)

    say("patch a model of transformers")
    run("-m", "pip", "install", "--quiet", "torch", "torchvision", "transformers", "pillow")
    with_template = folder / "model"
    shutil.copytree(model, with_template, dirs_exist_ok=True)
    run("-c", PREPARE, with_template)
    reducers = ["--reducers", "pooled", "vqtoken:6", "evs:q=0.5"]
    run(Path(__file__).with_name("patch_transformers.py"), with_template, "Which way does the square move?", *reducers)

    say(f"encode a folder of {CLIPS} clips on Ray, and kill that")
    run("-m", "pip", "install", "--quiet", "ray[data]", "pyarrow", "fsspec")
    run("-m", "vqtoken", "data", "shapes", "--out", "shapes", "--clips", CLIPS)
    encode = [python, "-m", "vqtoken", "corpus", "encode", "shapes/videos", "tokens", "--engine", "ray", "--workers", "2"]
    encode += ["--rows-per-piece", "2"]
    killed = subprocess.Popen(encode, cwd=folder)
    while not list((folder / "tokens").glob("piece-*.parquet")):
        if killed.poll() is not None:
            sys.exit("it ended before it could be killed")
        time.sleep(0.1)
    time.sleep(random.random())
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    print(len(list((folder / "tokens").glob("piece-*.parquet"))), "pieces when it was killed")

    say("go on")
    subprocess.run(encode, cwd=folder, check=True)

    say("ask over the result")
    run("-m", "vqtoken", "corpus", "ask", "tokens", "answers", "--question", "What moves?", "--engine", "local")
    run("-c", SHOW)


# What a published checkpoint brings along, for a tower of the tiny model's size.
PREPARE = r"""
import json, sys
from pathlib import Path
from transformers import (
    LlavaOnevisionImageProcessor, LlavaOnevisionProcessor, LlavaOnevisionVideoProcessor, PreTrainedTokenizerFast
)
folder = Path(sys.argv[1])
vision = json.loads((folder / "config.json").read_text())["vision_config"]
side = {"height": vision["image_size"], "width": vision["image_size"]}
tokenizer = PreTrainedTokenizerFast(
    tokenizer_file=str(folder / "tokenizer.json"), pad_token="<|endoftext|>", eos_token="<|im_end|>", padding_side="left",
    model_input_names=["input_ids", "attention_mask"],
)
LlavaOnevisionProcessor(
    image_processor=LlavaOnevisionImageProcessor(size=side, image_grid_pinpoints=[[side["height"], side["width"]]]),
    tokenizer=tokenizer,
    video_processor=LlavaOnevisionVideoProcessor(size=side),
    num_image_tokens=(vision["image_size"] // vision["patch_size"]) ** 2,
    vision_feature_select_strategy="full",
    chat_template=(
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for part in message['content'] %}"
        "{% if part['type'] == 'video' %}<video>\n{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
).save_pretrained(folder)
"""

ASK = """
import vqtoken
model = vqtoken.VideoLlm.load()
tokens = model.encode("shapes.mp4", tokens="adaptive")
print(tokens, len(tokens.to_bytes()), "bytes")
print(model.ask(tokens, "Which way does the red circle move?"))
"""

SHOW = """
import vqtoken.corpus
print(vqtoken.corpus.to_arrow("answers").slice(0, 4).to_pandas().to_string())
"""

if __name__ == "__main__":
    main()
