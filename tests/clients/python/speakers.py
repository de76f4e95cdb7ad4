"""The official library of each dialect behind one small face, so that one test reads the same for all of them.

A speaker asks for one turn and tells what came of it: text, reasoning, tool calls, why it ended, what it consumed. Each
also goes on with a conversation after tool calls, in the form that its own library wants. Nothing but base URL and key is
set. What a library validates, it validates: the types are its own.
"""

import json
import os
from dataclasses import dataclass, field

import anthropic
import boto3
import botocore
import openai
from botocore.config import Config
from google import genai
from google.genai import types

TIMEOUT = 30


@dataclass
class Turn:
    """What a model said."""

    text: str = ""
    reasoning: str = ""
    # (id, name, arguments)
    calls: list = field(default_factory=list)
    finish: str = ""
    prompt_tokens: int = 0
    output_tokens: int = 0
    # The answer in the library's own form, to go on from.
    raw: object = None

    def _with_raw(self, raw):
        self.raw = raw
        return self


@dataclass
class Refused(Exception):
    """The library raised: the name of its class, the status, what it says."""

    kind: str
    status: int
    message: str


def origin():
    return os.environ["GATEWRIGHT_BASE_URL"].removesuffix("/v1")


def key():
    return os.environ["GATEWRIGHT_KEY"]


TOOLS = {
    "get_weather": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "get_time": {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]},
}


class OpenAiChat:
    name = "openai_chat"

    def __init__(self):
        self.client = openai.OpenAI(
            base_url=origin() + "/v1", api_key=key(), max_retries=0, timeout=TIMEOUT
        )

    def ask(self, model, prompt, stream=False, tools=False, system=None):
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": prompt})
        return self._turn(model, messages, stream, tools)

    def answer_calls(self, model, prompt, turn, stream=False):
        calls = [
            {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for id, name, arguments in turn.calls
        ]
        messages = [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": turn.text or None, "tool_calls": calls},
            *({"role": "tool", "tool_call_id": id, "content": "22 degrees"} for id, _, _ in turn.calls),
            {"role": "user", "content": "thank you"},
        ]
        return self._turn(model, messages, stream, True)

    def _turn(self, model, messages, stream, tools):
        more = {}
        if tools:
            more["tools"] = [
                {"type": "function", "function": {"name": name, "parameters": schema}}
                for name, schema in TOOLS.items()
            ]
        if stream:
            more["stream_options"] = {"include_usage": True}
        try:
            answer = self.client.chat.completions.create(
                model=model, messages=messages, stream=stream, max_tokens=500, **more
            )
            return self._streamed(answer) if stream else self._whole(answer)
        except openai.APIStatusError as error:
            raise Refused(type(error).__name__, error.status_code, error.message) from error

    @staticmethod
    def _whole(answer):
        choice = answer.choices[0]
        message = choice.message
        calls = [
            (call.id, call.function.name, json.loads(call.function.arguments or "{}"))
            for call in message.tool_calls or []
        ]
        return Turn(
            text=message.content or "",
            reasoning=getattr(message, "reasoning_content", None) or "",
            calls=calls,
            finish=choice.finish_reason,
            prompt_tokens=answer.usage.prompt_tokens,
            output_tokens=answer.usage.completion_tokens,
        )

    @staticmethod
    def _streamed(chunks):
        turn, calls, ids = Turn(), {}, set()
        for chunk in chunks:
            ids.add(chunk.id)
            if chunk.usage:
                turn.prompt_tokens = chunk.usage.prompt_tokens
                turn.output_tokens = chunk.usage.completion_tokens
            for choice in chunk.choices:
                turn.text += choice.delta.content or ""
                turn.reasoning += getattr(choice.delta, "reasoning_content", None) or ""
                turn.finish = choice.finish_reason or turn.finish
                for call in choice.delta.tool_calls or []:
                    known = calls.setdefault(call.index, ["", "", ""])
                    known[0] = call.id or known[0]
                    known[1] = call.function.name or known[1]
                    known[2] += call.function.arguments or ""
        assert len(ids) == 1, f"one stream has one id: {ids}"
        turn.calls = [(id, name, json.loads(arguments or "{}")) for id, name, arguments in calls.values()]
        return turn


class OpenAiResponses:
    name = "openai_responses"

    def __init__(self):
        self.client = openai.OpenAI(
            base_url=origin() + "/v1", api_key=key(), max_retries=0, timeout=TIMEOUT
        )

    def ask(self, model, prompt, stream=False, tools=False, system=None):
        more = {"instructions": system} if system else {}
        return self._turn(model, prompt, stream, tools, **more)

    def answer_calls(self, model, prompt, turn, stream=False):
        items = [{"role": "user", "content": prompt}]
        items += [item.model_dump(exclude_none=True) for item in turn.raw.output]
        items += [
            {"type": "function_call_output", "call_id": id, "output": "22 degrees"} for id, _, _ in turn.calls
        ]
        items.append({"role": "user", "content": "thank you"})
        return self._turn(model, items, stream, True)

    def _turn(self, model, items, stream, tools, **more):
        if tools:
            more["tools"] = [
                {"type": "function", "name": name, "parameters": schema, "strict": False}
                for name, schema in TOOLS.items()
            ]
        try:
            answer = self.client.responses.create(
                model=model, input=items, stream=stream, max_output_tokens=500, store=False, **more
            )
            return self._streamed(answer) if stream else self._whole(answer)
        except openai.APIStatusError as error:
            raise Refused(type(error).__name__, error.status_code, error.message) from error

    @staticmethod
    def _whole(answer):
        turn = Turn(raw=answer, text=answer.output_text)
        for item in answer.output:
            if item.type == "function_call":
                turn.calls.append((item.call_id, item.name, json.loads(item.arguments or "{}")))
            elif item.type == "reasoning":
                turn.reasoning += "".join(part.text for part in (item.summary or []) + (item.content or []))
        turn.finish = answer.incomplete_details.reason if answer.incomplete_details else answer.status
        turn.prompt_tokens = answer.usage.input_tokens
        turn.output_tokens = answer.usage.output_tokens
        return turn

    @classmethod
    def _streamed(cls, events):
        text, calls, last, number, types_seen = "", {}, None, -1, []
        for event in events:
            types_seen.append(event.type)
            assert event.sequence_number > number, "sequence numbers grow"
            number = event.sequence_number
            if event.type == "response.output_text.delta":
                text += event.delta
            elif event.type == "response.function_call_arguments.delta":
                calls[event.output_index] = calls.get(event.output_index, "") + event.delta
            elif event.type in ("response.completed", "response.incomplete"):
                last = event.response
        assert types_seen[:2] == ["response.created", "response.in_progress"], types_seen[:3]
        assert last is not None, types_seen[-3:]
        turn = cls._whole(last)
        assert turn.text == text, "the deltas are the text"
        whole = [json.loads(arguments or "{}") for arguments in calls.values()]
        assert whole == [arguments for _, _, arguments in turn.calls if arguments] or not calls
        return turn


class Anthropic:
    name = "anthropic_messages"

    def __init__(self):
        self.client = anthropic.Anthropic(base_url=origin(), api_key=key(), max_retries=0, timeout=TIMEOUT)

    def ask(self, model, prompt, stream=False, tools=False, system=None):
        more = {"system": system} if system else {}
        return self._turn(model, [{"role": "user", "content": prompt}], stream, tools, **more)

    def answer_calls(self, model, prompt, turn, stream=False):
        results = [
            {"type": "tool_result", "tool_use_id": id, "content": "22 degrees"} for id, _, _ in turn.calls
        ]
        messages = [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in turn.raw.content]},
            {"role": "user", "content": [*results, {"type": "text", "text": "thank you"}]},
        ]
        return self._turn(model, messages, stream, True)

    def _turn(self, model, messages, stream, tools, **more):
        if tools:
            more["tools"] = [{"name": name, "input_schema": schema} for name, schema in TOOLS.items()]
        arguments = {"model": model, "messages": messages, "max_tokens": 500, **more}
        try:
            if not stream:
                return self._whole(self.client.messages.create(**arguments))
            with self.client.messages.stream(**arguments) as events:
                for _ in events:
                    pass
                return self._whole(events.get_final_message())
        except anthropic.APIStatusError as error:
            raise Refused(type(error).__name__, error.status_code, error.message) from error

    @staticmethod
    def _whole(message):
        turn = Turn(raw=message, finish=message.stop_reason)
        for block in message.content:
            if block.type == "text":
                turn.text += block.text
            elif block.type == "thinking":
                turn.reasoning += block.thinking
            elif block.type == "tool_use":
                turn.calls.append((block.id, block.name, block.input))
        usage = message.usage
        turn.prompt_tokens = (
            (usage.input_tokens or 0)
            + (usage.cache_read_input_tokens or 0)
            + (usage.cache_creation_input_tokens or 0)
        )
        turn.output_tokens = usage.output_tokens
        return turn


class Google:
    name = "google_generate"

    def __init__(self):
        options = types.HttpOptions(
            base_url=origin(), timeout=TIMEOUT * 1000, retry_options=types.HttpRetryOptions(attempts=1)
        )
        self.client = genai.Client(api_key=key(), http_options=options)

    def ask(self, model, prompt, stream=False, tools=False, system=None):
        contents = [types.Content(role="user", parts=[types.Part(text=prompt)])]
        return self._turn(model, contents, stream, tools, system)

    def answer_calls(self, model, prompt, turn, stream=False):
        results = [
            types.Part(function_response=types.FunctionResponse(id=id, name=name, response={"result": "22"}))
            for id, name, _ in turn.calls
        ]
        contents = [
            types.Content(role="user", parts=[types.Part(text=prompt)]),
            turn.raw,
            types.Content(role="user", parts=results),
            types.Content(role="user", parts=[types.Part(text="thank you")]),
        ]
        return self._turn(model, contents, stream, True, None)

    def _turn(self, model, contents, stream, tools, system):
        declared = [
            types.FunctionDeclaration(name=name, description=name, parameters_json_schema=schema)
            for name, schema in TOOLS.items()
        ]
        config = types.GenerateContentConfig(
            max_output_tokens=500,
            system_instruction=system,
            tools=[types.Tool(function_declarations=declared)] if tools else None,
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        )
        arguments = {"model": model, "contents": contents, "config": config}
        try:
            if stream:
                return self._read(self.client.models.generate_content_stream(**arguments))
            return self._read([self.client.models.generate_content(**arguments)])
        except genai.errors.APIError as error:
            raise Refused(type(error).__name__, error.code, error.message or "") from error

    @staticmethod
    def _read(chunks):
        turn, parts = Turn(), []
        for chunk in chunks:
            for candidate in (chunk.candidates or [])[:1]:
                if candidate.finish_reason:
                    turn.finish = candidate.finish_reason.value
                for part in (candidate.content.parts if candidate.content else None) or []:
                    parts.append(part)
                    if part.function_call:
                        call = part.function_call
                        turn.calls.append((call.id, call.name, call.args or {}))
                    elif part.thought:
                        turn.reasoning += part.text or ""
                    else:
                        turn.text += part.text or ""
            if chunk.usage_metadata:
                usage = chunk.usage_metadata
                turn.prompt_tokens = usage.prompt_token_count or 0
                turn.output_tokens = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
        turn.raw = types.Content(role="model", parts=parts)
        return turn


class Bedrock:
    name = "bedrock_converse"

    def __init__(self):
        # The library sends its API key over TLS only, and the gateway of this suite has none: the header is set for it.
        self.client = boto3.client(
            "bedrock-runtime",
            endpoint_url=origin(),
            region_name="eu-central-1",
            config=Config(
                retries={"total_max_attempts": 1}, read_timeout=TIMEOUT, signature_version=botocore.UNSIGNED
            ),
        )
        bearer = f"Bearer {key()}"
        self.client.meta.events.register(
            "before-sign.bedrock-runtime",
            lambda request, **_: request.headers.add_header("Authorization", bearer),
        )

    def ask(self, model, prompt, stream=False, tools=False, system=None):
        more = {"system": [{"text": system}]} if system else {}
        return self._turn(model, [{"role": "user", "content": [{"text": prompt}]}], stream, tools, **more)

    def answer_calls(self, model, prompt, turn, stream=False):
        results = [
            {"toolResult": {"toolUseId": id, "content": [{"text": "22 degrees"}]}} for id, _, _ in turn.calls
        ]
        messages = [
            {"role": "user", "content": [{"text": prompt}]},
            {"role": "assistant", "content": turn.raw},
            {"role": "user", "content": [*results, {"text": "thank you"}]},
        ]
        return self._turn(model, messages, stream, True)

    def _turn(self, model, messages, stream, tools, **more):
        if tools:
            specs = [
                {"toolSpec": {"name": name, "inputSchema": {"json": schema}}} for name, schema in TOOLS.items()
            ]
            more["toolConfig"] = {"tools": specs}
        arguments = {
            "modelId": model,
            "messages": messages,
            "inferenceConfig": {"maxTokens": 500},
            **more,
        }
        try:
            if stream:
                return self._streamed(self.client.converse_stream(**arguments)["stream"])
            return self._whole(self.client.converse(**arguments))
        except self.client.exceptions.ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            said = error.response["Error"]
            raise Refused(said["Code"], status, said["Message"]) from error

    @staticmethod
    def _whole(answer):
        turn = Turn(raw=answer["output"]["message"]["content"], finish=answer["stopReason"])
        for block in turn.raw:
            turn.text += block.get("text", "")
            if "toolUse" in block:
                use = block["toolUse"]
                turn.calls.append((use["toolUseId"], use["name"], use["input"]))
            if "reasoningContent" in block:
                turn.reasoning += block["reasoningContent"].get("reasoningText", {}).get("text", "")
        usage = answer["usage"]
        turn.prompt_tokens = (
            usage["inputTokens"] + usage.get("cacheReadInputTokens", 0) + usage.get("cacheWriteInputTokens", 0)
        )
        turn.output_tokens = usage["outputTokens"]
        return turn

    @classmethod
    def _streamed(cls, events):
        blocks, finish, usage = {}, "", {}
        for event in events:
            if "contentBlockStart" in event:
                start = event["contentBlockStart"]
                blocks[start["contentBlockIndex"]] = {"toolUse": {**start["start"]["toolUse"], "input": ""}}
            elif "contentBlockDelta" in event:
                at, delta = event["contentBlockDelta"]["contentBlockIndex"], event["contentBlockDelta"]["delta"]
                if "text" in delta:
                    block = blocks.setdefault(at, {"text": ""})
                    block["text"] += delta["text"]
                elif "toolUse" in delta:
                    blocks[at]["toolUse"]["input"] += delta["toolUse"]["input"]
                elif "reasoningContent" in delta:
                    block = blocks.setdefault(at, {"reasoningContent": {"reasoningText": {"text": ""}}})
                    reasoning, piece = block["reasoningContent"]["reasoningText"], delta["reasoningContent"]
                    reasoning["text"] += piece.get("text", "")
                    if "signature" in piece:
                        reasoning["signature"] = piece["signature"]
            elif "messageStop" in event:
                finish = event["messageStop"]["stopReason"]
            elif "metadata" in event:
                usage = event["metadata"]["usage"]
        for block in blocks.values():
            if "toolUse" in block:
                block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")
        content = [blocks[at] for at in sorted(blocks)]
        return cls._whole({"output": {"message": {"content": content}}, "stopReason": finish, "usage": usage})


class BedrockInvoke(Bedrock):
    """The Messages dialect in the envelope of InvokeModel: the library hands out bytes, which are the callers' to read."""

    name = "bedrock_invoke"

    def ask(self, model, prompt, stream=False, tools=False, system=None):
        more = {"system": system} if system else {}
        return self._invoke(model, [{"role": "user", "content": prompt}], stream, tools, **more)

    def answer_calls(self, model, prompt, turn, stream=False):
        results = [
            {"type": "tool_result", "tool_use_id": id, "content": "22 degrees"} for id, _, _ in turn.calls
        ]
        messages = [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": turn.raw},
            {"role": "user", "content": [*results, {"type": "text", "text": "thank you"}]},
        ]
        return self._invoke(model, messages, stream, True)

    def _invoke(self, model, messages, stream, tools, **more):
        if tools:
            more["tools"] = [{"name": name, "input_schema": schema} for name, schema in TOOLS.items()]
        body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 500, "messages": messages, **more}
        arguments = {"modelId": model, "body": json.dumps(body)}
        try:
            if not stream:
                return self._message(json.load(self.client.invoke_model(**arguments)["body"]))
            answer = self.client.invoke_model_with_response_stream(**arguments)
            return self._events(json.loads(event["chunk"]["bytes"]) for event in answer["body"])
        except self.client.exceptions.ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            said = error.response["Error"]
            raise Refused(said["Code"], status, said["Message"]) from error

    @staticmethod
    def _message(message):
        # The types of the dialect's own library check the shape.
        return Anthropic._whole(anthropic.types.Message.model_validate(message))._with_raw(message["content"])

    @classmethod
    def _events(cls, events):
        message, arguments, last = None, {}, None
        for event in events:
            last = event
            if event["type"] == "message_start":
                message = {**event["message"], "content": []}
            elif event["type"] == "content_block_start":
                assert event["index"] == len(message["content"])
                message["content"].append(event["content_block"])
            elif event["type"] == "content_block_delta":
                delta, block = event["delta"], message["content"][event["index"]]
                for key in ("text", "thinking", "signature"):
                    if key in delta:
                        block[key] = block.get(key, "") + delta[key]
                if "partial_json" in delta:
                    arguments[event["index"]] = arguments.get(event["index"], "") + delta["partial_json"]
            elif event["type"] == "message_delta":
                message.update(event["delta"])
                message["usage"].update(event["usage"])
        assert last["type"] == "message_stop", last
        for index, text in arguments.items():
            message["content"][index]["input"] = json.loads(text or "{}")
        turn = cls._message(message)
        figures = last["amazon-bedrock-invocationMetrics"]
        assert figures["outputTokenCount"] == turn.output_tokens, (figures, turn)
        return turn


SPEAKERS = [OpenAiChat, OpenAiResponses, Anthropic, Google, Bedrock, BedrockInvoke]

__all__ = ["Refused", "SPEAKERS", "Turn"]
