import { describe, expect, it } from 'vitest';
import { PROBE_LIMITS } from '../../../core/probe-limits.ts';
import { parseJson } from '../json/parse-json.ts';
import { DIALECTS } from './dialects.ts';
import { IDENTITY_PROBES, identityPath, namesModel, readIdentity } from './identity-probes.ts';
import { readRequest } from './read-request.ts';

function read(dialect: string, answer: unknown, model?: string, at = 0): unknown {
  const request = IDENTITY_PROBES.get(dialect)?.requests[at];
  if (request === undefined) throw new Error(`no probe of ${dialect}`);
  const bytes = new TextEncoder().encode(typeof answer === 'string' ? answer : JSON.stringify(answer));
  const parsed = parseJson(bytes);
  return readIdentity(request, { bytes, root: parsed.kind === 'json' ? parsed.root : undefined }, model);
}

const INFO = {
  model_id: 'BAAI/bge-reranker-large',
  model_sha: 'a1b2',
  model_dtype: 'float16',
  model_type: { reranker: {} },
  max_concurrent_requests: 512,
  version: '1.8.0',
  docker_label: null,
};
const MODEL = { id: 'm', revision: 'r1', dtype: 'float32', created: 1, stats: { queue_absolute: 3 } };

const many = (count: number): unknown => ({
  data: Array.from({ length: count }, (_, at) => ({ id: `m${at}` })),
});

const long = (middle: string): string => `${'a'.repeat(1_000)}${middle}${'b'.repeat(1_000)}`;

describe('what a service says of its model', () => {
  it.each([...IDENTITY_PROBES])(
    'is asked of %s by what its dialect knows as a read',
    (dialect, { requests }) => {
      expect(DIALECTS.map(({ name }) => name)).toContain(dialect);
      for (const request of requests) {
        const path = identityPath(request, 'm-1');
        const { effects } = readRequest(dialect, { method: 'GET', path, query: '', fields: [] }, undefined);
        // Some are reads that no table has; none is known to change anything.
        expect([['read'], ['unknown']]).toContainEqual(effects);
      }
    },
  );

  it('has members that stay as they are while the model does', () => {
    const first = read('tei', INFO);
    expect(first).toEqual({
      '/model_id': '"BAAI/bge-reranker-large"',
      '/model_sha': '"a1b2"',
      '/model_dtype': '"float16"',
      '/model_type': '{"reranker":{}}',
      '/version': '"1.8.0"',
    });
    expect(read('tei', { ...INFO, max_concurrent_requests: 1, docker_label: null })).toEqual(first);
    expect(read('tei', { ...INFO, model_sha: 'a1b3' })).not.toEqual(first);
    expect(read('infinity', { data: [MODEL] })).toEqual(
      read('infinity', { data: [{ ...MODEL, created: 2, stats: { queue_absolute: 0 } }] }),
    );
    expect(read('infinity', { data: [MODEL] })).not.toEqual(
      read('infinity', { data: [{ ...MODEL, revision: 'r2' }] }),
    );
  });

  it('is the same in whichever order models are listed, and of one model where one is meant', () => {
    const other = { ...MODEL, id: 'n' };
    expect(read('infinity', { data: [MODEL, other] })).toEqual(read('infinity', { data: [other, MODEL] }));
    expect(read('infinity', { data: [MODEL, other] }, 'm')).toEqual(read('infinity', { data: [MODEL] }, 'm'));
    expect(read('infinity', { data: [MODEL] }, 'absent')).toBeUndefined();
    expect(read('infinity', { data: [{ ...MODEL, id: 7 }] }, '7')).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ['nothing', {}],
    ['a list in place of an object', [INFO]],
    ['null', 'null'],
    ['no JSON', '<html>'],
    ['members that are null', { model_id: null }],
  ])('is not known of %s', (_, answer) => {
    expect(read('tei', answer)).toBeUndefined();
    expect(read('infinity', answer)).toBeUndefined();
  });

  it('is not known of more models than anybody runs', () => {
    expect(read('vllm', many(PROBE_LIMITS.modelsMax))).toHaveLength(PROBE_LIMITS.modelsMax);
    expect(read('vllm', many(PROBE_LIMITS.modelsMax + 1))).toBeUndefined();
    // One of them is meant: the others do not count.
    expect(read('vllm', many(10_000), 'm7')).toEqual([{ '/id': '"m7"' }]);
  });

  it('has long members by their beginning, their length and their end', () => {
    const text = JSON.stringify(read('tei', { model_id: long('') }));
    expect(text.length).toBeLessThan(PROBE_LIMITS.memberCharactersMax + 64);
    expect(text).not.toBe(JSON.stringify(read('tei', { model_id: long('x') })));
    // Half of a character is no text.
    expect(JSON.stringify(read('tei', { model_id: '\u{1f600}'.repeat(999) }))).toMatch(
      /^[^\ud800-\udfff]*(?:[\ud800-\udbff][\udc00-\udfff][^\ud800-\udfff]*)*$/,
    );
  });

  it('is asked for by a name that stays one segment of a path', () => {
    const [request] = IDENTITY_PROBES.get('cohere-v2')?.requests ?? [];
    if (request === undefined) throw new Error('none');
    expect(identityPath(request, 'a/../b?c#d')).toBe('/v1/models/a%2F..%2Fb%3Fc%23d');
    expect([...IDENTITY_PROBES].filter(([, probe]) => namesModel(probe)).map(([name]) => name)).toEqual([
      'cohere-v1',
      'cohere-v2',
      'pinecone',
      'elasticsearch',
      'opensearch',
    ]);
  });
});
