// The official library of each dialect behind one small face, so that one test reads the same for all of them.
//
// A speaker asks for one turn and tells what came of it. Each also goes on with a conversation after tool calls, in the
// form that its own library wants. Nothing but base URL and key is set.

import assert from 'node:assert/strict';
import { OpenAI, load, origin } from './support.mjs';

const { default: Anthropic } = load('@anthropic-ai/sdk');
const { GoogleGenAI } = load('@google/genai');
const bedrock = load('@aws-sdk/client-bedrock-runtime');

const apiKey = process.env.GATEWRIGHT_KEY;
const timeout = 30_000;
const RESULT = '22 degrees';

const object = (name) => ({ type: 'object', properties: { [name]: { type: 'string' } }, required: [name] });
const TOOLS = Object.entries({ get_weather: object('city'), get_time: object('zone') });
/** The form that is asked for where an answer has to have one. */
const FORM = {
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer' } },
  required: ['name', 'age'],
  additionalProperties: false,
};
/** The beginning of a picture, which nobody looks at. */
export const PICTURE = 'iVBORw0KGgo=';

const parse = (text) => JSON.parse(text || '{}');
const turnOf = (more) => ({ text: '', reasoning: '', calls: [], finish: '', promptTokens: 0, outputTokens: 0, ...more });

/** What the library raised, told alike for all of them. */
class Refused extends Error {
  constructor(kind, status, cause) {
    super(cause.message, { cause });
    Object.assign(this, { kind, status });
  }
}

async function told(kinds, call) {
  try {
    return await call();
  } catch (error) {
    const known = kinds.find((Kind) => error instanceof Kind);
    if (!known) throw error;
    const status = error.status ?? error.$metadata?.httpStatusCode;
    throw new Refused(error.$metadata ? error.name : error.constructor.name, status, error);
  }
}

class OpenAiChat {
  name = 'openai_chat';
  client = new OpenAI({ baseURL: `${origin}/v1`, apiKey, maxRetries: 0, timeout });

  ask(model, prompt, options = {}) {
    const { system, picture } = options;
    const image = { type: 'image_url', image_url: { url: `data:image/png;base64,${PICTURE}` } };
    const content = picture ? [image, { type: 'text', text: prompt }] : prompt;
    const messages = [...(system ? [{ role: 'system', content: system }] : []), { role: 'user', content }];
    return this.turn(model, messages, options);
  }

  answerCalls(model, prompt, { calls, text }, options) {
    const tool_calls = calls.map(({ id, name, input }) => ({
      id, type: 'function', function: { name, arguments: JSON.stringify(input) },
    }));
    const results = calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: RESULT }));
    const messages = [
      { role: 'user', content: prompt },
      { role: 'assistant', content: text || null, tool_calls },
      ...results,
      { role: 'user', content: 'thank you' },
    ];
    return this.turn(model, messages, { ...options, tools: true });
  }

  request(model, messages, { stream, tools, form }) {
    const request = { model, messages, stream: Boolean(stream), max_tokens: 500 };
    if (stream) request.stream_options = { include_usage: true };
    if (tools) request.tools = TOOLS.map(([name, parameters]) => ({ type: 'function', function: { name, parameters } }));
    if (form) request.response_format = { type: 'json_schema', json_schema: { name: 'person', strict: true, schema: FORM } };
    return request;
  }

  turn(model, messages, options) {
    return told([OpenAI.APIError], async () => {
      const answer = this.client.chat.completions.create(this.request(model, messages, options));
      const { data, request_id: id } = await answer.withResponse();
      if (!options.stream) return this.read(data, id);
      return this.collect(data, id);
    });
  }

  read(answer, id) {
    const [choice] = answer.choices;
    return turnOf({
      text: choice.message.content ?? '',
      reasoning: choice.message.reasoning_content ?? '',
      calls: (choice.message.tool_calls ?? []).map((call) => ({
        id: call.id, name: call.function.name, input: parse(call.function.arguments),
      })),
      finish: choice.finish_reason,
      promptTokens: answer.usage.prompt_tokens,
      outputTokens: answer.usage.completion_tokens,
      requestId: id,
    });
  }

  async collect(chunks, id) {
    const turn = turnOf({ requestId: id });
    const calls = [];
    for await (const chunk of chunks) {
      if (chunk.usage) {
        turn.promptTokens = chunk.usage.prompt_tokens;
        turn.outputTokens = chunk.usage.completion_tokens;
      }
      for (const { delta, finish_reason: finish } of chunk.choices) {
        turn.text += delta.content ?? '';
        turn.reasoning += delta.reasoning_content ?? '';
        turn.finish = finish ?? turn.finish;
        for (const call of delta.tool_calls ?? []) {
          const known = (calls[call.index] ??= { id: '', name: '', text: '' });
          known.id = call.id ?? known.id;
          known.name = call.function?.name ?? known.name;
          known.text += call.function?.arguments ?? '';
        }
      }
    }
    turn.calls = calls.map((call) => ({ id: call.id, name: call.name, input: parse(call.text) }));
    return turn;
  }

  async *events(model, signal) {
    const request = this.request(model, [{ role: 'user', content: 'go on' }], { stream: true });
    yield* await this.client.chat.completions.create(request, { signal });
  }
}

class OpenAiResponses {
  name = 'openai_responses';
  client = new OpenAI({ baseURL: `${origin}/v1`, apiKey, maxRetries: 0, timeout });

  ask(model, prompt, options = {}) {
    const image = { type: 'input_image', image_url: `data:image/png;base64,${PICTURE}`, detail: 'auto' };
    const content = [...(options.picture ? [image] : []), { type: 'input_text', text: prompt }];
    return this.turn(model, [{ role: 'user', content }], options);
  }

  answerCalls(model, prompt, { calls, raw }, options) {
    const results = calls.map(({ id }) => ({ type: 'function_call_output', call_id: id, output: RESULT }));
    const input = [
      { role: 'user', content: prompt }, ...raw.output, ...results, { role: 'user', content: 'thank you' },
    ];
    return this.turn(model, input, { ...options, tools: true });
  }

  request(model, input, { stream, tools, system, form }) {
    const request = { model, input, stream: Boolean(stream), max_output_tokens: 500, store: false };
    if (system) request.instructions = system;
    if (tools) request.tools = TOOLS.map(([name, parameters]) => ({ type: 'function', name, parameters, strict: false }));
    if (form) request.text = { format: { type: 'json_schema', name: 'person', strict: true, schema: FORM } };
    return request;
  }

  turn(model, input, options) {
    return told([OpenAI.APIError], async () => {
      const answer = this.client.responses.create(this.request(model, input, options));
      const { data, request_id: id } = await answer.withResponse();
      if (!options.stream) return this.read(data, id);
      let text = '';
      let last;
      let number = -1;
      for await (const event of data) {
        assert.ok(event.sequence_number > number, 'sequence numbers grow');
        number = event.sequence_number;
        if (event.type === 'response.output_text.delta') text += event.delta;
        if (['response.completed', 'response.incomplete'].includes(event.type)) last = event.response;
      }
      const turn = this.read(last, id);
      assert.equal(turn.text, text, 'the deltas are the text');
      return turn;
    });
  }

  read(answer, id) {
    const parts = (type, of) => answer.output.filter((item) => item.type === type).flatMap(of);
    return turnOf({
      raw: answer,
      text: parts('message', (item) => item.content).map((part) => part.text ?? '').join(''),
      reasoning: parts('reasoning', (item) => [...(item.summary ?? []), ...(item.content ?? [])])
        .map((part) => part.text).join(''),
      calls: parts('function_call', (item) => ({ id: item.call_id, name: item.name, input: parse(item.arguments) })),
      finish: answer.incomplete_details?.reason ?? answer.status,
      promptTokens: answer.usage.input_tokens,
      outputTokens: answer.usage.output_tokens,
      requestId: id,
    });
  }

  async *events(model, signal) {
    yield* await this.client.responses.create(this.request(model, 'go on', { stream: true }), { signal });
  }
}

class Messages {
  name = 'anthropic_messages';
  client = new Anthropic({ baseURL: origin, apiKey, maxRetries: 0, timeout });

  ask(model, prompt, options = {}) {
    const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PICTURE } };
    const content = [...(options.picture ? [image] : []), { type: 'text', text: prompt }];
    return this.turn(model, [{ role: 'user', content }], options);
  }

  answerCalls(model, prompt, { calls, raw }, options) {
    const results = calls.map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: RESULT }));
    const messages = [
      { role: 'user', content: prompt },
      { role: 'assistant', content: raw.content },
      { role: 'user', content: [...results, { type: 'text', text: 'thank you' }] },
    ];
    return this.turn(model, messages, { ...options, tools: true });
  }

  request(model, messages, { tools, system, form }) {
    const request = { model, messages, max_tokens: 500 };
    if (system) request.system = system;
    if (tools) request.tools = TOOLS.map(([name, input_schema]) => ({ name, input_schema }));
    if (form) request.output_config = { format: { type: 'json_schema', schema: FORM } };
    return request;
  }

  turn(model, messages, options) {
    return told([Anthropic.APIError], async () => {
      const request = this.request(model, messages, options);
      if (!options.stream) return this.read(await this.client.messages.create(request));
      const stream = this.client.messages.stream(request);
      const message = await stream.finalMessage();
      return this.read({ ...message, _request_id: stream.request_id });
    });
  }

  read(message) {
    const of = (type) => message.content.filter((block) => block.type === type);
    const { usage } = message;
    return turnOf({
      raw: message,
      text: of('text').map((block) => block.text).join(''),
      reasoning: of('thinking').map((block) => block.thinking).join(''),
      calls: of('tool_use').map(({ id, name, input }) => ({ id, name, input })),
      finish: message.stop_reason,
      promptTokens:
        usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0),
      outputTokens: usage.output_tokens,
      requestId: message._request_id,
    });
  }

  async *events(model, signal) {
    const request = this.request(model, [{ role: 'user', content: 'go on' }], {});
    yield* await this.client.messages.create({ ...request, stream: true }, { signal });
  }
}

class Google {
  name = 'google_generate';
  client = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: origin, timeout, retryOptions: { attempts: 1 } } });

  ask(model, prompt, options = {}) {
    const image = { inlineData: { mimeType: 'image/png', data: PICTURE } };
    const parts = [...(options.picture ? [image] : []), { text: prompt }];
    return this.turn(model, [{ role: 'user', parts }], options);
  }

  answerCalls(model, prompt, { calls, raw }, options) {
    const results = calls.map(({ id, name }) => ({ functionResponse: { id, name, response: { result: RESULT } } }));
    const contents = [
      { role: 'user', parts: [{ text: prompt }] },
      { role: 'model', parts: raw },
      { role: 'user', parts: results },
      { role: 'user', parts: [{ text: 'thank you' }] },
    ];
    return this.turn(model, contents, { ...options, tools: true });
  }

  request(model, contents, { tools, system, form, signal }) {
    const config = { maxOutputTokens: 500, abortSignal: signal };
    if (system) config.systemInstruction = system;
    if (tools) {
      const functionDeclarations = TOOLS.map(([name, schema]) => ({
        name, description: name, parametersJsonSchema: schema,
      }));
      config.tools = [{ functionDeclarations }];
    }
    if (form) Object.assign(config, { responseMimeType: 'application/json', responseJsonSchema: FORM });
    return { model, contents, config };
  }

  turn(model, contents, options) {
    const { models } = this.client;
    return told([load('@google/genai').ApiError], async () => {
      const request = this.request(model, contents, options);
      if (!options.stream) return this.collect([await models.generateContent(request)]);
      return this.collect(await models.generateContentStream(request));
    });
  }

  async collect(chunks) {
    const turn = turnOf({ raw: [] });
    for await (const chunk of chunks) {
      const [candidate] = chunk.candidates ?? [];
      turn.finish = candidate?.finishReason ?? turn.finish;
      turn.requestId ??= chunk.sdkHttpResponse?.headers?.['x-request-id'];
      for (const part of candidate?.content?.parts ?? []) {
        turn.raw.push(part);
        if (part.functionCall) {
          const { id, name, args } = part.functionCall;
          turn.calls.push({ id, name, input: args ?? {} });
        } else if (part.thought) turn.reasoning += part.text ?? '';
        else turn.text += part.text ?? '';
      }
      const usage = chunk.usageMetadata;
      if (usage) {
        turn.promptTokens = usage.promptTokenCount ?? 0;
        turn.outputTokens = (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0);
      }
    }
    return turn;
  }

  async *events(model, signal) {
    const request = this.request(model, [{ role: 'user', parts: [{ text: 'go on' }] }], { signal });
    yield* await this.client.models.generateContentStream(request);
  }
}

class Bedrock {
  name = 'bedrock_converse';
  client = new bedrock.BedrockRuntimeClient({
    endpoint: origin,
    region: 'eu-central-1',
    token: { token: apiKey },
    authSchemePreference: ['httpBearerAuth'],
    maxAttempts: 1,
  });

  ask(model, prompt, options = {}) {
    const image = { image: { format: 'png', source: { bytes: Buffer.from(PICTURE, 'base64') } } };
    const content = [...(options.picture ? [image] : []), { text: prompt }];
    return this.turn(model, [{ role: 'user', content }], options);
  }

  answerCalls(model, prompt, { calls, raw }, options) {
    const results = calls.map(({ id }) => ({ toolResult: { toolUseId: id, content: [{ text: RESULT }] } }));
    const messages = [
      { role: 'user', content: [{ text: prompt }] },
      { role: 'assistant', content: raw },
      { role: 'user', content: [...results, { text: 'thank you' }] },
    ];
    return this.turn(model, messages, { ...options, tools: true });
  }

  request(modelId, messages, { tools, system, form }) {
    const request = { modelId, messages, inferenceConfig: { maxTokens: 500 } };
    if (system) request.system = [{ text: system }];
    if (tools) {
      const specs = TOOLS.map(([name, json]) => ({ toolSpec: { name, inputSchema: { json } } }));
      request.toolConfig = { tools: specs };
    }
    if (form) {
      const jsonSchema = { name: 'person', schema: JSON.stringify(FORM) };
      request.outputConfig = { textFormat: { type: 'json_schema', structure: { jsonSchema } } };
    }
    return request;
  }

  turn(model, messages, options) {
    return told([bedrock.BedrockRuntimeServiceException], async () => {
      const request = this.request(model, messages, options);
      if (!options.stream) {
        const answer = await this.client.send(new bedrock.ConverseCommand(request));
        return this.read(answer.output.message.content, answer.stopReason, answer.usage, answer.$metadata);
      }
      const answer = await this.client.send(new bedrock.ConverseStreamCommand(request));
      return this.collect(answer.stream, answer.$metadata);
    });
  }

  read(content, finish, usage, { requestId }) {
    return turnOf({
      raw: content,
      text: content.map((block) => block.text ?? '').join(''),
      reasoning: content.map((block) => block.reasoningContent?.reasoningText?.text ?? '').join(''),
      calls: content.filter((block) => block.toolUse).map(({ toolUse }) => ({
        id: toolUse.toolUseId, name: toolUse.name, input: toolUse.input,
      })),
      finish,
      promptTokens: usage.inputTokens + (usage.cacheReadInputTokens ?? 0) + (usage.cacheWriteInputTokens ?? 0),
      outputTokens: usage.outputTokens,
      requestId,
    });
  }

  async collect(stream, metadata) {
    const blocks = [];
    let finish;
    let usage;
    for await (const event of stream) {
      if (event.contentBlockStart) {
        const { contentBlockIndex: at, start } = event.contentBlockStart;
        blocks[at] = { toolUse: { ...start.toolUse, input: '' } };
      } else if (event.contentBlockDelta) {
        const { contentBlockIndex: at, delta } = event.contentBlockDelta;
        if (delta.text !== undefined) (blocks[at] ??= { text: '' }).text += delta.text;
        if (delta.toolUse) blocks[at].toolUse.input += delta.toolUse.input;
        if (delta.reasoningContent) {
          const block = (blocks[at] ??= { reasoningContent: { reasoningText: { text: '' } } });
          const { text, signature } = delta.reasoningContent;
          block.reasoningContent.reasoningText.text += text ?? '';
          if (signature) block.reasoningContent.reasoningText.signature = signature;
        }
      }
      finish = event.messageStop?.stopReason ?? finish;
      usage = event.metadata?.usage ?? usage;
    }
    for (const { toolUse } of blocks) if (toolUse) toolUse.input = parse(toolUse.input);
    return this.read(blocks, finish, usage, metadata);
  }

  async *events(model, signal) {
    const request = this.request(model, [{ role: 'user', content: [{ text: 'go on' }] }], {});
    const answer = await this.client.send(new bedrock.ConverseStreamCommand(request), { abortSignal: signal });
    yield* answer.stream;
  }
}

export const SPEAKERS = [new OpenAiChat(), new OpenAiResponses(), new Messages(), new Google(), new Bedrock()];
export { Refused };
