"""Forms with files: transcriptions, translations, edits of images."""

import openai
import pytest

RECORDING = ("speech.mp3", b"hello there", "audio/mpeg")
PICTURE = ("picture.png", b"\x89PNG\r\n\x1a\n", "image/png")


def test_a_recording_is_transcribed(client, seen):
    answer = client.audio.transcriptions.create(model="small", file=RECORDING, prompt="names")
    assert answer.text == "hello there"
    assert answer.usage.type == "tokens" and answer.usage.output_tokens > 0
    assert answer.usage.input_token_details.audio_tokens == 1
    seen(answer._request_id)


def test_a_transcript_comes_as_a_text_and_with_its_times(client):
    text = client.audio.transcriptions.create(model="small", file=RECORDING, response_format="text")
    assert text.strip() == "hello there"
    verbose = client.audio.transcriptions.create(model="small", file=RECORDING, response_format="verbose_json")
    assert [segment.text for segment in verbose.segments] == ["hello there"]
    assert "WEBVTT" in client.audio.translations.create(model="small", file=RECORDING, response_format="vtt")


def test_a_transcript_streams(client):
    stream = client.audio.transcriptions.create(model="small", file=RECORDING, stream=True)
    events = list(stream)
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    assert len(deltas) > 1 and "".join(deltas) == events[-1].text == "hello there"
    assert events[-1].type == "transcript.text.done" and events[-1].usage.output_tokens > 0


def test_a_recording_is_translated(client, seen):
    answer = client.audio.translations.create(model="small", file=RECORDING)
    assert answer.text == "hello there"
    seen(answer._request_id)


def test_an_image_is_edited_and_several_are_taken(client, seen):
    answer = client.images.edit(model="small", image=[PICTURE, PICTURE], prompt="a cat", n=2)
    assert len(answer.data) == 2 and answer.usage.output_tokens > 0
    seen(answer._request_id)
    varied = client.images.create_variation(model="small", image=PICTURE)
    assert varied.data[0].b64_json


def test_an_edit_streams(client):
    events = list(client.images.edit(model="small", image=PICTURE, prompt="a cat", stream=True, partial_images=1))
    assert [event.type for event in events] == ["image_edit.partial_image", "image_edit.completed"]


def test_an_upload_to_no_model_of_the_key_is_refused_in_the_words_of_the_library(client, narrow_client):
    with pytest.raises(openai.NotFoundError):
        client.audio.transcriptions.create(model="no-such-model", file=RECORDING)
    with pytest.raises(openai.PermissionDeniedError):
        narrow_client.audio.transcriptions.create(model="vectors", file=RECORDING)
