import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Secret } from '../core/secret.ts';
import { hashSecretText } from './secret-text.ts';
import type { CreatedToken } from './tokens.ts';
import { type TestingRoom, testingOnlyRoom } from './testing-room.ts';

const REQUEST = { name: 'notebook', aws: true, lifetimeMs: 60_000, createdBy: undefined };
const PEER = { address: '10.0.0.1', port: 1, client: 'test', tls: 'TLSv1.3' };

async function anaWithPair(room: TestingRoom): Promise<CreatedToken & { readonly accessKeyId: string }> {
  const ana = await room.addPerson({ name: 'ana' });
  const created = await room.tokens.createToken(ana, REQUEST);
  return { ...created, accessKeyId: created.accessKeyId ?? '' };
}

/** As a signature is checked: with the secret, or not at all. */
function proofOf({ accessKeyId, token }: { accessKeyId: string; token: Secret<string> }): {
  accessKeyId: string;
  isSignedBy: (secret: Secret<string>) => boolean;
} {
  return { accessKeyId, isSignedBy: (secret) => secret.reveal() === token.reveal() };
}

describe('an access key pair', () => {
  it('is a token whose secret is kept sealed, and whose id stands in its leaf', async () => {
    await using room = await testingOnlyRoom();
    const pair = await anaWithPair(room);
    expect(pair.accessKeyId).toMatch(/^CSAK[0-9A-HJKMNP-TV-Z]{16}$/);
    expect(pair.token.reveal()).toMatch(/^csaws_[0-9a-hjkmnp-tv-z]{32}$/);
    const leaf = room.ledger.events.find(({ type }) => type === 'token.create');
    expect(leaf?.body).toMatchObject({ token_id: pair.id, access_key_id: pair.accessKeyId });
    const rows = await room.store.db.selectFrom('tokens').selectAll().execute();
    const kept = `${inspect(rows, { depth: 9, maxArrayLength: null })} ${inspect(room.ledger.events, { depth: 9 })}`;
    expect(kept).toContain(pair.accessKeyId);
    expect(kept).not.toContain(pair.token.reveal());
    const bytes = rows.flatMap((row) => Object.values(row)).filter((value) => value instanceof Uint8Array);
    expect(bytes.length).toBeGreaterThan(3);
    for (const one of bytes) expect(Buffer.from(one).includes(pair.token.reveal().slice(6))).toBe(false);
  });

  it('signs, and says whose it is', async () => {
    await using room = await testingOnlyRoom();
    const pair = await anaWithPair(room);
    const id = await room.identity.signature(proofOf(pair), PEER);
    expect(id).toBe(pair.id);
    const login = await room.identity.signedLogin(id, PEER);
    expect(login).toMatchObject({ tokenId: pair.id, principal: { name: 'ana' } });
    expect(room.ledger.events.at(-1)).toMatchObject({
      type: 'auth.login',
      status: 'ok',
      body: { method: 'sigv4', token_id: pair.id },
    });
  });

  it('opens no other door', async () => {
    await using room = await testingOnlyRoom();
    const pair = await anaWithPair(room);
    await expect(room.identity.bearer(pair.token, PEER)).rejects.toMatchObject({
      code: 'AUTHENTICATION_FAILED',
    });
    expect(await room.tokens.findByText(pair.token)).toBeUndefined();
    const { candidates } = await room.identity.scramFor('ana');
    expect(candidates.map(({ tokenId }) => tokenId)).not.toContain(pair.id);
    const record = await room.tokens.find(pair.id);
    expect(Buffer.from(record?.storedKey ?? []).equals(hashSecretText(pair.token))).toBe(false);
    // And a token signs nothing.
    const ana = await room.principals.findByName('ana');
    if (ana === undefined) throw new Error('nobody');
    const bearer = await room.tokens.createToken(ana, { ...REQUEST, aws: false });
    expect(bearer.accessKeyId).toBeUndefined();
    const bearerRecord = await room.tokens.find(bearer.id);
    expect(bearerRecord === undefined ? 'gone' : room.tokens.secretOf(bearerRecord)).toBeUndefined();
  });

  const refusals: Readonly<Record<string, (room: TestingRoom, pair: CreatedToken) => Promise<unknown>>> = {
    'revoked token': (room, { id }) => room.tokens.revoke(id, { reason: 'test', revokedBy: undefined }),
    'expired token': async (room) => room.clock.pass(60_001),
    disabled: (room) => room.addPerson({ name: 'ana', disabled: true }),
    forgotten: async (room) => {
      const ana = await room.principals.findByName('ana');
      await room.scopeKeys.destroy(ana?.id ?? '');
      await room.store.db.updateTable('principals').set({ person_key: null }).execute();
    },
  };

  it.each(Object.keys(refusals))('is refused: %s', async (failure) => {
    await using room = await testingOnlyRoom();
    const pair = await anaWithPair(room);
    const id = await room.identity.signature(proofOf(pair), PEER);
    expect(await room.identity.hasPair(pair.accessKeyId)).toBe(true);
    await refusals[failure]?.(room, pair);
    expect(await room.identity.hasPair(pair.accessKeyId)).toBe(false);
    const error = { code: 'AUTHENTICATION_FAILED', message: 'Authentication failed for "".' };
    await expect(room.identity.signature(proofOf(pair), PEER)).rejects.toMatchObject(error);
    // One that was good a moment ago does not come in either.
    await expect(room.identity.signedLogin(id, PEER)).rejects.toMatchObject(error);
    expect(room.ledger.events.at(-1)).toMatchObject({ status: 'failed', body: { failure, method: 'sigv4' } });
  });

  it('is refused with the same words where it is wrong and where there is none', async () => {
    await using room = await testingOnlyRoom();
    const pair = await anaWithPair(room);
    let asked = 0;
    const wrong = (accessKeyId: string): Promise<unknown> =>
      room.identity
        .signature({ accessKeyId, isSignedBy: () => (asked++, false) }, PEER)
        .catch((error: unknown) => error);
    const messages = [await wrong(pair.accessKeyId), await wrong('CSAK0000000000000000')].map(String);
    expect(new Set(messages).size).toBe(1);
    // The same work for both.
    expect(asked).toBe(2);
    expect(room.ledger.events.slice(-2).map(({ body }) => body?.['failure'])).toEqual([
      'wrong signature',
      'unknown name or token',
    ]);
  });

  it('does not open where it was sealed for another', async () => {
    await using room = await testingOnlyRoom();
    const pair = await anaWithPair(room);
    const ana = await room.principals.findByName('ana');
    if (ana === undefined) throw new Error('nobody');
    const other = await room.tokens.createToken(ana, REQUEST);
    const { pair: sealed } = (await room.tokens.find(other.id)) ?? {};
    await room.store.db
      .updateTable('tokens')
      .set({ sealed_secret: sealed?.sealed ?? null })
      .where('id', '=', pair.id)
      .execute();
    await expect(room.identity.signature(proofOf(pair), PEER)).rejects.toMatchObject({
      code: 'STORE_FAILED',
    });
  });
});
