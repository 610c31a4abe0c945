import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SharedBytes } from '../../core/shared-bytes.ts';
import { utf8Bytes, utf8Text } from './byte-reader.ts';
import { commandRows, functionCallOperation, type WireOperation } from './operation.ts';
import { type Change, PreparedStatements } from './prepared-statements.ts';
import type { Outcome } from './states.ts';

const numRuns = process.env['COUNTERSIGN_SOAK'] === undefined ? 3_000 : 100_000;

function parse(prepared: PreparedStatements, statement: string, text: string): Change {
  return prepared.parse({ kind: 'Parse', statement, textBytes: utf8Bytes(text), parameterTypeOids: [23] });
}

function bind(prepared: PreparedStatements, portal: string, statement: string, value = 'v'): Change | 'wait' {
  const values = [utf8Bytes(value), null];
  return prepared.bind({ kind: 'Bind', portal, statement, valueFormats: [0, 1], values, resultFormats: [] });
}

function now(change: Change | 'wait'): Change {
  if (change === 'wait') throw new Error('nothing is on its way, and yet it is to be waited for');
  return change;
}

/** The text that an Execute runs; `?` where nobody knows. */
function textOf(operation: WireOperation | 'wait'): string {
  if (operation === 'wait') return 'wait';
  if (operation.kind !== 'Execute') return operation.kind;
  const bytes = operation.portal?.statement?.textBytes;
  return bytes === undefined ? '?' : (utf8Text(bytes) ?? 'not UTF-8');
}

function run(prepared: PreparedStatements, portal: string): string {
  return textOf(prepared.execute({ kind: 'Execute', portal, rowsMax: 0 }));
}

describe('PreparedStatements', () => {
  test('an Execute has the statement, the values with their formats, and the limit', () => {
    const prepared = new PreparedStatements();
    parse(prepared, 's', 'SELECT $1');
    now(bind(prepared, 'p', 's', 'hello'));
    expect(prepared.execute({ kind: 'Execute', portal: 'p', rowsMax: 7 })).toEqual({
      kind: 'Execute',
      portalName: 'p',
      portal: {
        name: 'p',
        statement: { name: 's', textBytes: utf8Bytes('SELECT $1'), parameterTypeOids: [23] },
        values: [
          { format: 'text', bytes: utf8Bytes('hello') },
          { format: 'binary', bytes: null },
        ],
        resultFormats: [],
      },
      rowsMax: 7,
    });
  });

  test('texts and values are copies: the buffer that they came in can be used again', () => {
    const prepared = new PreparedStatements();
    const textBytes = utf8Bytes('SELECT 1');
    const value = utf8Bytes('x');
    prepared.parse({ kind: 'Parse', statement: '', textBytes, parameterTypeOids: [] });
    prepared.bind({
      kind: 'Bind',
      portal: '',
      statement: '',
      valueFormats: [],
      values: [value],
      resultFormats: [],
    });
    textBytes.fill(0);
    value.fill(0);
    const operation = prepared.execute({ kind: 'Execute', portal: '', rowsMax: 0 });
    expect(textOf(operation)).toBe('SELECT 1');
    expect(JSON.stringify(operation)).toContain('"bytes":{"0":120}');
  });

  test('a Parse that failed defines nothing', () => {
    const prepared = new PreparedStatements();
    prepared.settle(parse(prepared, 's', 'bad'), 'failed');
    now(bind(prepared, '', 's'));
    expect(run(prepared, '')).toBe('?');
  });

  test('a named Parse that failed leaves the old statement, an unnamed one leaves none', () => {
    const prepared = new PreparedStatements();
    for (const name of ['s', '']) prepared.settle(parse(prepared, name, 'old'), 'completed');
    for (const name of ['s', '']) prepared.settle(parse(prepared, name, 'new'), 'failed');
    prepared.sync();
    now(bind(prepared, 'a', 's'));
    now(bind(prepared, 'b', ''));
    expect([run(prepared, 'a'), run(prepared, 'b')]).toEqual(['old', '?']);
  });

  test('across a Sync, a name that is on its way has to be waited for', () => {
    const prepared = new PreparedStatements();
    prepared.settle(parse(prepared, 's', 'old'), 'completed');
    const change = parse(prepared, 's', 'new');
    expect(bind(prepared, 'p', 's')).not.toBe('wait');
    prepared.sync();
    expect(bind(prepared, 'p', 's')).toBe('wait');
    expect([run(prepared, 'p'), prepared.statement('s'), prepared.portal('p')]).toEqual([
      'wait',
      'wait',
      'wait',
    ]);
    prepared.settle(change, 'failed');
    expect(bind(prepared, 'q', 's')).not.toBe('wait');
    expect(run(prepared, 'q')).toBe('old');
  });

  test('a Query destroys the unnamed statement and portal, even if it fails', () => {
    const prepared = new PreparedStatements();
    prepared.settle(parse(prepared, '', 'a'), 'completed');
    prepared.settle(now(bind(prepared, '', '')), 'completed');
    prepared.settle(prepared.query(), 'failed');
    expect([prepared.statement(''), prepared.portal('')]).toEqual([undefined, undefined]);
  });

  test('portals end with the transaction, statements do not', () => {
    const prepared = new PreparedStatements();
    prepared.settle(parse(prepared, 's', 'a'), 'completed');
    prepared.settle(now(bind(prepared, 'p', 's')), 'completed');
    prepared.transactionEnded();
    expect(prepared.portal('p')).toBeUndefined();
    expect(prepared.statement('s')).toMatchObject({ name: 's' });
  });

  test('a portal keeps the statement that it was bound to', () => {
    const prepared = new PreparedStatements();
    parse(prepared, 's', 'a');
    now(bind(prepared, 'p', 's'));
    prepared.close({ kind: 'Close', target: 'S', name: 's' });
    parse(prepared, 's', 'b');
    expect(run(prepared, 'p')).toBe('a');
    prepared.close({ kind: 'Close', target: 'P', name: 'p' });
    expect(run(prepared, 'p')).toBe('?');
  });

  test('what SQL does to the names makes them unknown', () => {
    const prepared = new PreparedStatements();
    prepared.settle(parse(prepared, 's', 'a'), 'completed');
    prepared.settle(parse(prepared, 't', 'b'), 'completed');
    prepared.settle(now(prepared.forget(['s', 'u'], 'all')), 'failed');
    expect([prepared.statement('s'), prepared.statement('t') !== undefined]).toEqual([undefined, true]);
  });

  test('behind a malformed message, what a name stands for waits until its outcome is known', () => {
    const prepared = new PreparedStatements();
    prepared.settle(parse(prepared, 's', 'a'), 'completed');
    prepared.settle(now(bind(prepared, 'p', 's')), 'completed');
    const [first, second] = [prepared.doubt(), prepared.doubt()];
    prepared.settle(first, 'failed');
    expect([bind(prepared, 'q', 's'), prepared.statement('s'), prepared.portal('p')]).toEqual(
      Array.from({ length: 3 }, () => 'wait'),
    );
    expect(prepared.forget('all', 'all')).toBe('wait');
    // It cannot make a name stand for something.
    expect([prepared.statement('none'), prepared.portal('none')]).toEqual([undefined, undefined]);
    prepared.settle(second, 'swallowed');
    expect(run(prepared, 'p')).toBe('a');
    prepared.settle(now(prepared.forget('all', 'all')), 'failed');
    expect([prepared.statement('s'), prepared.portal('p')]).toEqual([undefined, undefined]);
  });

  test('names and bytes are bounded, and what is replaced, failed or gone is given back', () => {
    // Two texts, the one that the portal was bound to, and its values.
    const prepared = new PreparedStatements({ entriesMax: 4, bytesMax: 4_700 });
    for (let i = 0; i < 50; i++) {
      prepared.settle(parse(prepared, 's', 'x'.repeat(1_000)), 'completed');
      prepared.settle(parse(prepared, 's', 'x'.repeat(1_000)), 'failed');
      prepared.settle(parse(prepared, '', 'x'.repeat(1_000)), i % 2 === 0 ? 'failed' : 'skipped');
      prepared.settle(now(bind(prepared, 'p', 's', 'y'.repeat(500))), 'completed');
      prepared.settle(now(bind(prepared, '', 's')), 'failed');
      if (i % 3 === 0) prepared.transactionEnded();
      if (i % 5 === 0) prepared.settle(now(prepared.forget('all', 'all')), 'completed');
      prepared.sync();
    }
    prepared.settle(now(prepared.forget('all', 'all')), 'completed');
    for (let i = 0; i < 4; i++) parse(prepared, `s${i}`, 'x');
    expect(() => parse(prepared, 's5', 'x')).toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED' }));
    const small = new PreparedStatements({ entriesMax: 4, bytesMax: 1_000 });
    expect(() => parse(small, 's', 'x'.repeat(900))).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED' }),
    );
  });

  test('a portal counts with the text that it was bound to, until it is gone', () => {
    const shared = new SharedBytes(1_000_000, 0);
    const prepared = new PreparedStatements({ shared });
    for (let i = 0; i < 5; i++) {
      prepared.settle(parse(prepared, '', 'x'.repeat(1_000)), 'completed');
      prepared.settle(now(bind(prepared, `p${i}`, '')), 'completed');
      prepared.settle(now(bind(prepared, `q${i}`, '')), 'completed');
    }
    expect(shared.taken).toBeGreaterThan(5_000);
    prepared.settle(now(prepared.forget('all', [])), 'completed');
    expect(shared.taken).toBeGreaterThan(5_000);
    prepared.transactionEnded();
    expect(shared.taken).toBe(0);
  });

  test('sessions have a bound together, a share of their own, and give back what they had', () => {
    const shared = new SharedBytes(10_000, 2_000);
    const [greedy, other] = [new PreparedStatements({ shared }), new PreparedStatements({ shared })];
    for (let i = 0; i < 7; i++) parse(greedy, `s${i}`, 'x'.repeat(1_000));
    expect(() => parse(greedy, 's', 'x'.repeat(1_200))).toThrow(
      expect.objectContaining({ code: 'PREPARED_TOO_MUCH' }),
    );
    parse(other, 's', 'x'.repeat(1_500));
    expect(() => parse(other, 't', 'x'.repeat(1_500))).toThrow(
      expect.objectContaining({ code: 'PREPARED_TOO_MUCH' }),
    );
    greedy.release();
    parse(other, 't', 'x'.repeat(1_500));
    expect(() => parse(greedy, 's', 'x')).toThrow(expect.objectContaining({ code: 'PREPARED_TOO_MUCH' }));
    other.release();
    expect(shared.taken).toBe(0);
  });
});

type Step =
  | {
      readonly kind: 'parse' | 'bind' | 'execute' | 'close';
      readonly name: string;
      readonly other: string;
      readonly fails: boolean;
    }
  | {
      readonly kind: 'query';
      readonly effect: 'none' | 'fail' | 'begin' | 'commit' | 'prepare' | 'deallocate';
      readonly name: string;
    }
  | { readonly kind: 'sync' };

const names = fc.constantFrom('', 's', 't');
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'parse' as const,
        'bind' as const,
        'execute' as const,
        'execute' as const,
        'close' as const,
      ),
      name: names,
      other: names,
      fails: fc.constantFrom(true, false, false, false),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('query' as const),
      effect: fc.constantFrom(
        'none' as const,
        'fail' as const,
        'begin' as const,
        'commit' as const,
        'prepare' as const,
        'deallocate' as const,
      ),
      name: fc.constantFrom('s', 't'),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'sync' as const }) },
);

/** What a server would run, message by message, and what the gateway said that it would be. */
class Wire {
  readonly #prepared = new PreparedStatements();
  readonly #onTheWay: (() => void)[] = [];
  readonly #statements = new Map<string, string>();
  readonly #portals = new Map<string, string>();
  readonly wrong: string[] = [];
  #skip = false;
  #inBlock = false;
  #texts = 0;

  client(next: Step): void {
    const text = `text ${this.#texts++}`;
    switch (next.kind) {
      case 'sync':
        this.#prepared.sync();
        this.#onTheWay.push(() => this.#sync());
        return;
      case 'query':
        this.#query(next.effect, next.name, text);
        return;
      case 'parse': {
        const change = parse(this.#prepared, next.name, text);
        this.#extended(change, () => this.#parse(next.name, text, next.fails));
        return;
      }
      case 'bind': {
        const change = this.#await(() => bind(this.#prepared, next.name, next.other));
        this.#extended(change, () => this.#bind(next.name, next.other, next.fails));
        return;
      }
      case 'close': {
        const change = this.#prepared.close({
          kind: 'Close',
          target: next.fails ? 'S' : 'P',
          name: next.name,
        });
        this.#extended(
          change,
          () => (next.fails ? this.#statements : this.#portals).delete(next.name) || true,
        );
        return;
      }
      case 'execute': {
        const operation = this.#await(() =>
          this.#prepared.execute({ kind: 'Execute', portal: next.name, rowsMax: 0 }),
        );
        this.#extended(undefined, () => this.#execute(next.name, textOf(operation)));
        return;
      }
      default:
        next satisfies never;
    }
  }

  server(): boolean {
    const message = this.#onTheWay.shift();
    message?.();
    return message !== undefined;
  }

  #await<R>(ask: () => R | 'wait'): R {
    for (;;) {
      const answer = ask();
      if (answer !== 'wait') return answer;
      if (!this.server()) throw new Error('waits for nothing');
    }
  }

  #extended(change: Change | undefined, act: () => boolean): void {
    this.#onTheWay.push(() => {
      const outcome: Outcome = this.#skip ? 'skipped' : act() ? 'completed' : 'failed';
      if (outcome === 'failed') this.#skip = true;
      if (outcome === 'failed' && !this.#inBlock) this.#portals.clear();
      if (change !== undefined) this.#prepared.settle(change, outcome);
    });
  }

  #query(effect: Extract<Step, { kind: 'query' }>['effect'], name: string, text: string): void {
    const changes = [this.#prepared.query()];
    if (effect === 'prepare' || effect === 'deallocate')
      changes.push(this.#await(() => this.#prepared.forget([name], [])));
    this.#onTheWay.push(() => {
      if (!this.#skip) this.#simple(effect, name, text);
      for (const change of changes)
        this.#prepared.settle(change, this.#skip ? 'skipped' : effect === 'fail' ? 'failed' : 'completed');
      if (!this.#skip) this.#ready();
    });
  }

  #simple(effect: Extract<Step, { kind: 'query' }>['effect'], name: string, text: string): void {
    this.#statements.delete('');
    this.#portals.delete('');
    if (effect === 'begin') this.#inBlock = true;
    if (effect === 'commit') this.#inBlock = false;
    if (effect === 'prepare') this.#statements.set(name, `prepared by SQL: ${text}`);
    if (effect === 'deallocate') this.#statements.delete(name);
  }

  #parse(name: string, text: string, fails: boolean): boolean {
    if (name === '') this.#statements.delete('');
    if (fails || this.#statements.has(name)) return false;
    this.#statements.set(name, text);
    return true;
  }

  #bind(portal: string, statement: string, fails: boolean): boolean {
    const text = this.#statements.get(statement);
    if (text === undefined || fails || (portal !== '' && this.#portals.has(portal))) return false;
    this.#portals.set(portal, text);
    return true;
  }

  #execute(portal: string, said: string): boolean {
    const text = this.#portals.get(portal);
    if (text === undefined) return false;
    const known = text.startsWith('prepared by SQL') ? '?' : text;
    if (said !== known) this.wrong.push(`runs ${text}, and the gateway said ${said}`);
    return true;
  }

  #sync(): void {
    this.#skip = false;
    this.#ready();
  }

  #ready(): void {
    if (this.#inBlock) return;
    this.#portals.clear();
    this.#prepared.transactionEnded();
  }
}

test('what the server runs is what the gateway said, however far the client is ahead', () => {
  const plan = fc.array(fc.tuple(step, fc.nat({ max: 3 })), { maxLength: 40 });
  const property = fc.property(plan, (steps) => {
    const wire = new Wire();
    for (const [next, answered] of steps) {
      wire.client(next);
      for (let i = 1; i < answered; i++) wire.server();
    }
    while (wire.server());
    expect(wire.wrong).toEqual([]);
  });
  expect(() => fc.assert(property, { numRuns })).not.toThrow();
});

test.each([
  ['INSERT 0 5', 5],
  ['SELECT 3', 3],
  ['UPDATE 2', 2],
  ['DELETE 0', 0],
  ['MERGE 4', 4],
  ['COPY 7', 7],
  ['FETCH 1', 1],
  ['CREATE TABLE', undefined],
  ['BEGIN', undefined],
  ['INSERT 5', 5],
  ['SELECT 99999999999999999999', undefined],
  ['', undefined],
])('the tag "%s" has %s rows', (tag, rows) => {
  expect(commandRows(tag)).toBe(rows);
});

test('a FunctionCall is an Operation with its function and its values', () => {
  const message = {
    kind: 'FunctionCall' as const,
    functionOid: 1598,
    valueFormats: [],
    values: [null],
    resultFormat: 1 as const,
  };
  expect(functionCallOperation(message)).toEqual({
    kind: 'FunctionCall',
    functionOid: 1598,
    values: [{ format: 'text', bytes: null }],
    resultFormat: 1,
  });
});
