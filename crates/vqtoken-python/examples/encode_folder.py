"""Encodes a folder of videos into a table of video tokens, and asks all of them. Called again after a kill, it goes on.

    python encode_folder.py videos/ corpus/ "What moves?" [--engine ray] [--workers 2] [--model MODEL]

`corpus/tokens` gets a row a video and `corpus/answers` a row a question, as Parquet.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import vqtoken
import vqtoken.corpus


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", help="a folder, or a table with a column `path`")
    parser.add_argument("out", type=Path)
    parser.add_argument("questions", nargs="+")
    parser.add_argument("--model", help="directory or hub id [the built-in model, which knows clips of moving shapes alone]")
    parser.add_argument("--engine", default="local", help="local, ray or daft")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--tokens", default="32")
    arguments = parser.parse_args()
    shared = {"model": arguments.model, "engine": arguments.engine, "workers": arguments.workers}

    tokens, answers = arguments.out / "tokens", arguments.out / "answers"
    made = vqtoken.corpus.encode(arguments.videos, tokens, tokens=arguments.tokens, **shared)
    print(f"{made.rows} videos, {made.done_now} encoded now, {made.failed} with an error")

    # A row has all that there is to know of a video: what it was encoded from, and its tokens, or why there are none.
    for row in vqtoken.corpus.to_arrow(tokens).to_pylist():
        if row["error"] is None:
            grid = vqtoken.VideoTokens.from_bytes(row["vqt"]).shape
            print(f"{row['path']}: {row['duration']:.1f} s, {row['codes']} codes over {grid}, {len(row['vqt'])} bytes")
        else:
            print(f"{row['path']}: {row['error']}")

    vqtoken.corpus.ask(tokens, answers, arguments.questions, **shared)
    for row in vqtoken.corpus.to_arrow(answers).to_pylist():
        print(f"{row['path']}: {row['question']} {row['answer'] if row['error'] is None else row['error']}")


if __name__ == "__main__":
    main()
