/** What `otherwise` of a Connection comes to for one principal, as people and groups are now. Pure. */

import { type Otherwise, otherwiseRule } from '../policy/otherwise.ts';
import { AUTO, PLAIN } from '../protocols/http/operations/dialects.ts';
import type { Connection, Person, ServiceAccount } from './documents.ts';
import type { ResourceView } from './view.ts';

/** What would have somebody asked, of a service whose routes the gateway knows. */
const NOBODY_SAID =
  'a Rule that holds it, or otherwise on its Connection, would have somebody asked, and nobody is named there';

/** Undefined where a request that nothing lets through is blocked without another word. */
export function otherwiseOf(
  view: ResourceView,
  connection: Connection,
  { name: asker }: Pick<Person | ServiceAccount, 'name'>,
): Otherwise | undefined {
  const { name, protocol, otherwise } = connection;
  if (protocol !== 'http') return undefined;
  if (otherwise === undefined) {
    const { dialect = AUTO } = connection;
    return dialect === AUTO || dialect === PLAIN ? undefined : { kind: 'block', why: NOBODY_SAID };
  }
  const { hold } = otherwise;
  const able = view.people(hold.approvers).filter((person) => person !== asker).length;
  if (able < hold.count) {
    const why = `otherwise on its Connection asks for ${hold.count} who agree, and ${able} may`;
    return { kind: 'block', why };
  }
  const version = view.find('Connection', name)?.version ?? 0;
  return { kind: 'hold', rule: otherwiseRule(name, version, hold) };
}
