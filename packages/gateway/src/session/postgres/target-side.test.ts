import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../core/limits.ts';
import { encodeBackend } from '../../protocols/postgres/encode.ts';
import { ResponseQueue } from '../../protocols/postgres/response-queue.ts';
import type { Outcome, RequestKind } from '../../protocols/postgres/states.ts';
import type { Request } from './request.ts';
import { RunningOperation } from './running-operation.ts';
import { TargetSide } from './target-side.ts';

/** What an operation's outcome says after the target's bytes, cut into pieces of a length. */
function outcomeOf(kind: RequestKind, answer: Uint8Array, pieceLength: number): Record<string, unknown> {
  const operation = new RunningOperation(0);
  const settled: [string, Record<string, unknown>][] = [];
  const queue = new ResponseQueue<Request>((request, outcome: Outcome) => {
    if (request.operation !== undefined)
      settled.push([`${outcome} ${operation.status}`, operation.outcome(0)]);
  });
  queue.push(kind, { operation, settled: undefined });
  const side = new TargetSide(queue, () => undefined);
  for (let at = 0; at < answer.length; at += pieceLength) side.push(answer.slice(at, at + pieceLength));
  const [only] = settled;
  if (only === undefined || settled.length > 1) throw new Error(`settled ${settled.length} times`);
  return { ...only[1], how: only[0] };
}

describe('an error that is too large to be held', () => {
  const message = 'x'.repeat(LIMITS.postgres.heldMessageBytesMax + 10);
  const error = encodeBackend({
    kind: 'ErrorResponse',
    fields: [
      { code: 'S', valueBytes: Buffer.from('ERROR') },
      { code: 'C', valueBytes: Buffer.from('P0001') },
      { code: 'M', valueBytes: Buffer.from(message) },
    ],
  });
  const ready = encodeBackend({ kind: 'ReadyForQuery', status: 'I' });

  it.each(['Query', 'Execute'] as const)('is the answer to %s, whole, however it is split', (kind) => {
    const answer = kind === 'Query' ? Buffer.concat([error, ready]) : error;
    for (const pieceLength of [answer.length, 65_536, 1_031]) {
      const outcome = outcomeOf(kind, answer, pieceLength);
      expect(outcome).toMatchObject({
        how: 'failed error',
        sqlstate: 'P0001',
        bytes: error.length,
        sha256: createHash('sha256').update(error).digest('hex'),
      });
      expect(message.startsWith(String(outcome['message']))).toBe(true);
    }
  });
});

describe('a target', () => {
  it('is refused where it declares a length that no such message has', () => {
    const operation = new RunningOperation(0);
    const queue = new ResponseQueue<Request>(() => undefined);
    queue.push('Execute', { operation, settled: undefined });
    const side = new TargetSide(queue, () => undefined);
    expect(() => side.push(Uint8Array.of(0x43, 0x3f, 0xff, 0xff, 0xff))).toThrow(/message length/);
  });
});
