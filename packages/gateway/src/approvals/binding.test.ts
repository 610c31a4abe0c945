import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import canonicalize from 'canonicalize';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { bind, type HoldBinding } from './binding.ts';

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
