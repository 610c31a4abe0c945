/** What a recording shows of a client's messages, at every cut. */

import { describe, expect, it } from 'vitest';
import { HiddenTexts } from '../../../literals/hidden-texts.ts';
import { readFrontend } from '../../../protocols/postgres/decode.ts';
import { encodeFrontend } from '../../../protocols/postgres/encode.ts';
import { FRAME, FRONTEND_FRAMES, FrameReader } from '../../../protocols/postgres/frames.ts';
import { FRONTEND } from '../../../protocols/postgres/messages.ts';
import { HiddenFrames } from './hidden-frames.ts';

const CANARY = 'kanarie';

function push(pieces: readonly Uint8Array[]): Buffer {
  const frames = new HiddenFrames(new HiddenTexts());
  return Buffer.concat(pieces.map((piece) => frames.push(piece)));
}

function kindsOf(bytes: Uint8Array): readonly string[] {
  const reader = new FrameReader({ ...FRONTEND_FRAMES, except: [] });
  reader.push(bytes);
  const kinds: string[] = [];
  while (reader.next() === FRAME.whole) kinds.push(readFrontend(reader.type, reader.body()).kind);
  return kinds;
}

const bytesOf = (text: string): Buffer => Buffer.from(text);

function malformed(type: number, body: string): Buffer {
  const frame = Buffer.alloc(5 + body.length);
  frame[0] = type;
  frame.writeInt32BE(4 + body.length, 1);
  frame.write(body, 5, 'latin1');
  return frame;
}

const MESSAGES: readonly Uint8Array[] = [
  encodeFrontend({ kind: 'Query', textBytes: bytesOf(`select '${CANARY}'`) }),
  encodeFrontend({
    kind: 'Parse',
    statement: 's',
    textBytes: bytesOf(`select $1, '${CANARY}'`),
    parameterTypeOids: [25],
  }),
  encodeFrontend({
    kind: 'Bind',
    portal: 'p',
    statement: 's',
    valueFormats: [1, 0],
    values: [bytesOf(CANARY), null],
    resultFormats: [1],
  }),
  encodeFrontend({ kind: 'Describe', target: 'P', name: 'p' }),
  encodeFrontend({ kind: 'Execute', portal: 'p', rowsMax: 7 }),
  encodeFrontend({ kind: 'Close', target: 'S', name: 's' }),
  encodeFrontend({
    kind: 'FunctionCall',
    functionOid: 7,
    valueFormats: [],
    values: [bytesOf(CANARY)],
    resultFormat: 1,
  }),
  encodeFrontend({ kind: 'Flush' }),
  encodeFrontend({ kind: 'CopyData', data: bytesOf(`1\t${CANARY}\n`) }),
  encodeFrontend({ kind: 'CopyFail', reasonBytes: bytesOf(CANARY) }),
  encodeFrontend({ kind: 'CopyDone' }),
  malformed(FRONTEND.Bind, CANARY),
  malformed(FRONTEND.Sync, CANARY),
  malformed(FRONTEND.Query, CANARY),
  encodeFrontend({ kind: 'Sync' }),
  encodeFrontend({ kind: 'Terminate' }),
];

describe('HiddenFrames', () => {
  const all = Buffer.concat(MESSAGES);

  it('shows the same messages, and nothing of what is in them', () => {
    const shown = push([all]);
    expect(shown.includes(CANARY)).toBe(false);
    expect(kindsOf(shown)).toEqual(kindsOf(all));
    expect(shown.includes(Buffer.from(encodeFrontend({ kind: 'Execute', portal: 'p', rowsMax: 7 })))).toBe(
      true,
    );
    expect(shown.includes("select $1, '[REDACTED]'")).toBe(true);
  });

  it('shows the same wherever the bytes are cut, and keeps no chunk', () => {
    const whole = push([all]);
    const wrong: number[] = [];
    for (let cut = 0; cut <= all.length; cut += 1) {
      const frames = new HiddenFrames(new HiddenTexts());
      const first = Buffer.from(all.subarray(0, cut));
      const shown = [Buffer.from(frames.push(first))];
      first.fill(0);
      shown.push(Buffer.from(frames.push(all.subarray(cut))));
      if (!Buffer.concat(shown).equals(whole)) wrong.push(cut);
    }
    expect(wrong).toEqual([]);
  });

  it.each([
    ['Query', encodeFrontend({ kind: 'Query', textBytes: bytesOf(CANARY.repeat(200_000)) })],
    [
      'Parse',
      encodeFrontend({
        kind: 'Parse',
        statement: 's',
        textBytes: bytesOf(CANARY.repeat(200_000)),
        parameterTypeOids: [],
      }),
    ],
    [
      'Bind',
      encodeFrontend({
        kind: 'Bind',
        portal: 'p',
        statement: 's',
        valueFormats: [],
        values: [bytesOf(CANARY.repeat(200_000))],
        resultFormats: [],
      }),
    ],
    [
      'FunctionCall',
      encodeFrontend({
        kind: 'FunctionCall',
        functionOid: 7,
        valueFormats: [],
        values: [bytesOf(CANARY.repeat(200_000))],
        resultFormat: 0,
      }),
    ],
  ])('stands in for a large %s', (kind, message) => {
    const shown = push([message.subarray(0, 70_000), message.subarray(70_000)]);
    expect(shown.includes(CANARY)).toBe(false);
    expect(kindsOf(shown)).toEqual([kind]);
    expect(shown.length).toBeLessThan(200);
  });

  it('shows how much COPY data there is', () => {
    const message = encodeFrontend({ kind: 'CopyData', data: bytesOf(CANARY.repeat(200_000)) });
    const shown = push([message.subarray(0, 1_000), message.subarray(1_000)]);
    expect(shown.length).toBe(message.length);
    expect(shown.includes(CANARY)).toBe(false);
  });

  it('shows nothing behind what is no frame', () => {
    const frames = new HiddenFrames(new HiddenTexts());
    expect(frames.push(Buffer.concat([bytesOf('!!!!!!!!'), bytesOf(CANARY)])).length).toBe(0);
    expect(frames.push(encodeFrontend({ kind: 'Sync' })).length).toBe(0);
  });
});
