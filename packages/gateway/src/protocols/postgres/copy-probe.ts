/**
 * Did the server read a Sync in copy-in mode, or had the COPY failed before? It is asked.
 *
 * Spec: CopyGetData in src/backend/commands/copyfromparse.c reads over a Sync; where the COPY of an
 * Execute has failed on data before it, PostgresMain answers it and runs what follows, and where it fails
 * on data behind it, skips what follows. From outside both look alike until something else is answered.
 * Grammar: the probe is Sync, a message without a body of the type that the client wants to send, Sync.
 * In copy-in mode the server reads over the Sync and ends the session when it reads the type, as it does
 * without a gateway. Else it answers ReadyForQuery for each Sync behind the failure, the last of them the
 * probe's; an error to the message, because none of these types has an empty body; ReadyForQuery.
 * Refused: nothing; what fits nothing is passed on, and the response queue judges it.
 * Untrusted: the server. Nothing can run: the transaction has failed, and the probe has no text.
 */

import { encodeFrontend } from './encode.ts';
import { BACKEND, FRONTEND } from './messages.ts';

/** `hold`: passes what is held, and holds this. `drop`: ours. `over`: ours, and the last of ours. */
export type ProbeStep = 'pass' | 'hold' | 'drop' | 'over';

const SYNC = encodeFrontend({ kind: 'Sync' });

/** The bytes of a probe for a message of the type. */
export function probeBytes(type: number): Uint8Array {
  return Uint8Array.of(...SYNC, type, 0, 0, 0, 4, ...SYNC);
}

/** One probe, from when it is sent; owned by a response queue. */
export class CopyProbe {
  readonly #tailLength: number;
  #failed: boolean;
  #holding = false;
  #tail = 0;

  /** @param failed whether the failure of the COPY has come already */
  constructor(type: number, failed: boolean) {
    // A Query or FunctionCall that is refused is answered by a ReadyForQuery of its own.
    this.#tailLength = type === FRONTEND.Query || type === FRONTEND.FunctionCall ? 2 : 1;
    this.#failed = failed;
  }

  /** What to do with a message of the server that is no notice and no news. */
  take(type: number): ProbeStep {
    if (type === BACKEND.ErrorResponse && !this.#failed) {
      this.#failed = true;
      return 'pass';
    }
    if (type === BACKEND.ErrorResponse && this.#holding) {
      this.#holding = false;
      this.#tail = this.#tailLength;
      return 'drop';
    }
    if (type !== BACKEND.ReadyForQuery || !this.#failed) return 'pass';
    if (this.#tail === 0) {
      this.#holding = true;
      return 'hold';
    }
    this.#tail -= 1;
    return this.#tail === 0 ? 'over' : 'drop';
  }
}
