"""The example runs on a saved model and processor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "patch_transformers.py"

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for part in message['content'] %}"
    "{% if part['type'] == 'video' %}<video>\n{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def test_the_example_answers_by_every_reducer(model, processor, tmp_path):
    model.save_pretrained(tmp_path)
    processor.chat_template = TEMPLATE
    processor.save_pretrained(tmp_path)
    command = [
        sys.executable,
        str(EXAMPLE),
        str(tmp_path),
        "Which way?",
        "--reducers",
        "pooled",
        "vqtoken:6",
        "evs:q=0.5",
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    lines = result.stdout.splitlines()
    ids = [int(line.split("prompt of ")[1].split()[0]) for line in lines]
    # Eight frames of 2 x 2 patches and a newline; six codes and a newline; one for as many as the video has.
    assert [ids[0] - length for length in ids] == [0, 33 - 7, 33 - 1]
