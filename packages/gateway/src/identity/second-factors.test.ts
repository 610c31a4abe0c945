import { argon2Sync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { formatTimeUs } from '../core/clock.ts';
import { LIMITS } from '../core/limits.ts';
import { Secret } from '../core/secret.ts';
import { SECOND_FACTOR_LIMITS } from '../core/second-factor-limits.ts';
import type { FactorOwner } from './factor-changes.ts';
import type { HttpPeer, PasswordLogin } from './login.ts';
import type { PrincipalRecord } from './principals.ts';
import { testingOnlyCode } from './testing-codes.ts';
import { testingOnlyRoom, type TestingRoom } from './testing-room.ts';
import type { TokenRecord } from './tokens.ts';

const peer: HttpPeer = { address: '10.0.0.1', port: 5000, client: 'cli', tls: 'none' };
const password = new Secret<string>('correct horse battery');
const FAILED = { code: 'AUTHENTICATION_FAILED' };
const { stepMs, codeFailuresMax, codeFailuresInARowMax, codeLockMs, pendingMs } = SECOND_FACTOR_LIMITS;

/** Of the password, at the least cost that there is: these tests are not about hashing. */
function cheapHash(): Secret<string> {
  const message = Buffer.from(password.reveal());
  const nonce = Buffer.alloc(16, 7);
  const tag = argon2Sync('argon2id', { message, nonce, memory: 8, passes: 1, parallelism: 1, tagLength: 32 });
  const [salt, hash] = [nonce, tag].map((bytes) => bytes.toString('base64').replaceAll('=', ''));
  return new Secret(`$argon2id$v=19$m=8,t=1,p=1$${salt}$${hash}`);
}

/** A person with a password, and the room that they are in. */
async function withPassword(name = 'ana'): Promise<TestingRoom & { readonly ana: PrincipalRecord }> {
  const room = await testingOnlyRoom();
  const ana = await room.addPerson({ name });
  await room.principals.setPasswordHash(room.store.db, ana.id, cheapHash());
  return { ...room, ana };
}

type Room = Awaited<ReturnType<typeof withPassword>>;

async function owner(room: Room, otp?: string): Promise<FactorOwner> {
  const { id, principal } = await login(room, otp);
  return { principal, tokenId: id, peer };
}

function login(room: Room, otp?: string, from: HttpPeer = peer): Promise<PasswordLogin> {
  const code = otp === undefined ? undefined : new Secret(otp);
  return room.identity.passwordLogin('ana', password, from, code);
}

/** The URI of a factor that counts; its first code is of the step of now, and time has passed by one since. */
async function enrolled(room: Room): Promise<string> {
  const by = await owner(room);
  const offer = await room.factorChanges.enrol(by, password);
  const uri = offer.uri.reveal();
  await room.factorChanges.confirm(by, new Secret(codeOf(room, uri)));
  room.clock.pass(stepMs);
  return uri;
}

function codeOf(room: Room, uri: string, steps = 0): string {
  return testingOnlyCode(uri, room.clock.nowUs(), steps);
}

function lastFailure(room: Room): unknown {
  return room.ledger.events.findLast(({ status }) => status === 'failed')?.body?.['failure'];
}

async function stored(room: Room, id: string): Promise<TokenRecord | undefined> {
  return (await room.tokens.list(room.ana.id)).find((token) => token.id === id);
}

/** Live tokens that say that a second factor was proved. */
async function strongTokens(room: Room): Promise<readonly TokenRecord[]> {
  const live = await room.tokens.liveTokens(room.ana.id);
  return live.filter(({ authentication }) => authentication?.methods.includes('mfa'));
}

function wrongCode(room: Room, uri: string): string {
  const good = [-1, 0, 1].map((steps) => codeOf(room, uri, steps));
  return ['000000', '111111', '222222', '333333'].find((code) => !good.includes(code)) ?? '';
}

describe('a login', () => {
  it('has a second factor with password and code, and says so in its leaf and its token', async () => {
    await using room = await withPassword();
    const before = await login(room);
    expect(before.authentication?.methods).toEqual(['pwd']);
    const uri = await enrolled(room);
    const { id, authentication, token } = await login(room, codeOf(room, uri));
    expect(authentication).toEqual({ methods: ['pwd', 'otp', 'mfa'], atUs: room.clock.nowUs() });
    const at = formatTimeUs(room.clock.nowUs());
    const [ok] = room.ledger.events.filter(({ type }) => type === 'auth.login').slice(-1);
    expect(ok?.body).toMatchObject({ method: 'password', amr: ['pwd', 'otp', 'mfa'], authenticated_at: at });
    const created = room.ledger.events.find(({ body }) => body?.['token_id'] === id);
    expect(created).toMatchObject({ type: 'token.create', body: { amr: ['pwd', 'otp', 'mfa'] } });
    room.clock.pass(3_600_000);
    await room.identity.bearer(token, peer);
    expect(room.ledger.events.at(-1)?.body).toMatchObject({ method: 'bearer', authenticated_at: at });
  });

  it('fails without a code, with a wrong one, and with a right one beside a wrong password: one error', async () => {
    await using room = await withPassword();
    const uri = await enrolled(room);
    await expect(login(room)).rejects.toMatchObject(FAILED);
    expect(lastFailure(room)).toBe('no code of the second factor');
    await expect(login(room, wrongCode(room, uri))).rejects.toMatchObject(FAILED);
    expect(lastFailure(room)).toBe('wrong code of the second factor');
    const wrong = new Secret('another horse battery');
    const code = new Secret(codeOf(room, uri));
    await expect(room.identity.passwordLogin('ana', wrong, peer, code)).rejects.toMatchObject(FAILED);
    expect(lastFailure(room)).toBe('wrong password');
    // The code was not used up by somebody who has no password.
    await expect(login(room, code.reveal())).resolves.toBeDefined();
  });

  it('takes a code once: not again, not the one of the step before, not that one twice', async () => {
    await using room = await withPassword();
    const uri = await enrolled(room);
    room.clock.pass(10 * stepMs);
    const earlier = codeOf(room, uri, -1);
    const now = codeOf(room, uri);
    await login(room, earlier);
    await expect(login(room, earlier)).rejects.toMatchObject(FAILED);
    expect(lastFailure(room)).toBe('used code of the second factor');
    await login(room, now);
    await expect(login(room, earlier)).rejects.toMatchObject(FAILED);
    await expect(login(room, now)).rejects.toMatchObject(FAILED);
    const next = codeOf(room, uri, 1);
    await login(room, next);
    room.clock.pass(stepMs);
    await expect(login(room, next)).rejects.toMatchObject(FAILED);
  });

  it('does not take the code that has confirmed the factor', async () => {
    await using room = await withPassword();
    const by = await owner(room);
    const uri = (await room.factorChanges.enrol(by, password)).uri.reveal();
    const code = codeOf(room, uri);
    await room.factorChanges.confirm(by, new Secret(code));
    await expect(login(room, code)).rejects.toMatchObject(FAILED);
  });

  it('is one of several that bring the same code at once', async () => {
    await using room = await withPassword();
    const uri = await enrolled(room);
    const code = codeOf(room, uri);
    const ends = await Promise.allSettled(
      Array.from({ length: 6 }, (_, at) => login(room, code, { ...peer, address: `10.0.1.${at}` })),
    );
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const failures = room.ledger.events
      .map(({ body }) => body?.['failure'])
      .filter((one) => one !== undefined);
    expect(failures).toEqual(Array.from({ length: 5 }, () => 'used code of the second factor'));
  });

  it('takes nothing old when the clock goes back, and nothing before the clock has caught up', async () => {
    await using room = await withPassword();
    const uri = await enrolled(room);
    room.clock.pass(3_600_000);
    await login(room, codeOf(room, uri));
    room.clock.pass(-1_800_000);
    await expect(login(room, codeOf(room, uri))).rejects.toMatchObject(FAILED);
    expect(lastFailure(room)).toBe('used code of the second factor');
    room.clock.pass(1_800_000 + stepMs);
    await expect(login(room, codeOf(room, uri))).resolves.toBeDefined();
  });

  it('gives a machine nothing that says how it logged in', async () => {
    await using room = await withPassword();
    const robot = await room.addPerson({ name: 'robot', kind: 'ci' });
    const by = room.identity.principalOf(robot);
    const authentication = { methods: ['pwd', 'otp', 'mfa'], atUs: room.clock.nowUs() } as const;
    const given = await room.tokens.createLoginToken(robot, by, authentication);
    expect(given.authentication).toBeUndefined();
    const request = { name: 'x', lifetimeMs: 1_000, createdBy: by, madeWith: given.id };
    expect((await room.tokens.createToken(robot, request)).authentication).toBeUndefined();
    await expect(
      room.factorChanges.enrol({ principal: by, tokenId: given.id, peer }, password),
    ).rejects.toMatchObject(FAILED);
  });
});

describe('guessing codes', () => {
  it('has to wait after some, from wherever it comes, and also with the right code', async () => {
    await using room = await withPassword();
    const uri = await enrolled(room);
    for (let at = 0; at < codeFailuresMax; at++) {
      const from = { ...peer, address: `10.1.0.${at}` };
      await expect(login(room, wrongCode(room, uri), from)).rejects.toMatchObject(FAILED);
    }
    const elsewhere = { ...peer, address: '10.2.0.1' };
    await expect(login(room, codeOf(room, uri), elsewhere)).rejects.toMatchObject(FAILED);
    expect(lastFailure(room)).toBe('second factor locked or removed');
    room.clock.pass(codeLockMs);
    await expect(login(room, wrongCode(room, uri), elsewhere)).rejects.toMatchObject(FAILED);
    expect(lastFailure(room)).toBe('wrong code of the second factor');
    await expect(login(room, codeOf(room, uri), elsewhere)).rejects.toMatchObject(FAILED);
    room.clock.pass(codeLockMs);
    await expect(login(room, codeOf(room, uri), elsewhere)).resolves.toBeDefined();
    await expect(login(room, wrongCode(room, uri), elsewhere)).rejects.toMatchObject(FAILED);
    expect(lastFailure(room)).toBe('wrong code of the second factor');
  });

  it('is not looked at more often than counted where many come at once', async () => {
    await using room = await withPassword();
    const uri = await enrolled(room);
    const ends = await Promise.allSettled(
      Array.from({ length: codeFailuresMax + 8 }, (_, at) =>
        login(room, wrongCode(room, uri), { ...peer, address: `10.1.1.${at}` }),
      ),
    );
    expect(ends.every(({ status }) => status === 'rejected')).toBe(true);
    const failures = room.ledger.events.filter(({ status }) => status === 'failed');
    const looked = failures.filter(({ body }) => body?.['failure'] === 'wrong code of the second factor');
    expect([failures.length, looked.length]).toEqual([codeFailuresMax + 8, codeFailuresMax]);
  });

  it('ends for good after a hundred in a row, until somebody removes the factor', async () => {
    await using room = await withPassword();
    const uri = await enrolled(room);
    const failures = codeFailuresInARowMax - 1;
    await room.store.db.updateTable('second_factors').set({ failures, failed_us: 0 }).execute();
    await expect(login(room, wrongCode(room, uri))).rejects.toMatchObject(FAILED);
    room.clock.pass(365 * 86_400_000);
    await expect(login(room, codeOf(room, uri))).rejects.toMatchObject(FAILED);
    expect(lastFailure(room)).toBe('second factor locked or removed');
    const admin = room.identity.principalOf(await room.addPerson({ name: 'root' }));
    await room.factorChanges.remove(room.ana, admin, { reason: 'lost', address: '' });
    await expect(login(room)).resolves.toBeDefined();
  });

  it('counts as any failed login does', async () => {
    await using room = await withPassword();
    const uri = await enrolled(room);
    for (let at = 0; at < LIMITS.identity.failuresMax; at++) {
      await expect(login(room, wrongCode(room, uri))).rejects.toMatchObject(FAILED);
    }
    await expect(login(room, codeOf(room, uri))).rejects.toMatchObject({ code: 'AUTHENTICATION_LOCKED' });
  });
});

describe('a token', () => {
  const request = { name: 'psql', lifetimeMs: 30 * 86_400_000 };

  it('says how its maker had logged in and when, through any number of tokens, up to an age', async () => {
    await using room = await withPassword();
    const uri = await enrolled(room);
    const first = await login(room, codeOf(room, uri));
    const createdBy = first.principal;
    room.clock.pass(3_600_000);
    const made = await room.tokens.createToken(room.ana, { ...request, createdBy, madeWith: first.id });
    expect(made.authentication).toEqual(first.authentication);
    room.clock.pass(3_600_000);
    const again = await room.tokens.createToken(room.ana, { ...request, createdBy, madeWith: made.id });
    expect(again.authentication).toEqual(first.authentication);
    room.clock.pass(SECOND_FACTOR_LIMITS.carriedMsMax - 2 * 3_600_000 + 1);
    const late = await room.tokens.createToken(room.ana, { ...request, createdBy, madeWith: again.id });
    expect(late.authentication).toBeUndefined();
    expect((await stored(room, late.id))?.authentication).toBeUndefined();
  });

  it('of before the enrolment never says more than it did, nor does one that is made with it', async () => {
    await using room = await withPassword();
    const early = await login(room);
    const createdBy = early.principal;
    const personal = await room.tokens.createToken(room.ana, { ...request, createdBy, madeWith: early.id });
    await enrolled(room);
    expect((await stored(room, personal.id))?.authentication?.methods).toEqual(['pwd']);
    const made = await room.tokens.createToken(room.ana, { ...request, createdBy, madeWith: personal.id });
    expect(made.authentication?.methods).toEqual(['pwd']);
  });

  it('that another makes, is made with a token of another, or with one that has ended, says nothing', async () => {
    await using room = await withPassword();
    const uri = await enrolled(room);
    const strong = await login(room, codeOf(room, uri));
    const ben = await room.addPerson({ name: 'ben' });
    const asBen = room.identity.principalOf(ben);
    const make = async (who: PrincipalRecord, more: object): Promise<unknown> =>
      (await room.tokens.createToken(who, { ...request, createdBy: undefined, ...more })).authentication;
    expect(await make(ben, { createdBy: strong.principal, madeWith: strong.id })).toBeUndefined();
    expect(await make(ben, { createdBy: asBen, madeWith: strong.id })).toBeUndefined();
    expect(await make(room.ana, { createdBy: asBen, madeWith: strong.id })).toBeUndefined();
    expect(await make(room.ana, { madeWith: strong.id })).toBeUndefined();
    expect(await make(room.ana, { createdBy: strong.principal })).toBeUndefined();
    await room.tokens.revoke(strong.id, { reason: 'x', revokedBy: undefined });
    expect(await make(room.ana, { createdBy: strong.principal, madeWith: strong.id })).toBeUndefined();
  });

  it('is not made where its maker’s token ends meanwhile, with the second factor', async () => {
    await using room = await withPassword();
    const uri = await enrolled(room);
    const { id: madeWith, principal: createdBy } = await login(room, codeOf(room, uri));
    const admin = room.identity.principalOf(await room.addPerson({ name: 'root' }));
    room.ledger.before = async ({ type }) => {
      if (type !== 'token.create') return;
      room.ledger.before = async () => undefined;
      await room.factorChanges.remove(room.ana, admin, { reason: 'lost', address: '' });
    };
    const made = room.tokens.createToken(room.ana, { ...request, createdBy, madeWith });
    await expect(made).rejects.toMatchObject({ code: 'STATE_CONFLICT' });
    expect(await strongTokens(room)).toEqual([]);
  });

  it('says nothing after a clock that went back behind its login', async () => {
    await using room = await withPassword();
    const uri = await enrolled(room);
    const { id: madeWith, principal: createdBy } = await login(room, codeOf(room, uri));
    room.clock.pass(-1);
    const made = await room.tokens.createToken(room.ana, { ...request, createdBy, madeWith });
    expect(made.authentication).toBeUndefined();
  });
});

describe('a second factor', () => {
  it('needs the password, and counts for nothing before its first code', async () => {
    await using room = await withPassword();
    const by = await owner(room);
    await expect(room.factorChanges.enrol(by, new Secret('a stolen token only'))).rejects.toMatchObject(
      FAILED,
    );
    const offer = await room.factorChanges.enrol(by, password);
    await expect(login(room)).resolves.toBeDefined();
    await expect(room.factorChanges.confirm(by, new Secret('12345'))).rejects.toMatchObject(FAILED);
    room.clock.pass(pendingMs);
    const late = new Secret(codeOf(room, offer.uri.reveal()));
    await expect(room.factorChanges.confirm(by, late)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(login(room)).resolves.toBeDefined();
  });

  it('is the last one that was offered, and nobody puts another in the place of one that counts', async () => {
    await using room = await withPassword();
    const by = await owner(room);
    const first = (await room.factorChanges.enrol(by, password)).uri.reveal();
    const second = (await room.factorChanges.enrol(by, password)).uri.reveal();
    await expect(room.factorChanges.confirm(by, new Secret(codeOf(room, first)))).rejects.toMatchObject(
      FAILED,
    );
    await room.factorChanges.confirm(by, new Secret(codeOf(room, second)));
    const conflict = { code: 'STATE_CONFLICT' };
    await expect(room.factorChanges.enrol(by, password)).rejects.toMatchObject(conflict);
    await expect(room.secondFactors.offer(room.ana.id)).rejects.toMatchObject(conflict);
    const more = new Secret(codeOf(room, second, 1));
    await expect(room.factorChanges.confirm(by, more)).rejects.toMatchObject(conflict);
    expect(room.ledger.types().filter((type) => type === 'person.factor enrolled')).toHaveLength(1);
  });

  it('ends logins by a password alone, but for the one that confirms it', async () => {
    await using room = await withPassword();
    const ended: string[] = [];
    room.tokens.onRevoked((id) => ended.push(id));
    const other = await login(room);
    const createdBy = other.principal;
    const request = { name: 'psql', lifetimeMs: 1_000_000, createdBy, madeWith: other.id };
    const personal = await room.tokens.createToken(room.ana, request);
    const by = await owner(room);
    const uri = (await room.factorChanges.enrol(by, password)).uri.reveal();
    await room.factorChanges.confirm(by, new Secret(codeOf(room, uri)));
    expect(ended).toContain(other.id);
    expect(await room.identity.isActive(room.ana.id, by.tokenId)).toBe(true);
    expect(await room.identity.isActive(room.ana.id, personal.id)).toBe(true);
  });

  it('gives no token to a login by password alone that was on its way when it was confirmed', async () => {
    await using room = await withPassword();
    const by = await owner(room);
    const uri = (await room.factorChanges.enrol(by, password)).uri.reveal();
    room.ledger.before = async ({ type, status }) => {
      if (type !== 'auth.login' || status !== 'ok') return;
      room.ledger.before = async () => undefined;
      await room.factorChanges.confirm(by, new Secret(codeOf(room, uri)));
    };
    await expect(login(room)).rejects.toMatchObject(FAILED);
    const live = await room.tokens.liveTokens(room.ana.id);
    expect(live.map(({ id }) => id)).toEqual([by.tokenId]);
  });

  it('is removed with password and code, and takes every token with it that says it was used', async () => {
    await using room = await withPassword();
    const uri = await enrolled(room);
    const by = await owner(room, codeOf(room, uri));
    const request = { name: 'psql', lifetimeMs: 1_000_000, createdBy: by.principal, madeWith: by.tokenId };
    const psql = await room.tokens.createToken(room.ana, request);
    room.clock.pass(stepMs);
    const remove = (code: string | undefined, secret = password): Promise<void> => {
      const proof = { password: secret, code: code === undefined ? undefined : new Secret(code) };
      return room.factorChanges.removeOwn(by, proof, 'a new phone');
    };
    await expect(remove(undefined)).rejects.toMatchObject(FAILED);
    await expect(remove(wrongCode(room, uri))).rejects.toMatchObject(FAILED);
    await expect(remove(codeOf(room, uri), new Secret('another horse battery'))).rejects.toMatchObject(
      FAILED,
    );
    expect(await room.identity.isActive(room.ana.id, psql.id)).toBe(true);
    // What the leaf says comes first.
    const there: unknown[] = [];
    room.ledger.before = async ({ type }) => {
      if (type === 'person.factor') there.push(await room.secondFactors.confirmed(room.ana.id));
    };
    await remove(codeOf(room, uri));
    expect(await strongTokens(room)).toEqual([]);
    expect(there).toEqual([expect.objectContaining({ state: 'confirmed' })]);
    expect(await room.identity.isActive(room.ana.id, psql.id)).toBe(false);
    const leaf = room.ledger.events.find(
      ({ type, status }) => type === 'person.factor' && status === 'removed',
    );
    expect(leaf?.body).toMatchObject({
      name: 'ana',
      changed_by: 'ana',
      reason: 'a new phone',
      factor_kind: 'totp',
    });
    await expect(login(room)).resolves.toMatchObject({ authentication: { methods: ['pwd'] } });
  });

  it('goes after its tokens, so that a crash in between leaves none that says more than there is', async () => {
    await using room = await withPassword();
    const uri = await enrolled(room);
    await login(room, codeOf(room, uri));
    const admin = room.identity.principalOf(await room.addPerson({ name: 'root' }));
    const live: number[] = [(await strongTokens(room)).length];
    room.secondFactors.remove = async () => {
      live.push((await strongTokens(room)).length);
      throw new Error('a crash');
    };
    const removed = room.factorChanges.remove(room.ana, admin, { reason: 'lost', address: '' });
    await expect(removed).rejects.toThrow('a crash');
    expect(live).toEqual([1, 0]);
  });

  it('leaves no token behind that was made while it was removed', async () => {
    await using room = await withPassword();
    const uri = await enrolled(room);
    const admin = room.identity.principalOf(await room.addPerson({ name: 'root' }));
    room.ledger.before = async ({ type, status }) => {
      if (type !== 'auth.login' || status !== 'ok') return;
      room.ledger.before = async () => undefined;
      await room.factorChanges.remove(room.ana, admin, { reason: 'lost', address: '' });
    };
    await expect(login(room, codeOf(room, uri))).rejects.toMatchObject(FAILED);
    expect(await strongTokens(room)).toEqual([]);
  });

  it('leaves no token behind that was made with one that was just being ended, however often', async () => {
    await using room = await withPassword();
    const uri = await enrolled(room);
    const { principal: createdBy } = await login(room, codeOf(room, uri));
    const admin = room.identity.principalOf(await room.addPerson({ name: 'root' }));
    let made = 0;
    room.ledger.before = async ({ type, body }) => {
      const ending = (await strongTokens(room)).find(({ id }) => id === body?.['token_id']);
      if (type !== 'token.revoke' || ending === undefined || made === 4) return;
      made += 1;
      const more = { name: 'more', lifetimeMs: 1_000, createdBy, madeWith: ending.id };
      await room.tokens.createToken(room.ana, more);
    };
    await room.factorChanges.remove(room.ana, admin, { reason: 'lost', address: '' });
    expect([made, await strongTokens(room)]).toEqual([4, []]);
  });

  it('stays where the ledger cannot be written', async () => {
    await using room = await withPassword();
    const uri = await enrolled(room);
    const admin = room.identity.principalOf(await room.addPerson({ name: 'root' }));
    await room.principals.leafActor(admin);
    room.ledger.halted = true;
    const removed = room.factorChanges.remove(room.ana, admin, { reason: 'lost', address: '' });
    await expect(removed).rejects.toMatchObject({ code: 'LEDGER_HALTED' });
    room.ledger.halted = false;
    await expect(login(room, codeOf(room, uri))).resolves.toBeDefined();
  });

  it('is asked for by an invitation too, which else would lead around it', async () => {
    await using room = await withPassword();
    const uri = await enrolled(room);
    const { code } = await room.enrolment.invite('ana');
    const stolen = { name: 'ana', displayName: '', password: new Secret('chosen by somebody else') };
    await expect(room.enrolment.enrol(code, stolen, peer)).rejects.toMatchObject(FAILED);
    await expect(
      room.enrolment.enrol(code, { ...stolen, otp: new Secret(wrongCode(room, uri)) }, peer),
    ).rejects.toMatchObject(FAILED);
    const own = { ...stolen, otp: new Secret(codeOf(room, uri)) };
    await expect(room.enrolment.enrol(code, own, peer)).resolves.toMatchObject({ name: 'ana' });
  });

  it('is sealed for one person: its row opens in the place of no other', async () => {
    await using room = await withPassword();
    const uri = await enrolled(room);
    const ben = await room.addPerson({ name: 'ben' });
    const row = await room.store.db.selectFrom('second_factors').selectAll().executeTakeFirstOrThrow();
    expect(Buffer.from(row.wrapped).includes(Buffer.from(uri.slice(40, 72)))).toBe(false);
    await room.store.db
      .insertInto('second_factors')
      .values({ ...row, principal_id: ben.id, id: 'fac_x' })
      .execute();
    const moved = await room.secondFactors.confirmed(ben.id);
    if (moved === undefined) throw new Error('it is not there');
    const used = room.secondFactors.use(moved, new Secret(codeOf(room, uri)));
    await expect(used).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});
