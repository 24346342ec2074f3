"""`python -m vqtoken corpus`: `encode`, `ask` and `list`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from vqtoken.errors import Error

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Runs a command. 0 if every row is done without an error, 1 if not, 2 for bad usage."""
    options = vars(_parser().parse_args(arguments))
    run, as_json = options.pop("run"), options.pop("json")
    try:
        return run(as_json, **options)
    except Error as error:
        print(json.dumps({"error": str(error)}) if as_json else f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the same command goes on where it was", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vqtoken corpus", description="Tables of video paths to tables of video tokens and answers.")
    commands = parser.add_subparsers(required=True)
    encode = commands.add_parser("encode", help="encode every video of a folder, list or table")
    encode.add_argument("source", help="a folder, a text file of paths, or a Parquet, CSV or Arrow table")
    encode.add_argument("out", help="the folder that gets the corpus")
    encode.add_argument("--column", default="path", help="the column of a table that has the paths [path]")
    encode.add_argument("--frames", type=int, help="frames to sample, evenly over a video [32]")
    encode.add_argument("--fps", type=float, help="sample by time instead: frames a second")
    encode.add_argument("--tokens", help="codes: a number, adaptive, adaptive:RULE or adaptive:RULE:MIN-MAX [32]")
    encode.add_argument("--window", type=float, help="seconds of a window with a codebook of its own")
    encode.add_argument("--total", help="codes of the whole video, from the windows' codes")
    encode.add_argument("--near-repeats", type=float, default=0.0, help="levels up to which frames count as repeats [0]")
    encode.add_argument("--quality", default="bf16", help="exact, bf16 or int8 [bf16]")
    encode.set_defaults(run=_encode)
    ask = commands.add_parser("ask", help="ask every video of a corpus")
    ask.add_argument("corpus", help="a folder that `encode` made")
    ask.add_argument("out", help="the folder that gets the answers")
    which = ask.add_mutually_exclusive_group(required=True)
    which.add_argument("--question", action="append", help="asked of every video; can be given more than once")
    which.add_argument("--questions", help="a table with the columns path and question")
    ask.add_argument("--system", help="system message")
    ask.add_argument("--max-tokens", type=int, default=128, help="tokens of an answer, at most [128]")
    ask.add_argument("--temperature", type=float, default=0.0, help="0 takes the most likely token [0]")
    ask.set_defaults(run=_ask)
    for command in (encode, ask):
        command.add_argument("--model", help="model directory or hub id [the built-in model]")
        command.add_argument("--precision", default="auto", help="auto, f32, bf16, int8 or int4 [auto]")
        command.add_argument("--seed", type=int, default=0, help="seed [0]")
        command.add_argument("--engine", default="local", help="local, ray or daft [local]")
        command.add_argument("--workers", type=_workers, help="how many, or LEAST-MOST [as many as there is room for]")
        command.add_argument("--cpus-per-worker", type=float, default=1.0, help="cores of a worker [1]")
        command.add_argument("--num-gpus", type=float, default=0.0, help="GPUs of a worker, passed on to the engine [0]")
        command.add_argument("--rows-per-piece", type=int, default=256, help="rows of a Parquet file [256]")
    listing = commands.add_parser("list", help="say what a corpus holds, and what went wrong")
    listing.add_argument("corpus", help="a folder that `encode` or `ask` made")
    listing.set_defaults(run=_list)
    for command in (encode, ask, listing):
        command.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _workers(text: str) -> int | tuple[int, int]:
    try:
        least, dash, most = text.partition("-")
        return (int(least), int(most)) if dash else int(least)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number, or LEAST-MOST") from None


def _encode(as_json: bool, source: str, out: str, **options: Any) -> int:
    from vqtoken.corpus import encode

    return _told(as_json, out, encode(source, out, progress=_progress(), **options))


def _ask(as_json: bool, corpus: str, out: str, question: list[str] | None, questions: str | None, **options: Any) -> int:
    from pathlib import Path

    from vqtoken.corpus import ask

    asked: Any = question if questions is None else Path(questions)
    return _told(as_json, out, ask(corpus, out, asked, progress=_progress(), **options))


def _list(as_json: bool, corpus: str) -> int:
    from vqtoken.corpus import to_arrow

    told = ["path", "error"]
    rows = to_arrow(corpus, told).to_pylist()
    failed = [row for row in rows if row["error"] is not None]
    if as_json:
        print(json.dumps({"rows": len(rows), "failed": failed}))
    else:
        for row in failed:
            print(f"{row['path']}: {row['error']}")
        print(f"{len(rows)} rows, {len(failed)} with an error")
    return 0


def _told(as_json: bool, out: str, summary: Any) -> int:
    if as_json:
        print(json.dumps({"output": out, **asdict(summary)}))
    else:
        print(f"{out}: {summary.rows} rows in {summary.pieces} pieces, {summary.done_now} done now, {summary.failed} with an error")
    if summary.failed:
        print(f"{summary.failed} rows have an error: `python -m vqtoken corpus list {out}` names them", file=sys.stderr)
    return 1 if summary.failed else 0


def _progress() -> Any:
    if not sys.stderr.isatty():
        return None

    def show(done: int, rows: int) -> None:
        print(f"\r{done} of {rows} rows", end="\n" if done == rows else "", file=sys.stderr, flush=True)

    return show
