/** Who a leaf that a request writes is by. */

import { CountersignError } from '../core/errors.ts';
import type { Principal } from '../core/principal.ts';
import type { LeafActor } from '../identity/principals.ts';
import type { Changer } from '../resources/change-events.ts';
import type { ApiPorts } from './ports.ts';
import type { RouteInput } from './route.ts';

/** The pseudonym and scope of somebody who called; STATE_CONFLICT where they were forgotten meanwhile. */
export async function actorOf(ports: ApiPorts, principal: Principal): Promise<LeafActor> {
  const actor = await ports.identity.principals.leafActor(principal);
  if (actor !== undefined) return actor;
  throw new CountersignError('STATE_CONFLICT', { reason: `${principal.id} was forgotten` });
}

/** Somebody who changes resources, and who can be told when others have agreed. */
export async function changerOf({
  ports,
  caller,
  peer,
}: Pick<RouteInput, 'ports' | 'caller' | 'peer'>): Promise<Changer> {
  const { principal } = caller();
  const { actor, keyId } = await actorOf(ports, principal);
  return {
    name: principal.name,
    kind: principal.kind,
    keyId,
    ...(actor === undefined ? {} : { actor }),
    asker: { principal, address: peer.address },
  };
}
