"""Holds every answer that a library reads against the types that the same library has for it.

The libraries are lenient: what is missing or of a wrong type reaches the caller as it came. So the bytes are taken where
they come from the socket, below the libraries, and every whole answer, every event of every stream and every error is
validated strictly: what is required is there, values are of their type, words are of their set, and there is nothing that
the library does not know, except what stands in `EXTRA`.
"""

import base64
import json
import re
import struct
import warnings
from functools import cache
from typing import Annotated, get_args, get_origin

import botocore.session
import openai.types
import openai.types.chat
import openai.types.responses
from anthropic.types import Message, MessageTokensCount, RawMessageStreamEvent
from anthropic.types.shared import ErrorResponse
from botocore.eventstream import EventStreamBuffer
from google.genai.types import GenerateContentResponse
from pydantic import BaseModel, TypeAdapter, ValidationError

# Members that the gateway or a vendor adds on purpose, by the type in which they stand.
EXTRA = {
    # What models think, in the member that most vendors of the dialect have for it.
    "ChatCompletionMessage": {"reasoning_content"},
    "ChoiceDelta": {"reasoning_content"},
    # The API's own, which these types have not caught up with; the library for Node knows the second.
    "Response": {"store"},
    "ResponseFunctionCallArgumentsDoneEvent": {"name"},
}
# What an error says beyond its dialect: the gateway's own code for it, and the field that is wrong.
EXTRA_OF_ERRORS = {"code", "param"}
# Members that the description of the API requires although the library's types let them be absent.
NEEDED = {
    "ChatCompletion": {"usage"},
    "ChatCompletionMessage": {"content"},
    "Response": {"usage", "status"},
}


@cache
def adapter(kind):
    return TypeAdapter(kind)


@cache
def variants(union):
    """The types of a union of events, by the word in their member `type`."""
    kinds = get_args(get_args(union)[0])
    return {word: kind for kind in kinds for word in get_args(kind.model_fields["type"].annotation)}


def validated(kind, said):
    """What is wrong with `said` as a `kind`."""
    if get_origin(kind) is Annotated:
        named = said.get("type")
        if named not in variants(kind):
            return [f"no event is called `{named}`"]
        kind = variants(kind)[named]
    try:
        # Words beyond a set are a warning in one of the libraries.
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = adapter(kind).validate_json(json.dumps(said), strict=True)
    except (ValidationError, UserWarning) as wrong:
        return [f"{getattr(kind, '__name__', 'event')}: {wrong}"]
    return list(beyond(model, said))


def beyond(model, said):
    """Members that the type does not know, and those that are needed and absent, at any depth."""
    if isinstance(model, BaseModel) and isinstance(said, dict):
        kind = type(model)
        extra = EXTRA_OF_ERRORS if kind.__name__.endswith("ErrorObject") else EXTRA.get(kind.__name__, set())
        for name in sorted(set(model.model_extra or {}) - extra):
            yield f"{kind.__name__} has no member `{name}`"
        for name in sorted(NEEDED.get(kind.__name__, set()) - set(said)):
            # While an answer is being made, nobody knows what it has cost.
            if (kind.__name__, name) != ("Response", "usage") or said["status"] in ("completed", "incomplete"):
                yield f"{kind.__name__} lacks `{name}`"
        for name, field in kind.model_fields.items():
            for spelling in {name, field.alias or name}:
                if spelling in said:
                    yield from beyond(getattr(model, name), said[spelling])
    elif isinstance(model, list) and isinstance(said, list):
        for item, part in zip(model, said):
            yield from beyond(item, part)


# === what is said at each path


def openai_error(said):
    error = said.get("error") if isinstance(said, dict) else None
    # The id helps who reads no headers.
    if not isinstance(error, dict) or set(error) - {"request_id"} != {"message", "type", "param", "code"}:
        return [f"no error object: {said}"]
    texts = [error["message"], error["type"], *(error[name] for name in ("param", "code") if error[name] is not None)]
    return [] if all(isinstance(text, str) and text for text in texts) else [f"a member is no text: {error}"]


def google_error(said):
    if isinstance(said, list):
        [said] = said
    error = said.get("error") or {}
    wrong = not isinstance(error.get("code"), int) or not error.get("message") or not error.get("status")
    return [f"no status object: {said}"] if wrong or not set(error) <= {"code", "message", "status", "details"} else []


def anthropic_error(said):
    return validated(ErrorResponse, said)


def embeddings(said):
    for item in said.get("data", []):
        if isinstance(item.get("embedding"), str):
            packed = base64.b64decode(item["embedding"], validate=True)
            item["embedding"] = list(struct.unpack(f"<{len(packed) // 4}f", packed))
    return validated(openai.types.CreateEmbeddingResponse, said)


def completion_chunk(said):
    # The description of the API has one type for both, in which a choice always has ended.
    for choice in said.get("choices", []):
        choice["finish_reason"] = choice["finish_reason"] or "stop"
    return validated(openai.types.Completion, said)


def models(said):
    if set(said) != {"object", "data"} or said["object"] != "list":
        return [f"no list: {said}"]
    return [problem for model in said["data"] for problem in validated(openai.types.Model, model)]


def of(kind):
    return lambda said: validated(kind, said)


# Path, whole answers, events, errors, and the event after which nothing comes.
KINDS = [
    (
        r"/v1/chat/completions",
        of(openai.types.chat.ChatCompletion),
        of(openai.types.chat.ChatCompletionChunk),
        openai_error,
        {"[DONE]"},
    ),
    (r"/v1/completions", of(openai.types.Completion), completion_chunk, openai_error, {"[DONE]"}),
    (
        r"/v1/responses",
        of(openai.types.responses.Response),
        of(openai.types.responses.ResponseStreamEvent),
        openai_error,
        {"response.completed", "response.incomplete", "response.failed"},
    ),
    (r"/v1/embeddings", embeddings, None, openai_error, None),
    (r"/v1/models", models, None, openai_error, None),
    (r"/v1/models/[^:]+", of(openai.types.Model), None, openai_error, None),
    (r"/v1/messages", of(Message), of(RawMessageStreamEvent), anthropic_error, {"message_stop"}),
    (r"/v1/messages/count_tokens", of(MessageTokensCount), None, anthropic_error, None),
    (
        r"/v1(?:beta)?/models/.+:(?:streamG|g)enerateContent",
        of(GenerateContentResponse),
        of(GenerateContentResponse),
        google_error,
        None,
    ),
]


def examine(path, status, headers, body, complete=True):
    """What is wrong with an answer; `complete` is whether it was read to its end."""
    if converse := re.fullmatch(r"/model/[^/]+/(converse|converse-stream)", path):
        return examine_converse(converse[1], status, headers, body, complete)
    kind = next((kind for kind in KINDS if re.fullmatch(kind[0], path)), None)
    if kind is None or (not complete and not headers.get("content-type", "").startswith("text/event-stream")):
        return []
    _, whole, event, error, last = kind
    if status >= 400:
        return error(json.loads(body))
    if headers.get("content-type", "").startswith("text/event-stream"):
        return list(examine_events(body.decode(), event, error, last if complete else None))
    return whole(json.loads(body))


def examine_events(text, check, check_error, last):
    *events, rest = text.split("\n\n")
    final, failed = None, False
    for event in events:
        fields = [line.partition(": ") for line in event.split("\n")]
        named = next((value for name, _, value in fields if name == "event"), None)
        data = "\n".join(value for name, _, value in fields if name == "data")
        if not data or data == "[DONE]":
            final = data or final
            continue
        said = json.loads(data)
        kind = said.get("type")
        final = kind
        if named is not None and named != kind:
            yield f"the event `{named}` says that it is `{kind}`"
        failed = kind == "error" or "error" in said and kind is None
        if failed and kind is None:
            yield from check_error(said)
        elif kind != "ping":
            yield from check(said)
    if last is not None and (rest or (not failed and final not in last)):
        yield f"the stream ends in {final!r} and {rest!r}"


# === Converse, by the model of the service that the library reads


@cache
def service():
    return botocore.session.get_session().get_service_model("bedrock-runtime")


def examine_converse(operation, status, headers, body, complete):
    streamed = operation == "converse-stream"
    model = service().operation_model("ConverseStream" if streamed else "Converse")
    if status >= 400:
        name = headers.get("x-amzn-errortype", "").partition(":")[0]
        known = {shape.name for shape in model.error_shapes}
        said = json.loads(body)
        text = said.get("message") or said.get("Message")
        return [] if name in known and text else [f"{status} is `{name}`: {said}"]
    if not streamed:
        return list(shaped(model.output_shape, json.loads(body), "Converse"))
    return list(examine_messages(model, body, complete))


def examine_messages(model, body, complete):
    shape, buffer, last = model.get_event_stream_output(), EventStreamBuffer(), None
    buffer.add_data(body)
    for message in buffer:
        headers = message.headers
        last = headers.get(":event-type") or headers.get(":exception-type")
        member = shape.members.get(last)
        if member is None:
            yield f"no event is called `{last}`"
            continue
        yield from shaped(member, json.loads(message.payload), last)
        if headers[":message-type"] == "exception":
            return
    if complete and last != "metadata":
        yield f"the stream ends in {last!r}"


SCALARS = {
    "string": str,
    "blob": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
}


def shaped(shape, said, place):
    """What is wrong with `said` as a `shape` of the service."""
    if getattr(shape, "is_document_type", False):
        return
    if shape.type_name in SCALARS:
        number = isinstance(said, bool) and shape.type_name != "boolean"
        if number or not isinstance(said, SCALARS[shape.type_name]):
            yield f"{place} is no {shape.type_name}: {said!r}"
        elif getattr(shape, "enum", None) and said not in shape.enum:
            yield f"{place} is none of {shape.enum}: {said!r}"
    elif shape.type_name == "list" and isinstance(said, list):
        for at, item in enumerate(said):
            yield from shaped(shape.member, item, f"{place}[{at}]")
    elif shape.type_name == "map" and isinstance(said, dict):
        for name, value in said.items():
            yield from shaped(shape.value, value, f"{place}.{name}")
    elif shape.type_name == "structure" and isinstance(said, dict):
        # The service fills its events up so that their length tells nothing.
        names = set(said) - {"p"}
        for name in sorted(names - set(shape.members)):
            yield f"{place} has no member `{name}`"
        for name in sorted(set(shape.required_members) - names):
            yield f"{place} lacks `{name}`"
        if getattr(shape, "is_tagged_union", False) and len(names) != 1:
            yield f"{place} is one of its members: {sorted(names)}"
        for name in names & set(shape.members):
            yield from shaped(shape.members[name], said[name], f"{place}.{name}")
    else:
        yield f"{place} is no {shape.type_name}: {said!r}"


# === below the libraries


class Watch:
    """Sees what the libraries read, and keeps what is wrong with it."""

    def __init__(self):
        self.problems = []
        self.examined = 0

    def look(self, path, status, headers, body, complete):
        self.examined += 1
        headers = {name.lower(): value for name, value in headers.items()}
        try:
            found = examine(path, status, headers, body, complete)
        except Exception as wrong:  # What cannot even be read is a finding.
            found = [repr(wrong)]
        self.problems += [f"{path} {status}: {problem}\n{body[:2000]!r}" for problem in found]

    def below_httpx(self, httpx):
        """Takes part in every call of a library over this client, `httpx` or its next generation."""
        watch, plain = self, httpx.HTTPTransport.handle_request

        class Tee(httpx.SyncByteStream):
            def __init__(self, stream, tell):
                self.stream, self.tell, self.read, self.ended = stream, tell, [], False

            def __iter__(self):
                for chunk in self.stream:
                    self.read.append(chunk)
                    yield chunk
                self.ended = True

            def close(self):
                self.stream.close()
                tell, self.tell = self.tell, None
                if tell:
                    tell(b"".join(self.read), self.ended)

        def handle(transport, request):
            response = plain(transport, request)
            path, status, headers = request.url.path, response.status_code, dict(response.headers)
            response.stream = Tee(
                response.stream, lambda body, ended: watch.look(path, status, headers, body, ended)
            )
            return response

        httpx.HTTPTransport.handle_request = handle

    def below_botocore(self):
        from botocore.httpsession import URLLib3Session

        watch, plain = self, URLLib3Session.send

        def send(session, request):
            response = plain(session, request)
            path = re.sub(r"^\w+://[^/]+|\?.*$", "", request.url)
            if not request.stream_output:
                watch.look(path, response.status_code, response.headers, response.content, True)
                return response
            pieces = response.raw.stream

            def tee(*arguments, **named):
                read, ended = [], False
                try:
                    for chunk in pieces(*arguments, **named):
                        read.append(chunk)
                        yield chunk
                    ended = True
                finally:
                    watch.look(path, response.status_code, response.headers, b"".join(read), ended)

            response.raw.stream = tee
            return response

        URLLib3Session.send = send
