/**
 * SCRAM-SHA-256-PLUS on both legs: real psql towards the gateway, the gateway towards real PostgreSQL,
 * and somebody in the middle of either.
 */

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findSystemPostgres } from '../../examples/demo/postgres-binaries.ts';
import { startPostgres } from '../../examples/demo/postgres-server.ts';
import {
  type ClientSocket,
  certificateEndPoint,
} from '../../packages/gateway/src/listeners/client-socket.ts';
import { PostgresListener } from '../../packages/gateway/src/listeners/postgres-listener.ts';
import { selfSignedCertificate } from '../../packages/gateway/src/listeners/self-signed.ts';
import { encodeBackend } from '../../packages/gateway/src/protocols/postgres/encode.ts';
import { requirePresent } from '../real/require-present.ts';
import { BareClient, fieldsOf, SSL_REQUEST, startupMessage } from './bare-client.ts';
import { type Harness, startHarness } from './harness.ts';
import { startMiddle } from './tls-in-the-middle.ts';

const run = promisify(execFile);
const hasPsql = requirePresent('psql', existsSync('/usr/bin/psql'));
const hasOpenssl = requirePresent('openssl', existsSync('/usr/bin/openssl'));
const systemBin = await findSystemPostgres();
const hasSystem = requirePresent('PostgreSQL of the machine', systemBin !== undefined);

const certificate = makeCertificate();
const other = makeCertificate();

let harness: Harness;
let token: string;

function makeCertificate(): { readonly cert: string; readonly key: string } {
  return selfSignedCertificate({
    names: ['localhost'],
    nowMs: Date.now(),
    randomBytes: (length) => new Uint8Array(randomBytes(length)),
  });
}

beforeAll(async () => {
  harness = await startHarness({ postgres: { ssl: certificate, settings: { fsync: 'off' } } });
  token = await harness.token('ana');
}, 60_000);

afterAll(() => harness?.[Symbol.asyncDispose]());

/** What psql prints, or what it complains of. */
async function psql(port: number, conninfo: string, script = 'select 6 * 7'): Promise<string> {
  const args = ['-X', '-A', '-t', `host=127.0.0.1 port=${port} user=ana ${conninfo}`, '-c', script];
  const env = { ...process.env, PGPASSWORD: token, PGCONNECT_TIMEOUT: '10' };
  try {
    return (await run('psql', args, { env, timeout: 20_000 })).stdout.trim();
  } catch (error) {
    return String((error as { stderr?: unknown }).stderr);
  }
}

async function lastLogin(): Promise<Readonly<Record<string, unknown>>> {
  const found = (await harness.log()).findLast(({ leaf }) => leaf.type === 'auth.login');
  return { status: found?.leaf.status, method: found?.body['method'], failure: found?.body['failure'] };
}

describe.skipIf(!hasPsql)('between a client and the gateway', () => {
  it('psql that requires it gets it, and the log says so', async () => {
    const { port } = harness.gateway.postgres;
    expect(await psql(port, 'dbname=db sslmode=require channel_binding=require')).toBe('42');
    expect(await lastLogin()).toMatchObject({ status: 'ok', method: 'scram-sha-256-plus' });
    expect(await psql(port, 'dbname=db sslmode=require channel_binding=disable')).toBe('42');
    expect(await lastLogin()).toMatchObject({ status: 'ok', method: 'scram-sha-256' });
    expect(await psql(port, 'dbname=db sslmode=disable')).toBe('42');
    expect(await psql(port, 'dbname=db sslmode=disable channel_binding=require')).toContain(
      'channel binding',
    );
  });

  it('somebody with another certificate does not get through, and that is recorded', async () => {
    await using middle = await startMiddle({
      ...other,
      port: harness.gateway.postgres.port,
      hidesPlus: false,
    });
    for (const binding of ['require', 'prefer']) {
      const said = await psql(middle.port, `dbname=db sslmode=require channel_binding=${binding}`);
      expect(said).toContain('SCRAM channel binding failed: it is for another certificate');
      expect(await lastLogin()).toMatchObject({
        status: 'failed',
        method: 'scram-sha-256-plus',
        failure: 'channel binding: it is for another certificate',
      });
    }
    // Who does not look cannot be protected: this is what channel binding is for.
    expect(await psql(middle.port, 'dbname=db sslmode=require channel_binding=disable')).toBe('42');
  });

  it('somebody who hides the offer does not get through, and that is recorded', async () => {
    await using middle = await startMiddle({
      ...other,
      port: harness.gateway.postgres.port,
      hidesPlus: true,
    });
    expect(await psql(middle.port, 'dbname=db sslmode=require channel_binding=require')).toContain(
      'channel binding',
    );
    const said = await psql(middle.port, 'dbname=db sslmode=require channel_binding=prefer');
    expect(said).toContain('the client was not shown that it is offered');
    expect(await lastLogin()).toMatchObject({
      status: 'failed',
      failure: 'channel binding: the client was not shown that it is offered',
    });
  });

  it('a client may keep its first message until it is asked for it', async () => {
    const client = await BareClient.open(harness.gateway.postgres.port);
    client.send(SSL_REQUEST);
    await client.read(1);
    const tls = await client.startTls();
    const raw = tls.getPeerX509Certificate()?.toString() ?? '';
    const data = certificateEndPoint(raw) ?? new Uint8Array(0);
    client.send(
      startupMessage(0x30000, [
        ['user', 'ana'],
        ['database', 'db'],
      ]),
    );
    const choice = {
      password: token,
      mechanism: 'SCRAM-SHA-256-PLUS',
      channelBinding: { kind: 'tls-server-end-point', data },
      waits: true,
    } as const;
    expect((await client.login(choice)).at(-1)?.type).toBe('Z');
    client.destroy();
  });
});

/** A session of one who is known: ready, and an empty answer to whatever is asked. */
async function answerNothing({ socket }: ClientSocket): Promise<void> {
  const ready = encodeBackend({ kind: 'ReadyForQuery', status: 'I' });
  socket.write(Buffer.concat([encodeBackend({ kind: 'AuthenticationOk' }), ready]));
  socket.on('data', (chunk: Buffer) => {
    if (chunk.toString('latin1', 0, 1) === 'Q') {
      socket.write(Buffer.concat([encodeBackend({ kind: 'EmptyQueryResponse' }), ready]));
    } else socket.end();
  });
}

describe.skipIf(!hasPsql || !hasOpenssl)(
  'the hash of a listener’s certificate is the one that libpq takes',
  () => {
    const RSA = ['-newkey', 'rsa:2048'];
    const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
    const PSS = ['-sigopt', 'rsa_padding_mode:pss'];

    it.each<[string, readonly string[], boolean]>([
      ['RSA with SHA-1', [...RSA, '-sha1'], true],
      ['RSA with SHA-384', [...RSA, '-sha384'], true],
      ['RSASSA-PSS with SHA-512', [...RSA, '-sha512', ...PSS], true],
      ['ECDSA with SHA-512', [...EC, '-sha512'], true],
      ['ECDSA with SHA3-256, which libpq cannot name', [...EC, '-sha3-256'], false],
      ['Ed25519, which has none', ['-newkey', 'ed25519'], false],
    ])('%s', async (_, options, offered) => {
      const { cert, key } = await opensslCertificate(options);
      const { rooms, sessions } = harness.gateway;
      const listener = new PostgresListener({
        host: '127.0.0.1',
        port: 0,
        tls: {
          mode: 'required',
          context: createSecureContext({ cert, key }),
          endPoint: certificateEndPoint(cert),
        },
        identity: rooms.identity.identity,
        sessions,
        randomBytes: (length) => new Uint8Array(randomBytes(length)),
        runSession: answerNothing,
        onError: () => undefined,
      });
      const { port } = await listener.listen();
      const required = await psql(port, 'dbname=db sslmode=require channel_binding=require', ';');
      expect(required).toContain(offered ? '' : 'channel binding is required');
      expect(required === '').toBe(offered);
      expect(await psql(port, 'dbname=db sslmode=require', ';')).toBe('');
      expect(await lastLogin()).toMatchObject({
        status: 'ok',
        method: offered ? 'scram-sha-256-plus' : 'scram-sha-256',
      });
      await listener.close();
    });
  },
);

async function opensslCertificate(
  options: readonly string[],
): Promise<{ readonly cert: string; readonly key: string }> {
  const place = await mkdtemp(join(tmpdir(), 'countersign-certificate-'));
  try {
    const files = ['-keyout', join(place, 'key'), '-out', join(place, 'cert')];
    const san = ['-addext', 'subjectAltName=DNS:localhost'];
    await run('openssl', ['req', '-x509', '-nodes', '-subj', '/CN=localhost', ...options, ...san, ...files]);
    return {
      cert: await readFile(join(place, 'cert'), 'utf8'),
      key: await readFile(join(place, 'key'), 'utf8'),
    };
  } finally {
    await rm(place, { recursive: true });
  }
}

/** The last frame of a login over this connection of the gateway. */
async function arrive(name: string): Promise<string> {
  const client = await BareClient.open(harness.gateway.postgres.port);
  client.send(
    startupMessage(0x30000, [
      ['user', 'ana'],
      ['database', name],
    ]),
  );
  const frames = await client.login({
    password: token,
    mechanism: 'SCRAM-SHA-256',
    channelBinding: { kind: 'none' },
  });
  const last = frames.at(-1);
  client.destroy();
  return last?.type === 'Z' ? 'ready' : (fieldsOf(last)['M'] ?? '');
}

/** A connection to a port of localhost, which trusts these certificates, with more options. */
async function connection(name: string, port: number, ca: readonly string[], more: string): Promise<void> {
  const target = `{ host: localhost, port: ${port}, database: postgres, ca: ${JSON.stringify(ca.join(''))}${more} }`;
  await harness.apply(
    `kind: Connection\nname: ${name}\nprotocol: postgres\ntarget: ${target}\ncredential: { user: postgres, password: { env: DB_PASSWORD } }\n---\nkind: Access\nname: ${name}\nwho: [ana]\nto: [${name}]\n`,
  );
}

describe('between the gateway and a target', () => {
  it('is used where it is required, preferred or not wanted', async () => {
    const { port } = harness.server;
    for (const binding of ['require', 'prefer', 'disable']) {
      await connection(`cb-${binding}`, port, [certificate.cert], `, channelBinding: ${binding}`);
      expect(await arrive(`cb-${binding}`)).toBe('ready');
      const started = (await harness.log()).findLast(({ leaf }) => leaf.type === 'session.start');
      expect(started?.body['target_tls']).toBe('verify-full');
    }
  });

  it('somebody with another certificate, even one that is trusted, does not get through', async () => {
    await using middle = await startMiddle({ ...other, port: harness.server.port, hidesPlus: false });
    const trusted = [other.cert];
    for (const binding of ['require', 'prefer']) {
      await connection(`mitm-${binding}`, middle.port, trusted, `, channelBinding: ${binding}`);
      // It is the target that finds out, and its words that arrive.
      expect(await arrive(`mitm-${binding}`)).toBe('SCRAM channel binding check failed');
    }
    await connection('mitm-disable', middle.port, trusted, ', channelBinding: disable');
    expect(await arrive('mitm-disable')).toBe('ready');
    await connection('mitm-untrusted', middle.port, [certificate.cert], '');
    expect(await arrive('mitm-untrusted')).toMatch(/self-signed certificate/);
    expect(middle.count()).toBe(4);
  });

  it('somebody who hides the offer does not get through', async () => {
    await using middle = await startMiddle({ ...other, port: harness.server.port, hidesPlus: true });
    await connection('hidden-require', middle.port, [other.cert], ', channelBinding: require');
    expect(await arrive('hidden-require')).toMatch(/requires channel binding, and it asks for SCRAM-SHA-256/);
    await connection('hidden-prefer', middle.port, [other.cert], '');
    expect(await arrive('hidden-prefer')).toBe('SCRAM channel binding negotiation error');
  });

  it.skipIf(!hasOpenssl)(
    'does without where the certificate names no hash, unless it is required',
    async () => {
      const ed25519 = await opensslCertificate(['-newkey', 'ed25519']);
      await using server = await startPostgres({ ssl: ed25519, settings: { fsync: 'off' } });
      await setPassword(server);
      await connection('ed-prefer', server.port, [ed25519.cert], '');
      expect(await arrive('ed-prefer')).toBe('ready');
      await connection('ed-require', server.port, [ed25519.cert], ', channelBinding: require');
      expect(await arrive('ed-require')).toMatch(/its certificate names no hash/);
    },
  );

  it('is refused at apply where there is no TLS', async () => {
    for (const [name, more] of [
      ['channelBinding', 'require'],
      ['tlsNegotiation', 'direct'],
    ]) {
      await expect(connection('none', 1, [other.cert], `, tls: disable, ${name}: ${more}`)).rejects.toThrow(
        new RegExp(`${name}: ${more} needs TLS`),
      );
    }
  });

  it('direct TLS works with PostgreSQL 18, and protocol 3.0 too', async () => {
    await connection('direct', harness.server.port, [certificate.cert], ', tlsNegotiation: direct');
    expect(await arrive('direct')).toBe('ready');
    await connection('old', harness.server.port, [certificate.cert], ', maxProtocolVersion: "3.0"');
    expect(await arrive('old')).toBe('ready');
  });

  it.skipIf(!hasSystem)('an older PostgreSQL: binding, negotiation down to 3.0, no direct TLS', async () => {
    await using server = await startPostgres({
      version: systemBin ?? '',
      ssl: certificate,
      settings: { fsync: 'off' },
    });
    await setPassword(server);
    await connection('older', server.port, [certificate.cert], ', channelBinding: require');
    expect(await arrive('older')).toBe('ready');
    await connection('older-direct', server.port, [certificate.cert], ', tlsNegotiation: direct');
    expect(await arrive('older-direct')).toMatch(/cannot be reached/);
  });
});

/** The password that the gateway has, for a server of its own. */
async function setPassword(server: Awaited<ReturnType<typeof startPostgres>>): Promise<void> {
  const { Client } = await import('pg');
  const { port, password } = server;
  const client = new Client({ host: '127.0.0.1', port, user: 'postgres', password, database: 'postgres' });
  await client.connect();
  await client.query(`alter role postgres password '${harness.server.password}'`);
  await client.end();
}
