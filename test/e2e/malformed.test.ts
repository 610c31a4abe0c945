/** What the target refuses to read is in the log with all of its bytes before the target gets one of them. */

import { afterAll, beforeAll, expect, it } from 'vitest';
import { bind, describe, execute, FLUSH, frame, parse, query, SYNC } from '../differential/frames.ts';
import { type Harness, startHarness } from './harness.ts';
import { rawSession } from './raw-session.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await startHarness();
}, 60_000);

afterAll(() => harness?.[Symbol.asyncDispose]());

const ENDLESS = Buffer.from('select secret()');
const TRAILING = Buffer.from('\0\0\0\0\0\0\0\0x', 'latin1');

function binary(bytes: Uint8Array): unknown {
  return [{ binary: Buffer.from(bytes).toString('base64') }];
}

it('a malformed message is an intent with its bytes, and an outcome with the error of the target', async () => {
  const session = await rawSession(harness, await harness.token('ana'));
  const frames = [
    frame('Q', ENDLESS),
    parse('', 'select 1'),
    SYNC,
    frame('B', TRAILING),
    execute(),
    SYNC,
    frame('S', Buffer.of(1)),
    bind('', ''),
    execute(),
    frame('H', Buffer.of(2)),
    describe('P'),
    FLUSH,
    SYNC,
  ];
  await session.send(frames, 5);
  await session.close();
  const log = await harness.finishedLog();
  const intents = log.filter(({ leaf }) => leaf.type === 'statement.intent');
  const outcomes = new Map(
    log
      .filter(({ leaf }) => leaf.type === 'statement.outcome')
      .map(({ leaf, body }) => [leaf.ref, { leaf, body }]),
  );
  const told = intents.map(({ leaf, body }) => ({
    message: body['protocol_message'],
    malformed: body['malformed'],
    sql: body['sql'],
    parameters: body['parameters'],
    status: outcomes.get(leaf.n)?.leaf.status,
    sqlstate: outcomes.get(leaf.n)?.body['sqlstate'],
  }));
  const refused = { status: 'error', sqlstate: '08P01', sql: undefined };
  expect(told).toEqual([
    {
      ...refused,
      message: 'Query',
      malformed: 'The peer broke the protocol: Query has a string without its zero byte.',
      parameters: binary(ENDLESS),
    },
    {
      ...refused,
      message: 'Bind',
      malformed: 'The peer broke the protocol: Bind has 1 bytes too many.',
      parameters: binary(TRAILING),
    },
    // The Execute behind it is not even sent: the target skips it.
    {
      ...refused,
      message: 'Sync',
      malformed: 'The peer broke the protocol: Sync has 1 bytes too many.',
      parameters: binary(Buffer.of(1)),
    },
    // What was refused has changed no name.
    { message: 'Execute', malformed: undefined, sql: 'select 1', parameters: undefined, status: 'ok' },
    {
      ...refused,
      message: 'Flush',
      malformed: 'The peer broke the protocol: Flush has 1 bytes too many.',
      parameters: binary(Buffer.of(2)),
    },
  ]);
});

it('behind a malformed message, each leaf has the text that ran', async () => {
  const before = (await harness.finishedLog()).length;
  const session = await rawSession(harness, await harness.token('ana'));
  // The portal of the last Execute is not there, and what runs behind the error is known all the same.
  const frames = [
    parse('', 'select 1'),
    frame('Q', ENDLESS),
    execute('none'),
    SYNC,
    parse('s', 'select 2'),
    SYNC,
    frame('Q', ENDLESS),
    bind('', 's'),
    execute(),
    SYNC,
  ];
  await session.send(frames, 5);
  await session.close();
  const log = (await harness.finishedLog()).slice(before);
  const executes = log
    .filter(({ leaf, body }) => leaf.type === 'statement.intent' && body['protocol_message'] === 'Execute')
    .map(({ leaf, body }) => ({
      sql: body['sql'],
      status: log.find((other) => other.leaf.type === 'statement.outcome' && other.leaf.ref === leaf.n)?.leaf
        .status,
    }));
  expect(executes).toEqual([
    { sql: undefined, status: 'error' },
    { sql: 'select 2', status: 'ok' },
  ]);
});

it.each([
  ['an unknown type', Buffer.from('z'), 'invalid frontend message type 122'],
  [
    'a length that cannot be',
    Buffer.from('Q\0\0\0\x03select 1\0', 'latin1'),
    'a message declares the length 3',
  ],
])('%s ends the session as failed, with the reason, and runs nothing', async (_, bytes, reason) => {
  const before = (await harness.finishedLog()).length;
  const session = await rawSession(harness, await harness.token('ana'));
  await session.send([query('select 7'), bytes, query('select 8')], 99);
  expect(session.over).toBe(true);
  const log = (await harness.finishedLog()).slice(before);
  const ran = log.filter(({ leaf }) => leaf.type === 'statement.intent').map(({ body }) => body['sql']);
  expect(ran).toEqual(['select 7']);
  const end = log.findLast(({ leaf }) => leaf.type === 'session.end');
  expect(end?.leaf.status).toBe('failed');
  expect(end?.body).toMatchObject({ reason: 'PROTOCOL_VIOLATION', error: expect.stringContaining(reason) });
});
