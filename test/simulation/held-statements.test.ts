/**
 * Statements that are held and counted, in any order in which things may happen: nothing runs twice,
 * unapproved, or on another's approval, and every client gets the answers that it is owed.
 */

import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { bind } from '../../packages/gateway/src/approvals/binding.ts';
import type {
  Hold,
  HoldRequest,
  HoldsPort,
  Settlement,
} from '../../packages/gateway/src/approvals/holds-port.ts';
import { makeId } from '../../packages/gateway/src/core/ids.ts';
import { encodeFrontend } from '../../packages/gateway/src/protocols/postgres/encode.ts';
import type { FrontendMessage } from '../../packages/gateway/src/protocols/postgres/messages.ts';
import { Random } from '../fuzz/random.ts';
import { BOUND, SimulatedSession } from './held-session.ts';
import { Database, type Ran } from './held-target.ts';

const RUNS = process.env['COUNTERSIGN_SOAK'] === undefined ? 1_500 : 100_000;
const seed = Number(process.env['COUNTERSIGN_SEED'] ?? randomInt(2 ** 31));
const only = process.env['COUNTERSIGN_INPUT'];

/** Of the writes of a client: one alone, two together, and more than the bound at once. */
const ROWS = [BOUND - 4, BOUND, 2 * BOUND];

type State = 'asked' | 'granted' | 'used' | 'over';

interface Asked {
  readonly id: Hold['id'];
  readonly digest: string;
  readonly text: string;
  readonly principal: string;
  readonly rows: number | undefined;
  state: State;
  readonly settle: (settlement: Settlement) => void;
  readonly settled: Promise<Settlement>;
}

/** Holds as approvals/ keeps them, without its store: it has simulations of its own. */
class People implements HoldsPort {
  readonly asked: Asked[] = [];
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  async ask({ binding, requester }: HoldRequest): Promise<Hold> {
    const { digest } = bind(binding);
    const open = this.asked.find(
      (one) => one.digest === digest && (one.state === 'asked' || one.state === 'granted'),
    );
    return this.#holdOf(open ?? this.#askAnew(digest, binding, requester.id));
  }

  granted(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async take(id: Hold['id'], digest: string): ReturnType<HoldsPort['take']> {
    const one = this.asked.find((asked) => asked.id === id);
    if (one?.state !== 'granted')
      return { kind: 'refused', why: one?.state === 'used' ? 'used' : 'not-granted' };
    if (one.digest !== digest) return { kind: 'refused', why: 'other-digest' };
    one.state = 'used';
    return { kind: 'taken', leaf: 0, done: () => Promise.resolve() };
  }

  /** Somebody does something. */
  decide(): void {
    const open = this.asked.filter(({ state }) => state === 'asked' || state === 'granted');
    if (open.length === 0) return;
    const one = this.#random.pick(open);
    const what = this.#random.below(6);
    if (one.state === 'granted') {
      if (what === 0) one.state = 'over';
    } else if (what < 4) {
      one.state = 'granted';
      one.settle({ state: 'granted', approvers: ['olga'], useUntilUs: 0, openedBy: undefined });
    } else {
      one.state = 'over';
      one.settle(what === 4 ? { state: 'denied', by: 'olga', comment: undefined } : { state: 'expired' });
    }
  }

  #askAnew(digest: string, binding: HoldRequest['binding'], principal: string): Asked {
    if ('changes' in binding) throw new Error('no session asks about a change of resources');
    const { promise, resolve } = Promise.withResolvers<Settlement>();
    const one: Asked = {
      id: makeId('hold', this.asked.length, this.#random.bytes(10)),
      digest,
      text: Buffer.from(binding.statement).toString(),
      principal,
      rows: binding.rows,
      state: 'asked',
      settle: resolve,
      settled: promise,
    };
    this.asked.push(one);
    return one;
  }

  #holdOf(one: Asked): Hold {
    return {
      id: one.id,
      digest: one.digest,
      state: one.state === 'granted' ? 'granted' : 'asked',
      expiresUs: 0,
      openedBy: undefined,
      settled: one.settled,
      withdraw: async (reason) => {
        if (one.state === 'asked' || one.state === 'granted') one.state = 'over';
        one.settle({ state: 'withdrawn', by: undefined, reason });
      },
      release: () => undefined,
    };
  }
}

/** What a client sends at once, and how many ReadyForQuery it is owed. */
interface Sent {
  readonly messages: readonly FrontendMessage[];
  readonly readies: number;
}

function query(of: string): FrontendMessage {
  return { kind: 'Query', textBytes: Buffer.from(of) };
}

function execute(of: string): readonly FrontendMessage[] {
  return [
    { kind: 'Parse', statement: '', textBytes: Buffer.from(of), parameterTypeOids: [] },
    { kind: 'Bind', portal: '', statement: '', valueFormats: [], values: [], resultFormats: [] },
    { kind: 'Execute', portal: '', rowsMax: 0 },
  ];
}

function statementsOf(random: Random, name: string): Sent {
  const text = (): string => {
    const which = random.below(3);
    const id = `${name}${which}`;
    const verb = random.below(8);
    if (verb === 0) return `D ${id}`;
    if (verb === 1) return `X ${id}`;
    if (verb === 2) return `R ${id}`;
    // The same again and again: a grant is for exactly what was asked.
    return `W ${id} ${ROWS[which] ?? 1}`;
  };
  switch (random.below(5)) {
    case 0:
      return { messages: [...execute(text()), { kind: 'Sync' }], readies: 1 };
    case 1:
      return { messages: [...execute(text()), ...execute(text()), { kind: 'Sync' }], readies: 1 };
    case 2: {
      const inside = random.oneIn(2)
        ? [query(text()), query(text())]
        : [...execute(text()), { kind: 'Sync' } as const, query(text())];
      const isSaved = random.oneIn(2);
      const saved = isSaved ? [query('SAVEPOINT mine')] : [];
      const back = isSaved ? [query('ROLLBACK TO SAVEPOINT mine'), query(text())] : [];
      const end = query(random.oneIn(3) ? 'ROLLBACK' : 'COMMIT');
      return {
        messages: [query('BEGIN'), ...saved, ...inside, ...back, end],
        readies: isSaved ? 7 : 4,
      };
    }
    default:
      return { messages: [query(text())], readies: 1 };
  }
}

function readiesIn(frames: readonly Uint8Array[]): { readonly readies: number; readonly last: string } {
  const bytes = Buffer.concat(frames);
  let readies = 0;
  let last = '';
  for (let at = 0; at < bytes.length; ) {
    const type = String.fromCharCode(bytes[at] ?? 0);
    const end = at + 1 + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) throw new Error('a client has half of a frame at the end');
    if (type === 'Z') {
      readies += 1;
      last = String.fromCharCode(bytes[at + 5] ?? 0);
    }
    at = end;
  }
  return { readies, last };
}

interface Sum {
  committed: number;
  asked: number;
  used: number;
  broken: number;
  /** Runs inside of a client's transaction that were undone alone. */
  undone: number;
}

async function simulate(random: Random, sum: Sum): Promise<void> {
  const database = new Database();
  const people = new People(random);
  const inTransaction = random.oneIn(2) ? 'wait' : 'refuse';
  const sessions = ['a', 'b'].map((name) => {
    const principal = {
      id: makeId('principal', name.charCodeAt(0), new Uint8Array(10).fill(name.charCodeAt(0))),
      name,
      kind: 'user',
      groups: [],
      issuer: 'local',
      subject: name,
    } as const;
    return {
      name,
      principal,
      session: new SimulatedSession({ holds: people, database, random, inTransaction, principal }),
      owed: 0,
      sent: 0,
    };
  });
  for (let step = 0; step < 400; step += 1) {
    const one = random.pick(sessions);
    if (one.sent < 4 && random.oneIn(8) && !one.session.over) {
      const { messages, readies } = statementsOf(random, one.name);
      one.session.send(Buffer.concat(messages.map(encodeFrontend)));
      one.owed += readies;
      one.sent += 1;
    }
    if (random.oneIn(6)) people.decide();
    if (random.oneIn(60)) one.session.cancel();
    if (random.oneIn(250) && !one.session.over) {
      one.session.break();
      sum.broken += 1;
      const { principal } = one;
      one.session = new SimulatedSession({ holds: people, database, random, inTransaction, principal });
      one.owed = 0;
    }
    one.session.step(random);
    await new Promise((resolve) => setImmediate(resolve));
  }
  // Everything that waits is decided, and everything that was sent is answered.
  for (let idle = 0; idle < 20; ) {
    const moved = sessions.map(({ session }) => session.step(random)).includes(true);
    people.decide();
    await new Promise((resolve) => setImmediate(resolve));
    idle = moved ? 0 : idle + 1;
  }
  for (const { name, session, owed } of sessions) {
    expect(session.failure, `session ${name}`).toBeUndefined();
    const { readies, last } = readiesIn(session.delivered);
    expect(readies, `answers of session ${name}`).toBe(owed);
    expect(last).toBe(owed > 0 ? 'I' : '');
  }
  check(database, people, sum);
}

/** Each use of an approval stands for one statement that was committed, by whom it was for. */
function check(database: Database, people: People, sum: Sum): void {
  const used = people.asked.filter(({ state }) => state === 'used');
  const spent = new Set<Asked>();
  const spend = (ran: Ran, verb: string, rows: number | undefined): void => {
    const text = verb === 'D' ? `D ${ran.id}` : `W ${ran.id} ${ran.rows}`;
    const one = used.find(
      (asked) =>
        !spent.has(asked) && asked.text === text && (rows === undefined || (asked.rows ?? 0) >= rows),
    );
    if (one === undefined)
      throw new Error(`"${text}" was committed, ${rows ?? 0} rows, and nobody has approved that`);
    spent.add(one);
  };
  for (const transaction of database.committed) {
    let rows = 0;
    for (const ran of transaction) {
      rows += ran.rows;
      if (ran.rows === 0) spend(ran, 'D', undefined);
      else if (rows >= BOUND) spend(ran, 'W', rows);
    }
  }
  sum.committed += database.committed.length;
  sum.asked += people.asked.length;
  sum.used += used.length;
  sum.undone += database.undone;
}

it(`nothing runs twice, unapproved, or on another’s approval in ${RUNS} interleavings`, {
  timeout: 3_600_000,
}, async () => {
  const [from, to] = only === undefined ? [0, RUNS] : [Number(only), Number(only) + 1];
  const sum: Sum = { committed: 0, asked: 0, used: 0, broken: 0, undone: 0 };
  for (let run = from; run < to; run += 1) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      await simulate(new Random(seed, run), sum);
    } catch (cause) {
      throw new Error(`again with COUNTERSIGN_SEED=${seed} COUNTERSIGN_INPUT=${run}`, { cause });
    }
  }
  console.info(
    `seed ${seed}, ${to - from} interleavings: ${sum.committed} transactions committed, ${sum.asked} approvals asked, ${sum.used} used, ${sum.undone} runs undone inside of a transaction, ${sum.broken} connections broken`,
  );
  // Where nothing is ever approved, nothing is tested.
  expect(sum.used).toBeGreaterThan(only === undefined ? RUNS / 10 : -1);
  expect(sum.undone).toBeGreaterThan(only === undefined ? RUNS / 10 : -1);
});
