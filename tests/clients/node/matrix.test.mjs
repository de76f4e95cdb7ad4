// Every dialect in, every provider out: the official library of each dialect asks models of each provider.
//
// What the simulated provider says does not depend on the dialect in which it is asked, so each test expects the same of
// all pairs. The models are named `KIND@PROVIDER`.

import { suite, test } from 'node:test';
import assert from 'node:assert/strict';
import { PROVIDERS, seen } from './support.mjs';
import { Refused, SPEAKERS } from './speakers.mjs';

const WORDS = 'Grüße, "world"\n\u2603 and {braces}';
const STOP = {
  openai_chat: 'stop',
  openai_responses: 'completed',
  anthropic_messages: 'end_turn',
  google_generate: 'STOP',
  bedrock_converse: 'end_turn',
};
const CALLS = { ...STOP, openai_chat: 'tool_calls', anthropic_messages: 'tool_use', bedrock_converse: 'tool_use' };
const REFUSALS = {
  400: ['BadRequestError', 'ApiError', 'ValidationException'],
  429: ['RateLimitError', 'ApiError', 'ThrottlingException'],
  503: ['InternalServerError', 'ServiceUnavailableError', 'OverloadedError', 'ApiError', 'ServiceUnavailableException'],
};

/** One test for each pair of speaker and provider, and for each of the cases. */
function each(name, cases, body) {
  for (const speaker of SPEAKERS) {
    suite(`${name}: ${speaker.name}`, () => {
      for (const provider of PROVIDERS) {
        for (const one of cases) test(`${provider} ${JSON.stringify(one)}`, () => body(speaker, provider, one));
      }
    });
  }
}
const BOTH = [{ stream: false }, { stream: true }];

each('text arrives as it was said and the end is told in the words of the caller', BOTH, async (speaker, at, how) => {
  const turn = await speaker.ask(`echo@${at}`, WORDS, { ...how, system: 'Say it again.' });
  assert.deepEqual([turn.text, turn.calls, turn.reasoning], [WORDS, [], '']);
  assert.equal(turn.finish, STOP[speaker.name]);
  seen(turn.requestId);
});

each('usage is the same streamed and whole', [{}], async (speaker, at) => {
  const [whole, streamed] = await Promise.all(BOTH.map((how) => speaker.ask(`echo@${at}`, WORDS, how)));
  assert.deepEqual([whole.promptTokens, whole.outputTokens], [streamed.promptTokens, streamed.outputTokens]);
  assert.ok(whole.promptTokens > 0 && whole.outputTokens > 0);
});

each('parallel tool calls arrive and their results go back', BOTH, async (speaker, at, how) => {
  const turn = await speaker.ask(`tools@${at}`, 'weather and time?', { ...how, tools: true });
  assert.deepEqual(turn.calls.map((call) => call.name), ['get_weather', 'get_time']);
  assert.deepEqual(turn.calls.map((call) => Object.keys(call.input)), [['city'], ['zone']]);
  assert.equal(turn.finish, CALLS[speaker.name]);
  assert.equal(new Set(turn.calls.map((call) => call.id)).size, 2);
  // The provider checks that every call is answered in its own dialect's form.
  const following = await speaker.answerCalls(`echo@${at}`, 'weather and time?', turn, how);
  assert.equal(following.text, 'thank you');
});

each('reasoning is shown apart from the text', BOTH, async (speaker, at, how) => {
  const turn = await speaker.ask(`reasoning@${at}`, 'why?', how);
  assert.ok(turn.reasoning && turn.text);
  assert.ok(!turn.text.includes(turn.reasoning));
});

// That the picture gets there is checked at the provider's end.
each('a picture and a text stand in one turn', [{}], async (speaker, at) => {
  const turn = await speaker.ask(`echo@${at}`, 'what is in this picture?', { picture: true });
  assert.equal(turn.text, 'what is in this picture?');
});

each('an answer has the form that was asked for', BOTH, async (speaker, at, how) => {
  const turn = await speaker.ask(`echo@${at}`, 'who are you?', { ...how, form: true });
  const person = JSON.parse(turn.text);
  assert.deepEqual([typeof person.name, typeof person.age], ['string', 'number']);
  assert.deepEqual([turn.calls, turn.finish], [[], STOP[speaker.name]]);
});

each('a refusal of the provider is one of the dialect', Object.keys(REFUSALS), async (speaker, at, status) => {
  await assert.rejects(speaker.ask(`status-${status}@${at}`, 'hello'), (error) => {
    assert.ok(error instanceof Refused, error);
    assert.equal(error.status, Number(status));
    assert.ok(REFUSALS[status].includes(error.kind), error.kind);
    return true;
  });
});

each('a stream that is left in the middle ends at once', [{}], async (speaker, at) => {
  const left = new AbortController();
  let seenBefore = 0;
  try {
    for await (const _ of speaker.events(`slow@${at}`, left.signal)) {
      seenBefore += 1;
      left.abort();
    }
  } catch (error) {
    assert.match(`${error.name} ${error.message}`, /abort/i);
  }
  assert.ok(seenBefore > 0 && seenBefore < 10, `${seenBefore} events of a stream of hundreds`);
});

test('a model that does not exist is not found', async () => {
  for (const speaker of SPEAKERS) {
    await assert.rejects(speaker.ask('nobody-has-it', 'hello'), (error) => {
      assert.deepEqual([error.status, error.message.includes('nobody-has-it')], [404, true], speaker.name);
      return true;
    });
  }
});
