/** A text that stalls its thread is refused, and nobody else notices. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import type { ReadText } from '../core/effects.ts';
import { LIMITS } from '../core/limits.ts';
import { ParserPool } from './parser-pool.ts';

/** A thread that says of a text what it is, but for `stall`, which it never ends, and `die`, of which it ends. */
const THREAD = `
import { parentPort } from 'node:worker_threads';
parentPort.on('message', ({ textBytes }) => {
  const reason = Buffer.from(textBytes).toString();
  if (reason === 'stall') for (;;);
  if (reason === 'die') process.exit(1);
  parentPort.postMessage({ read: { kind: 'uninspectable', reason } });
});
parentPort.postMessage({ read: undefined });
`;

const TOO_SLOW = `it takes longer than ${LIMITS.sql.parseTimeoutMs} ms to read`;
const { parserThreads, waitingTextsMax } = LIMITS.sql;

let pool: ParserPool | undefined;
const started: Worker[] = [];

function open(): ParserPool {
  const opened = new ParserPool(new Uint8Array(0), () => {
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(THREAD)}`));
    started.push(worker);
    return worker;
  });
  pool = opened;
  return opened;
}

afterEach(async () => {
  await pool?.close();
  started.length = 0;
});

async function said(read: Promise<ReadText>): Promise<string> {
  const found = await read;
  return found.kind === 'uninspectable' ? found.reason : found.kind;
}

function send(to: ParserPool, ...texts: readonly string[]): Promise<readonly string[]> {
  return Promise.all(texts.map((text) => said(to.read(Buffer.from(text)))));
}

function many(text: string, count: number): readonly string[] {
  return Array.from({ length: count }, () => text);
}

describe('a text that is never read to its end', () => {
  it('is refused, and those of others are read', async () => {
    const sent = ['stall', ...Array.from({ length: 10 }, (_, index) => `text ${index}`)];
    const [stalled, ...others] = await send(open(), ...sent);
    expect([stalled, others]).toEqual([TOO_SLOW, sent.slice(1)]);
  });

  it.each([parserThreads, 2 * parserThreads])(
    'is refused %i times, and threads take the place of theirs',
    async (times) => {
      const sent = [...many('stall', times), 'a', 'b', 'c'];
      const answers = await send(open(), ...sent);
      expect(answers).toEqual([...many(TOO_SLOW, times), 'a', 'b', 'c']);
      expect(await send(pool ?? open(), 'later')).toEqual(['later']);
      expect(started.length).toBeLessThanOrEqual(times + parserThreads);
    },
  );

  it('gives back its thread', async () => {
    const stalled = send(open(), 'stall');
    const ended = Promise.race(started.map((worker) => once(worker, 'exit')));
    expect(await stalled).toEqual([TOO_SLOW]);
    await ended;
  });

  it('does not keep a shutdown', async () => {
    const opened = open();
    await send(opened, 'ready');
    const answers = send(opened, ...many('stall', parserThreads), 'behind them');
    await opened.close();
    expect(new Set(await answers)).toEqual(new Set(['the gateway is shutting down']));
    expect(await send(opened, 'afterwards')).toEqual(['the gateway is shutting down']);
  });
});

describe('a thread that ends', () => {
  it('takes its own text with it, and no other', async () => {
    const reason = 'it is too complex for the parser';
    const sent = ['die', 'a', 'die', 'b', 'die', 'c'];
    expect(await send(open(), ...sent)).toEqual([reason, 'a', reason, 'b', reason, 'c']);
  });
});

describe('texts that wait', () => {
  it('are no more than the bound', async () => {
    const answers = await send(open(), ...many('text', waitingTextsMax + parserThreads + 1));
    expect(answers.at(-1)).toBe('too many long texts are being read');
  });
});
