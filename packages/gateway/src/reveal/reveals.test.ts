/** Who is shown what, in which order, and what is left where something fails in between. */

import { describe, expect, it } from 'vitest';
import { hash } from 'node:crypto';
import type { Hold, HoldRequest, Taken } from '../approvals/holds-port.ts';
import { CountersignError } from '../core/errors.ts';
import { makeId } from '../core/ids.ts';
import type { LedgerEvent } from '../core/ledger-port.ts';
import { Secret } from '../core/secret.ts';
import { MaskingKeyRing } from '../masking/operators/key-ring.ts';
import { maskValue } from '../masking/operators/mask-value.ts';
import type { Operator, TypeDescription } from '../masking/operators/operator.ts';
import type { Mask } from '../masking/plan/mask.ts';
import type { StoredResource } from '../resources/view.ts';
import type { MaskedValue } from './masked-value.ts';
import { type RevealAsking, Reveals } from './reveals.ts';

const RING = new MaskingKeyRing({ id: 1, secret: new Secret(new Uint8Array(32).fill(1)) }, [
  { id: 0, secret: new Secret(new Uint8Array(32).fill(2)) },
]);
const REVEAL = { approvers: ['group:dpo'], count: 1, expires: '15m' };

function mask(name: string, more: Partial<Mask> = {}): StoredResource {
  const document: Mask = {
    kind: 'Mask',
    name,
    on: [],
    who: [],
    unless: [],
    columns: [`${name}.column`],
    as: 'token',
    ...more,
  };
  return { document, version: 3, digest: hash('sha256', name), changedUs: 0, changedBy: 'root' };
}

function masked(text: string, entity = 'COLUMN', kind: 'token' | 'fpe' = 'token', typeName = 'text'): string {
  const operator: Operator = { kind };
  const type: TypeDescription = { kind: 'base', name: typeName, typmod: -1 };
  const wire = {
    format: 'text',
    clientEncoding: 'UTF8',
    dateStyle: 'ISO, MDY',
    intervalStyle: 'postgres',
  } as const;
  const { value } = maskValue({ operator, entity, type, wire, keys: RING }, Buffer.from(text));
  return Buffer.from(value ?? []).toString();
}

const TOKEN: Omit<MaskedValue, 'value'> = {
  operator: 'token',
  entity: undefined,
  type: 'text',
  keyId: undefined,
};

const ASKING: RevealAsking = {
  requester: {
    id: makeId('principal', 0, new Uint8Array(10)),
    name: 'aud',
    kind: 'user',
    groups: [],
    issuer: 'local',
    subject: 'aud',
  },
  address: '127.0.0.1',
  reason: 'complaint',
  actor: { kind: 'user', actor: 'a', keyId: 'prn_a' },
};

/** A room in which everything that is asked is granted at once, and may be told to fail. */
function room(masks: readonly StoredResource[], granted = true) {
  const story: string[] = [];
  const requests: HoldRequest[] = [];
  const events: LedgerEvent[] = [];
  const failing = new Set<string>();
  const step = (name: string): void => {
    story.push(name);
    if (failing.has(name)) throw new CountersignError('LEDGER_HALTED', { reason: name });
  };
  const reveals = new Reveals({
    holds: {
      ask: async (request): Promise<Hold> => {
        requests.push(request);
        step(`ask ${request.binding.rule.name}`);
        return {
          id: makeId('hold', requests.length, new Uint8Array(10)),
          digest: request.binding.rule.name,
          state: granted ? 'granted' : 'asked',
          expiresUs: 0,
          openedBy: undefined,
          settled: new Promise(() => undefined),
          withdraw: async () => undefined,
          release: () => undefined,
        };
      },
      take: async (_id, digest): Promise<Taken> => {
        step(`take ${digest}`);
        const done: Taken['done'] = async (status) => step(`done ${digest} ${status}`);
        return { kind: 'taken', leaf: 40 + story.length, done };
      },
    },
    resources: {
      get: (kind, name) =>
        kind === 'Mask' ? masks.filter(({ document }) => name === undefined || document.name === name) : [],
      bundleDigest: () => 'f'.repeat(64),
    },
    ledger: {
      append: async (event: LedgerEvent) => {
        events.push(event);
        step(event.type);
        return { index: 77, timeUs: 0 };
      },
      appendMany: async () => [],
    },
    reader: { leaf: async () => undefined },
    keys: { find: async () => undefined },
    maskingKeys: async () => RING,
  });
  return { reveals, story, requests, events, failing };
}

async function code(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'shown',
    (error: unknown) =>
      error instanceof CountersignError ? `${error.code} ${error.message}` : String(error),
  );
}

describe('a masked value', () => {
  it('is shown when its grants are used and the leaf is written', async () => {
    const { reveals, story, events, requests } = room([
      mask('a', { reveal: REVEAL }),
      mask('b', { reveal: REVEAL }),
    ]);
    const value = masked('Ada');
    expect(await reveals.value({ ...TOKEN, value }, ASKING)).toEqual({ value: 'Ada', leaf: 77 });
    expect(story).toEqual(['ask a', 'ask b', 'take a', 'take b', 'mask.reveal', 'done a ok', 'done b ok']);
    expect(events[0]?.body).toMatchObject({
      rule: 'a',
      entity: 'COLUMN',
      name: 'aud',
      reason: 'complaint',
      count: 1,
    });
    expect(JSON.stringify([events, requests])).not.toContain('Ada');
    expect(
      Buffer.from(
        'changes' in (requests[0]?.binding ?? {}) ? Reflect.get(requests[0]?.binding ?? {}, 'changes') : [],
      ).toString(),
    ).toContain(value);
  });

  it('is shown to nobody until others agree', async () => {
    const { reveals, story } = room([mask('a', { reveal: REVEAL })], false);
    expect(await code(reveals.value({ ...TOKEN, value: masked('Ada') }, ASKING))).toMatch(/^REVEAL_HELD/);
    expect(story).toEqual(['ask a']);
  });

  it.each([
    ['no Mask has `reveal`', [mask('a')]],
    ['another that makes such masks has none', [mask('a', { reveal: REVEAL }), mask('strict')]],
    [
      'one that detects makes them too',
      [
        mask('a', { reveal: REVEAL, entity: 'EMAIL' }),
        {
          ...mask('d'),
          document: {
            kind: 'Mask' as const,
            name: 'd',
            on: [],
            who: [],
            unless: [],
            detect: ['email'],
            as: 'token',
          },
        },
      ],
    ],
    ['there is no Mask', []],
  ])('is refused where %s', async (_why, masks) => {
    const { reveals, story } = room(masks);
    const entity = masks.length === 2 && masks[1]?.document.name === 'd' ? 'EMAIL' : 'COLUMN';
    expect(await code(reveals.value({ ...TOKEN, value: masked('a@b.org', entity) }, ASKING))).toMatch(
      /^REVEAL_REFUSED/,
    );
    expect(story).toEqual([]);
  });

  it('is not read through a Mask of another entity or operator', async () => {
    const lenient = mask('lenient', { reveal: REVEAL, entity: 'EMAIL' });
    const { reveals, story } = room([mask('strict'), lenient]);
    const value = masked('Ada');
    // A token says what it is, whatever is said of it.
    for (const more of [
      { entity: 'EMAIL' },
      { type: 'int8' as const, entity: 'EMAIL' },
      { operator: 'fpe' as const, entity: 'EMAIL' },
    ]) {
      expect(await code(reveals.value({ ...TOKEN, value, ...more }, ASKING))).not.toBe('shown');
    }
    // Of one that does not, another entity gives another value.
    const number = masked('42', 'COLUMN', 'token', 'int8');
    const other = await reveals
      .value({ ...TOKEN, value: number, type: 'int8', entity: 'EMAIL' }, ASKING)
      .catch(() => undefined);
    expect(other?.value).not.toBe('42');
    expect(story.filter((one) => one.includes('strict'))).toEqual([]);
  });

  it('of a number needs what it is', async () => {
    const { reveals } = room([mask('a', { reveal: REVEAL })]);
    const number = masked('42', 'COLUMN', 'token', 'int8');
    expect(await reveals.value({ ...TOKEN, value: number, type: 'int8' }, ASKING)).toMatchObject({
      value: '42',
    });
  });

  it.each([
    ['token', 'fpe'],
    ['fpe', 'token'],
  ] as const)('of a number that was made by %s is not shown by the consent of %s', async (made, said) => {
    // Both are one permutation of numbers and uuid.
    const masks = [mask('strict', { as: made }), mask('lenient', { as: said, reveal: REVEAL })];
    for (const [type, clear] of [
      ['int4', '42'],
      ['int8', '42'],
      ['numeric', '1234567890'],
      ['uuid', '6f2b0c1e-3f1d-4a55-9c0e-7a1b2c3d4e5f'],
    ] as const) {
      const { reveals, story } = room(masks);
      const value = masked(clear, 'COLUMN', made, type);
      for (const operator of [made, said]) {
        const answer = await code(reveals.value({ ...TOKEN, operator, value, type }, ASKING));
        expect(answer).toMatch(/^REVEAL_REFUSED/);
      }
      expect(story).toEqual([]);
    }
    // Texts say which of them it was.
    const { reveals } = room(masks);
    const own = { ...TOKEN, operator: said, value: masked('1234567890', 'COLUMN', said) };
    expect(await reveals.value(own, ASKING)).toMatchObject({ value: '1234567890' });
  });

  it('of fpe comes back with its key', async () => {
    const { reveals } = room([mask('a', { reveal: REVEAL, as: 'fpe' })]);
    const value = masked('1234567890', 'COLUMN', 'fpe');
    const request = { ...TOKEN, operator: 'fpe', value } as const;
    expect(await reveals.value(request, ASKING)).toMatchObject({ value: '1234567890' });
    expect((await reveals.value({ ...request, keyId: 0 }, ASKING)).value).not.toBe('1234567890');
    expect(await code(reveals.value({ ...request, keyId: 9 }, ASKING))).toMatch(/^NOT_FOUND/);
  });

  it('that is none uses no grant up', async () => {
    const { reveals, story } = room([mask('a', { reveal: REVEAL })]);
    for (const value of [
      'Ada',
      'tok_column_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
      masked('Ada').slice(0, -1),
      ` ${masked('Ada')}`,
    ]) {
      expect(await code(reveals.value({ ...TOKEN, value }, ASKING))).toMatch(/^REQUEST_INVALID/);
    }
    expect(story).toEqual([]);
  });

  it.each(['ask a', 'ask b', 'take a', 'take b', 'mask.reveal', 'done a ok', 'done b ok'])(
    'is not shown where %s fails',
    async (failure) => {
      const { reveals, story, failing } = room([
        mask('a', { reveal: REVEAL }),
        mask('b', { reveal: REVEAL }),
      ]);
      failing.add(failure);
      const answer = await code(reveals.value({ ...TOKEN, value: masked('Ada') }, ASKING));
      expect(answer).toMatch(/^LEDGER_HALTED/);
      expect(answer).not.toContain('Ada');
      // A grant is used with its leaf, or ends as failed; never both.
      const ends = failure === 'mask.reveal' ? ['done a failed', 'done b failed'] : story.slice(-2);
      expect(story.slice(-2)).toEqual(ends);
    },
  );
});

describe('literals', () => {
  it('of a session that was shredded are gone', async () => {
    const { reveals, story } = room([mask('a', { reveal: REVEAL })]);
    const of = { session: 'ses_a', connection: 'db', leaf: 7 };
    expect(await code(reveals.literals(of, ASKING))).toMatch(/^SHREDDED/);
    expect(story).toEqual([]);
  });
});
