/** How long a client waits, by what of its session is open at the target. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Hold, HoldsPort } from '../../approvals/holds-port.ts';
import { makeId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import { HOLD, rule, statement, text } from '../../policy/testing-facts.ts';
import { encodeBackend } from '../../protocols/postgres/encode.ts';
import { BACKEND } from '../../protocols/postgres/messages.ts';
import { type Asked, type AskedPiece, Asking } from './asking.ts';
import type { KeptAnswer } from './exchange.ts';
import { CountStatement } from './count-statement.ts';
import { ClientTransaction } from './ground.ts';
import type { OpenAtTarget } from './open-at-target.ts';
import { RunningOperation } from './running-operation.ts';

const ID = makeId('hold', 1, new Uint8Array(10));

/** Nobody ever decides. */
class Nobody implements HoldsPort {
  withdrawn = 0;
  released = 0;

  async ask(): Promise<Hold> {
    return {
      id: ID,
      digest: 'd',
      state: 'asked',
      expiresUs: 0,
      openedBy: undefined,
      settled: new Promise(() => undefined),
      withdraw: async () => void (this.withdrawn += 1),
      release: () => void (this.released += 1),
    };
  }

  async granted(): Promise<undefined> {
    return undefined;
  }

  take(): ReturnType<HoldsPort['take']> {
    throw new Error('nothing was granted');
  }
}

/** Answers every question with one row of these values. */
class Answering extends ClientTransaction {
  readonly #values: readonly string[];

  constructor(values: readonly string[]) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Nothing is sent.
    super(undefined as never, new CountStatement('ours'));
    this.#values = values;
  }

  override async ask(): Promise<KeptAnswer> {
    const values = this.#values.map((value) => new TextEncoder().encode(value));
    const bytes = encodeBackend({ kind: 'DataRow', values });
    return { outcome: 'completed', frames: [{ type: BACKEND.DataRow, bytes }] };
  }
}

/** Asks for what these rules hold; tells how it ended, when it has. */
function asks(
  open: OpenAtTarget,
  isolation: string,
  inTransaction: readonly ('wait' | 'refuse')[],
): {
  readonly asking: Asking;
  readonly holds: Nobody;
  readonly notices: string[];
  readonly end: { asked: Asked | undefined };
} {
  const holds = new Nobody();
  const notices: string[] = [];
  const asking = new Asking({
    holds,
    holdLink: (id) => `https://gateway.example/v1/approvals/${id}`,
    requester: {
      id: makeId('principal', 1, new Uint8Array(10)),
      name: 'ana',
      kind: 'user',
      groups: [],
      issuer: 'local',
      subject: 'ana',
    },
    session: makeId('session', 1, new Uint8Array(10)),
    connection: 'db',
    database: 'db',
    address: '10.0.0.1',
    say: (frame) => notices.push(Buffer.from(frame).toString()),
    waiting: () => undefined,
  });
  const read = text(statement());
  const decision = {
    kind: 'hold',
    causes: [],
    holds: [],
    statements: [],
    breakGlass: [],
    counted: [],
    returned: [],
    estimated: [],
    onlyReads: true,
    syntaxError: undefined,
  } as const;
  const piece: AskedPiece = {
    judgement: { policy: 'p', decision, read },
    operation: new RunningOperation(0),
    message: 'Query',
    textBytes: new Uint8Array(0),
    portal: undefined,
    spooled: undefined,
    copyIn: false,
  };
  const held = inTransaction.map((how, at) => ({
    rule: rule(`rule ${at}`, {}, { ...HOLD, inTransaction: how }),
    cause: undefined,
    rows: undefined,
  }));
  const end: { asked: Asked | undefined } = { asked: undefined };
  void asking.all(piece, new Answering([isolation]), held, open).then((asked) => (end.asked = asked));
  return { asking, holds, notices, end };
}

describe('a client whose statement is held', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('waits inside of its transaction until a limit, and its request stays', async () => {
    const { holds, notices, end } = asks('transaction', 'read committed', ['wait', 'wait']);
    await vi.advanceTimersByTimeAsync(LIMITS.policy.waitInTransactionMs - 1);
    expect(end.asked).toBeUndefined();
    expect(notices[0]).toContain('for 5 minutes at most');
    await vi.advanceTimersByTimeAsync(1);
    expect(end.asked).toMatchObject({ kind: 'refused', error: { code: 'POLICY_HELD', details: { id: ID } } });
    expect(holds).toMatchObject({ withdrawn: 0, released: 2 });
  });

  it.each([
    { how: 'cancel', withdrawn: 1 },
    { how: 'leave', withdrawn: 0 },
  ] as const)('does not wait where it did this while it was asked: $how', async ({ how, withdrawn }) => {
    const { asking, holds, end } = asks('transaction', 'read committed', ['wait']);
    asking[how]();
    await vi.advanceTimersByTimeAsync(0);
    expect(end.asked).toMatchObject({ kind: 'refused', error: { code: 'HOLD_WITHDRAWN' } });
    expect(holds).toMatchObject({ withdrawn, released: 1 });
  });

  it('waits without that limit where nothing is open', async () => {
    const { notices, end } = asks('nothing', 'read committed', ['refuse']);
    await vi.advanceTimersByTimeAsync(LIMITS.policy.waitInTransactionMs * 2);
    expect(end.asked).toBeUndefined();
    expect(notices[0]).not.toContain('Its transaction');
  });

  it.each([
    ['transaction', 'read committed', ['wait', 'refuse']],
    ['transaction', 'repeatable read', ['wait']],
    ['transaction', 'serializable', ['wait']],
    ['transaction', '', ['wait']],
    ['all', 'read committed', ['wait']],
  ] as const)('does not wait: %s, %s, %s', async (open, isolation, inTransaction) => {
    const { notices, end } = asks(open, isolation, inTransaction);
    await vi.advanceTimersByTimeAsync(0);
    expect(end.asked).toMatchObject({ kind: 'refused', error: { code: 'POLICY_HELD' } });
    expect(notices).toEqual([]);
  });
});
