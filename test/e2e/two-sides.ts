/** The same dialogue with PostgreSQL itself and with the gateway in front of it. */

import { randomBytes } from 'node:crypto';
import { selfSignedCertificate } from '../../packages/gateway/src/listeners/self-signed.ts';
import { BareClient, fieldsOf, type Frame, type ScramChoice, startupMessage } from './bare-client.ts';
import { type Harness, startHarness } from './harness.ts';

/** A name and a value, as text or as the bytes that are sent. */
export type Pair = readonly [string | Uint8Array, string | Uint8Array];

/** Where a dialogue is held. */
export interface Side {
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly scram: ScramChoice;
}

/** A PostgreSQL that has TLS, the gateway in front of it, and how to come in at either. */
export interface TwoSides {
  readonly harness: Harness;
  readonly direct: Side;
  readonly through: Side;
  [Symbol.asyncDispose](): Promise<void>;
}

/** @param version as startPostgres takes it */
export async function startTwoSides(version = 'embedded'): Promise<TwoSides> {
  const certificate = selfSignedCertificate({
    names: ['localhost'],
    nowMs: Date.now(),
    randomBytes: (length) => new Uint8Array(randomBytes(length)),
  });
  const harness = await startHarness({
    postgres: { version, ssl: certificate, settings: { fsync: 'off' } },
  });
  const plain = { mechanism: 'SCRAM-SHA-256', channelBinding: { kind: 'none' } } as const;
  const { server, gateway } = harness;
  const token = await harness.token('ana');
  return {
    harness,
    direct: {
      port: server.port,
      user: 'postgres',
      database: 'postgres',
      scram: { ...plain, password: server.password },
    },
    through: {
      port: gateway.postgres.port,
      user: 'ana',
      database: 'db',
      scram: { ...plain, password: token },
    },
    [Symbol.asyncDispose]: () => harness[Symbol.asyncDispose](),
  };
}

/** A frame as text: an error without the place in the source that PostgreSQL adds. */
export function told({ type, body }: Frame): string {
  if (type !== 'E') return `${type} ${body.toString('latin1')}`;
  const { F: _file, L: _line, R: _routine, D: _detail, ...fields } = fieldsOf({ type, body });
  return `E ${JSON.stringify(fields)}`;
}

/** A simple query. */
export function query(text: string): Buffer {
  const body = Buffer.from(`${text}\0`);
  const head = Buffer.alloc(5, 'Q');
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** Logs in, runs statements, and gives every frame from AuthenticationOk on; keys by their length. */
export async function login(
  side: Side,
  parameters: readonly Pair[],
  statements: readonly string[] = [],
  version = 0x0003_0000,
): Promise<string[]> {
  const client = await BareClient.open(side.port);
  const own: Pair[] = [
    ['user', side.user],
    ['database', side.database],
  ];
  client.send(startupMessage(version, [...own, ...parameters]));
  const frames = await client.login(side.scram);
  for (const statement of statements) {
    if (frames.at(-1)?.type !== 'Z') break;
    client.send(query(statement));
    frames.push(...(await client.login()));
  }
  client.destroy();
  const ok = frames.findIndex(({ type, body }) => type === 'R' && body.readUInt32BE(0) === 0);
  return frames.slice(Math.max(ok, 0)).map(({ type, body }) => {
    if (type === 'K') return `K ${body.length}`;
    return `${type} ${body.toString('latin1')}`;
  });
}
