import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CountersignError } from '../../core/errors.ts';
import {
  BACKEND_FRAMES,
  FRAME,
  FRONTEND_FRAMES,
  FrameReader,
  type FrameReaderOptions,
  frameLength,
  startupPacketLength,
} from './frames.ts';

const numRuns = process.env['COUNTERSIGN_SOAK'] === undefined ? 300 : 20_000;

function frame(type: string, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(body.length + 5);
  bytes[0] = type.charCodeAt(0);
  new DataView(bytes.buffer).setUint32(1, body.length + 4);
  bytes.set(body, 5);
  return bytes;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** What a consumer sees, with the pieces of one frame joined. */
function walk(reader: FrameReader, chunks: readonly Uint8Array[]): { frames: string[]; raw: Uint8Array } {
  const frames: string[] = [];
  const raw: Uint8Array[] = [];
  let open = '';
  for (const chunk of chunks) {
    reader.push(chunk);
    for (;;) {
      const event = reader.next();
      if (event === FRAME.needMore) break;
      raw.push(reader.bytes.slice(reader.start, reader.end));
      const body = Buffer.from(reader.body()).toString('hex');
      if (event === FRAME.whole) frames.push(`${String.fromCharCode(reader.type)} ${reader.length} ${body}`);
      if (event === FRAME.begins) open = `${String.fromCharCode(reader.type)} ${reader.length} `;
      if (event === FRAME.piece) {
        open += body;
        if (reader.last) frames.push(open);
      }
    }
  }
  return { frames, raw: concat(raw) };
}

const small: FrameReaderOptions = { ...FRONTEND_FRAMES, heldBytesMax: 40, lengthMax: 400 };
const anyFrame = fc
  .tuple(fc.constantFrom('Q', 'P', 'd', 'S', 'F'), fc.uint8Array({ maxLength: 120 }))
  .map(([type, body]) => frame(type, type === 'S' ? new Uint8Array(0) : body));

function cut(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const places = [...new Set(at.map((place) => place % (bytes.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...places].map((place, index) => bytes.subarray(place, places[index] ?? bytes.length));
}

/** Anything but a CountersignError is a failure of the test. */
function ourErrorOrNothing(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
  }
}

describe('FrameReader', () => {
  test('the example of its documentation is true', () => {
    const reader = new FrameReader(FRONTEND_FRAMES);
    reader.push(Uint8Array.of(0x53, 0, 0, 0, 4, 0x48, 0, 0));
    expect(reader.next()).toBe(FRAME.whole);
    expect([reader.type, reader.start, reader.end]).toEqual([0x53, 0, 5]);
    expect(reader.next()).toBe(FRAME.needMore);
    expect(reader.atBoundary).toBe(false);
  });

  test('a frame inside one chunk is a view of that chunk', () => {
    const chunk = concat([frame('Q', Uint8Array.of(1, 2, 0)), frame('d', Uint8Array.of(9))]);
    const reader = new FrameReader(FRONTEND_FRAMES);
    reader.push(chunk);
    expect([reader.next(), reader.inChunk, reader.bytes === chunk]).toEqual([FRAME.whole, true, true]);
    expect([...reader.body()]).toEqual([1, 2, 0]);
    expect([reader.next(), reader.inChunk]).toEqual([FRAME.whole, true]);
    expect([...reader.body()]).toEqual([9]);
  });

  test('any split at any byte gives the same frames and the same bytes', () => {
    fc.assert(
      fc.property(
        fc.array(anyFrame, { maxLength: 8 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        (frames, at) => {
          const bytes = concat(frames);
          const whole = walk(new FrameReader(small), [bytes]);
          const split = walk(new FrameReader(small), cut(bytes, at));
          expect(split.frames).toEqual(whole.frames);
          expect(split.raw).toEqual(bytes);
        },
      ),
      { numRuns },
    );
  });

  test('one byte at a time gives the same frames', () => {
    const bytes = concat([
      frame('Q', new Uint8Array(39)),
      frame('P', new Uint8Array(300)),
      frame('S', new Uint8Array(0)),
    ]);
    const singles = Array.from(bytes, (byte) => Uint8Array.of(byte));
    const reader = new FrameReader(small);
    const walked = walk(reader, singles);
    expect(walked.frames.map((text) => text.slice(0, 5))).toEqual(['Q 43 ', 'P 304', 'S 4 ']);
    expect(walked.raw).toEqual(bytes);
    expect(reader.atBoundary).toBe(true);
  });

  test.each([
    ['CopyData from a client', FRONTEND_FRAMES, 'd', FRAME.begins],
    ['a Query from a client', FRONTEND_FRAMES, 'Q', FRAME.needMore],
    ['a DataRow from a server', BACKEND_FRAMES, 'D', FRAME.begins],
    ['a RowDescription from a server', BACKEND_FRAMES, 'T', FRAME.needMore],
  ])('%s that is cut is delivered as its type asks', (_, options, type, event) => {
    const reader = new FrameReader(options);
    reader.push(frame(type, new Uint8Array(100)).subarray(0, 50));
    expect(reader.next()).toBe(event);
  });

  test('delivery can change between frames', () => {
    const reader = new FrameReader(BACKEND_FRAMES);
    const cutRow = frame('D', new Uint8Array(100));
    reader.deliver(0x44, 'whole');
    reader.push(cutRow.subarray(0, 50));
    expect(reader.next()).toBe(FRAME.needMore);
    reader.push(cutRow.subarray(50));
    expect([reader.next(), reader.inChunk, reader.body().length]).toEqual([FRAME.whole, false, 100]);
  });

  test('a frame longer than is held begins, whatever its type', () => {
    const reader = new FrameReader({ ...FRONTEND_FRAMES, heldBytesMax: 1000 });
    reader.push(frame('Q', new Uint8Array(5000)).subarray(0, 900));
    expect([reader.next(), reader.length, reader.body().length]).toEqual([FRAME.begins, 5004, 0]);
    expect([reader.next(), reader.body().length, reader.last]).toEqual([FRAME.piece, 895, false]);
  });

  test.each([
    ['a length below 4', Uint8Array.of(0x51, 0, 0, 0, 3), 'PROTOCOL_VIOLATION'],
    ['a negative length', Uint8Array.of(0x51, 255, 255, 255, 255), 'PROTOCOL_VIOLATION'],
    ['a length above the limit', Uint8Array.of(0x51, 0x7f, 255, 255, 255), 'LIMIT_EXCEEDED'],
    ['a long Sync', Uint8Array.of(0x53, 0, 0, 0x40, 0), 'LIMIT_EXCEEDED'],
  ])('%s is refused before its body, again and again', (_, header, code) => {
    for (const chunks of [[header], Array.from(header, (byte) => Uint8Array.of(byte))]) {
      const reader = new FrameReader(FRONTEND_FRAMES);
      expect(() => walk(reader, chunks)).toThrow(expect.objectContaining({ code }));
      expect(() => reader.next()).toThrow(expect.objectContaining({ code }));
    }
  });

  test.each([
    ['an unknown type', 'z', 'z'],
    ['a password', 'p', 'p'],
    ['a length of 3', 'Q\0\0\0\x03select 1\0', 'Q\0\0\0\x03'],
    ['a long Sync', 'S\0\0\x27\x11x', 'S\0\0\x27\x11'],
    ['a length that PostgreSQL takes for too long', 'Q\x3f\xff\xff\xffx', 'Q\x3f\xff\xff\xff'],
  ])('%s is refused as soon as it is there, and nothing behind it is a part of it', (_, bytes, header) => {
    for (const before of ['', 'S\0\0\0\x04']) {
      const all = Buffer.from(before + bytes, 'latin1');
      for (const chunks of [[all], Array.from(all, (byte) => Uint8Array.of(byte))]) {
        const reader = new FrameReader(FRONTEND_FRAMES);
        expect(() => walk(reader, chunks)).toThrow(CountersignError);
        expect(Buffer.from(reader.refusedHeader).toString('latin1')).toBe(header);
        expect(() => reader.next()).toThrow(CountersignError);
      }
    }
    expect(new FrameReader(BACKEND_FRAMES).refusedHeader.length).toBe(0);
  });

  test('after detach the memory that was pushed can be used again', () => {
    const first = frame('Q', Uint8Array.of(1, 0));
    const chunk = concat([frame('S', new Uint8Array(0)), first, frame('P', Uint8Array.of(7, 8, 9))]);
    const reader = new FrameReader(FRONTEND_FRAMES);
    reader.push(chunk);
    reader.next();
    reader.next();
    reader.detach();
    chunk.fill(0xff);
    expect(reader.bytes.slice(reader.start, reader.end)).toEqual(first);
    expect(reader.next()).toBe(FRAME.whole);
    expect([...reader.body()]).toEqual([7, 8, 9]);
    expect(reader.next()).toBe(FRAME.needMore);
  });

  test('garbage gives our error or nothing', () => {
    const garbage = fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 20 });
    const property = fc.property(garbage, (chunks) => {
      ourErrorOrNothing(() => walk(new FrameReader(small), chunks));
    });
    expect(() => fc.assert(property, { numRuns })).not.toThrow();
  });

  test('a declared length takes no memory by itself', () => {
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 500 }, () => new FrameReader(FRONTEND_FRAMES));
    for (const reader of readers) {
      reader.push(Uint8Array.of(0x51, 0, 0x0f, 0xff, 0));
      reader.next();
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
  });
});

describe('lengths for a dialogue', () => {
  test.each([
    ['7, too short', [0, 0, 0, 7], 'PROTOCOL_VIOLATION'],
    ['10005, too long', [0, 0, 0x27, 0x15], 'LIMIT_EXCEEDED'],
    ['cut off', [0, 0, 0], 'PROTOCOL_VIOLATION'],
  ])('a start-up packet of length %s is refused', (_, header, code) => {
    expect(() => startupPacketLength(Uint8Array.from(header))).toThrow(expect.objectContaining({ code }));
  });

  test('a start-up packet has its own limit', () => {
    expect(startupPacketLength(Uint8Array.of(0, 0, 0, 8))).toBe(8);
    expect(startupPacketLength(Uint8Array.of(0, 0, 0x27, 0x14))).toBe(10_004);
  });

  test('a frame has the limit of its phase', () => {
    expect(frameLength(Uint8Array.of(0x70, 0, 0, 0, 40), 64)).toBe(40);
    expect(() => frameLength(Uint8Array.of(0x70, 0, 0, 0, 65), 64)).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED' }),
    );
  });
});
