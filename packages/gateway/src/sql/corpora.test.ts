/** The corpora in vectors/sql: nothing that destroys passes for harmless, and what is harmless passes. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Effect, ReadText } from '../core/effects.ts';
import { EFFECTS } from '../core/effects.ts';
import type { Parser } from './parser.ts';
import { readText } from './read-text.ts';
import { testingOnlyParser } from './testing-parser.ts';

interface Case {
  readonly title: string;
  readonly text: Uint8Array;
  readonly effects: readonly string[];
  readonly doubts: readonly string[];
  readonly refused: string | undefined;
}

/** What a gate lets through without looking further: see also `execute`, which is what was prepared. */
const BASELINE: ReadonlySet<Effect> = new Set([
  'read',
  'lock',
  'setting',
  'transaction',
  'prepare',
  'execute',
  'cursor',
  'notify',
  'explain',
]);

const encoder = new TextEncoder();

function corpus(name: string): readonly Case[] {
  const file = fileURLToPath(new URL(`../../../../vectors/sql/${name}.txt`, import.meta.url));
  const [, ...blocks] = readFileSync(file, 'utf8').split(/^case: /m);
  return blocks.map(parseCase);
}

function parseCase(block: string): Case {
  const [title = '', ...lines] = block.split('\n');
  const text: string[] = [];
  let bytes: Uint8Array | undefined;
  let effects: readonly string[] = [];
  let doubts: readonly string[] = [];
  let refused: string | undefined;
  for (const line of lines) {
    const mark = line.slice(0, line.indexOf(' '));
    const rest = line.slice(line.indexOf(' ') + 1);
    if (line === '' || line === '>') {
      if (line === '>') text.push('');
    } else if (mark === '>') text.push(rest);
    else if (mark === 'hex>') bytes = Buffer.from(rest, 'hex');
    else if (mark === '=') effects = rest === 'nothing' ? [] : rest.split(' ');
    else if (mark === '?') doubts = rest.split(' ');
    else if (mark === '!') refused = rest;
    else throw new Error(`${title}: ${line}`);
  }
  for (const effect of effects) {
    if (!EFFECTS.some((known) => known === effect)) throw new Error(`${title}: ${effect}`);
  }
  return { title, text: bytes ?? encoder.encode(text.join('\n')), effects, doubts, refused };
}

let parser: Parser;

beforeAll(async () => {
  parser = await testingOnlyParser();
});

function read(text: Uint8Array): ReadText {
  return readText(text, parser);
}

function effectsOf(found: ReadText): readonly Effect[] {
  if (found.kind !== 'read') return [];
  return [...new Set(found.statements.flatMap(({ effects }) => effects.map(({ effect }) => effect)))];
}

function doubtsOf(found: ReadText): readonly string[] {
  if (found.kind !== 'read') return [];
  return Object.entries(found.doubts).flatMap(([name, doubted]) => (doubted ? [name] : []));
}

function passes(found: ReadText): boolean {
  return (
    found.kind === 'read' &&
    doubtsOf(found).length === 0 &&
    effectsOf(found).every((effect) => BASELINE.has(effect))
  );
}

describe('a statement that destroys', () => {
  const cases = corpus('destructive');

  it('is one of at least 150', () => {
    expect(
      new Set(cases.map(({ text }) => Buffer.from(text).toString('latin1'))).size,
    ).toBeGreaterThanOrEqual(150);
  });

  it.each(cases)('is seen for what it is: $title', ({ text, effects, doubts, refused }) => {
    const found = read(text);
    expect(found.kind).toBe(refused ?? 'read');
    const effectsFound: readonly string[] = effectsOf(found);
    expect(effects.filter((effect) => !effectsFound.includes(effect))).toEqual([]);
    expect(doubtsOf(found)).toEqual(doubts);
    expect(passes(found)).toBe(false);
  });
});

describe.each(['harmless', 'psql', 'pg-dump'])('what is harmless, of the corpus %s', (name) => {
  const cases = corpus(name);

  it.each(cases)('is seen to be: $title', ({ text, effects, doubts }) => {
    const found = read(text);
    expect(found.kind).toBe('read');
    expect(effectsOf(found).filter((effect) => !effects.includes(effect))).toEqual([]);
    expect(doubtsOf(found)).toEqual(doubts);
  });
});

describe('a gate on these effects', () => {
  it('lets no statement through that destroys, and stops at most one of a hundred that do not', () => {
    const destructive = corpus('destructive').filter(({ text }) => passes(read(text)));
    // A dump takes rows out, which is what such a gate is there to stop.
    const harmless = ['harmless', 'psql', 'pg-dump']
      .flatMap(corpus)
      .filter(({ effects }) => !effects.includes('export'));
    const stopped = harmless.filter(({ text }) => !passes(read(text)));
    process.stdout.write(
      `${destructive.length} of ${corpus('destructive').length} that destroy pass; ` +
        `${stopped.length} of ${harmless.length} harmless are stopped: ${stopped.map(({ title }) => title).join(', ')}\n`,
    );
    expect(destructive.map(({ title }) => title)).toEqual([]);
    expect(stopped.length / harmless.length).toBeLessThanOrEqual(0.01);
  });
});
