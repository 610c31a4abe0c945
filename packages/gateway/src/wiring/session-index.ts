/** The index of sessions in the store: for lists; the ledger is the truth. */

import type { SessionIndex } from '../session/session-ports.ts';
import type { Store } from '../store/store.ts';

export function storedSessionIndex(store: Store): SessionIndex {
  return {
    async started({ id, principal, connection, database, address, client, mfaUs, startedUs, firstLeaf }) {
      await store.db
        .insertInto('sessions')
        .values({
          id,
          principal_id: principal.id,
          name: principal.name,
          connection,
          database,
          address,
          client,
          started_us: startedUs,
          ended_us: null,
          status: null,
          statements: 0,
          first_leaf: firstLeaf,
          last_leaf: null,
          mfa_us: mfaUs ?? null,
        })
        .execute();
    },
    async ended({ id, endedUs, status, statements, lastLeaf }) {
      await store.db
        .updateTable('sessions')
        .set({ ended_us: endedUs, status, statements, last_leaf: lastLeaf })
        .where('id', '=', id)
        .execute();
    },
  };
}
