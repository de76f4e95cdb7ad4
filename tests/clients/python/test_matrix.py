"""Every dialect in, every provider out: the official library of each dialect asks models of each provider.

What the simulated provider says does not depend on the dialect in which it is asked, so each test expects the same of all
pairs. The models are named `KIND@PROVIDER`.
"""

import pytest

from speakers import SPEAKERS, Refused

PROVIDERS = ["openai", "responses", "anthropic", "gemini", "bedrock", "cohere", "ollama"]

STOP = {
    "openai_chat": "stop",
    "openai_responses": "completed",
    "anthropic_messages": "end_turn",
    "google_generate": "STOP",
    "bedrock_converse": "end_turn",
    "bedrock_invoke": "end_turn",
}
CALLS = {
    "openai_chat": "tool_calls",
    "openai_responses": "completed",
    "anthropic_messages": "tool_use",
    "google_generate": "STOP",
    "bedrock_converse": "tool_use",
    "bedrock_invoke": "tool_use",
}
WORDS = "Grüße, \"world\"\n\u2603 and {braces}"


@pytest.fixture(scope="module", params=SPEAKERS, ids=lambda speaker: speaker.name)
def speaker(request):
    return request.param()


@pytest.fixture(params=PROVIDERS, ids=lambda provider: f"at_{provider}")
def provider(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def stream(request):
    return request.param


def test_text_arrives_as_it_was_said_and_the_end_is_told_in_the_callers_words(speaker, provider, stream):
    turn = speaker.ask(f"echo@{provider}", WORDS, stream=stream, system="Say it again.")
    assert turn.text == WORDS
    assert (turn.calls, turn.reasoning) == ([], "")
    assert turn.finish == STOP[speaker.name]


def test_usage_is_the_same_streamed_and_whole(speaker, provider):
    whole = speaker.ask(f"echo@{provider}", WORDS)
    streamed = speaker.ask(f"echo@{provider}", WORDS, stream=True)
    figures = (whole.prompt_tokens, whole.output_tokens)
    assert figures == (streamed.prompt_tokens, streamed.output_tokens)
    assert min(figures) > 0, figures


def test_parallel_tool_calls_arrive_and_their_results_go_back(speaker, provider, stream):
    turn = speaker.ask(f"tools@{provider}", "weather and time?", stream=stream, tools=True)
    assert [name for _, name, _ in turn.calls] == ["get_weather", "get_time"]
    assert [list(arguments) for _, _, arguments in turn.calls] == [["city"], ["zone"]]
    assert turn.finish == CALLS[speaker.name]
    ids = [id for id, _, _ in turn.calls]
    assert len(set(ids)) == 2, ids
    # The provider checks that every call is answered in its own dialect's form.
    following = speaker.answer_calls(f"echo@{provider}", "weather and time?", turn, stream=stream)
    assert following.text == "thank you"


def test_reasoning_is_shown_apart_from_the_text(speaker, provider, stream):
    turn = speaker.ask(f"reasoning@{provider}", "why?", stream=stream)
    assert turn.reasoning and turn.text
    assert turn.reasoning not in turn.text


@pytest.mark.parametrize("status", [400, 429, 503])
def test_a_refusal_of_the_provider_is_one_in_the_callers_dialect(speaker, provider, status):
    with pytest.raises(Refused) as refused:
        speaker.ask(f"status-{status}@{provider}", "hello")
    assert refused.value.status == status, refused.value
    kinds = {
        400: {"BadRequestError", "ClientError", "ValidationException"},
        429: {"RateLimitError", "ClientError", "ThrottlingException"},
        503: {"InternalServerError", "OverloadedError", "ServiceUnavailableError", "ServerError", "ServiceUnavailableException"},
    }
    assert refused.value.kind in kinds[status], refused.value


def test_a_model_that_does_not_exist_is_not_found(speaker):
    with pytest.raises(Refused) as refused:
        speaker.ask("nobody-has-it", "hello")
    assert refused.value.status == 404, refused.value
    assert "nobody-has-it" in refused.value.message
