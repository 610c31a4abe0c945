/** What real catalogs say that types of users are made of, in the shape in which operators take them. */

import { existsSync } from 'node:fs';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import type { TypeDescription } from '../../packages/gateway/src/masking/operators/operator.ts';
import { builtInType } from '../../packages/gateway/src/masking/operators/built-in-types.ts';
import { TYPES_SQL } from '../../packages/gateway/src/sql/mask-catalog/types-sql.ts';
import { parseTypes, type TypeData } from '../../packages/gateway/src/sql/mask-catalog/types.ts';
import { requirePresent } from './require-present.ts';

const DEBIAN = '/usr/lib/postgresql/15/bin';

const VERSIONS = [
  { major: 15, version: DEBIAN },
  { major: 18, version: 'embedded' },
];

const SCHEMA = `
create type mood as enum ('sad', 'ok');
alter type mood add value 'Grüße ''x''' before 'ok';
create domain short as varchar(20);
create domain shorter as short check (length(value) < 9);
create domain prices as numeric(5,2)[];
create type place as (street text, gone integer, number numeric(6,1), feelings mood[]);
alter type place drop attribute gone;
create type span as range (subtype = numeric);
create type boxes as (many box[], one point, ids oidvector);
create type like_text;
create function like_text_in(cstring) returns like_text language internal immutable strict as 'textin';
create function like_text_out(like_text) returns cstring language internal immutable strict as 'textout';
create function like_text_recv(internal) returns like_text language internal stable strict as 'textrecv';
create function like_text_send(like_text) returns bytea language internal stable strict as 'textsend';
create type like_text (input = like_text_in, output = like_text_out, receive = like_text_recv, send = like_text_send);
create type own_text;
create function own_text_in(cstring) returns own_text language internal immutable strict as 'textin';
create function own_text_out(own_text) returns cstring language internal immutable strict as 'textout';
create type own_text (input = own_text_in, output = own_text_out);
`;

const text = { kind: 'base', name: 'text', typmod: -1 } as const;
const mood = { kind: 'enum', labels: ['sad', "Grüße 'x'", 'ok'] } as const;
const short = { kind: 'domain', base: { kind: 'base', name: 'varchar', typmod: 24 } } as const;
const numeric = { kind: 'base', name: 'numeric', typmod: -1 } as const;

const EXPECTED: readonly (readonly [type: string, data: TypeData])[] = [
  ['mood', mood],
  ['mood[]', { kind: 'array', element: mood, delimiter: ',' }],
  ['short', short],
  ['shorter', { kind: 'domain', base: short }],
  [
    'prices',
    {
      kind: 'domain',
      base: { kind: 'array', element: { ...numeric, typmod: 327_686 }, delimiter: ',' },
    },
  ],
  [
    'place',
    {
      kind: 'composite',
      fields: [text, { ...numeric, typmod: 393_221 }, { kind: 'array', element: mood, delimiter: ',' }],
    },
  ],
  ['span', { kind: 'range', subtype: numeric }],
  ['span_multirange', { kind: 'multirange', subtype: numeric }],
  [
    'boxes',
    {
      kind: 'composite',
      fields: [
        { kind: 'array', element: { kind: 'base', name: 'box', typmod: -1 }, delimiter: ';' },
        { kind: 'base', name: 'point', typmod: -1 },
        { kind: 'base', name: 'oidvector', typmod: -1 },
      ],
    },
  ],
  ['like_text', text],
  ['own_text', { kind: 'unknown' }],
  ['record', { kind: 'composite', fields: undefined }],
  ['record[]', { kind: 'array', element: { kind: 'composite', fields: undefined }, delimiter: ',' }],
  ['anyelement', { kind: 'unknown' }],
];

describe.each(VERSIONS)('types of PostgreSQL $major', ({ version }) => {
  const present = version !== DEBIAN || requirePresent('PostgreSQL 15', existsSync(`${DEBIAN}/postgres`));
  let server: PostgresServer;
  let client: Client;

  beforeAll(async () => {
    if (!present) return;
    server = await startPostgres({ version, settings: { fsync: 'off' } });
    client = new Client({ ...server, user: server.superuser, database: 'postgres' });
    await client.connect();
    await client.query(SCHEMA);
  }, 180_000);

  afterAll(async () => {
    await client?.end();
    await server?.stop();
  });

  async function asked(oids: readonly number[]): Promise<ReadonlyMap<number, TypeData>> {
    await client.query("set client_encoding to 'LATIN1'");
    const { rows } = await client.query<(string | null)[]>({
      text: TYPES_SQL,
      values: [oids],
      rowMode: 'array',
    });
    await client.query("set client_encoding to 'UTF8'");
    return parseTypes(rows);
  }

  it.runIf(present)('says what they are made of', async () => {
    const names = EXPECTED.map(([name]) => name);
    const { rows } = await client.query<{ oid: string }>(
      'select o::regtype::oid::int8::text as oid from unnest($1::text[]) o',
      [names],
    );
    const oids = rows.map(({ oid }) => Number(oid));
    const types = await asked(oids);
    for (const [index, [name, expected]] of EXPECTED.entries()) {
      // Of the shape that operators take.
      const found: TypeDescription | undefined = types.get(oids[index] ?? 0);
      expect([name, found]).toEqual([name, expected]);
    }
  });

  it.runIf(present)('says of every type that PostgreSQL brings what operators know of it', async () => {
    const { rows } = await client.query<{ oid: string; name: string }>(
      "select oid::int8::text as oid, typname as name from pg_type where oid < 10000 and typtype <> 'p' and typrelid = 0",
    );
    const types = await asked(rows.map(({ oid }) => Number(oid)));
    let known = 0;
    for (const { oid, name } of rows) {
      const described = builtInType(Number(oid));
      if (described === undefined || described.kind === 'unknown') continue;
      known += 1;
      expect([name, types.get(Number(oid))]).toEqual([name, described]);
    }
    expect(known).toBeGreaterThan(100);
  });

  it.runIf(present)('says nothing of a type that is not there', async () => {
    expect([...(await asked([4_000_000_000]))]).toEqual([]);
  });
});
