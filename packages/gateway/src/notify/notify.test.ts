import { webcrypto } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LIMITS } from '../core/limits.ts';
import { Secret } from '../core/secret.ts';
import { commandTarget } from './command.ts';
import { type Notice, noticeBody, type Target } from './notice.ts';
import { Notifier } from './notifier.ts';
import { parseWebhookSecret, signWebhook, webhookTarget } from './webhook.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const NOTICE: Notice = {
  type: 'hold.asked',
  timestamp: '2026-11-24T14:02:11.048213Z',
  data: {
    hold: 'hld_00000000000000000000000000',
    rule: 'bulk',
    rule_version: 3,
    approvers: ['group:owners'],
    count: 1,
    requester: 'ana',
    connection: 'db',
    expires: '2026-11-24T14:17:11.048213Z',
    link: 'https://gw.example/v1/approvals/hld_00000000000000000000000000',
  },
};

interface Received {
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let received: Received[];
let answer: (request: Received, response: ServerResponse) => void;
let server: ReturnType<typeof createServer>;
let url: string;
let lines: string[];
let directory: string;

beforeEach(async () => {
  received = [];
  lines = [];
  answer = (_, response) => response.writeHead(204).end();
  server = createServer((request, response) => {
    const chunks: Uint8Array[] = [];
    request.on('data', (chunk: Uint8Array) => chunks.push(chunk));
    request.on('end', () => {
      const one = {
        url: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      };
      received.push(one);
      answer(one, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It listens on TCP.
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook/secret-path`;
  directory = await mkdtemp(join(tmpdir(), 'notify-'));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true });
});

function target(): Target {
  return webhookTarget(url, parseWebhookSecret(new Secret(SECRET)), () => Date.now() * 1_000);
}

/** Tells once, and gives the line that says how it ended. */
async function tell(...targets: readonly Target[]): Promise<string[]> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const notifier = new Notifier({
    targets,
    log: (line) => {
      lines.push(line);
      if (lines.length === targets.length) resolve();
    },
    pause: () => Promise.resolve(),
  });
  notifier.tell(NOTICE);
  await promise;
  await notifier.close();
  return lines;
}

/** The check of the specification, over WebCrypto: nothing of it is ours. */
async function isSigned({ headers, body }: Received, secret = SECRET): Promise<boolean> {
  const id = String(headers['webhook-id']);
  const timestamp = String(headers['webhook-timestamp']);
  if (Math.abs(Date.now() / 1_000 - Number(timestamp)) > 300) return false;
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const bytes = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const key = await webcrypto.subtle.importKey('raw', bytes, algorithm, false, ['verify']);
  const signed = Buffer.from(`${id}.${timestamp}.${body}`);
  const all = String(headers['webhook-signature']).split(' ');
  const checked = await Promise.all(
    all
      .filter((part) => part.startsWith('v1,'))
      .map((part) => webcrypto.subtle.verify('HMAC', key, Buffer.from(part.slice(3), 'base64'), signed)),
  );
  return checked.includes(true);
}

describe('a webhook', () => {
  it('is signed as Standard Webhooks says, and says nothing of the statement', async () => {
    expect(await tell(target())).toEqual([
      `notice of ${NOTICE.data.hold} to webhook ${new URL(url).host}: delivered, 1 try`,
    ]);
    const [one] = received;
    if (one === undefined) throw new Error('nothing came');
    expect(one.headers).toMatchObject({
      'content-type': 'application/json',
      'webhook-id': `msg_${NOTICE.data.hold}`,
    });
    expect(JSON.parse(one.body)).toEqual(NOTICE);
    expect(await isSigned(one)).toBe(true);
    expect(await isSigned({ ...one, body: one.body.replace('ana', 'bob') })).toBe(false);
    expect(await isSigned(one, `whsec_${Buffer.alloc(24, 1).toString('base64')}`)).toBe(false);
  });

  it('has the signature of the specification’s own example', () => {
    const secret = parseWebhookSecret(new Secret(SECRET));
    expect(signWebhook(secret, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330, '{"test": 2432232314}')).toBe(
      'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    );
  });

  it.each([
    '',
    'whsec_',
    'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    'whsec_AAAA',
    'whsec_****',
    `whsec_${'A'.repeat(400)}`,
  ])('takes no secret like %j, and does not repeat it', (text) => {
    let thrown: unknown;
    try {
      parseWebhookSecret(new Secret(text));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(String(thrown)).not.toContain(text.length < 8 ? 'undefined' : text.slice(6));
  });

  it('is tried again after an error of the other side, with the same id and a signature of its own', async () => {
    answer = (_, response) => response.writeHead(received.length < 3 ? 503 : 200).end();
    expect((await tell(target())).join('')).toContain('delivered, 3 tries');
    expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(await Promise.all(received.map((one) => isSigned(one)))).toEqual([true, true, true]);
  });

  it.each([
    [500, LIMITS.notify.pausesMs.length + 1, 'it answered 500'],
    [429, LIMITS.notify.pausesMs.length + 1, 'it answered 429'],
    [400, 1, 'it answered 400'],
    [410, 1, 'it answered 410'],
    [302, 1, 'it redirects (302), which is not followed'],
    [307, 1, 'it redirects (307), which is not followed'],
  ])('that is answered with %i is tried %i times', async (status, tries, reason) => {
    answer = (_, response) => response.writeHead(status, { location: `${url}/elsewhere` }).end();
    expect((await tell(target())).join('')).toContain(reason);
    expect(received).toHaveLength(tries);
    expect(received.map((one) => one.url)).not.toContain('/hook/secret-path/elsewhere');
  });

  it('to a side that is not there ends, without the path of its URL in the log', async () => {
    await new Promise((resolve) => server.close(resolve));
    const [line] = await tell(target());
    expect(line).toMatch(/webhook 127\.0\.0\.1:[0-9]+: not delivered, 5 tries: ECONNREFUSED$/);
  });

  it('to a side that never answers, or never ends its answer, ends when its time is over', async () => {
    answer = () => undefined;
    const late = await target().send(NOTICE, noticeBody(NOTICE), AbortSignal.timeout(50));
    expect(late).toEqual({ reason: 'no answer in time', again: true });
    answer = (_, response) => void response.writeHead(200).write('x'.repeat(1_000_000));
    expect(await target().send(NOTICE, noticeBody(NOTICE), AbortSignal.timeout(5_000))).toBeUndefined();
  });
});

describe('the notifier', () => {
  it('returns at once, holds up no other target, and takes no more than so many', async () => {
    const { queueMax, concurrentMax } = LIMITS.notify;
    const stuck: Target = {
      name: 'stuck',
      send: (_notice, _body, signal) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve({ reason: 'ended', again: true }));
        }),
    };
    let told = 0;
    const quick: Target = {
      name: 'quick',
      async send() {
        told += 1;
        return undefined;
      },
    };
    const notifier = new Notifier({
      targets: [stuck, quick],
      log: (line) => lines.push(line),
      pause: async () => {},
    });
    for (let i = 0; i < queueMax + concurrentMax + 3; i++) {
      notifier.tell(NOTICE);
      // oxlint-disable-next-line no-await-in-loop -- The other target keeps up.
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(told).toBe(queueMax + concurrentMax + 3);
    expect(lines.filter((line) => line.includes('to stuck: not delivered, 0 tries'))).toHaveLength(3);
    await notifier.close();
    expect(lines.filter((line) => line.includes('to stuck: not delivered, 1 try: ended'))).toHaveLength(
      concurrentMax,
    );
  });

  it('survives a target that throws', async () => {
    const broken: Target = { name: 'broken', send: () => Promise.reject(new Error('oh')) };
    expect(await tell(broken)).toEqual([`notice of ${NOTICE.data.hold} to broken: not delivered, 1 try: oh`]);
  });
});

describe('a command', () => {
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', SECRET_CANARY: 'canary-1' };

  async function script(text: string): Promise<Target> {
    const file = join(directory, 'told.sh');
    await writeFile(file, `#!/bin/sh\n${text}\n`, { mode: 0o700 });
    return commandTarget([file, 'one argument; rm -rf $HOME'], env);
  }

  it('gets the notice on standard input, its arguments as they are, and none of the gateway’s secrets', async () => {
    const out = join(directory, 'out');
    const told = await script(`cat > ${out}; printf '\\n%s\\n' "$1" >> ${out}; env >> ${out}`);
    expect((await tell(told)).join('')).toMatch(/told\.sh: delivered, 1 try$/);
    const [first, second, ...rest] = (await readFile(out, 'utf8')).split('\n');
    expect(JSON.parse(first ?? '')).toEqual(NOTICE);
    expect(second).toBe('one argument; rm -rf $HOME');
    expect(rest.join('\n')).not.toContain('canary-1');
    expect(rest.join('\n')).toContain('PATH=');
  });

  it('that fails is told again, and one that is not there is not', async () => {
    expect((await tell(await script('exit 3'))).join('')).toContain(
      'not delivered, 5 tries: it ended with 3',
    );
    lines = [];
    expect((await tell(commandTarget([join(directory, 'nothing')], env))).join('')).toContain('1 try: spawn');
  });

  it('that takes too long is killed, with what it started', async () => {
    const file = join(directory, 'pid');
    const told = await script(`sleep 600 & echo $! > ${file}.part; mv ${file}.part ${file}; wait`);
    const ended = new AbortController();
    const sending = told.send(NOTICE, noticeBody(NOTICE), ended.signal);
    let pid = '';
    while (pid === '') {
      // oxlint-disable-next-line no-await-in-loop -- Until it has begun.
      pid = await readFile(file, 'utf8').catch(() => '');
    }
    ended.abort();
    expect(await sending).toEqual({ reason: 'it took too long', again: true });
    // A process that its parent has not looked at yet is a zombie: it does nothing any more. The signal takes
    // effect when the kernel comes to it.
    await vi.waitFor(async () => {
      const status = await readFile(`/proc/${pid.trim()}/stat`, 'utf8').catch(() => '0 (gone) Z');
      expect(status).toMatch(/\) Z/);
    });
  });

  it('that prints without end is killed, and one that does not read is let be', async () => {
    const attempt = await (await script('while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done')).send(
      NOTICE,
      noticeBody(NOTICE),
      AbortSignal.timeout(20_000),
    );
    expect(attempt).toEqual({ reason: 'it printed too much', again: true });
    expect((await tell(await script('exec <&-; exit 0'))).join('')).toContain('delivered, 1 try');
  });
});
