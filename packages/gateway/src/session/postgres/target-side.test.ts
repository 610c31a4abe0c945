import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CountersignError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { encodeBackend, encodeErrorResponse } from '../../protocols/postgres/encode.ts';
import { FRONTEND } from '../../protocols/postgres/messages.ts';
import { ResponseQueue } from '../../protocols/postgres/response-queue.ts';
import type { Outcome, RequestKind } from '../../protocols/postgres/states.ts';
import { PLAIN_REQUEST, type Request } from './request.ts';
import { RunningOperation } from './running-operation.ts';
import { TargetSide, type TargetSideEvents } from './target-side.ts';

const QUIET: TargetSideEvents = {
  transactionEnded: () => undefined,
  idle: () => undefined,
  parameterStatus: () => undefined,
};

/** What an operation's outcome says after the target's bytes, cut into pieces of a length. */
function outcomeOf(kind: RequestKind, answer: Uint8Array, pieceLength: number): Record<string, unknown> {
  const operation = new RunningOperation(0);
  const settled: [string, Record<string, unknown>][] = [];
  const queue = new ResponseQueue<Request>((request, outcome: Outcome) => {
    if (request.operation !== undefined)
      settled.push([`${outcome} ${operation.status}`, operation.outcome(0)]);
  });
  queue.push(kind, { operation, settled: undefined, refusal: undefined });
  const side = new TargetSide(queue, new Set(), QUIET);
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
    queue.push('Execute', { operation, settled: undefined, refusal: undefined });
    const side = new TargetSide(queue, new Set(), QUIET);
    expect(() => side.push(Uint8Array.of(0x43, 0x3f, 0xff, 0xff, 0xff))).toThrow(/message length/);
  });
});

function failure(severity: string): Uint8Array {
  return encodeBackend({ kind: 'ErrorResponse', fields: [{ code: 'V', valueBytes: Buffer.from(severity) }] });
}

const failed = failure('ERROR');
const ready = encodeBackend({ kind: 'ReadyForQuery', status: 'I' });
const notice = encodeBackend({ kind: 'NoticeResponse', fields: [] });
const parsed = encodeBackend({ kind: 'ParseComplete' });
const fatal = failure('FATAL');

/** Behind CopyInResponse: Sync, CopyData, and a Parse that made the gateway ask. */
function asked(
  type: number,
  sync: RequestKind = 'Sync',
): { side: TargetSide; queue: ResponseQueue<Request>; settled: string[] } {
  const settled: string[] = [];
  const request = (name: string): Request => ({
    operation: undefined,
    settled: (outcome) => settled.push(`${name} ${outcome}`),
    refusal: undefined,
  });
  const queue = new ResponseQueue<Request>(({ settled: tell }, outcome) => tell?.(outcome));
  const side = new TargetSide(queue, new Set(), QUIET);
  queue.push('Execute', request('copy'), true);
  side.push(encodeBackend({ kind: 'CopyInResponse', format: 0, columnFormats: [] }));
  queue.push(sync, request('sync'));
  queue.copy(FRONTEND.CopyData);
  expect(queue.mustProbe).toBe(true);
  queue.beginProbe(type);
  return { side, queue, settled };
}

function rank(frame: Uint8Array): number {
  return [failed, notice, ready, parsed].indexOf(frame);
}

/** A notice passes a ReadyForQuery that is held. */
function noticesFirst(a: Uint8Array, b: Uint8Array): number {
  return rank(a) - rank(b);
}

describe('the answers to a probe', () => {
  it.each([
    [
      'where the Sync was answered',
      FRONTEND.Parse,
      [failed, ready],
      [ready, failed, ready],
      'sync completed',
    ],
    ['where the Sync was read over', FRONTEND.Parse, [failed], [ready, failed, ready], 'sync swallowed'],
    ['to a Query', FRONTEND.Query, [failed, ready], [ready, failed, ready, ready], 'sync completed'],
    [
      'with a notice',
      FRONTEND.Parse,
      [failed, notice, ready, notice],
      [ready, failed, ready],
      'sync completed',
    ],
  ])('are not for the client, however they are split: %s', (_, type, given, ours, outcome) => {
    const all = Buffer.concat([...given, ...ours, parsed.subarray(0, 3)]);
    const rest = parsed.subarray(3);
    for (let length = 1; length <= all.length; length++) {
      const { side, queue, settled } = asked(type);
      const passed: Uint8Array[] = [];
      for (let at = 0; at < all.length; at += length) passed.push(...side.push(all.slice(at, at + length)));
      expect(settled).toEqual(['copy failed', outcome]);
      expect([queue.mustWait, queue.mustProbe]).toEqual([false, false]);
      const skips = outcome === 'sync swallowed';
      expect(queue.push('Parse', PLAIN_REQUEST)).toBe(skips ? 'discard' : 'forward');
      if (skips) continue;
      passed.push(...side.push(rest));
      expect(Buffer.concat(passed)).toEqual(Buffer.concat([...given, parsed].toSorted(noticesFirst)));
    }
  });

  it.each([
    ['was answered', [failed, failed, ready], 'sync failed'],
    ['was read over', [failed], 'sync swallowed'],
  ])('are told from those to a malformed Sync, however they are split: it %s', (_, given, outcome) => {
    const all = Buffer.concat([...given, ready, ready, failed, ready]);
    for (let length = 1; length <= all.length; length++) {
      const { side, settled } = asked(FRONTEND.Parse, 'MalformedSync');
      const passed: Uint8Array[] = [];
      for (let at = 0; at < all.length; at += length) passed.push(...side.push(all.slice(at, at + length)));
      expect(settled).toEqual(['copy failed', outcome]);
      expect(Buffer.concat(passed)).toEqual(Buffer.concat(given));
    }
  });

  it('are the end of the session, where the target was in copy-in mode', () => {
    const all = Buffer.concat([failed, fatal]);
    for (let length = 1; length <= all.length; length++) {
      const { side, settled } = asked(FRONTEND.Parse);
      const passed: Uint8Array[] = [];
      for (let at = 0; at < all.length; at += length) passed.push(...side.push(all.slice(at, at + length)));
      expect(Buffer.concat(passed)).toEqual(all);
      expect(side.atBoundary).toBe(true);
      expect(settled).toEqual(['copy failed', 'sync swallowed']);
    }
  });
});

describe('a request that policy refused', () => {
  const error = new CountersignError('POLICY_BLOCKED', { rule: 'r', version: 1, what: 'drop of t' });
  const refusal = { error, answer: encodeErrorResponse(error, 'ERROR') };
  const setting = encodeBackend({
    kind: 'ParameterStatus',
    name: 'client_encoding',
    valueBytes: Buffer.from('LATIN1'),
  });

  function blocked(): { side: TargetSide; refused: Set<Request>; settings: string[] } {
    const operation = new RunningOperation(0);
    operation.blocked = true;
    const request: Request = { operation, settled: undefined, refusal };
    const refused = new Set([request]);
    const queue = new ResponseQueue<Request>((settled) => refused.delete(settled));
    const settings: string[] = [];
    const side = new TargetSide(queue, refused, {
      ...QUIET,
      parameterStatus: (name, value) => settings.push(`${name}=${value}`),
    });
    queue.push('Query', request);
    queue.push('Query', PLAIN_REQUEST);
    return { side, refused, settings };
  }

  it.each([1, 2, 3, 7, 1_000])('gets our error in the place of the target’s, in pieces of %i', (length) => {
    const { side, refused, settings } = blocked();
    const answer = Buffer.concat([notice, setting, failed, ready, failed, ready]);
    const got: Uint8Array[] = [];
    for (let at = 0; at < answer.length; at += length) got.push(...side.push(answer.slice(at, at + length)));
    const expected = Buffer.concat([notice, setting, refusal.answer, ready, failed, ready]);
    expect(Buffer.concat(got).toString('hex')).toBe(expected.toString('hex'));
    expect(refused.size).toBe(0);
    expect(settings).toEqual(['client_encoding=LATIN1']);
  });

  it('hears when the target ends the session instead', () => {
    const { side } = blocked();
    expect(Buffer.concat(side.push(fatal)).toString('hex')).toBe(Buffer.from(fatal).toString('hex'));
  });
});
