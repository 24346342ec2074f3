"""A tiny benchmark, and two tasks by which lmms-eval asks it.

    vqtoken data shapes --out shapes --clips 6 --test 0.5 --questions 4
    python make_benchmark.py shapes benchmark

| written | what |
| --- | --- |
| `videomme.json` | questions with four options in the layout of Video-MME, for `vqtoken eval videomme` and the task `video_mme_local` |
| `test.csv` | the same questions as they were, for `vqtoken eval shapes-open` and the task `shapes_open_local` |
| `videomme/data/*.mp4` | the videos, where lmms-eval's Video-MME looks for them with `HF_HOME=benchmark` |
| `tasks/` | the tasks, for `lmms-eval --include_path benchmark/tasks` |
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

LETTERS = "ABCD"

FACETS = {
    "duration": "short",
    "domain": "Knowledge",
    "sub_category": "Humanity & History",
    "task_type": "Temporal Perception",
}
"""Facets that Video-MME's score knows; moving shapes have others."""


def multiple_choice(row: dict[str, str], index: int) -> dict[str, object]:
    """A row of Video-MME from one of moving shapes, with the right option and the first three wrong ones."""
    texts = [row[key] for key in sorted(row) if key[0] == "a" and key[1:].isdigit() and row[key]]
    correct = texts[int(row["answer"])]
    wrong = [text for text in texts if text != correct][: len(LETTERS) - 1]
    kept = [text for text in texts if text == correct or text in wrong]
    return {
        "video_id": row["video"],
        "videoID": row["video"],
        "question_id": f"{index:03}",
        "question": row["question"],
        "options": [f"{letter}. {text}" for letter, text in zip(LETTERS, kept)],
        "answer": LETTERS[kept.index(correct)],
        **FACETS,
    }


def make(shapes: Path, benchmark: Path) -> int:
    """Writes the benchmark from the test part of a folder of moving shapes; the number of its questions."""
    with (shapes / "test.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    videos, tasks = benchmark / "videomme" / "data", benchmark / "tasks"
    videos.mkdir(parents=True, exist_ok=True)
    for video in {row["video"] for row in rows}:
        shutil.copyfile(shapes / "videos" / f"{video}.mp4", videos / f"{video}.mp4")
    questions = [multiple_choice(row, index) for index, row in enumerate(rows)]
    (benchmark / "videomme.json").write_text(json.dumps(questions, indent=1))
    shutil.copyfile(shapes / "test.csv", benchmark / "test.csv")
    shutil.copytree(Path(__file__).parent / "tasks", tasks, dirs_exist_ok=True)
    for task in tasks.glob("*.yaml"):
        # lmms-eval looks for data files from where it is started.
        task.write_text(task.read_text().replace("BENCHMARK", str(benchmark.resolve())))
    return len(rows)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print(make(Path(sys.argv[1]), Path(sys.argv[2])), "questions")
