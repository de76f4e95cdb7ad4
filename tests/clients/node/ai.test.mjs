// The AI SDK, with each of its providers that lets its base URL be set, against each provider protocol.

import { suite, test } from 'node:test';
import assert from 'node:assert/strict';
import { PROVIDERS, collect, load, origin, seen } from './support.mjs';

const { generateObject, generateText, jsonSchema, stepCountIs, streamObject, streamText, tool } = load('ai');
const { createAnthropic } = load('@ai-sdk/anthropic');
const { createGoogleGenerativeAI } = load('@ai-sdk/google');
const { createOpenAI } = load('@ai-sdk/openai');
const { createOpenAICompatible } = load('@ai-sdk/openai-compatible');
const { z } = load('zod');

const apiKey = process.env.GATEWRIGHT_KEY;
const baseURL = `${origin}/v1`;
const openai = createOpenAI({ baseURL, apiKey });
const LIBRARIES = {
  'openai chat': (model) => openai.chat(model),
  'openai responses': (model) => openai.responses(model),
  'openai-compatible': createOpenAICompatible({
    name: 'gatewright', baseURL, apiKey, includeUsage: true, supportsStructuredOutputs: true,
  }),
  anthropic: createAnthropic({ baseURL, apiKey }),
  google: createGoogleGenerativeAI({ baseURL: `${origin}/v1beta`, apiKey }),
};

// Left to itself the library of responses refers to what an earlier answer was stored as.
const settings = { maxRetries: 0, maxOutputTokens: 500, providerOptions: { openai: { store: false } } };
const WORDS = 'Grüße, "world"\n\u2603 and {braces}';
const person = z.object({ name: z.string(), age: z.int() });

/** One test for each pair of library and provider. */
function each(name, body) {
  for (const [library, model] of Object.entries(LIBRARIES)) {
    suite(`${name}: ${library}`, () => {
      for (const provider of PROVIDERS) {
        const at = (kind) => ({ ...settings, model: model(`${kind}@${provider}`) });
        test(provider, () => body(at, library));
      }
    });
  }
}

/** The tools, of which each execution is noted. */
function noting(done) {
  const one = (name, member) =>
    tool({
      description: name,
      inputSchema: jsonSchema({ type: 'object', properties: { [member]: { type: 'string' } }, required: [member] }),
      execute: async (input) => {
        done.push([name, Object.keys(input)]);
        return { answer: '22 degrees' };
      },
    });
  return { get_weather: one('get_weather', 'city'), get_time: one('get_time', 'zone') };
}
const BOTH_DONE = [['get_weather', ['city']], ['get_time', ['zone']]];

each('a text is the same generated and streamed', async (at) => {
  const whole = await generateText({ ...at('echo'), system: 'Say it again.', prompt: WORDS });
  assert.deepEqual([whole.text, whole.finishReason], [WORDS, 'stop']);
  assert.ok(whole.usage.inputTokens > 0 && whole.usage.outputTokens > 0);
  seen(whole.response.headers['x-request-id']);
  const stream = streamText({ ...at('echo'), system: 'Say it again.', prompt: WORDS });
  assert.equal((await collect(stream.textStream)).join(''), WORDS);
  assert.equal(await stream.finishReason, 'stop');
  const { inputTokens, outputTokens } = await stream.usage;
  assert.deepEqual([inputTokens, outputTokens], [whole.usage.inputTokens, whole.usage.outputTokens]);
});

each('tools are called over several steps', async (at) => {
  const asking = (done) => ({
    ...at('tools'), tools: noting(done), stopWhen: stepCountIs(3), prompt: 'weather and time?',
  });
  const done = [];
  const whole = await generateText(asking(done));
  assert.deepEqual(done, BOTH_DONE);
  assert.deepEqual([whole.steps.length, whole.finishReason], [2, 'stop']);
  const streamed = [];
  const stream = streamText(asking(streamed));
  const text = (await collect(stream.textStream)).join('');
  assert.deepEqual(streamed, BOTH_DONE);
  assert.deepEqual([text, (await stream.steps).length], [whole.text, 2]);
});

each('reasoning comes apart, and goes back with the tools of its turn', async (at, library) => {
  const done = [];
  const asking = { ...at('thinking'), tools: noting(done), stopWhen: stepCountIs(3), prompt: 'why?' };
  const answer = await generateText(asking);
  assert.deepEqual(done, BOTH_DONE);
  const thought = answer.steps[0].reasoningText;
  // This one knows no carrier of reasoning.
  assert.equal(Boolean(thought), library !== 'openai chat', 'what was thought before the calls');
  assert.ok(answer.text && !answer.text.includes(thought));
});

each('an object is of its schema, generated and streamed', async (at) => {
  const asking = { ...at('echo'), schema: person, prompt: 'who are you?' };
  const { object } = await generateObject(asking);
  assert.deepEqual([typeof object.name, typeof object.age], ['string', 'number']);
  const stream = streamObject(asking);
  await collect(stream.partialObjectStream);
  assert.deepEqual(await stream.object, object);
});

each('a refusal has its status and says what the provider said', async (at) => {
  await assert.rejects(generateText({ ...at('status-429'), prompt: 'hello' }), (error) => {
    assert.deepEqual([error.name, error.statusCode, error.isRetryable], ['AI_APICallError', 429, true]);
    assert.ok(error.message.length > 10, error.message);
    return true;
  });
});
