/**
 * What the gateway itself says to the target inside of a session, and answers that it keeps back.
 *
 * Its own statements are constant texts (counting rows, BEGIN, COMMIT, ROLLBACK, settings), stated in
 * spec/policy.md §5. The client hears nothing of them but notices and changed settings, which belong to
 * nobody.
 */

import { CountersignError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { decodeBackend, responseField } from '../../protocols/postgres/decode.ts';
import { encodeFrontend } from '../../protocols/postgres/encode.ts';
import { HEADER_LENGTH } from '../../protocols/postgres/frames.ts';
import { BACKEND, type FrontendMessage } from '../../protocols/postgres/messages.ts';
import type { ResponseQueue } from '../../protocols/postgres/response-queue.ts';
import type { Outcome, RequestKind } from '../../protocols/postgres/states.ts';
import type { Gate } from './gate.ts';
import type { AnswerKeeper, AnswerMeter, Made, Request } from './request.ts';
import type { RunningOperation } from './running-operation.ts';

const FLUSH = encodeFrontend({ kind: 'Flush' });

interface KeptFrame {
  readonly type: number;
  bytes: Uint8Array;
}

/** An answer that was kept back. */
export interface KeptAnswer {
  readonly outcome: Outcome;
  readonly frames: readonly Readonly<KeptFrame>[];
}

/** Where nothing of an answer is given out. */
export const NO_ANSWER: KeptAnswer = { outcome: 'failed', frames: [] };

/** What came of a request; `tooMuch`: more than is kept. */
export interface Sent {
  readonly answer: KeptAnswer;
  readonly tooMuch: boolean;
}

/** One answer, in memory; owned by who asked. */
export class Kept implements AnswerKeeper {
  readonly answer: Promise<KeptAnswer>;
  readonly #frames: KeptFrame[] = [];
  readonly #resolve: (answer: KeptAnswer) => void;
  readonly #started: ((frame: Uint8Array) => void) | undefined;
  readonly #meter: AnswerMeter | undefined;
  #bytes = 0;
  #tooMuch = false;

  /**
   * @param started called with the frame that asks the client for COPY data, which is not kept
   * @param meter counts its rows
   */
  constructor(started?: (frame: Uint8Array) => void, meter?: AnswerMeter) {
    const { promise, resolve } = Promise.withResolvers<KeptAnswer>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#started = started;
    this.#meter = meter;
  }

  /** More came than is kept: what was kept is given up. */
  get tooMuch(): boolean {
    return this.#tooMuch;
  }

  frame(type: number, bytes: Uint8Array): void {
    if (type === BACKEND.CopyInResponse && this.#started !== undefined) {
      this.#started(bytes);
      return;
    }
    this.#meter?.passes(type, bytes.subarray(HEADER_LENGTH), bytes.length);
    // What tells how it ended is kept in any case.
    const isLast =
      type === BACKEND.ErrorResponse || type === BACKEND.ReadyForQuery || type === BACKEND.CommandComplete;
    if (this.#take(bytes.length) || isLast) this.#frames.push({ type, bytes });
  }

  more(bytes: Uint8Array): void {
    const last = this.#frames.at(-1);
    if (last === undefined || !this.#take(bytes.length)) return;
    last.bytes = Buffer.concat([last.bytes, bytes]);
  }

  settled(outcome: Outcome): void {
    this.#resolve({ outcome, frames: this.#frames });
  }

  #take(bytes: number): boolean {
    this.#bytes += bytes;
    if (this.#bytes > LIMITS.policy.keptAnswerBytesMax) {
      this.#tooMuch = true;
      this.#frames.length = 0;
    }
    return !this.#tooMuch;
  }
}

export interface ExchangePorts {
  readonly responses: ResponseQueue<Request>;
  readonly gate: Gate;
  /** Requests whose answers do not pass as they come. */
  readonly unlike: Set<Request>;
}

/** Sends to the target; owned by the conductor of one session. */
export class Exchange {
  readonly #ports: ExchangePorts;

  constructor(ports: ExchangePorts) {
    this.#ports = ports;
  }

  /** A text of ours as a simple Query. Throws UPSTREAM_REFUSED where the target does not take it. */
  async query(text: string): Promise<KeptAnswer> {
    const textBytes = new TextEncoder().encode(text);
    const answer = await this.send('Query', encodeFrontend({ kind: 'Query', textBytes }));
    return checked(answer, text);
  }

  /**
   * Messages of ours in the extended protocol, answered at once because of the Flush behind them.
   *
   * @param makes of one that makes anew what the client has made
   */
  async extended(
    messages: readonly FrontendMessage[],
    makes: (message: FrontendMessage) => Made | undefined = () => undefined,
  ): Promise<readonly KeptAnswer[]> {
    const answers = messages.map((message) => this.#push(kindOf(message), { makes: makes(message) }));
    this.#ports.gate.pass({ bytes: [...messages.map(encodeFrontend), FLUSH], bodyBytes: 0 });
    return Promise.all(answers);
  }

  /** Ends a pipeline of the client's before what follows it. */
  sync(): Promise<KeptAnswer> {
    return this.send('Sync', encodeFrontend({ kind: 'Sync' }));
  }

  /** Makes the target say what it has to say. */
  flush(): void {
    this.#ports.gate.pass({ bytes: [FLUSH], bodyBytes: 0 });
  }

  /**
   * One request, whose answer is kept.
   *
   * @param operation the client's, where it is a request of the client's
   */
  send(
    kind: RequestKind,
    bytes: Uint8Array,
    options: {
      readonly operation?: RunningOperation;
      readonly copyIn?: boolean;
      readonly durable?: Promise<unknown> | undefined;
      readonly onForward?: () => void;
      readonly keeper?: Kept;
    } = {},
  ): Promise<KeptAnswer> {
    const answer = this.#push(kind, options);
    this.#ports.gate.pass({ bytes: [bytes], bodyBytes: 0 }, options.durable, options.onForward);
    return answer;
  }

  #push(
    kind: RequestKind,
    {
      operation,
      copyIn = false,
      keeper = new Kept(),
      makes,
    }: {
      readonly operation?: RunningOperation;
      readonly copyIn?: boolean;
      readonly keeper?: Kept;
      readonly makes?: Made | undefined;
    },
  ): Promise<KeptAnswer> {
    const request: Request = {
      operation,
      settled: (outcome) => keeper.settled(outcome),
      refusal: undefined,
      keeper,
      makes,
    };
    // What the server would skip is answered by `settled` before this returns.
    if (this.#ports.responses.push(kind, request, copyIn) === 'forward') this.#ports.unlike.add(request);
    return keeper.answer;
  }
}

/** The target's error, in its own words. */
export function errorOf(
  answer: KeptAnswer,
): { readonly sqlstate: string; readonly message: string } | undefined {
  const frame = answer.frames.find(({ type }) => type === BACKEND.ErrorResponse);
  if (frame === undefined) return undefined;
  const message = decodeBackend(frame.type, frame.bytes.subarray(HEADER_LENGTH));
  if (message.kind !== 'ErrorResponse') return undefined;
  const field = (code: string): string => Buffer.from(responseField(message, code) ?? []).toString();
  return { sqlstate: field('C'), message: field('M') };
}

/** Its ErrorResponse, for the client. */
export function errorsOf({ frames }: KeptAnswer): readonly Uint8Array[] {
  return frames.filter(({ type }) => type === BACKEND.ErrorResponse).map(({ bytes }) => bytes);
}

/**
 * The error that came when what was done should be kept: PostgreSQL says it in the place of the last tag. The
 * ReadyForQuery of a Query that failed is that of the client's.
 */
export function withError(answer: KeptAnswer, failed: KeptAnswer): KeptAnswer {
  const last = answer.frames.findLastIndex(({ type }) => type === BACKEND.CommandComplete);
  const error = failed.frames.filter(
    ({ type }) => type === BACKEND.ErrorResponse || type === BACKEND.ReadyForQuery,
  );
  return { outcome: 'failed', frames: [...answer.frames.slice(0, Math.max(0, last)), ...error] };
}

/** The values of each DataRow as text. */
export function rowsOf(answer: KeptAnswer): readonly (readonly (string | undefined)[])[] {
  const rows: (readonly (string | undefined)[])[] = [];
  for (const { type, bytes } of answer.frames) {
    if (type !== BACKEND.DataRow) continue;
    const message = decodeBackend(type, bytes.subarray(HEADER_LENGTH));
    if (message.kind !== 'DataRow') continue;
    rows.push(message.values.map((value) => (value === null ? undefined : Buffer.from(value).toString())));
  }
  return rows;
}

function checked(answer: KeptAnswer, text: string): KeptAnswer {
  const error = errorOf(answer);
  if (error === undefined && answer.outcome === 'completed') return answer;
  const reason = error === undefined ? answer.outcome : `${error.sqlstate} ${error.message}`;
  throw new CountersignError('GATEWAY_STATEMENT_FAILED', { what: text.slice(0, 40), reason });
}

function kindOf(message: FrontendMessage): RequestKind {
  switch (message.kind) {
    case 'Parse':
    case 'Bind':
    case 'Execute':
    case 'Close':
    case 'Sync':
      return message.kind;
    default:
      throw new CountersignError(
        'INTERNAL',
        {},
        { cause: `the gateway does not send ${message.kind} itself` },
      );
  }
}
