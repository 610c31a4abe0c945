/** Who a leaf that a request writes is by. */

import { CountersignError } from '../core/errors.ts';
import type { Principal } from '../core/principal.ts';
import type { LeafActor } from '../identity/principals.ts';
import type { ApiPorts } from './ports.ts';

/** The pseudonym and scope of somebody who called; STATE_CONFLICT where they were forgotten meanwhile. */
export async function actorOf(ports: ApiPorts, principal: Principal): Promise<LeafActor> {
  const actor = await ports.identity.principals.leafActor(principal);
  if (actor !== undefined) return actor;
  throw new CountersignError('STATE_CONFLICT', { reason: `${principal.id} was forgotten` });
}
