// The OpenAI SDK for Node, in its own dialect and across.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import {
  EVERYWHERE, GATEWAY, KEY, NARROW_KEY, OUTSIDE, PIXEL, SIMULATOR, WEATHER, WEATHER_ARGUMENTS,
  assertCancelled, failing, fails, fresh, marker, model, received, route,
} from './session.mjs';

const baseURL = GATEWAY ? `${GATEWAY}/v1` : `${SIMULATOR}/openai/v1`;
const client = new OpenAI({ baseURL, apiKey: KEY, maxRetries: 0, timeout: 30_000 });
const user = (content) => ({ role: 'user', content });
const tool = (name, parameters = WEATHER) => ({ type: 'function', function: { name, description: `Gets ${name}.`, parameters } });

for (const provider of EVERYWHERE) {
  const crossed = provider === 'via-anthropic';
  const ask = (name, messages, given = {}) =>
    client.chat.completions.create({
      model: model(provider, name),
      messages: typeof messages === 'string' ? [user(messages)] : messages,
      ...given,
    });
  const gather = async (name, messages, given = {}) => {
    const got = { text: '', finishes: [], usages: [], chunks: 0 };
    for await (const chunk of await ask(name, messages, { stream: true, ...given })) {
      got.chunks += 1;
      if (chunk.usage) got.usages.push(chunk.usage);
      for (const choice of chunk.choices) {
        got.text += choice.delta.content ?? '';
        if (choice.finish_reason) got.finishes.push(choice.finish_reason);
      }
    }
    return got;
  };

  describe(`openai, ${provider}`, () => {
    test('a chat', async () => {
      const said = await ask('echo', 'Grüße, 世界! 👋');
      assert.equal(said.choices[0].message.content, 'Grüße, 世界! 👋');
      assert.equal(said.choices[0].finish_reason, 'stop');
      assert.equal(said.usage.total_tokens, said.usage.prompt_tokens + said.usage.completion_tokens);
    });

    test('a stream is the whole in pieces, with usage only when asked', async () => {
      const whole = await ask('lorem-100', 'x');
      const got = await gather('lorem-100', 'x');
      assert.equal(got.text, whole.choices[0].message.content);
      assert.deepEqual([got.finishes, got.usages], [['stop'], []]);
      assert.ok(got.chunks > 25, 'the stream was gathered before it was passed on');
      const asked = await gather('lorem-100', 'x', { stream_options: { include_usage: true } });
      assert.equal(asked.usages.length, 1);
      assert.equal(asked.usages[0].completion_tokens, whole.usage.completion_tokens);
    });

    test('the stream helper', async () => {
      const stream = client.chat.completions.stream({ model: model(provider, 'lorem-30'), messages: [user('x')] });
      let text = '';
      stream.on('content', (delta) => (text += delta));
      const final = await stream.finalChatCompletion();
      assert.equal(final.choices[0].message.content, text);
      assert.equal(text, (await ask('lorem-30', 'x')).choices[0].message.content);
    });

    test('text that breaks at byte boundaries', async () => {
      const whole = (await ask('unicode', 'x')).choices[0].message.content;
      for (const name of ['unicode', 'unicode+sse-split-1', 'unicode+sse-crlf']) {
        assert.equal((await gather(name, 'x')).text, whole, name);
      }
    });

    test('tools in a loop', async () => {
      const tools = [tool('get_weather'), tool('get_time')];
      const messages = [user('How is the weather?')];
      const { message, finish_reason } = (await ask('tool-caller', messages, { tools })).choices[0];
      assert.equal(finish_reason, 'tool_calls');
      const [call] = message.tool_calls;
      assert.equal(call.function.name, 'get_weather');
      assert.deepEqual(JSON.parse(call.function.arguments), WEATHER_ARGUMENTS);
      messages.push(message, { role: 'tool', tool_call_id: call.id, content: 'Sunny, 21 °C' });
      const said = await ask('tool-caller', messages, { tools });
      assert.equal(said.choices[0].message.content, 'The tools answered. result: Sunny, 21 °C');
    });

    test('the tool runner', async () => {
      const asked = [];
      const run = (name) => ({ city }) => (asked.push([name, city]), `${name}: fine`);
      const runnable = (name) => ({
        type: 'function',
        function: { name, description: name, parameters: WEATHER, parse: JSON.parse, function: run(name) },
      });
      for (const stream of [false, true]) {
        asked.length = 0;
        const runner = client.chat.completions.runTools({
          model: model(provider, 'tool-caller-2'),
          messages: [user('Both, please')],
          tools: [runnable('get_weather'), runnable('get_time')],
          stream,
        });
        assert.equal(await runner.finalContent(), 'The tools answered. result: get_weather: fine; result: get_time: fine');
        assert.deepEqual(asked, [['get_weather', 'sample city'], ['get_time', 'sample city']]);
      }
    });

    test('an image', async () => {
      const image = { type: 'image_url', image_url: { url: `data:image/png;base64,${PIXEL}` } };
      const said = await ask('vision', [user([{ type: 'text', text: 'What is it?' }, image])]);
      assert.match(said.choices[0].message.content, /image: image\/png, 70 bytes/);
    });

    test('structured output', async () => {
      const response_format = { type: 'json_schema', json_schema: { name: 'weather', strict: true, schema: WEATHER } };
      const given = { model: model(provider, 'json'), messages: [user('JSON, please')], response_format };
      const said = await client.chat.completions.parse(given);
      assert.deepEqual(JSON.parse(said.choices[0].message.content), WEATHER_ARGUMENTS);
      const final = await client.chat.completions.stream(given).finalChatCompletion();
      assert.deepEqual(JSON.parse(final.choices[0].message.content), WEATHER_ARGUMENTS);
    });

    test('reasoning', async () => {
      const { message } = (await ask('reasoner', 'Why?', { reasoning_effort: 'low' })).choices[0];
      assert.match(message.reasoning_content, /step by step/);
      const again = await ask('reasoner', [user('Why?'), message, user('And then?')]);
      assert.match(again.choices[0].message.content, /And then\?/);
    });

    test('limits', async () => {
      assert.equal((await ask('lorem-200', 'x', { max_completion_tokens: 10 })).choices[0].finish_reason, 'length');
      const stopped = await ask('echo', 'one HALT two', { stop: ['HALT'] });
      assert.equal(stopped.choices[0].message.content.trim(), 'one');
    });

    test('failures of the provider', async () => {
      const rows = [
        ['status-400', OpenAI.BadRequestError],
        ['status-404', OpenAI.NotFoundError],
        ['status-500', OpenAI.InternalServerError],
        ['status-503', OpenAI.InternalServerError],
        ['context-length', OpenAI.BadRequestError],
      ];
      for (const [name, kind] of rows) {
        for (const stream of [false, true]) await fails(ask(failing(name), 'x', { stream }), kind);
      }
    });

    test('an error in the stream', async () => {
      await fails(gather(failing('error-event-after-10-chunks'), 'x'), OpenAI.APIError);
      for (const fault of GATEWAY ? ['cut-after-5-chunks', 'end-after-5-chunks', 'no-finish', 'truncated-json'] : []) {
        await fails(gather(failing(fault), 'x'), OpenAI.APIError);
      }
    });
  });
}

for (const provider of OUTSIDE) {
  describe(`openai, ${provider}, time`, () => {
    test('the timeout of the caller', async () => {
      const name = 'lorem-35+slow-first-byte-5s';
      const asked = client.chat.completions.create({ model: model(provider, name), messages: [user('x')] }, { timeout: 500 });
      await fails(asked, OpenAI.APIConnectionTimeoutError);
      await assertCancelled(name, 2000);
    });

    test('a provider that limits', async () => {
      const asked = client.chat.completions.create({ model: fresh(provider, 'status-429-retry-7'), messages: [user('x')] });
      const limited = await fails(asked, OpenAI.RateLimitError);
      assert.ok(['6', '7'].includes(limited.headers.get('retry-after')), limited.headers.get('retry-after'));
    });

    test('a caller who leaves', async () => {
      const name = 'stream-300-25ms';
      const stream = await client.chat.completions.create({ model: model(provider, name), messages: [user('x')], stream: true });
      let chunks = 0;
      for await (const _ of stream) if (++chunks === 5) break;
      await assertCancelled(name, 1000);
    });

    test('a provider that stalls', { skip: !GATEWAY && 'only a gateway has timeouts' }, async () => {
      const late = await fails(client.chat.completions.create({ model: route(provider, 'impatient'), messages: [user('x')] }), OpenAI.InternalServerError);
      assert.equal(late.status, 504);
      const midway = async () => {
        for await (const _ of await client.chat.completions.create({ model: route(provider, 'impatient-midway'), messages: [user('x')], stream: true }));
      };
      await fails(midway(), OpenAI.APIError);
    });

    test('retries are not multiplied', { skip: !GATEWAY && 'the simulator gives no advice' }, async () => {
      const word = marker();
      const patient = new OpenAI({ baseURL, apiKey: KEY, maxRetries: 2 });
      const error = await fails(
        patient.chat.completions.create({ model: model(provider, failing('status-503')), messages: [user(word)] }),
        OpenAI.InternalServerError,
      );
      assert.equal(error.headers.get('x-should-retry'), 'false');
      assert.ok((await received(word)).length <= 3);
    });

    test('headers of answers', { skip: !GATEWAY && 'the gateway sets them' }, async () => {
      const asked = client.chat.completions.create({ model: model(provider, 'echo'), messages: [user('x')] });
      const { response, request_id } = await asked.withResponse();
      assert.equal(response.headers.get('x-tollgate-model'), model(provider, 'echo'));
      assert.equal(request_id, response.headers.get('x-request-id'));
      assert.ok(request_id);
    });
  });
}

describe('openai, access', { skip: !GATEWAY && 'only a gateway refuses' }, () => {
  const call = (apiKey, name) =>
    new OpenAI({ baseURL, apiKey, maxRetries: 0 }).chat.completions.create({ model: name, messages: [user('x')] });

  test('keys and models', async () => {
    assert.equal((await fails(call('wrong-key-0123456789', 'mock/echo'), OpenAI.AuthenticationError)).code, 'invalid_api_key');
    await fails(call(KEY, 'nonsense'), OpenAI.NotFoundError);
    await fails(call(NARROW_KEY, 'mock/lorem-5'), OpenAI.PermissionDeniedError);
    assert.equal((await call(NARROW_KEY, 'mock/echo')).choices[0].message.content, 'x');
  });

  test('malformed', async () => {
    await fails(client.post('/chat/completions', { body: { model: 'mock/echo', messages: 7 } }), OpenAI.BadRequestError);
  });

  test('too large, told and not cut off', async () => {
    // Node gives up on an answer that comes together with a reset, so that what is still being sent must be taken in.
    for (const bytes of [2 << 20, 8 << 20, 8 << 20, 8 << 20]) {
      const asked = client.chat.completions.create({ model: 'mock/echo', messages: [user('x'.repeat(bytes))] });
      assert.equal((await fails(asked, OpenAI.APIError)).status, 413, `${bytes} bytes`);
    }
  });
});
