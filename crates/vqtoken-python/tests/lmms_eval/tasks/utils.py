"""What the tasks of this folder call."""

from pathlib import Path

from lmms_eval.tasks.videomme.utils import (  # noqa: F401
    videomme_aggregate_results,
    videomme_doc_to_text,
    videomme_doc_to_visual,
    videomme_process_results,
)

VIDEOS = Path(__file__).resolve().parent.parent / "videomme" / "data"


def shapes_doc_to_visual(doc):
    return [str(VIDEOS / f"{doc['video']}.mp4")]


def shapes_doc_to_text(doc, lmms_eval_specific_kwargs=None):
    return f"{doc['question']}\nAnswer the question using a single word or phrase."


def shapes_doc_to_target(doc):
    return str(doc[f"a{doc['answer']}"])


def shapes_process_results(doc, results):
    return {"exact_match": float(results[0].strip().lower() == shapes_doc_to_target(doc).lower())}
