/** A rule asks for a second factor: psql and drivers get through with a token of such a login, while it is young. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../packages/gateway/src/core/secret.ts';
import { testingOnlyCode } from '../../packages/gateway/src/identity/testing-codes.ts';
import { directly, failure, holdIn, through, vote, withdrawAll } from './clients.ts';
import { type Harness, startHarness } from './harness.ts';

const run = promisify(execFile);
const password = new Secret('correct horse battery');
const peer = { address: '127.0.0.1', port: 5000, client: 'cli', tls: 'none' };

const RULES = `
kind: Access
name: search-team
who: [group:search, service:robot]
to: [db]
may: [read, write]
---
{ kind: ServiceAccount, name: robot, displayName: Robot, groups: [search] }
---
{ kind: Person, name: bo, displayName: Bo, groups: [owners] }
---
{ kind: Group, name: owners, members: [] }
---
kind: Rule
name: deletes-need-a-second-factor
when: { effects: [delete], writes: [scores], mfa: { notWithin: 8h } }
then: block
---
kind: Rule
name: drops-with-a-second-factor
when: { effects: [drop], mfa: { within: 8h } }
then: { hold: { approvers: [group:owners] } }
`;

let harness: Harness;
/** What ana’s authenticator app has. */
let uri: string;
let weak: string;
let strong: string;
let strongId: string;

beforeAll(async () => {
  harness = await startHarness();
  const direct = await directly(harness);
  await direct.query(
    'create table scores(id int); insert into scores select generate_series(1, 10); create table spare()',
  );
  await direct.end();
  await harness.apply(RULES);
  const { enrolment, identity, factorChanges, tokens, principals } = harness.gateway.rooms.identity;
  const { code } = await enrolment.invite('ana');
  await enrolment.enrol(code, { name: 'ana', displayName: '', password }, peer);
  const plain = await identity.passwordLogin('ana', password, peer);
  const owner = await principals.findByName('ana');
  if (owner === undefined) throw new Error('nobody is called ana');
  const request = { name: 'psql', lifetimeMs: 3_600_000 };
  const before = { ...request, createdBy: plain.principal, madeWith: plain.id };
  weak = (await tokens.createToken(owner, before)).token.reveal();
  const by = { principal: plain.principal, tokenId: plain.id, peer };
  uri = (await factorChanges.enrol(by, password)).uri.reveal();
  await factorChanges.confirm(by, new Secret(codeNow()));
  const proved = await identity.passwordLogin('ana', password, peer, new Secret(codeNow(1)));
  const made = await tokens.createToken(owner, {
    ...request,
    createdBy: proved.principal,
    madeWith: proved.id,
  });
  strong = made.token.reveal();
  strongId = made.id;
}, 120_000);

afterAll(() => harness?.[Symbol.asyncDispose]());

function codeNow(steps = 0): string {
  return testingOnlyCode(uri, harness.gateway.rooms.clock.nowUs(), steps);
}

async function aged(hours: number): Promise<void> {
  const { store, clock } = harness.gateway.rooms;
  const authenticated_us = clock.nowUs() - hours * 3_600_000_000;
  await store.db.updateTable('tokens').set({ authenticated_us }).where('id', '=', strongId).execute();
}

async function psql(token: string, sql: string): Promise<string> {
  const { host, port } = harness.gateway.postgres;
  const env = {
    ...process.env,
    PGPASSWORD: token,
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: 'ana',
    PGDATABASE: 'db',
  };
  const { stdout, stderr } = await run('psql', ['-XAtc', sql], { env });
  return stdout + stderr;
}

describe('a second factor', () => {
  it('of a login lets its token delete, and a token of before the enrolment not', async () => {
    const without = await through(harness, weak);
    const refused = await failure(without.query('delete from scores where id = 1'));
    await without.end();
    expect([refused.code, refused.message]).toEqual([
      '42501',
      expect.stringContaining('Blocked by rule "deletes-need-a-second-factor"'),
    ]);
    expect(refused.message).toContain('without a second factor of the last 8h');
    const client = await through(harness, strong);
    expect((await client.query('delete from scores where id = 1')).rowCount).toBe(1);
    await client.end();
  });

  it('works for psql', async () => {
    expect(await psql(strong, 'delete from scores where id = 2')).toBe('DELETE 1\n');
    await expect(psql(weak, 'delete from scores where id = 3')).rejects.toMatchObject({
      stderr: expect.stringContaining('without a second factor of the last 8h'),
    });
  });

  it('is too old after its time, in sessions that are open as well, and of no machine', async () => {
    await aged(9);
    const late = await through(harness, strong);
    const refused = await failure(late.query('delete from scores where id = 4'));
    expect(refused.message).toContain('deletes-need-a-second-factor');
    await late.end();
    // Eight hours are over while the session is open.
    await aged(8 - 1.5 / 3_600);
    const open = await through(harness, strong);
    expect((await open.query('delete from scores where id = 5')).rowCount).toBe(1);
    const { clock } = harness.gateway.rooms;
    const endUs = clock.nowUs() + 2_000_000;
    while (clock.nowUs() < endUs) await open.query('select count(*) from scores');
    expect((await failure(open.query('delete from scores where id = 6'))).code).toBe('42501');
    await open.end();
    await aged(0);
    const robot = await through(harness, await harness.token('robot'), { user: 'robot' });
    expect((await failure(robot.query('delete from scores where id = 7'))).code).toBe('42501');
    await robot.end();
  });

  it('of who asks is what counts: neither that of who approves, nor a grant takes its place', async () => {
    const without = await through(harness, weak);
    expect((await failure(without.query('drop table spare'))).message).toContain('nothing allows drop');
    const client = await through(harness, strong);
    await client.query('begin');
    const held = await failure(client.query('drop table spare'));
    await client.query('rollback');
    const id = holdIn(held.message);
    if (id === undefined) throw new Error(`no hold in ${held.message}`);
    await vote(harness, id, 'bo');
    // The same person, the same text, an approval: and a login that had no second factor.
    await without.query('begin');
    expect((await failure(without.query('drop table spare'))).message).toContain('nothing allows drop');
    await without.end();
    await client.query('begin');
    await client.query('drop table spare');
    await client.query('rollback');
    await client.end();
    await withdrawAll(harness);
  });

  it('is in the leaves of login and session, and the decision says it', async () => {
    const events = (await harness.finishedLog()).filter(({ leaf }) => leaf.kind === 'user');
    const logins = events.filter(
      ({ leaf, body }) => leaf.type === 'auth.login' && body['token_id'] === strongId,
    );
    expect(logins.length).toBeGreaterThan(0);
    for (const { body } of logins) expect(body).toMatchObject({ amr: ['pwd', 'otp', 'mfa'] });
    const starts = events.filter(
      ({ leaf, body }) => leaf.type === 'session.start' && body['token_id'] === strongId,
    );
    for (const { body } of starts) {
      expect(body).toMatchObject({
        amr: ['pwd', 'otp', 'mfa'],
        authenticated_at: expect.stringMatching(/Z$/),
      });
    }
    const blocked = events.find(
      ({ leaf, body }) => leaf.decision === 'block' && JSON.stringify(body['reason']).includes('8h'),
    );
    expect(blocked?.body['reason']).toContain('without a second factor of the last 8h');
    const rows = await harness.gateway.rooms.store.db.selectFrom('sessions').select(['mfa_us']).execute();
    expect(new Set(rows.map(({ mfa_us: us }) => us === null))).toEqual(new Set([true, false]));
  });

  it('that is removed ends its tokens, and the sessions that they had opened', async () => {
    const client = await through(harness, strong);
    const gone = new Promise<void>((resolve) => client.once('end', () => resolve()));
    const { principals, identity, factorChanges } = harness.gateway.rooms.identity;
    const [ana, bo] = await Promise.all(['ana', 'bo'].map((name) => principals.findByName(name)));
    if (ana === undefined || bo === undefined) throw new Error('nobody is there');
    await factorChanges.remove(ana, identity.principalOf(bo), { reason: 'lost', address: '127.0.0.1' });
    await gone;
    expect((await failure(through(harness, strong))).code).toBe('28P01');
    await Promise.all(harness.gateway.sessions.list().map((session) => session.closed));
    const ends = (await harness.log()).filter(({ leaf }) => leaf.type === 'session.end');
    expect([ends.at(-1)?.leaf.status, ends.at(-1)?.body['reason']]).toEqual(['ended', 'SESSION_ENDED']);
  });
});
