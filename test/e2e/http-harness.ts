/** A real gateway in front of real HTTP servers, in this process, for tests. */

import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogReader } from '../../packages/gateway/src/audit/log-reader.ts';
import { openStoredBody } from '../../packages/gateway/src/audit/find-leaf.ts';
import { loadConfig } from '../../packages/gateway/src/config/config.ts';
import { type RunningGateway, startGateway } from '../../packages/gateway/src/main.ts';
import { parseResources } from '../../packages/gateway/src/resources/parse.ts';
import { bodyValues } from '../../packages/ledger/src/body.ts';
import type { Json } from '../../packages/ledger/src/jcs.ts';
import { type Leaf, parseLeaf } from '../../packages/ledger/src/leaf.ts';

export interface LoggedEvent {
  readonly leaf: Leaf;
  readonly body: Readonly<Record<string, Json>>;
}

export interface HttpHarness {
  readonly gateway: RunningGateway;
  readonly data: string;
  readonly errors: string[];
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  token(name: string): Promise<string>;
  apply(yaml: string): Promise<void>;
  /** The log, with the bodies that can be opened. */
  log(): Promise<LoggedEvent[]>;
  /** Ends every session, and gives the log. */
  finishedLog(): Promise<LoggedEvent[]>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The credential that only the gateway has. */
export const SECRET = 'upstream-secret-canary-4711';

export const PEOPLE = `
kind: Person
name: ana
displayName: Ana Analyst
---
kind: Person
name: boss
displayName: Boss
---
kind: Group
name: search
members: [ana]
---
kind: Group
name: owners
members: [boss]
---
kind: Person
name: otto
displayName: Otto Outsider
`;

/** Ana may do everything that is understood, and what is not. */
export const ACCESS = `
kind: Access
name: search-team
who: [group:search]
to: [api]
may: [read, write, unknown, rerank]
`;

/** @param config YAML beyond the ports */
export async function startHttpHarness(config?: string): Promise<HttpHarness> {
  const data = await mkdtemp(join(tmpdir(), 'countersign-http-'));
  const errors: string[] = [];
  const loaded = loadConfig(config, { data: join(data, 'gateway'), postgresPort: 0, apiPort: 0 });
  const gateway = await startGateway(loaded, {
    env: { API_SECRET: SECRET },
    onError: (error, where) =>
      errors.push(
        `${where}: ${error.code} ${error.message} ${error.cause instanceof Error ? error.cause.message : ''}`,
      ),
  });
  const { rooms } = gateway;
  const harness: HttpHarness = {
    gateway,
    data,
    errors,
    url: `http://${gateway.http.host}:${gateway.http.port}`,
    async apply(yaml) {
      await rooms.resources.apply(parseResources(yaml), {
        name: 'test',
        kind: 'system',
        keyId: rooms.bootId,
      });
    },
    async token(name) {
      const owner = await rooms.identity.principals.findByName(name);
      if (owner === undefined) throw new Error(`nobody is called ${name}`);
      const request = { name: 'test', lifetimeMs: 3_600_000, createdBy: undefined };
      return (await rooms.identity.tokens.createToken(owner, request)).token.reveal();
    },
    async log() {
      const reader = new LogReader(loaded.ledger.directory);
      const events: LoggedEvent[] = [];
      for await (const { leaf, sealed } of reader.leaves(0, rooms.ledger.size)) {
        const parsed = parseLeaf(leaf);
        if (parsed.kind !== 'leaf') throw new Error(`leaf of version ${parsed.v}`);
        const body = await openStoredBody(parsed.leaf, sealed, rooms.keys);
        events.push({ leaf: parsed.leaf, body: body === undefined ? {} : bodyValues(body) });
      }
      return events;
    },
    async finishedLog() {
      for (const session of gateway.sessions.list()) session.endWhenIdle({ reason: 'the test looks' });
      await Promise.all(gateway.sessions.list().map((session) => session.closed));
      return harness.log();
    },
    async [Symbol.asyncDispose]() {
      await gateway.close('the test is over');
      await rm(data, { recursive: true, force: true });
    },
  };
  return harness;
}

export interface Upstream {
  readonly url: string;
  readonly port: number;
  readonly server: Server;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A plain HTTP/1.1 target. */
export async function startUpstream(listener: RequestListener): Promise<Upstream> {
  const server = createServer({ keepAliveTimeout: 30_000 }, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    server,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A connection `api` to a plain target, with a bearer credential. */
export function plainConnection(url: string, more = ''): string {
  return `
kind: Connection
name: api
protocol: http
target: { url: '${url}', tls: disable }
credential: { scheme: bearer, password: { env: API_SECRET } }
${more}`;
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Sends bytes as they are; everything that comes back until the peer closes, or for so long. */
export function rawExchange(url: string, bytes: string | Uint8Array, waitMs = 3_000): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    const received: Buffer[] = [];
    const done = (): void => {
      socket.destroy();
      resolve(Buffer.concat(received).toString('latin1'));
    };
    const timer = setTimeout(done, waitMs);
    socket.on('data', (chunk) => received.push(chunk));
    socket.on('error', (error) => {
      clearTimeout(timer);
      if (received.length > 0) done();
      else reject(error);
    });
    socket.on('close', () => {
      clearTimeout(timer);
      done();
    });
    socket.write(bytes);
  });
}
