// Errors are the library's own typed exceptions, with everything in them that it reads.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { OpenAI, client, collect, messages, narrow, patient, seen, stranger } from './support.mjs';

const create = (more, by = client) => by.chat.completions.create({ model: 'small', messages, ...more });

/** The exception of a call, which must be of this very type and status. */
async function raised(Kind, status, call) {
  let error;
  try {
    await call();
  } catch (caught) {
    error = caught;
  }
  assert.ok(error, `an exception for ${status}`);
  assert.equal(error.constructor, Kind, `${error.constructor.name}: ${error.message}`);
  assert.equal(error.status, status);
  assert.ok(error.message && error.type && error.error.message, JSON.stringify(error));
  seen(error.requestID);
  return error;
}

test('400', async () => {
  const error = await raised(OpenAI.BadRequestError, 400, () => create({ messages: [] }));
  assert.deepEqual([error.param, error.type], ['messages', 'invalid_request_error']);
  await raised(OpenAI.BadRequestError, 400, () => create({ model: 'status-400' }));
});

test('401', async () => {
  const error = await raised(OpenAI.AuthenticationError, 401, () => create({}, stranger));
  assert.equal(error.code, 'invalid_api_key');
  await raised(OpenAI.AuthenticationError, 401, () => stranger.models.list());
});

test('403', async () => {
  const error = await raised(OpenAI.PermissionDeniedError, 403, () => create({ model: 'echo' }, narrow));
  assert.equal(error.param, 'model');
});

test('404', async () => {
  const error = await raised(OpenAI.NotFoundError, 404, () => create({ model: 'nobody' }));
  assert.deepEqual([error.code, error.param], ['model_not_found', 'model']);
  await raised(OpenAI.NotFoundError, 404, () => client.models.retrieve('nobody'));
  await raised(OpenAI.NotFoundError, 404, () => client.post('/nothing/here'));
});

test('413', async () => {
  const long = [{ role: 'user', content: 'x'.repeat(70_000) }];
  const error = await raised(OpenAI.APIError, 413, () => create({ messages: long }));
  assert.equal(error.code, 'request_too_large');
});

test('422', async () => {
  await raised(OpenAI.UnprocessableEntityError, 422, () => create({ model: 'status-422' }));
});

test('429', async () => {
  const call = () => create({ model: 'once-an-hour' });
  await call();
  const error = await raised(OpenAI.RateLimitError, 429, call);
  assert.equal(error.code, 'too_many_requests');
  assert.ok(Number(error.headers.get('retry-after')) > 0);
  await raised(OpenAI.RateLimitError, 429, () => create({ model: 'status-429' }));
});

test('5xx', async () => {
  const cases = [['broken', 500], ['status-500', 502], ['status-401', 502], ['status-503', 503]];
  for (const [model, status] of cases) {
    for (const stream of [false, true]) {
      await raised(OpenAI.InternalServerError, status, () => create({ model, stream }));
    }
  }
});

test('an error in a stream is raised where it happens', async () => {
  const stream = await create({ model: 'breaks', stream: true });
  let text = '';
  await assert.rejects(
    async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? '';
    },
    (error) => error instanceof OpenAI.APIError && error.code === 'upstream_error',
  );
  assert.ok(text, 'what came before the error was read');
});

test('the library tries again by itself and gets its answer', async () => {
  // The provider refuses the first two requests for this model.
  const answer = await create({ model: 'busy' }, patient);
  assert.ok(answer.choices[0].message.content);
  assert.ok(await collect(create({ model: 'small', stream: true }, patient)));
});
