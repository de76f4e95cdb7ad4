// Conversations that go on by the id of an answer, over every provider protocol.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { client, collect, OpenAI } from './support.mjs';

const ask = async (stream, request) => {
  const answer = await client.responses.create({ stream, ...request });
  return stream ? (await collect(answer)).at(-1).response : answer;
};

for (const provider of ['openai', 'responses', 'anthropic', 'gemini', 'bedrock']) {
  for (const stream of [false, true]) {
    test(`a conversation goes on by its last answer at ${provider}, ${stream ? 'streamed' : 'whole'}`, async () => {
      const model = `echo@${provider}`;
      const first = await ask(stream, { model, input: 'one' });
      const second = await ask(stream, { model, input: 'two', previous_response_id: first.id });
      assert.equal(second.previous_response_id, first.id);
      const texts = [];
      for await (const item of client.responses.inputItems.list(second.id, { order: 'asc', limit: 2 })) {
        texts.push(...item.content.map((part) => part.text));
      }
      assert.deepEqual(texts, ['one', 'one', 'two']);
      const kept = await client.responses.retrieve(second.id);
      assert.equal(kept.output_text, 'two');
    });
  }
}

test('an answer that is deleted is not found', async () => {
  const kept = await client.responses.create({ model: 'echo', input: 'hi' });
  await client.responses.delete(kept.id);
  await assert.rejects(client.responses.retrieve(kept.id), OpenAI.NotFoundError);
});
