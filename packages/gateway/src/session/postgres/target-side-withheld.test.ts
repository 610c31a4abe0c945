/** An answer passes up to a bound, byte for byte, however the target's bytes are cut; nothing passes behind it. */

import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rule, statement, text } from '../../policy/testing-facts.ts';
import { encodeBackend } from '../../protocols/postgres/encode.ts';
import { ResponseQueue } from '../../protocols/postgres/response-queue.ts';
import type { RequestKind } from '../../protocols/postgres/states.ts';
import type { Request } from './request.ts';
import { ReturnedRows, type RowMeter } from './returned-rows.ts';
import { RunningOperation } from './running-operation.ts';
import { TargetSide } from './target-side.ts';

const latin1 = (value: string): Uint8Array => Buffer.from(value, 'latin1');
const ready = encodeBackend({ kind: 'ReadyForQuery', status: 'T' });
const notice = encodeBackend({ kind: 'NoticeResponse', fields: [{ code: 'M', valueBytes: latin1('hear') }] });
const described = encodeBackend({ kind: 'RowDescription', fields: [] });

function row(length: number): Uint8Array {
  return encodeBackend({ kind: 'DataRow', values: [latin1('r'.repeat(length))] });
}

function tag(value: string): Uint8Array {
  return encodeBackend({ kind: 'CommandComplete', tag: value });
}

function error(severity: 'ERROR' | 'FATAL'): Uint8Array {
  return encodeBackend({
    kind: 'ErrorResponse',
    fields: [
      { code: 'V', valueBytes: latin1(severity) },
      { code: 'C', valueBytes: latin1('57014') },
      { code: 'M', valueBytes: latin1('why') },
    ],
  });
}

function meterOf(bound: number): RowMeter {
  const few = rule('few', { reads: ['t'], returned: `> ${bound}` });
  const decision = {
    kind: 'allow',
    causes: [],
    holds: [],
    statements: [],
    breakGlass: [],
    counted: [],
    returned: [few],
    estimated: [],
    onlyReads: true,
    syntaxError: undefined,
  } as const;
  const judgement = { policy: '', decision, read: text(statement()) };
  return new ReturnedRows().meter(judgement, { granted: new Set(), portalName: undefined });
}

interface Seen {
  readonly passed: Buffer;
  readonly settled: readonly string[];
  readonly status: string;
  readonly outcome: Record<string, unknown>;
  readonly meter: RowMeter;
}

/** @param cuts where the bytes are cut; a chunk is read into again behind each push, as a socket's is */
function pass(kind: RequestKind, bound: number, answer: Uint8Array, cuts: readonly number[]): Seen {
  const meter = meterOf(bound);
  const settled: string[] = [];
  const operation = new RunningOperation(0);
  const request: Request = { operation, settled: undefined, refusal: undefined, meter };
  const unlike = new Set<Request>();
  const queue = new ResponseQueue<Request>((one, outcome) => {
    unlike.delete(one);
    settled.push(outcome);
  });
  const side = new TargetSide(queue, unlike, {
    transactionEnded: () => undefined,
    idle: () => undefined,
    parameterStatus: () => undefined,
  });
  queue.push(kind, request);
  unlike.add(request);
  const passed: Buffer[] = [];
  const lent = new Uint8Array(answer.length);
  const edges = [0, ...cuts.toSorted((a, b) => a - b), answer.length];
  for (const [at, from] of edges.entries()) {
    const to = edges[at + 1] ?? from;
    if (to === from) continue;
    lent.set(answer.subarray(from, to));
    for (const piece of side.push(lent.subarray(0, to - from))) passed.push(Buffer.from(piece));
    lent.fill(0xee);
  }
  return {
    passed: Buffer.concat(passed),
    settled,
    status: side.transactionStatus,
    outcome: operation.outcome(0),
    meter,
  };
}

describe('an answer with a bound', () => {
  it('of a Query passes whole within it, and up to it beyond, wherever it is cut', () => {
    const rows = [row(3), row(0), row(900), row(70_000), row(1)];
    fc.assert(
      fc.property(
        fc.nat(6),
        fc.array(fc.nat(71_000), { maxLength: 8 }),
        fc.boolean(),
        (bound, cuts, fails) => {
          const end = fails ? error('ERROR') : tag('SELECT 5');
          const answer = Buffer.concat([described, ...rows, notice, end, ready]);
          const { passed, settled, status, outcome, meter } = pass(
            'Query',
            bound,
            answer,
            cuts.map((cut) => cut % answer.length),
          );
          const isOver = bound < rows.length;
          const delivered = isOver ? [described, ...rows.slice(0, bound)] : [described, ...rows, end];
          const expected = isOver ? [...delivered, notice] : [described, ...rows, notice, end, ready];
          expect(passed.equals(Buffer.concat(expected))).toBe(true);
          expect(meter.isOver).toBe(isOver);
          expect(meter.rows).toBe(Math.min(bound, rows.length));
          expect(settled).toEqual([fails ? 'failed' : 'completed']);
          expect(status).toBe('T');
          expect(outcome['sha256']).toBe(createHash('sha256').update(Buffer.concat(delivered)).digest('hex'));
          expect(outcome['sqlstate']).toBe(fails && !isOver ? '57014' : undefined);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('of an Execute leaves what answers the next request alone', () => {
    const answer = Buffer.concat([row(5), row(6), tag('SELECT 2')]);
    for (let cut = 0; cut <= answer.length; cut += 1) {
      const { passed, settled } = pass('Execute', 1, answer, [cut]);
      expect(passed.equals(Buffer.from(row(5)))).toBe(true);
      expect(settled).toEqual(['completed']);
    }
  });

  it('lets the end of the connection be heard', () => {
    const { passed, meter } = pass(
      'Query',
      1,
      Buffer.concat([described, row(1), row(2), error('FATAL')]),
      [],
    );
    expect(meter.isOver).toBe(true);
    expect(passed.equals(Buffer.concat([described, row(1), error('FATAL')]))).toBe(true);
  });

  it('of several statements is one', () => {
    const answer = Buffer.concat([
      described,
      row(1),
      tag('SELECT 1'),
      described,
      row(2),
      row(3),
      tag('SELECT 2'),
      ready,
    ]);
    const { passed } = pass('Query', 2, answer, [7, 30]);
    expect(passed.equals(Buffer.concat([described, row(1), tag('SELECT 1'), described, row(2)]))).toBe(true);
  });
});
