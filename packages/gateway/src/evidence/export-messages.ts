/** What an export's thread and the gateway's main thread say to each other. */

import type { EvidenceOptions, EvidenceResult } from './export.ts';

/** What the thread begins with: everything that is plain data. */
export type ExportData = Omit<EvidenceOptions, 'reader' | 'keys' | 'checkpointNow' | 'sign'> & {
  /** Directory of the log. */
  readonly log: string;
};

/** What the thread cannot do: keys are in the store, and the log has one writer. */
export type Question =
  | { readonly ask: 'key'; readonly scope: string }
  | { readonly ask: 'sign'; readonly text: string }
  | { readonly ask: 'checkpoint' };

export type Answer = Uint8Array | string | undefined;

export interface ExportError {
  readonly code: string;
  readonly details: Readonly<Record<string, string | number>>;
  readonly reason: string;
}

export type FromExport =
  | { readonly kind: 'question'; readonly id: number; readonly question: Question }
  | { readonly kind: 'done'; readonly result: EvidenceResult }
  | { readonly kind: 'failed'; readonly error: ExportError };

export type ToExport =
  | { readonly id: number; readonly answer: Answer }
  | { readonly id: number; readonly error: ExportError };
