/**
 * Personal tokens: shown once, kept as a SHA-256 for HTTP and as a SCRAM verifier for PostgreSQL. Of an access key
 * pair, with which AWS's clients sign, the secret is kept sealed: whoever checks a signature has to have it.
 *
 * Spec: RFC 5802, section 3, for the two keys. Every change is a leaf before it takes effect, so a
 * crash in between leaves a leaf without a token, never a token without a leaf.
 */

import type { Kysely } from 'kysely';
import {
  type Authentication,
  type AuthenticationMethod,
  authenticationBody,
} from '../core/authentication.ts';
import { type Clock, formatTimeUs } from '../core/clock.ts';
import { CountersignError } from '../core/errors.ts';
import { makeId, parseId, type PrincipalId, type TokenId } from '../core/ids.ts';
import type { BodyValue, LedgerPort } from '../core/ledger-port.ts';
import { LIMITS } from '../core/limits.ts';
import type { Principal } from '../core/principal.ts';
import { SECOND_FACTOR_LIMITS } from '../core/second-factor-limits.ts';
import type { Secret } from '../core/secret.ts';
import { openAwsSecret, sealAwsSecret } from '../keys/aws-secret.ts';
import { makeVerifier } from '../protocols/postgres/scram.ts';
import type { Schema, TokensTable } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { Listeners } from './listeners.ts';
import type { PrincipalRecord, Principals } from './principals.ts';
import { hashSecretText, makeAccessKeyId, makeSecretText } from './secret-text.ts';

const PREFIX = 'cs_';
/** Of the secret of a pair, so that nobody takes it for a token. */
const AWS_PREFIX = 'csaws_';
/** The name of tokens that a password gave; nobody else may use it. */
const LOGIN_TOKEN_NAME = 'login';

const METHODS: ReadonlyMap<string, AuthenticationMethod> = new Map(
  (['pwd', 'otp', 'mfa'] as const).map((method) => [method, method]),
);

export interface TokensOptions {
  readonly store: Store;
  readonly ledger: LedgerPort;
  readonly principals: Principals;
  readonly clock: Clock;
  readonly installationKey: Secret<Uint8Array>;
  readonly randomBytes: (length: number) => Uint8Array;
}

export interface NewToken {
  readonly name: string;
  /** An access key pair, which signs and is good for nothing else. */
  readonly aws?: boolean | undefined;
  readonly lifetimeMs: number;
  /** Undefined where the gateway itself makes it. */
  readonly createdBy: Principal | undefined;
  /** The token with which it is asked for: its login is that of the new one, where both are of one person. */
  readonly madeWith?: TokenId | undefined;
}

export interface CreatedToken {
  readonly id: TokenId;
  /** The only time that anybody sees it; of a pair its secret. */
  readonly token: Secret<string>;
  /** Of a pair. */
  readonly accessKeyId: string | undefined;
  readonly expiresUs: number;
  /** What it says of the login that it comes from. */
  readonly authentication: Authentication | undefined;
}

/** A token as lists show it. */
export interface TokenRecord {
  readonly id: TokenId;
  readonly principalId: PrincipalId;
  readonly name: string;
  readonly createdUs: number;
  readonly expiresUs: number;
  readonly revokedUs: number | undefined;
  readonly lastUsedUs: number | undefined;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
  /** Of an access key pair: its id, and its secret, sealed. */
  readonly pair: { readonly accessKeyId: string; readonly sealed: Uint8Array } | undefined;
  /** How its owner had logged in who made it; undefined where that is not known, and of machines. */
  readonly authentication: Authentication | undefined;
}

export interface Revocation {
  readonly reason: string;
  /** Undefined where the gateway itself revokes it. */
  readonly revokedBy: Principal | undefined;
}

/** The tokens of all principals. Who may create or revoke which is for the caller to check. */
export class Tokens {
  readonly #options: TokensOptions;
  readonly #revoked = new Listeners<TokenId>();

  constructor(options: TokensOptions) {
    this.#options = options;
  }

  /** `cs_` and 160 random bits; the leaf `token.create` is signed before the token works. */
  async createToken(owner: PrincipalRecord, request: NewToken): Promise<CreatedToken> {
    checkName(request.name);
    return this.#create(owner, request, await this.#carried(owner, request));
  }

  /** The token that a password gives; the oldest of its kind give way, so that it never fails for want of room. */
  async createLoginToken(
    owner: PrincipalRecord,
    createdBy: Principal,
    authentication: Authentication,
  ): Promise<CreatedToken> {
    const live = await this.#liveLoginTokens(owner.id);
    const surplus = live.length - LIMITS.identity.loginTokensPerPrincipalMax + 1;
    for (const { id } of live.slice(0, Math.max(surplus, 0))) {
      await this.revoke(id, { reason: 'replaced by a newer login', revokedBy: createdBy });
    }
    const lifetimeMs = LIMITS.identity.loginTokenLifetimeMs;
    const request = { name: LOGIN_TOKEN_NAME, lifetimeMs, createdBy };
    return this.#create(owner, request, isPerson(owner) ? authentication : undefined);
  }

  /** What gave them is no longer good, or no longer enough; all but the one that is used for this. */
  async revokeLoginTokens(owner: PrincipalId, reason: string, except?: TokenId): Promise<void> {
    await this.revokeWhere(owner, ({ name, id }) => name === LOGIN_TOKEN_NAME && id !== except, reason);
  }

  /** Ends those of somebody's live tokens that are meant; how many there were. */
  async revokeWhere(
    owner: PrincipalId,
    isMeant: (token: TokenRecord) => boolean,
    reason: string,
  ): Promise<number> {
    const meant = (await this.liveTokens(owner)).filter(isMeant);
    for (const { id } of meant) await this.revoke(id, { reason, revokedBy: undefined });
    return meant.length;
  }

  /** Ends a token and tells who listens; false where it had ended already. */
  async revoke(id: TokenId, { reason, revokedBy }: Revocation): Promise<boolean> {
    const { store, ledger, principals, clock } = this.#options;
    const token = await this.find(id);
    if (token === undefined) throw new CountersignError('NOT_FOUND', { what: `token ${id}` });
    if (token.revokedUs !== undefined) return false;
    const owner = await principals.findById(token.principalId);
    const body = {
      token_id: id,
      owner: owner?.name ?? token.principalId,
      reason: reason.toWellFormed(),
      revoked_by: revokedBy?.name ?? 'gateway',
    };
    await ledger.append(await this.#leaf('token.revoke', token.principalId, revokedBy, body));
    const result = await store.db
      .updateTable('tokens')
      .set({ revoked_us: clock.nowUs() })
      .where('id', '=', id)
      .where('revoked_us', 'is', null)
      .executeTakeFirst();
    this.#revoked.tell(id);
    return result.numUpdatedRows === 1n;
  }

  /** The function that it returns takes the listener off again. */
  onRevoked(listener: (id: TokenId) => void): () => void {
    return this.#revoked.add(listener);
  }

  async find(id: TokenId): Promise<TokenRecord | undefined> {
    const { db } = this.#options.store;
    const row = await db.selectFrom('tokens').selectAll().where('id', '=', id).executeTakeFirst();
    return row === undefined ? undefined : parseRow(row);
  }

  /** The token of a text that a client sent, whatever its state. */
  async findByText(text: Secret<string>): Promise<TokenRecord | undefined> {
    const { db } = this.#options.store;
    const sha256 = hashSecretText(text);
    const row = await db.selectFrom('tokens').selectAll().where('sha256', '=', sha256).executeTakeFirst();
    return row === undefined ? undefined : parseRow(row);
  }

  /** The access key pair of an id that a client named, whatever its state. */
  async findByAccessKeyId(accessKeyId: string): Promise<TokenRecord | undefined> {
    const { db } = this.#options.store;
    const row = await db
      .selectFrom('tokens')
      .selectAll()
      .where('access_key_id', '=', accessKeyId)
      .executeTakeFirst();
    return row === undefined ? undefined : parseRow(row);
  }

  /** The secret of a pair; undefined of any other token. */
  secretOf({ id, pair }: TokenRecord): Secret<string> | undefined {
    return pair === undefined ? undefined : openAwsSecret(this.#options.installationKey, id, pair.sealed);
  }

  /** All tokens of somebody that are still kept, the oldest first. */
  async list(principalId: PrincipalId): Promise<readonly TokenRecord[]> {
    const rows = await this.#options.store.db
      .selectFrom('tokens')
      .selectAll()
      .where('principal_id', '=', principalId)
      .orderBy('id')
      .execute();
    return rows.map(parseRow);
  }

  /** Those that would be accepted now; an id of nobody gives none, after the same query. */
  async liveTokens(principalId: PrincipalId | ''): Promise<readonly TokenRecord[]> {
    const rows = await liveRows(this.#options.store.db, principalId, this.#options.clock.nowUs());
    return rows.map(parseRow);
  }

  async #liveLoginTokens(owner: PrincipalId): Promise<readonly TokenRecord[]> {
    return (await this.liveTokens(owner)).filter(({ name }) => name === LOGIN_TOKEN_NAME);
  }

  /** Whether a token would be accepted now. */
  isLive(token: TokenRecord): boolean {
    return token.revokedUs === undefined && token.expiresUs > this.#options.clock.nowUs();
  }

  /** Remembers that a token was used, to the minute. */
  async touch(token: TokenRecord): Promise<void> {
    const { store, clock } = this.#options;
    const nowUs = clock.nowUs();
    const intervalUs = LIMITS.identity.tokenTouchIntervalMs * 1000;
    if (token.lastUsedUs !== undefined && nowUs - token.lastUsedUs < intervalUs) return;
    await store.db.updateTable('tokens').set({ last_used_us: nowUs }).where('id', '=', token.id).execute();
  }

  /** Only a person's own token, while it is live and young enough, says how they logged in; its time stays the same. */
  async #carried(
    owner: PrincipalRecord,
    { createdBy, madeWith }: NewToken,
  ): Promise<Authentication | undefined> {
    if (madeWith === undefined || createdBy?.id !== owner.id || !isPerson(owner)) return undefined;
    const source = await this.find(madeWith);
    const authentication = source?.authentication;
    if (source?.principalId !== owner.id || !this.isLive(source) || authentication === undefined)
      return undefined;
    const ageUs = this.#options.clock.nowUs() - authentication.atUs;
    return ageUs >= 0 && ageUs <= SECOND_FACTOR_LIMITS.carriedMsMax * 1000 ? authentication : undefined;
  }

  async #create(
    owner: PrincipalRecord,
    { name, lifetimeMs, createdBy, madeWith, aws = false }: NewToken,
    authentication: Authentication | undefined,
  ): Promise<CreatedToken> {
    checkLifetime(lifetimeMs);
    const { store, ledger, clock, randomBytes } = this.#options;
    const nowUs = clock.nowUs();
    const token = makeSecretText(aws ? AWS_PREFIX : PREFIX, randomBytes);
    const accessKeyId = aws ? makeAccessKeyId(randomBytes) : undefined;
    const id = makeId('token', Math.floor(nowUs / 1000), randomBytes(10));
    const expiresUs = nowUs + lifetimeMs * 1000;
    if (name !== LOGIN_TOKEN_NAME) await checkRoom(store.db, owner.id, nowUs);
    const body = {
      token_id: id,
      owner: owner.name,
      name: name.toWellFormed(),
      expires_at: formatTimeUs(expiresUs),
      created_by: createdBy?.name ?? 'gateway',
      ...(accessKeyId === undefined ? {} : { access_key_id: accessKeyId }),
      ...authenticationBody(authentication),
    };
    await ledger.append(await this.#leaf('token.create', owner.id, createdBy, body));
    const row: TokensTable = {
      id,
      principal_id: owner.id,
      name,
      ...this.#kept(owner, id, token, accessKeyId),
      created_us: nowUs,
      expires_us: expiresUs,
      revoked_us: null,
      last_used_us: null,
      amr: authentication?.methods.join(' ') ?? null,
      authenticated_us: authentication?.atUs ?? null,
    };
    await store.transaction(async (tx) => {
      await forgetEnded(tx, owner.id, nowUs);
      // Again: another request may have taken the last place while the leaf was written.
      if (name !== LOGIN_TOKEN_NAME) await checkRoom(tx, owner.id, nowUs);
      // What ended meanwhile, as with a second factor that was removed, leaves nothing behind that says the same.
      if (authentication !== undefined && madeWith !== undefined)
        await checkLive(tx, madeWith, clock.nowUs());
      await tx.insertInto('tokens').values(row).execute();
    });
    return { id, token, accessKeyId, expiresUs, authentication };
  }

  /** What is kept of a token. The secret of a pair is no bearer token and no password: nobody knows what it would be. */
  #kept(
    owner: PrincipalRecord,
    id: TokenId,
    token: Secret<string>,
    accessKeyId: string | undefined,
  ): KeptToken {
    if (accessKeyId === undefined) {
      const verifier = makeVerifier(token.reveal(), owner.scramSalt, LIMITS.identity.scramIterations);
      const { storedKey: stored_key, serverKey: server_key } = verifier;
      return {
        sha256: hashSecretText(token),
        stored_key,
        server_key,
        access_key_id: null,
        sealed_secret: null,
      };
    }
    const { randomBytes } = this.#options;
    return {
      sha256: randomBytes(32),
      stored_key: randomBytes(32),
      server_key: randomBytes(32),
      access_key_id: accessKeyId,
      sealed_secret: sealAwsSecret(this.#options, id, token),
    };
  }

  async #leaf(
    type: string,
    ownerId: PrincipalId,
    by: Principal | undefined,
    body: Readonly<Record<string, BodyValue>>,
  ): Promise<Parameters<LedgerPort['append']>[0]> {
    const { principals } = this.#options;
    const actor = await principals.leafActor(by ?? { id: ownerId, kind: 'system' });
    if (actor === undefined) {
      throw new CountersignError('STATE_CONFLICT', { reason: `${by?.id ?? ownerId} was forgotten` });
    }
    // What the gateway does by itself is sealed for the owner, and has no actor.
    if (by === undefined) return { type, kind: 'system', keyId: actor.keyId, body };
    return { type, ...actor, body };
  }
}

type KeptToken = Pick<
  TokensTable,
  'sha256' | 'stored_key' | 'server_key' | 'access_key_id' | 'sealed_secret'
>;

/** What a machine has was given to it: it has logged in with nothing that only somebody could have. */
function isPerson({ kind }: PrincipalRecord): boolean {
  return kind === 'user' || kind === 'auditor';
}

function liveRows(db: Kysely<Schema>, principalId: PrincipalId | '', nowUs: number): Promise<TokensTable[]> {
  return db
    .selectFrom('tokens')
    .selectAll()
    .where('principal_id', '=', principalId)
    .where('revoked_us', 'is', null)
    .where('expires_us', '>', nowUs)
    .orderBy('id')
    .execute();
}

async function checkRoom(db: Kysely<Schema>, owner: PrincipalId, nowUs: number): Promise<void> {
  const live = await liveRows(db, owner, nowUs);
  const count = live.filter(({ name }) => name !== LOGIN_TOKEN_NAME).length;
  const allowed = LIMITS.identity.tokensPerPrincipalMax;
  if (count >= allowed) {
    const limit = 'identity.tokensPerPrincipalMax';
    throw new CountersignError('LIMIT_EXCEEDED', { limit, allowed, actual: count + 1 });
  }
}

async function checkLive(db: Kysely<Schema>, id: TokenId, nowUs: number): Promise<void> {
  const row = await db
    .selectFrom('tokens')
    .select('id')
    .where('id', '=', id)
    .where('revoked_us', 'is', null)
    .where('expires_us', '>', nowUs)
    .executeTakeFirst();
  if (row === undefined)
    throw new CountersignError('STATE_CONFLICT', { reason: `${id} has ended meanwhile` });
}

async function forgetEnded(db: Kysely<Schema>, owner: PrincipalId, nowUs: number): Promise<void> {
  await db
    .deleteFrom('tokens')
    .where('principal_id', '=', owner)
    .where('expires_us', '<', nowUs - LIMITS.identity.tokenRetentionMs * 1000)
    .execute();
}

function checkName(name: string): void {
  const allowed = LIMITS.identity.tokenNameCharactersMax;
  if (name.trim() === '' || name === LOGIN_TOKEN_NAME || name.length > allowed) {
    const reason = `expected a token name of 1 to ${allowed} characters other than "${LOGIN_TOKEN_NAME}"`;
    throw new CountersignError('REQUEST_INVALID', { reason });
  }
}

function checkLifetime(lifetimeMs: number): void {
  const allowed = LIMITS.identity.tokenLifetimeMs;
  if (!Number.isSafeInteger(lifetimeMs) || lifetimeMs <= 0) {
    const reason = 'expected the lifetime of a token in whole milliseconds above 0';
    throw new CountersignError('REQUEST_INVALID', { reason });
  }
  if (lifetimeMs > allowed) {
    const limit = 'identity.tokenLifetimeMs';
    throw new CountersignError('LIMIT_EXCEEDED', { limit, allowed, actual: lifetimeMs });
  }
}

function parseRow(row: TokensTable): TokenRecord {
  return {
    id: parseId('token', row.id),
    principalId: parseId('principal', row.principal_id),
    name: row.name,
    createdUs: row.created_us,
    expiresUs: row.expires_us,
    revokedUs: row.revoked_us ?? undefined,
    lastUsedUs: row.last_used_us ?? undefined,
    storedKey: row.stored_key,
    serverKey: row.server_key,
    pair: parsePair(row),
    authentication: parseAuthentication(row),
  };
}

function parsePair({ access_key_id: accessKeyId, sealed_secret: sealed }: TokensTable): TokenRecord['pair'] {
  return accessKeyId === null || sealed === null ? undefined : { accessKeyId, sealed };
}

function parseAuthentication({ amr, authenticated_us: atUs }: TokensTable): Authentication | undefined {
  if (amr === null || atUs === null) return undefined;
  const methods = amr.split(' ').flatMap((word) => METHODS.get(word) ?? []);
  return { methods, atUs };
}
