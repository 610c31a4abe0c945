import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HTTP_LIMITS } from '../core/http-limits.ts';
import type { SessionId } from '../core/ids.ts';
import { OutcomeWindow } from './outcome-window.ts';
import { sessionLeaves } from './session-leaves.ts';
import { type TestingApi, type TestingOperation, testingOnlyApi } from './testing-api.ts';

let api: TestingApi;

beforeAll(async () => {
  api = await testingOnlyApi();
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

function operations(...statuses: readonly string[]): readonly TestingOperation[] {
  return statuses.map((status) => ({ intent: { sql: 'select 1' }, status }));
}

async function intentsOf(session: SessionId): Promise<readonly number[]> {
  const intents: number[] = [];
  const range = { session, from: 0, to: api.rooms.ledger.size };
  for await (const { leaf } of sessionLeaves(api.rooms.reader, range, undefined)) {
    if (leaf.type === 'statement.intent') intents.push(leaf.n);
  }
  return intents;
}

describe('what became of the operations of a session', () => {
  it('is what their outcome leaves say, in whatever order they are asked for, and not that of another session', async () => {
    const other = await api.makeOperations('ana', operations('error'));
    const session = await api.makeOperations('ana', operations('ok', 'blocked', 'cancelled'));
    const [one = 0, two = 0, three = 0] = await intentsOf(session);
    const range = { session, from: 0, to: api.rooms.ledger.size };
    const window = new OutcomeWindow(api.rooms.reader, range);
    expect(await window.statusOf(two)).toBe('blocked');
    expect(await window.statusOf(one)).toBe('ok');
    expect(await window.statusOf((await intentsOf(other))[0] ?? 0)).toBeUndefined();
    expect(await window.statusOf(three)).toBe('cancelled');
    await window.close();
  });

  it('is looked for within a bound where nothing says it, and what follows is still found', async () => {
    const { replayedExchangesMax } = HTTP_LIMITS;
    Object.assign(HTTP_LIMITS, { replayedExchangesMax: 4 });
    try {
      const session = await api.makeOperations('ana', operations(...Array.from({ length: 12 }, () => 'ok')));
      const intents = await intentsOf(session);
      const range = { session, from: 0, to: api.rooms.ledger.size };
      const window = new OutcomeWindow(api.rooms.reader, range);
      // Nobody has this one: four outcomes are read for it, and kept.
      expect(await window.statusOf(-1)).toBeUndefined();
      expect(await window.statusOf(intents[0] ?? 0)).toBe('ok');
      expect(await window.statusOf(intents[4] ?? 0)).toBe('ok');
      // Four more for nobody: no more than four are kept, the newest.
      expect(await window.statusOf(-1)).toBeUndefined();
      expect(await window.statusOf(intents[8] ?? 0)).toBe('ok');
      expect(await window.statusOf(intents[1] ?? 0)).toBeUndefined();
      await window.close();
    } finally {
      Object.assign(HTTP_LIMITS, { replayedExchangesMax });
    }
  });
});
