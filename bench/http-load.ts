/**
 * The load of the HTTP rows, in a process of its own: so many sockets, each of which asks again as soon as it has its
 * answer. Plain sockets and one text: a client library takes more of a core than what is measured.
 *
 * What to do is in HTTP_LOAD as JSON ({@link HttpLoad}); prints one line of JSON ({@link HttpLoadResult}). Ends
 * with an error where an answer is not 200, or a socket is closed.
 */

import { connect, type Socket } from 'node:net';
import type { HttpLoad, HttpLoadResult } from './measure/http-calls.ts';
import { MessageReader } from './measure/message-reader.ts';
import { percentile } from './measure/statistics.ts';

const load: HttpLoad = JSON.parse(process.env['HTTP_LOAD'] ?? '');
const request = requestOf(load);
const latencies: number[] = [];
let deadlineMs = Number.POSITIVE_INFINITY;

/** One socket. */
class Caller {
  readonly #socket: Socket;
  readonly #reader = new MessageReader();
  #askedMs = 0;
  #answered: () => void = () => undefined;

  constructor() {
    this.#socket = connect({ host: load.host, port: load.port, noDelay: true });
    this.#socket.on('data', (chunk) =>
      this.#reader.push(chunk, ({ head }) => {
        if (!head.startsWith('HTTP/1.1 200 ')) fail(`expected 200, got ${head.split('\r\n')[0]}`);
        this.#answered();
      }),
    );
    this.#socket.on('error', (error) => fail(error.message));
    this.#socket.on('close', () => fail('a socket was closed'));
  }

  /** Resolves when there is an answer: its login, and what else only the first one waits for. */
  first(): Promise<void> {
    return new Promise((resolve) => {
      this.#answered = resolve;
      this.#ask();
    });
  }

  /** Asks until the time is over. */
  run(): Promise<void> {
    return new Promise((resolve) => {
      this.#answered = () => {
        const nowMs = performance.now();
        latencies.push(nowMs - this.#askedMs);
        if (nowMs < deadlineMs) this.#ask();
        else resolve();
      };
      this.#ask();
    });
  }

  #ask(): void {
    this.#askedMs = performance.now();
    this.#socket.write(request);
  }
}

function requestOf({ host, port, path, token, body }: HttpLoad): Buffer {
  const head = [
    `POST ${path} HTTP/1.1`,
    `Host: ${host}:${port}`,
    'User-Agent: cohere-ai/7.14.0',
    'Accept: application/json',
    'Content-Type: application/json',
    `Authorization: Bearer ${token}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
}

function fail(reason: string): never {
  process.stderr.write(`${load.path}: ${reason}\n`);
  process.exit(1);
}

function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

const callers = Array.from({ length: load.callers }, () => new Caller());
await Promise.all(callers.map((caller) => caller.first()));
const before = process.cpuUsage();
const startMs = monotonicMs();
deadlineMs = performance.now() + load.seconds * 1_000;
await Promise.all(callers.map((caller) => caller.run()));
const endMs = monotonicMs();
const { user, system } = process.cpuUsage(before);
const result: HttpLoadResult = {
  calls: latencies.length,
  startMs,
  endMs,
  p50Ms: percentile(latencies, 0.5),
  p99Ms: percentile(latencies, 0.99),
  busy: (user + system) / 1_000 / (endMs - startMs),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);
