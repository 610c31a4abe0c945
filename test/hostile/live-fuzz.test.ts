/**
 * Hostile bytes against a gateway that lives: from a client to a real PostgreSQL, and from a target to a
 * real client. It neither ends nor hangs, keeps no session, and leaves no intent without its outcome.
 */

import { EventEmitter } from 'node:events';
import { randomInt } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import { encodeBackend } from '../../packages/gateway/src/protocols/postgres/encode.ts';
import { encodeStartupPacket } from '../../packages/gateway/src/protocols/postgres/startup.ts';
import { mutate, Random, split } from '../fuzz/random.ts';
import {
  liarFrame,
  randomBackend,
  randomFrontend,
  randomStartup,
  recordedFrames,
  recordedSessions,
} from '../fuzz/wire-inputs.ts';
import { startVictim, type Victim } from './victim-process.ts';
import { RefusedError, Wire } from './wire.ts';

const SOAK = process.env['COUNTERSIGN_SOAK'] !== undefined;
const RUNS = SOAK ? 4_000 : 120;
const TOGETHER = 6;
/** Whoever has not been answered by now has been forgotten. */
const HANG_MS = 40_000;
const seed = Number(process.env['COUNTERSIGN_SEED'] ?? randomInt(2 ** 31));
const RECORDED = {
  client: recordedFrames(recordedSessions(), true),
  server: recordedFrames(recordedSessions(), false),
};

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres({ settings: { statement_timeout: '2000', fsync: 'off' } });
}, 60_000);

afterAll(() => server[Symbol.asyncDispose]());

/** Runs of a number, some at a time. */
async function many(run: (random: Random) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < RUNS) {
      const index = next++;
      let timer: NodeJS.Timeout | undefined;
      const hang = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(
          () => reject(new Error(`run ${index} of COUNTERSIGN_SEED=${seed} hangs`)),
          HANG_MS,
        );
      });
      // oxlint-disable-next-line no-await-in-loop -- A worker does one after the other.
      await Promise.race([run(new Random(seed, index)), hang]).finally(() => clearTimeout(timer));
    }
  };
  await Promise.all(Array.from({ length: TOGETHER }, worker));
}

/** What must be empty: sessions that live, intents without an outcome, sessions without an end, our own errors. */
async function leftovers(victim: Victim, login: () => Promise<void>): Promise<unknown> {
  if (!victim.alive()) throw new Error('the gateway is dead, or said something');
  await login();
  const { counts, live, unanswered, open, errors } = await victim.finishedLog();
  console.info(`seed ${seed}: ${JSON.stringify(counts)}`);
  return { live, unanswered, open, internal: errors.filter((error) => error.includes('INTERNAL')) };
}

const NOTHING = { live: 0, unanswered: [], open: [], internal: [] };

describe('hostile bytes', () => {
  it('of clients end nothing but their own connection', { timeout: SOAK ? 1_200_000 : 120_000 }, async () => {
    await using victim = await startVictim({
      targetPort: server.port,
      password: server.password,
      connections: ['db'],
      database: 'postgres',
    });
    const who = { user: 'ana', password: victim.token, database: 'db' };
    await many(async (random) => {
      const wire = await Wire.open(victim.port);
      const known = !random.oneIn(4);
      if (known) await wire.login(who);
      const frames = Array.from({ length: 1 + random.below(20) }, () => {
        if (!known) return mutate(encodeStartupPacket(randomStartup(random)), random);
        const frame = random.oneIn(2) ? random.pick(RECORDED.client) : randomFrontend(random);
        return random.oneIn(10) ? liarFrame(mutate(frame, random), random) : frame;
      });
      for (const piece of split(Buffer.concat(frames), random).slice(0, 500)) wire.send(piece);
      leave(wire, random);
      await wire.over;
      wire.destroy();
    });
    const left = await leftovers(victim, async () => {
      const wire = await Wire.open(victim.port);
      await wire.login(who);
      wire.destroy();
    });
    expect(left).toEqual(NOTHING);
  });

  it('of targets end nothing but their own session', { timeout: SOAK ? 1_200_000 : 120_000 }, async () => {
    await using target = await randomTarget();
    await using victim = await startVictim({
      targetPort: target.port,
      password: 'secret',
      connections: ['db'],
    });
    const who = { host: '127.0.0.1', port: victim.port, user: 'ana', password: victim.token, database: 'db' };
    await many(async (random) => {
      const client = new Client(who);
      client.on('error', () => undefined);
      catchWhatTheDriverThrows(client);
      const over = new Promise((resolve) => client.once('end', resolve));
      try {
        await client.connect();
        // A client waits for ever for an answer that a target does not give: so does a person, until they leave.
        const asked = Promise.all([client.query('select 1'), client.query('select $1::int', [1])]);
        await Promise.race([
          asked,
          over,
          new Promise((resolve) => setTimeout(resolve, 20 + random.below(200))),
        ]);
      } catch {
        // Whatever the target said was an error, or nonsense to the driver.
      }
      // The driver's own goodbye waits for answers that may never come.
      streamOf(client).destroy();
      await over;
    });
    const left = await leftovers(victim, async () => {
      const wire = await Wire.open(victim.port);
      await wire.login({ user: 'ana', password: victim.token, database: 'db' }).catch((error: unknown) => {
        if (!(error instanceof RefusedError)) throw error;
      });
      wire.destroy();
    });
    expect(left).toEqual(NOTHING);
  });
});

/** The driver reads beyond a RowDescription that says more than it has, inside of an event. */
function catchWhatTheDriverThrows(client: Client): void {
  const stream = streamOf(client);
  const emit = (event: string | symbol, ...args: unknown[]): boolean => {
    try {
      return EventEmitter.prototype.emit.call(stream, event, ...args);
    } catch {
      stream.destroy();
      return true;
    }
  };
  Object.defineProperty(stream, 'emit', { value: emit });
}

function leave(wire: Wire, random: Random): void {
  const how = random.below(3);
  if (how === 0) wire.socket.destroySoon();
  else if (how === 1) wire.socket.end();
  else setTimeout(() => wire.socket.resetAndDestroy(), random.below(50));
}

function streamOf(client: Client): Socket {
  return (client as unknown as { connection: { stream: Socket } }).connection.stream;
}

/** A target that lets in whoever comes, most of the time, and then answers what it likes. */
async function randomTarget(): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  let number = 0;
  const target: Server = createServer((socket) => {
    const random = new Random(seed + 1, number++);
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    const say = (bytes: Uint8Array): void => {
      for (const piece of split(bytes, random).slice(0, 200)) if (socket.writable) socket.write(piece);
    };
    socket.once('data', () => {
      const greeting = Buffer.concat([
        encodeBackend({ kind: 'AuthenticationOk' }),
        encodeBackend({ kind: 'BackendKeyData', processId: 1, secretKey: new Uint8Array(4) }),
        encodeBackend({ kind: 'ReadyForQuery', status: 'I' }),
      ]);
      const broken = random.oneIn(6);
      say(broken ? mutate(greeting, random) : greeting);
      // The gateway would wait for the rest of a greeting for its 15 s.
      if (broken) setTimeout(() => socket.destroySoon(), 100);
      socket.on('data', () => {
        const frames = Array.from({ length: 1 + random.below(12) }, () => {
          const frame = random.oneIn(2) ? random.pick(RECORDED.server) : randomBackend(random);
          return random.oneIn(10) ? liarFrame(mutate(frame, random), random) : frame;
        });
        say(Buffer.concat(frames));
        if (random.oneIn(4)) socket.destroySoon();
      });
    });
  });
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', () => resolve()));
  const address = target.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => target.close(resolve));
    },
  };
}
