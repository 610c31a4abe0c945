/**
 * What a client sends → the same messages as a recording shows them where Masks reach the session.
 *
 * Spec: spec/masking.md, section 16; spec/recording.md, section 3. Every literal and every value is hidden, because
 * nobody knows yet which of them are compared with a masked column. What runs, by which names, and how much data a
 * COPY has stays. Untrusted: every byte; behind what is no frame nothing is shown.
 */

import { HIDDEN_VALUE } from '../../../literals/hides-value.ts';
import type { HiddenTexts } from '../../../literals/hidden-texts.ts';
import { LIMITS } from '../../../core/limits.ts';
import { readFrontend } from '../../../protocols/postgres/decode.ts';
import { encodeFrontend } from '../../../protocols/postgres/encode.ts';
import { FRAME, FRONTEND_FRAMES, FrameReader, HEADER_LENGTH } from '../../../protocols/postgres/frames.ts';
import {
  FRONTEND,
  type FrontendMessage,
  type MalformedMessage,
} from '../../../protocols/postgres/messages.ts';
import { readNames } from '../large-names.ts';

const NOTHING = new Uint8Array(0);
const HIDDEN = Buffer.from(HIDDEN_VALUE);
const STAR = 42;

/** One direction of one session; owned by its recording. */
export class HiddenFrames {
  readonly #texts: HiddenTexts;
  readonly #reader = new FrameReader(FRONTEND_FRAMES);
  #head: Uint8Array[] = [];
  #headBytes = 0;
  #isBroken = false;

  constructor(texts: HiddenTexts) {
    this.#texts = texts;
  }

  /** The messages that are complete with this chunk, which is still the caller's. */
  push(chunk: Uint8Array): Uint8Array {
    if (this.#isBroken) return NOTHING;
    const shown: Uint8Array[] = [];
    try {
      this.#reader.push(chunk);
      for (let event = this.#reader.next(); event !== FRAME.needMore; event = this.#reader.next()) {
        shown.push(this.#shown(event));
      }
      // The chunk is gone afterwards.
      this.#reader.push(NOTHING);
    } catch {
      // The session itself says what is wrong with it; what follows is in no frame.
      this.#isBroken = true;
    }
    return Buffer.concat(shown);
  }

  #shown(event: number): Uint8Array {
    const { type, bytes, start, end } = this.#reader;
    if (type === FRONTEND.CopyData) return this.#copyData(event);
    if (event === FRAME.whole) {
      const frame = bytes.subarray(start, end);
      return hiddenFrame(frame, readFrontend(type, this.#reader.body()), this.#texts);
    }
    if (event === FRAME.begins) {
      this.#head = [];
      this.#headBytes = 0;
      return NOTHING;
    }
    return this.#large(type);
  }

  /** Of the same length: how much came is shown, and nothing of it. */
  #copyData(event: number): Uint8Array {
    const { bytes, start, end } = this.#reader;
    const frame = Buffer.from(bytes.subarray(start, end));
    if (event !== FRAME.begins) frame.fill(STAR, event === FRAME.whole ? HEADER_LENGTH : 0);
    return frame;
  }

  /** Its names stand at the beginning; the rest is only in the sealed form. */
  #large(type: number): Uint8Array {
    const piece = this.#reader.body();
    const left = LIMITS.postgres.largeHeadBytesMax - this.#headBytes;
    if (left > 0) this.#head.push(piece.slice(0, left));
    this.#headBytes += piece.length;
    return this.#reader.last ? standIn(type, Buffer.concat(this.#head)) : NOTHING;
  }
}

function hiddenFrame(
  frame: Uint8Array,
  message: FrontendMessage | MalformedMessage,
  texts: HiddenTexts,
): Uint8Array {
  switch (message.kind) {
    case 'Query':
    case 'Parse':
      return encodeFrontend({ ...message, textBytes: texts.of(message.textBytes, 'all').bytes });
    case 'Bind':
    case 'FunctionCall':
      return encodeFrontend({ ...message, valueFormats: [], values: message.values.map(hiddenValue) });
    case 'CopyFail':
      return encodeFrontend({ ...message, reasonBytes: HIDDEN });
    case 'Close':
    case 'CopyDone':
    case 'Describe':
    case 'Execute':
    case 'Flush':
    case 'Sync':
    case 'Terminate':
      return frame.slice();
    case 'AuthenticationResponse':
    case 'CopyData':
    case 'Malformed':
    case 'Unknown':
      return Buffer.from(frame).fill(STAR, HEADER_LENGTH);
    default:
      return message satisfies never;
  }
}

function hiddenValue(value: Uint8Array | null): Uint8Array | null {
  return value === null ? null : HIDDEN;
}

/** A message that is too long to be looked at, as a short one under the same names. */
function standIn(type: number, head: Uint8Array): Uint8Array {
  const spooled = { type, head, bodyBytes: 0, sha256: '' };
  const [first, second] = readNames(spooled);
  switch (type) {
    case FRONTEND.Parse:
      return encodeFrontend({ kind: 'Parse', statement: first, textBytes: HIDDEN, parameterTypeOids: [] });
    case FRONTEND.Bind:
      return encodeFrontend({
        kind: 'Bind',
        portal: first,
        statement: second,
        valueFormats: [],
        values: [HIDDEN],
        resultFormats: [],
      });
    case FRONTEND.FunctionCall:
      return encodeFrontend({
        kind: 'FunctionCall',
        functionOid: new DataView(head.buffer, head.byteOffset).getUint32(0),
        valueFormats: [],
        values: [HIDDEN],
        resultFormat: 0,
      });
    default:
      return encodeFrontend({ kind: 'Query', textBytes: HIDDEN });
  }
}
