// What every test here has: model names for its provider, and a look at what reached the simulator.
// Every test runs for the simulator inside the gateway (it answers in the caller's dialect) and for one endpoint of each dialect.

import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import assert from 'node:assert/strict';

export const SIMULATOR = process.env.TESTS_SIMULATOR;
// Absent: the tests talk to the simulator itself, to be tested themselves.
export const GATEWAY = process.env.TESTS_GATEWAY;
export const KEY = process.env.TESTS_KEY;
export const NARROW_KEY = process.env.TESTS_NARROW_KEY;
export const OUTSIDE = GATEWAY ? ['via-openai', 'via-anthropic'] : ['direct'];
export const EVERYWHERE = GATEWAY ? ['mock', ...OUTSIDE] : ['direct'];

export const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
export const WEATHER = {
  type: 'object',
  properties: { city: { type: 'string' }, days: { type: 'integer' } },
  required: ['city', 'days'],
  additionalProperties: false,
};
export const WEATHER_ARGUMENTS = { city: 'sample city', days: 42 };

export const model = (provider, name) => (GATEWAY ? `${provider}/${name}` : name);
// Each test file is a process of its own, so that they begin to count at different numbers.
const anthropic = process.argv[1].includes('anthropic');
let [next, words] = anthropic ? [4, 200] : [0, 60];
/** The model of that name at a provider that nobody has used: what it says puts it aside for a while. */
export const fresh = (provider, name) => (GATEWAY ? `${provider}-${next++}/${name}` : name);
/** The name of a model that fails in this way. The gateway remembers which ones do, so that none is used twice. */
export const failing = (fault) => `lorem-${words++}+${fault}`;
/** The route of that name for a provider and this SDK. */
export const route = (provider, name) => `${name}-${provider}-${anthropic ? 'anthropic' : 'openai'}`;
export const marker = () => `m${randomUUID().replaceAll('-', '')}`;

const page = async (path) => (await fetch(SIMULATOR + path)).json();

/** All requests with that word that reached the simulator, the newest first. */
export async function received(word) {
  const { requests } = await page('/requests/last?n=64');
  return requests
    .filter((request) => request.body?.includes(word))
    .map((request) => ({
      headers: Object.fromEntries(request.headers.map(([name, value]) => [name.toLowerCase(), value])),
      body: JSON.parse(request.body),
    }));
}

/** The simulator's bill says that the last caller of that model left. */
export async function assertCancelled(name, withinMs) {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const last = (await page('/bill')).requests.findLast((line) => line.model === name);
    if (last?.cancelled) return;
    assert.ok(Date.now() < deadline, `not cancelled: ${JSON.stringify(last)}`);
    await pause(20);
  }
}

/** An assertion that the promise fails with exactly this class; returns the error. */
export async function fails(promise, kind) {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof kind, `${kind.name} was to be thrown, not ${error?.constructor?.name}: ${error?.message}`);
    return error;
  }
  assert.fail(`${kind.name} was to be thrown, nothing was`);
}
