import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { moveBody } from '../../bench/measure/body-client.ts';
import { type HttpCalls, parseLoadResult, runHttpCalls } from '../../bench/measure/http-calls.ts';
import { sampleBytes } from '../../bench/measure/large-body.ts';
import { type Message, MessageReader } from '../../bench/measure/message-reader.ts';
import { RERANK_ANSWER, RERANK_REQUEST } from '../../bench/measure/rerank-sample.ts';
import { startGatewayProcess } from '../../bench/peers/gateway.ts';
import { HttpGround, type HttpWay, pathOf } from '../../bench/peers/http-ground.ts';
import { startNginx } from '../../bench/peers/nginx.ts';
import { OwnedProcesses, readyLine } from '../../bench/peers/owned-processes.ts';
import { addedP50, perCore } from '../../bench/rows/http-calls.ts';
import { selfSignedCertificate } from '../../packages/gateway/src/listeners/self-signed.ts';
import { requirePresent } from '../real/require-present.ts';

const TARGET = fileURLToPath(new URL('../../bench/http-target.ts', import.meta.url));

describe('the reader of messages', () => {
  const stream = [
    'POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello',
    'GET /b HTTP/1.1\r\nHost: x\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\nA\r\n\r\n\r\n0\r\n0\r\n\r\n0\r\nx-end: 1\r\n\r\n',
    'HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n',
  ].join('');
  const expected = [5, 0, 13, 0];

  it('finds the same messages wherever the bytes are split', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: stream.length - 1 })), (cuts) => {
        const messages: Message[] = [];
        const reader = new MessageReader();
        const borders = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
        for (const [at, from] of borders.entries()) {
          reader.push(Buffer.from(stream.slice(from, borders[at + 1]), 'latin1'), (message) => {
            messages.push(message);
          });
        }
        expect(messages.map(({ bytes }) => bytes)).toEqual(expected);
        expect(messages[1]?.head).toBe('GET /b HTTP/1.1\r\nHost: x');
      }),
    );
  });

  it('finds them a byte at a time', () => {
    const bytes: number[] = [];
    const reader = new MessageReader();
    for (const letter of stream)
      reader.push(Buffer.from(letter, 'latin1'), (message) => bytes.push(message.bytes));
    expect(bytes).toEqual(expected);
  });
});

function run(p50Ms: number, cpuUs: number | undefined): HttpCalls {
  return { perSecond: 1, p50Ms, p99Ms: 9, busy: 0.5, cpuUs };
}

describe('the figures of HTTP', () => {
  const runs = new Map([
    ['direct', [run(0.1, undefined), run(0.2, undefined)]],
    ['countersign', [run(0.6, 200), run(1.2, 250), run(5, 400)]],
  ]);

  it('compare within a round, and only rounds that both have', () => {
    expect(addedP50(runs, 'countersign')).toEqual([0.5, 1]);
    expect(addedP50(runs, 'nginx')).toEqual([]);
  });

  it('count calls for a CPU second, of what has a process', () => {
    expect(perCore(runs, 'countersign')).toEqual([5_000, 4_000, 2_500]);
    expect(perCore(runs, 'direct')).toEqual([]);
  });

  it('are read from the last line, and refused where one is missing or nothing was called', () => {
    const result = { calls: 3, startMs: 1, endMs: 2, p50Ms: 0.1, p99Ms: 0.2, busy: 0.3 };
    expect(parseLoadResult(`a warning\n${JSON.stringify(result)}\n`)).toEqual(result);
    expect(() => parseLoadResult('{"calls":3}')).toThrow('expected what the load has to say');
    expect(() => parseLoadResult('nothing')).toThrow('expected what the load has to say');
    expect(() => parseLoadResult(JSON.stringify({ ...result, calls: 0 }))).toThrow('no call');
  });
});

it('a large content has as many bytes as were asked for, and is the same each time', () => {
  const once = Buffer.concat([...sampleBytes(200_001)]);
  expect(once).toHaveLength(200_001);
  expect(once.equals(Buffer.concat([...sampleBytes(200_001)]))).toBe(true);
});

it('a path has the connection in front only behind the gateway', () => {
  const to = { connection: 'files', path: '/upload' } as const;
  expect([pathOf({ name: 'nginx' }, to), pathOf({ name: 'countersign' }, to)]).toEqual([
    '/upload',
    '/files/upload',
  ]);
});

describe('the processes', () => {
  it.skipIf(!requirePresent('/usr/sbin/nginx', existsSync('/usr/sbin/nginx')))(
    'of nginx and the target answer, move large contents, and end with the run',
    { timeout: 60_000 },
    async () => {
      const children = new OwnedProcesses();
      const directory = await mkdtemp(join(tmpdir(), 'countersign-bench-http-'));
      try {
        const target = children.start(process.execPath, [TARGET]);
        const { port: targetPort }: { port: number } = JSON.parse(await readyLine(target, 'the target'));
        const { port, pid } = await startNginx('/usr/sbin/nginx', { directory, children, targetPort });
        const way: HttpWay = { name: 'nginx', host: '127.0.0.1', port, token: 'none', pid };
        const load = { ...way, path: '/v2/rerank', body: RERANK_REQUEST, callers: 2, seconds: 0.2 };
        const { perSecond, p50Ms, p99Ms } = await runHttpCalls(load, { children, pid });
        expect(perSecond).toBeGreaterThan(0);
        expect(p99Ms).toBeGreaterThanOrEqual(p50Ms);
        expect(await moveBody(way, 'up', 3_000_001)).toBeGreaterThan(0);
        expect(await moveBody(way, 'down', 3_000_001)).toBeGreaterThan(0);
        const gone = { ...load, port: targetPort, path: '/v2/rerank' };
        await children.stop(target);
        await expect(runHttpCalls(gone, { children, pid: undefined })).rejects.toThrow('ended with 1');
      } finally {
        children.killAll();
        await rm(directory, { recursive: true, force: true });
      }
    },
  );

  it('of the gateway are warmed up only when they answer as they have to; a missing nginx is said', {
    timeout: 120_000,
  }, async () => {
    const children = new OwnedProcesses();
    const directory = await mkdtemp(join(tmpdir(), 'countersign-bench-http-'));
    try {
      const tls = selfSignedCertificate({ names: ['localhost'], nowMs: Date.now(), randomBytes });
      const ground = await HttpGround.open({
        directory,
        children,
        startGateway: (httpTarget) =>
          startGatewayProcess({
            directory,
            children,
            label: 'http',
            server: { port: 9, password: 'none' },
            tls,
            httpTarget,
          }),
        warmUpSeconds: 0.1,
        nginx: '/nonexistent/nginx',
      });
      expect(ground.ways.map(({ name }) => name)).toEqual(['direct', 'countersign']);
      expect(ground.missing).toEqual([
        'nginx is not installed (/nonexistent/nginx): nothing of HTTP is compared with it',
      ]);
      const own = ground.ways[1];
      if (own === undefined) throw new Error('the gateway is missing');
      const work = { path: '/v2/rerank', connection: 'reranker', callers: 2, seconds: 0.2 } as const;
      const { perSecond, cpuUs } = await ground.run(own, work);
      expect(perSecond).toBeGreaterThan(0);
      expect(cpuUs).toBeGreaterThanOrEqual(0);
      expect(await moveBody(own, 'up', 1_000_001)).toBeGreaterThan(0);
      expect(await moveBody(own, 'down', 1_000_001)).toBeGreaterThan(0);
      await ground.close();
    } finally {
      children.killAll();
      await rm(directory, { recursive: true, force: true });
    }
  });

  it('answer with about 600 bytes', () => {
    expect(RERANK_ANSWER.length).toBeGreaterThan(500);
    expect(RERANK_ANSWER.length).toBeLessThan(700);
  });
});
