/** Random sessions under a bound get exactly the rows that a model says, statement by statement. */

import * as fc from 'fast-check';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorIn, type FrameClient, frameClient, rowsIn, statusIn } from './frame-client.ts';
import { type Harness, startHarness } from './harness.ts';
import { bind, execute, frame, parse, query, SYNC } from './raw-session.ts';
import { DOCUMENTS } from './returned-cases.ts';

const BOUND = 10;
const ROWS = 40;
const RUNS = process.env['COUNTERSIGN_SOAK'] !== undefined ? 2_000 : 60;

let harness: Harness;
let token: string;

beforeAll(async () => {
  harness = await startHarness({ postgres: { settings: { fsync: 'off' } } });
  token = await harness.token('ana');
  const { host, port, password } = harness.server;
  const direct = new Client({ host, port, user: 'postgres', password, database: 'postgres' });
  await direct.connect();
  await direct.query(DOCUMENTS);
  await direct.end();
  await harness.apply(`
kind: Access
name: search-team
who: [group:search]
to: [db]
may: [read, write, export, run]
---
{ kind: Rule, name: few, when: { reads: [documents], returned: '> ${BOUND}' }, then: block }
`);
}, 60_000);

afterAll(() => harness?.[Symbol.asyncDispose]());

type Step =
  | {
      readonly kind: 'select';
      readonly rows: number;
      readonly how: 'simple' | 'extended' | 'copy' | 'returning' | 'two';
    }
  | { readonly kind: 'other' | 'begin' | 'commit' | 'rollback' }
  | {
      readonly kind: 'declare';
      readonly name: string;
      readonly hold: boolean;
      readonly on: 'documents' | 'other';
    }
  | { readonly kind: 'fetch'; readonly name: string; readonly rows: number; readonly move: boolean }
  | { readonly kind: 'close'; readonly name: string }
  | { readonly kind: 'portions'; readonly portions: readonly number[] };

const name = fc.constantFrom('c', 'd');
const rows = fc.nat(9);
const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('select' as const),
      rows,
      how: fc.constantFrom(
        'simple' as const,
        'extended' as const,
        'copy' as const,
        'returning' as const,
        'two' as const,
      ),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'other' as const,
        'begin' as const,
        'begin' as const,
        'commit' as const,
        'rollback' as const,
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('declare' as const),
      name,
      hold: fc.boolean(),
      on: fc.constantFrom('documents' as const, 'documents' as const, 'other' as const),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('fetch' as const), name, rows, move: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('close' as const), name }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('portions' as const),
      portions: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 }),
    }),
  },
);

interface Cursor {
  /** Rows that are left of it. */
  left: number;
  readonly hold: boolean;
  /** It was made by the transaction that is open. */
  isNew: boolean;
  readonly on: 'documents' | 'other';
}

/** What a step gives: rows of any table, and whether an error comes. */
interface Expected {
  readonly rows: number;
  readonly fails: boolean;
}

const FAILS: Expected = { rows: 0, fails: true };
const NO_ROWS: Expected = { rows: 0, fails: false };

/** PostgreSQL's transactions and cursors, and the rule. */
class Model {
  #status: 'I' | 'T' | 'E' = 'I';
  #counted = 0;
  readonly #cursors = new Map<string, Cursor>();
  readonly #countedOf = new Map<string, number>();
  /** Names whose cursor may be on `documents`: it was declared on it once. */
  readonly #mayBeDocuments = new Map<string, boolean>();

  get status(): string {
    return this.#status;
  }

  take(step: Step): Expected {
    if (this.#status === 'E' && step.kind !== 'commit' && step.kind !== 'rollback') {
      // It is read all the same, and its name remembered.
      if (step.kind === 'declare') this.#remember(step);
      return FAILS;
    }
    switch (step.kind) {
      case 'select':
        return this.#ended(
          this.#give(step.how === 'two' ? step.rows * 2 : step.rows, [], step.how === 'returning'),
        );
      case 'other':
        return { rows: 100, fails: false };
      case 'begin':
        this.#status = 'T';
        return NO_ROWS;
      case 'commit':
      case 'rollback':
        this.#end(step.kind === 'commit' && this.#status === 'T');
        return NO_ROWS;
      case 'declare':
        return this.#declare(step);
      case 'fetch':
        return this.#fetch(step);
      case 'close':
        return this.#cursors.delete(step.name) ? NO_ROWS : this.#ended(FAILS);
      case 'portions':
        return this.#portions(step.portions);
      default:
        return step satisfies never;
    }
  }

  #remember({ name: of, on }: { readonly name: string; readonly on: string }): void {
    this.#mayBeDocuments.set(of, (this.#mayBeDocuments.get(of) ?? false) || on === 'documents');
  }

  #declare(step: Extract<Step, { kind: 'declare' }>): Expected {
    this.#remember(step);
    if ((this.#status === 'I' && !step.hold) || this.#cursors.has(step.name)) return this.#ended(FAILS);
    const { hold, on } = step;
    this.#cursors.set(step.name, {
      left: on === 'documents' ? ROWS : 100,
      hold,
      isNew: this.#status === 'T',
      on,
    });
    if (on === 'documents') this.#countedOf.set(step.name, 0);
    return NO_ROWS;
  }

  #fetch({ name: of, rows: wanted, move }: Extract<Step, { kind: 'fetch' }>): Expected {
    const cursor = this.#cursors.get(of);
    if (cursor === undefined) return this.#ended(FAILS);
    // FETCH 0 gives the row that the cursor is on; the test asks for one at least.
    const moved = Math.min(wanted + 1, cursor.left);
    cursor.left -= moved;
    if (move) return NO_ROWS;
    if (this.#mayBeDocuments.get(of) !== true) return { rows: moved, fails: false };
    return this.#ended(this.#give(moved, [of]));
  }

  #portions(portions: readonly number[]): Expected {
    let given = 0;
    for (const portion of portions) {
      const one = this.#give(portion, []);
      given += one.rows;
      if (one.fails) return this.#ended({ rows: given, fails: true });
    }
    return this.#ended({ rows: given, fails: false });
  }

  #give(wanted: number, cursors: readonly string[], isKept = false): Expected {
    const counts = [this.#counted, ...cursors.map((of) => this.#countedOf.get(of) ?? 0)];
    const left = Math.max(0, BOUND - Math.max(...counts));
    const passed = Math.min(wanted, left);
    this.#counted += passed;
    for (const of of cursors) this.#countedOf.set(of, (this.#countedOf.get(of) ?? 0) + passed);
    const fails = wanted > left;
    return { rows: fails && isKept ? 0 : passed, fails };
  }

  /** A statement outside of a block is a transaction of its own; an error in one fails it. */
  #ended(expected: Expected): Expected {
    if (this.#status === 'I') this.#counted = 0;
    else if (expected.fails) this.#status = 'E';
    return expected;
  }

  #end(isKept: boolean): void {
    this.#status = 'I';
    this.#counted = 0;
    for (const [of, cursor] of this.#cursors) {
      if (!cursor.hold || (cursor.isNew && !isKept)) this.#cursors.delete(of);
      else cursor.isNew = false;
    }
  }
}

function framesOf(step: Step): readonly Buffer[] {
  switch (step.kind) {
    case 'select':
      return selectFrames(step.rows, step.how);
    case 'other':
      return [query('select * from other')];
    case 'begin':
    case 'commit':
    case 'rollback':
      return [query(step.kind)];
    case 'declare':
      return [
        query(
          `declare ${step.name} cursor ${step.hold ? 'with hold' : ''} for select * from ${step.on} order by id`,
        ),
      ];
    case 'fetch':
      return [query(`${step.move ? 'move' : 'fetch'} ${step.rows + 1} in ${step.name}`)];
    case 'close':
      return [query(`close ${step.name}`)];
    case 'portions':
      return [
        parse('', 'select * from documents order by id'),
        bind('', ''),
        ...step.portions.map(executeSome),
        SYNC,
      ];
    default:
      return step satisfies never;
  }
}

function selectFrames(count: number, how: Extract<Step, { kind: 'select' }>['how']): readonly Buffer[] {
  const text = `select * from documents where id <= ${count}`;
  switch (how) {
    case 'simple':
      return [query(text)];
    case 'two':
      return [query(`${text}; ${text}`)];
    case 'copy':
      return [query(`copy (${text}) to stdout`)];
    case 'returning':
      return [query(`update documents set title = title where id <= ${count} returning id`)];
    case 'extended':
      return [parse('', text), bind('', ''), execute(), SYNC];
    default:
      return how satisfies never;
  }
}

function executeSome(rowsMax: number): Buffer {
  const limit = Buffer.alloc(5);
  limit.writeUInt32BE(rowsMax, 1);
  return frame('E', limit);
}

async function connect(): Promise<FrameClient> {
  return frameClient({ ...harness.gateway.postgres, user: 'ana', password: token, database: 'db' });
}

describe('random sessions under a bound', () => {
  it(`get what a model says, ${RUNS} times`, async () => {
    let gone = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { minLength: 4, maxLength: 25 }), async (steps) => {
        const client = await connect();
        try {
          const model = new Model();
          const said: unknown[] = [];
          const expected: unknown[] = [];
          for (const step of steps) {
            const frames = await client.send(framesOf(step));
            said.push([step, rowsIn(frames), errorIn(frames) !== undefined, statusIn(frames)]);
            const { rows: count, fails } = model.take(step);
            expected.push([step, count, fails, model.status]);
            if (errorIn(frames)?.message.includes('"few"') === true) gone += 1;
          }
          expect(said).toEqual(expected);
        } finally {
          await client.close();
        }
      }),
      { numRuns: RUNS },
    );
    // Else the sessions have not come to the bound.
    expect(gone).toBeGreaterThan(RUNS / 4);
  }, 1_200_000);
});
