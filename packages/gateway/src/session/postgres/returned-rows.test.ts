/** Rows are counted exactly: by transaction, by cursor, and by what a COPY sends. */

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StatementFacts } from '../../core/effects.ts';
import { LIMITS } from '../../core/limits.ts';
import type { CompiledRule } from '../../policy/rule.ts';
import { rule, statement, text } from '../../policy/testing-facts.ts';
import { BACKEND } from '../../protocols/postgres/messages.ts';
import type { Judgement } from './inspection.ts';
import { ReturnedRows, type RowMeter } from './returned-rows.ts';

const NOTHING = new Uint8Array(0);
const NONE: ReadonlySet<CompiledRule> = new Set();

function judged(rules: readonly CompiledRule[], ...statements: readonly StatementFacts[]): Judgement {
  const decision = {
    kind: 'allow',
    causes: [],
    holds: [],
    statements: [],
    breakGlass: [],
    counted: [],
    returned: rules,
    estimated: [],
    onlyReads: true,
    syntaxError: undefined,
  } as const;
  return { policy: '', decision, read: text(...statements) };
}

function cursor(node: 'FetchStmt' | 'DeclareCursorStmt', name: string): StatementFacts {
  return statement({ node, effects: [{ effect: 'cursor', from: 0, to: 1, object: name }] });
}

/** Sends so many rows; gives how many passed. */
function send(meter: RowMeter, rows: number): number {
  let passed = 0;
  for (let row = 0; row < rows; row += 1) if (meter.passes(BACKEND.DataRow, NOTHING, 100)) passed += 1;
  return passed;
}

function ten(name: string, bound = 10): CompiledRule {
  return rule(name, { reads: ['documents'], returned: `> ${bound}` });
}

type Step =
  | { readonly kind: 'rows'; readonly rows: number; readonly rules: readonly number[] }
  | {
      readonly kind: 'fetch';
      readonly rows: number;
      readonly rules: readonly number[];
      readonly cursor: string;
    }
  | { readonly kind: 'declare'; readonly cursor: string; readonly succeeds: boolean }
  | { readonly kind: 'end' };

const names = fc.constantFrom('a', 'b');
const some = fc.subarray([0, 1, 2]);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('rows' as const), rows: fc.nat(9), rules: some }),
  fc.record({ kind: fc.constant('fetch' as const), rows: fc.nat(9), rules: some, cursor: names }),
  fc.record({ kind: fc.constant('declare' as const), cursor: names, succeeds: fc.boolean() }),
  fc.constant({ kind: 'end' as const }),
);

/** The same, said as plainly as it can be: every row that passed, and what it counts for. */
class Model {
  readonly #bounds: readonly number[];
  #log: { readonly rule: number; readonly place: string }[] = [];

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
  }

  rows(rows: number, rules: readonly number[], places: readonly string[]): number {
    let passed = 0;
    for (; passed < rows; passed += 1) {
      const isFull = (one: number, place: string): boolean =>
        this.#log.filter((entry) => entry.rule === one && entry.place === place).length >=
        (this.#bounds[one] ?? 0);
      if (rules.some((one) => places.some((place) => isFull(one, place)))) break;
      for (const one of rules) for (const place of places) this.#log.push({ rule: one, place });
    }
    return passed;
  }

  forget(place: string): void {
    this.#log = this.#log.filter((entry) => entry.place !== place);
  }
}

describe('rows that are returned', () => {
  it('are those of a model, whatever a session does', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(12), { minLength: 3, maxLength: 3 }),
        fc.array(step, { maxLength: 40 }),
        (bounds, steps) => {
          const rules = bounds.map((bound, at) => ten(`r${at}`, bound));
          const returned = new ReturnedRows();
          const model = new Model(bounds);
          const of = (indexes: readonly number[]): readonly CompiledRule[] =>
            rules.filter((_, at) => indexes.includes(at));
          for (const one of steps) {
            if (one.kind === 'end') {
              returned.ended();
              model.forget('transaction');
              continue;
            }
            if (one.kind === 'declare') {
              const meter = returned.meter(judged(rules, cursor('DeclareCursorStmt', one.cursor)), {
                granted: NONE,
                portalName: undefined,
              });
              meter.close(one.succeeds ? 'completed' : 'failed');
              if (one.succeeds) model.forget(one.cursor);
              continue;
            }
            const facts = one.kind === 'fetch' ? cursor('FetchStmt', one.cursor) : statement();
            const meter = returned.meter(judged(of(one.rules), facts), {
              granted: NONE,
              portalName: undefined,
            });
            const places = one.kind === 'fetch' ? ['transaction', one.cursor] : ['transaction'];
            const expected = model.rows(one.rows, one.rules, places);
            expect(send(meter, one.rows)).toBe(expected);
            expect(meter.rows).toBe(expected);
            expect(meter.isOver).toBe(expected < one.rows);
            meter.close('completed');
          }
        },
      ),
    );
  });

  it('pass up to the least bound, and say whose it was', () => {
    const rules = [ten('ten'), ten('four', 4), ten('also-four', 4)];
    const meter = new ReturnedRows().meter(judged(rules, statement()), {
      granted: NONE,
      portalName: undefined,
    });
    expect(send(meter, 4)).toBe(4);
    expect(meter.over).toEqual([]);
    expect(meter.passes(BACKEND.CommandComplete, NOTHING, 12)).toBe(true);
    expect(send(meter, 5)).toBe(0);
    expect(meter.over.map(({ name }) => name)).toEqual(['four', 'also-four']);
    // Nothing passes behind it: neither a tag nor an error.
    for (const type of [
      BACKEND.CommandComplete,
      BACKEND.ErrorResponse,
      BACKEND.ReadyForQuery,
      BACKEND.CopyDone,
    ]) {
      expect(meter.passes(type, NOTHING, 12)).toBe(false);
    }
  });

  it('of what people have agreed to are not counted', () => {
    const [four, six] = [ten('four', 4), ten('six', 6)];
    const returned = new ReturnedRows();
    const meter = returned.meter(judged([four, six], statement()), {
      granted: new Set([four]),
      portalName: undefined,
    });
    expect(send(meter, 9)).toBe(6);
    meter.close('completed');
    const next = returned.meter(judged([four], statement()), { granted: NONE, portalName: undefined });
    expect(send(next, 9)).toBe(4);
  });

  it('go on where a rule is applied again with another bound', () => {
    const returned = new ReturnedRows();
    for (const [bound, expected] of [
      [10, 6],
      [12, 6],
      [5, 0],
    ] as const) {
      const meter = returned.meter(judged([ten('few', bound)], statement()), {
        granted: NONE,
        portalName: undefined,
      });
      expect(send(meter, 6)).toBe(expected);
      meter.close('completed');
    }
  });

  it('of a portal that nobody has bound count for its name, as those of a cursor', () => {
    const returned = new ReturnedRows();
    const rules = [ten('ten')];
    for (const [portalName, expected] of [
      ['c', 6],
      ['c', 4],
      ['d', 6],
      ['c', 0],
    ] as const) {
      const meter = returned.meter(judged(rules, statement()), { granted: NONE, portalName });
      expect(send(meter, 6)).toBe(expected);
      meter.close('suspended');
      returned.ended();
    }
  });

  it('of more cursors than are remembered count together', () => {
    const returned = new ReturnedRows();
    const rules = [ten('ten')];
    const fetch = (name: string): number => {
      const meter = returned.meter(judged(rules, cursor('FetchStmt', name)), {
        granted: NONE,
        portalName: undefined,
      });
      const passed = send(meter, 6);
      meter.close('completed');
      returned.ended();
      return passed;
    };
    for (let at = 0; at < LIMITS.policy.preparedNamesMax; at += 1) expect(fetch(`c${at}`)).toBe(6);
    expect([fetch('one more'), fetch('another'), fetch('a third'), fetch('c7')]).toEqual([6, 4, 0, 4]);
    // A DECLARE of one of them does not make the others begin again.
    const declared = returned.meter(judged(rules, cursor('DeclareCursorStmt', 'another')), {
      granted: NONE,
      portalName: undefined,
    });
    declared.close('completed');
    expect(fetch('another')).toBe(0);
  });

  it.each<readonly [string, 0 | 1, readonly string[], number]>([
    ['text', 0, ['610a', '620a'], 2],
    ['text that ends as a binary trailer does', 0, ['61ffff', 'ffff'], 2],
    [
      'binary, with a header in front of the first row',
      1,
      [`${'00'.repeat(19)}000100000001aa`, '000100000001bb', 'ffff'],
      2,
    ],
    ['binary without a row', 1, [`${'00'.repeat(19)}ffff`], 0],
    [
      'binary rows that end as a trailer does',
      1,
      [`${'00'.repeat(19)}000100000002ffff`, '000100000002ffff', 'ffff'],
      2,
    ],
    ['a binary row of no columns', 1, [`${'00'.repeat(19)}0000`, '0000', 'ffff'], 2],
  ])('of a COPY are its messages: %s', (_, format, messages, rows) => {
    for (const allowed of [rows, rows - 1].filter((bound) => bound >= 0)) {
      const meter = new ReturnedRows().meter(judged([ten('few', allowed)], statement()), {
        granted: NONE,
        portalName: undefined,
      });
      expect(meter.passes(BACKEND.CopyOutResponse, Uint8Array.of(format, 0, 1, 0, format), 9)).toBe(true);
      for (const message of messages) meter.passes(BACKEND.CopyData, Buffer.from(message, 'hex'), 20);
      expect(meter.rows).toBe(allowed);
      expect(meter.isOver).toBe(allowed < rows);
    }
  });

  it('are stopped at the target once, when much of them is withheld', () => {
    let stops = 0;
    const stop = (): void => {
      stops += 1;
    };
    const meter = new ReturnedRows().meter(judged([ten('few', 1)], statement()), {
      granted: NONE,
      portalName: undefined,
      stop,
    });
    const part = LIMITS.policy.discardedAnswerBytesMax / 2;
    for (const [row, expected] of [0, 0, 0, 1, 1, 1].entries()) {
      meter.passes(BACKEND.DataRow, NOTHING, part);
      expect([row, stops]).toEqual([row, expected]);
    }
  });
});
