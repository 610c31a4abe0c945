import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CountersignError } from '../../core/errors.ts';
import { decodePasswordMessage, decodeSASLInitialResponse } from './authentication.ts';
import { utf8Bytes, utf8Text } from './byte-reader.ts';
import { decodeBackend, decodeFrontend, formatAt, readFrontend } from './decode.ts';
import { encodeBackend, encodeFrontend } from './encode.ts';
import { BACKEND, FRONTEND } from './messages.ts';
import { decodeStartupPacket } from './startup.ts';

const numRuns = process.env['COUNTERSIGN_SOAK'] === undefined ? 1_000 : 100_000;

/** A body written as text, where \0 is a zero byte and so on. */
function body(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

test('the example of the documentation is true', () => {
  expect(decodeFrontend(0x45, Uint8Array.of(0, 0, 0, 0, 9))).toEqual({
    kind: 'Execute',
    portal: '',
    rowsMax: 9,
  });
});

test('text that is not UTF-8 is carried as it is', () => {
  const message = decodeFrontend(FRONTEND.Query, body("SELECT '\xe4'\0"));
  expect(message).toEqual({ kind: 'Query', textBytes: body("SELECT '\xe4'") });
  expect(utf8Text(body('\xe4'))).toBeNull();
  expect(utf8Text(utf8Bytes('\uFEFFä'))).toBe('\uFEFFä');
});

test('one format holds for all values, none is text', () => {
  expect([formatAt([], 3), formatAt([1], 3), formatAt([0, 1], 1)]).toEqual([0, 1, 1]);
});

test.each([
  ['a Query without its zero byte', FRONTEND.Query, 'SELECT 1'],
  ['a Query with bytes after it', FRONTEND.Query, 'SELECT 1\0x'],
  ['a Query with a second text', FRONTEND.Query, 'SELECT 1\0DROP TABLE t\0'],
  ['a Sync with a body', FRONTEND.Sync, '\0'],
  ['a Describe of neither statement nor portal', FRONTEND.Describe, 'X\0'],
  ['a Close that ends early', FRONTEND.Close, 'S'],
  ['an Execute without its limit', FRONTEND.Execute, '\0\0\0'],
  ['a Parse that counts more types than it has', FRONTEND.Parse, '\0SELECT 1\0\0\x02\0\0\0\x17'],
  [
    'a Bind with a value in a format that is neither text nor binary',
    FRONTEND.Bind,
    '\0\0\0\x01\0\x02\0\x01\xff\xff\xff\xff\0\0',
  ],
  [
    'a Bind with two formats for three values',
    FRONTEND.Bind,
    `\0\0\0\x02\0\0\0\0\0\x03${'\xff\xff\xff\xff'.repeat(3)}\0\0`,
  ],
  ['a Bind with a value longer than the message', FRONTEND.Bind, '\0\0\0\0\0\x01\x7f\xff\xff\xff\0\0'],
  ['a Bind with a value of length -2', FRONTEND.Bind, '\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0'],
  ['a FunctionCall without its result format', FRONTEND.FunctionCall, '\0\0\0\x01\0\0\0\0'],
  ['a CopyFail without its reason', FRONTEND.CopyFail, ''],
])('%s is refused', (_, type, text) => {
  expect(() => decodeFrontend(type, body(text))).toThrow(
    expect.objectContaining({ code: 'PROTOCOL_VIOLATION' }),
  );
  expect(readFrontend(type, body(text))).toMatchObject({ kind: 'Malformed', type, body: body(text) });
});

test('a format that no value is in is taken, as PostgreSQL takes it', () => {
  expect(readFrontend(FRONTEND.Bind, body('\0\0\0\x01\0\x02\0\0\0\x01\xff\xff'))).toMatchObject({
    valueFormats: [2],
    values: [],
    resultFormats: [0xffff],
  });
  expect(readFrontend(FRONTEND.FunctionCall, body('\0\0\0\x01\0\0\0\0\0\x07'))).toMatchObject({
    resultFormat: 7,
  });
});

test.each([
  ['a ReadyForQuery with an unknown status', BACKEND.ReadyForQuery, 'X'],
  ['a ReadyForQuery without one', BACKEND.ReadyForQuery, ''],
  ['a DataRow with fewer values than it counts', BACKEND.DataRow, '\0\x02\0\0\0\0'],
  ['a DataRow with bytes after its values', BACKEND.DataRow, '\0\0x'],
  ['an ErrorResponse without its end', BACKEND.ErrorResponse, 'SERROR\0'],
  ['an ErrorResponse with bytes after its end', BACKEND.ErrorResponse, '\0x'],
  ['a RowDescription that ends inside a column', BACKEND.RowDescription, '\0\x01a\0\0\0\0\0'],
  ['a CopyInResponse with an unknown format', BACKEND.CopyInResponse, '\x02\0\0'],
  ['a BackendKeyData with a short key', BACKEND.BackendKeyData, '\0\0\0\x01abc'],
  ['a BackendKeyData with a key of 257 bytes', BACKEND.BackendKeyData, `\0\0\0\x01${'k'.repeat(257)}`],
  [
    'a NegotiateProtocolVersion that counts more than it has',
    BACKEND.NegotiateProtocolVersion,
    '\0\x03\0\0\xff\xff\xff\xffx\0',
  ],
  ['an AuthenticationMD5Password with a short salt', BACKEND.Authentication, '\0\0\0\x05abc'],
  ['an AuthenticationOk with bytes after it', BACKEND.Authentication, '\0\0\0\0x'],
  ['an AuthenticationSASL without the end of its list', BACKEND.Authentication, '\0\0\0\x0aSCRAM-SHA-256\0'],
])('%s is refused', (_, type, text) => {
  expect(() => decodeBackend(type, body(text))).toThrow(
    expect.objectContaining({ code: 'PROTOCOL_VIOLATION' }),
  );
});

test('a longer name than 63 bytes is cut, as the server cuts it', () => {
  for (const name of ['n'.repeat(63), 'n'.repeat(64), 'n'.repeat(5_000)]) {
    expect(decodeFrontend(FRONTEND.Close, body(`S${name}\0`))).toMatchObject({ name: 'n'.repeat(63) });
  }
});

test('a name in another encoding than UTF-8 is taken, and is no ASCII', () => {
  expect(decodeFrontend(FRONTEND.Close, body('S\xe4\0'))).toMatchObject({ name: '\ufffd' });
});

describe('start-up packets', () => {
  test.each([
    ['protocol 2', '\0\0\0\x08\0\x02\0\0', 'PROTOCOL_UNSUPPORTED'],
    ['protocol 4', '\0\0\0\x08\0\x04\0\0', 'PROTOCOL_UNSUPPORTED'],
    ['a length that is not the packet’s', '\0\0\0\x09\x04\xd2\x16\x2f', 'PROTOCOL_VIOLATION'],
    ['a packet without a terminator', '\0\0\0\x08\0\x03\0\0', 'STARTUP_INVALID'],
    ['a name without a value', '\0\0\0\x0d\0\x03\0\0user\0', 'STARTUP_INVALID'],
    ['a value without an end', '\0\0\0\x0e\0\x03\0\0user\0a', 'STARTUP_INVALID'],
    ['bytes after the end', '\0\0\0\x11\0\x03\0\0user\0a\0\0x', 'STARTUP_INVALID'],
    ['a cancel key of no bytes', '\0\0\0\x0c\x04\xd2\x16\x2e\0\0\0\x01', 'PROTOCOL_VIOLATION'],
    [
      'a cancel key of 257 bytes',
      `\0\0\x01\x0d\x04\xd2\x16\x2e\0\0\0\x01${'k'.repeat(257)}`,
      'PROTOCOL_VIOLATION',
    ],
  ])('%s is refused', (_, text, code) => {
    expect(() => decodeStartupPacket(body(text))).toThrow(expect.objectContaining({ code }));
  });

  test('what follows an SSLRequest in its packet is not looked at', () => {
    expect(decodeStartupPacket(body('\0\0\0\x09\x04\xd2\x16\x2fx'))).toEqual({ kind: 'SSLRequest' });
  });

  test.each([1, 4, 32, 256])('a cancel key of %i bytes is taken', (length) => {
    const packet = body(
      `\0\0${String.fromCharCode((length + 12) >> 8, (length + 12) & 255)}\x04\xd2\x16\x2e\0\0\0\x01${'k'.repeat(length)}`,
    );
    expect(decodeStartupPacket(packet)).toMatchObject({ kind: 'CancelRequest', processId: 1 });
  });
});

test('an empty password and a cut SASL message are refused', () => {
  expect(() => decodePasswordMessage(body('\0'))).toThrow(CountersignError);
  expect(() => decodeSASLInitialResponse(body('SCRAM-SHA-256\0\0\0\0\x09abc'))).toThrow(CountersignError);
});

/** Anything but a CountersignError is a failure of the test. */
function ourErrorOrNothing(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
  }
}

const types = [...new Set([...Object.values(FRONTEND), ...Object.values(BACKEND)])];
/** Bytes that look like lengths, counts, names and ends. */
const likely = fc
  .array(
    fc.constantFrom(
      '\0',
      '\0\0',
      '\0\x01',
      '\0\0\0\x04',
      '\xff\xff\xff\xff',
      'S',
      'user\0',
      'SELECT 1\0',
      '\x7f\xff',
      '\xe4',
    ),
    { maxLength: 12 },
  )
  .map((parts) => body(parts.join('')));
const garbage = fc.oneof(fc.uint8Array({ maxLength: 60 }), likely);

describe('garbage', () => {
  test('gives our error, or a message that encodes to the very same bytes', () => {
    const property = fc.property(fc.constantFrom(...types), garbage, (type, bytes) => {
      ourErrorOrNothing(() => {
        const message = decodeFrontend(type, bytes);
        // A name in another encoding, or one that the server would cut, is not kept as it came.
        const names = Object.values(message).filter((value) => typeof value === 'string');
        if (names.some((name) => name.includes('\ufffd') || Buffer.byteLength(name) >= 60)) return;
        const again = encodeFrontend(message);
        expect([again[0], [...again.subarray(5)]]).toEqual([type, [...bytes]]);
      });
      ourErrorOrNothing(() => {
        const again = encodeBackend(decodeBackend(type, bytes));
        expect([again[0], [...again.subarray(5)]]).toEqual([type, [...bytes]]);
      });
    });
    expect(() => fc.assert(property, { numRuns })).not.toThrow();
  });

  test('in start-up and authentication gives our error or nothing', () => {
    const property = fc.property(garbage, (bytes) => {
      ourErrorOrNothing(() => decodeStartupPacket(bytes));
      ourErrorOrNothing(() => decodePasswordMessage(bytes));
      ourErrorOrNothing(() => decodeSASLInitialResponse(bytes));
    });
    expect(() => fc.assert(property, { numRuns })).not.toThrow();
  });

  test('that counts 65,535 values in a few bytes takes no memory for them', () => {
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 2_000; i++)
      ourErrorOrNothing(() => decodeBackend(BACKEND.DataRow, body('\xff\xff\0\0\0\0')));
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 * 1024 * 1024);
  });
});
