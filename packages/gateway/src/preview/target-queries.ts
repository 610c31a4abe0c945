/**
 * A connection to a target for statements of the gateway's own, one after the other.
 *
 * Spec: PostgreSQL 18, "Message Flow". Answers are held in memory, within limits.
 * Refused: more than maskPreview.answerBytesMax for one statement, and anything after the deadline.
 * Untrusted: every byte of the target. What it says of an error is not passed on but for its SQLSTATE: the text may
 * have values in it.
 */

import { CountersignError, reasonOf } from '../core/errors.ts';
import { MASK_PREVIEW_LIMITS } from '../core/masking-preview-limits.ts';
import { decodeBackend, responseField } from '../protocols/postgres/decode.ts';
import { encodeFrontend } from '../protocols/postgres/encode.ts';
import { FRAME, FrameReader } from '../protocols/postgres/frames.ts';
import type { BackendMessage, FrontendMessage } from '../protocols/postgres/messages.ts';
import { loginToTarget, type ReadyTarget } from '../upstream/postgres-login.ts';
import type { PostgresTarget } from '../upstream/postgres-target.ts';

/** A row as the target sent it; texts are UTF-8 where that was asked for. */
export type TargetRow = readonly (Uint8Array | null)[];

export type TargetAnswer =
  | { readonly kind: 'rows'; readonly rows: readonly TargetRow[] }
  | { readonly kind: 'failed'; readonly sqlstate: string };

interface Waiting {
  readonly rows: TargetRow[];
  bytes: number;
  sqlstate: string | undefined;
  readonly resolve: (answer: TargetAnswer) => void;
  readonly reject: (reason: CountersignError) => void;
}

const TEXT_OID = 25;
const OID_LIST_OID = 1028;
const FRAMES = {
  delivery: 'whole',
  except: [],
  heldBytesMax: MASK_PREVIEW_LIMITS.answerBytesMax,
  lengthMax: MASK_PREVIEW_LIMITS.answerBytesMax,
  small: [],
} as const;

/** Owned by who opened it; one statement at a time. */
export class TargetQueries {
  readonly serverVersion: string;
  readonly #connection: string;
  readonly #socket: ReadyTarget['socket'];
  readonly #reader = new FrameReader(FRAMES);
  readonly #deadline: NodeJS.Timeout;
  #waiting: Waiting | undefined;
  #failure: CountersignError | undefined;

  private constructor(connection: string, ready: ReadyTarget, totalMs: number) {
    this.#connection = connection;
    this.#socket = ready.socket;
    this.serverVersion = ready.serverVersion;
    this.#deadline = setTimeout(() => this.#fail(`it took more than ${totalMs / 1000} s`), totalMs);
    const { socket } = ready;
    socket.on('data', (chunk: Uint8Array) => this.#take(chunk));
    socket.on('error', (error: unknown) => this.#fail(reasonOf(error)));
    for (const event of ['end', 'close']) socket.on(event, () => this.#fail('it closed the connection'));
    if (ready.rest.length > 0) this.#take(ready.rest);
    socket.resume();
  }

  /** Logs in with the credential of the connection. UPSTREAM_FAILED where the target does not let it. */
  static async open(
    target: PostgresTarget,
    {
      totalMs,
      randomBytes,
      name: called = 'mask preview',
    }: { totalMs: number; randomBytes: (length: number) => Uint8Array; name?: string },
  ): Promise<TargetQueries> {
    const encoder = new TextEncoder();
    const own = ['application_name', `countersign ${called}`].map((text) => encoder.encode(text));
    const [name = new Uint8Array(), value = new Uint8Array()] = own;
    const ready = await loginToTarget(target, [[name, value]], randomBytes);
    return new TargetQueries(target.connection, ready, totalMs);
  }

  /** Statements without parameters, in one message: those behind one that fails are not run. */
  texts(...texts: readonly string[]): Promise<TargetAnswer> {
    const textBytes = new TextEncoder().encode(texts.join('; '));
    return this.#send([{ kind: 'Query', textBytes }]);
  }

  /** A statement with one parameter, `$1`. */
  statement(text: string, type: 'text' | 'oids', value: string): Promise<TargetAnswer> {
    const parameterTypeOids = [type === 'text' ? TEXT_OID : OID_LIST_OID];
    const encoder = new TextEncoder();
    const values = [encoder.encode(value)];
    return this.#send([
      { kind: 'Parse', statement: '', textBytes: encoder.encode(text), parameterTypeOids },
      { kind: 'Bind', portal: '', statement: '', valueFormats: [], values, resultFormats: [] },
      { kind: 'Execute', portal: '', rowsMax: 0 },
      { kind: 'Sync' },
    ]);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#deadline);
    this.#fail('it was closed');
  }

  #send(messages: readonly FrontendMessage[]): Promise<TargetAnswer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { promise, resolve, reject } = Promise.withResolvers<TargetAnswer>();
    this.#waiting = { rows: [], bytes: 0, sqlstate: undefined, resolve, reject };
    this.#socket.write(Buffer.concat(messages.map((message) => encodeFrontend(message))));
    return promise;
  }

  /** @param chunk valid until this returns */
  #take(chunk: Uint8Array): void {
    if (this.#failure !== undefined) return;
    try {
      this.#reader.push(chunk);
      while (this.#reader.next() === FRAME.whole) {
        this.#message(decodeBackend(this.#reader.type, this.#reader.body()), this.#reader.length);
      }
    } catch (error) {
      this.#fail(reasonOf(error));
    }
  }

  #message(message: BackendMessage, bytes: number): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    switch (message.kind) {
      case 'DataRow':
        waiting.bytes += bytes;
        if (waiting.bytes > MASK_PREVIEW_LIMITS.answerBytesMax) {
          throw new Error(`an answer has more than ${MASK_PREVIEW_LIMITS.answerBytesMax} bytes`);
        }
        waiting.rows.push(message.values.map((value) => (value === null ? null : Uint8Array.from(value))));
        return;
      case 'ErrorResponse':
        waiting.sqlstate ??= Buffer.from(responseField(message, 'C') ?? '').toString('latin1');
        return;
      case 'ReadyForQuery': {
        const { rows, sqlstate, resolve } = waiting;
        this.#waiting = undefined;
        resolve(sqlstate === undefined ? { kind: 'rows', rows } : { kind: 'failed', sqlstate });
        return;
      }
      default:
    }
  }

  /** Over: who waits hears why, and the socket is gone. What still runs at the target has its own time limit. */
  #fail(reason: string): void {
    if (this.#failure !== undefined) return;
    const failure = new CountersignError('UPSTREAM_FAILED', { connection: this.#connection, reason });
    this.#failure = failure;
    clearTimeout(this.#deadline);
    const { socket } = { socket: this.#socket };
    if (this.#waiting === undefined && socket.writable) socket.write(encodeFrontend({ kind: 'Terminate' }));
    socket.destroySoon();
    if (this.#waiting !== undefined) socket.destroy();
    this.#waiting?.reject(failure);
    this.#waiting = undefined;
  }
}
