/** FunctionCall where a Rule or a Mask reaches: nobody knows what it does, so that it is not run. */

import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { functionCall, query } from '../differential/frames.ts';
import { WireClient } from '../differential/wire-client.ts';
import { directly, rowsOf, serverVersions } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';

const SCHEMA = `
create table struck (v text);
create table customers (id int primary key, email text);
insert into customers values (1, 'ada@example.org');
create function strike(v text) returns text language sql volatile as
  $$ insert into public.struck values (left(v, 10)); select email from public.customers where id = 1 $$;
`;
/** Neither has anything to do with the function. */
const RULE = '{ kind: Rule, name: no-drop, when: { effects: [drop] }, then: block }';
const MASKS: Readonly<Record<string, string>> = {
  strict: '{ kind: Mask, name: emails, columns: [customers.email], as: redact }',
  permissive: '{ kind: Mask, name: emails, mode: permissive, columns: [customers.email], as: redact }',
};
/** More than is held in memory: it comes by the spool. */
const LARGE = 'x'.repeat(2_000_000);

describe.each(serverVersions())('PostgreSQL $major', ({ version, isPresent }) => {
  if (!isPresent) return;
  let harness: Harness;
  let direct: Client;
  let oid: number;

  beforeAll(async () => {
    harness = await startHarness({ config: 'tls: { mode: off }', postgres: { version } });
    direct = await directly(harness);
    await direct.query(SCHEMA);
    const { rows } = await direct.query<{ oid: number }>("select 'strike'::regproc::oid::int as oid");
    oid = rows[0]?.oid ?? 0;
  }, 120_000);

  afterAll(async () => {
    await direct?.end();
    await harness?.[Symbol.asyncDispose]();
  });

  /** What is answered to a call outside of a transaction, one inside, and a large one. */
  async function call(): Promise<{ readonly said: string; readonly all: string; readonly struck: number }> {
    await direct.query('truncate struck');
    const client = await WireClient.login({
      port: harness.gateway.postgres.port,
      user: 'ana',
      database: 'db',
      password: await harness.token('ana'),
    });
    const behind = client.frames.length;
    client.send(functionCall(oid, ['one']));
    await client.wait('Z', 1);
    client.send(query('begin'));
    await client.wait('Z', 1);
    client.send(functionCall(oid, ['two']));
    await client.wait('Z', 1);
    client.send(query('commit'));
    await client.wait('Z', 1);
    client.send(functionCall(oid, [LARGE]));
    await client.wait('Z', 1);
    client.destroy();
    await harness.finishedLog();
    const frames = client.frames.slice(behind);
    const said = frames.map(({ type, body }) => (type === 'Z' ? `Z${body.toString()}` : type)).join(' ');
    const all = Buffer.concat(frames.map(({ body }) => body)).toString('latin1');
    return { said, all, struck: await rowsOf(direct, 'struck') };
  }

  async function decisions(): Promise<readonly (string | undefined)[]> {
    const log = await harness.finishedLog();
    return log
      .filter(({ body }) => body['protocol_message'] === 'FunctionCall')
      .map(({ leaf }) => leaf.decision)
      .slice(-3);
  }

  it('runs where nothing reaches', async () => {
    const { said, all, struck } = await call();
    expect(said).toBe('V ZI C ZT V ZT C ZI V ZI');
    expect(all).toContain('ada@');
    expect(struck).toBe(3);
    expect(await decisions()).toEqual(['allow', 'allow', 'allow']);
  });

  it('is blocked where a Rule about something else reaches, and fails its transaction', async () => {
    await harness.apply(RULE);
    try {
      const { said, all, struck } = await call();
      expect(said).toBe('E ZI C ZT E ZE C ZI E ZI');
      expect(all).toMatch(/it calls a function by its OID/);
      expect(all).not.toContain('ada@');
      expect(struck).toBe(0);
      expect(await decisions()).toEqual(['block', 'block', 'block']);
    } finally {
      await removed('Rule', 'no-drop');
    }
  });

  it.each(Object.keys(MASKS))('shows nothing where a Mask reaches (%s)', async (mode) => {
    await harness.apply(MASKS[mode] ?? '');
    try {
      const { said, all, struck } = await call();
      expect(all).not.toContain('ada@');
      expect(said).toBe('E ZI C ZT E ZE C ZI E ZI');
      expect(struck).toBe(0);
      expect(await decisions()).toEqual(['block', 'block', 'block']);
    } finally {
      await removed('Mask', 'emails');
    }
  });

  async function removed(kind: 'Rule' | 'Mask', name: string): Promise<void> {
    const { rooms } = harness.gateway;
    await rooms.resources.delete(kind, name, { name: 'test', kind: 'system', keyId: rooms.bootId });
  }
});
