/** What the main thread and the recorder's thread say to each other. */

import type { SegmentSummary } from './segment-writer.ts';

/** Set once, when the thread starts. */
export interface RecorderThreadData {
  readonly directory: string;
  readonly segmentBytesMax: number;
  readonly openFilesMax: number;
}

/** `session` is a number of the recorder's own, so that a message is small. */
export type ToRecorder =
  | { readonly kind: 'open'; readonly session: number; readonly sessionId: string; readonly key: Uint8Array }
  | {
      readonly kind: 'block';
      readonly session: number;
      /** Moved, not copied. */
      readonly buffer: ArrayBuffer;
      readonly length: number;
      readonly nonce: Uint8Array;
      readonly firstUs: number;
      readonly lastUs: number;
      readonly final: boolean;
      readonly hurried: boolean;
    }
  | { readonly kind: 'flush'; readonly session: number; readonly flush: number }
  /** The session failed on the main thread's side; its last segment stays truncated. */
  | { readonly kind: 'abandon'; readonly session: number };

export type FromRecorder =
  | {
      readonly kind: 'written';
      readonly session: number;
      readonly buffer: ArrayBuffer;
      readonly length: number;
    }
  | { readonly kind: 'segment'; readonly session: number; readonly segment: SegmentSummary }
  | { readonly kind: 'flushed'; readonly session: number; readonly flush: number }
  | { readonly kind: 'closed'; readonly session: number }
  | { readonly kind: 'failed'; readonly session: number; readonly reason: string };
