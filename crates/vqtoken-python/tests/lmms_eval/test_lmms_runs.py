"""lmms-eval and `vqtoken eval` ask the same questions and get the same answers."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request

import pytest


def assert_same_prompts_and_answers(samples, expected):
    assert len(samples) == len(expected) == 12
    for sample, other in zip(samples, expected):
        assert sample["input"] == other["input"]
        # lmms-eval strips what Python takes for white space, among it the separator 0x1e, which random weights do write.
        assert [sample["filtered_resps"]] == [answer.strip() for answer in other["filtered_resps"]]
        assert sample["target"] == other["target"]


def test_the_golden_checkpoint_gives_the_same_answers_and_scores(lmms_eval, vqtoken_eval, golden):
    checkpoint = golden / "onevision-hf"
    found = lmms_eval(
        "vqtoken_rs",
        f"pretrained={checkpoint},tokens=32,reducer=vqtoken,precision=f32,frames=16",
        "video_mme_local",
        "shapes_open_local",
    )
    options = ["--model", str(checkpoint), "--reducer", "vqtoken:32", "--precision", "f32", "--frames", "16"]
    for task, ours, key in [("video_mme_local", "videomme", None), ("shapes_open_local", "shapes-open", "exact_match")]:
        samples, results = found[task]
        expected, scores = vqtoken_eval(ours, *options)
        assert_same_prompts_and_answers(samples, expected)
        right = [sample[key] if key else sample["videomme_perception_score"]["score"] for sample in samples]
        assert right == [sample["exact_match"] for sample in expected]
        score = 100 * results["exact_match,none"] if key else results["videomme_perception_score,none"]
        assert score == pytest.approx(accuracy(scores))


def test_the_built_in_model_gives_the_same_answers_and_scores(lmms_eval, vqtoken_eval):
    samples, results = lmms_eval("vqtoken_rs", "tokens=32,precision=f32", "shapes_open_local")["shapes_open_local"]
    expected, scores = vqtoken_eval("shapes-open", "--tokens", "32", "--precision", "f32")
    assert_same_prompts_and_answers(samples, expected)
    assert [sample["exact_match"] for sample in samples] == [sample["exact_match"] for sample in expected]
    # Some are right and some are wrong, so equal scores say something.
    assert 0 < 100 * results["exact_match,none"] < 100
    assert 100 * results["exact_match,none"] == pytest.approx(accuracy(scores))


def test_training_free_reducers_give_the_same_answers(lmms_eval, vqtoken_eval):
    samples, _ = lmms_eval("vqtoken_rs", "reducer=tome:48,frames=8,precision=f32", "shapes_open_local")[
        "shapes_open_local"
    ]
    expected, _ = vqtoken_eval("shapes-open", "--reducer", "tome:48", "--frames", "8", "--precision", "f32")
    assert_same_prompts_and_answers(samples, expected)


def test_the_server_gives_the_same_answers(lmms_eval, vqtoken_eval, golden, benchmark, tmp_path):
    checkpoint = str(golden / "onevision-hf")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "vqtoken", "serve", "--model", checkpoint, "--precision", "f32", "--no-key"]
    command += ["--bind", address, "--media", str(benchmark), "--store", str(tmp_path / "store")]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://{address}/v1/models", server)
        arguments = f"model=vqtoken,base_url=http://{address}/v1,api_key=none,pass_video_url=True,max_frames_num=16"
        samples, _ = lmms_eval("openai", f"{arguments},num_concurrent=2,timeout=600", "video_mme_local")[
            "video_mme_local"
        ]
    finally:
        server.terminate()
        server.wait(30)
    expected, _ = vqtoken_eval("videomme", "--model", checkpoint, "--precision", "f32", "--frames", "16")
    assert_same_prompts_and_answers(samples, expected)


def accuracy(scores):
    """The accuracy in what `vqtoken eval --json` prints, in percent."""
    return scores["accuracy"]


def wait_for(address, server):
    for _ in range(300):
        assert server.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"no answer at {address}")
