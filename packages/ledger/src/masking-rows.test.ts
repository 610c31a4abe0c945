import { describe, expect, it } from 'vitest';
import type { Json } from './jcs.ts';
import type { Leaf } from './leaf.ts';
import { isBlockedByMask, MaskingRows } from './masking-rows.ts';

const LEAF: Leaf = {
  v: 1,
  log: 'log',
  n: 1,
  t: '2026-11-24T00:00:01.000000Z',
  boot: 'bot_00000000000000000000000000',
  type: 'statement.outcome',
  kind: 'user',
  actor: 'aa',
  target: 'db',
};

function leaf(n: number, extra: Partial<Leaf> = {}): Leaf {
  return { ...LEAF, n, t: `2026-11-24T00:00:${String(n).padStart(2, '0')}.000000Z`, ...extra };
}

function entry(column: string, values: number, more: Readonly<Record<string, Json>> = {}): Json {
  return { mask: 'm', version: 1, column, entity: 'EMAIL', operator: 'redact', values, ...more };
}

function rowsOf(rows: MaskingRows, list: string): unknown[] {
  return [...rows.rest()].filter((one) => one.list === list).map(({ row }) => row);
}

describe('masking-summary', () => {
  it('adds up the same column of the same Mask, and counts a leaf once', () => {
    const rows = new MaskingRows();
    rows.push(leaf(1), { masked: [entry('a', 2), entry('a', 3)] }, 'ana');
    rows.push(leaf(4), { masked: [entry('a', 5), entry('b', 1)] }, 'ana');
    rows.push(leaf(5), { masked: [entry('a', 1, { version: 2 })] }, 'ana');
    expect(rowsOf(rows, 'masking-summary')).toMatchObject([
      { column: 'a', mask_version: 1, statements: 2, values: 10, first_leaf_index: 1, last_leaf_index: 4 },
      { column: 'b', mask_version: 1, statements: 1, values: 1, first_leaf_index: 4 },
      { column: 'a', mask_version: 2, statements: 1, values: 1 },
    ]);
  });

  it('keeps apart what has no column: further values, columns that were withheld, messages', () => {
    const rows = new MaskingRows();
    rows.push(leaf(1), { masked_more: 7, masked_whole: 2, masked_in_errors: 1 }, undefined);
    rows.push(leaf(2), { masked_more: 1 }, undefined);
    const found = rowsOf(rows, 'masking-summary');
    expect(found).toMatchObject([
      { what: 'further-values', values: 8, statements: 2 },
      { what: 'columns-withheld', columns: 2, statements: 1 },
      { what: 'messages', values: 1 },
    ]);
    expect(found[1]).toMatchObject({ values: undefined });
  });

  it('takes nothing that is not what the specification says', () => {
    const rows = new MaskingRows();
    const strange: Json[] = [
      null,
      3,
      [],
      {},
      { mask: 5 },
      { mask: 'm', values: -3, version: 'x', column: 4 },
    ];
    rows.push(leaf(1), { masked: strange, masked_more: -1, masked_whole: 'x' }, undefined);
    rows.push(leaf(2), { masked: { m: 1 } }, undefined);
    rows.push(leaf(3, { type: 'session.end' }), { masked: [entry('a', 1)] }, undefined);
    expect(rowsOf(rows, 'masking-summary')).toMatchObject([
      { mask: 'm', mask_version: undefined, column: undefined, values: 0, statements: 1 },
    ]);
  });

  it('ends in rows for all others, whose sums are complete', () => {
    const rows = new MaskingRows();
    const count = 10_050;
    for (let n = 0; n < count; n += 1) rows.push({ ...LEAF, n }, { masked: [entry(`c${n}`, 2)] }, undefined);
    const found = rowsOf(rows, 'masking-summary');
    expect(found).toHaveLength(10_001);
    expect(found.at(-1)).toMatchObject({ column: '*', entity: '*', mask: 'm', statements: 50, values: 100 });
  });
});

describe('pii-flows', () => {
  it('says whose it was, by pseudonym, and the first name that is known', () => {
    const rows = new MaskingRows();
    rows.push(leaf(1), { masked: [entry('a', 2)] }, undefined);
    rows.push(leaf(2), { masked: [entry('a', 3, { version: 9 })] }, 'ana');
    rows.push(leaf(3, { actor: 'bb' }), { masked: [entry('a', 3)] }, 'bo');
    expect(rowsOf(rows, 'pii-flows')).toMatchObject([
      { flow: 'masked', actor_id: 'aa', actor_name: 'ana', column: 'a', values: 5, statements: 2 },
      { flow: 'masked', actor_id: 'bb', actor_name: 'bo', values: 3 },
    ]);
  });

  it('has exemptions and conditions without a number of values, and reveals with theirs', () => {
    const rows = new MaskingRows();
    const intent = { type: 'statement.intent' };
    rows.push(
      leaf(1, intent),
      {
        masks_exempt: [{ mask: 'm', version: 1 }],
        predicate_on_masked: [{ mask: 'n', version: 1, column: 'a', use: 'order' }],
      },
      'ana',
    );
    rows.push(leaf(2, { type: 'mask.reveal' }), { rule: 'm', column: 'a', count: 4 }, 'ana');
    const found = rowsOf(rows, 'pii-flows');
    expect(found).toMatchObject([
      { flow: 'exempt', mask: 'm', statements: 1 },
      { flow: 'predicate', mask: 'n', column: 'a', use: 'order', statements: 1 },
      { flow: 'revealed', mask: 'm', column: 'a', values: 4 },
    ]);
    expect(found.map((row) => JSON.stringify(row).includes('"values"'))).toEqual([false, false, true]);
  });
});

describe('what a Mask blocked', () => {
  const masks = [{ mask: 'm', version: 2 }];
  it.each([
    ['its rule is a Mask of the session', 'block', [{ rule: 'm', version: 2, verdict: 'block' }], true],
    ['of another version', 'block', [{ rule: 'm', version: 1, verdict: 'block' }], false],
    ['a Rule of another name', 'block', [{ rule: 'r', version: 2, verdict: 'block' }], false],
    ['that was only held', 'block', [{ rule: 'm', version: 2, verdict: 'hold' }], false],
    ['and that was let pass', 'allow', [{ rule: 'm', version: 2, verdict: 'block' }], false],
  ] as const)('%s', (_, decision, rules, expected) => {
    const values = { masks, rules: rules.map((rule) => ({ ...rule })) };
    expect(isBlockedByMask(leaf(1, { decision }), values)).toBe(expected);
    expect(isBlockedByMask(leaf(1, { decision }), { rules: values.rules })).toBe(false);
  });
});
