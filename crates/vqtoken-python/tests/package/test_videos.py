"""Videos to video tokens to answers, as the command line does it."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import vqtoken

QUESTION = "Which way does the red circle move?"


def command(*arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "vqtoken", *map(str, arguments)], check=True, capture_output=True, text=True
    )
    return done.stdout


def frames_of(clip: Path, count: int) -> np.ndarray:
    """Frames `[count, H, W, 3]` as ffmpeg decodes them: the first ones, in order."""
    probe = ["ffprobe", "-v", "error", "-show_entries", "stream=width,height", "-of", "csv=p=0", str(clip)]
    size = subprocess.run(probe, check=True, capture_output=True, text=True).stdout
    width, height = map(int, size.split(","))
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(clip), "-frames:v", str(count), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        check=True,
        capture_output=True,
    ).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def test_tokens_are_those_of_the_command_line(clip, video_tokens, tmp_path):
    command("encode", clip, "-o", tmp_path / "clip.vqt", "--frames", 8, "--tokens", 16)
    assert video_tokens.to_bytes() == (tmp_path / "clip.vqt").read_bytes()


def test_answers_are_those_of_the_command_line(clip, model, video_tokens):
    expected = json.loads(command("--json", "ask", clip, QUESTION))["answers"][0]["answer"]
    assert model.ask(clip, QUESTION) == expected
    assert "".join(model.ask_stream(clip, QUESTION)) == expected
    stream = model.ask_stream(clip, QUESTION)
    assert next(stream) + stream.text() == expected
    assert stream.prompt_tokens > 32 and stream.generated_tokens > 0
    questions = ["What moves?", QUESTION]
    assert model.ask(clip, questions)[1] == expected
    assert model.ask(video_tokens, QUESTION) == model.ask(video_tokens, [QUESTION])[0]


def test_tokens_describe_themselves(clip, video_tokens, model):
    assert video_tokens.shape == (8, model.grid_side, model.grid_side)
    assert video_tokens.codes == 16 == len(video_tokens.codebook)
    assert video_tokens.codebook.shape == (16, model.features)
    assert video_tokens.index_map.shape == video_tokens.shape
    assert video_tokens.timestamps.shape == (8,) and video_tokens.timestamps[0] == 0
    assert video_tokens.model == model.id
    assert video_tokens.source["name"] == clip.name
    assert video_tokens.budget == "16" and video_tokens.quality == "bf16"
    assert video_tokens.warnings == []
    assert "16 codes" in repr(video_tokens)


def test_tokens_survive_a_file_and_pickle(video_tokens, tmp_path):
    path = tmp_path / "clip.vqt"
    video_tokens.save(path)
    read = vqtoken.VideoTokens.load(path)
    np.testing.assert_array_equal(read.index_map, video_tokens.index_map)
    np.testing.assert_allclose(read.codebook, video_tokens.codebook, rtol=1e-2)
    assert vqtoken.VideoTokens.from_bytes(path.read_bytes()) == read
    again = pickle.loads(pickle.dumps(video_tokens))
    assert again == video_tokens and again.to_bytes() == video_tokens.to_bytes()
    sizes = [len(video_tokens.to_bytes(quality=quality)) for quality in ("exact", "bf16", "int8")]
    assert sizes == sorted(sizes, reverse=True)


def test_pictures_are_png(video_tokens):
    assert video_tokens._repr_png_().startswith(b"\x89PNG")
    frames = np.zeros((8, 48, 64, 3), np.uint8)
    assert video_tokens.picture(frames, width=800).startswith(b"\x89PNG")
    with pytest.raises(vqtoken.TokensError, match="frames"):
        video_tokens.picture(frames[:3])


def test_frames_give_the_same_tokens_however_they_come(model, clip):
    frames = frames_of(clip, 6)
    times = [index / 8 for index in range(6)]
    array = model.encode(frames, timestamps=times, tokens=8)
    generator = model.encode((frame for frame in frames), fps=8, tokens=8)
    listed = model.encode(list(frames), timestamps=times, tokens=8)
    assert array == generator == listed
    assert list(array.timestamps) == times
    assert list(model.encode(frames, tokens=8).timestamps) == [0, 1, 2, 3, 4, 5]
    sampled = model.encode(frames, frames=3, tokens=8)
    assert list(sampled.timestamps) == [0, 2, 5]
    assert sampled == model.encode(frames[[0, 2, 5]], timestamps=[0, 2, 5], tokens=8)


def test_a_token_grid_is_what_the_quantizer_sees(model, clip, video_tokens):
    grid = model.token_grid(clip, frames=8)
    assert grid.shape == (*video_tokens.shape, model.features)
    quantization = vqtoken.quantize(grid, 16)
    visual = model.attend(quantization.codebook, quantization.index_map)
    assert visual.shape == (16, model.features)
    assert model.ask(clip, QUESTION, frames=8, reducer="tome:16")


def prompt_tokens(model, clip, reducer: str) -> int:
    return model.ask_stream(clip, QUESTION, frames=8, reducer=reducer).prompt_tokens


def test_a_reducer_may_reduce_the_pooled_grid(model, clip):
    """`ask` gives the answers of the reducer called by hand on the pooled grid."""
    without = model.ask_stream(None, QUESTION).prompt_tokens
    pooled = vqtoken.pool(model.token_grid(clip, frames=8))
    left = len(vqtoken.reduce(pooled, "evs:q=0.5").tokens)
    # What is read in place of a video: its tokens and the image_newline, and the line that has the placeholder.
    around = prompt_tokens(model, clip, "tome:3") - 3 - without
    for suffix in ("", "@renumbered"):
        assert prompt_tokens(model, clip, f"pooled+evs:q=0.5{suffix}") == without + around + left
        assert prompt_tokens(model, clip, f"pooled+tome:5{suffix}") == without + around + 5
        assert model.ask(clip, QUESTION, frames=8, reducer=f"pooled+tome:5{suffix}")
    # The pooled grid has fewer tokens than this budget, the whole one has more.
    count = 2 * pooled.shape[0] * pooled.shape[1] * pooled.shape[2]
    assert prompt_tokens(model, clip, f"uniform:{count}") == without + around + count
    with pytest.raises(vqtoken.ReduceError, match=str(count // 2)):
        model.ask(clip, QUESTION, frames=8, reducer=f"pooled+uniform:{count}")


@pytest.mark.parametrize(
    ("reducer", "message"),
    [
        ("pooled+magic:3", "not a reducer"),
        ("pooled+pooled", "not a reducer"),
        ("pooled+", "not a reducer"),
        ("pooled+vqtoken", "write vqtoken"),
        ("pooled+vqtoken:3", "write vqtoken:3"),
        ("pooled@renumbered", "write pooled"),
        ("vqtoken:3@renumbered", "write vqtoken:3"),
        ("vqtoken@renumbered", "write vqtoken"),
    ],
)
def test_a_reading_that_is_none_is_refused(model, clip, reducer, message):
    with pytest.raises(vqtoken.ReduceError, match=message):
        model.ask(clip, QUESTION, reducer=reducer)


def test_progress_is_told(model, clip):
    told: list[tuple[int, int | None]] = []
    model.encode(clip, frames=6, tokens=8, progress=lambda *steps: told.append(steps))
    assert told[-1] == (6, 6) or told[-1][0] <= 6
    assert [frames for frames, _ in told] == sorted(frames for frames, _ in told)


def test_an_exception_of_progress_comes_out(model, clip):
    def progress(frames: int, expected: int | None) -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        model.encode(clip, frames=6, tokens=8, progress=progress)


def test_an_exception_of_a_generator_comes_out(model):
    def frames():
        yield np.zeros((48, 64, 3), np.uint8)
        raise KeyError("camera")

    with pytest.raises(KeyError, match="camera"):
        model.encode(frames(), tokens=8)


@pytest.mark.parametrize(
    ("video", "message"),
    [
        (np.zeros((2, 48, 64), np.uint8), r"\[T, H, W, 3\]"),
        (np.zeros((2, 48, 64, 4), np.uint8), r"\[T, H, W, 3\]"),
        (np.zeros((2, 48, 64, 3), np.float32), "uint8"),
        (np.zeros((2, 48, 64, 3), np.uint8)[..., ::-1], "contiguous"),
        ([np.zeros((48, 64), np.uint8)], r"\[H, W, 3\]"),
        (["frame.png"], "str"),
        (b"bytes", "bytes"),
        (7, "int"),
    ],
)
def test_what_is_not_a_video_is_refused(model, video, message):
    with pytest.raises(vqtoken.ArrayError, match=message):
        model.encode(video)


def test_paths_that_are_not_videos_are_refused(model, tmp_path):
    for path in (tmp_path / "none.mp4", tmp_path, Path(__file__)):
        with pytest.raises(vqtoken.VideoError):
            model.encode(path)
    with pytest.raises(vqtoken.TokensError):
        vqtoken.VideoTokens.load(__file__)
    with pytest.raises(vqtoken.TokensError):
        vqtoken.VideoTokens.from_bytes(b"")
    with pytest.raises(vqtoken.ModelError):
        vqtoken.VideoLlm.load(tmp_path / "none")


def test_no_frames_are_refused(model):
    with pytest.raises(vqtoken.Error):
        model.encode(iter([]))
    with pytest.raises(vqtoken.Error):
        model.encode(np.zeros((0, 48, 64, 3), np.uint8))


def test_options_that_have_no_effect_are_refused(model, clip, video_tokens):
    frames = np.zeros((2, 48, 64, 3), np.uint8)
    for call in (
        lambda: model.encode(clip, frames=3, fps=2),
        lambda: model.encode(clip, timestamps=[0, 1]),
        lambda: model.encode(iter(frames), frames=1),
        lambda: model.encode(frames, timestamps=[0]),
        lambda: model.encode(frames, timestamps=[0, 1, 2]),
        lambda: model.encode(frames, timestamps=[1, 0]),
        lambda: model.encode(frames, timestamps=[0, float("nan")]),
        lambda: model.encode(clip, total=3),
        lambda: model.encode(clip, near_repeats=-1),
        lambda: model.ask(video_tokens, QUESTION, tokens=3),
        lambda: model.ask(video_tokens, QUESTION, frames=3),
        lambda: model.ask(clip, QUESTION, reducer="tome:3", tokens=3),
        lambda: model.ask(clip, QUESTION, temperature=-1),
        lambda: model.ask(clip, ""),
    ):
        with pytest.raises(vqtoken.Error):
            call()


def test_tokens_of_another_model_are_refused(video_tokens, model):
    data = bytearray(video_tokens.to_bytes())
    name = model.id.encode()
    at = data.index(name)
    data[at : at + len(name)] = name[:-1] + (b"0" if name[-1:] != b"0" else b"1")
    try:
        other = vqtoken.VideoTokens.from_bytes(bytes(data))
    except vqtoken.TokensError:
        return  # A checksum covers the name.
    with pytest.raises(vqtoken.ModelError):
        model.ask(other, QUESTION)


def test_the_built_in_model_says_that_it_is_a_demonstration():
    with pytest.warns(vqtoken.VqtokenWarning, match="demonstration"):
        vqtoken.VideoLlm.load()


def test_damage_is_told(model, clip, tmp_path):
    broken = tmp_path / "broken.mp4"
    data = bytearray(clip.read_bytes())
    samples = data.index(b"mdat")
    middle = samples + (len(data) - samples) // 3
    data[middle : middle + 400] = bytes(range(200)) * 2
    broken.write_bytes(data)
    with pytest.warns(vqtoken.VqtokenWarning):
        tokens = model.encode(broken, frames=16, tokens=4)
    assert tokens.warnings
