// What the tests share: a client of which only the base URL and the key are set, and the ids of what was asked.

import { appendFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import assert from 'node:assert/strict';

/** A library; they lie where the test command installed them, not beside these files. */
export const load = createRequire(join(process.env.GATEWRIGHT_NODE_MODULES, 'nothing.js'));
export const OpenAI = load('openai');

/** The protocols of providers, as models are named `KIND@PROVIDER`. */
export const PROVIDERS = ['openai', 'responses', 'anthropic', 'gemini', 'bedrock'];
/** Where the gateway is, without the path of a dialect. */
export const origin = process.env.GATEWRIGHT_BASE_URL.replace(/\/v1$/, '');

const options = { baseURL: process.env.GATEWRIGHT_BASE_URL, maxRetries: 0, timeout: 20_000 };

export const client = new OpenAI({ ...options, apiKey: process.env.GATEWRIGHT_KEY });
/** A caller who may use the model `small` only. */
export const narrow = new OpenAI({ ...options, apiKey: process.env.GATEWRIGHT_NARROW_KEY });
export const stranger = new OpenAI({ ...options, apiKey: 'no-such-key-here' });
export const patient = new OpenAI({ ...options, maxRetries: 4, apiKey: process.env.GATEWRIGHT_KEY });

export const messages = [{ role: 'user', content: 'hello there' }];

const tool = (name, argument) => ({
  type: 'function',
  function: {
    name,
    parameters: { type: 'object', properties: { [argument]: { type: 'string' } }, required: [argument] },
  },
});
export const tools = [tool('get_weather', 'city'), tool('get_time', 'zone')];

/** Notes the id of an exchange, which the scenario that started us looks for in the log. */
export function seen(id) {
  assert.match(id ?? '', /^req_/);
  if (process.env.GATEWRIGHT_IDS) appendFileSync(process.env.GATEWRIGHT_IDS, `${id}\n`);
}

/** Everything that a stream brings. */
export async function collect(stream) {
  const chunks = [];
  for await (const chunk of await stream) chunks.push(chunk);
  return chunks;
}

export const textOf = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? '').join('');
