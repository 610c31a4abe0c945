import { describe, expect, it } from 'vitest';
import { toHex, utf8 } from './bytes.ts';
import { type Json, jcs, parseJson } from './jcs.ts';
import type { Leaf } from './leaf.ts';
import { MaskVersions } from './mask-versions.ts';
import { sha256 } from './sha256.ts';

const PERIOD = { from: time(10), to: time(20) };

function time(second: number): string {
  return `2026-11-24T00:00:${String(second).padStart(2, '0')}.000000Z`;
}

function leaf(n: number, type = 'resource.apply'): Leaf {
  return { v: 1, log: 'log', n, t: time(n), boot: 'bot_00000000000000000000000000', type, kind: 'user' };
}

function digest(document: Json): string {
  return toHex(sha256(utf8(jcs(document))));
}

const ONE = { as: 'redact', columns: ['a.b'], kind: 'Mask', name: 'm' };
const TWO = { as: { keepLast: 4, kind: 'partial' }, columns: ['a.b', 'a.c'], kind: 'Mask', name: 'm' };

const MADE = {
  resource_kind: 'Mask',
  name: 'm',
  version: 1,
  to_digest: digest(ONE),
  changed_by: 'ana',
  diff: Object.entries(ONE).map(([path, to]) => ({ path, to })),
};
const CHANGED = {
  resource_kind: 'Mask',
  name: 'm',
  version: 2,
  from_digest: digest(ONE),
  to_digest: digest(TWO),
  diff: [
    { path: 'as', from: 'redact', to: TWO.as },
    { path: 'columns', from: ['a.b'], to: TWO.columns },
  ],
};

function made(
  ...changes: readonly (readonly [Leaf, Readonly<Record<string, Json>>])[]
): Record<string, Json> {
  const versions = new MaskVersions(PERIOD);
  for (const [one, values] of changes) versions.change(one, values);
  return Object.fromEntries(Object.entries(parseJson(versions.format()) ?? {}));
}

describe('masking-rules.json', () => {
  it('has Detectors beside Masks, with the document where the differences give it', () => {
    const staff = { kind: 'Detector', name: 'm', pattern: 'EMP-[0-9]{6}' };
    const list = { kind: 'Detector', name: 'list', exact: ['ana', 'bo'] };
    const changed = (document: { readonly name: string }, diff: Json): Readonly<Record<string, Json>> => ({
      resource_kind: 'Detector',
      name: document.name,
      version: 1,
      to_digest: digest(document),
      diff,
    });
    const whole = changed(
      staff,
      Object.entries(staff).map(([path, to]) => ({ path, to })),
    );
    const file = made(
      [leaf(1), MADE],
      [leaf(2), whole],
      [
        leaf(3),
        changed(list, [
          { path: 'exact.values', to: 2 },
          { path: 'exact.sha256', to: 'ab' },
        ]),
      ],
      [
        leaf(12, 'resource.delete'),
        { resource_kind: 'Detector', name: 'm', version: 2, from_digest: digest(staff), diff: [] },
      ],
    );
    expect(file['masks']).toMatchObject([{ mask: 'm', version: 1 }]);
    expect(file['detectors']).toEqual([
      {
        detector: 'm',
        version: 1,
        digest: digest(staff),
        document: staff,
        from_leaf: 2,
        from_time: time(2),
        until: 'deleted',
        until_leaf: 12,
        until_time: time(12),
      },
      { detector: 'list', version: 1, digest: digest(list), from_leaf: 3, from_time: time(3) },
    ]);
    expect(made([leaf(1), MADE])).not.toHaveProperty('detectors');
  });

  it('has what is in force though it was made long before, with the document that gives its digest', () => {
    expect(made([leaf(1), MADE])).toEqual({
      ...PERIOD,
      masks: [
        {
          mask: 'm',
          version: 1,
          digest: digest(ONE),
          changed_by: 'ana',
          document: ONE,
          from_leaf: 1,
          from_time: time(1),
        },
      ],
      more: 0,
      named_only: [],
      undisclosed: 0,
    });
  });

  it('has each version of the period with its end, and none that ended before or began after it', () => {
    const { masks } = made([leaf(1), MADE], [leaf(12), CHANGED]);
    expect(masks).toMatchObject([
      { version: 1, until: 'changed', until_leaf: 12, until_time: time(12) },
      { version: 2, document: TWO, previous_digest: digest(ONE), from_leaf: 12 },
    ]);
    expect(made([leaf(1), MADE], [leaf(5), CHANGED])['masks']).toMatchObject([{ version: 2 }]);
    expect(made([leaf(1), MADE], [leaf(10), CHANGED])['masks']).toMatchObject([{ version: 2 }]);
    expect(made([leaf(1), MADE], [leaf(20), CHANGED])['masks']).toMatchObject([
      { version: 1, until_leaf: 20 },
    ]);
    const gone = { resource_kind: 'Mask', name: 'm', version: 2 };
    expect(made([leaf(1), MADE], [leaf(9, 'resource.delete'), gone])['masks']).toEqual([]);
    expect(made([leaf(1), MADE], [leaf(15, 'resource.delete'), gone])['masks']).toMatchObject([
      { version: 1, until: 'deleted' },
    ]);
    expect(made([leaf(20), MADE])['masks']).toEqual([]);
  });

  it.each([
    ['another digest', { ...CHANGED, to_digest: digest(ONE) }],
    ['a difference that is none', { ...CHANGED, diff: [{ path: 3 }] }],
    ['no differences', { ...CHANGED, diff: 'x' }],
    ['a path without end', { ...CHANGED, diff: [{ path: 'a.'.repeat(40), to: 1 }] }],
  ])('has no document where there is %s', (_, change) => {
    const { masks } = made([leaf(1), MADE], [leaf(12), change]);
    expect(masks).toMatchObject([{ document: ONE }, { version: 2 }]);
    expect(jcs(masks ?? []).match(/"document"/g)).toHaveLength(1);
  });

  it('has members that went, and those that came within others', () => {
    const three = { columns: ['a.b'], kind: 'Mask', name: 'm', as: { kind: 'mask' } };
    const change = {
      ...CHANGED,
      version: 3,
      from_digest: digest(TWO),
      to_digest: digest(three),
      diff: [
        { path: 'as.keepLast', from: 4 },
        { path: 'as.kind', to: 'mask' },
        { path: 'columns', to: ['a.b'] },
      ],
    };
    const { masks } = made([leaf(1), MADE], [leaf(2), CHANGED], [leaf(3), change]);
    expect(masks).toMatchObject([{ version: 3, document: three }]);
  });

  it('counts changes of which nobody says what they are, and names Masks that were made elsewhere', () => {
    const versions = new MaskVersions(PERIOD);
    versions.change(leaf(1), { resource_kind: 'Access' });
    versions.change(leaf(2), {});
    versions.change(leaf(21), {});
    versions.change(leaf(3), MADE);
    versions.statement({
      masks: [
        { mask: 'm', version: 1 },
        { mask: 'far', version: 3 },
      ],
    });
    versions.statement({
      masked: [
        { mask: 'far', version: 3, values: 1 },
        { mask: 'm', version: 2 },
      ],
    });
    expect(parseJson(versions.format())).toMatchObject({
      undisclosed: 1,
      named_only: [
        { mask: 'far', version: 3 },
        { mask: 'm', version: 2 },
      ],
    });
  });

  it('has what was found of the roles of targets, looks that found the same as one', () => {
    const versions = new MaskVersions(PERIOD);
    const look = (n: number, status: string, values: Readonly<Record<string, Json>>, target = 'db'): void =>
      versions.serverRole({ ...leaf(n, 'mask.role'), status, target }, values);
    const found = {
      database: 'shop',
      target_user: 'reader',
      masked_columns: 3,
      digest: 'aa',
      why: 'session',
    };
    look(11, 'ok', found);
    look(12, 'ok', { ...found, why: 'age' });
    look(13, 'ok', found, 'other');
    look(14, 'failed', { ...found, digest: 'bb', problems: ['read: x'] });
    look(15, 'ok', found);
    expect(parseJson(versions.format())).toMatchObject({
      server_roles: [
        {
          target: 'db',
          status: 'ok',
          digest: 'aa',
          looks: 2,
          from_leaf: 11,
          last_leaf: 12,
          last_time: time(12),
        },
        { target: 'other', status: 'ok', looks: 1 },
        { target: 'db', status: 'failed', problems: ['read: x'], looks: 1, from_leaf: 14 },
        { target: 'db', status: 'ok', looks: 1, from_leaf: 15 },
      ],
    });
    expect(versions.format()).not.toContain('why');
    expect(new MaskVersions(PERIOD).format()).not.toContain('server_roles');
  });

  it('counts the roles of targets that have no line any more', () => {
    const versions = new MaskVersions(PERIOD);
    for (let n = 0; n < 1_002; n += 1) {
      versions.serverRole({ ...leaf(11, 'mask.role'), status: 'ok', target: 'db' }, { digest: String(n) });
    }
    expect(parseJson(versions.format())).toMatchObject({ more_server_roles: 2 });
  });
});
