/**
 * The entries of a PostgreSQL session's recording → its statements with their results.
 *
 * Pairing is the recording's own and never refuses: what a recording holds did happen, so an answer
 * that fits nothing becomes a note. Untrusted: every byte, as it was on the wire. Memory: one frame
 * of heldMessageBytesMax for each direction, and the budget of statement-draft.ts.
 */

import { reasonOf } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { decodeBackend, readFrontend } from '../protocols/postgres/decode.ts';
import {
  BACKEND_FRAMES,
  FRAME,
  FRONTEND_FRAMES,
  FrameReader,
  type FrameReaderOptions,
} from '../protocols/postgres/frames.ts';
import { BACKEND, FRONTEND } from '../protocols/postgres/messages.ts';
import { AnswerPairing } from './answer-pairing.ts';
import type { DeliveryObserver } from './delivered.ts';
import type { RecordedEntry } from './recording-reader.ts';
import type { ReplayedItem } from './replayed-statement.ts';

/** Rows are wanted whole; COPY data is only counted. */
const SERVER_FRAMES: FrameReaderOptions = { ...BACKEND_FRAMES, except: [BACKEND.CopyData] };

const UNREADABLE = 'bytes cannot be read from here on';

/** Whether a note says that nothing more of one direction is read. What a target says begins otherwise. */
export function isUnreadable({ text }: { readonly text: string }): boolean {
  return /^The (?:client|target|gateway)'s /.test(text) && text.includes(UNREADABLE);
}

/**
 * Statements, events and notes in the order in which they ended.
 *
 * @param entries as readRecording gives them
 * @param observer sees everything that was delivered, also what a replay leaves out
 */
export async function* readTranscript(
  entries: AsyncIterable<RecordedEntry> | Iterable<RecordedEntry>,
  observer?: DeliveryObserver,
): AsyncGenerator<ReplayedItem, void> {
  const pairing = new AnswerPairing(observer);
  const client = new Stream('client', FRONTEND_FRAMES, (type, body, timeUs) => {
    pairing.fromClient(readFrontend(type, body), timeUs);
  });
  const target = new Stream('target', SERVER_FRAMES, (type, body, timeUs) => {
    pairing.toClient(decodeBackend(type, body), timeUs, false);
  });
  const gateway = new Stream('gateway', SERVER_FRAMES, (type, body, timeUs) => {
    pairing.toClient(decodeBackend(type, body), timeUs, true);
  });
  client.onLarge = (type, head, length, timeUs) => pairing.largeFromClient(type, head, length, timeUs);
  client.onCopy = (bytes) => pairing.copiedIn(bytes.length);
  target.onLarge = (type, _head, length, timeUs) => pairing.largeToClient(type, length, timeUs);
  target.onCopy = (bytes) => pairing.copiedOut(bytes);
  target.onLargeRow = (bytes, isLast) => pairing.largeRow(bytes, isLast);

  let timeUs = 0;
  for await (const entry of entries) {
    if (entry.kind !== 'truncated') timeUs = entry.timeUs;
    switch (entry.kind) {
      case 'bytes': {
        const stream = entry.channel === 1 ? target : entry.channel === 2 ? gateway : client;
        const failure = stream.push(entry.bytes, timeUs);
        yield* pairing.take();
        if (failure !== undefined) yield { kind: 'note', timeUs, text: failure };
        break;
      }
      case 'sealed':
        break;
      case 'event':
        yield { kind: 'event', timeUs, json: entry.json };
        break;
      case 'unknown channel':
        yield { kind: 'note', timeUs, text: `${entry.length} bytes of an unknown channel ${entry.channel}` };
        break;
      case 'truncated':
        yield { kind: 'note', timeUs, text: 'The recording ends here: the gateway was stopped.' };
        break;
      default:
        entry satisfies never;
    }
  }
  pairing.end(timeUs);
  yield* pairing.take();
}

const NOTHING = new Uint8Array(0);

type WholeFrame = (type: number, body: Uint8Array, timeUs: number) => void;

/** One direction: bytes in pieces → whole messages, the beginnings of large ones, counts of COPY data. */
class Stream {
  readonly #name: string;
  readonly #reader: FrameReader;
  readonly #onFrame: WholeFrame;
  onLarge: (type: number, head: Uint8Array, length: number, timeUs: number) => void = () => undefined;
  onCopy: (bytes: Uint8Array) => void = () => undefined;
  onLargeRow: (bytes: Uint8Array, isLast: boolean) => void = () => undefined;
  #head = Buffer.alloc(0);
  #failed = false;

  constructor(name: string, frames: FrameReaderOptions, onFrame: WholeFrame) {
    this.#name = name;
    this.#reader = new FrameReader(frames);
    this.#onFrame = onFrame;
  }

  /** Says so where the bytes are not the protocol; nothing of this direction is read from then on. */
  push(chunk: Uint8Array, timeUs: number): string | undefined {
    if (this.#failed) return undefined;
    try {
      this.#reader.push(chunk);
      for (let event = this.#reader.next(); event !== FRAME.needMore; event = this.#reader.next()) {
        const { type } = this.#reader;
        if (type === FRONTEND.CopyData) this.#countCopy(event);
        else if (event === FRAME.whole) this.#onFrame(type, this.#reader.body(), timeUs);
        else this.#takeLarge(event === FRAME.begins, timeUs);
      }
      // The entry's bytes are gone when the next one is asked for.
      this.#reader.push(NOTHING);
      return undefined;
    } catch (error) {
      this.#failed = true;
      return `The ${this.#name}'s ${UNREADABLE}: ${reasonOf(error)}`;
    }
  }

  #countCopy(event: number): void {
    if (event !== FRAME.begins) this.onCopy(this.#reader.body());
  }

  #takeLarge(begins: boolean, timeUs: number): void {
    const { type, length, last } = this.#reader;
    if (begins) {
      this.#head = Buffer.alloc(0);
      return;
    }
    if (type === BACKEND.DataRow) this.onLargeRow(this.#reader.body(), last);
    const left = LIMITS.postgres.largeHeadBytesMax - this.#head.length;
    if (left > 0) this.#head = Buffer.concat([this.#head, this.#reader.body().subarray(0, left)]);
    if (last) this.onLarge(type, this.#head, length - 4, timeUs);
  }
}
