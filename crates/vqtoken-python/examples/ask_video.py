"""Asks a video: whole answers, an answer piece by piece, and video tokens that need no video.

    python ask_video.py clip.mp4 "Which way does the red circle move?" "What moves?" [--model MODEL] [--tokens 32]

Without arguments it asks the demonstration clip.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import vqtoken

QUESTIONS = ["Which way does the red circle move?", "What moves?"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?")
    parser.add_argument("questions", nargs="*")
    parser.add_argument("--model", help="directory or hub id [the built-in model, which knows clips of moving shapes alone]")
    parser.add_argument("--tokens", default="32", help="codes: a number, or adaptive")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        video = arguments.video or demonstration(Path(folder))
        ask(vqtoken.VideoLlm.load(arguments.model), video, arguments.questions or QUESTIONS, arguments.tokens, Path(folder))


def demonstration(folder: Path) -> str:
    """Writes the demonstration clip."""
    clip = folder / "shapes.mp4"
    subprocess.run([sys.executable, "-m", "vqtoken", "demo", "-o", str(clip)], check=True)
    return str(clip)


def ask(model: vqtoken.VideoLlm, video: str, questions: list[str], tokens: str, folder: Path) -> None:
    encoded = model.encode(video, tokens=tokens)
    encoded.save(folder / "clip.vqt")
    size = (folder / "clip.vqt").stat().st_size
    print(f"{encoded.codes} codes of {encoded.shape[0]} frames, {size} bytes")

    # The video is read once for all questions.
    for question, answer in zip(questions, model.ask(video, questions, tokens=tokens)):
        print(f"{question} {answer}")

    print("From the file alone: ", end="")
    for piece in model.ask_stream(vqtoken.VideoTokens.load(folder / "clip.vqt"), questions[0]):
        print(piece, end="", flush=True)
    print()


if __name__ == "__main__":
    main()
