/** An error of the gateway's own stands between two frames, never inside of one that the client has half of. */

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeBackend } from '../../packages/gateway/src/protocols/postgres/encode.ts';
import { BareClient, startupMessage } from './bare-client.ts';
import { type Harness, startHarness } from './harness.ts';
import { query } from './two-sides.ts';

const GREETING = Buffer.concat([
  encodeBackend({ kind: 'AuthenticationOk' }),
  encodeBackend({ kind: 'ReadyForQuery', status: 'I' }),
]);
const DESCRIPTION = encodeBackend({ kind: 'RowDescription', fields: [] });
const ROW = encodeBackend({ kind: 'DataRow', values: [Buffer.alloc(1_000, 'v')] });
/** Nothing in a simple Query is answered by it. */
const UNASKED = encodeBackend({ kind: 'BindComplete' });

let harness: Harness;
let target: Server;
let sockets: Socket[];

beforeAll(async () => {
  harness = await startHarness({ postgres: { settings: { fsync: 'off' } } });
  sockets = [];
  target = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write(GREETING);
      socket.on('data', () => target.emit('asked', socket));
    });
  });
  target.listen(0, '127.0.0.1');
  await once(target, 'listening');
  const address = target.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await harness.apply(
    `kind: Connection\nname: half\nprotocol: postgres\ntarget: { host: 127.0.0.1, port: ${port}, database: d, tls: disable }\ncredential: { user: u, password: { env: DB_PASSWORD } }\n---\nkind: Access\nname: half\nwho: [ana]\nto: [half]\n`,
  );
}, 60_000);

afterAll(async () => {
  for (const socket of sockets ?? []) socket.destroy();
  target?.close();
  await harness?.[Symbol.asyncDispose]();
});

/** A client that has asked something, and the target's side of it. */
async function asked(): Promise<{ client: BareClient; socket: Socket }> {
  const password = await harness.token('ana');
  const client = await BareClient.open(harness.gateway.postgres.port);
  client.send(
    startupMessage(0x30000, [
      ['user', 'ana'],
      ['database', 'half'],
    ]),
  );
  await client.login({ password, mechanism: 'SCRAM-SHA-256', channelBinding: { kind: 'none' } });
  const heard = once(target, 'asked');
  client.send(query('select 1'));
  const [socket] = (await heard) as [Socket];
  return { client, socket };
}

/** Why a session ends, given its target and what the client has. */
type Ending = (socket: Socket, rest: Uint8Array) => void;

const ENDINGS: readonly (readonly [string, Ending, RegExp])[] = [
  [
    'an administrator ends the session',
    () => harness.gateway.sessions.endWhere(() => true, { reason: 'the test says so' }),
    /the test says so/,
  ],
  [
    'the target breaks the protocol in the write that completes the frame',
    (socket, rest) => socket.write(Buffer.concat([rest, UNASKED])),
    /sent a message of type 0x32/,
  ],
];

it.each(ENDINGS)('half a row and no error, where %s', async (_, end) => {
  const { client, socket } = await asked();
  const half = Buffer.concat([DESCRIPTION, ROW.subarray(0, 500)]);
  socket.write(half);
  expect(await client.read(half.length)).toEqual(half);
  end(socket, ROW.subarray(500));
  expect((await client.rest()).toString('latin1')).toBe('');
  await harness.finishedLog();
});

it.each(ENDINGS)('half a header and no error, where %s', async (_, end) => {
  const { client, socket } = await asked();
  const half = Buffer.concat([DESCRIPTION, ROW.subarray(0, 3)]);
  socket.write(half);
  expect(await client.read(half.length)).toEqual(half);
  end(socket, ROW.subarray(3));
  expect((await client.rest()).toString('latin1')).toBe('');
  await harness.finishedLog();
});

it.each(ENDINGS)('a whole row, then the error, where %s', async (_, end, says) => {
  const { client, socket } = await asked();
  const whole = Buffer.concat([DESCRIPTION, ROW]);
  socket.write(whole);
  expect(await client.read(whole.length)).toEqual(whole);
  end(socket, new Uint8Array(0));
  const error = await client.frame();
  expect(error?.type).toBe('E');
  expect(error?.body.toString('latin1')).toMatch(says);
  expect((await client.rest()).length).toBe(0);
  await harness.finishedLog();
});
