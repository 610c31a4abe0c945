/**
 * The literals of one session that Masks reach: hidden wherever its statements are kept or shown, and sealed there
 * under a key of their own.
 *
 * Spec: spec/masking.md, section 16. Which literals of a leaf are hidden is what the Masks' judgement says of the
 * statement; a recording is written before anybody has judged, and hides all.
 */

import type { KeyObject } from 'node:crypto';
import { HiddenTexts } from '../../../literals/hidden-texts.ts';
import type { Hiding } from '../../../literals/hide-text.ts';
import { literalKeyOf, sealLiterals } from '../../../keys/literal-key.ts';
import { type ByteChannel, CHANNEL } from '../../../recording/segment-format.ts';
import { NO_MASKS, type SessionMasks } from '../../../masking/plan/session-masks.ts';
import type { BodyValue } from '../../../core/ledger-port.ts';
import type { Judgement } from '../inspection.ts';
import { type Body, hideBody } from './hidden-body.ts';
import { HiddenFrames } from './hidden-frames.ts';

const NONCE_BYTES = 12;
const LENGTH_BYTES = 4;

export interface SessionLiteralsOptions {
  readonly session: string;
  /** Of the session; still the caller's. */
  readonly scopeKey: Uint8Array;
  readonly randomBytes: (length: number) => Uint8Array;
  /** What hides values at this moment. */
  readonly masksNow: () => SessionMasks | undefined;
}

export interface ShownIntent {
  readonly body: Body;
  /** The text as people see it; undefined where it is as it came. */
  readonly text: Uint8Array | undefined;
}

/** Owned by one session. */
export class SessionLiterals {
  readonly #session: string;
  readonly #key: KeyObject;
  readonly #randomBytes: (length: number) => Uint8Array;
  readonly #masksNow: () => SessionMasks | undefined;
  readonly #texts = new HiddenTexts();
  readonly #frames = new HiddenFrames(this.#texts);
  #pieces = 0;

  constructor({ session, scopeKey, randomBytes, masksNow }: SessionLiteralsOptions) {
    this.#session = session;
    this.#key = literalKeyOf(scopeKey);
    this.#randomBytes = randomBytes;
    this.#masksNow = masksNow;
  }

  /** The body of an intent, or of a statement that was prepared, of which nobody has judged yet. */
  intent(body: Body, judgement: Judgement | undefined): ShownIntent {
    const { body: shown, clear, text } = hideBody(body, hidingOf(judgement), this.#texts);
    if (clear === undefined) return { body: shown, text };
    const content = Buffer.from(JSON.stringify(clear), 'utf8');
    const place = { session: this.#session, what: 'literals' } as const;
    const sealed = sealLiterals(this.#key, place, content, this.#randomBytes(NONCE_BYTES));
    // Who has to agree before anybody is shown them.
    const masks = shown['masks'] ?? this.#masks();
    return { body: { ...shown, masks, sealed_literals: [Buffer.from(sealed).toString('base64')] }, text };
  }

  #masks(): BodyValue {
    const { columns, detecting } = this.#masksNow() ?? NO_MASKS;
    return [...columns, ...detecting].map(({ mask, version }) => ({ mask, version }));
  }

  /**
   * Records what the client sends: the exact bytes sealed, then the messages that are complete as they are shown.
   *
   * @param record false where the recording has failed
   */
  record(chunk: Uint8Array, record: (channel: ByteChannel, bytes: Uint8Array) => boolean): boolean {
    if (!record(CHANNEL.sealed, this.#sealed(chunk))) return false;
    const shown = this.#frames.push(chunk);
    return shown.length === 0 || record(CHANNEL.clientToTarget, shown);
  }

  /** `uint32 length ‖ sealed`: the channel is a stream, and may be cut anywhere. */
  #sealed(chunk: Uint8Array): Uint8Array {
    const place = { session: this.#session, what: `client ${this.#pieces}` } as const;
    this.#pieces += 1;
    const sealed = sealLiterals(this.#key, place, chunk, this.#randomBytes(NONCE_BYTES));
    const piece = Buffer.alloc(LENGTH_BYTES + sealed.length);
    piece.writeUInt32BE(sealed.length, 0);
    piece.set(sealed, LENGTH_BYTES);
    return piece;
  }
}

/** What nobody has judged may be about anything. */
function hidingOf(judgement: Judgement | undefined): Hiding {
  return judgement?.masks?.exposes === false ? 'found' : 'all';
}
