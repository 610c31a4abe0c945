/**
 * Did the server read a Sync in copy-in mode, or had the COPY failed before? It is asked.
 *
 * Spec: CopyGetData in src/backend/commands/copyfromparse.c reads over a Sync; where the COPY of an
 * Execute has failed on data before it, PostgresMain answers it and runs what follows, and where it fails
 * on data behind it, skips what follows. From outside both look alike until something else is answered.
 * Grammar: the probe is Sync, a message without a body of the type that the client wants to send, Sync.
 * In copy-in mode the server reads over the Sync and ends the session when it reads the type, as it does
 * without a gateway. Else it answers ReadyForQuery for each Sync behind the failure, the last of them the
 * probe's; an error to the message, because none of these types has an empty body; ReadyForQuery. Where a
 * Sync or Flush of the client's is malformed, and so answered with an error too, the probe begins with one Sync more
 * than there are of the client's: behind so many ReadyForQuery in a row the error is the probe's.
 * Refused: nothing; what fits nothing is passed on, and the response queue judges it.
 * Untrusted: the server. Nothing can run: the transaction has failed, and the probe has no text.
 */

import { encodeFrontend } from './encode.ts';
import { BACKEND, FRONTEND } from './messages.ts';

/** `hold`: holds this, and passes the oldest that is held where it is one too many. `drop`: ours. `over`: the last of ours. */
export type ProbeStep = 'pass' | 'hold' | 'drop' | 'over';

const SYNC = encodeFrontend({ kind: 'Sync' });

/** One probe, from when it is sent; owned by a response queue. */
export class CopyProbe {
  /** Messages of the server that must be held, because they may be answers to the probe. */
  readonly heldMax: number;
  readonly #type: number;
  readonly #tailLength: number;
  #failed: boolean;
  #held = 0;
  #tail = 0;

  /**
   * @param type of the message that waits; a Sync or Flush, which may be empty, waits only where the COPY is over
   * @param failed whether the failure of the COPY has come already
   * @param readiesBefore so many ReadyForQuery in a row may stand before an error that is not the probe's
   */
  constructor(type: number, failed: boolean, readiesBefore: number) {
    this.#type = type === FRONTEND.Sync || type === FRONTEND.Flush ? FRONTEND.Describe : type;
    // A Query or FunctionCall that is refused is answered by a ReadyForQuery of its own.
    this.#tailLength = type === FRONTEND.Query || type === FRONTEND.FunctionCall ? 2 : 1;
    this.#failed = failed;
    this.heldMax = readiesBefore + 1;
  }

  get bytes(): Uint8Array {
    const parts = [...Array.from({ length: this.heldMax }, () => SYNC), this.#empty(), SYNC];
    const bytes = new Uint8Array(parts.length * SYNC.length);
    for (const [i, part] of parts.entries()) bytes.set(part, i * SYNC.length);
    return bytes;
  }

  /** As long as a Sync. */
  #empty(): Uint8Array {
    return Uint8Array.of(this.#type, 0, 0, 0, 4);
  }

  /** What to do with a message of the server that is no notice and no news. */
  take(type: number): ProbeStep {
    if (type === BACKEND.ErrorResponse && this.#held === this.heldMax) {
      this.#held = 0;
      this.#tail = this.#tailLength;
      return 'drop';
    }
    if (type === BACKEND.ErrorResponse) {
      // Of the COPY, or of a malformed Sync or Flush of the client's.
      this.#failed = true;
      this.#held = 0;
      return 'pass';
    }
    if (type !== BACKEND.ReadyForQuery || !this.#failed) return 'pass';
    if (this.#tail === 0) {
      this.#held = Math.min(this.#held + 1, this.heldMax);
      return 'hold';
    }
    this.#tail -= 1;
    return this.#tail === 0 ? 'over' : 'drop';
  }
}
