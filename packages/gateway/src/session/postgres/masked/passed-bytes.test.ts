import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MASKED_SESSION_LIMITS } from '../../../core/masking-limits.ts';
import { PassedBytes } from './passed-bytes.ts';

/** What is done with the next bytes of a chunk. */
const STEPS = fc.record({
  does: fc.constantFrom('frame', 'held', 'dropped', 'added', 'message', 'take', 'add and take'),
  length: fc.oneof(fc.nat(20), fc.nat(9_000)),
});

describe('what is passed on', () => {
  it('is what was put down, in its order, and holds until the next chunk begins', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(STEPS, { maxLength: 30 }), { maxLength: 4 }),
        fc.boolean(),
        (chunks, on) => {
          const passed = new PassedBytes();
          for (const steps of chunks) {
            const chunk = Uint8Array.from(
              { length: steps.reduce((sum, { length }) => sum + length, 0) },
              (_, at) => (at * 31) % 251,
            );
            const expected: number[] = [];
            const taken: Uint8Array[] = [];
            let at = 0;
            passed.begin();
            for (const { does, length } of steps) {
              const start = at;
              at += length;
              const bytes = chunk.subarray(start, at);
              if (does === 'frame') passed.frame({ bytes: chunk, start, end: at, inChunk: true });
              if (does === 'held') {
                const held = bytes.slice();
                passed.frame({ bytes: held, start: 0, end: length, inChunk: false });
                held.fill(0);
              }
              if (does === 'added' || does === 'add and take') {
                const own = bytes.slice();
                passed.add(own);
                own.fill(0);
              }
              if (does === 'message') {
                const body = passed.message(0x44, length);
                passed.written.set(bytes, body);
                const header = Buffer.alloc(5);
                header.write('D');
                header.writeInt32BE(length + 4, 1);
                expected.push(...header);
              }
              if (does === 'take' || does === 'add and take') taken.push(passed.take() ?? new Uint8Array(0));
              if (does !== 'dropped' && does !== 'take') expected.push(...bytes);
            }
            taken.push(passed.take() ?? new Uint8Array(0));
            passed.end(on);
            expect(passed.take()).toBeUndefined();
            expect(Buffer.concat(taken).equals(Buffer.from(expected))).toBe(true);
          }
        },
      ),
    );
  });

  it('is the chunk itself where nothing is changed', () => {
    const passed = new PassedBytes();
    const chunk = new Uint8Array(100);
    passed.begin();
    for (const start of [10, 20, 30]) passed.frame({ bytes: chunk, start, end: start + 10, inChunk: true });
    const taken = passed.take();
    expect(taken?.buffer).toBe(chunk.buffer);
    expect([taken?.byteOffset, taken?.length]).toEqual([10, 30]);
  });

  it('lies in one piece of memory from the first change on', () => {
    const passed = new PassedBytes();
    const chunk = new Uint8Array(100);
    passed.begin();
    passed.add(Uint8Array.of(1, 2, 3));
    const changed = passed.take();
    passed.frame({ bytes: chunk, start: 10, end: 20, inChunk: true });
    const after = passed.take();
    expect(after?.buffer).toBe(changed?.buffer);
    expect(after?.byteOffset).toBe(3);
  });

  it('keeps little when nothing goes on, and never much', () => {
    const { passedFirstBytes, passedKeptBytesMax } = MASKED_SESSION_LIMITS;
    for (const [length, goesOn, kept] of [
      [passedFirstBytes, false, passedFirstBytes],
      [passedFirstBytes + 1, false, 0],
      [passedKeptBytesMax, true, passedKeptBytesMax],
      [passedKeptBytesMax + 1, true, 0],
    ] as const) {
      const passed = new PassedBytes();
      passed.begin();
      passed.room(length);
      passed.take();
      passed.end(goesOn);
      expect(passed.written.length).toBe(kept);
    }
  });
});
