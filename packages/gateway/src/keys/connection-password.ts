/** The password of a target that was set through the API: kept wrapped, one for each connection. */

import type { Kysely } from 'kysely';
import { Secret } from '../core/secret.ts';
import type { Schema } from '../store/schema.ts';
import { unwrap, wrap } from './wrap.ts';

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

/** Forgets the password of a connection that is gone. */
export async function deleteConnectionPassword(db: Kysely<Schema>, connection: string): Promise<void> {
  await db.deleteFrom('sealed_credentials').where('connection', '=', connection).execute();
}

function purposeOf(connection: string): string {
  return `connection-password:${connection}`;
}
