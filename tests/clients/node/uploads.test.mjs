// Forms with files: transcriptions, translations, edits of images. This library writes fields in the order of the code.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { OpenAI, client, collect, seen } from './support.mjs';

const recording = () => OpenAI.toFile(Buffer.from('hello there'), 'speech.mp3', { type: 'audio/mpeg' });
const picture = () => OpenAI.toFile(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), 'picture.png', { type: 'image/png' });

test('a recording is transcribed with its file before or behind the model', async () => {
  const before = await client.audio.transcriptions.create({ file: await recording(), model: 'small' });
  const behind = await client.audio.transcriptions.create({ model: 'small', file: await recording(), prompt: 'names' });
  assert.deepEqual([before.text, behind.text], ['hello there', 'hello there']);
  assert.equal(before.usage.type, 'tokens');
  seen(before._request_id);
});

test('a long recording behind its model flows', async () => {
  const file = await OpenAI.toFile(Buffer.alloc(40 * 1024, 7), 'speech.wav');
  const answer = await client.audio.transcriptions.create({ model: 'small', file });
  assert.equal(answer.text, `heard ${40 * 1024} bytes`);
});

test('a transcript streams', async () => {
  const events = await collect(
    client.audio.transcriptions.create({ model: 'small', file: await recording(), stream: true }),
  );
  const text = events.filter((event) => event.type === 'transcript.text.delta').map((event) => event.delta).join('');
  assert.equal(text, 'hello there');
  assert.equal(events.at(-1).text, text);
});

test('a recording is translated into a text', async () => {
  const text = await client.audio.translations.create({
    model: 'small', file: await recording(), response_format: 'text',
  });
  assert.equal(text.trim(), 'hello there');
});

test('an image is edited, whole and streamed', async () => {
  const answer = await client.images.edit({ model: 'small', image: [await picture()], prompt: 'a cat' });
  assert.equal(answer.data.length, 1);
  seen(answer._request_id);
  const events = await collect(
    client.images.edit({ model: 'small', image: await picture(), prompt: 'a cat', stream: true }),
  );
  assert.equal(events.at(-1).type, 'image_edit.completed');
});

test('a model that is not there is refused in the words of the library', async () => {
  await assert.rejects(
    client.audio.transcriptions.create({ model: 'no-such-model', file: await recording() }),
    OpenAI.NotFoundError,
  );
});
