/** Values too large to be held in memory are approved as any others: by what they are, in any session. */

import type { Client, DatabaseError } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HoldId } from '../../packages/gateway/src/core/ids.ts';
import { directly, holdIn, rowsOf, through, vote } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';

const RULES = `
kind: Person
name: olga
displayName: Olga Owner
groups: [owners]
---
kind: Group
name: owners
members: [ana]
---
kind: Rule
name: documents
when: { writes: [documents] }
then: { hold: { approvers: [group:owners], expires: 1m } }
---
kind: Rule
name: bulk
when: { writes: [scores], rows: '>= 2' }
then: { hold: { approvers: [group:owners], expires: 1m } }
`;

/** Bytes above what is held of one message. */
const BYTES = 2 * 1024 * 1024;
const VALUE = 'a'.repeat(BYTES);
/** Of the same length, and another in its last byte. */
const OTHER = `${'a'.repeat(BYTES - 1)}b`;

let harness: Harness;
let direct: Client;
let token: string;

beforeAll(async () => {
  harness = await startHarness();
  direct = await directly(harness);
  await direct.query('create table documents(body text); create table scores(body text)');
  token = await harness.token('ana');
  await harness.apply(RULES);
}, 60_000);

afterAll(async () => {
  await direct?.end();
  await harness?.[Symbol.asyncDispose]();
});

/** The error that it got, in a session of its own. */
async function insert(text: string, value: string): Promise<DatabaseError | undefined> {
  const client = await through(harness, token);
  try {
    const error = await client.query(text, [value]).then(
      () => undefined,
      (thrown: DatabaseError) => thrown,
    );
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    return error;
  } finally {
    await client.end();
  }
}

function idOf(error: DatabaseError | undefined): HoldId {
  const id = holdIn(error?.message);
  if (id === undefined) throw new Error(error?.message ?? 'it ran');
  return id;
}

describe('a statement that is held with values of 2 MB', () => {
  it.each([
    ['documents', 'insert into documents values ($1)', 1],
    ['scores', 'insert into scores select $1 from generate_series(1, 2)', 2],
  ])('gets its error at once, and passes once in another session: %s', async (table, text, count) => {
    const held = await insert(text, VALUE);
    expect(held?.code).toBe('42501');
    expect(held?.hint).toMatch(/send exactly the same again/);
    await vote(harness, idOf(held), 'olga');
    // Not for another value of this length.
    const other = await insert(text, OTHER);
    expect(other?.code).toBe('42501');
    expect(idOf(other)).not.toBe(idOf(held));
    expect(await rowsOf(direct, table)).toBe(0);
    expect(await insert(text, VALUE)).toBeUndefined();
    expect(await rowsOf(direct, table)).toBe(count);
    // It was used.
    const again = await insert(text, VALUE);
    expect(again?.code).toBe('42501');
    expect(idOf(again)).not.toBe(idOf(held));
    expect(await rowsOf(direct, table)).toBe(count);
  });
});
