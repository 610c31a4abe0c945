import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from './bytes.ts';
import { LedgerError } from './errors.ts';
import { EVENTS } from './events.ts';
import { type Json, jcs } from './jcs.ts';
import { formatLeaf, type Leaf, parseLeaf } from './leaf.ts';

const full: Leaf = {
  v: 1,
  log: 'countersign.example/ledger/gw1',
  n: 7,
  t: '2026-11-24T18:52:00.000001Z',
  boot: 'bot_01jd3w5v8x9y2z4a6b7c8d9e0f',
  type: 'statement.intent',
  kind: 'user',
  actor: '0123456789abcdef0123456789abcdef',
  session: 'ses_01jd3w5v8x9y2z4a6b7c8d9e0f',
  seq: 3,
  target: 'reranker-db',
  ref: 6,
  decision: 'allow',
  policy: 'ab'.repeat(32),
  body: 'cd'.repeat(32),
};
const plain: Leaf = {
  v: 1,
  log: 'countersign.example/ledger/gw1',
  n: 0,
  t: '2026-11-24T18:52:00.000000Z',
  boot: 'bot_01jd3w5v8x9y2z4a6b7c8d9e0f',
  type: 'ledger.genesis',
  kind: 'system',
};

function changed(leaf: Leaf, changes: Readonly<Record<string, Json | undefined>>): Uint8Array {
  const members: [string, Json][] = [];
  for (const [key, value] of Object.entries({ ...leaf, ...changes }))
    if (value !== undefined) members.push([key, value]);
  return utf8(jcs(Object.fromEntries(members)));
}

function code<T>(action: () => T): T | string {
  try {
    return action();
  } catch (error) {
    if (error instanceof LedgerError)
      return `${error.code} ${/"([^"]*)"$/.exec(error.message)?.[1] ?? ''}`.trim();
    throw error;
  }
}

describe('a leaf', () => {
  it('comes back as it was written', () => {
    for (const leaf of [full, plain])
      expect(parseLeaf(utf8(formatLeaf(leaf)))).toEqual({
        kind: 'leaf',
        leaf,
        unknownKeys: [],
        knownType: true,
      });
  });

  it.each(['v', 'log', 'n', 't', 'boot', 'type', 'kind', 'actor', 'seq'])(
    'without "%s" is refused',
    (key) => {
      expect(code(() => parseLeaf(changed(full, { [key]: undefined })))).toBe(`LEAF_FIELD ${key}`);
    },
  );

  it.each(['target', 'ref', 'decision', 'policy', 'body'])('may do without "%s"', (key) => {
    expect(parseLeaf(changed(full, { [key]: undefined })).kind).toBe('leaf');
  });

  const malformed: readonly (readonly [string, Json])[] = [
    ['v', 0],
    ['v', '1'],
    ['v', true],
    ['log', ''],
    ['log', 1],
    ['n', -1],
    ['n', 1.5],
    ['n', '7'],
    ['n', 9_007_199_254_740_992],
    ['t', '2026-11-24T18:52:00Z'],
    ['t', '2026-11-24T18:52:00.000001+00:00'],
    ['t', '2026-11-24 18:52:00.000001Z'],
    ['t', '2026-13-24T18:52:00.000001Z'],
    ['t', '2026-11-00T18:52:00.000001Z'],
    ['t', '2026-11-24T24:00:00.000000Z'],
    ['t', '2026-11-24T18:60:00.000001Z'],
    ['t', '2026-11-24T18:52:00.000001Z\n'],
    ['boot', 'bot_'],
    ['boot', 'bot_01JD3W5V8X9Y2Z4A6B7C8D9E0F'],
    ['boot', 'bot_01jd3w5v8x9y2z4a6b7c8d9e0u'],
    ['type', ''],
    ['type', true],
    ['kind', 'root'],
    ['actor', 'ABCDEF'],
    ['actor', '0'.repeat(31)],
    ['session', 'x'],
    ['seq', -1],
    ['seq', '3'],
    ['target', ''],
    ['target', 5],
    ['ref', 7],
    ['ref', 8],
    ['ref', -1],
    ['status', 'ok'],
    ['decision', 'maybe'],
    ['policy', 'AB'.repeat(32)],
    ['policy', 'ab'.repeat(31)],
    ['body', ''],
    ['body', { sql: 'select 1' }],
    ['actor', null],
  ];
  it.each(malformed)('with the "%s" %j is refused', (key, value) => {
    expect(code(() => parseLeaf(changed(full, { [key]: value })))).toBe(`LEAF_FIELD ${key}`);
  });

  it('of the system has no actor, and of anybody else has one', () => {
    expect(code(() => parseLeaf(changed(full, { kind: 'system' })))).toBe('LEAF_FIELD actor');
    expect(code(() => parseLeaf(changed(plain, { kind: 'service' })))).toBe('LEAF_FIELD actor');
  });

  it('with a seq without a session is refused', () => {
    expect(code(() => parseLeaf(changed(full, { session: undefined })))).toBe('LEAF_FIELD seq');
  });

  it('of a known type has the statuses of that type', () => {
    const cases: readonly (readonly [string, Json | undefined, boolean])[] = [
      ['auth.login', 'ok', true],
      ['auth.login', 'unknown', false],
      ['auth.login', undefined, false],
      ['auth.logout', undefined, true],
      ['auth.logout', 'ok', false],
      ['future.type', 'anything', true],
      ['future.type', undefined, true],
    ];
    for (const [type, status, good] of cases) {
      const result = code(() => parseLeaf(changed(full, { type, status })).kind);
      expect(result).toBe(good ? 'leaf' : 'LEAF_FIELD status');
    }
  });

  const notCanonical: readonly (readonly [string, string])[] = [
    ['spaces', formatLeaf(plain).replace(':', ': ')],
    ['a line feed', `${formatLeaf(plain)}\n`],
    ['keys in another order', `{"v":1,${formatLeaf(plain).slice(1, -7)}}`],
    ['a key twice', formatLeaf(plain).replace('"n":0', '"n":0,"n":0')],
    ['an exponent', formatLeaf(full).replace('"n":7', '"n":7e0')],
    ['minus zero', formatLeaf(plain).replace('"n":0', '"n":-0')],
    ['a needless escape', formatLeaf(plain).replace('genesis', '\\u0067enesis')],
    ['an array', '[]'],
    ['a string', '"leaf"'],
    ['null', 'null'],
  ];
  it.each(notCanonical)('with %s is refused', (_, entry) => {
    expect(code(() => parseLeaf(utf8(entry)))).toMatch(/^LEAF_NOT_CANONICAL/);
  });

  it('of garbage is refused with our own error', () => {
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.json().map(utf8),
      fc.jsonValue().map((value) => utf8(JSON.stringify(value))),
      fc.constant(utf8('['.repeat(60_000))),
      fc.constant(utf8('['.repeat(30_000) + ']'.repeat(30_000))),
    );
    fc.assert(
      fc.property(garbage, (entry) => {
        expect(code(() => parseLeaf(entry))).toMatch(
          /^(ENCODING|JSON_SYNTAX|JCS_VALUE|LEAF_NOT_CANONICAL|LEAF_FIELD)/,
        );
      }),
      { numRuns: 500 },
    );
  });

  it('with any changed byte is refused, or says something else', () => {
    const entry = utf8(formatLeaf(full));
    fc.assert(
      fc.property(fc.nat({ max: entry.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const other = entry.map((byte, i) => (i === at ? byte ^ by : byte));
        const parsed = code(() => parseLeaf(other));
        expect(parsed).not.toEqual(parseLeaf(entry));
      }),
    );
  });
});

describe('what a verifier does not know (spec/ledger.md, section 8)', () => {
  it('an unknown version is reported, with position and time, and does not fail', () => {
    const entry = utf8(jcs({ v: 2, n: 9, t: plain.t, anything: [1.5, null] }));
    expect(parseLeaf(entry)).toEqual({ kind: 'unknown-version', v: 2, n: 9, t: plain.t });
    expect(code(() => parseLeaf(utf8(jcs({ v: 2, t: plain.t }))))).toBe('LEAF_FIELD n');
    expect(code(() => parseLeaf(utf8(jcs({ v: 2, n: 9 }))))).toBe('LEAF_FIELD t');
  });

  it('an unknown type is reported and does not fail', () => {
    for (const type of ['future.type', 'constructor', '__proto__', 'toString'])
      expect(parseLeaf(changed(full, { type }))).toMatchObject({ kind: 'leaf', knownType: false });
  });

  it('an unknown key is reported by name and does not fail', () => {
    const parsed = parseLeaf(changed(full, { colour: 'red', replica: 2, urgent: true }));
    expect(parsed).toMatchObject({ kind: 'leaf', unknownKeys: ['colour', 'replica', 'urgent'] });
  });

  const badKeys: readonly (readonly [string, Json])[] = [
    ['Colour', 'red'],
    ['colour', null],
    ['colour', 1.5],
    ['colour', -1],
    ['colour', ['red']],
    ['colour', { red: 1 }],
    ['', 1],
  ];
  it.each(badKeys)('but the unknown key "%s" with %j breaks the rules of version 1', (key, value) => {
    expect(code(() => parseLeaf(changed(full, { [key]: value })))).toBe(`LEAF_FIELD ${key}`.trim());
  });
});

describe('the event catalogue', () => {
  it('has names, fields and statuses in one form, and no field twice', () => {
    for (const [type, { body, status }] of Object.entries(EVENTS)) {
      expect(type).toMatch(/^[a-z]+(\.[a-z]+)+$/);
      for (const list of [body, status ?? []]) {
        expect([type, new Set(list).size]).toEqual([type, list.length]);
        for (const name of list) expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
      }
    }
  });
});
