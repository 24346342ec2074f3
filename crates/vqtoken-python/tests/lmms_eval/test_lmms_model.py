"""The model `vqtoken_rs` alone: its arguments, its requests, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import vqtoken
from lmms_eval.api.instance import Instance
from lmms_eval.models import get_model, list_available_models
from lmms_eval.protocol import ChatMessages
from vqtoken.lmms_eval.request import Request

GREEDY = {"max_new_tokens": 8, "temperature": 0, "do_sample": False}


def messages(*parts, **others):
    return ChatMessages(messages=[{"role": "user", "content": list(parts)}, *others.get("more", [])]).messages


def text(value):
    return {"type": "text", "text": value}


def video(url, **others):
    return {"type": "video", "url": url, **others}


@pytest.fixture(scope="module")
def model(golden):
    return get_model("vqtoken_rs").create_from_arg_string(
        f"pretrained={golden / 'onevision-hf'},tokens=6,reducer=vqtoken,frames=4,precision=f32",
        {"batch_size": 1, "device": "cpu"},
    )


def ask(model, documents, options=GREEDY):
    """Answers to documents, which are messages."""
    model.task_dict = {"task": {"test": documents}}
    metadata = {"task": "task", "repeats": 1}
    return model.generate_until(
        [
            Instance(
                "generate_until",
                ("", lambda doc: doc, options, index, "task", "test"),
                0,
                {**metadata, "doc_id": index},
            )
            for index in range(len(documents))
        ]
    )


def user(*parts):
    return [{"role": "user", "content": list(parts)}]


def test_lmms_eval_finds_the_model():
    assert "vqtoken_rs" in list_available_models()


def test_answers_come_in_the_order_of_the_requests(model, benchmark, golden):
    clips = sorted(map(str, (benchmark / "videomme" / "data").glob("*.mp4")))[:2]
    questions = ["Which way does the red circle go?", "What happens at the end?"]
    documents = [user(video(clip), text(question)) for question in questions for clip in clips]
    llm = vqtoken.VideoLlm.load(golden / "onevision-hf", precision="f32")
    options = dict(reducer="vqtoken", tokens=6, frames=4, max_tokens=8)
    assert ask(model, documents) == [llm.ask(clip, question, **options) for question in questions for clip in clips]


def test_questions_without_a_video_and_frames_in_memory(model, golden):
    frames = np.random.default_rng(0).integers(0, 256, (4, 40, 60, 3), dtype=np.uint8)
    llm = vqtoken.VideoLlm.load(golden / "onevision-hf", precision="f32")
    answers = ask(model, [user(text("Which way?")), user(video(frames), text("Which way?"))])
    assert answers == [
        llm.ask(None, "Which way?", max_tokens=8),
        llm.ask(frames, "Which way?", reducer="vqtoken", tokens=6, frames=4, max_tokens=8),
    ]


def test_an_answer_ends_before_the_texts_of_until(model):
    document = [user(text("Which way?"))]
    (whole,) = ask(model, document)
    assert len(whole) > 4
    assert ask(model, document, {**GREEDY, "until": [whole[3:5]]}) == [whole[: whole.index(whole[3:5])]]


def test_a_video_that_does_not_decode_costs_its_own_answers_only(model, benchmark, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    clip = str(next((benchmark / "videomme" / "data").glob("*.mp4")))
    broken, whole = ask(
        model, [user(video(str(tmp_path / "broken.mp4")), text("Which?")), user(video(clip), text("Which?"))]
    )
    assert broken == "" and whole != ""


def test_arguments_that_do_not_exist(model, golden):
    kind = type(model)
    with pytest.raises(ValueError, match="no argument max_frames_num"):
        kind.create_from_arg_string(f"pretrained={golden / 'onevision-hf'},max_frames_num=8")
    with pytest.raises(vqtoken.ModelError):
        kind.create_from_arg_string("pretrained=there/is/nothing/here")
    wrong = kind.create_from_arg_string(f"pretrained={golden / 'onevision-hf'},reducer=magic:3,frames=4")
    with pytest.raises((vqtoken.Error, ValueError), match="magic"):
        ask(wrong, [user(video(np.zeros((4, 40, 60, 3), np.uint8)), text("Which?"))])


def test_requests_that_it_cannot_answer(model):
    for output in ("loglikelihood", "generate_until_multi_round"):
        with pytest.raises(NotImplementedError, match="generate_until"):
            getattr(model, output)([])
    frames = np.zeros((2, 8, 8, 3), np.uint8)
    for parts, needle in [
        ([{"type": "image", "url": "a.png"}, text("?")], "a part is of type image"),
        ([video("a.mp4"), video("b.mp4"), text("?")], "several videos"),
        ([video("a.mp4", start_time=1.0), text("?")], "whole videos"),
        ([video(3), text("?")], "a video is a int"),
        ([video(frames[0]), text("?")], "expected a path or frames"),
    ]:
        with pytest.raises(ValueError, match=needle):
            Request.read(messages(*parts), GREEDY)
    with pytest.raises(ValueError, match="num_beams=3"):
        Request.read(messages(text("?")), {**GREEDY, "num_beams": 3})
    with pytest.raises(ValueError, match="messages of user, assistant, user"):
        more = [{"role": role, "content": [text("?")]} for role in ("assistant", "user")]
        Request.read(messages(text("?"), more=more), GREEDY)
    with pytest.raises(ValueError, match="task, document 0: several videos"):
        ask(model, [user(video("a.mp4"), video("b.mp4"))])


def test_what_a_request_says():
    system = {"role": "system", "content": [text("Be brief.")]}
    chat = ChatMessages(messages=[system, *user(video("file:///clips/a.mp4"), text("Which?"), text("Now."))]).messages
    sampled = Request.read(chat, {"do_sample": True, "temperature": 0.5, "top_p": 0.9, "top_k": 3, "until": "\n"})
    assert sampled == Request("/clips/a.mp4", "Which?\nNow.", "Be brief.", 128, 0.5, 0.9, 3, ("\n",))
    assert Request.read(chat, {**sampled.__dict__, "do_sample": False}).temperature == 0.0
    assert Request.read(chat, GREEDY).max_tokens == 8
