import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RERANK_LIMITS as LIMITS } from '../core/rerank-limits.ts';
import { encodeBackend } from '../protocols/postgres/encode.ts';
import { RunningOperation } from './postgres/running-operation.ts';
import { retrievedRows } from './postgres/retrieved-rows.ts';
import { RetrievedTexts } from './retrieved-texts.ts';

const hash = (bytes: Uint8Array): string => `h:${Buffer.from(bytes).toString()}`;

interface Made {
  readonly texts: RetrievedTexts;
  readonly add: (principal: string, leaf: number, text: string) => boolean;
  readonly found: (principal: string, ...documents: readonly string[]) => unknown;
  readonly later: (ms: number) => void;
}

function made(): Made {
  let nowUs = 0;
  const texts = new RetrievedTexts(hash, () => nowUs);
  texts.turnOn();
  return {
    texts,
    add: (principal, leaf, text) => texts.add(principal, leaf, Buffer.from(text)),
    found: (principal, ...documents) =>
      texts.lineageOf(
        principal,
        documents.map((text) => [`h:${text}`]),
        documents.length,
      ),
    later: (ms) => {
      nowUs += ms * 1_000;
    },
  };
}

const LONG = 'a text that is long enough';

describe('what was retrieved', () => {
  it('is found again, by the operation that gave it last, and of its principal alone', () => {
    const { add, found } = made();
    add('ana', 3, `${LONG} 1`);
    add('ana', 3, `${LONG} 2`);
    add('ana', 5, `${LONG} 3`);
    add('ana', 7, `${LONG} 2`);
    const documents = [`${LONG} 3`, `${LONG} 1`, 'something that nobody was given', `${LONG} 2`];
    expect(found('ana', ...documents)).toEqual({
      of: 4,
      matched: 3,
      sources: [
        { leaf: 5, documents: [0] },
        { leaf: 3, documents: [1] },
        { leaf: 7, documents: [3] },
      ],
    });
    expect(found('bo', ...documents)).toEqual({ of: 4, matched: 0, sources: [] });
  });

  it('is not said of calls before anybody asked for it, or of calls without documents', () => {
    const texts = new RetrievedTexts(hash, () => 0);
    expect(texts.lineageOf('ana', [['h:x']], 1)).toBeUndefined();
    texts.turnOn();
    expect(texts.lineageOf('ana', [['h:x']], 1)).toEqual({ of: 1, matched: 0, sources: [] });
    expect(texts.lineageOf('ana', [], 0)).toBeUndefined();
  });

  it('is found by any text of a document', () => {
    const { add, texts } = made();
    add('ana', 3, LONG);
    expect(texts.lineageOf('ana', [['h:title', `h:${LONG}`], ['h:title']], 2)).toMatchObject({
      matched: 1,
      sources: [{ leaf: 3, documents: [0] }],
    });
  });

  it('is neither short nor very long', () => {
    const { add, texts } = made();
    const lengths = [LIMITS.retrievedBytesMin - 1, LIMITS.retrievedBytesMin, LIMITS.retrievedBytesMax];
    expect(
      [...lengths, LIMITS.retrievedBytesMax + 1].map((length) => add('a', 1, 'x'.repeat(length))),
    ).toEqual([false, true, true, false]);
    expect(texts.count).toBe(2);
  });

  it('is forgotten after a while, and when it is given again it is not', () => {
    const { add, found, later } = made();
    add('ana', 3, `${LONG} 1`);
    add('ana', 3, `${LONG} 2`);
    later(LIMITS.retrievedMs - 1);
    add('ana', 4, `${LONG} 2`);
    later(2);
    expect(found('ana', `${LONG} 1`, `${LONG} 2`)).toMatchObject({
      matched: 1,
      sources: [{ leaf: 4, documents: [1] }],
    });
  });

  it('leaves memory when it is forgotten: at the next text of its principal, or the next call', () => {
    const { add, found, later, texts } = made();
    add('ana', 3, `${LONG} 1`);
    add('ana', 3, `${LONG} 2`);
    add('bo', 3, `${LONG} 1`);
    later(LIMITS.retrievedMs + 1);
    add('ana', 4, `${LONG} 3`);
    expect(texts.count).toBe(2);
    found('bo', LONG);
    expect(texts.count).toBe(1);
  });

  it('has a bound for each principal, and one for all: who has retrieved nothing for longest loses first', () => {
    const { add, found, texts } = made();
    const each = LIMITS.retrievedOfPrincipalMax;
    for (let n = 0; n <= each; n += 1) add('ana', n, `${LONG} ${n}`);
    expect(texts.count).toBe(each);
    expect(found('ana', `${LONG} 0`, `${LONG} 1`)).toMatchObject({ matched: 1 });
    const others = LIMITS.retrievedMax / each;
    for (let other = 0; other < others; other += 1) {
      for (let n = 0; n < each; n += 1) add(`p${other}`, n, `${LONG} ${n}`);
    }
    expect(texts.count).toBe(LIMITS.retrievedMax);
    expect(found('ana', `${LONG} ${each}`)).toMatchObject({ matched: 0 });
    expect(found('p0', `${LONG} 0`)).toMatchObject({ matched: 1 });
    // Now it is p1 that has waited for longest.
    add('p0', 1, `${LONG} of today`);
    add('new', 1, `${LONG} of today`);
    expect([found('p0', `${LONG} 1`), found('p1', `${LONG} 0`)]).toMatchObject([
      { matched: 1 },
      { matched: 0 },
    ]);
  });

  it('is what a simple list of everything would say, whatever comes in which order', () => {
    const steps = fc.array(
      fc.record({ principal: fc.constantFrom('a', 'b'), leaf: fc.nat(50), text: fc.nat(6) }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const { add, found, texts } = made();
        for (const { principal, leaf, text } of all) add(principal, leaf, `${LONG} ${text}`);
        const distinct = new Set(all.map(({ principal, text }) => `${principal} ${text}`));
        expect(texts.count).toBe(distinct.size);
        for (const principal of ['a', 'b']) {
          for (let text = 0; text <= 6; text += 1) {
            const last = all.findLast((one) => one.principal === principal && one.text === text);
            expect(found(principal, `${LONG} ${text}`)).toMatchObject({
              sources: last === undefined ? [] : [{ leaf: last.leaf }],
            });
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});

function rowsOf(lineage: boolean | undefined): {
  readonly texts: RetrievedTexts;
  readonly row: ReturnType<typeof retrievedRows>;
} {
  const texts = new RetrievedTexts(hash, () => 0);
  const client = { principal: { id: 'ana' } };
  return { texts, row: retrievedRows({ admission: { lineage }, ports: { retrieved: texts }, client }) };
}

function operation(intent: number | undefined): RunningOperation {
  const running = new RunningOperation(0);
  running.intent = intent;
  return running;
}

function dataRow(...values: readonly (string | undefined)[]): Uint8Array {
  return encodeBackend({
    kind: 'DataRow',
    values: values.map((value) => (value === undefined ? null : Buffer.from(value))),
  }).subarray(5);
}

describe('rows', () => {
  it('of a connection that does not ask are not looked at', () => {
    expect([rowsOf(undefined).row, rowsOf(false).row]).toEqual([undefined, undefined]);
  });

  it('are remembered value by value, without what is NULL, empty or short', () => {
    const { texts, row } = rowsOf(true);
    row?.(dataRow('7', undefined, '', LONG, `${LONG} 2`), operation(12));
    expect(texts.count).toBe(2);
    expect(texts.lineageOf('ana', [[`h:${LONG} 2`]], 1)).toMatchObject({ sources: [{ leaf: 12 }] });
    // Nothing of what has no leaf.
    row?.(dataRow(`${LONG} 3`), operation(undefined));
    expect(texts.count).toBe(2);
  });

  it('have a bound for each operation', () => {
    const { texts, row } = rowsOf(true);
    const one = operation(3);
    for (let n = 0; n < LIMITS.retrievedOfOneMax + 5; n += 1) row?.(dataRow(`${LONG} ${n}`), one);
    expect(texts.count).toBe(LIMITS.retrievedOfOneMax);
    row?.(dataRow('of another operation'), operation(4));
    expect(texts.count).toBe(LIMITS.retrievedOfOneMax + 1);
  });

  it('that are broken do no harm', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (body) => {
        const { row } = rowsOf(true);
        row?.(body, operation(3));
      }),
    );
    const { texts, row } = rowsOf(true);
    const whole = dataRow(LONG);
    for (let length = 0; length < whole.length; length += 1) row?.(whole.subarray(0, length), operation(3));
    expect(texts.count).toBe(0);
  });
});
