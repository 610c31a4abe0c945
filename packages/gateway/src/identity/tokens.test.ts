import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../core/limits.ts';
import { testingOnlyRoom } from './testing-room.ts';

const request = { name: 'psql', lifetimeMs: 1000, createdBy: undefined };

describe('principals', () => {
  it('makes a row once, keeps its id and pseudonym, and says when somebody is disabled', async () => {
    await using room = await testingOnlyRoom();
    const disabled: string[] = [];
    room.principals.onDisabled((id) => disabled.push(id));
    const ana = await room.addPerson({ name: 'ana', displayName: 'Ana' });
    const actor = await room.principals.actorOf(ana);
    const again = await room.addPerson({ name: 'ana', displayName: 'Ana B.', disabled: true });
    await room.addPerson({ name: 'ana', disabled: true });
    expect(again).toMatchObject({ id: ana.id, displayName: 'Ana B.' });
    expect(actor).toMatch(/^[0-9a-f]{32}$/);
    expect(await room.principals.actorOf(again)).toBe(actor);
    expect(disabled).toEqual([ana.id]);
  });

  it.each(['', 'Ana', '-ana', 'a'.repeat(64), 'ana\0', 'ana b'])('refuses the name %j', async (name) => {
    await using room = await testingOnlyRoom();
    await expect(room.addPerson({ name })).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  });

  it('never gives the name of a person to a machine', async () => {
    await using room = await testingOnlyRoom();
    await room.addPerson({ name: 'ana' });
    await expect(room.addPerson({ name: 'ana', kind: 'ci' })).rejects.toMatchObject({
      code: 'STATE_CONFLICT',
    });
  });

  it('makes the key of a scope once, also for two at the same time', async () => {
    await using room = await testingOnlyRoom();
    const ana = await room.addPerson({ name: 'ana' });
    const actors = await Promise.all([room.principals.leafActor(ana), room.principals.leafActor(ana)]);
    expect(actors[0]).toEqual(actors[1]);
    await room.scopeKeys.destroy(ana.id);
    expect(await room.principals.leafActor(ana)).toBeUndefined();
  });
});

describe('tokens', () => {
  it('writes the leaf before the token works, and shows the token to nobody else', async () => {
    await using room = await testingOnlyRoom();
    const ana = await room.addPerson({ name: 'ana' });
    const rowsAtLeaf: number[] = [];
    room.ledger.before = async () => {
      rowsAtLeaf.push((await room.tokens.list(ana.id)).length);
    };
    const by = room.identity.principalOf(ana);
    const created = await room.tokens.createToken(ana, { ...request, createdBy: by });
    expect(rowsAtLeaf).toEqual([0]);
    expect(created.token.reveal()).toMatch(/^cs_[0-9a-hjkmnp-tv-z]{32}$/);
    expect(room.ledger.events[0]).toMatchObject({
      type: 'token.create',
      kind: 'user',
      keyId: ana.id,
      body: { token_id: created.id, owner: 'ana', name: 'psql', created_by: 'ana' },
    });
    const rows = await room.store.db.selectFrom('tokens').selectAll().execute();
    const seen = inspect([created, rows, room.ledger.events]) + JSON.stringify([created, rows]);
    expect(seen).not.toContain(created.token.reveal());
  });

  it('makes no token when the ledger cannot be written', async () => {
    await using room = await testingOnlyRoom();
    const ana = await room.addPerson({ name: 'ana' });
    room.ledger.halted = true;
    await expect(room.tokens.createToken(ana, request)).rejects.toMatchObject({ code: 'LEDGER_HALTED' });
    expect(await room.tokens.list(ana.id)).toEqual([]);
  });

  it('revokes once, leaf first, and tells who listens', async () => {
    await using room = await testingOnlyRoom();
    const ana = await room.addPerson({ name: 'ana' });
    const { id } = await room.tokens.createToken(ana, request);
    const revoked: string[] = [];
    room.tokens.onRevoked((tokenId) => revoked.push(tokenId));
    expect(await room.identity.isActive(ana.id, id)).toBe(true);
    room.ledger.before = async () => expect(revoked).toEqual([]);
    const by = room.identity.principalOf(ana);
    expect(await room.tokens.revoke(id, { reason: 'lost', revokedBy: by })).toBe(true);
    expect(await room.tokens.revoke(id, { reason: 'lost', revokedBy: by })).toBe(false);
    expect(revoked).toEqual([id]);
    expect(await room.identity.isActive(ana.id, id)).toBe(false);
    expect(room.ledger.types()).toEqual(['token.create', 'token.revoke']);
  });

  it('refuses a lifetime, a name or a number of tokens beyond the limits', async () => {
    await using room = await testingOnlyRoom();
    const ana = await room.addPerson({ name: 'ana' });
    const { tokenLifetimeMs, tokensPerPrincipalMax } = LIMITS.identity;
    const refused = [
      { lifetimeMs: tokenLifetimeMs + 1 },
      { lifetimeMs: 0 },
      { lifetimeMs: 0.5 },
      { lifetimeMs: Number.NaN },
      { name: '' },
      { name: 'login' },
      { name: 'x'.repeat(101) },
    ];
    for (const wrong of refused) {
      await expect(room.tokens.createToken(ana, { ...request, ...wrong })).rejects.toThrow(/expected|limit/);
    }
    const attempts = Array.from({ length: tokensPerPrincipalMax + 3 }, () =>
      room.tokens.createToken(ana, request),
    );
    const results = await Promise.allSettled(attempts);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(tokensPerPrincipalMax);
    expect(await room.tokens.liveTokens(ana.id)).toHaveLength(tokensPerPrincipalMax);
    room.clock.pass(request.lifetimeMs);
    await expect(room.tokens.createToken(ana, request)).resolves.toBeDefined();
  });
});
