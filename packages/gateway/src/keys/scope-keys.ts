/**
 * The keys of scopes: a session, a principal, a boot. The one owner of them, so that a shred is real.
 *
 * Spec: spec/ledger.md, section 3. A key is in the store, wrapped, before anything is sealed under
 * it. Destroying one overwrites the wrapped key, clears it from memory and makes the store's files
 * forget it; what stays is the row that says when.
 */

import type { Kysely } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { CountersignError } from '../core/errors.ts';
import type { ScopeKeys } from '../core/ledger-port.ts';
import { LIMITS } from '../core/limits.ts';
import type { Secret } from '../core/secret.ts';
import type { Schema } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { unwrap, wrap } from './wrap.ts';

const KEY_BYTES = 32;

export interface StoredScopeKeysOptions {
  readonly store: Store;
  readonly installationKey: Secret<Uint8Array>;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
}

/** {@link ScopeKeys} over the store; each caller gets a copy, so that its own is zeroed at once. */
export class StoredScopeKeys implements ScopeKeys {
  readonly #options: StoredScopeKeysOptions;
  /** Unwrapped keys; the one used longest ago goes first. */
  readonly #cache = new Map<string, Uint8Array>();
  /** Rises with each destruction, so that a reader that began before it does not fill the cache again. */
  #destructions = 0;

  constructor(options: StoredScopeKeysOptions) {
    this.#options = options;
  }

  async create(scope: string): Promise<Uint8Array> {
    const key = await this.createWithin(this.#options.store.db, scope);
    this.#remember(scope, key);
    return key.slice();
  }

  /** As part of a transaction; seal nothing under it before that has committed. */
  async createWithin(db: Kysely<Schema>, scope: string): Promise<Uint8Array> {
    const { installationKey, clock, randomBytes } = this.#options;
    const key = randomBytes(KEY_BYTES);
    const result = await db
      .insertInto('scope_keys')
      .values({
        scope,
        wrapped: wrap(installationKey, purposeOf(scope), key, randomBytes),
        created_us: clock.nowUs(),
        destroyed_us: null,
      })
      .onConflict((conflict) => conflict.column('scope').doNothing())
      .executeTakeFirst();
    if (result.numInsertedOrUpdatedRows !== 1n) {
      throw new CountersignError('STATE_CONFLICT', { reason: `the scope ${scope} has or had a key` });
    }
    return key;
  }

  async find(scope: string): Promise<Uint8Array | undefined> {
    const cached = this.#cache.get(scope);
    if (cached !== undefined) {
      this.#remember(scope, cached);
      return cached.slice();
    }
    const destructions = this.#destructions;
    const row = await this.#options.store.db
      .selectFrom('scope_keys')
      .select('wrapped')
      .where('scope', '=', scope)
      .executeTakeFirst();
    if (row === undefined || row.wrapped === null) return undefined;
    // A destruction in between may have been of this scope: ask again.
    if (destructions !== this.#destructions) return this.find(scope);
    const key = unwrap(this.#options.installationKey, purposeOf(scope), row.wrapped);
    this.#remember(scope, key);
    return key.slice();
  }

  async destroy(scope: string): Promise<boolean> {
    const { store, clock } = this.#options;
    const destroyed = await store.transaction(async (tx) => {
      const row = await tx
        .selectFrom('scope_keys')
        .select('wrapped')
        .where('scope', '=', scope)
        .executeTakeFirst();
      if (row === undefined || row.wrapped === null) return false;
      // The same length first, which SQLite writes in place: over the key, not beside it.
      const zeros = new Uint8Array(row.wrapped.length);
      await tx.updateTable('scope_keys').set({ wrapped: zeros }).where('scope', '=', scope).execute();
      await tx
        .updateTable('scope_keys')
        .set({ wrapped: null, destroyed_us: clock.nowUs() })
        .where('scope', '=', scope)
        .execute();
      return true;
    });
    this.#destructions += 1;
    this.#cache.get(scope)?.fill(0);
    this.#cache.delete(scope);
    // Also when there was nothing: an earlier attempt may have ended before this.
    await store.scrub();
    return destroyed;
  }

  #remember(scope: string, key: Uint8Array): void {
    this.#cache.delete(scope);
    this.#cache.set(scope, key);
    const [oldest] = this.#cache.keys();
    if (this.#cache.size <= LIMITS.keys.cachedMax || oldest === undefined) return;
    this.#cache.get(oldest)?.fill(0);
    this.#cache.delete(oldest);
  }
}

function purposeOf(scope: string): string {
  return `scope-key:${scope}`;
}
