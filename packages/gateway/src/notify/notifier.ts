/**
 * Tells every target of a notice, beside whatever goes on: a target that is slow, wrong or gone holds up
 * neither a hold nor another target. How it ended is a line for the operator's log.
 */

import { reasonOf } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { type Delivery, type Notice, noticeBody, noticeSubject, type Target } from './notice.ts';

export interface NotifierOptions {
  readonly targets: readonly Target[];
  /** A line for the operator's log. */
  readonly log: (line: string) => void;
  /** Resolves after so many milliseconds, or when the signal says so. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** How telling one target ended. */
export type Ended = (target: string, delivery: Delivery) => void;

interface Waiting {
  readonly notice: Notice;
  readonly ended: Ended | undefined;
}

interface Line {
  readonly target: Target;
  readonly waiting: Waiting[];
  running: number;
}

/** The owner of what is on its way. */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #lines: readonly Line[];
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#lines = options.targets.map((target) => ({ target, waiting: [], running: 0 }));
  }

  /** Whether there is anybody to tell. */
  get hasTargets(): boolean {
    return this.#lines.length > 0;
  }

  /** Returns at once and never throws. */
  tell(notice: Notice, ended?: Ended): void {
    for (const line of this.#lines) {
      if (line.waiting.length >= LIMITS.notify.queueMax) {
        const waiting = `${LIMITS.notify.queueMax} notices wait already`;
        this.#report(line.target, { notice, ended }, { kind: 'failed', tries: 0, reason: waiting });
        continue;
      }
      line.waiting.push({ notice, ended });
      this.#next(line);
    }
  }

  /** Gives up what is on its way. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const line of this.#lines) line.waiting.length = 0;
    await Promise.all(this.#running);
  }

  #next(line: Line): void {
    while (line.running < LIMITS.notify.concurrentMax && !this.#closing.signal.aborted) {
      const waiting = line.waiting.shift();
      if (waiting === undefined) return;
      line.running += 1;
      const running = this.#deliver(line.target, waiting.notice)
        .catch((error: unknown): Delivery => ({ kind: 'failed', tries: 1, reason: reasonOf(error) }))
        .then((delivery) => {
          this.#running.delete(running);
          line.running -= 1;
          this.#report(line.target, waiting, delivery);
          this.#next(line);
        });
      this.#running.add(running);
    }
  }

  async #deliver(target: Target, notice: Notice): Promise<Delivery> {
    const { pausesMs, attemptTimeoutMs } = LIMITS.notify;
    const body = noticeBody(notice);
    const closing = this.#closing.signal;
    for (let tries = 1; ; tries++) {
      const signal = AbortSignal.any([closing, AbortSignal.timeout(attemptTimeoutMs)]);
      // oxlint-disable-next-line no-await-in-loop -- One try after the other.
      const attempt = await target.send(notice, body, signal);
      if (attempt === undefined) return { kind: 'delivered', tries };
      const { reason } = attempt;
      const pauseMs = pausesMs[tries - 1];
      if (!attempt.again || pauseMs === undefined || closing.aborted)
        return { kind: 'failed', tries, reason };
      // oxlint-disable-next-line no-await-in-loop -- One try after the other.
      await this.#options.pause(pauseMs, closing);
      if (closing.aborted) return { kind: 'failed', tries, reason: 'the gateway shuts down' };
    }
  }

  #report(target: Target, { notice, ended }: Waiting, delivery: Delivery): void {
    const tries = `${delivery.tries} ${delivery.tries === 1 ? 'try' : 'tries'}`;
    const end =
      delivery.kind === 'delivered' ? `delivered, ${tries}` : `not delivered, ${tries}: ${delivery.reason}`;
    this.#options.log(`notice of ${noticeSubject(notice)} to ${target.name}: ${end}`);
    ended?.(target.name, delivery);
  }
}
