import { describe, expect, it } from 'vitest';
import { LIMITS } from '../core/limits.ts';
import { Secret } from '../core/secret.ts';
import { ScramClient, ScramServer } from '../protocols/postgres/scram.ts';
import type { CreatedToken } from './tokens.ts';
import { testingOnlyRoom, type TestingRoom } from './testing-room.ts';

const peer = { address: '10.0.0.1', port: 5000, client: 'psql', tls: 'TLSv1.3' };
const wire = { ...peer, method: 'scram-sha-256' };
const dayMs = 86_400_000;

async function anaWithToken(room: TestingRoom): Promise<CreatedToken> {
  const ana = await room.addPerson({ name: 'ana', displayName: 'Ana' });
  const token = await room.tokens.createToken(ana, { name: 'psql', lifetimeMs: dayMs, createdBy: undefined });
  room.ledger.events.length = 0;
  return token;
}

/** The dialogue as the listener has it: the id of the token that was proved. */
async function scram(room: TestingRoom, name: string, password: string): Promise<string | undefined> {
  const known = await room.identity.scramFor(name);
  const server = new ScramServer(known, 'c2VydmVyLW5vbmNlLWZvci10ZXN0cw==');
  const client = new ScramClient(password, 'Y2xpZW50LW5vbmNlLWZvci10ZXN0cw==');
  const index = server.final(client.continue(server.first(client.start())));
  return index === undefined ? undefined : known.candidates[index]?.tokenId;
}

describe('SCRAM login', () => {
  it('lets in whoever has the token, and the leaf is written before', async () => {
    await using room = await testingOnlyRoom();
    const { id, token } = await anaWithToken(room);
    const tokenId = await scram(room, 'ana', token.reveal());
    expect(tokenId).toBe(id);
    const principal = await room.identity.finishLogin({ ...wire, name: 'ana', tokenId });
    expect(principal).toMatchObject({ name: 'ana', displayName: 'Ana', groups: ['group-of-ana'] });
    expect(room.ledger.events).toHaveLength(1);
    expect(room.ledger.events[0]).toMatchObject({
      type: 'auth.login',
      status: 'ok',
      kind: 'user',
      actor: await room.principals.actorOf(principal),
      keyId: principal.id,
      body: { ...wire, name: 'ana', principal: principal.id, token_id: id },
    });
  });

  it('tells nobody apart: unknown, wrong, disabled, expired and revoked get one error', async () => {
    await using room = await testingOnlyRoom();
    const { id, token } = await anaWithToken(room);
    const messages = new Set<string>();
    async function refused(name: string, tokenId: string | undefined): Promise<void> {
      const attempt = { ...wire, name, tokenId };
      const error: unknown = await room.identity.finishLogin(attempt).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED' });
      messages.add(String(error).replaceAll(name, '…'));
    }
    await refused('nobody', await scram(room, 'nobody', token.reveal()));
    await refused('ana', await scram(room, 'ana', `${token.reveal()}x`));
    await room.addPerson({ name: 'ana', disabled: true });
    expect(await scram(room, 'ana', token.reveal())).toBeUndefined();
    await refused('ana', id);
    await room.addPerson({ name: 'ana', disabled: false });
    room.clock.pass(dayMs);
    expect(await scram(room, 'ana', token.reveal())).toBeUndefined();
    await refused('ana', id);
    await room.tokens.revoke(id, { reason: 'lost', revokedBy: undefined });
    await refused('ana', id);
    await refused('ana', '');
    expect(messages.size).toBe(1);
    const failures = room.ledger.events
      .filter(({ status }) => status === 'failed')
      .map(({ body }) => body?.['failure']);
    expect(failures).toEqual([
      'unknown name or token',
      'wrong token',
      'disabled',
      'expired token',
      'revoked token',
      'wrong token',
    ]);
  });

  it("refuses one person's token for another person's name", async () => {
    await using room = await testingOnlyRoom();
    const { id } = await anaWithToken(room);
    await room.addPerson({ name: 'ben' });
    await expect(room.identity.finishLogin({ ...wire, name: 'ben', tokenId: id })).rejects.toMatchObject({
      code: 'AUTHENTICATION_FAILED',
    });
  });

  it('gives an unknown name the same salt each time and the shape of a known one', async () => {
    await using room = await testingOnlyRoom();
    await anaWithToken(room);
    const [first, second, other] = await Promise.all(
      ['nobody', 'nobody', 'someone'].map((name) => room.identity.scramFor(name)),
    );
    const ana = await room.identity.scramFor('ana');
    expect(first).toEqual(second);
    expect(first?.salt).not.toEqual(other?.salt);
    expect(first?.salt).toHaveLength(ana.salt.length);
    expect(first?.candidates).toHaveLength(ana.candidates.length);
    expect(first?.iterations).toBe(ana.iterations);
  });

  it('seals an unknown name under the key of the boot, and cuts what a client says of itself', async () => {
    await using room = await testingOnlyRoom();
    const name = 'n'.repeat(9000);
    const attempt = { ...wire, name, client: 'c'.repeat(9000), tokenId: undefined };
    await expect(room.identity.finishLogin(attempt)).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
    const [event] = room.ledger.events;
    expect(event).toMatchObject({ kind: 'system', keyId: room.bootId });
    expect(JSON.stringify(event).length).toBeLessThan(1200);
  });

  it('writes down the failure that the wire names, and refuses although a token was proved', async () => {
    await using room = await testingOnlyRoom();
    const { id } = await anaWithToken(room);
    const attempt = { ...wire, name: 'ana', tokenId: id, failure: 'gone in the middle' };
    await expect(room.identity.finishLogin(attempt)).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
    expect(room.ledger.events[0]?.body).toMatchObject({ failure: 'gone in the middle' });
  });

  it('lets nobody in when the ledger cannot be written', async () => {
    await using room = await testingOnlyRoom();
    const { id } = await anaWithToken(room);
    room.ledger.halted = true;
    const attempt = { ...wire, name: 'ana', tokenId: id };
    await expect(room.identity.finishLogin(attempt)).rejects.toMatchObject({ code: 'LEDGER_HALTED' });
  });

  it('lets nobody in who is revoked while the leaf is written', async () => {
    await using room = await testingOnlyRoom();
    const { id } = await anaWithToken(room);
    room.ledger.before = async ({ type }) => {
      if (type === 'auth.login') await room.store.db.updateTable('tokens').set({ revoked_us: 1 }).execute();
    };
    const attempt = { ...wire, name: 'ana', tokenId: id };
    await expect(room.identity.finishLogin(attempt)).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
  });

  it('refuses somebody whose keys were destroyed, and names them under the key of the boot', async () => {
    await using room = await testingOnlyRoom();
    const { id } = await anaWithToken(room);
    const ana = await room.principals.findByName('ana');
    await room.store.db.updateTable('principals').set({ person_key: null }).execute();
    await room.scopeKeys.destroy(ana?.id ?? '');
    const attempt = { ...wire, name: 'ana', tokenId: id };
    await expect(room.identity.finishLogin(attempt)).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
    expect(room.ledger.events.at(-1)).toMatchObject({ kind: 'system', body: { failure: 'forgotten' } });
  });
});

describe('lockout of logins', () => {
  it('locks after the limit, also for the right token, with a bounded number of leaves', async () => {
    await using room = await testingOnlyRoom();
    const { id } = await anaWithToken(room);
    const { failuresMax, lockedLeavesMax, lockMs } = LIMITS.identity;
    const wrong = { ...wire, name: 'ana', tokenId: undefined };
    for (let i = 0; i < failuresMax; i++)
      await expect(room.identity.finishLogin(wrong)).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
    expect(room.ledger.types().at(-1)).toBe('auth.lockout');
    for (let i = 0; i < lockedLeavesMax + 7; i++) {
      const right = { ...wire, name: 'ana', tokenId: id };
      await expect(room.identity.finishLogin(right)).rejects.toMatchObject({ code: 'AUTHENTICATION_LOCKED' });
    }
    const locked = room.ledger.types().filter((type) => type === 'auth.login locked');
    expect(locked).toHaveLength(lockedLeavesMax);
    await room.attempts.flush('all');
    expect(room.ledger.events.at(-1)?.body).toMatchObject({
      failure: '7 refused attempts before this have no leaf of their own',
    });
    const elsewhere = { ...wire, name: 'ana', tokenId: id, address: '10.0.0.2' };
    await expect(room.identity.finishLogin(elsewhere)).resolves.toMatchObject({ name: 'ana' });
    room.clock.pass(lockMs);
    await expect(room.identity.finishLogin({ ...elsewhere, ...wire })).resolves.toMatchObject({
      name: 'ana',
    });
  });

  it('counts attempts that come at once as exactly as those that come in turn', async () => {
    await using room = await testingOnlyRoom();
    const { id } = await anaWithToken(room);
    const wrong = { ...wire, name: 'ana', tokenId: undefined };
    const attempts = [...Array.from({ length: 40 }, () => wrong), { ...wrong, tokenId: id }];
    const ends = await Promise.allSettled(attempts.map((attempt) => room.identity.finishLogin(attempt)));
    const codes = ends.map((end) => (end.status === 'rejected' ? end.reason.code : 'let in'));
    expect(codes.filter((code) => code === 'AUTHENTICATION_FAILED')).toHaveLength(
      LIMITS.identity.failuresMax,
    );
    expect(codes.filter((code) => code === 'AUTHENTICATION_LOCKED')).toHaveLength(
      attempts.length - LIMITS.identity.failuresMax,
    );
  });

  it('locks an address whose lock names nobody', async () => {
    await using room = await testingOnlyRoom();
    for (let i = 0; i < LIMITS.identity.addressFailuresMax; i++) {
      await expect(room.identity.bearer(new Secret(`cs_${i}`), peer)).rejects.toMatchObject({
        code: 'AUTHENTICATION_FAILED',
      });
    }
    expect(room.ledger.events.at(-1)).toMatchObject({
      type: 'auth.lockout',
      kind: 'system',
      keyId: room.bootId,
      body: { address: '10.0.0.1', failures: LIMITS.identity.addressFailuresMax },
    });
    await expect(room.identity.bearer(new Secret('cs_'), peer)).rejects.toMatchObject({
      code: 'AUTHENTICATION_LOCKED',
    });
  });
});

describe('bearer tokens', () => {
  it('lets in whoever has the token, and ends with it', async () => {
    await using room = await testingOnlyRoom();
    const { id, token } = await anaWithToken(room);
    const { principal, tokenId } = await room.identity.bearer(token, peer);
    expect({ name: principal.name, tokenId }).toEqual({ name: 'ana', tokenId: id });
    expect(room.ledger.events[0]).toMatchObject({ status: 'ok', body: { name: 'ana', method: 'bearer' } });
    await room.tokens.revoke(id, { reason: 'lost', revokedBy: undefined });
    await expect(room.identity.bearer(token, peer)).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
  });
});
