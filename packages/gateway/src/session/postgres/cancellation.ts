/**
 * A cancel request of the client's: whose statement it may hit, and what waits until it has been taken.
 *
 * The target is asked to cancel whatever it runs at the moment at which it hears of it. So nothing passes
 * the gate while a request is on its way: what the client sends later can never be hit. What was sent
 * before can, be it the first statement of a pipeline or a later one, as it can without a gateway.
 */

import { CountersignError } from '../../core/errors.ts';
import type { ResponseQueue } from '../../protocols/postgres/response-queue.ts';
import type { Request } from './request.ts';

/**
 * `taken`: the target has heard of it, and a later statement cannot be hit. `never sent`: it never will.
 * `unknown`: it may yet.
 */
export type Delivery = 'taken' | 'never sent' | 'unknown';

export interface CancellationPorts {
  readonly responses: Pick<ResponseQueue<Request>, 'pending'>;
  readonly gate: { holdUntil(settled: Promise<unknown>): void };
  /** Sends the request to the target; never rejects. */
  deliver(): Promise<Delivery>;
  /** The session must end. */
  failed(error: CountersignError): void;
}

/** Owned by one session. */
export class Cancellation {
  readonly #ports: CancellationPorts;
  #onItsWay: Promise<void> | undefined;
  /** One more was asked for; however many there were, one is sent behind the one that is on its way. */
  #again = false;

  constructor(ports: CancellationPorts) {
    this.#ports = ports;
  }

  /**
   * The client wants what is running to stop.
   *
   * @param write writes the leaf; `intent` is that of the first statement that may be hit
   */
  request(write: (intent: number | undefined, status: 'ok' | 'late') => void): void {
    const { responses, gate } = this.#ports;
    // The first answers of a pipeline lie in the target's buffer while a later message of it runs.
    const running = [];
    for (const { operation } of responses.pending()) {
      if (operation?.forwardedUs !== undefined && operation.intent !== undefined) running.push(operation);
    }
    const [first] = running;
    write(first?.intent, first === undefined ? 'late' : 'ok');
    if (first === undefined) return;
    for (const operation of running) operation.cancelAsked = true;
    if (this.#onItsWay !== undefined) {
      this.#again = true;
      return;
    }
    this.#onItsWay = this.#send();
    gate.holdUntil(this.#onItsWay);
  }

  async #send(): Promise<void> {
    const ports = this.#ports;
    do {
      this.#again = false;
      // oxlint-disable-next-line no-await-in-loop -- One behind the other, so that a session has one connection for it.
      if ((await ports.deliver()) === 'unknown') {
        this.#onItsWay = undefined;
        const reason = 'the target did not take a cancel request, which could hit a later statement';
        ports.failed(new CountersignError('SESSION_ENDED', { reason }));
        return;
      }
    } while (this.#again);
    this.#onItsWay = undefined;
  }
}
