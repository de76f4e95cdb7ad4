"""What the tests share: a client of which only the base URL and the key are set, and the ids of what was asked."""

import os

import httpx2
import openai
import pytest

from conformity import Watch

WATCH = Watch()
WATCH.below_httpx(httpx2)
WATCH.below_botocore()


def pytest_configure(config):
    """Every id of an exchange goes into this file, where the scenario that started us looks for it in the log."""
    config.ids_file = os.environ.get("GATEWRIGHT_IDS")


@pytest.fixture(autouse=True)
def every_answer_conforms():
    """Whatever a test is about, all that the libraries read in it is of the types that they have for it."""
    WATCH.problems.clear()
    yield
    assert not WATCH.problems, "\n\n".join(WATCH.problems[:5])


@pytest.fixture
def client():
    with openai.OpenAI(
        base_url=os.environ["GATEWRIGHT_BASE_URL"],
        api_key=os.environ["GATEWRIGHT_KEY"],
        max_retries=0,
        timeout=20,
    ) as client:
        yield client


@pytest.fixture
def narrow_client(client):
    """A caller who may use the model `small` only."""
    return client.with_options(api_key=os.environ["GATEWRIGHT_NARROW_KEY"])


@pytest.fixture
def seen(request):
    """Notes the id of an exchange."""

    def note(exchange_id):
        assert exchange_id and exchange_id.startswith("req_"), exchange_id
        if request.config.ids_file:
            with open(request.config.ids_file, "a", encoding="utf-8") as ids:
                ids.write(exchange_id + "\n")

    return note


@pytest.fixture
def hello():
    return [{"role": "user", "content": "hello there"}]


@pytest.fixture
def weather_tools():
    def tool(name, argument):
        return {
            "type": "function",
            "function": {
                "name": name,
                "parameters": {
                    "type": "object",
                    "properties": {argument: {"type": "string"}},
                    "required": [argument],
                },
            },
        }

    return [tool("get_weather", "city"), tool("get_time", "zone")]
