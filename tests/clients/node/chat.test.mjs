// Chat completions, whole and streamed, in all the forms that the API has.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { client, collect, messages, seen, textOf, tools } from './support.mjs';

const create = (more) => client.chat.completions.create({ model: 'small', messages, ...more });

test('a whole answer has text, usage and a request id', async () => {
  const answer = await create();
  assert.equal(answer.choices[0].message.content.split(' ').length, 12);
  assert.equal(answer.choices[0].finish_reason, 'stop');
  assert.equal(answer.usage.completion_tokens, 12);
  seen(answer._request_id);
});

test('a streamed answer is the same text', async () => {
  const whole = await create();
  const chunks = await collect(create({ stream: true }));
  assert.equal(textOf(chunks), whole.choices[0].message.content);
  assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
  assert.ok(chunks.every((chunk) => chunk.choices.length && !chunk.usage), 'nobody asked for usage');
});

test('the helper for streams collects the same message', async () => {
  const stream = client.chat.completions.stream({ model: 'small', messages });
  const final = await stream.finalChatCompletion();
  assert.equal(final.choices[0].message.content.split(' ').length, 12);
});

test('usage comes last in a stream that asks for it', async () => {
  const chunks = await collect(create({ stream: true, stream_options: { include_usage: true } }));
  const last = chunks.pop();
  assert.deepEqual([last.choices.length, last.usage.completion_tokens], [0, 12]);
  assert.ok(chunks.every((chunk) => !chunk.usage));
});

test('a stream that is left early ends without an error', async () => {
  const stream = await create({ model: 'slow', stream: true });
  for await (const chunk of stream) {
    assert.ok(chunk.choices);
    break;
  }
  const aborted = await create({ model: 'slow', stream: true });
  aborted.controller.abort();
  await collect(aborted);
});

test('several choices come whole and streamed', async () => {
  const answer = await create({ n: 3 });
  const texts = ['', '', ''];
  for (const chunk of await collect(create({ n: 3, stream: true }))) {
    for (const choice of chunk.choices) texts[choice.index] += choice.delta.content ?? '';
  }
  assert.deepEqual(texts, answer.choices.map((choice) => choice.message.content));
});

test('log probabilities come with each token', async () => {
  const answer = await create({ logprobs: true, top_logprobs: 2 });
  const tokens = answer.choices[0].logprobs.content;
  assert.equal(tokens.map((token) => token.token).join(''), answer.choices[0].message.content);
  assert.equal(tokens[0].top_logprobs.length, 2);
});

test('a tool is called and its result is answered', async () => {
  const request = { model: 'tools', tools, parallel_tool_calls: false };
  const answer = await create(request);
  assert.equal(answer.choices[0].finish_reason, 'tool_calls');
  const [call] = answer.choices[0].message.tool_calls;
  assert.equal(call.function.name, 'get_weather');
  assert.equal(typeof JSON.parse(call.function.arguments).city, 'string');
  const result = { role: 'tool', tool_call_id: call.id, content: 'sunny' };
  const final = await create({ ...request, messages: [...messages, answer.choices[0].message, result] });
  assert.equal(final.choices[0].finish_reason, 'stop');
});

test('several tools are called at once unless that is refused', async () => {
  for (const parallel of [true, false]) {
    const answer = await create({ model: 'tools', tools, parallel_tool_calls: parallel });
    const names = answer.choices[0].message.tool_calls.map((call) => call.function.name);
    assert.deepEqual(names, parallel ? ['get_weather', 'get_time'] : ['get_weather']);
  }
});

test('streamed calls put together are the whole calls', async () => {
  const whole = await create({ model: 'tools', tools });
  const streamed = await client.chat.completions.stream({ model: 'tools', messages, tools }).finalChatCompletion();
  const plain = (answer) =>
    answer.choices[0].message.tool_calls.map((call) => [call.id, call.function.name, call.function.arguments]);
  assert.deepEqual(plain(streamed), plain(whole));
});

test('images and texts stand in one message', async () => {
  const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=', detail: 'low' } };
  const text = { type: 'text', text: 'what is in this picture?' };
  const answer = await create({ model: 'echo', messages: [{ role: 'user', content: [image, text] }] });
  assert.equal(answer.choices[0].message.content, text.text);
});

test('an answer fits the schema that was asked for', async () => {
  const schema = {
    type: 'object',
    properties: { name: { type: 'string' }, age: { type: 'integer' } },
    required: ['name', 'age'],
    additionalProperties: false,
  };
  const format = { type: 'json_schema', json_schema: { name: 'person', strict: true, schema } };
  const answer = await create({ response_format: format });
  const person = JSON.parse(answer.choices[0].message.content);
  assert.deepEqual([typeof person.name, typeof person.age], ['string', 'number']);
});

test('fields that only a vendor knows pass in both directions', async () => {
  const option = { deep: [1, null, 'ü'] };
  const answer = await create({ model: 'reasoning', x_vendor_option: option });
  assert.ok(answer.choices[0].message.reasoning_content);
  const chunks = await collect(create({ model: 'reasoning', stream: true }));
  const reasoning = chunks.map((chunk) => chunk.choices[0]?.delta?.reasoning_content ?? '').join('');
  assert.equal(reasoning, answer.choices[0].message.reasoning_content);
});

test('the plain answer shows its headers', async () => {
  const { data, response, request_id } = await client.chat.completions
    .create({ model: 'small', messages })
    .withResponse();
  assert.ok(data.choices.length);
  assert.equal(response.headers.get('x-request-id'), request_id);
  seen(request_id);
});
