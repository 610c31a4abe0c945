/** vectors/policy/decisions.txt: spec/policy.md, sections 2 to 5, "Rows that are returned" and "Second factor". */

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { beforeAll, describe, expect, it } from 'vitest';
import { EFFECTS, type Effect } from '../../packages/gateway/src/core/effects.ts';
import { type Decision, SessionPolicy } from '../../packages/gateway/src/policy/decide.ts';
import { effectsOf, effectsThatMay } from '../../packages/gateway/src/policy/effect-classes.ts';
import { overBound } from '../../packages/gateway/src/policy/observed.ts';
import { parseDurationMs, parseNamePattern } from '../../packages/gateway/src/policy/patterns.ts';
import { compileRule, type CompiledRule } from '../../packages/gateway/src/policy/rule.ts';
import { parseResource } from '../../packages/gateway/src/resources/parse.ts';
import { openParser, type Parser } from '../../packages/gateway/src/sql/parser.ts';
import { readText } from '../../packages/gateway/src/sql/read-text.ts';
import { readVectors, type Vector } from './vectors.ts';

const FIELDS = 'spec rule may kind address client at mfa sql decision cause returned counted rows over'.split(
  ' ',
);
const VECTORS = readVectors('policy/decisions.txt', FIELDS);
const KINDS = ['user', 'ci', 'service', 'agent'] as const;

let parser: Parser;

beforeAll(async () => {
  const file = createRequire(new URL('../../packages/gateway/src/main.ts', import.meta.url)).resolve(
    'libpg-query/wasm/libpg-query.wasm',
  );
  parser = await openParser(await readFile(file));
});

function ruleOf(text: string): CompiledRule {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object') throw new Error(`expected a rule, got ${text}`);
  const document = parseResource({ kind: 'Rule', ...value });
  if (document.kind !== 'Rule') throw new Error('expected a rule');
  const compiled = compileRule(document, 1);
  if ('terms' in compiled) throw new Error('expected a rule that decides');
  return compiled;
}

function decide(vector: Vector): Decision {
  const effects = effectsThatMay(vector.maybe('may')?.split(' '));
  const at = Date.parse(vector.maybe('at') ?? '2026-11-25T12:00:00Z') * 1_000;
  const mfa = vector.maybe('mfa');
  const policy = new SessionPolicy(
    vector.all('rule').map(ruleOf),
    { access: 'a', version: 1, effects },
    {
      kind: KINDS.find((kind) => kind === vector.maybe('kind')) ?? 'user',
      address: vector.maybe('address') ?? '127.0.0.1',
      client: vector.maybe('client') ?? '',
      mfaUs: mfa === undefined ? undefined : at - parseDurationMs(mfa) * 1_000,
    },
  );
  return policy.decide(readText(Buffer.from(vector.one('sql')), parser), at);
}

function overOf(vector: Vector, { counted, statements }: Decision): readonly string[] {
  const observed = vector.all('rows').map((line) => {
    const [table = '', ...numbers] = line.split(' ');
    const { schema, name } = parseNamePattern(table);
    const [inserted = 0, updated = 0, deleted = 0] = numbers.map(Number);
    return { schema, name, inserted, updated, deleted };
  });
  return overBound(counted, observed, statements).map(
    ({ rule, rows, allowed }) => `${rule.name} ${rows} ${allowed}`,
  );
}

describe('the table of effects in spec/policy.md', () => {
  it('has each effect once, with its class', async () => {
    const spec = await readFile(new URL('../../spec/policy.md', import.meta.url), 'utf8');
    const rows = [...spec.matchAll(/^\| `([a-z:-]+)` \| `?([a-z]+)`? \| .* \|$/gm)].map(
      ([, effect = '', effectClass = '']) => [effect, effectClass] as const,
    );
    expect(rows.map(([effect]) => effect).toSorted()).toEqual([...EFFECTS].toSorted());
    for (const [effect, effectClass] of rows) {
      const words = effectClass === 'harmless' ? effectsThatMay([]) : effectsOf([effectClass]);
      expect([effect, [...words].includes(parsed(effect))]).toEqual([effect, true]);
    }
  });
});

function parsed(text: string): Effect {
  const found = EFFECTS.find((effect) => effect === text);
  if (found === undefined) throw new Error(`no effect ${text}`);
  return found;
}

describe('decisions', () => {
  it.each(VECTORS.map((vector, index) => [index + 1, vector.one('sql'), vector] as const))(
    'vector %d: %s',
    (_, __, vector) => {
      const decision = decide(vector);
      expect(decision.kind).toBe(vector.one('decision'));
      const causes = decision.causes.map(({ rule, from, to, what }) => `${rule} ${from} ${to} ${what}`);
      // A vector without causes is about the verdict alone.
      expect(vector.all('cause').length === 0 ? [] : causes).toEqual(vector.all('cause'));
      expect(decision.counted.map(({ name }) => name).join(' ')).toBe(vector.maybe('counted') ?? '');
      expect(decision.returned.map(({ name }) => name).join(' ')).toBe(vector.maybe('returned') ?? '');
      expect(overOf(vector, decision)).toEqual(vector.all('over'));
    },
  );

  it('are of every section that has any', () => {
    const sections = new Set(VECTORS.map((vector) => vector.one('spec')));
    expect([...sections]).toEqual([
      'policy.md#2',
      'policy.md#3',
      'policy.md#4',
      'policy.md#5',
      'policy.md#rows-that-are-returned',
      'policy.md#second-factor',
    ]);
  });
});
