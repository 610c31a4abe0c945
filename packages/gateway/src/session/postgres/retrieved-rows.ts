/**
 * Texts of rows that a client is given, remembered where the connection asks for it.
 *
 * Seen are whole DataRows as they are delivered, behind masks. Not seen: rows of COPY, rows that come in pieces because
 * they are larger than what is held of a frame, and those of an answer that was kept back and given out later.
 */

import { RERANK_LIMITS as LIMITS } from '../../core/rerank-limits.ts';
import type { Admission, SessionPorts } from '../session-ports.ts';
import type { RunningOperation } from './running-operation.ts';

const COUNT_BYTES = 2;
/** Int32 before each value: its length, −1 for NULL. */
const LENGTH_BYTES = 4;

interface Options {
  readonly admission: Pick<Admission, 'lineage'>;
  readonly ports: Pick<SessionPorts, 'retrieved'>;
  readonly client: { readonly principal: { readonly id: string } };
}

/** Undefined where nothing of the connection is remembered. */
export function retrievedRows({
  admission,
  ports,
  client,
}: Options): ((body: Uint8Array, operation: RunningOperation) => void) | undefined {
  if (admission.lineage !== true) return undefined;
  const { retrieved } = ports;
  const { id } = client.principal;
  retrieved.turnOn();
  let current: RunningOperation | undefined;
  let left = 0;
  return (body, operation) => {
    if (current !== operation) {
      current = operation;
      left = LIMITS.retrievedOfOneMax;
    }
    const { intent } = operation;
    if (intent === undefined || left === 0) return;
    for (const value of valuesOf(body)) {
      if (retrieved.add(id, intent, value)) left -= 1;
      if (left === 0) return;
    }
  };
}

/** Values of a DataRow, as they stand. Untrusted: what does not fit ends it. */
function* valuesOf(body: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  for (let at = COUNT_BYTES; at + LENGTH_BYTES <= body.length; ) {
    const length = view.getInt32(at);
    const from = at + LENGTH_BYTES;
    at = from + Math.max(0, length);
    if (at > body.length) return;
    if (length > 0) yield body.subarray(from, at);
  }
}
