/** How much memory an event takes on its way to the ledger, so that what waits can be bounded. */

import type { BodyValue, LedgerEvent } from './ledger-port.ts';

/** Of a member, besides its text. */
const MEMBER_BYTES = 16;
/** Of an event, besides its body. */
const EVENT_BYTES = 512;

/** About so many bytes of JSON; what has to be escaped takes up to six times as much. */
export function bodyBytes(value: BodyValue): number {
  if (typeof value === 'string') return MEMBER_BYTES + value.length;
  if (typeof value !== 'object') return MEMBER_BYTES;
  let bytes = MEMBER_BYTES;
  if (isArray(value)) {
    for (const member of value) bytes += MEMBER_BYTES + bodyBytes(member);
    return bytes;
  }
  // A list of the members would cost three times as much, for each leaf of each statement.
  for (const name in value) bytes += MEMBER_BYTES + bodyBytes(value[name] ?? 0);
  return bytes;
}

function isArray(value: object): value is readonly BodyValue[] {
  return Array.isArray(value);
}

/** The same for all events of a request. */
export function eventsBytes(events: readonly LedgerEvent[]): number {
  let bytes = 0;
  for (const { body } of events) bytes += EVENT_BYTES + (body === undefined ? 0 : bodyBytes(body));
  return bytes;
}
