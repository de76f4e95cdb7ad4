"""The library of Amazon Bedrock sends its API key over TLS only: nothing is set for it but the key, as its users have it."""

import json
import os

import boto3
import pytest
from botocore.config import Config

pytestmark = pytest.mark.skipif(
    "GATEWRIGHT_TLS_URL" not in os.environ, reason="the scenario of the whole suite has no TLS"
)


@pytest.fixture
def runtime(monkeypatch):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", os.environ["GATEWRIGHT_KEY"])
    return boto3.client(
        "bedrock-runtime",
        endpoint_url=os.environ["GATEWRIGHT_TLS_URL"],
        region_name="eu-central-1",
        verify=os.environ["GATEWRIGHT_TLS_ROOT"],
        config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
    )


def test_converse_and_invoke_are_answered_over_tls_whole_and_streamed(runtime):
    said = [{"role": "user", "content": [{"text": "Grüße"}]}]
    answer = runtime.converse(modelId="echo", messages=said)
    assert answer["output"]["message"]["content"] == [{"text": "Grüße"}]
    events = runtime.converse_stream(modelId="echo", messages=said)["stream"]
    deltas = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert "".join(deltas) == "Grüße"

    messages = [{"role": "user", "content": "Grüße"}]
    body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 50, "messages": messages})
    answer = json.load(runtime.invoke_model(modelId="echo", body=body)["body"])
    assert answer["content"] == [{"type": "text", "text": "Grüße"}]
    events = runtime.invoke_model_with_response_stream(modelId="echo", body=body)["body"]
    events = [json.loads(event["chunk"]["bytes"]) for event in events]
    assert "".join(event["delta"].get("text", "") for event in events if "delta" in event) == "Grüße"
