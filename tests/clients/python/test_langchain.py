"""LangChain's chat models against each provider protocol: calls, streams, a loop of tools, structured answers."""

import warnings

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr

from speakers import TIMEOUT, key, origin
from test_matrix import PROVIDERS, WORDS


def openai(model, **more):
    return ChatOpenAI(
        model=model, base_url=origin() + "/v1", api_key=SecretStr(key()), max_retries=0, timeout=TIMEOUT, **more
    )


MODELS = {
    "openai_chat": lambda model: openai(model, stream_usage=True, use_responses_api=False),
    "openai_responses": lambda model: openai(model, use_responses_api=True, store=False),
    "anthropic": lambda model: ChatAnthropic(
        model_name=model, base_url=origin(), api_key=SecretStr(key()), max_retries=0, timeout=TIMEOUT, stop=None
    ),
    "google": lambda model: ChatGoogleGenerativeAI(
        model=model, base_url=origin(), api_key=SecretStr(key()), max_retries=1, timeout=TIMEOUT, vertexai=False
    ),
}


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


@tool
def get_weather(city: str) -> str:
    """Tells the weather."""
    return f"22 degrees in {city}"


@tool
def get_time(zone: str) -> str:
    """Tells the time."""
    return f"noon in {zone}"


TOOLS = {one.name: one for one in (get_weather, get_time)}


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


@pytest.fixture(params=PROVIDERS, ids=lambda provider: f"at_{provider}")
def provider(request):
    return request.param


def test_langchain_says_the_same_invoked_and_streamed(model, provider):
    chat = model(f"echo@{provider}")
    whole = chat.invoke([("system", "Say it again."), ("human", WORDS)])
    assert whole.text == WORDS
    streamed = None
    for chunk in chat.stream([("system", "Say it again."), ("human", WORDS)]):
        streamed = chunk if streamed is None else streamed + chunk
    assert streamed.text == WORDS
    figures = ["input_tokens", "output_tokens", "total_tokens"]
    assert [streamed.usage_metadata[name] for name in figures] == [whole.usage_metadata[name] for name in figures]
    assert whole.usage_metadata["output_tokens"] > 0


@pytest.mark.parametrize("kind", ["tools", "thinking"])
def test_langchain_runs_tools_until_there_is_an_answer(model, provider, kind):
    chat = model(f"{kind}@{provider}").bind_tools(list(TOOLS.values()))
    said = [HumanMessage("weather and time?")]
    asked = chat.invoke(said)
    assert [call["name"] for call in asked.tool_calls] == list(TOOLS)
    said.append(asked)
    said += [TOOLS[call["name"]].invoke(call) for call in asked.tool_calls]
    assert all(isinstance(message, ToolMessage) for message in said[2:])
    answer = chat.invoke(said)
    assert answer.text and not answer.tool_calls


def test_langchain_answers_have_the_structure_that_was_asked_for(model, provider):
    if model is MODELS["anthropic"] and provider == "ollama":
        pytest.skip("this library asks for a structure by a tool that has to be called, which Ollama cannot demand")
    chat = model(f"echo@{provider}")
    with warnings.catch_warnings():
        # The library's own remarks on types that it has parsed an answer into.
        warnings.simplefilter("ignore")
        person = chat.with_structured_output(Person).invoke("who are you?")
    assert isinstance(person, Person), person
