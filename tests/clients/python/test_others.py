"""Legacy completions, embeddings, models."""

import pytest


def test_a_legacy_completion_comes_whole_and_streamed(client, seen):
    answer = client.completions.create(model="small", prompt="once upon a time")
    assert answer.object == "text_completion" and answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens == 12
    seen(answer._request_id)
    stream = client.completions.create(model="small", prompt="once upon a time", stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream if chunk.choices) == answer.choices[0].text


def test_a_legacy_completion_takes_several_prompts_and_choices(client):
    answer = client.completions.create(model="small", prompt=["one", "two"], n=2, echo=True, logprobs=1)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert answer.choices[0].text.startswith("one") and answer.choices[3].text.startswith("two")
    assert answer.choices[0].logprobs.tokens


def test_embeddings_are_numbers_whatever_the_encoding_on_the_wire(client, seen):
    text = "the same text"
    # The library asks for base64 unless it is told otherwise, and decodes it.
    packed = client.embeddings.create(model="vectors", input=text)
    plain = client.embeddings.create(model="vectors", input=text, encoding_format="float")
    assert len(packed.data[0].embedding) == 1536
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    assert packed.usage.prompt_tokens == packed.usage.total_tokens > 0
    raw = client.embeddings.create(model="vectors", input=text, encoding_format="base64")
    assert isinstance(raw.data[0].embedding, str)
    seen(plain._request_id)


def test_embeddings_take_several_inputs_and_a_number_of_dimensions(client):
    answer = client.embeddings.create(model="vectors", input=["one", "two", "one"], dimensions=8)
    vectors = [item.embedding for item in answer.data]
    assert [item.index for item in answer.data] == [0, 1, 2]
    assert [len(vector) for vector in vectors] == [8, 8, 8]
    assert vectors[0] == vectors[2] != vectors[1]
    tokens = client.embeddings.create(model="vectors", input=[[1, 2, 3], [4]])
    assert len(tokens.data) == 2


def test_the_list_of_models_is_what_the_key_may_use(client, narrow_client):
    everything = [model.id for model in client.models.list()]
    assert "small" in everything and "vectors" in everything
    assert [model.id for model in narrow_client.models.list()] == ["small"]


def test_a_model_is_retrieved_by_its_name(client, seen):
    model = client.models.retrieve("small")
    assert (model.id, model.object) == ("small", "model")
    assert model.owned_by and isinstance(model.created, int)
    assert client.models.retrieve("vendor/large").id == "vendor/large"
    seen(model._request_id)
