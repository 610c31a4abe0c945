/**
 * The entries of an HTTP session's recording → its requests with their answers.
 *
 * Spec: spec/http.md §8. What a recording holds did happen, so what fits nothing becomes a note. Untrusted: every
 * byte. Memory: `replayedBodyBytesMax` of each content of at most `replayedExchangesMax` exchanges.
 */

import { reasonOf } from '../core/errors.ts';
import { HTTP_LIMITS } from '../core/http-limits.ts';
import { RECORDED, type RecordedFrame, RecordedFrameReader } from '../protocols/http/recorded.ts';
import type { RecordedEntry } from './recording-reader.ts';
import { CHANNEL } from './segment-format.ts';

/** What a replay shows of a content: as it was on the wire, so a coded one as bytes. */
export interface ReplayedContent {
  readonly bytes: number;
  /** Its beginning; absent where that is not UTF-8. */
  readonly text?: string;
  readonly isCut: boolean;
}

export interface ReplayedRequest {
  readonly kind: 'request';
  readonly startedUs: number;
  readonly endedUs: number;
  /** Of the `http.intent`; undefined where the head could not be read. */
  readonly leaf: number | undefined;
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly request: ReplayedContent;
  /** Undefined where nothing was answered. */
  readonly status: number | undefined;
  readonly answer: ReplayedContent;
  /** The gateway said it, not the target. */
  readonly fromGateway: boolean;
  /** `unanswered`: the recording ends before the end of the answer. */
  readonly outcome: 'answered' | 'broken off' | 'unanswered';
  /** Why it was broken off. */
  readonly reason?: string;
  /** Bytes behind an upgrade. */
  readonly upgraded?: { readonly toTarget: number; readonly toClient: number };
}

export type ReplayedHttpItem =
  | ReplayedRequest
  | { readonly kind: 'note'; readonly timeUs: number; readonly text: string };

const NAMES = new Map<number, string>([
  [CHANNEL.clientToTarget, 'client'],
  [CHANNEL.targetToClient, 'target'],
  [CHANNEL.gatewayToClient, 'gateway'],
]);

/** Requests and notes, in the order in which they ended. @param entries as readRecording gives them */
export async function* readHttpTranscript(
  entries: AsyncIterable<RecordedEntry> | Iterable<RecordedEntry>,
): AsyncGenerator<ReplayedHttpItem, void> {
  const readers = new Map<number, RecordedFrameReader | 'unreadable'>();
  const open = new Map<number, Exchange>();
  let lastUs = 0;
  for await (const entry of entries) {
    if (entry.kind === 'truncated') yield note(lastUs, 'The recording is cut off here');
    if (entry.kind !== 'bytes') continue;
    const { channel, timeUs, bytes } = entry;
    lastUs = timeUs;
    const name = NAMES.get(channel);
    const reader = readers.get(channel) ?? new RecordedFrameReader();
    readers.set(channel, reader);
    if (name === undefined || reader === 'unreadable') continue;
    let frames: readonly RecordedFrame[];
    try {
      frames = reader.push(bytes);
    } catch (error) {
      readers.set(channel, 'unreadable');
      yield note(timeUs, `The ${name}'s bytes cannot be read from here on: ${reasonOf(error)}`);
      continue;
    }
    for (const frame of frames) {
      const exchange = open.get(frame.exchange) ?? new Exchange(timeUs);
      open.set(frame.exchange, exchange);
      if (open.size > HTTP_LIMITS.replayedExchangesMax) {
        yield note(timeUs, 'More requests are open at once than any session has; what follows is not shown');
        return;
      }
      if (!exchange.take(channel, frame, timeUs)) continue;
      open.delete(frame.exchange);
      yield exchange.shown();
    }
  }
  for (const exchange of open.values()) yield exchange.shown();
}

/** One request, while it is read. */
class Exchange {
  readonly #startedUs: number;
  readonly #request = new Content();
  readonly #answer = new Content();
  #endedUs: number;
  #head: Readonly<Record<string, unknown>> = {};
  #answerHead: Readonly<Record<string, unknown>> = {};
  #fromGateway = false;
  #outcome: ReplayedRequest['outcome'] = 'unanswered';
  #reason: string | undefined;
  #upgraded: { toTarget: number; toClient: number } | undefined;

  constructor(timeUs: number) {
    this.#startedUs = timeUs;
    this.#endedUs = timeUs;
  }

  /** Whether it is over with this frame. */
  take(channel: number, { kind, bytes }: RecordedFrame, timeUs: number): boolean {
    this.#endedUs = timeUs;
    const isRequest = channel === CHANNEL.clientToTarget;
    if (channel === CHANNEL.gatewayToClient) this.#fromGateway = true;
    switch (kind) {
      case RECORDED.head:
        if (isRequest) this.#head = objectIn(bytes);
        else this.#answerHead = objectIn(bytes);
        return false;
      case RECORDED.content:
        (isRequest ? this.#request : this.#answer).add(bytes);
        return false;
      case RECORDED.upgraded:
        this.#upgraded ??= { toTarget: 0, toClient: 0 };
        this.#upgraded[isRequest ? 'toTarget' : 'toClient'] += bytes.length;
        return false;
      case RECORDED.end:
        if (!isRequest) this.#outcome = 'answered';
        return !isRequest;
      case RECORDED.broken: {
        const { code, reason } = objectIn(bytes);
        this.#outcome = 'broken off';
        this.#reason = `${typeof reason === 'string' ? reason : ''} (${typeof code === 'string' ? code : ''})`;
        return true;
      }
      default:
        return false;
    }
  }

  shown(): ReplayedRequest {
    const { method, path, query, leaf } = this.#head;
    const { status } = this.#answerHead;
    const asked = typeof query === 'string' && query !== '' ? `?${query}` : '';
    return {
      kind: 'request',
      startedUs: this.#startedUs,
      endedUs: this.#endedUs,
      leaf: typeof leaf === 'number' ? leaf : undefined,
      method: typeof method === 'string' ? method : '?',
      path: `${typeof path === 'string' ? path : '?'}${asked}`,
      request: this.#request.shown(),
      status: typeof status === 'number' ? status : undefined,
      answer: this.#answer.shown(),
      fromGateway: this.#fromGateway,
      outcome: this.#outcome,
      ...(this.#reason === undefined ? {} : { reason: this.#reason }),
      ...(this.#upgraded === undefined ? {} : { upgraded: { ...this.#upgraded } }),
    };
  }
}

/** The beginning of a content. */
class Content {
  readonly #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #bytes = 0;

  add(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    const piece = bytes.slice(0, HTTP_LIMITS.replayedBodyBytesMax - this.#keptBytes);
    if (piece.length === 0) return;
    this.#kept.push(piece);
    this.#keptBytes += piece.length;
  }

  shown(): ReplayedContent {
    const isCut = this.#keptBytes < this.#bytes;
    const text = textIn(Buffer.concat(this.#kept), isCut);
    return { bytes: this.#bytes, ...(text === undefined ? {} : { text }), isCut };
  }
}

/** @param isCut the last character may be in two */
function textIn(bytes: Uint8Array, isCut: boolean): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: isCut });
  } catch {
    // It is coded, or no text.
    return undefined;
  }
}

function objectIn(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString());
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function note(timeUs: number, text: string): ReplayedHttpItem {
  return { kind: 'note', timeUs, text };
}
