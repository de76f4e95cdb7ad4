"""Vectors: the official library of each dialect asks a model of each provider, and gets the same numbers."""

import json

import openai
import pytest
from google.genai import types

from speakers import Bedrock, Google, OpenAiChat

PROVIDERS = ["openai", "google", "titan", "cohere"]
TEXTS = ["Grüße", 'a "quoted" one']
DIMENSIONS = 8


def by_openai(model, texts):
    # The library asks for base64 and decodes it.
    answer = OpenAiChat().client.embeddings.create(model=model, input=texts, dimensions=DIMENSIONS)
    assert [item.index for item in answer.data] == list(range(len(texts)))
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 0
    return [item.embedding for item in answer.data]


def by_google(model, texts):
    config = types.EmbedContentConfig(output_dimensionality=DIMENSIONS, task_type="RETRIEVAL_DOCUMENT")
    # A client that nobody holds is closed.
    client = Google().client
    answer = client.models.embed_content(model=model, contents=texts, config=config)
    return [embedding.values for embedding in answer.embeddings]


def by_titan(model, texts):
    client = Bedrock().client
    vectors = []
    for text in texts:
        body = json.dumps({"inputText": text, "dimensions": DIMENSIONS})
        answer = json.load(client.invoke_model(modelId=model, body=body)["body"])
        assert answer["inputTextTokenCount"] > 0
        vectors.append(answer["embedding"])
    return vectors


def by_cohere(model, texts):
    body = {"texts": texts, "input_type": "search_document", "output_dimension": DIMENSIONS}
    answer = json.load(Bedrock().client.invoke_model(modelId=model, body=json.dumps(body))["body"])
    assert answer["response_type"] == "embeddings_floats" and answer["texts"] == texts
    return answer["embeddings"]


@pytest.mark.parametrize("ask", [by_openai, by_google, by_titan, by_cohere], ids=lambda ask: ask.__name__)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_vectors_are_the_same_for_every_library_from_every_provider(ask, provider):
    texts = TEXTS[:1] if provider == "titan" else TEXTS
    expected = by_openai("vectors@openai", texts)
    vectors = ask(f"vectors@{provider}", texts)
    assert [len(vector) for vector in vectors] == [DIMENSIONS] * len(texts)
    for vector, other in zip(vectors, expected, strict=True):
        assert vector == pytest.approx(other, abs=1e-6)


def test_more_texts_than_a_provider_takes_are_a_bad_request_of_the_library():
    with pytest.raises(openai.BadRequestError) as refused:
        by_openai("vectors@titan", TEXTS)
    assert refused.value.code == "too_many_inputs" and "takes 1 input" in refused.value.message


def test_a_legacy_completion_comes_from_a_model_that_chats(client):
    answer = client.completions.create(model="echo@anthropic", prompt="once upon a time", max_tokens=50)
    assert (answer.object, answer.choices[0].text) == ("text_completion", "once upon a time")
    stream = client.completions.create(
        model="echo@gemini", prompt="once upon a time", max_tokens=50, stream=True
    )
    assert "".join(chunk.choices[0].text for chunk in stream if chunk.choices) == "once upon a time"
