/** vectors/policy/break-glass.txt: spec/policy.md, "Break-glass", with PostgreSQL's grammar. */

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { beforeAll, describe, expect, it } from 'vitest';
import { EFFECTS } from '../../packages/gateway/src/core/effects.ts';
import { openersOf } from '../../packages/gateway/src/policy/break-glass.ts';
import { SessionPolicy } from '../../packages/gateway/src/policy/decide.ts';
import { overBound } from '../../packages/gateway/src/policy/observed.ts';
import { parseNamePattern } from '../../packages/gateway/src/policy/patterns.ts';
import { compileRule } from '../../packages/gateway/src/policy/rule.ts';
import { parseResources } from '../../packages/gateway/src/resources/parse.ts';
import { openParser, type Parser } from '../../packages/gateway/src/sql/parser.ts';
import { readText } from '../../packages/gateway/src/sql/read-text.ts';
import { readVectors, type Vector } from './vectors.ts';

const VECTORS = readVectors('policy/break-glass.txt', 'spec hold glass sql rows opens'.split(' '));

let parser: Parser;

beforeAll(async () => {
  const file = createRequire(new URL('../../packages/gateway/src/main.ts', import.meta.url)).resolve(
    'libpg-query/wasm/libpg-query.wasm',
  );
  parser = await openParser(await readFile(file));
});

function compiled(name: string, when: string, consequence: string) {
  const [document] = parseResources(
    `{ kind: Rule, name: ${name}, who: [ana], when: ${when}, then: ${consequence} }`,
  );
  if (document?.kind !== 'Rule') throw new Error('expected a rule');
  return compileRule(document, 1);
}

function isOpened(vector: Vector): boolean {
  const held = compiled('held', vector.one('hold'), '{ hold: { approvers: [bo] } }');
  const glass = compiled('glass', vector.one('glass'), '{ breakGlass: { reviewers: [bo] } }');
  if ('terms' in held || !('terms' in glass)) throw new Error('expected one of each');
  const caller = { kind: 'user', address: '127.0.0.1', client: '' } as const;
  const allowance = { access: 'a', version: 1, effects: new Set(EFFECTS) };
  const policy = new SessionPolicy([held], allowance, caller, [glass]);
  const decision = policy.decide(readText(Buffer.from(vector.one('sql')), parser), 0);
  const observed = vector.all('rows').map((line) => {
    const [table = '', ...numbers] = line.split(' ');
    const [inserted = 0, updated = 0, deleted = 0] = numbers.map(Number);
    return { ...parseNamePattern(table), inserted, updated, deleted };
  });
  const over = overBound(decision.counted, observed);
  // It is held, or the vector is about nothing.
  expect([...decision.holds, ...over.map(({ rule }) => rule)]).toContain(held);
  return openersOf(decision, held, over[0]?.tables).length > 0;
}

describe('break-glass', () => {
  it.each(VECTORS.map((vector, index) => [index + 1, vector.one('sql'), vector] as const))(
    'vector %d: %s',
    (_, __, vector) => {
      expect(isOpened(vector) ? 'yes' : 'no').toBe(vector.one('opens'));
    },
  );
});
