import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from './bytes.ts';
import { RangeCheck, type RangeFindings } from './completeness.ts';
import { LedgerError } from './errors.ts';
import { type Json, jcs } from './jcs.ts';
import { Frontier, leafHash } from './merkle.ts';

const LOG = 'countersign.example/ledger/gw1';
const SIZE = 60;
const SESSIONS = ['ses_00000000000000000000000001', 'ses_00000000000000000000000002'] as const;

type Members = Readonly<Record<string, Json>>;

function time(index: number): string {
  return new Date(Date.UTC(2026, 0, 1) + index * 10).toISOString().replace('Z', '000Z');
}

/** Two sessions by turns: the first from leaf 1, the second from leaf 30, heartbeats in between. */
function members(n: number): Members {
  const base = { v: 1, log: LOG, n, t: time(n), boot: 'bot_00000000000000000000000000' };
  if (n % 3 === 0) return { ...base, type: 'ledger.heartbeat', kind: 'system' };
  const second = n >= 30 && n % 3 === 2;
  const before = Array.from({ length: n }, (_, i) => i).filter(
    (i) => i % 3 !== 0 && (i >= 30 && i % 3 === 2) === second,
  );
  return {
    ...base,
    type: before.length === 0 ? 'session.start' : 'statement.prepare',
    kind: 'user',
    actor: '0'.repeat(32),
    session: SESSIONS[second ? 1 : 0],
    seq: before.length,
  };
}

const honest = Array.from({ length: SIZE }, (_, n) => members(n));

function entries(leaves: readonly Members[]): Uint8Array[] {
  return leaves.map((leaf) => utf8(jcs(leaf)));
}

function treeOf(leaves: readonly Uint8Array[], size = leaves.length): Frontier {
  const frontier = new Frontier();
  for (const leaf of leaves.slice(0, size)) frontier.push(leafHash(leaf));
  return frontier;
}

/** Checks `given` as the leaves from `from` on, against the tree of `log`. */
function check(
  given: readonly Uint8Array[],
  from = 0,
  log: readonly Uint8Array[] = entries(honest),
): RangeFindings | string {
  try {
    const start = treeOf(log, from);
    const range = new RangeCheck(Frontier.from(from, start.hashes), LOG);
    for (const entry of given) range.push(entry);
    return range.finish(log.length, treeOf(log).root());
  } catch (error) {
    if (error instanceof LedgerError) return error.code;
    throw error;
  }
}

/** A log that its own keeper wrote like this: the tree fits, the leaves must not. */
function selfConsistent(leaves: readonly Members[], from = 0): RangeFindings | string {
  const all = entries(leaves);
  return check(all.slice(from), from, all);
}

function replace(at: number, changes: Members): readonly Members[] {
  return honest.map((leaf, n) => (n === at ? { ...leaf, ...changes } : leaf));
}

describe('a range of leaves', () => {
  it('that is complete is accepted, from any frontier', () => {
    for (let from = 0; from <= SIZE; from++)
      expect(check(entries(honest).slice(from), from)).toEqual({
        leaves: SIZE - from,
        notInterpreted: 0,
        unknownKeys: new Set(),
      });
  });

  const position = fc.integer({ min: 0, max: SIZE - 1 });
  const damages: readonly (readonly [
    string,
    (all: Uint8Array[], at: number, other: number) => readonly Uint8Array[],
  ])[] = [
    ['a leaf dropped', (all, at) => all.toSpliced(at, 1)],
    ['a leaf inserted', (all, at) => all.toSpliced(at, 0, ...entries([members(at)]))],
    ['a leaf twice', (all, at) => all.toSpliced(at, 0, ...all.slice(at, at + 1))],
    [
      "two leaves in each other's place",
      (all, a, b) => all.map((leaf, i) => all[i === a ? b : i === b ? a : i] ?? leaf),
    ],
    ['a leaf changed', (all, at) => all.with(at, utf8(jcs({ ...members(at), target: 'elsewhere' })))],
  ];
  it.each(damages)('with %s is refused', (_, make) => {
    fc.assert(
      fc.property(position, position, fc.integer({ min: 0, max: SIZE }), (a, b, c) => {
        fc.pre(a !== b);
        const from = Math.min(a, b, c);
        const given = make(entries(honest), a, b).slice(from);
        expect(['COMPLETENESS', 'ROOT_MISMATCH']).toContain(check(given, from));
      }),
    );
  });

  it('that ends too early or too late is refused', () => {
    const all = entries(honest);
    expect(check(all.slice(0, -1))).toBe('COMPLETENESS');
    expect(check([...all, ...entries([members(SIZE)])])).toBe('COMPLETENESS');
    expect(check([])).toBe('COMPLETENESS');
  });

  it('from a frontier that is not the one of the log is refused', () => {
    const all = entries(honest);
    const range = new RangeCheck(treeOf(entries(replace(3, { target: 'elsewhere' })), 20), LOG);
    for (const entry of all.slice(20)) range.push(entry);
    expect(() => range.finish(SIZE, treeOf(all).root())).toThrow(LedgerError);
  });
});

describe('a log whose keeper lied consistently', () => {
  const lies: readonly (readonly [string, readonly Members[], string])[] = [
    ['a position that is not its own', replace(20, { n: 21 }), 'COMPLETENESS'],
    ['time that goes back', replace(20, { t: time(18) }), 'COMPLETENESS'],
    ['a leaf of another log', replace(20, { log: 'other.example/log' }), 'COMPLETENESS'],
    ['a gap in a session', replace(20, { seq: 99 }), 'COMPLETENESS'],
    ['a seq twice', replace(22, { seq: 13 }), 'COMPLETENESS'],
    ['a session that does not begin at 0', replace(1, { seq: 1 }), 'COMPLETENESS'],
    ['a session that starts twice', replace(22, { seq: 0, type: 'session.start' }), 'COMPLETENESS'],
    ['a start of a session that is not at 0', replace(32, { seq: 4 }), 'COMPLETENESS'],
  ];
  it.each(lies)('is found by %s', (_, leaves, found) => {
    expect(selfConsistent(leaves)).toBe(found);
  });

  it('is found in a session that began before the range', () => {
    expect(selfConsistent(honest, 10)).toMatchObject({ leaves: SIZE - 10 });
    expect(selfConsistent(replace(20, { seq: 99 }), 10)).toBe('COMPLETENESS');
    expect(selfConsistent(replace(32, { seq: 4 }), 10)).toBe('COMPLETENESS');
  });

  it('may give several leaves one time', () => {
    expect(selfConsistent(replace(20, { t: time(19) }))).toMatchObject({ leaves: SIZE });
  });

  it('is found by an entry that is not canonical', () => {
    const all = entries(honest).with(5, utf8(` ${jcs(members(5))}`));
    expect(check(all, 0, all)).toBe('LEAF_NOT_CANONICAL');
  });
});

describe('what is not known (spec/ledger.md, section 8)', () => {
  it('is counted and named, and does not fail', () => {
    const leaves = replace(20, { type: 'future.type', colour: 'red' }).map(
      (leaf, n): Members => (n === 21 ? { v: 2, n, t: time(n), words: ['any'] } : leaf),
    );
    expect(selfConsistent(leaves)).toEqual({
      leaves: SIZE,
      notInterpreted: 2,
      unknownKeys: new Set(['colour']),
    });
  });

  it('still has its place and its time', () => {
    const misplaced = honest.with(21, { v: 2, n: 22, t: time(21) });
    expect(selfConsistent(misplaced)).toBe('COMPLETENESS');
    const earlier = honest.with(21, { v: 2, n: 21, t: time(3) });
    expect(selfConsistent(earlier)).toBe('COMPLETENESS');
  });
});
