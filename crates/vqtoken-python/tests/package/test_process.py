"""The package as part of a process: Ctrl-C, threads, forks, the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

import vqtoken


def python(code: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, **options)


# Shells start what runs in the background with Ctrl-C ignored, and children inherit that.
LONG = """
import itertools, signal, sys, warnings
signal.signal(signal.SIGINT, signal.default_int_handler)
import numpy as np
import vqtoken
warnings.simplefilter("ignore")
model = vqtoken.VideoLlm.load()
frame = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
def frames():
    for index in itertools.count():
        yield np.roll(frame, index, axis=1)
try:
    model.encode(frames(), progress=lambda frames, expected: print(frames, flush=True))
except KeyboardInterrupt:
    print("interrupted", flush=True)
    tokens = model.encode(itertools.islice(frames(), 3), tokens=2)
    print("alive", tokens.codes, flush=True)
"""


def test_ctrl_c_ends_long_work_and_the_model_works_on():
    process = subprocess.Popen([sys.executable, "-c", LONG], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    while process.stdout.readline().strip() in ("", "0"):
        pass
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    rest, _ = process.communicate(timeout=60)
    assert "interrupted\nalive 2\n" in rest
    assert time.monotonic() - start < 30
    assert process.returncode == 0


def test_an_interpreter_that_ends_while_work_goes_on_is_left_alone():
    code = LONG.split("try:")[0] + """
def stop(frames, expected):
    raise ValueError("enough")
model.encode(frames(), progress=stop)
"""
    done = python(code)
    assert done.returncode == 1 and done.stderr.endswith("ValueError: enough\n"), done.stderr


def test_threads_are_bounded_and_results_do_not_depend_on_them():
    code = """
import numpy as np, vqtoken
vqtoken.set_threads({threads})
vqtoken.set_threads({threads})
assert vqtoken.threads() == {threads}
tokens = np.random.default_rng(0).normal(size=(8, 9, 9, 32)).astype("float32")
print(vqtoken.quantize(tokens, 12).codebook.tobytes().hex())
try:
    vqtoken.set_threads({threads} + 1)
except vqtoken.Error:
    print("refused")
"""
    one, three = (python(code.format(threads=threads)) for threads in (1, 3))
    assert one.stdout == three.stdout and one.stdout.endswith("refused\n"), one.stderr + three.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_is_told_instead_of_waiting_forever():
    code = """
import os, numpy as np, vqtoken
tokens = np.ones((4, 2), "float32"); tokens[1] = -1
vqtoken.quantize(tokens, 2)
child = os.fork()
if child == 0:
    try:
        vqtoken.quantize(tokens, 2)
    except vqtoken.ForkError as error:
        print(error, flush=True)
        os._exit(3)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = python(code)
    assert "spawn" in done.stdout and done.stdout.endswith("3\n"), done.stdout + done.stderr


def test_the_command_line_is_the_command():
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "vqtoken", *arguments], capture_output=True, text=True)

    assert run("--version").stdout.split() == ["vqtoken", vqtoken.__version__]
    assert "Usage: vqtoken" in run("--help").stdout
    assert run("nothing").returncode == 2
    missing = run("ask", "none.mp4", "What?")
    assert missing.returncode == 1 and "none.mp4" in missing.stderr


def test_the_command_line_obeys_ctrl_c(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "vqtoken", "data", "shapes", "--out", str(tmp_path / "shapes"), "--clips", "100000"],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) != 0
