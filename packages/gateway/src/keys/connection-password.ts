/** The password of a target that was set through the API: kept wrapped, one for each connection. */

import type { Kysely } from 'kysely';
import { Secret } from '../core/secret.ts';
import type { Schema } from '../store/schema.ts';
import { keyedDigest, unwrap, wrap } from './wrap.ts';

export interface SealingKey {
  readonly installationKey: Secret<Uint8Array>;
  readonly randomBytes: (length: number) => Uint8Array;
}

/** Puts the password in the place of the one before. */
export async function storeConnectionPassword(
  db: Kysely<Schema>,
  key: SealingKey,
  change: { readonly connection: string; readonly password: Secret<string>; readonly nowUs: number },
): Promise<void> {
  const bytes = Buffer.from(change.password.reveal(), 'utf8');
  const wrapped = wrap(key.installationKey, purposeOf(change.connection), bytes, key.randomBytes);
  bytes.fill(0);
  await db
    .insertInto('sealed_credentials')
    .values({ connection: change.connection, wrapped, changed_us: change.nowUs })
    .onConflict((conflict) =>
      conflict.column('connection').doUpdateSet({ wrapped, changed_us: change.nowUs }),
    )
    .execute();
}

/** The password, or nothing where none was set. */
export async function findConnectionPassword(
  db: Kysely<Schema>,
  installationKey: Secret<Uint8Array>,
  connection: string,
): Promise<Secret<string> | undefined> {
  const row = await db
    .selectFrom('sealed_credentials')
    .select('wrapped')
    .where('connection', '=', connection)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const bytes = unwrap(installationKey, purposeOf(connection), row.wrapped);
  return new Secret(Buffer.from(bytes).toString('utf8'));
}

/**
 * What people are asked about in the place of a password. Keyed, because passwords are short, and whoever reads
 * a plain digest tries them out at home; of each principal another, so that asking tries out nobody else's.
 */
export function connectionPasswordDigest(
  installationKey: Secret<Uint8Array>,
  { connection, principal }: { readonly connection: string; readonly principal: string },
  password: Secret<string>,
): string {
  const bytes = Buffer.from(password.reveal(), 'utf8');
  const digest = keyedDigest(installationKey, `${purposeOf(connection)}:${principal}`, bytes);
  bytes.fill(0);
  return digest;
}

/** When the password of a connection was set last, in microseconds; 0 where none is. */
export async function connectionPasswordSetUs(db: Kysely<Schema>, connection: string): Promise<number> {
  const row = await db
    .selectFrom('sealed_credentials')
    .select('changed_us')
    .where('connection', '=', connection)
    .executeTakeFirst();
  return row?.changed_us ?? 0;
}

/** Forgets the password of a connection that is gone. */
export async function deleteConnectionPassword(db: Kysely<Schema>, connection: string): Promise<void> {
  await db.deleteFrom('sealed_credentials').where('connection', '=', connection).execute();
}

function purposeOf(connection: string): string {
  return `connection-password:${connection}`;
}
