"""The `openai` package from PyPI, unmodified, against a server: arguments are its address and the path of a video."""

import base64
import sys

import openai

url, video = sys.argv[1:]
client = openai.OpenAI(base_url=f"{url}/v1", api_key="key", max_retries=0)
with open(video, "rb") as file:
    data = base64.b64encode(file.read()).decode()

model = client.models.list().data[0].id
assert client.models.list().data[0].object == "model"

messages = [
    {"role": "system", "content": "Answer in a word."},
    {
        "role": "user",
        "content": [
            {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{data}"}},
            {"type": "text", "text": "Which way does the red circle move?"},
        ],
    },
]
answer = client.chat.completions.create(model=model, messages=messages, max_tokens=16, extra_body={"num_frames": 16})
text = answer.choices[0].message.content
assert text and answer.choices[0].finish_reason in ("stop", "length")
assert answer.usage.prompt_tokens + answer.usage.completion_tokens == answer.usage.total_tokens
assert answer.usage.prompt_tokens_details.cached_tokens == 0
assert answer.usage.prompt_tokens_details.video_tokens == 32
stored = answer.vqtoken["video"]

# The same in pieces, about the stored video.
messages[1]["content"][0]["video_url"]["url"] = f"vqt:{stored}"
stream = client.chat.completions.create(
    model=model, messages=messages, max_completion_tokens=16, stream=True, stream_options={"include_usage": True}
)
pieces, usage = [], None
for chunk in stream:
    pieces += [choice.delta.content or "" for choice in chunk.choices]
    usage = chunk.usage or usage
assert "".join(pieces) == text, (pieces, text)
assert usage.completion_tokens == answer.usage.completion_tokens
assert usage.prompt_tokens_details.cached_tokens > 0

# A stream that has to wait for the video.
messages[1]["content"][0]["video_url"]["url"] = f"data:video/mp4;base64,{data}"
stream = client.chat.completions.create(
    model=model, messages=messages, max_tokens=16, stream=True, extra_body={"num_frames": 12}
)
assert "".join(chunk.choices[0].delta.content or "" for chunk in stream)

# Log-probabilities, and a follow-up question.
messages[1]["content"][0]["video_url"]["url"] = f"vqt:{stored}"
messages += [{"role": "assistant", "content": text}, {"role": "user", "content": "Are you sure?"}]
answer = client.chat.completions.create(
    model=model, messages=messages, max_tokens=4, logprobs=True, top_logprobs=2, temperature=1.0, seed=3, stop=["."]
)
scores = answer.choices[0].logprobs.content
assert len(scores) == answer.usage.completion_tokens and all(len(score.top_logprobs) == 2 for score in scores)

# Errors are the package's own.
for wrong, error in [
    ({"n": 2}, openai.BadRequestError),
    ({"model": "gpt-4o"}, openai.NotFoundError),
    ({"temperature": 9}, openai.BadRequestError),
]:
    try:
        client.chat.completions.create(**({"model": model, "messages": messages} | wrong))
        raise AssertionError(f"{wrong} was not refused")
    except error as refused:
        assert refused.param == next(iter(wrong)), refused
try:
    openai.OpenAI(base_url=f"{url}/v1", api_key="wrong", max_retries=0).models.list()
    raise AssertionError("a wrong key was not refused")
except openai.AuthenticationError as refused:
    assert refused.code == "invalid_api_key"
print("ok")
