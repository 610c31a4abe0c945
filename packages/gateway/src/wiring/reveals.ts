/** Reveals over the open rooms. */

import type { HoldsPort } from '../approvals/holds-port.ts';
import { Reveals } from '../reveal/reveals.ts';
import type { Rooms } from './rooms.ts';

export function revealsOf(rooms: Rooms, holds: HoldsPort): Reveals {
  const { resources, ledger, reader, keys, maskingKeys } = rooms;
  return new Reveals({
    holds,
    resources,
    ledger,
    reader,
    keys,
    maskingKeys: () => maskingKeys.ring(),
  });
}
