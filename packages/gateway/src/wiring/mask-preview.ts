/** What is asked of the target of a connection about Masks: a look at what they would hide, and a script for it. */

import type { MaskDdlReader, MaskPreviewer } from '../api/ports.ts';
import { CountersignError } from '../core/errors.ts';
import { MASK_PREVIEW_LIMITS } from '../core/masking-preview-limits.ts';
import { previewMasks } from '../preview/mask-preview.ts';
import type { PostgresConnection } from '../resources/documents.ts';
import { readMaskDdl } from '../server-role/read-ddl.ts';
import type { Rooms, RoomsOptions } from './rooms.ts';
import { openTargetOf, postgresOnly } from './session-ports.ts';

interface Others extends Pick<RoomsOptions, 'env'> {
  readonly randomBytes: (length: number) => Uint8Array;
}

export function maskPreviewer(rooms: Rooms, { env, randomBytes }: Others): MaskPreviewer {
  const { resources, clock } = rooms;
  const few = atOnce();
  return async ({ connection: name, database, person }) => {
    const connection = connectionOf(rooms, name);
    const masks = resources.masks(person === undefined ? undefined : { name: person }, name);
    return few(async () => {
      const chosen = database ?? connection.target.database;
      const target = await openTargetOf({ connection, database: chosen }, rooms, env);
      return previewMasks(target, masks, { randomBytes, monotonicUs: () => clock.monotonicUs() });
    });
  };
}

export function maskDdlReader(rooms: Rooms, { env, randomBytes }: Others): MaskDdlReader {
  const few = atOnce();
  return async ({ connection: name, database, role, undo }) => {
    const connection = connectionOf(rooms, name);
    // For everybody: the role is of all who use the connection.
    const masks = rooms.resources.masks(undefined, name);
    return few(async () => {
      const chosen = database ?? connection.target.database;
      const target = await openTargetOf({ connection, database: chosen }, rooms, env);
      return readMaskDdl(target, masks, { role, undo }, randomBytes);
    });
  };
}

/** So many of them at a time. */
function atOnce(): <T>(run: () => Promise<T>) => Promise<T> {
  let running = 0;
  return async (run) => {
    const { atOnceMax: allowed } = MASK_PREVIEW_LIMITS;
    if (running >= allowed) {
      throw new CountersignError('TOO_MANY_CONNECTIONS', {
        allowed,
        what: 'looks at masks that are running',
      });
    }
    running += 1;
    try {
      return await run();
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
