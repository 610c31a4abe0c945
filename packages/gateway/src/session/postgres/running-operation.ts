/**
 * One Operation from its intent to its outcome: what the target answered, counted as it passes.
 */

import type { Hash } from 'node:crypto';
import { createHash } from 'node:crypto';
import type { BodyValue } from '../../core/ledger-port.ts';
import { ResponseDigest } from './response-digest.ts';
import type { CopiedIn } from './masked/copied-in.ts';
import type { OperationMasking } from './masked/operation-masking.ts';
import type { Runs } from './request.ts';
import type { OutcomeStatus } from './session-leaves.ts';

/** Tags of a simple Query with very many statements; beyond this only the count is kept. */
const TAGS_KEPT_MAX = 64;

/** The rule beyond whose bound rows were not delivered. */
interface Withheld {
  readonly rule: string;
  readonly version: number;
  readonly allowed: number;
}

/** State is owned by the session's target side, but for the moment of forwarding. */
export class RunningOperation {
  /** Index of the intent leaf; known once it is durable, and so before anything is forwarded. */
  intent: number | undefined;
  /** Monotonic µs of the moment at which the statement went to the target. */
  forwardedUs: number | undefined;
  /** Monotonic µs of the moment at which the client's message was there. */
  readonly receivedUs: number;
  readonly digest: ResponseDigest = new ResponseDigest();
  rows = 0;
  /** How it ended, where that was known before the intent was durable. */
  settled: OutcomeStatus | undefined;
  cancelAsked = false;
  /** Policy stopped it: the target never sees it. */
  blocked = false;
  /** Of what runs in a session whose results are masked. */
  runs: Runs | undefined;
  /** Its text as people see it, where that is not as it came. */
  shownText: Uint8Array | undefined;
  /** What was masked; undefined where nothing could be. */
  masking: OperationMasking | undefined;
  /** Looks through what the client copies in; undefined where nothing has to. */
  copied: CopiedIn | undefined;
  #tags: string[] = [];
  #tagsCount = 0;
  #sqlstate: string | undefined;
  #message: string | undefined;
  #copied: { hash: Hash; bytes: number } | undefined;
  #withheld: Withheld | undefined;

  constructor(receivedUs: number) {
    this.receivedUs = receivedUs;
  }

  /** The target completed a command. */
  completed(tag: string, rows: number): void {
    this.rows += rows;
    this.#tagsCount += 1;
    if (this.#tags.length < TAGS_KEPT_MAX) this.#tags.push(tag);
  }

  /** The target answered with an error. */
  failed(sqlstate: string, message: string): void {
    this.#sqlstate = sqlstate;
    this.#message = message;
  }

  /** More rows came than it may return: so many were delivered. */
  withheld(rows: number, by: Withheld): void {
    this.rows += rows;
    this.#withheld = by;
  }

  /** Payload of a CopyData message from the client. */
  copyFromClient(data: Uint8Array): void {
    this.#copied ??= { hash: createHash('sha256'), bytes: 0 };
    this.#copied.hash.update(data);
    this.#copied.bytes += data.length;
    this.copied?.push(data);
  }

  /** SHA-256 of the COPY data that has come so far, hex; undefined where there was none. */
  get copiedSha256(): string | undefined {
    return this.#copied?.hash.copy().digest('hex');
  }

  /** How it went, where the target has answered to the end. */
  get status(): OutcomeStatus {
    if (this.blocked) return 'blocked';
    if (this.#sqlstate === undefined) return 'ok';
    // 57014 is query_canceled; it is also what a statement timeout gives.
    return this.cancelAsked && this.#sqlstate === '57014' ? 'cancelled' : 'error';
  }

  /** The body of the outcome leaf. */
  outcome(nowUs: number): Record<string, BodyValue> {
    const body: Record<string, BodyValue> = {
      rows: this.rows,
      bytes: this.digest.bytes,
      duration_us: this.forwardedUs === undefined ? 0 : Math.max(0, Math.round(nowUs - this.forwardedUs)),
      held_us: Math.max(0, Math.round((this.forwardedUs ?? nowUs) - this.receivedUs)),
      sha256: this.digest.finish(),
    };
    if (this.#tagsCount > 0) body['tags'] = this.#tags;
    if (this.#tagsCount > this.#tags.length) body['command'] = `${this.#tagsCount} commands`;
    if (this.#sqlstate !== undefined) body['sqlstate'] = this.#sqlstate;
    if (this.#message !== undefined) body['message'] = this.#message;
    if (this.#withheld !== undefined) body['rows_withheld'] = { ...this.#withheld };
    if (this.masking !== undefined) Object.assign(body, this.masking.body());
    if (this.#copied !== undefined) {
      body['bytes_from_client'] = this.#copied.bytes;
      body['sha256_from_client'] = this.#copied.hash.digest('hex');
    }
    return body;
  }
}
