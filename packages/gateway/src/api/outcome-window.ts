/**
 * What became of the operations of a session, as their outcome leaves say it: read beside its recording.
 *
 * Both come in about the same order, and what is open at once is bounded: so are the outcomes that are looked at
 * ahead of the one that is asked for, and those that are kept.
 */

import type { LogReader } from '../audit/log-reader.ts';
import { HTTP_LIMITS } from '../core/http-limits.ts';
import { isOutcome, type LeafRange, type SessionLeaf, sessionLeaves } from './session-leaves.ts';

export class OutcomeWindow {
  readonly #leaves: AsyncGenerator<SessionLeaf, void>;
  /** By the index of the intent; what was asked for is gone. */
  readonly #statuses = new Map<number, string>();

  constructor(reader: LogReader, range: LeafRange) {
    // Without the key: a status stands in the leaf.
    this.#leaves = sessionLeaves(reader, range, undefined);
  }

  /** `ok`, `error`, `blocked`, …; undefined where no leaf says it. @param intent its index */
  async statusOf(intent: number): Promise<string | undefined> {
    for (let ahead = 0; ahead < HTTP_LIMITS.replayedExchangesMax; ) {
      const found = this.#statuses.get(intent);
      this.#statuses.delete(intent);
      if (found !== undefined) return found;
      // oxlint-disable-next-line no-await-in-loop -- One leaf behind the other.
      const next = await this.#leaves.next();
      if (next.done === true) return undefined;
      const { leaf } = next.value;
      if (!isOutcome(leaf) || leaf.ref === undefined) continue;
      this.#keep(leaf.ref, leaf.status ?? 'unknown');
      ahead += 1;
    }
    return undefined;
  }

  async close(): Promise<void> {
    await this.#leaves.return();
  }

  #keep(intent: number, status: string): void {
    this.#statuses.set(intent, status);
    if (this.#statuses.size <= HTTP_LIMITS.replayedExchangesMax) return;
    for (const oldest of this.#statuses.keys()) {
      this.#statuses.delete(oldest);
      return;
    }
  }
}
