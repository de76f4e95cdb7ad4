"""That what is wrong with an answer is found, wherever it is: a check that nothing fails proves nothing."""

import copy
import json

import pytest

from conformity import examine

JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream"}

CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "logprobs": None,
            "message": {"role": "assistant", "content": "hi", "refusal": None},
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
CHUNK = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": None, "delta": {"role": "assistant", "content": ""}}],
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "hi", "citations": None}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
GOOGLE = {"candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]}, "finishReason": "STOP", "index": 0}]}
CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
    "metrics": {"latencyMs": 1},
}
ERROR = {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": None}}
WHOLE = {
    "/v1/chat/completions": CHAT,
    "/v1/messages": MESSAGE,
    "/v1beta/models/m:generateContent": GOOGLE,
    "/model/m/converse": CONVERSE,
}


def whole(path, said, status=200):
    return examine(path, status, JSON, json.dumps(said).encode())


def streamed(*events):
    return examine("/v1/chat/completions", 200, EVENTS, "".join(f"data: {event}\n\n" for event in events).encode())


def changed(said, place, value):
    """`said` with another value at a place; `...` takes it away."""
    said = copy.deepcopy(said)
    *way, last = place
    at = said
    for step in way:
        at = at[step]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return said


@pytest.mark.parametrize("path", WHOLE)
def test_what_is_right_passes(path):
    assert whole(path, WHOLE[path]) == []


@pytest.mark.parametrize(
    ("path", "place", "value"),
    [
        ("/v1/chat/completions", ["id"], ...),
        ("/v1/chat/completions", ["usage"], ...),
        ("/v1/chat/completions", ["created"], "1"),
        ("/v1/chat/completions", ["choices", 0, "finish_reason"], "end_turn"),
        ("/v1/chat/completions", ["choices", 0, "message", "content"], ...),
        ("/v1/chat/completions", ["choices", 0, "message", "thinking"], "hm"),
        ("/v1/messages", ["stop_reason"], "stop"),
        ("/v1/messages", ["content", 0, "index"], 0),
        ("/v1/messages", ["usage", "output_tokens"], None),
        ("/v1beta/models/m:generateContent", ["candidates", 0, "finishReason"], "end_turn"),
        ("/v1beta/models/m:generateContent", ["candidates", 0, "content", "name"], "x"),
        ("/model/m/converse", ["metrics"], ...),
        ("/model/m/converse", ["stopReason"], "stop"),
        ("/model/m/converse", ["output", "message", "content", 0, "toolUse"], {}),
        ("/model/m/converse", ["usage", "inputTokens"], "1"),
    ],
)
def test_what_is_wrong_is_found(path, place, value):
    assert whole(path, changed(WHOLE[path], place, value))


def test_an_error_has_all_of_its_members():
    assert whole("/v1/chat/completions", ERROR, 400) == []
    assert whole("/v1/chat/completions", changed(ERROR, ["error", "param"], ...), 400)
    assert whole("/v1/messages", ERROR, 400)


def test_a_stream_is_chunks_and_its_terminator():
    chunk = json.dumps(CHUNK)
    assert streamed(chunk, "[DONE]") == []
    assert streamed(json.dumps(ERROR)) == [], "after an error there is none"
    assert streamed(chunk), "the terminator is missing"
    assert streamed(json.dumps(changed(CHUNK, ["object"], "chat.completion")), "[DONE]")
