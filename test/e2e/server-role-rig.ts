/** A connection whose role may read no masked column: what its tests begin with. */

import { Client } from 'pg';
import type { MaskDdlAnswer } from '../../packages/gateway/src/api/answers.ts';
import { ANYTHING, directly, through } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';

export const ROLE = 'shopper';

const SCHEMA = `
create domain short as varchar(12) not null;
create table customers (id int primary key, name text, email text unique, phone varchar(24), card text,
  salary numeric(10, 2), age int, born date, seen timestamptz, notes text, city text, extra jsonb, tags text[],
  code char(6), nick short, secret bytea, home inet, mail_key text generated always as (lower(email)) stored);
insert into customers (id, name, email, phone, card, salary, age, born, seen, notes, city, extra, tags, code, nick,
    secret, home) values
  (1, 'Ada', 'ada.lovelace@example.org', '+44 7700 900123', '4111 1111 1111 1111', 12345.67, 36, '1815-12-10',
    '1852-11-27 10:00:00+00', 'likes 900123', 'London', '{"k": "canary"}', '{canary,x}', 'ab12', 'canary', 'canary', '10.1.2.3'),
  (2, 'Bob', 'bo@example.org', '+44 7700 900456', '5500-0055-5555-5559', -99.5, 99, 'infinity', null, null, 'Paris',
    null, null, null, 'canary2', null, null),
  (3, 'Eve', null, null, null, null, null, null, null, null, 'Rome', null, null, null, 'canary3', null, null);
create table vip (perk text) inherits (customers);
create table orders (id int primary key, customer int references customers, mail text references customers (email),
  total numeric);
insert into orders values (1, 1, 'ada.lovelace@example.org', 10), (2, 2, null, 20);
create table events (id int, day date, payload text) partition by range (day);
create table events_1 partition of events for values from ('2026-01-01') to ('2026-02-01');
insert into events values (1, '2026-01-05', 'canary payload');
create view mails as select id, email as address, city from customers;
create view names as select id, name from customers;
create materialized view contacts as select id, phone from customers;
analyze;
`;

export const MASKS = `
kind: Mask
name: mails
columns: [customers.email, orders.mail]
as: partial
entity: EMAIL
mode: server-role
---
kind: Mask
name: numbers
columns: [customers.phone, customers.code, customers.nick]
as: mask
mode: server-role
---
kind: Mask
name: cards
columns: [customers.card]
as: { kind: partial, keepLast: 4 }
entity: CREDIT_CARD
mode: server-role
---
kind: Mask
name: ranges
columns: [customers.salary, customers.age, customers.born, customers.seen]
as: generalise
mode: server-role
---
kind: Mask
name: texts
columns: [customers.notes, customers.extra, customers.tags, customers.secret, customers.home, '*.payload']
as: redact
mode: server-role
---
kind: Person
name: root
displayName: Root
groups: [administrators]
`;

/** What no client of the role may see. */
export const CANARY = /ada\.love|canary|900123|900456|4111 1111|5500-0055|12345|bo@|10\.1\.2\.3/;

export interface RoleRig {
  readonly harness: Harness;
  /** As the superuser, past the gateway. */
  readonly direct: Client;
  /** As the role, past the gateway. */
  asRole(): Promise<Client>;
  ddl(body?: object): Promise<MaskDdlAnswer>;
  /** As ana. */
  session(): Promise<Client>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** @param grants what the role has before the script */
export async function startRoleRig(version: string, schema = SCHEMA, masks = MASKS): Promise<RoleRig> {
  const harness = await startHarness({ postgres: { version } });
  const { host, port, password } = harness.server;
  const direct = await directly(harness);
  direct.on('error', () => undefined);
  await direct.query(schema);
  await direct.query(`create role ${ROLE} login password '${password}';
    grant usage on schema public to ${ROLE};
    grant select, insert, update, delete, references, trigger on all tables in schema public to ${ROLE};`);
  await harness.apply(`
kind: Connection
name: db
protocol: postgres
target: { host: ${host}, port: ${port}, database: postgres, tls: disable }
credential: { user: ${ROLE}, password: { env: DB_PASSWORD } }
---${ANYTHING}---${masks}`);
  const [ana, root] = [await harness.token('ana'), await harness.token('root')];
  return {
    harness,
    direct,
    async asRole() {
      const client = new Client({ host, port, user: ROLE, password, database: 'postgres' });
      client.on('error', () => undefined);
      await client.connect();
      return client;
    },
    async ddl(body = {}) {
      const response = await fetch(
        `http://127.0.0.1:${harness.gateway.api.port}/v1/connections/db/mask-ddl`,
        {
          method: 'POST',
          headers: { authorization: `Bearer ${root}`, 'content-type': 'application/json' },
          body: JSON.stringify(body),
        },
      );
      const text = await response.text();
      if (response.status !== 200) throw new Error(`${response.status} ${text}`);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The tests look at what they use.
      return JSON.parse(text) as MaskDdlAnswer;
    },
    session: () => through(harness, ana),
    async [Symbol.asyncDispose]() {
      await direct.end();
      await harness[Symbol.asyncDispose]();
    },
  };
}
