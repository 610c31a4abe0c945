/** What becomes of COPY data that a client sends: it goes on, or the COPY is made to fail. */

import { encodeFrontend } from '../../protocols/postgres/encode.ts';
import { FRAME, type FrameEvent } from '../../protocols/postgres/frames.ts';
import { FRONTEND } from '../../protocols/postgres/messages.ts';
import type { RunningOperation } from './running-operation.ts';

/** Makes the target say what it holds back. */
export const FLUSH: Uint8Array = encodeFrontend({ kind: 'Flush' });
/** The data will have no end. */
export const CLIENT_LEFT: Uint8Array = failWith('its client has left');
/** Policy stops it. */
export const COPY_REFUSED: Uint8Array = failWith('countersign blocked its data');

/** `keep`: the event goes on; `fail`: CopyFail stands in its place; `keep-and-fail`: behind it. */
export type CopyAdvice = 'keep' | 'fail' | 'keep-and-fail';

interface ReadEvent {
  readonly type: number;
  /** Of the frame in pieces: this is its last. */
  readonly last: boolean;
  body(): Uint8Array;
}

/** A CopyData, CopyDone or CopyFail of the client, or a part of it, in copy-in mode. */
export function copyFromClient(
  operation: RunningOperation | undefined,
  event: FrameEvent,
  reader: ReadEvent,
): CopyAdvice {
  if (operation === undefined) return 'keep';
  if (reader.type === FRONTEND.CopyData && event !== FRAME.begins) operation.copyFromClient(reader.body());
  const { copied } = operation;
  if (copied === undefined) return 'keep';
  if (reader.type === FRONTEND.CopyDone) copied.end();
  if (reader.type === FRONTEND.CopyFail || copied.refusal === undefined) return 'keep';
  if (event === FRAME.whole) return 'fail';
  // The target has a part of it, and would take what came instead for the rest.
  return event === FRAME.piece && reader.last ? 'keep-and-fail' : 'keep';
}

function failWith(reason: string): Uint8Array {
  return encodeFrontend({ kind: 'CopyFail', reasonBytes: Buffer.from(reason) });
}
