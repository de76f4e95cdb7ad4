"""Conversations that go on by the id of an answer: the official library over every provider protocol.

What the gateway keeps, it keeps itself: no provider is asked to store anything, and most have no place for it.
"""

import json

import openai
import pytest

PROVIDERS = ["openai", "responses", "anthropic", "gemini", "bedrock"]
TOOLS = [
    {
        "type": "function",
        "name": name,
        "parameters": {"type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]},
        "strict": False,
    }
    for name, argument in [("get_weather", "city"), ("get_time", "zone")]
]


@pytest.fixture(params=PROVIDERS, ids=lambda provider: f"at_{provider}")
def provider(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def stream(request):
    return request.param


def ask(client, stream, **request):
    """One turn; the last event of a stream has the whole answer in it."""
    answer = client.responses.create(stream=stream, **request)
    if not stream:
        return answer
    responses = [event.response for event in answer if hasattr(event, "response")]
    assert len({response.id for response in responses}) == 1, "a stream has one id"
    return responses[-1]


def texts(items):
    return [part.text for item in items if item.type == "message" for part in item.content]


def test_a_conversation_goes_on_by_the_id_of_its_last_answer(client, provider, stream):
    model = f"echo@{provider}"
    first = ask(client, stream, model=model, input="one")
    second = ask(client, stream, model=model, input="two", previous_response_id=first.id)
    assert (second.output_text, second.previous_response_id) == ("two", first.id)
    items = client.responses.input_items.list(second.id, order="asc", limit=2)
    assert texts(list(items)) == ["one", "one", "two"], "the library turns the pages"
    assert client.responses.retrieve(second.id).output_text == "two"


def test_results_of_tools_go_back_without_the_calls(client, provider, stream):
    first = ask(client, stream, model=f"tools@{provider}", input="weather and time?", tools=TOOLS)
    calls = [item for item in first.output if item.type == "function_call"]
    assert [call.name for call in calls] == ["get_weather", "get_time"]
    assert all(json.loads(call.arguments) for call in calls)
    results = [{"type": "function_call_output", "call_id": call.call_id, "output": "22"} for call in calls]
    # The provider checks that every call is there and answered in its own dialect's form.
    second = ask(
        client,
        stream,
        model=f"echo@{provider}",
        input=[*results, {"role": "user", "content": "thank you"}],
        previous_response_id=first.id,
        tools=TOOLS,
    )
    assert second.output_text == "thank you"


def test_reasoning_goes_back_to_who_made_it(client, provider, stream):
    model = f"reasoning@{provider}"
    first = ask(client, stream, model=model, input="why?", reasoning={"effort": "low"})
    assert any(item.type == "reasoning" for item in first.output)
    second = ask(
        client, stream, model=model, input="and?", reasoning={"effort": "low"}, previous_response_id=first.id
    )
    assert second.output_text
    # Nor does it harm where the conversation moves to another provider.
    for other in PROVIDERS:
        moved = client.responses.create(model=f"echo@{other}", input="here", previous_response_id=second.id)
        assert moved.output_text == "here"


def test_an_answer_that_is_deleted_is_not_found(client):
    kept = client.responses.create(model="echo", input="hi")
    client.responses.delete(kept.id)
    for again in (
        lambda: client.responses.retrieve(kept.id),
        lambda: client.responses.delete(kept.id),
        lambda: client.responses.create(model="echo", input="hi", previous_response_id=kept.id),
    ):
        with pytest.raises(openai.NotFoundError):
            again()


def test_what_is_not_in_the_background_cannot_be_cancelled(client):
    kept = client.responses.create(model="echo", input="hi")
    with pytest.raises(openai.BadRequestError):
        client.responses.cancel(kept.id)
