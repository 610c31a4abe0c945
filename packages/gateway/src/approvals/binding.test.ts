import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import canonicalize from 'canonicalize';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { bind, type ChangeBinding, type HoldBinding } from './binding.ts';

const ROOT = join(import.meta.dirname, '../../../..');

const BINDING: HoldBinding = {
  protocol: 'postgres',
  message: 'Execute',
  statement: Buffer.from('update ranking_scores set score = $1 where id = any($2)'),
  parameters: [
    { typeOid: 701, format: 1, value: Uint8Array.of(63, 240, 0, 0, 0, 0, 0, 0) },
    { typeOid: 0, format: 0, value: undefined },
  ],
  principal: 'prn_00000000000000000000000000',
  connection: 'reranker-db',
  database: 'rerank',
  role: 'rerank_app',
  state: { search_path: 'public', standard_conforming_strings: 'on' },
  policy: '9'.repeat(64),
  rule: { name: 'bulk-score-updates', version: 3 },
  rows: 120,
};

/** One change of each thing that an approval is bound to. */
const OTHERS: Readonly<Record<string, HoldBinding>> = {
  protocol: { ...BINDING, protocol: 'mysql' },
  message: { ...BINDING, message: 'Query' },
  statement: { ...BINDING, statement: Buffer.concat([BINDING.statement, Buffer.from(' ')]) },
  'the value of a parameter': {
    ...BINDING,
    parameters: [
      { typeOid: 701, format: 1, value: new Uint8Array(8) },
      { typeOid: 0, format: 0, value: undefined },
    ],
  },
  'an empty value for NULL': {
    ...BINDING,
    parameters: [...BINDING.parameters.slice(0, 1), { typeOid: 0, format: 0, value: new Uint8Array() }],
  },
  'the type of a parameter': {
    ...BINDING,
    parameters: [...BINDING.parameters.slice(0, 1), { typeOid: 23, format: 0, value: undefined }],
  },
  'the format of a parameter': {
    ...BINDING,
    parameters: [...BINDING.parameters.slice(0, 1), { typeOid: 0, format: 1, value: undefined }],
  },
  'one parameter more': {
    ...BINDING,
    parameters: [...BINDING.parameters, { typeOid: 0, format: 0, value: undefined }],
  },
  'value in the spool': {
    ...BINDING,
    parameters: [{ spooled: { bytes: 2_097_152, sha256: '7'.repeat(64) } }],
  },
  'length in the spool': {
    ...BINDING,
    parameters: [{ spooled: { bytes: 2_097_153, sha256: '7'.repeat(64) } }],
  },
  'the order of parameters': { ...BINDING, parameters: BINDING.parameters.toReversed() },
  principal: { ...BINDING, principal: 'prn_00000000000000000000000001' },
  connection: { ...BINDING, connection: 'reranker-db2' },
  database: { ...BINDING, database: 'rerank2' },
  role: { ...BINDING, role: 'postgres' },
  'a setting': { ...BINDING, state: { ...BINDING.state, search_path: 'hostile, public' } },
  'a setting more': { ...BINDING, state: { ...BINDING.state, DateStyle: 'ISO' } },
  context: { ...BINDING, context: { path: '/v1' } },
  policy: { ...BINDING, policy: '8'.repeat(64) },
  rule: { ...BINDING, rule: { name: 'other', version: 3 } },
  'the version of the rule': { ...BINDING, rule: { name: 'bulk-score-updates', version: 4 } },
  rows: { ...BINDING, rows: 121 },
  'no count of rows': { ...BINDING, rows: undefined },
};

const CHANGE: ChangeBinding = {
  protocol: 'resources',
  message: 'apply',
  changes: Buffer.from(
    '[{"action":"updated","diff":[{"from":["ana"],"path":"who","to":["ana","eve"]}],"from_digest":"11","kind":"Access","name":"search","previous_version":1,"to_digest":"22"}]',
  ),
  resources: [['Access', 'search']],
  principal: 'prn_00000000000000000000000000',
  policy: '9'.repeat(64),
  rule: { name: 'guard', version: 1 },
};

/** One change of each thing that an approval of a change of resources is bound to. */
const OTHER_CHANGES: Readonly<Record<string, ChangeBinding>> = {
  'what is done': { ...CHANGE, message: 'delete' },
  'what is changed': { ...CHANGE, changes: Buffer.from('[]') },
  principal: { ...CHANGE, principal: 'prn_00000000000000000000000001' },
  'guards or versions': { ...CHANGE, policy: '8'.repeat(64) },
  rule: { ...CHANGE, rule: { name: 'other', version: 1 } },
  'the version of the rule': { ...CHANGE, rule: { name: 'guard', version: 2 } },
};

describe('the digest of a hold of a change of resources', () => {
  it.each(Object.entries(OTHER_CHANGES))('is another one for another %s', (_, other) => {
    expect(bind(other).digest).not.toBe(bind(CHANGE).digest);
  });

  it('is over what the leaf says, and that of the vectors', async () => {
    const all = Object.entries({ '': CHANGE, ...OTHER_CHANGES }).map(([what, binding]) => {
      const { digest, boundTo } = bind(binding);
      const own = createHash('sha256').update(canonicalize(boundTo) ?? '');
      expect(own.digest('hex')).toBe(digest);
      const { resources: _, ...rest } = binding;
      const given = { ...rest, changes: Buffer.from(binding.changes).toString('base64') };
      return JSON.stringify({
        spec: 'policy.md#rules-on-resources',
        other: what,
        binding: given,
        boundTo,
        digest,
      });
    });
    await expect(`${all.join('\n')}\n`).toMatchFileSnapshot(join(ROOT, 'vectors/policy/held-changes.jsonl'));
  });

  it('has every member in the specification', async () => {
    const spec = await readFile(join(ROOT, 'spec/policy.md'), 'utf8');
    for (const member of Object.keys(bind(CHANGE).boundTo)) expect(spec).toContain(`\`${member}\``);
  });
});

describe('the digest of a hold', () => {
  it.each(Object.entries(OTHERS))('is another one for another %s', (_, other) => {
    expect(bind(other).digest).not.toBe(bind(BINDING).digest);
  });

  it('is the same for the same thing, in whatever order it is said', () => {
    const state = { standard_conforming_strings: 'on', search_path: 'public' };
    expect(bind({ ...BINDING, state, context: {} }).digest).toBe(bind(BINDING).digest);
  });

  it('is over what the leaf says, by an implementation that is not ours', () => {
    const { digest, boundTo } = bind(BINDING);
    expect(
      createHash('sha256')
        .update(canonicalize(boundTo) ?? '')
        .digest('hex'),
    ).toBe(digest);
    expect(JSON.stringify(boundTo)).not.toContain('ranking_scores set');
  });

  it('is that of the vectors', async () => {
    const all = Object.entries({ '': BINDING, ...OTHERS }).map(([what, binding]) => {
      const { parameters, statement, ...rest } = binding;
      const given = {
        ...rest,
        statement: Buffer.from(statement).toString('base64'),
        parameters: parameters.map((parameter) =>
          'value' in parameter && parameter.value !== undefined
            ? { ...parameter, value: Buffer.from(parameter.value).toString('base64') }
            : parameter,
        ),
      };
      const { digest, boundTo } = bind(binding);
      return JSON.stringify({ spec: 'policy.md#holds', other: what, binding: given, boundTo, digest });
    });
    await expect(`${all.join('\n')}\n`).toMatchFileSnapshot(join(ROOT, 'vectors/policy/holds.jsonl'));
  });

  it('has every member in the specification', async () => {
    const spec = await readFile(join(ROOT, 'spec/policy.md'), 'utf8');
    for (const member of Object.keys(bind(BINDING).boundTo)) expect(spec).toContain(`\`${member}\``);
  });
});
