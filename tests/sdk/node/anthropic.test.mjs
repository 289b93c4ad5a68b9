// The Anthropic SDK for Node, in its own dialect and across.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { jsonSchemaOutputFormat } from '@anthropic-ai/sdk/helpers/json-schema';
import {
  EVERYWHERE, GATEWAY, KEY, NARROW_KEY, OUTSIDE, PIXEL, SIMULATOR, WEATHER, WEATHER_ARGUMENTS,
  assertCancelled, failing, fails, fresh, marker, model, received,
} from './session.mjs';

const baseURL = GATEWAY ?? `${SIMULATOR}/anthropic`;
const client = new Anthropic({ baseURL, apiKey: KEY, maxRetries: 0, timeout: 30_000 });
const user = (content) => ({ role: 'user', content });
const tool = (name) => ({ name, description: `Gets ${name}.`, input_schema: WEATHER });
const THINKING = { thinking: { type: 'enabled', budget_tokens: 1024 }, max_tokens: 2048 };

for (const provider of EVERYWHERE) {
  const crossed = provider === 'via-openai';
  const params = (name, messages, given) => ({
    model: model(provider, name),
    max_tokens: 1000,
    messages: typeof messages === 'string' ? [user(messages)] : messages,
    ...given,
  });
  const ask = (name, messages, given = {}) => client.messages.create(params(name, messages, given));
  const stream = (name, messages, given = {}) => client.messages.stream(params(name, messages, given)).finalMessage();

  describe(`anthropic, ${provider}`, () => {
    test('a message, whole and streamed', async () => {
      for (const said of [await ask('echo', 'Grüße, 世界! 👋'), await stream('echo', 'Grüße, 世界! 👋')]) {
        assert.deepEqual(said.content.map((block) => [block.type, block.text]), [['text', 'Grüße, 世界! 👋']]);
        assert.equal(said.stop_reason, 'end_turn');
        assert.ok(said.usage.input_tokens > 0 && said.usage.output_tokens > 0);
      }
    });

    test('a stream is the whole in pieces', async () => {
      const whole = await ask('lorem-100', 'x');
      const pieces = [];
      const helper = client.messages.stream(params('lorem-100', 'x', {}));
      helper.on('text', (piece) => pieces.push(piece));
      const final = await helper.finalMessage();
      assert.equal(pieces.join(''), whole.content[0].text);
      assert.equal(final.content[0].text, whole.content[0].text);
      assert.equal(final.usage.output_tokens, whole.usage.output_tokens);
      assert.ok(pieces.length > 25, 'the stream was gathered before it was passed on');
    });

    test('text that breaks at byte boundaries', async () => {
      const whole = (await ask('unicode', 'x')).content[0].text;
      for (const name of ['unicode', 'unicode+sse-split-1', 'unicode+sse-crlf']) {
        assert.equal((await stream(name, 'x')).content[0].text, whole, name);
      }
    });

    test('tools in a loop', async () => {
      const tools = [tool('get_weather'), tool('get_time')];
      for (const call of [ask, stream]) {
        const messages = [user('Both?')];
        const said = await call('tool-caller-2', messages, { tools });
        assert.equal(said.stop_reason, 'tool_use');
        assert.deepEqual(said.content.map((block) => [block.name, block.input]), [
          ['get_weather', WEATHER_ARGUMENTS],
          ['get_time', WEATHER_ARGUMENTS],
        ]);
        const results = said.content.map((block) => ({ type: 'tool_result', tool_use_id: block.id, content: `${block.name}: fine` }));
        messages.push({ role: 'assistant', content: said.content }, user(results));
        const again = await call('tool-caller-2', messages, { tools });
        assert.equal(again.content[0].text, 'The tools answered. result: get_weather: fine; result: get_time: fine');
      }
    });

    test('an image', async () => {
      const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL } };
      const said = await ask('vision', [user([image, { type: 'text', text: 'What is it?' }])]);
      assert.match(said.content[0].text, /image: image\/png, 70 bytes/);
    });

    test('structured output', async () => {
      const output_config = { format: jsonSchemaOutputFormat(WEATHER) };
      const said = await client.messages.parse(params('json', 'Go', { output_config }));
      assert.deepEqual(said.parsed_output, WEATHER_ARGUMENTS);
    });

    test('thinking, replayed byte for byte', async () => {
      for (const call of [ask, stream]) {
        const word = marker();
        const said = await call('reasoner', `Why ${word}?`, THINKING);
        assert.deepEqual(said.content.map((block) => block.type), ['thinking', 'text']);
        const turns = [user(`Why ${word}?`), { role: 'assistant', content: said.content }, user('And then?')];
        const again = await call('reasoner', turns, THINKING);
        assert.match(again.content.at(-1).text, /And then\?/);
        if (provider === 'via-anthropic') {
          const [sent] = (await received(word))[0].body.messages[1].content;
          assert.deepEqual([sent.thinking, sent.signature], [said.content[0].thinking, said.content[0].signature]);
        }
      }
    });

    test('limits', async () => {
      assert.equal((await ask('lorem-200', 'x', { max_tokens: 10 })).stop_reason, 'max_tokens');
      const stopped = await ask('echo', 'one HALT two', { stop_sequences: ['HALT'] });
      assert.equal(stopped.content[0].text.trim(), 'one');
      assert.equal((await ask('refuser', 'x')).stop_reason, 'refusal');
    });

    test('failures of the provider', async () => {
      const rows = [
        ['status-400', Anthropic.BadRequestError],
        ['status-404', Anthropic.NotFoundError],
        ['status-500', Anthropic.InternalServerError],
        ['status-503', Anthropic.InternalServerError],
        ['status-529', Anthropic.InternalServerError],
        ['context-length', Anthropic.BadRequestError],
      ];
      for (const [name, kind] of rows) {
        for (const streamed of [false, true]) await fails(ask(failing(name), 'x', { stream: streamed }), kind);
      }
      if (!crossed) {
        const error = await fails(ask(failing('status-529'), 'x'), Anthropic.OverloadedError ?? Anthropic.InternalServerError);
        assert.equal(error.status, 529);
      }
    });

    test('an error in the stream', async () => {
      await fails(stream(failing('error-event-after-10-chunks'), 'x'), Anthropic.AnthropicError);
      for (const fault of GATEWAY ? ['cut-after-5-chunks', 'end-after-5-chunks', 'no-finish', 'truncated-json'] : []) {
        await fails(stream(failing(fault), 'x'), Anthropic.AnthropicError);
      }
    });
  });
}

for (const provider of OUTSIDE) {
  describe(`anthropic, ${provider}, time`, () => {
    test('the timeout of the caller', async () => {
      const name = 'lorem-36+slow-first-byte-5s';
      const given = { model: model(provider, name), messages: [user('x')], max_tokens: 50 };
      await fails(client.messages.create(given, { timeout: 500 }), Anthropic.APIConnectionTimeoutError);
      await assertCancelled(name, 2000);
    });

    test('a provider that limits', async () => {
      const asked = client.messages.create({ model: fresh(provider, 'status-429-retry-7'), messages: [user('x')], max_tokens: 50 });
      const limited = await fails(asked, Anthropic.RateLimitError);
      assert.ok(['6', '7'].includes(limited.headers.get('retry-after')), limited.headers.get('retry-after'));
    });

    test('a caller who leaves', async () => {
      const name = 'stream-300-26ms';
      const given = { model: model(provider, name), messages: [user('x')], max_tokens: 1000, stream: true };
      let events = 0;
      for await (const _ of await client.messages.create(given)) if (++events === 5) break;
      await assertCancelled(name, 1000);
    });

    test('headers of answers', { skip: !GATEWAY && 'the gateway sets them' }, async () => {
      const asked = client.messages.create({ model: model(provider, 'echo'), messages: [user('x')], max_tokens: 50 });
      const { response, request_id } = await asked.withResponse();
      assert.equal(response.headers.get('x-tollgate-model'), model(provider, 'echo'));
      assert.ok(request_id, 'the SDK reads the id from the header request-id');
    });
  });
}

describe('anthropic, access', { skip: !GATEWAY && 'only a gateway refuses' }, () => {
  const call = (given, name) =>
    new Anthropic({ baseURL, maxRetries: 0, ...given }).messages.create({ model: name, messages: [user('x')], max_tokens: 50 });

  test('keys and models', async () => {
    await fails(call({ apiKey: 'wrong-key-0123456789' }, 'mock/echo'), Anthropic.AuthenticationError);
    await fails(call({ apiKey: KEY }, 'nonsense'), Anthropic.NotFoundError);
    await fails(call({ apiKey: NARROW_KEY }, 'mock/lorem-5'), Anthropic.PermissionDeniedError);
    assert.equal((await call({ authToken: KEY, apiKey: null }, 'mock/echo')).content[0].text, 'x');
    assert.equal((await call({ apiKey: KEY }, 'mock/echo')).content[0].text, 'x');
  });

  test('malformed', async () => {
    await fails(client.post('/v1/messages', { body: { model: 'mock/echo', messages: 7, max_tokens: 5 } }), Anthropic.BadRequestError);
  });
});
