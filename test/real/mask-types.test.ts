/** That every masked value is one that its type accepts, says a real PostgreSQL, in text and in binary. */

import { readdir } from 'node:fs/promises';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findSystemPostgres } from '../../examples/demo/postgres-binaries.ts';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import { builtInType } from '../../packages/gateway/src/masking/operators/built-in-types.ts';
import { constantOf } from '../../packages/gateway/src/masking/operators/constants.ts';
import { maskValue } from '../../packages/gateway/src/masking/operators/mask-value.ts';
import type { Operator, TypeDescription } from '../../packages/gateway/src/masking/operators/operator.ts';
import {
  mapArrayText,
  mapCompositeText,
  mapRangeText,
} from '../../packages/gateway/src/masking/operators/quoted-text.ts';
import { recognise } from '../../packages/gateway/src/masking/operators/recognise.ts';
import { revealValue } from '../../packages/gateway/src/masking/operators/reveal.ts';
import { base, RING, textOf } from '../../packages/gateway/src/masking/operators/testing-masks.ts';
import { readVectors } from '../conformance/vectors.ts';
import { ADDRESSES, OPERATORS, OWN, SAMPLES, SCHEMA } from './mask-samples.ts';
import { MaskServer, type Settings, type Told } from './mask-server.ts';
import { requirePresent } from './require-present.ts';

const systemBin = await findSystemPostgres();
const VERSIONS = [
  ['18, embedded', 'embedded', true],
  ['of the machine', systemBin ?? '', requirePresent('PostgreSQL of the machine', systemBin !== undefined)],
] as const;

const FORMATS = ['text', 'binary'] as const;

async function describeType(server: MaskServer, type: string, value: string): Promise<TypeDescription> {
  const own = OWN[type];
  if (own !== undefined) return own;
  const { oid, typmod } = await server.ask(`select ${literal(value)}::${type}`, 'text');
  return builtInType(oid, typmod);
}

/** What was refused, with its operator, its value and the server's words. */
function refusals(
  told: readonly Told[],
  masks: readonly (Uint8Array | null)[],
  value: string,
): readonly string[] {
  expect(told).toHaveLength(OPERATORS.length);
  return told.flatMap((answer, index) =>
    answer instanceof Error
      ? [`${JSON.stringify(OPERATORS[index])} of ${value}: ${shown(masks[index] ?? null)}: ${answer.message}`]
      : [],
  );
}

function shown(value: Told): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : String(value);
}

function literal(value: string): string {
  return `E'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

describe.each(VERSIONS.filter(([, , present]) => present))('PostgreSQL %s', (_, version) => {
  let postgres: PostgresServer;
  let server: MaskServer;

  beforeAll(async () => {
    postgres = await startPostgres({ version, settings: { fsync: 'off' } });
    server = await MaskServer.connect(postgres);
    await server.run(SCHEMA);
  });

  afterAll(async () => {
    server.close();
    await postgres.stop();
  });

  it('has the types of the table under these OIDs', async () => {
    const { value } = await server.ask(
      `select json_agg(json_build_array(t.oid::int, t.typname, t.typarray::int, t.typtype, t.typdelim))::text
       from pg_type t where t.typarray <> 0 and t.oid < 16384`,
      'text',
    );
    const rows: [number, string, number, string, string][] = JSON.parse(textOf(value) ?? '');
    const known = rows.filter(([oid]) => builtInType(oid).kind !== 'unknown');
    expect(known.length).toBeGreaterThan(50);
    for (const [oid, name, arrayOid, typtype, delimiter] of known) {
      const type = builtInType(oid);
      expect(builtInType(arrayOid)).toEqual({ kind: 'array', element: type, delimiter });
      const kinds = { b: 'base', r: 'range', m: 'multirange', p: 'composite' };
      expect(type.kind).toBe(kinds[typtype as keyof typeof kinds]);
      expect(type.kind === 'base' ? type.name : name).toBe(name);
    }
  });

  it('takes the constants of the vectors, which are those that redact gives', async () => {
    for (const vector of readVectors('masking/type-constants.txt', ['name', 'text', 'binary'])) {
      const [name, text, hex] = [vector.one('name'), vector.one('text'), vector.one('binary')];
      const expected = { text: Buffer.from(text), binary: hex === 'none' ? null : Buffer.from(hex, 'hex') };
      for (const format of FORMATS) {
        // A value of one bit, for the one type whose constant has the value's length.
        const value = format === 'text' ? Uint8Array.of(0x31) : Uint8Array.of(0, 0, 0, 1, 0x80);
        const like = name === 'bytea' ? Uint8Array.of(0x5c, 0x78) : value;
        const ours = constantOf(base(name), server.wire(format), 'X', like) ?? null;
        expect([name, ours === null ? null : Buffer.from(ours)]).toEqual([name, expected[format]]);
        const told = await server.tell(`select $1::${name}`, [expected[format]], format);
        expect([name, told instanceof Error ? told.message : '']).toEqual([name, '']);
      }
    }
  });

  describe.each(FORMATS)('in %s', (format) => {
    it.each(SAMPLES)('takes every mask of a %s', async (type, ...values) => {
      const table = `mask_${format}`;
      await server.run(`drop table if exists ${table}; create table ${table} (v ${type})`);
      for (const value of values) {
        const description = await describeType(server, type, value);
        const { value: bytes } = await server.ask(`select ${literal(value)}::${type}`, format);
        expect(bytes).not.toBeNull();
        const masks = OPERATORS.map((operator) => {
          const request = {
            operator,
            entity: 'EMAIL',
            type: description,
            wire: server.wire(format),
            keys: RING,
          };
          return maskValue(request, bytes).value;
        });
        for (const text of [`select $1::${type}`, `insert into ${table} values ($1) returning v`]) {
          const told = await server.tellAll(
            masks.map((masked) => [text, [masked]]),
            format,
          );
          expect(refusals(told, masks, value)).toEqual([]);
        }
      }
    });

    it('writes back what PostgreSQL itself would write', async () => {
      // Texts of geometry and floats have several ways, and ranges that touch become one; of all others the
      // server's own is ours.
      const others =
        /^(money|float|point|lseg|box|line|path|polygon|circle|inet|json|timetz|timestamptz|.*multirange)/;
      for (const [type, ...values] of SAMPLES.filter(([name]) => !others.test(name))) {
        for (const value of values) {
          const description = await describeType(server, type, value);
          const { value: bytes } = await server.ask(`select ${literal(value)}::${type}`, format);
          const masks = OPERATORS.map((operator) => {
            const request = {
              operator,
              entity: 'ID',
              type: description,
              wire: server.wire(format),
              keys: RING,
            };
            return maskValue(request, bytes).value;
          });
          const told = await server.tellAll(
            masks.map((masked) => [`select $1::${type}`, [masked]]),
            format,
          );
          expect([type, value, told.map(shown)]).toEqual([type, value, masks.map(shown)]);
        }
      }
    });

    it('masks an array of composites, whose description is nested', async () => {
      const { value } = await server.ask(
        `select array[row('Main St', 5, '{a}', '1984-03-17')]::addr[]`,
        format,
      );
      for (const operator of OPERATORS) {
        const masked = maskValue(
          { operator, entity: 'ID', type: ADDRESSES, wire: server.wire(format), keys: RING },
          value,
        );
        expect(await server.tell('select $1::addr[]', [masked.value], format)).not.toBeInstanceOf(Error);
      }
    });

    it('cuts dates, timestamps and numbers where PostgreSQL cuts them', async () => {
      const cases: readonly (readonly [Operator, string, string, readonly string[]])[] = [
        [
          { kind: 'generalise' },
          'date',
          "date_trunc('month', $1::date)::date",
          ['1984-03-17', '0044-03-15 BC', '12024-02-29'],
        ],
        [
          { kind: 'generalise', unit: 'quarter' },
          'date',
          "date_trunc('quarter', $1::date)::date",
          ['1984-06-30', '2000-12-31'],
        ],
        [
          { kind: 'generalise' },
          'timestamp',
          "date_trunc('month', $1::timestamp)",
          ['1984-03-17 12:34:56.789', '1899-12-31 23:59:59'],
        ],
        [
          { kind: 'generalise', unit: 'year' },
          'timestamptz',
          "date_trunc('year', $1::timestamptz)",
          ['1984-01-01 00:30:00+02', '2024-02-29 23:00:00-02'],
        ],
        [{ kind: 'generalise' }, 'int4', '$1::int4 / 10 * 10', ['123', '-123', '2147483647', '-2147483648']],
        [
          { kind: 'generalise', width: 100 },
          'numeric',
          'div($1::numeric, 100) * 100',
          ['12345', '-99999999999999999999'],
        ],
        [
          { kind: 'generalise' },
          'cidr',
          'network(set_masklen($1::cidr, least(masklen($1::cidr), 24)))',
          ['192.0.2.128/25', '10.0.0.0/8'],
        ],
      ];
      for (const [operator, type, expression, values] of cases) {
        for (const value of values) {
          const { value: bytes } = await server.ask(`select ${literal(value)}::${type}`, format);
          const request = { operator, entity: 'X', type: base(type), wire: server.wire(format), keys: RING };
          const masked = maskValue(request, bytes).value;
          const told = await server.tell(`select ${expression} = $2::${type}`, [bytes, masked], format);
          const isTrue = format === 'text' ? Uint8Array.of(0x74) : Uint8Array.of(1);
          expect([type, value, told]).toEqual([type, value, isTrue]);
        }
      }
    });

    it('has its values back from reversible masks, and recognises the tokens', async () => {
      const cases: readonly (readonly [type: string, value: string, tokenIsFound: boolean])[] = [
        ['text', 'Jürgen', true],
        ['varchar(100)', 'anna@example.com', true],
        ['char(70)', 'anna', true],
        ['bytea', '\\x00ff5c27', true],
        ['int8', '42', true],
        ['int8', '-42', false],
        ['int4', '42', false],
        ['numeric', '-1234567.50', false],
      ];
      for (const [type, value, tokenIsFound] of cases) {
        const description = await describeType(server, type, value);
        if (description.kind !== 'base') throw new Error(`${type} is no base type`);
        const { value: bytes } = await server.ask(`select ${literal(value)}::${type}`, format);
        const request = {
          operator: { kind: 'token' },
          entity: 'ID',
          wire: server.wire(format),
          keys: RING,
        } as const;
        const masked = maskValue({ ...request, type: description }, bytes);
        expect([type, masked.reversible]).toEqual([type, true]);
        const stored = await server.tell(`select $1::${type}`, [masked.value], format);
        if (!(stored instanceof Uint8Array)) throw new Error(`${type}: ${String(stored)}`);
        expect(revealValue({ ...request, type: description }, stored)).toEqual(bytes);
        const found = recognise(RING, description, stored, server.wire(format));
        expect([type, value, found?.kind]).toEqual([type, value, tokenIsFound ? 'token' : undefined]);
      }
    });
  });

  it('makes the same of a value in text and in binary, whatever the value is', async () => {
    // From 4713 BC to the end of timestamps.
    const dates = fc
      .integer({ min: -2_451_000, max: 100_000_000 })
      .map((days) => ['date', `date '2000-01-01' + ${days}`] as const);
    const timestamps = fc
      .tuple(fc.integer({ min: -2_451_000, max: 100_000_000 }), fc.integer({ min: 0, max: 86_399_999 }))
      .map(([days, milliseconds]) => {
        const time = `interval '${milliseconds} milliseconds'`;
        return ['timestamp', `(date '2000-01-01' + ${days}) + ${time}`] as const;
      });
    const numerics = fc
      .tuple(fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), fc.integer({ min: 0, max: 50 }))
      .map(([digits, scale]) => ['numeric', `(${digits}::numeric * 1e-${scale})`] as const);
    const others = fc.oneof(
      fc
        .bigInt({ min: -(1n << 63n) + 1n, max: (1n << 63n) - 1n })
        .map((value) => ['int8', `'${value}'`] as const),
      fc.uuid().map((value) => ['uuid', `'${value}'`] as const),
      fc.ipV4().map((value) => ['inet', `'${value}'`] as const),
      fc.ipV6().map((value) => ['inet', `'${value}'`] as const),
    );
    const operators = OPERATORS.filter(({ kind }) =>
      ['token', 'fpe', 'generalise', 'partial'].includes(kind),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(dates, timestamps, numerics, others),
        fc.constantFrom(...operators),
        async ([type, expression], operator) => {
          const shownAs: Told[] = [];
          for (const format of FORMATS) {
            const { value } = await server.ask(`select (${expression})::${type}`, format);
            const request = {
              operator,
              entity: 'ID',
              type: base(type),
              wire: server.wire(format),
              keys: RING,
            };
            const masked = maskValue(request, value).value;
            shownAs.push(await server.tell(`select $1::${type}::text`, [masked], format));
          }
          const [text, binary] = shownAs;
          expect(text).toBeInstanceOf(Uint8Array);
          expect([expression, binary]).toEqual([expression, text]);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('writes any members of arrays, composites and ranges as PostgreSQL does', async () => {
    // Zero bytes and lone surrogates are in no text of PostgreSQL.
    const texts = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 12 }),
      fc
        .array(fc.constantFrom(...Array.from(',;{}()[]"\\ \t\nnulNUL')), { maxLength: 6 })
        .map((all) => all.join('')),
    );
    const members = fc.option(
      texts.filter((text) => !text.includes('\0')),
      { freq: 4 },
    );
    await fc.assert(
      fc.asyncProperty(fc.tuple(members, members, members), async (three) => {
        const bound = three[0] ?? '';
        const written = [
          ['text[]', mapArrayText('{x,x,x}', ',', (_member, index) => three[index] ?? null)],
          ['three', mapCompositeText('(x,x,x)', (_member, index) => three[index] ?? null)],
          ['textrange', mapRangeText('[x,y]', () => bound)],
        ] as const;
        const told = await server.tellAll(
          written.map(([type, text]) => [`select $1::${type}`, [Buffer.from(text)]]),
          'text',
        );
        expect(
          told.map((each) => (each instanceof Uint8Array ? Buffer.from(each).toString() : each)),
        ).toEqual(written.map(([, text]) => text));
      }),
      { numRuns: 300 },
    );
  });

  const settings: readonly Settings[] = [
    ...['ISO, DMY', 'SQL, DMY', 'SQL, MDY', 'German, DMY', 'Postgres, DMY', 'Postgres, MDY'].map(
      (dateStyle) => ({
        dateStyle,
      }),
    ),
    ...['postgres_verbose', 'sql_standard', 'iso_8601'].map((intervalStyle) => ({ intervalStyle })),
    { byteaOutput: 'escape' },
    { clientEncoding: 'LATIN1' },
    { clientEncoding: 'SJIS' },
  ];
  it.each(settings)('takes masks of a session with %o', async (setting) => {
    const session = await MaskServer.connect(postgres, setting);
    const types = /^(date|time|timestamp|interval|bytea|text|json|char|addr|tsrange|daterange)/;
    for (const [type, ...values] of SAMPLES.filter(([name]) => types.test(name))) {
      // ASCII, so that each encoding has it.
      for (const value of values.filter((each) => !/[^ -~]|\\u/.test(each))) {
        const description = await describeType(server, type, value);
        const { value: bytes } = await session.ask(`select ${literal(value)}::${type}`, 'text');
        const masks = OPERATORS.map((operator) => {
          const request = {
            operator,
            entity: 'ID',
            type: description,
            wire: session.wire('text'),
            keys: RING,
          };
          return maskValue(request, bytes).value;
        });
        const told = await session.tellAll(
          masks.map((masked) => [`select $1::${type}`, [masked]]),
          'text',
        );
        expect(refusals(told, masks, value)).toEqual([]);
        const month = { operator: { kind: 'generalise' }, entity: 'ID', wire: session.wire('text') } as const;
        if (!['date', 'timestamp'].includes(type) || value.includes('infinity')) continue;
        const masked = maskValue({ ...month, type: description, keys: RING }, bytes).value;
        const cut = await session.tell(
          `select date_trunc('month', $1::${type}) = $2::${type}, $2`,
          [bytes, masked],
          'text',
        );
        expect([setting, value, textOf(masked), cut]).toEqual([
          setting,
          value,
          textOf(masked),
          Uint8Array.of(0x74),
        ]);
      }
    }
    session.close();
  });
});

it('is tested with every PostgreSQL that the machine has', async () => {
  const installed = await readdir('/usr/lib/postgresql').catch(() => []);
  expect(installed.length === 0).toBe(systemBin === undefined);
});
