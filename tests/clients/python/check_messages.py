"""Holds what the simulated provider says by the Messages API against the typed models of the official library.

    GATEWRIGHT_SIMULATOR=target/debug/gatewright-simulator python tests/clients/python/check_messages.py

or, against one that runs already: `python check_messages.py http://127.0.0.1:PORT`. Every event of every stream and
every whole answer has to be one of the library's models, strictly: nothing that the library does not know, and nothing
of a wrong type. It prints what it has checked and ends with status 1 at the first that differs.
"""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request

import anthropic
from anthropic.types import Message, MessageTokensCount, RawMessageStreamEvent
from anthropic.types.shared import ErrorResponse
from pydantic import TypeAdapter

EVENT = TypeAdapter(RawMessageStreamEvent)
HEADERS = {"x-api-key": "any", "anthropic-version": "2023-06-01"}
TOOLS = [
    {
        "name": name,
        "description": "looks",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
    for name in ["weather", "time"]
]
MODELS = [
    "sim?text=one+two&cached=3",
    "sim?reasoning=1",
    "sim?tools=2",
    "sim?tools=2&reasoning=1",
    "sim?tokens=200",
    "sim?tokens=0",
]


def body(model, **members):
    asked = {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}], "tools": TOOLS}
    return {**asked, **members}


def post(url, path, said):
    """Status and text of an answer."""
    headers = {**HEADERS, "content-type": "application/json"}
    request = urllib.request.Request(url + path, json.dumps(said).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def unknown(model, said):
    """The members that the library does not know, at any depth."""
    found = []
    if hasattr(model, "model_extra"):
        found += list(model.model_extra or {})
        for name in type(model).model_fields:
            if isinstance(said, dict) and name in said:
                found += unknown(getattr(model, name), said[name])
    elif isinstance(model, list):
        for item, part in zip(model, said):
            found += unknown(item, part)
    return found


def same(adapter, said):
    model = adapter.validate_python(said)
    extra = unknown(model, said)
    assert not extra, f"{extra} are not known to the library: {said}"
    return model


def events(text):
    for event in filter(None, text.split("\n\n")):
        name, data = re.fullmatch(r"event: (\w+)\ndata: (.*)", event).groups()
        said = json.loads(data)
        assert said["type"] == name, event
        yield said


def check(url):
    checked = 0
    for model in MODELS:
        status, whole = post(url, "/v1/messages", body(model))
        assert status == 200, whole
        message = same(TypeAdapter(Message), json.loads(whole))
        _, streamed = post(url, "/v1/messages", body(model, stream=True))
        for said in events(streamed):
            if said["type"] != "ping":
                same(EVENT, said)
            checked += 1
        # The library puts the stream together as it would for anybody.
        client = anthropic.Anthropic(base_url=url, api_key="any", max_retries=0)
        with client.messages.stream(**body(model)) as stream:
            final = stream.get_final_message()
        assert [block.type for block in final.content] == [block.type for block in message.content], model
        assert final.stop_reason == message.stop_reason, model
        assert final.usage.output_tokens == message.usage.output_tokens, model
        assert final.usage.cache_read_input_tokens == message.usage.cache_read_input_tokens, model
        checked += 2
    _, counted = post(url, "/v1/messages/count_tokens", body("sim"))
    same(TypeAdapter(MessageTokensCount), json.loads(counted))
    for wanted in [400, 401, 402, 403, 404, 429, 500, 503, 529]:
        status, refused = post(url, "/v1/messages", body(f"sim?status={wanted}"))
        assert status == wanted
        same(TypeAdapter(ErrorResponse), json.loads(refused))
        checked += 1
    return checked


def main():
    if len(sys.argv) > 1:
        print("checked", check(sys.argv[1]))
        return
    command = [os.environ["GATEWRIGHT_SIMULATOR"], "--listen", "127.0.0.1:0", "--rate", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as simulator:
        try:
            line = simulator.stdout.readline()
            print("checked", check("http://" + re.search(r"127\.0\.0\.1:\d+", line).group()))
        finally:
            simulator.terminate()


if __name__ == "__main__":
    main()
