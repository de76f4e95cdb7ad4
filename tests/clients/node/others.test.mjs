// Legacy completions, embeddings, models.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { client, collect, narrow, seen } from './support.mjs';

test('a legacy completion comes whole and streamed', async () => {
  const request = { model: 'small', prompt: 'once upon a time' };
  const answer = await client.completions.create(request);
  assert.equal(answer.usage.completion_tokens, 12);
  seen(answer._request_id);
  const chunks = await collect(client.completions.create({ ...request, stream: true }));
  assert.equal(chunks.map((chunk) => chunk.choices[0]?.text ?? '').join(''), answer.choices[0].text);
});

test('a legacy completion takes several prompts and choices', async () => {
  const request = { model: 'small', prompt: ['one', 'two'], n: 2, echo: true, logprobs: 1 };
  const answer = await client.completions.create(request);
  assert.deepEqual(answer.choices.map((choice) => choice.index), [0, 1, 2, 3]);
  assert.ok(answer.choices[3].text.startsWith('two'));
});

test('embeddings are numbers whatever the encoding on the wire', async () => {
  const input = 'the same text';
  // The library asks for base64 unless it is told otherwise, and decodes it.
  const packed = await client.embeddings.create({ model: 'vectors', input });
  const plain = await client.embeddings.create({ model: 'vectors', input, encoding_format: 'float' });
  assert.equal(packed.data[0].embedding.length, 1536);
  packed.data[0].embedding.forEach((x, at) => assert.ok(Math.abs(x - plain.data[0].embedding[at]) < 1e-6));
  const raw = await client.embeddings.create({ model: 'vectors', input, encoding_format: 'base64' });
  assert.equal(typeof raw.data[0].embedding, 'string');
  seen(plain._request_id);
});

test('embeddings take several inputs and a number of dimensions', async () => {
  const answer = await client.embeddings.create({ model: 'vectors', input: ['one', 'two', 'one'], dimensions: 8 });
  const [first, second, third] = answer.data.map((item) => item.embedding);
  assert.equal(first.length, 8);
  assert.deepEqual(first, third);
  assert.notDeepEqual(first, second);
});

test('the list of models is what the key may use', async () => {
  const everything = await collect(client.models.list());
  const ids = everything.map((model) => model.id);
  assert.ok(ids.includes('small') && ids.includes('vectors'));
  assert.deepEqual((await collect(narrow.models.list())).map((model) => model.id), ['small']);
});

test('a model is retrieved by its name', async () => {
  const model = await client.models.retrieve('small');
  assert.deepEqual([model.id, model.object], ['small', 'model']);
  assert.equal((await client.models.retrieve('vendor/large')).id, 'vendor/large');
  seen(model._request_id);
});
