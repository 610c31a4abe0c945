import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { HTTP_LIMITS } from '../../core/http-limits.ts';
import { encodeFrame, encodeFrameHeader, RECORDED, RecordedFrameReader } from './recorded.ts';

const FRAME = fc.record({
  exchange: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  kind: fc.constantFrom(...Object.values(RECORDED)),
  bytes: fc.uint8Array({ maxLength: 40 }),
});

it('gives back what was written, however it is cut', () => {
  fc.assert(
    fc.property(
      fc.array(FRAME, { maxLength: 8 }),
      fc.array(fc.nat(60), { maxLength: 12 }),
      (frames, cuts) => {
        const bytes = Buffer.concat(
          frames.map(({ exchange, kind, bytes: of }) => encodeFrame(exchange, kind, of)),
        );
        const reader = new RecordedFrameReader();
        const read: { exchange: number; kind: number; bytes: number[] }[] = [];
        let at = 0;
        for (const length of [...cuts, bytes.length]) {
          for (const { exchange, kind, bytes: of } of reader.push(bytes.subarray(at, at + length))) {
            read.push({ exchange, kind, bytes: [...of] });
          }
          at += length;
        }
        expect(together(read)).toEqual(
          together(frames.map((frame) => ({ ...frame, bytes: [...frame.bytes] }))),
        );
      },
    ),
  );
});

it('refuses what was never written', () => {
  expect(() => new RecordedFrameReader().push(Uint8Array.of(0, 0, 0, 1, 9, 0, 0, 0, 0))).toThrow(RangeError);
  const tooLong = encodeFrameHeader(1, RECORDED.head, HTTP_LIMITS.frameBytesMax + 1);
  expect(() => new RecordedFrameReader().push(tooLong)).toThrow(RangeError);
});

/** Content comes in pieces; where nothing lies between them they are one, and an empty one is nothing. */
function together(frames: readonly { exchange: number; kind: number; bytes: number[] }[]): unknown[] {
  const made: { exchange: number; kind: number; bytes: number[] }[] = [];
  for (const { exchange, kind, bytes } of frames) {
    const isContent = kind === RECORDED.content || kind === RECORDED.upgraded;
    const last = made.at(-1);
    if (isContent && bytes.length === 0) continue;
    if (isContent && last?.exchange === exchange && last.kind === kind) last.bytes.push(...bytes);
    else made.push({ exchange, kind, bytes: [...bytes] });
  }
  return made;
}
