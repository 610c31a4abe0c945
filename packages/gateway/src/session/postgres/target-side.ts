/**
 * What comes from the target: whose answer it is, its digest, its outcome; then on to the client.
 *
 * The bytes go to the client as they came, but for the answers to a probe of the gateway's own and the
 * errors of what was sent in the place of a refused request. Untrusted: a frame that nothing asked for ends
 * the session.
 */

import { LIMITS } from '../../core/limits.ts';
import { decodeBackend, responseField } from '../../protocols/postgres/decode.ts';
import type { CopyProbe } from '../../protocols/postgres/copy-probe.ts';
import { BACKEND_FRAMES, FRAME, type FrameEvent, FrameReader } from '../../protocols/postgres/frames.ts';
import { BACKEND, type ErrorOrNotice } from '../../protocols/postgres/messages.ts';
import { commandRows } from '../../protocols/postgres/operation.ts';
import type { ResponseQueue } from '../../protocols/postgres/response-queue.ts';
import type { AnswerKeeper, Request } from './request.ts';
import type { RunningOperation } from './running-operation.ts';

/** ReadyForQuery's status byte `I`. */
const IDLE = 0x49;

/** They belong to nobody. */
const ASYNCHRONOUS: ReadonlySet<number> = new Set([
  BACKEND.NoticeResponse,
  BACKEND.NotificationResponse,
  BACKEND.ParameterStatus,
]);

const NOTHING = new Uint8Array(0);
const lenientUtf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export interface TargetSideEvents {
  /** A ReadyForQuery outside of a transaction. */
  transactionEnded(): void;
  /** A ReadyForQuery, behind which nothing is owed. */
  idle(): void;
  /** The target states a setting. */
  parameterStatus(name: string, value: string): void;
  /** The body of a DataRow that answers an Operation; absent where nobody wants to know. */
  readonly row?: ((body: Uint8Array, operation: RunningOperation) => void) | undefined;
}

/** Reads one target; owned by one session. */
export class TargetSide {
  readonly #reader = new FrameReader(BACKEND_FRAMES);
  readonly #responses: ResponseQueue<Request>;
  /** Operations that have bytes of the current chunk in their digest. */
  readonly #touched: RunningOperation[] = [];
  /** Whose answer the frame that comes in pieces is. */
  #inPieces: RunningOperation | undefined;
  /** The beginning of an ErrorResponse that comes in pieces: it is the answer when it is whole. */
  #largeError: Uint8Array | undefined;
  /** ReadyForQuery messages that may be the probe's, oldest first. */
  #heldReady: Uint8Array[] = [];
  /** Syncs of the client that were answered while the probe was out, since the last error that was passed. */
  #answeredSyncs = 0;
  #transactionStatus = IDLE;
  /** Requests without their whole answer, of which the client does not get all as it comes. */
  readonly #unlike: ReadonlySet<Request>;
  /** Where the pieces of a large frame go. */
  #piecesKept: AnswerKeeper | undefined;
  /** The frame that comes in pieces is not for the client. */
  #withholdsPieces = false;
  readonly #events: TargetSideEvents;

  constructor(responses: ResponseQueue<Request>, unlike: ReadonlySet<Request>, events: TargetSideEvents) {
    this.#responses = responses;
    this.#unlike = unlike;
    this.#events = events;
  }

  /** `I`, `T` or `E`, as the target last said. */
  get transactionStatus(): string {
    return String.fromCharCode(this.#transactionStatus);
  }

  /** What is for the client ends between two frames: an error of ours may follow. */
  get atBoundary(): boolean {
    return this.#picks ? this.#reader.last : this.#reader.atBoundary;
  }

  /** Whether some of what comes is not for the client. */
  get #picks(): boolean {
    return this.#responses.probe !== undefined || this.#unlike.size > 0;
  }

  /**
   * Takes one chunk, which must not begin inside of a frame where a probe has begun, or a request was sent
   * whose answer is not passed as it comes; gives what is for the client. Throws PROTOCOL_VIOLATION where the target breaks the protocol.
   */
  push(chunk: Uint8Array): readonly Uint8Array[] {
    this.#reader.push(chunk);
    const picked: Uint8Array[] | undefined = this.#picks ? [] : undefined;
    for (;;) {
      const event = this.#reader.next();
      if (event === FRAME.needMore) break;
      const { probe } = this.#responses;
      if (picked !== undefined && probe !== undefined && event === FRAME.whole) {
        if (!this.#passes(probe, picked)) continue;
      }
      if (picked !== undefined && this.#isKept(event)) continue;
      if (picked !== undefined && this.#isWithheld(event)) continue;
      if (picked !== undefined && event === FRAME.whole && this.#isRefused(picked)) continue;
      if (picked !== undefined) this.#pick(picked);
      if (event === FRAME.piece) this.#addTo(this.#inPieces);
      else this.#frame(event === FRAME.whole);
      if (this.#largeError !== undefined && event === FRAME.piece) this.#pieceOfError(this.#largeError);
    }
    for (const operation of this.#touched) operation.digest.endOfChunk();
    this.#touched.length = 0;
    if (picked === undefined) return [chunk];
    if (!this.#picks) picked.push(this.#reader.unfinished());
    return picked.filter(({ length }) => length > 0);
  }

  /** The current event goes to the client; with what was picked before it, where they lie side by side. */
  #pick(picked: Uint8Array[]): void {
    const { bytes, start, end, inChunk } = this.#reader;
    if (!inChunk) return void picked.push(bytes.slice(start, end));
    const last = picked.at(-1);
    const length = last?.length ?? 0;
    const isNext = last?.buffer === bytes.buffer && last.byteOffset + length === bytes.byteOffset + start;
    if (!isNext) return void picked.push(bytes.subarray(start, end));
    picked[picked.length - 1] = bytes.subarray(start - length, end);
  }

  /** An answer that is kept from the client until more is known, or for good. */
  #isKept(event: FrameEvent): boolean {
    const { type, bytes, start, end } = this.#reader;
    if (event === FRAME.piece) {
      const into = this.#piecesKept;
      into?.more(bytes.slice(start, end));
      if (this.#reader.last) this.#piecesKept = undefined;
      return into !== undefined;
    }
    if (ASYNCHRONOUS.has(type)) {
      const notices = this.#responses.head?.keeper?.notices;
      if (type !== BACKEND.NoticeResponse || notices === undefined) return false;
      notices.frame(type, bytes.slice(start, end));
      if (event === FRAME.begins) this.#piecesKept = notices;
      return true;
    }
    this.#responses.prepare(type);
    const keeper = this.#responses.head?.keeper;
    if (keeper === undefined) return false;
    keeper.frame(type, bytes.slice(start, end));
    if (event === FRAME.begins) this.#piecesKept = keeper;
    this.#inPieces = undefined;
    this.#responses.accept(type);
    if (type === BACKEND.ReadyForQuery) this.#ready(this.#reader.body()[0]);
    return true;
  }

  /** What is beyond what the client may get of an answer. */
  #isWithheld(event: FrameEvent): boolean {
    const { type, length } = this.#reader;
    if (event === FRAME.piece) return this.#withholdsPieces;
    this.#withholdsPieces = false;
    if (ASYNCHRONOUS.has(type)) return false;
    this.#responses.prepare(type);
    const meter = this.#responses.head?.meter;
    const isWhole = event === FRAME.whole;
    if (meter === undefined || meter.passes(type, isWhole ? this.#reader.body() : NOTHING, length))
      return false;
    if (type === BACKEND.ErrorResponse && isWhole && this.#isFatal()) return false;
    this.#withholdsPieces = !isWhole;
    this.#inPieces = undefined;
    this.#responses.accept(type);
    if (type === BACKEND.ReadyForQuery) this.#ready(this.#reader.body()[0]);
    return true;
  }

  /** The error of what was sent in the place of a refused request: the client gets ours instead. */
  #isRefused(picked: Uint8Array[]): boolean {
    if (this.#reader.type !== BACKEND.ErrorResponse) return false;
    this.#responses.prepare(BACKEND.ErrorResponse);
    const head = this.#responses.head;
    const refusal = head?.refusal;
    if (refusal === undefined || this.#isFatal()) return false;
    picked.push(refusal.answer);
    const { operation } = head ?? {};
    if (operation !== undefined) {
      operation.digest.add(refusal.answer, 0, refusal.answer.length);
      this.#touched.push(operation);
      operation.failed(refusal.sqlstate ?? refusal.error.row.sqlstate, refusal.error.message);
    }
    this.#responses.accept(BACKEND.ErrorResponse);
    return true;
  }

  /** Whether a whole frame that comes while a probe is out is for the client. */
  #passes(probe: CopyProbe, picked: Uint8Array[]): boolean {
    const { type } = this.#reader;
    if (ASYNCHRONOUS.has(type)) return true;
    if (type === BACKEND.ErrorResponse && this.#isFatal()) {
      this.#passHeld(picked, 0);
      this.#responses.abandonProbe();
      return true;
    }
    const step = probe.take(type);
    if (step === 'pass') {
      this.#passHeld(picked, 0);
      if (type === BACKEND.ErrorResponse) this.#answeredSyncs = 0;
      return true;
    }
    if (step === 'hold') {
      this.#heldReady.push(this.#reader.bytes.slice(this.#reader.start, this.#reader.end));
      this.#passHeld(picked, probe.heldMax);
      return false;
    }
    this.#heldReady = [];
    if (step === 'over') {
      this.#responses.endProbe(this.#answeredSyncs);
      this.#answeredSyncs = 0;
    }
    return false;
  }

  /** A ReadyForQuery behind which more came than the probe is answered with answers a Sync of the client. */
  #passHeld(picked: Uint8Array[], left: number): void {
    for (const held of this.#heldReady.splice(0, Math.max(0, this.#heldReady.length - left))) {
      picked.push(held);
      this.#ready(held[5]);
      this.#answeredSyncs += 1;
      this.#responses.accept(BACKEND.ReadyForQuery);
    }
  }

  #isFatal(): boolean {
    const message = decodeBackend(BACKEND.ErrorResponse, this.#reader.body());
    return message.kind === 'ErrorResponse' && ['FATAL', 'PANIC'].includes(field(message, 'V'));
  }

  #frame(whole: boolean): void {
    const { type } = this.#reader;
    this.#responses.prepare(type);
    // The digest takes the frame before `accept`, which may settle the request and finish it.
    const head = this.#responses.head?.operation;
    const counts = !ASYNCHRONOUS.has(type) && type !== BACKEND.ReadyForQuery;
    if (counts && head !== undefined) {
      this.#addTo(head);
      if (whole) this.#note(type, head);
    }
    this.#inPieces = whole || !counts ? undefined : head;
    if (type === BACKEND.ErrorResponse && !whole) {
      this.#largeError = new Uint8Array(0);
      return;
    }
    this.#responses.accept(type);
    if (type === BACKEND.ReadyForQuery && whole) this.#ready(this.#reader.body()[0]);
    if (type === BACKEND.ParameterStatus && whole) this.#noteSetting();
  }

  #ready(status: number = IDLE): void {
    this.#transactionStatus = status;
    if (status === IDLE) this.#events.transactionEnded();
    if (this.#responses.length === 0) this.#events.idle();
  }

  #noteSetting(): void {
    const message = decodeBackend(BACKEND.ParameterStatus, this.#reader.body());
    if (message.kind !== 'ParameterStatus') return;
    this.#events.parameterStatus(message.name, lenientUtf8.decode(message.valueBytes));
  }

  /** What the outcome leaf will say of this frame. */
  #note(type: number, operation: RunningOperation): void {
    if (type === BACKEND.DataRow) this.#events.row?.(this.#reader.body(), operation);
    if (type !== BACKEND.CommandComplete && type !== BACKEND.ErrorResponse) return;
    const message = decodeBackend(type, this.#reader.body());
    if (message.kind === 'CommandComplete') operation.completed(message.tag, commandRows(message.tag) ?? 0);
    if (message.kind === 'ErrorResponse') operation.failed(field(message, 'C'), field(message, 'M'));
  }

  #pieceOfError(before: Uint8Array): void {
    const left = LIMITS.postgres.errorTextBytesMax - before.length;
    const head = left > 0 ? Buffer.concat([before, this.#reader.body().subarray(0, left)]) : before;
    this.#largeError = this.#reader.last ? undefined : head;
    if (!this.#reader.last) return;
    const fields = firstFields(head);
    this.#inPieces?.failed(fields.get('C') ?? '', fields.get('M') ?? '');
    this.#responses.accept(BACKEND.ErrorResponse);
  }

  #addTo(operation: RunningOperation | undefined): void {
    if (operation === undefined) return;
    const { bytes, start, end, inChunk } = this.#reader;
    if (inChunk) operation.digest.add(bytes, start, end);
    else operation.digest.add(bytes.slice(start, end), 0, end - start);
    if (this.#touched.at(-1) !== operation) this.#touched.push(operation);
  }
}

function field(message: ErrorOrNotice, code: string): string {
  const bytes = responseField(message, code);
  if (bytes === undefined) return '';
  // Not every server encoding is UTF-8, and the cut may be inside a character: what cannot be read is U+FFFD.
  return lenientUtf8.decode(bytes.subarray(0, LIMITS.postgres.errorTextBytesMax));
}

/** The fields at the beginning of an ErrorResponse; the last of them may be cut off. */
function firstFields(head: Uint8Array): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (let at = 0; at < head.length && head[at] !== 0; ) {
    const zero = head.indexOf(0, at);
    const end = zero === -1 ? head.length : zero;
    fields.set(String.fromCharCode(head[at] ?? 0), lenientUtf8.decode(head.subarray(at + 1, end)));
    at = end + 1;
  }
  return fields;
}
