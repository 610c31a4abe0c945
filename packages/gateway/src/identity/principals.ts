/**
 * People, service accounts and CI identities as rows, and their pseudonyms in the log.
 *
 * Spec: spec/ledger.md, sections 3 and 4. A row by itself lets nobody in: that takes a token or a
 * password. The person key is in the store wrapped, and in memory only while a pseudonym is made.
 */

import type { Kysely } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { CountersignError } from '../core/errors.ts';
import { makeId, parseId, type PrincipalId } from '../core/ids.ts';
import type { LedgerEvent, ScopeKeys } from '../core/ledger-port.ts';
import { LIMITS } from '../core/limits.ts';
import type { ActorKind } from '../core/principal.ts';
import { Secret } from '../core/secret.ts';
import { pseudonym } from '../keys/pseudonym.ts';
import { unwrap, wrap } from '../keys/wrap.ts';
import type { PrincipalsTable, Schema } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { Listeners } from './listeners.ts';

const LOCAL_ISSUER = 'local';
const PERSON_KEY_BYTES = 32;
const SALT_BYTES = 16;
const NAME = /^[a-z0-9][a-z0-9\-_.@]{0,62}$/;

const KINDS: ReadonlyMap<string, ActorKind> = new Map(
  (['user', 'ci', 'service', 'agent', 'system', 'auditor'] as const).map((kind) => [kind, kind]),
);
/** A name stays with a person or with a machine: the pseudonym in the log is one for both times. */
const PEOPLE: ReadonlySet<ActorKind> = new Set(['user', 'auditor']);

/** What a Person or ServiceAccount resource says. */
export interface PrincipalDocument {
  readonly name: string;
  readonly kind: ActorKind;
  readonly displayName: string;
  readonly disabled: boolean;
}

/** A row, parsed. */
export interface PrincipalRecord extends PrincipalDocument {
  readonly id: PrincipalId;
  readonly issuer: string;
  readonly subject: string;
  readonly passwordHash: Secret<string> | undefined;
  readonly scramSalt: Uint8Array;
  /** False after the person was forgotten: no pseudonym can be made any more. */
  readonly hasPersonKey: boolean;
}

export interface Upserted {
  readonly principal: PrincipalRecord;
  readonly created: boolean;
  /** Was enabled before and is not now: {@link Principals.announce} it once this is committed. */
  readonly disabledNow: boolean;
}

/** What makes a new row. */
export interface PrincipalMakers {
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly wrapPersonKey: (id: PrincipalId, personKey: Uint8Array) => Uint8Array;
}

export interface PrincipalsOptions {
  readonly store: Store;
  readonly scopeKeys: ScopeKeys;
  readonly installationKey: Secret<Uint8Array>;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
}

/** Who a leaf is by, and under whose key its body is. */
export type LeafActor = Pick<LedgerEvent, 'kind' | 'actor' | 'keyId'>;

/** Whether the text can be the name of a principal. */
export function isPrincipalName(text: string): boolean {
  return NAME.test(text);
}

/** Makes the row of a name, or brings it up to date; inside the caller's transaction. */
async function upsertPrincipal(
  db: Kysely<Schema>,
  document: PrincipalDocument,
  makers: PrincipalMakers,
): Promise<Upserted> {
  checkDocument(document);
  const before = await findBy(db, 'name', document.name);
  if (before !== undefined) return update(db, before, document);
  const { clock, randomBytes, wrapPersonKey } = makers;
  const nowUs = clock.nowUs();
  const id = makeId('principal', Math.floor(nowUs / 1000), randomBytes(10));
  const personKey = randomBytes(PERSON_KEY_BYTES);
  const row: PrincipalsTable = {
    id,
    name: document.name,
    kind: document.kind,
    display_name: document.displayName,
    issuer: LOCAL_ISSUER,
    subject: document.name,
    disabled: document.disabled ? 1 : 0,
    person_key: wrapPersonKey(id, personKey),
    password_hash: null,
    scram_salt: randomBytes(SALT_BYTES),
    created_us: nowUs,
  };
  personKey.fill(0);
  await db.insertInto('principals').values(row).execute();
  return { principal: parseRow(row), created: true, disabledNow: false };
}

/** The principals of this installation; the one owner of pseudonyms in memory. */
export class Principals {
  readonly #options: PrincipalsOptions;
  readonly #actors = new Map<PrincipalId, string>();
  readonly #disabled = new Listeners<PrincipalId>();

  constructor(options: PrincipalsOptions) {
    this.#options = options;
  }

  /** {@link upsertPrincipal} in the caller's transaction; announce the result after its commit. */
  upsert(db: Kysely<Schema>, document: PrincipalDocument): Promise<Upserted> {
    const { clock, randomBytes, installationKey } = this.#options;
    return upsertPrincipal(db, document, {
      clock,
      randomBytes,
      wrapPersonKey: (id, key) => wrap(installationKey, personKeyPurpose(id), key, randomBytes),
    });
  }

  /** Tells who listens that somebody was disabled, so that their live sessions end. */
  announce(upserted: Upserted): void {
    if (upserted.disabledNow) this.#disabled.tell(upserted.principal.id);
  }

  /** The function that it returns takes the listener off again. */
  onDisabled(listener: (id: PrincipalId) => void): () => void {
    return this.#disabled.add(listener);
  }

  /** Nothing for a text that cannot be a name, after the same query. */
  findByName(name: string): Promise<PrincipalRecord | undefined> {
    return findBy(this.#options.store.db, 'name', isPrincipalName(name) ? name : '');
  }

  findById(id: PrincipalId): Promise<PrincipalRecord | undefined> {
    return findBy(this.#options.store.db, 'id', id);
  }

  async setPasswordHash(db: Kysely<Schema>, id: PrincipalId, hash: Secret<string>): Promise<void> {
    const changes = { password_hash: hash.reveal() };
    const result = await db.updateTable('principals').set(changes).where('id', '=', id).executeTakeFirst();
    if (result.numUpdatedRows !== 1n) throw new CountersignError('NOT_FOUND', { what: `principal ${id}` });
  }

  /** The pseudonym of somebody, 32 hex digits; NOT_FOUND when they were forgotten. */
  async actorOf(principal: { readonly id: PrincipalId }): Promise<string> {
    const { id } = principal;
    const known = this.#actors.get(id);
    if (known !== undefined) return known;
    const row = await this.#options.store.db
      .selectFrom('principals')
      .select(['person_key', 'issuer', 'subject'])
      .where('id', '=', id)
      .executeTakeFirst();
    if (row === undefined || row.person_key === null) {
      throw new CountersignError('NOT_FOUND', { what: `person key of ${id}` });
    }
    const personKey = unwrap(this.#options.installationKey, personKeyPurpose(id), row.person_key);
    const actor = pseudonym(new Secret(personKey), row.issuer, row.subject);
    personKey.fill(0);
    const [oldest] = this.#actors.keys();
    if (this.#actors.size >= LIMITS.identity.actorsCachedMax && oldest !== undefined) {
      this.#actors.delete(oldest);
    }
    this.#actors.set(id, actor);
    return actor;
  }

  /**
   * Who a leaf is by. The key of a principal's scope is made when it is first needed.
   * Undefined where that key was destroyed: nothing may be sealed for that person again.
   *
   * Not to be called in a transaction: the scope keys have their own.
   */
  async leafActor(principal: {
    readonly id: PrincipalId;
    readonly kind: ActorKind;
  }): Promise<LeafActor | undefined> {
    if (!(await this.#hasScope(principal.id))) return undefined;
    return { kind: principal.kind, actor: await this.actorOf(principal), keyId: principal.id };
  }

  async #hasScope(id: PrincipalId): Promise<boolean> {
    const { scopeKeys } = this.#options;
    const found = await scopeKeys.find(id);
    if (found !== undefined) {
      found.fill(0);
      return true;
    }
    try {
      (await scopeKeys.create(id)).fill(0);
      return true;
    } catch (error) {
      if (!(error instanceof CountersignError) || error.code !== 'STATE_CONFLICT') throw error;
    }
    // Made meanwhile by another login, or destroyed.
    const again = await scopeKeys.find(id);
    again?.fill(0);
    return again !== undefined;
  }
}

async function update(
  db: Kysely<Schema>,
  before: PrincipalRecord,
  document: PrincipalDocument,
): Promise<Upserted> {
  if (PEOPLE.has(before.kind) !== PEOPLE.has(document.kind)) {
    const reason = `the name "${before.name}" belongs to a ${before.kind} and cannot become a ${document.kind}`;
    throw new CountersignError('STATE_CONFLICT', { reason });
  }
  const { kind, displayName, disabled } = document;
  await db
    .updateTable('principals')
    .set({ kind, display_name: displayName, disabled: disabled ? 1 : 0 })
    .where('id', '=', before.id)
    .execute();
  const principal = { ...before, kind, displayName, disabled };
  return { principal, created: false, disabledNow: disabled && !before.disabled };
}

async function findBy(
  db: Kysely<Schema>,
  column: 'id' | 'name',
  value: string,
): Promise<PrincipalRecord | undefined> {
  const row = await db.selectFrom('principals').selectAll().where(column, '=', value).executeTakeFirst();
  return row === undefined ? undefined : parseRow(row);
}

function parseRow(row: PrincipalsTable): PrincipalRecord {
  const kind = KINDS.get(row.kind);
  if (kind === undefined)
    throw new CountersignError('STORE_FAILED', { reason: `${row.id} has an unknown kind` });
  return {
    id: parseId('principal', row.id),
    name: row.name,
    kind,
    displayName: row.display_name,
    disabled: row.disabled !== 0,
    issuer: row.issuer,
    subject: row.subject,
    passwordHash: row.password_hash === null ? undefined : new Secret(row.password_hash),
    scramSalt: row.scram_salt,
    hasPersonKey: row.person_key !== null,
  };
}

function checkDocument({ name, displayName, kind }: PrincipalDocument): void {
  const allowed = LIMITS.identity.displayNameCharactersMax;
  if (!isPrincipalName(name)) {
    const reason = 'expected a name of 1 to 63 characters of a-z, 0-9, "-", "_", "." and "@"';
    throw new CountersignError('REQUEST_INVALID', { reason });
  }
  if (kind === 'system')
    throw new CountersignError('REQUEST_INVALID', { reason: 'nobody is of kind system' });
  if (displayName.length > allowed) {
    const limit = 'identity.displayNameCharactersMax';
    throw new CountersignError('LIMIT_EXCEEDED', { limit, allowed, actual: displayName.length });
  }
}

function personKeyPurpose(id: PrincipalId): string {
  return `person-key:${id}`;
}
