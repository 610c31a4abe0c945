/** A client that asks, and closes its side, before it was greeted: what it sent still runs, as without a gateway. */

import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { decodeAuthentication } from '../../packages/gateway/src/protocols/postgres/authentication.ts';
import { ByteReader } from '../../packages/gateway/src/protocols/postgres/byte-reader.ts';
import {
  encodeSASLInitialResponse,
  encodeSASLResponse,
} from '../../packages/gateway/src/protocols/postgres/encode.ts';
import { ScramClient } from '../../packages/gateway/src/protocols/postgres/scram.ts';
import { BareClient, startupMessage } from './bare-client.ts';
import { query, type Side, startTwoSides } from './two-sides.ts';

/** The types of all messages from AuthenticationOk on, of a client whose last flight has everything. */
async function types(side: Side, text: string): Promise<string> {
  const client = await BareClient.open(side.port);
  client.send(
    startupMessage(0x30000, [
      ['user', side.user],
      ['database', side.database],
    ]),
  );
  const scram = new ScramClient(side.scram.password, randomBytes(18).toString('base64'));
  await client.frame();
  client.send(encodeSASLInitialResponse('SCRAM-SHA-256', scram.start()));
  const asked = await client.frame();
  const message = decodeAuthentication(new ByteReader(asked?.body ?? Buffer.alloc(0), 'Authentication'));
  if (message.kind !== 'AuthenticationSASLContinue') throw new Error(`got ${message.kind}`);
  client.send(encodeSASLResponse(scram.continue(message.data)), query(text));
  client.socket.end();
  let all = '';
  for (let frame = await client.frame(); frame !== undefined; frame = await client.frame()) all += frame.type;
  return all;
}

it('runs what came with the password, and the goodbye behind it', async () => {
  await using sides = await startTwoSides();
  const direct = await types(sides.direct, 'create table public.eager()');
  expect(direct).toMatch(/^R+S+KZCZ$/);
  expect(await types(sides.through, 'drop table public.eager')).toBe(direct);
  const log = await sides.harness.finishedLog();
  expect(log.findLast(({ leaf }) => leaf.type === 'statement.outcome')?.leaf.status).toBe('ok');
  expect(log.findLast(({ leaf }) => leaf.type === 'session.end')?.leaf.status).toBe('ok');
});
