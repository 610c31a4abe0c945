/**
 * A copy of the SQLite store while it is in use: one consistent moment, without its free pages.
 *
 * The copy holds the wrapped keys of all scopes that existed at that moment. A shred is complete
 * only when the backups made before it are gone, or the installation key they need is.
 */

import { chmod, open, rm } from 'node:fs/promises';
import { sql } from 'kysely';
import { CountersignError, reasonOf } from '../core/errors.ts';
import type { Store } from './store.ts';

/** Writes the copy to a file that does not exist yet; it is durable when this resolves. */
export async function backupStore(store: Store, file: string): Promise<void> {
  if (store.kind !== 'sqlite') {
    throw new CountersignError('STORE_FAILED', { reason: 'a shared store is backed up with pg_dump' });
  }
  try {
    // Made here, so that it is private from the first byte; VACUUM INTO takes an empty file.
    const made = await open(file, 'wx', 0o600);
    await made.close();
  } catch (error) {
    throw new CountersignError('STORE_FAILED', { reason: reasonOf(error) }, { cause: error });
  }
  try {
    await sql`vacuum into ${file}`.execute(store.db);
    await chmod(file, 0o600);
    const written = await open(file, 'r+');
    try {
      await written.sync();
    } finally {
      await written.close();
    }
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}
