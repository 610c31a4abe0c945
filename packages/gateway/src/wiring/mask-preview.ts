/** A look at what Masks would hide, on the target of a connection. */

import type { MaskPreviewer } from '../api/ports.ts';
import { CountersignError } from '../core/errors.ts';
import { MASK_PREVIEW_LIMITS } from '../core/masking-preview-limits.ts';
import { previewMasks } from '../preview/mask-preview.ts';
import type { PostgresConnection } from '../resources/documents.ts';
import type { Rooms, RoomsOptions } from './rooms.ts';
import { openTargetOf, postgresOnly } from './session-ports.ts';

interface Others extends Pick<RoomsOptions, 'env'> {
  readonly randomBytes: (length: number) => Uint8Array;
}

export function maskPreviewer(rooms: Rooms, { env, randomBytes }: Others): MaskPreviewer {
  const { resources, clock } = rooms;
  let running = 0;
  return async ({ connection: name, database, person }) => {
    const connection = connectionOf(rooms, name);
    const masks = resources.masks(person === undefined ? undefined : { name: person }, name);
    const { atOnceMax: allowed } = MASK_PREVIEW_LIMITS;
    if (running >= allowed) {
      throw new CountersignError('TOO_MANY_CONNECTIONS', { allowed, what: 'mask previews that are running' });
    }
    running += 1;
    try {
      const chosen = database ?? connection.target.database;
      const target = await openTargetOf({ connection, database: chosen }, rooms, env);
      return await previewMasks(target, masks, { randomBytes, monotonicUs: () => clock.monotonicUs() });
    } finally {
      running -= 1;
    }
  };
}

function connectionOf({ resources }: Rooms, name: string): PostgresConnection {
  const [found] = resources.get('Connection', name);
  if (found?.document.kind === 'Connection') return postgresOnly(found.document);
  throw new CountersignError('CONNECTION_UNKNOWN', { connection: name });
}
