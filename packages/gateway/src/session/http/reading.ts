/**
 * What a request means: the port to what knows dialects, and what is understood without it.
 *
 * A request that nobody knows has the effect `unknown`, and policy decides about it: never `read`.
 */

import type { Effect, ReadText } from '../../core/effects.ts';
import type { HttpRequestHead } from '../../core/http-message.ts';

/** What a request does, as far as anybody knows. */
export interface UnderstoodRequest {
  readonly kind: 'understood';
  /** The dialect that it was read as. */
  readonly dialect: string;
  /** The path with its variable parts named, `/collections/{c}/points/query`. */
  readonly template: string;
  readonly effects: readonly Effect[];
  /** What it is about: collections, indexes, models. */
  readonly objects: readonly string[];
}

export type RequestReading =
  | UnderstoodRequest
  /** Its content cannot be read, so that nobody knows what it does. */
  | { readonly kind: 'unreadable'; readonly reason: string };

export interface RefusalWords {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly approval: { readonly id: string; readonly url: string } | undefined;
}

export interface HttpReadingPort {
  /** Whether the content has to be there to say what a request does. */
  wantsContent(dialect: string, head: HttpRequestHead): boolean;
  /** @param content decoded; undefined where there is none, or it was not wanted */
  read(dialect: string, head: HttpRequestHead, content: Uint8Array | undefined): RequestReading;
  /** A refusal in the form in which the target itself would say it. */
  refusal(
    dialect: string,
    status: number,
    words: RefusalWords,
  ): { readonly contentType: string; readonly body: string };
}

/** The request as policy decides about it. */
export function readTextOf(method: string, reading: RequestReading): ReadText {
  if (reading.kind === 'unreadable') return { kind: 'uninspectable', reason: reading.reason };
  const object = reading.objects.length === 0 ? undefined : reading.objects.join(', ');
  return {
    kind: 'read',
    statements: [
      {
        node: `${method} ${reading.template}`,
        from: 0,
        to: 0,
        effects: reading.effects.map((effect) => ({ effect, from: 0, to: 0, object })),
        writes: [],
        reads: [],
        functions: [],
        settings: [],
        transaction: undefined,
        prepared: undefined,
        undoable: false,
      },
    ],
    doubts: { backslash: false, unicodeEscape: false, nonAscii: false },
  };
}

/** RFC 9110 §9.2.1. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Knows no dialect: what RFC 9110 calls safe is a read, everything else is unknown. */
export const NO_DIALECT: HttpReadingPort = {
  wantsContent: () => false,
  read: (dialect, { method, path }) => ({
    kind: 'understood',
    dialect,
    template: path,
    effects: SAFE.has(method) ? ['read'] : ['unknown'],
    objects: [],
  }),
  refusal: (_dialect, status, words) => ({
    contentType: 'application/json',
    body: universalRefusal(status, words),
  }),
};

/** Has the member that each of the SDKs looks for. */
export function universalRefusal(status: number, { code, message, hint, approval }: RefusalWords): string {
  const text = hint === undefined ? message : `${message} ${hint}`;
  return JSON.stringify({
    message: text,
    detail: text,
    status,
    error: { type: 'countersign', code, message: text, reason: text },
    ...(approval === undefined ? {} : { approval }),
  });
}
