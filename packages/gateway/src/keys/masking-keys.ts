/**
 * The installation's masking keys: one that makes masks, former ones that recognise and reveal, and the next one
 * while its leaf is written. In the store as one value that is sealed under the installation key.
 *
 * Spec: spec/masking.md, section 9. What does not open, or is not what was sealed, is refused: another key in its
 * place would make masks that nobody recognises, and former ones would never be had back.
 */

import type { Kysely, Transaction } from 'kysely';
import { CountersignError } from '../core/errors.ts';
import { MASKING_OPERATOR_LIMITS } from '../core/masking-limits.ts';
import { Secret } from '../core/secret.ts';
import type { Schema } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { unwrap, wrap } from './wrap.ts';

/** As masking/operators/key-ring.ts has it. */
export interface StoredMaskingKey {
  /** 0 to 255. */
  readonly id: number;
  /** 32 bytes. */
  readonly secret: Secret<Uint8Array>;
}

export interface StoredMaskingRing {
  /** Of the row: rises with each change. */
  readonly version: number;
  readonly changedUs: number;
  /** The one that makes masks first; none before the first leaf. */
  readonly keys: readonly StoredMaskingKey[];
  /** Not in force before its leaf is in the log. */
  readonly next: StoredMaskingKey | undefined;
}

export interface MaskingKeyStore {
  readonly store: Store;
  readonly installationKey: Secret<Uint8Array>;
  readonly randomBytes: (length: number) => Uint8Array;
}

const RING = 'masking';
const PURPOSE = 'masking-keys';
const SECRET_BYTES = 32;
const IDS = 256;
const FORM = 1;

/** The ring; undefined where none was ever made. STORE_FAILED where it cannot be read. */
export async function loadMaskingRing(options: MaskingKeyStore): Promise<StoredMaskingRing | undefined> {
  const row = await options.store.db
    .selectFrom('sealed_rings')
    .selectAll()
    .where('ring', '=', RING)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const bytes = unwrap(options.installationKey, purposeOf(row.version), row.wrapped);
  try {
    return { version: row.version, changedUs: row.changed_us, ...parseRing(bytes) };
  } finally {
    bytes.fill(0);
  }
}

/** Puts a new key beside those that there are, with an id that none of them has. */
export async function prepareMaskingKey(options: MaskingKeyStore, nowUs: number): Promise<StoredMaskingRing> {
  const ring = await loadMaskingRing(options);
  const keys = ring?.keys ?? [];
  if (ring?.next !== undefined) {
    throw new CountersignError('STATE_CONFLICT', { reason: 'a masking key is being made already' });
  }
  const next = { id: freeId(keys), secret: new Secret(options.randomBytes(SECRET_BYTES)) };
  return write(options, { version: ring?.version ?? 0, keys, next }, nowUs);
}

/** Makes the next key the one that makes masks; of too many former ones the oldest goes. */
export function promoteMaskingKey(
  options: MaskingKeyStore,
  ring: StoredMaskingRing,
  nowUs: number,
): Promise<StoredMaskingRing> {
  const { next, version } = ring;
  const keys = [...(next === undefined ? [] : [next]), ...ring.keys].slice(
    0,
    MASKING_OPERATOR_LIMITS.keysMax,
  );
  return write(options, { version, keys, next: undefined }, nowUs);
}

/** Forgets a next key whose leaf was never written. */
export function dropNextMaskingKey(
  options: MaskingKeyStore,
  { version, keys }: StoredMaskingRing,
  nowUs: number,
): Promise<StoredMaskingRing> {
  return write(options, { version, keys, next: undefined }, nowUs);
}

/** The ids of what a ring keeps when its next key is in force. */
export function keptAfter({ keys }: StoredMaskingRing): readonly number[] {
  return keys.slice(0, MASKING_OPERATOR_LIMITS.keysMax - 1).map(({ id }) => id);
}

/** The one after the current one, so that ids tell which is newer as long as they can. */
function freeId(keys: readonly StoredMaskingKey[]): number {
  const used = new Set(keys.map(({ id }) => id));
  let id = ((keys[0]?.id ?? 0) + 1) % IDS;
  while (used.has(id)) id = (id + 1) % IDS;
  return id;
}

async function write(
  options: MaskingKeyStore,
  ring: Omit<StoredMaskingRing, 'changedUs'>,
  nowUs: number,
): Promise<StoredMaskingRing> {
  const version = ring.version + 1;
  const bytes = formatRing(ring);
  const wrapped = wrap(options.installationKey, purposeOf(version), bytes, options.randomBytes);
  bytes.fill(0);
  const values = { version, wrapped, changed_us: nowUs };
  await options.store.transaction((tx) => replace(tx, ring.version, values));
  return { ...ring, version, changedUs: nowUs };
}

async function replace(
  tx: Transaction<Schema>,
  known: number,
  values: { readonly version: number; readonly wrapped: Uint8Array; readonly changed_us: number },
): Promise<void> {
  const changed = known === 0 ? await insert(tx, values) : await update(tx, known, values);
  if (changed === 1n) return;
  throw new CountersignError('STATE_CONFLICT', { reason: 'another gateway has changed the masking keys' });
}

async function insert(
  db: Kysely<Schema>,
  values: { readonly version: number; readonly wrapped: Uint8Array; readonly changed_us: number },
): Promise<bigint | undefined> {
  const result = await db
    .insertInto('sealed_rings')
    .values({ ring: RING, ...values })
    .onConflict((conflict) => conflict.column('ring').doNothing())
    .executeTakeFirst();
  return result.numInsertedOrUpdatedRows;
}

async function update(
  db: Kysely<Schema>,
  known: number,
  values: { readonly version: number; readonly wrapped: Uint8Array; readonly changed_us: number },
): Promise<bigint> {
  const result = await db
    .updateTable('sealed_rings')
    .set(values)
    .where('ring', '=', RING)
    .where('version', '=', known)
    .executeTakeFirst();
  return result.numUpdatedRows;
}

/** The version is part of it, so that an older value does not open beside a newer number. */
function purposeOf(version: number): string {
  return `${PURPOSE}:${version}`;
}

/** `form ‖ has-next ‖ (id ‖ secret[32])*`, the next one first where there is one. */
function formatRing({ keys, next }: Pick<StoredMaskingRing, 'keys' | 'next'>): Uint8Array {
  const all = next === undefined ? keys : [next, ...keys];
  const bytes = new Uint8Array(2 + all.length * (1 + SECRET_BYTES));
  bytes[0] = FORM;
  bytes[1] = next === undefined ? 0 : 1;
  for (const [at, { id, secret }] of all.entries()) {
    bytes[2 + at * (1 + SECRET_BYTES)] = id;
    bytes.set(secret.reveal(), 3 + at * (1 + SECRET_BYTES));
  }
  return bytes;
}

function parseRing(bytes: Uint8Array): Pick<StoredMaskingRing, 'keys' | 'next'> {
  const hasNext = bytes[1];
  if (
    bytes[0] !== FORM ||
    (hasNext !== 0 && hasNext !== 1) ||
    (bytes.length - 2) % (1 + SECRET_BYTES) !== 0
  ) {
    throw garbled();
  }
  const all: StoredMaskingKey[] = [];
  for (let at = 2; at < bytes.length; at += 1 + SECRET_BYTES) {
    all.push({ id: bytes[at] ?? 0, secret: new Secret(bytes.slice(at + 1, at + 1 + SECRET_BYTES)) });
  }
  if (new Set(all.map(({ id }) => id)).size !== all.length || all.length < hasNext) throw garbled();
  return hasNext === 1 ? { next: all[0], keys: all.slice(1) } : { next: undefined, keys: all };
}

function garbled(): CountersignError {
  return new CountersignError('STORE_FAILED', { reason: 'the masking keys are not what was sealed' });
}
