/** A target that takes a statement and never says another word. */

import { createServer, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { LIMITS } from '../../packages/gateway/src/core/limits.ts';
import { encodeBackend } from '../../packages/gateway/src/protocols/postgres/encode.ts';
import { BareClient, startupMessage } from './bare-client.ts';
import { startHarness } from './harness.ts';
import { query } from './two-sides.ts';

const { orphanedStatementMs } = LIMITS.postgres;

afterEach(() => {
  Object.assign(LIMITS.postgres, { orphanedStatementMs });
});

it('keeps the session of a client that left no longer than the limit', async () => {
  // A day is too long for a test.
  Object.assign(LIMITS.postgres, { orphanedStatementMs: 1 });
  await using harness = await startHarness({ postgres: { settings: { fsync: 'off' } } });
  const sockets: Socket[] = [];
  const { promise: heard, resolve: hear } = Promise.withResolvers<void>();
  const silent = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => {
      const ready = encodeBackend({ kind: 'ReadyForQuery', status: 'I' });
      socket.write(Buffer.concat([encodeBackend({ kind: 'AuthenticationOk' }), ready]));
      socket.once('data', () => hear());
    });
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', () => resolve()));
  const address = silent.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await harness.apply(
    `kind: Connection\nname: silent\nprotocol: postgres\ntarget: { host: 127.0.0.1, port: ${port}, database: d, tls: disable }\ncredential: { user: u, password: { env: DB_PASSWORD } }\n---\nkind: Access\nname: silent\nwho: [ana]\nto: [silent]\n`,
  );
  const password = await harness.token('ana');
  const client = await BareClient.open(harness.gateway.postgres.port);
  client.send(
    startupMessage(0x30000, [
      ['user', 'ana'],
      ['database', 'silent'],
    ]),
  );
  await client.login({ password, mechanism: 'SCRAM-SHA-256', channelBinding: { kind: 'none' } });
  client.send(query('select 1'));
  await heard;
  client.socket.end();
  const log = await harness.finishedLog();
  expect(log.findLast(({ leaf }) => leaf.type === 'statement.outcome')?.leaf.status).toBe('unknown');
  const end = log.findLast(({ leaf }) => leaf.type === 'session.end');
  expect(end?.leaf.status).toBe('failed');
  expect(end?.body['error']).toContain('has not answered since its client left');
  for (const socket of sockets) socket.destroy();
  silent.close();
});
