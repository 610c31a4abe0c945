/** FunctionCall, which PostgreSQL still answers: the same as without the gateway, and in the log. */

import { afterAll, beforeAll, expect, it } from 'vitest';
import { BareClient, startupMessage } from './bare-client.ts';
import { type Side, startTwoSides, told, type TwoSides } from './two-sides.ts';

/** `abs(integer)` in pg_proc, and one that is not there. */
const ABS = 1397;
const NOTHING = 4_000_000_000;

let sides: TwoSides;

beforeAll(async () => {
  sides = await startTwoSides();
}, 60_000);

afterAll(() => sides?.[Symbol.asyncDispose]());

/** PostgreSQL 18, "FunctionCall", with one format for all values. */
function functionCall(oid: number, format: number, values: readonly (Uint8Array | null)[]): Buffer {
  const parts: Buffer[] = [int32(oid), int16(1), int16(format), int16(values.length)];
  for (const value of values) {
    parts.push(int32(value === null ? 0xffff_ffff : value.length), Buffer.from(value ?? []));
  }
  const body = Buffer.concat([...parts, int16(format)]);
  return Buffer.concat([Buffer.from('F'), int32(body.length + 4), body]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value, 0);
  return bytes;
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value, 0);
  return bytes;
}

/** What is answered to each call, up to its ReadyForQuery. */
async function answers(side: Side, calls: readonly Uint8Array[]): Promise<string[]> {
  const client = await BareClient.open(side.port);
  const own = [['user', side.user] as const, ['database', side.database] as const];
  client.send(startupMessage(0x30000, own));
  await client.login(side.scram);
  const said: string[] = [];
  for (const call of calls) {
    client.send(call);
    for (;;) {
      const frame = await client.frame();
      if (frame === undefined) return [...said, 'closed'];
      said.push(told(frame));
      if (frame.type === 'Z') break;
    }
  }
  client.destroy();
  return said;
}

it('is answered as PostgreSQL answers it, and each is a leaf with its values', async () => {
  const calls = [
    functionCall(ABS, 0, [Buffer.from('-5')]),
    functionCall(ABS, 1, [int32(0xffff_fff0)]),
    functionCall(ABS, 0, [null]),
    functionCall(ABS, 0, [Buffer.from('x')]),
    functionCall(NOTHING, 0, []),
    functionCall(ABS, 0, []),
  ];
  const gated = await answers(sides.through, calls);
  expect(gated).toEqual(await answers(sides.direct, calls));
  expect(gated.slice(0, 2)).toEqual(['V \0\0\0\x015', 'Z I']);
  const log = await sides.harness.finishedLog();
  const intents = log.filter(({ body }) => body['protocol_message'] === 'FunctionCall');
  expect(intents.length).toBe(calls.length);
  expect(intents[0]?.body).toMatchObject({ function_oid: ABS, parameters: [{ text: '-5' }] });
  const outcomes = log.filter(({ leaf }) => leaf.type === 'statement.outcome').map(({ leaf }) => leaf.status);
  expect(outcomes).toEqual(['ok', 'ok', 'ok', 'error', 'error', 'error']);
});
