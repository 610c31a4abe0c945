/** What an outcome leaf says of an answer that was kept back and is given out now. */

import { decodeBackend, responseField } from '../../protocols/postgres/decode.ts';
import { HEADER_LENGTH } from '../../protocols/postgres/frames.ts';
import { BACKEND } from '../../protocols/postgres/messages.ts';
import { commandRows } from '../../protocols/postgres/operation.ts';
import type { KeptAnswer } from './exchange.ts';
import type { RunningOperation } from './running-operation.ts';

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** Counts and hashes the frames as if they had just come. */
export function noteAnswer(operation: RunningOperation, frames: KeptAnswer['frames']): void {
  for (const { type, bytes } of frames) {
    if (type === BACKEND.ReadyForQuery) continue;
    operation.digest.add(bytes, 0, bytes.length);
    if (type !== BACKEND.CommandComplete && type !== BACKEND.ErrorResponse) continue;
    const message = decodeBackend(type, bytes.subarray(HEADER_LENGTH));
    if (message.kind === 'CommandComplete') operation.completed(message.tag, commandRows(message.tag) ?? 0);
    if (message.kind === 'ErrorResponse') {
      const field = (code: string): string => utf8.decode(responseField(message, code) ?? new Uint8Array(0));
      operation.failed(field('C'), field('M'));
    }
  }
}

/** Rows that the tags of an answer state, one for each command. */
export function taggedRows(frames: KeptAnswer['frames']): readonly number[] {
  const rows: number[] = [];
  for (const { type, bytes } of frames) {
    if (type !== BACKEND.CommandComplete) continue;
    const message = decodeBackend(type, bytes.subarray(HEADER_LENGTH));
    if (message.kind === 'CommandComplete') rows.push(commandRows(message.tag) ?? 0);
  }
  return rows;
}
