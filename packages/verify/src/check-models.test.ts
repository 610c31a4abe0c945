import type { Json } from '@countersign/ledger/jcs';
import type { Leaf } from '@countersign/ledger/leaf';
import { fingerprintOf, identityDigest } from '@countersign/ledger/model-compare';
import { describe, expect, it } from 'vitest';
import { ModelCheck } from './check-models.ts';

type Values = Readonly<Record<string, Json>>;

function leaf(n: number, type: string, status: string): Leaf {
  return {
    v: 1,
    log: 'example.org/log',
    n,
    t: `2026-01-01T00:00:0${n}.000000Z`,
    boot: 'bot_00000000000000000000000000',
    type,
    kind: 'system',
    status,
    target: 'reranker',
  };
}

function identity(name: string, more: Values = {}): Values {
  const said = { '/info': { '/model_id': name } };
  return { identity: said, model_identity: identityDigest(said), ...more };
}

function canary(scores: readonly string[], more: Values = {}): Values {
  const answer = { order: scores.map((_, place) => place), scores };
  return { ...answer, fingerprint: fingerprintOf(answer), tolerance: '0.001', ...more };
}

function check(...looks: readonly (readonly [type: string, status: string, values: Values])[]): {
  readonly problems: string;
  readonly others: number;
} {
  const models = new ModelCheck();
  const problems = looks.flatMap(([type, status, values], n) =>
    models.problemsOf(leaf(n, type, status), values),
  );
  return { problems: problems.join('\n'), others: models.otherBaselines };
}

const from = (n: number): Values => ({ previous: { leaf: n } });

describe('what looks at models say', () => {
  it('is in order where the log bears it out', () => {
    expect(
      check(
        ['model.identity', 'same', identity('a')],
        ['model.canary', 'same', canary(['0.9', '0.1'])],
        ['model.identity', 'unknown', { failure: 'x' }],
        ['model.identity', 'same', identity('a', from(0))],
        ['model.canary', 'same', canary(['0.9005', '0.1'], from(1))],
        ['model.identity', 'changed', identity('b', from(0))],
        ['model.canary', 'changed', canary(['0.1', '0.9'], from(1))],
        ['model.identity', 'same', identity('b', from(5))],
      ),
    ).toEqual({ problems: '', others: 0 });
  });

  it.each<[string, readonly [string, string, Values][], RegExp]>([
    [
      'another identity as the same',
      [
        ['model.identity', 'same', identity('a')],
        ['model.identity', 'same', identity('b', from(0))],
      ],
      /leaf 1: says that the model is as before/,
    ],
    [
      'other scores as the same',
      [
        ['model.canary', 'same', canary(['0.9', '0.1'])],
        ['model.canary', 'same', canary(['0.8', '0.1'], from(0))],
      ],
      /leaf 1: says that the model is as before/,
    ],
    [
      'other scores as the same, by a tolerance that nobody may have',
      [
        ['model.canary', 'same', canary(['0.9', '0.1'])],
        ['model.canary', 'same', canary(['0.8', '0.1'], { ...from(0), tolerance: '100' })],
      ],
      /leaf 1: says that the model is as before/,
    ],
    [
      'a digest of something else',
      [['model.identity', 'same', { ...identity('a'), model_identity: identityDigest({ x: 'y' }) }]],
      /leaf 0: its model_identity is not the digest/,
    ],
    [
      'a fingerprint of something else',
      [
        [
          'model.canary',
          'same',
          { ...canary(['0.9']), fingerprint: fingerprintOf({ order: [0], scores: ['0.90'] }) },
        ],
      ],
      /leaf 0: its fingerprint is not that/,
    ],
  ])('is refused where it has %s', (_, looks, problem) => {
    expect(check(...looks).problems).toMatch(problem);
  });

  it('is counted where it is compared with something else than what stands before it', () => {
    const { problems, others } = check(
      ['model.identity', 'same', identity('a')],
      ['model.identity', 'same', identity('a')],
      ['model.identity', 'same', identity('a', from(7))],
    );
    expect([problems, others]).toEqual(['', 2]);
  });

  it('is not judged where it is not disclosed, or not of its kind', () => {
    expect(
      check(
        ['model.identity', 'same', {}],
        ['model.canary', 'same', { order: 'x', scores: [1], fingerprint: 'y' }],
        ['http.intent', 'same', { model_identity: 'x', identity: {} }],
      ).problems,
    ).toBe('');
  });
});
