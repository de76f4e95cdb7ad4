// Realtime sessions, over the library's own connection with `ws`.

import { once } from 'node:events';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { client, seen } from './support.mjs';

const require = createRequire(join(process.env.GATEWRIGHT_NODE_MODULES, 'nothing.js'));
const { OpenAIRealtimeWS } = require('openai/realtime/ws');

// The library always asks for TLS; under it the socket is in clear here.
const { hostname, port } = new URL(process.env.GATEWRIGHT_BASE_URL);
const options = { createConnection: () => connect(Number(port), hostname) };

/** The next event of this type. */
const next = (session, type) => new Promise((resolve) => session.once(type, resolve));

test('a conversation is held in texts', async () => {
  const session = new OpenAIRealtimeWS({ model: 'echo', options }, client);
  const [answer] = await once(session.socket, 'upgrade');
  seen(answer.headers['x-request-id']);
  const pieces = [];
  session.on('response.output_text.delta', (event) => pieces.push(event.delta));
  const content = [{ type: 'input_text', text: 'hello there, grüße' }];
  session.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content } });
  session.send({ type: 'response.create', response: { output_modalities: ['text'] } });
  const done = await next(session, 'response.done');
  assert.equal(pieces.join(''), 'hello there, grüße');
  assert.ok(done.response.usage.output_tokens > 0);
  session.close();
  const [code] = await once(session.socket, 'close');
  assert.equal(code, 1000);
});

test('a refusal is an answer over HTTP', async () => {
  const session = new OpenAIRealtimeWS({ model: 'nobody', options }, client);
  session.on('error', () => {});
  const [request, answer] = await once(session.socket, 'unexpected-response');
  assert.equal(answer.statusCode, 404);
  assert.match(answer.headers['x-request-id'], /^req_/);
  request.destroy();
});

test('a browser offers its key as a subprotocol', async () => {
  const WebSocket = require('ws');
  const url = `${process.env.GATEWRIGHT_BASE_URL.replace('http', 'ws')}/realtime?model=echo`;
  const socket = new WebSocket(url, [
    'realtime',
    `openai-insecure-api-key.${process.env.GATEWRIGHT_KEY}`,
    'openai-beta.realtime-v1',
  ]);
  const [message] = await once(socket, 'message');
  assert.equal(JSON.parse(message).type, 'session.created');
  assert.equal(socket.protocol, 'realtime');
  socket.close(1000);
  await once(socket, 'close');
});
