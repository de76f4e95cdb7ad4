"""Realtime sessions."""

import base64

import pytest


def text_of(connection):
    """The text of the next response, and its usage."""
    pieces = []
    for event in connection:
        if event.type in ("response.output_text.delta", "response.output_audio_transcript.delta"):
            pieces.append(event.delta)
        elif event.type == "response.done":
            return "".join(pieces), event.response.usage
        elif event.type == "error":
            pytest.fail(event.error.message)
    pytest.fail("the session ended")


def say(connection, text):
    content = [{"type": "input_text", "text": text}]
    connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})


def test_a_conversation_is_held_in_texts(client, seen):
    with client.realtime.connect(model="echo") as connection:
        assert connection.recv().type == "session.created"
        connection.session.update(session={"type": "realtime", "model": "echo", "instructions": "be kind"})
        updated = connection.recv()
        assert updated.type == "session.updated" and updated.session.instructions == "be kind"
        for words in ("hello there", "and once more, with gr\u00fc\u00dfe"):
            say(connection, words)
            connection.response.create(response={"output_modalities": ["text"]})
            text, usage = text_of(connection)
            assert text == words
            assert usage.output_tokens > 0 and usage.output_token_details.audio_tokens == 0
        seen(connection._connection.response.headers["x-request-id"])


def test_sound_flows_both_ways(client):
    with client.realtime.connect(model="small") as connection:
        for _ in range(4):
            connection.input_audio_buffer.append(audio=base64.b64encode(bytes(9_600)).decode())
        connection.input_audio_buffer.commit()
        connection.response.create(response={"output_modalities": ["audio"]})
        sound = 0
        for event in connection:
            if event.type == "response.output_audio.delta":
                sound += len(base64.b64decode(event.delta))
            elif event.type == "response.done":
                break
        assert sound == 12 * 4_800


def test_a_refusal_is_an_answer_over_http(client, narrow_client):
    for caller, model, status in ((client, "nobody", 404), (narrow_client, "echo", 403)):
        with pytest.raises(Exception) as refusal:
            with caller.realtime.connect(model=model):
                pass
        assert refusal.value.response.status_code == status


def test_another_model_is_refused_and_the_session_goes_on(client):
    with client.realtime.connect(model="echo") as connection:
        connection.recv()
        connection.session.update(session={"type": "realtime", "model": "small"})
        event = connection.recv()
        assert event.type == "error" and event.error.code == "model_not_allowed"
        say(connection, "still here")
        connection.response.create(response={"output_modalities": ["text"]})
        assert text_of(connection)[0] == "still here"


def test_an_error_of_the_model_is_an_event(client):
    with client.realtime.connect(model="breaks") as connection:
        connection.response.create(response={"output_modalities": ["text"]})
        errors = [event.error.message for event in until_done(connection) if event.type == "error"]
        assert errors == ["the model failed"]


def until_done(connection):
    for event in connection:
        yield event
        if event.type == "response.done":
            return
