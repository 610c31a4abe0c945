import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { CountersignError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { CopyProbe } from './copy-probe.ts';
import { BACKEND, FRONTEND } from './messages.ts';
import { ResponseQueue } from './response-queue.ts';
import { FIRST_PHASE, type RequestKind } from './states.ts';

const VECTORS = new URL('../../../../../vectors/postgres/response-queue.txt', import.meta.url);

interface Case {
  readonly title: string;
  readonly lines: readonly string[];
}

function readCases(): readonly Case[] {
  const blocks = readFileSync(VECTORS, 'utf8').split('\ncase: ').slice(1);
  return blocks.map((block) => {
    const [title = '', ...lines] = block.trimEnd().split('\n');
    return { title, lines };
  });
}

/** One line of a case, done; what the queue says of it. */
function perform(queue: ResponseQueue<string>, line: string): string {
  const [direction, name = '', tag = '', more] = line.split(' ');
  if (direction === '<') return `of ${queue.accept(typeOf(BACKEND, name)) ?? 'nobody'}`;
  if (direction !== '>') throw new Error(`cannot read the line "${line}"`);
  if (name === 'probe') queue.beginProbe(typeOf(FRONTEND, tag));
  if (name === 'answered') queue.endProbe(Number(tag));
  if (name === 'probe' || name === 'answered') return '';
  if (tag === '') return queue.copy(typeOf(FRONTEND, name));
  return queue.push(kindOf(name), tag, more === 'copy-in');
}

function play(lines: readonly string[]): string[] {
  const log: string[] = [];
  const queue = new ResponseQueue<string>((tag, outcome) => log.push(`= ${tag} ${outcome}`));
  for (const line of lines) {
    log.push(line);
    try {
      const said = perform(queue, line);
      if (said !== '') log.push(`= ${said}`);
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error;
      log.push(`! ${error.code}`);
      continue;
    }
    if (queue.mustWait) log.push('= wait');
    if (queue.mustProbe) log.push('= must probe');
    if (queue.mustFlush) log.push('= must flush');
  }
  return log;
}

function typeOf(table: Readonly<Record<string, number>>, name: string): number {
  const type = table[name];
  if (type === undefined) throw new Error(`no message ${name}`);
  return type;
}

function isKind(name: string): name is RequestKind {
  return name === 'Flush' || name in FIRST_PHASE;
}

function kindOf(name: string): RequestKind {
  if (!isKind(name)) throw new Error(`no request ${name}`);
  return name;
}

describe('vectors', () => {
  test.each(readCases())('$title', ({ lines }) => {
    const input = lines.filter((line) => /^[<>]/.test(line));
    expect(play(input)).toEqual(lines);
  });
});

test('the example of its documentation is true', () => {
  const settled: string[] = [];
  const queue = new ResponseQueue<string>((tag, outcome) => settled.push(`${tag} ${outcome}`));
  expect(queue.push('Query', 'q1')).toBe('forward');
  expect(queue.accept(BACKEND.EmptyQueryResponse)).toBe('q1');
  expect(queue.accept(BACKEND.ReadyForQuery)).toBe('q1');
  expect(settled).toEqual(['q1 completed']);
});

test('the depth of the pipeline is bounded', () => {
  const queue = new ResponseQueue<number>(() => undefined, 20);
  for (let i = 0; i < 20; i++) queue.push('Sync', i);
  expect(queue.mustWait).toBe(true);
  expect(() => queue.push('Sync', 20)).toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED' }));
});

test('when the connection ends, what has no answer is abandoned, and what has an error failed', () => {
  const log: string[] = [];
  const queue = new ResponseQueue<string>((tag, outcome) => log.push(`${tag} ${outcome}`));
  queue.push('Query', 'q');
  queue.push('Flush', 'f');
  queue.push('Parse', 'p');
  queue.accept(BACKEND.ErrorResponse);
  queue.close();
  expect(log).toEqual(['q failed', 'f completed', 'p abandoned']);
  expect([queue.length, queue.head]).toEqual([0, undefined]);
});

test('who a message is for is known before it is accepted, behind a COPY that has failed', () => {
  const queue = new ResponseQueue<string>(() => undefined);
  queue.push('Query', 'copy', true);
  queue.accept(BACKEND.CopyInResponse);
  queue.push('Sync', 'read over');
  queue.push('FunctionCall', 'call');
  queue.accept(BACKEND.ErrorResponse);
  queue.accept(BACKEND.ReadyForQuery);
  expect(queue.head).toBe('read over');
  queue.prepare(BACKEND.NoticeResponse);
  expect(queue.head).toBe('read over');
  queue.prepare(BACKEND.FunctionCallResponse);
  expect(queue.head).toBe('call');
  expect(queue.accept(BACKEND.FunctionCallResponse)).toBe('call');
});

test('a probe for a request is Sync, that message without a body, Sync', () => {
  expect(Buffer.from(new CopyProbe(FRONTEND.Query, false, 0).bytes).toString('latin1')).toBe(
    'S\0\0\0\x04Q\0\0\0\x04S\0\0\0\x04',
  );
  const long = new CopyProbe(FRONTEND.Sync, true, LIMITS.postgres.pipelineDepthMax).bytes;
  expect(long.length).toBe(5 * (LIMITS.postgres.pipelineDepthMax + 3));
  expect(long.at(-10)).toBe(FRONTEND.Describe);
  expect(new CopyProbe(FRONTEND.Flush, true, 0).bytes[5]).toBe(FRONTEND.Describe);
});
