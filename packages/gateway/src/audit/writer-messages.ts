/** What the main thread and the writer's thread say to each other. */

import type { Appended, LedgerEvent } from '../core/ledger-port.ts';
import type { WaitClass } from '@countersign/ledger/events';
import type { InterruptedSession } from './log-state.ts';
import type { Cut } from './recovery.ts';

export interface WriterData {
  readonly directory: string;
  readonly secondPlace: string;
  readonly origin: string;
  readonly node: string;
  readonly software: string;
  readonly bootId: string;
  readonly bootKey: Uint8Array;
  /** 32 bytes: the seed of the Ed25519 key. */
  readonly signingSeed: Uint8Array;
  readonly acceptRollback: { readonly reason: string; readonly requestedBy: string } | undefined;
  readonly checkpointDelayMs: number;
  readonly segmentBytesMax: number;
  readonly ballastBytes: number;
  readonly heartbeatIntervalMs: number;
}

/** One call of append or appendMany. */
export interface AppendRequest {
  readonly id: number;
  readonly wait: WaitClass;
  /** False for what nobody waits for, such as outcomes: a few milliseconds later is as good. */
  readonly urgent: boolean;
  readonly events: readonly LedgerEvent[];
}

/** A string holds appends: see append-text.ts. */
export type ToWriter =
  | string
  | { readonly kind: 'openScope'; readonly keyId: string; readonly key: Uint8Array }
  | { readonly kind: 'closeScope'; readonly keyId: string }
  | { readonly kind: 'checkpoint'; readonly id: number }
  | {
      readonly kind: 'rotate';
      readonly id: number;
      readonly signingSeed: Uint8Array;
      /** The leaf that names the key is in the log already: a crash came in between. */
      readonly announced: boolean;
      readonly reason: string;
      readonly requestedBy: string;
    }
  | { readonly kind: 'close'; readonly reason: string };

/** A thrown error as it crosses the threads. */
export interface WireError {
  readonly code: string;
  readonly details: Readonly<Record<string, string | number>>;
  readonly reason: string;
}

/** A string holds leaves that are durable: see append-text.ts. */
export type FromWriter =
  | string
  | {
      readonly kind: 'ready';
      readonly size: number;
      readonly verifierKey: string;
      readonly note: string;
      readonly interrupted: readonly InterruptedSession[];
      readonly shreds: readonly number[];
      readonly cut: Cut | undefined;
    }
  | { readonly kind: 'rejected'; readonly id: number; readonly error: WireError }
  | { readonly kind: 'signed'; readonly id: number; readonly note: string; readonly verifierKey: string }
  | { readonly kind: 'halted'; readonly error: WireError }
  | { readonly kind: 'closed' };

/** The leaves of one request are on disk. */
export interface Durable {
  readonly id: number;
  readonly appended: readonly Appended[];
}
