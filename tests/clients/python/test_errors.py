"""Errors are the library's own typed exceptions, with everything in them that it reads."""

import openai
import pytest


def raised(kind, call, status, seen):
    """The exception of a call, which must be of this very type and status."""
    with pytest.raises(kind) as caught:
        call()
    error = caught.value
    assert type(error) is kind, type(error)
    assert error.status_code == status
    assert error.message and error.body["message"] in error.message
    assert error.type == error.body["type"]
    seen(error.request_id)
    return error


def test_400(client, seen):
    error = raised(openai.BadRequestError, lambda: client.chat.completions.create(model="small", messages=[]), 400, seen)
    assert (error.param, error.type) == ("messages", "invalid_request_error")


def test_400_of_the_provider(client, hello, seen):
    call = lambda: client.chat.completions.create(model="status-400", messages=hello)
    assert raised(openai.BadRequestError, call, 400, seen).type == "invalid_request_error"


def test_401(client, hello, seen):
    wrong = client.with_options(api_key="no-such-key-here")
    error = raised(
        openai.AuthenticationError, lambda: wrong.chat.completions.create(model="small", messages=hello), 401, seen
    )
    assert error.code == "invalid_api_key"
    raised(openai.AuthenticationError, lambda: wrong.models.list(), 401, seen)


def test_403(narrow_client, hello, seen):
    call = lambda: narrow_client.chat.completions.create(model="echo", messages=hello)
    error = raised(openai.PermissionDeniedError, call, 403, seen)
    assert error.param == "model"


def test_404(client, narrow_client, hello, seen):
    error = raised(
        openai.NotFoundError, lambda: client.chat.completions.create(model="nobody", messages=hello), 404, seen
    )
    assert (error.code, error.param) == ("model_not_found", "model")
    raised(openai.NotFoundError, lambda: client.models.retrieve("nobody"), 404, seen)
    raised(openai.NotFoundError, lambda: narrow_client.models.retrieve("echo"), 404, seen)
    raised(openai.NotFoundError, lambda: client.post("/nothing/here", cast_to=object), 404, seen)


def test_413(client, seen):
    long = [{"role": "user", "content": "x" * 70_000}]
    error = raised(
        openai.APIStatusError, lambda: client.chat.completions.create(model="small", messages=long), 413, seen
    )
    assert error.code == "request_too_large"


def test_422(client, hello, seen):
    call = lambda: client.chat.completions.create(model="status-422", messages=hello)
    raised(openai.UnprocessableEntityError, call, 422, seen)


def test_429_of_the_gateway(client, hello, seen):
    call = lambda: client.chat.completions.create(model="once-an-hour", messages=hello)
    call()
    error = raised(openai.RateLimitError, call, 429, seen)
    assert error.code == "too_many_requests" and int(error.response.headers["retry-after"]) > 0


def test_429_of_the_provider(client, hello, seen):
    call = lambda: client.chat.completions.create(model="status-429", messages=hello)
    assert raised(openai.RateLimitError, call, 429, seen).code == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("model", "status"), [("broken", 500), ("status-500", 502), ("status-401", 502), ("status-503", 503)]
)
@pytest.mark.parametrize("stream", [False, True])
def test_5xx(client, hello, seen, model, status, stream):
    call = lambda: client.chat.completions.create(model=model, messages=hello, stream=stream)
    raised(openai.InternalServerError, call, status, seen)


def test_an_error_in_a_stream_is_raised_where_it_happens(client, hello):
    stream = client.chat.completions.create(model="breaks", messages=hello, stream=True)
    text = ""
    with pytest.raises(openai.APIError) as caught:
        for chunk in stream:
            text += chunk.choices[0].delta.content or ""
    assert text, "what came before the error was read"
    assert caught.value.code == "upstream_error" and caught.value.body["request_id"].startswith("req_")


def test_the_library_tries_again_by_itself_and_gets_its_answer(client, hello):
    # The provider refuses the first two requests for this model.
    patient = client.with_options(max_retries=4)
    answer = patient.chat.completions.create(model="busy", messages=hello)
    assert answer.choices[0].message.content
