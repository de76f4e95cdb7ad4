"""Chat completions, whole and streamed, in all the forms that the API has."""

import json

import pytest


def text_of(stream):
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def test_a_whole_answer_has_text_usage_and_a_request_id(client, hello, seen):
    answer = client.chat.completions.create(model="small", messages=hello)
    assert answer.choices[0].message.role == "assistant"
    assert len(answer.choices[0].message.content.split()) == 12
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens == 12
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 12
    seen(answer._request_id)


def test_a_streamed_answer_is_the_same_text(client, hello):
    whole = client.chat.completions.create(model="small", messages=hello)
    stream = client.chat.completions.create(model="small", messages=hello, stream=True)
    chunks = list(stream)
    assert text_of(chunks) == whole.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.choices and chunk.usage is None for chunk in chunks), "nobody asked for usage"


def test_the_helper_for_streams_collects_the_same_message(client, hello):
    with client.chat.completions.stream(model="small", messages=hello) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    assert len(final.choices[0].message.content.split()) == 12


def test_usage_comes_last_in_a_stream_that_asks_for_it(client, hello):
    stream = client.chat.completions.create(
        model="small", messages=hello, stream=True, stream_options={"include_usage": True}
    )
    *others, last = list(stream)
    assert last.choices == [] and last.usage.completion_tokens == 12
    assert all(chunk.usage is None for chunk in others)


def test_a_stream_that_is_left_early_ends_without_an_error(client, hello):
    with client.chat.completions.create(model="slow", messages=hello, stream=True) as stream:
        next(iter(stream))


def test_several_choices_come_whole_and_streamed(client, hello):
    answer = client.chat.completions.create(model="small", messages=hello, n=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert answer.usage.completion_tokens == 36
    texts = ["", "", ""]
    for chunk in client.chat.completions.create(model="small", messages=hello, n=3, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == [choice.message.content for choice in answer.choices]


def test_log_probabilities_come_with_each_token(client, hello):
    answer = client.chat.completions.create(model="small", messages=hello, logprobs=True, top_logprobs=2)
    tokens = answer.choices[0].logprobs.content
    assert "".join(token.token for token in tokens) == answer.choices[0].message.content
    assert len(tokens[0].top_logprobs) == 2
    stream = client.chat.completions.create(model="small", messages=hello, logprobs=True, stream=True)
    streamed = [token.token for chunk in stream for choice in chunk.choices if choice.logprobs for token in choice.logprobs.content]
    assert streamed == [token.token for token in tokens]


def test_a_tool_is_called_and_its_result_is_answered(client, hello, weather_tools):
    request = {"model": "tools", "tools": weather_tools, "parallel_tool_calls": False}
    answer = client.chat.completions.create(messages=hello, **request)
    assert answer.choices[0].finish_reason == "tool_calls"
    (call,) = answer.choices[0].message.tool_calls
    assert call.type == "function" and call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    messages = [*hello, answer.choices[0].message, result]
    final = client.chat.completions.create(messages=messages, **request)
    assert final.choices[0].finish_reason == "stop" and final.choices[0].message.content


@pytest.mark.parametrize("parallel", [True, False])
def test_several_tools_are_called_at_once_unless_that_is_refused(client, hello, weather_tools, parallel):
    answer = client.chat.completions.create(
        model="tools", messages=hello, tools=weather_tools, parallel_tool_calls=parallel
    )
    names = [call.function.name for call in answer.choices[0].message.tool_calls]
    assert names == ["get_weather", "get_time"][: 2 if parallel else 1]


def test_streamed_calls_put_together_are_the_whole_calls(client, hello, weather_tools):
    request = {"model": "tools", "messages": hello, "tools": weather_tools}
    whole = client.chat.completions.create(**request).choices[0].message.tool_calls
    with client.chat.completions.stream(**request) as stream:
        for _ in stream:
            pass
        streamed = stream.get_final_completion().choices[0].message.tool_calls
    expected = [(call.id, call.function.name, call.function.arguments) for call in whole]
    assert [(call.id, call.function.name, call.function.arguments) for call in streamed] == expected


def test_a_named_tool_is_the_one_that_is_called(client, hello, weather_tools):
    choice = {"type": "function", "function": {"name": "get_time"}}
    answer = client.chat.completions.create(
        model="small", messages=hello, tools=weather_tools, tool_choice=choice
    )
    assert [call.function.name for call in answer.choices[0].message.tool_calls] == ["get_time"]


def test_images_and_texts_stand_in_one_message(client):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}
    text = {"type": "text", "text": "what is in this picture?"}
    answer = client.chat.completions.create(model="echo", messages=[{"role": "user", "content": [image, text]}])
    assert answer.choices[0].message.content == "what is in this picture?"
    assert answer.usage.prompt_tokens > 85


def test_an_answer_fits_the_schema_that_was_asked_for(client, hello):
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": schema}}
    answer = client.chat.completions.create(model="small", messages=hello, response_format=wanted)
    person = json.loads(answer.choices[0].message.content)
    assert isinstance(person["name"], str) and isinstance(person["age"], int)


def test_an_answer_is_parsed_into_the_type_that_was_asked_for(client, hello):
    from pydantic import BaseModel

    class Person(BaseModel):
        name: str
        age: int

    answer = client.chat.completions.parse(model="small", messages=hello, response_format=Person)
    assert isinstance(answer.choices[0].message.parsed, Person)


def test_a_short_answer_says_that_it_was_cut(client, hello):
    answer = client.chat.completions.create(model="small", messages=hello, max_completion_tokens=3)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 3


def test_fields_that_only_a_vendor_knows_pass_in_both_directions(client, hello):
    answer = client.chat.completions.create(
        model="reasoning",
        messages=hello,
        extra_body={"x_vendor_option": {"deep": [1, None, "ü"]}},
        extra_headers={"x-vendor-header": "value"},
    )
    assert answer.choices[0].message.model_extra["reasoning_content"]
    stream = client.chat.completions.create(model="reasoning", messages=hello, stream=True)
    reasoning = "".join(
        (choice.delta.model_extra or {}).get("reasoning_content") or "" for chunk in stream for choice in chunk.choices
    )
    assert reasoning == answer.choices[0].message.model_extra["reasoning_content"]


def test_the_plain_answer_shows_its_headers(client, hello, seen):
    raw = client.chat.completions.with_raw_response.create(model="small", messages=hello)
    assert raw.headers["content-type"] == "application/json"
    assert raw.request_id == raw.headers["x-request-id"]
    assert raw.parse().choices
    seen(raw.request_id)
