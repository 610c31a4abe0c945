import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CountersignError } from '../../core/errors.ts';
import { decodePasswordMessage, decodeSASLInitialResponse } from './authentication.ts';
import { utf8Text } from './byte-reader.ts';
import { decodeBackend, decodeFrontend, responseField } from './decode.ts';
import {
  encodeBackend,
  encodeErrorResponse,
  encodeFrontend,
  encodeNoticeResponse,
  encodePasswordMessage,
  encodeSASLInitialResponse,
  encodeSASLResponse,
} from './encode.ts';
import type { BackendMessage, Format, FrontendMessage, StartupPacket } from './messages.ts';
import { decodeStartupPacket, encodeStartupPacket } from './startup.ts';

const numRuns = process.env['COUNTERSIGN_SOAK'] === undefined ? 500 : 20_000;

const oid = fc.nat({ max: 0xffff_ffff });
const name = fc.string({ unit: 'binary', maxLength: 15 }).map((text) => text.replaceAll('\0', ''));
const text = fc.uint8Array({ min: 1, maxLength: 40 });
const data = fc.uint8Array({ maxLength: 40 });
const value = fc.option(data, { nil: null });
const format = fc.constantFrom<Format>(0, 1);
const formats = fc.array(format, { maxLength: 5 });
const target = fc.constantFrom('S' as const, 'P' as const);
const valuesWithFormats = fc.oneof(
  fc.record({ values: fc.array(value, { maxLength: 5 }), valueFormats: fc.array(format, { maxLength: 1 }) }),
  fc
    .array(fc.tuple(value, format), { maxLength: 5 })
    .map((pairs) => ({ values: pairs.map(([v]) => v), valueFormats: pairs.map(([, f]) => f) })),
);

const frontend: fc.Arbitrary<FrontendMessage> = fc.oneof(
  fc
    .record({ portal: name, statement: name, both: valuesWithFormats, resultFormats: formats })
    .map(({ both, ...rest }) => ({ kind: 'Bind' as const, ...rest, ...both })),
  fc.record({ kind: fc.constantFrom('Close' as const, 'Describe' as const), target, name }),
  fc.record({ kind: fc.constant('CopyData' as const), data }),
  fc.record({ kind: fc.constant('CopyFail' as const), reasonBytes: text }),
  fc.record({ kind: fc.constant('Execute' as const), portal: name, rowsMax: fc.integer({ min: -1 }) }),
  fc
    .constantFrom('CopyDone' as const, 'Flush' as const, 'Sync' as const, 'Terminate' as const)
    .map((kind) => ({ kind })),
  fc
    .record({ functionOid: oid, both: valuesWithFormats, resultFormat: format })
    .map(({ both, ...rest }) => ({ kind: 'FunctionCall' as const, ...rest, ...both })),
  fc.record({
    kind: fc.constant('Parse' as const),
    statement: name,
    textBytes: text,
    parameterTypeOids: fc.array(oid, { maxLength: 5 }),
  }),
  fc.record({ kind: fc.constant('AuthenticationResponse' as const), body: data }),
  fc.record({ kind: fc.constant('Query' as const), textBytes: text }),
  fc.record({ kind: fc.constant('Unknown' as const), type: fc.constantFrom(1, 0x7a, 255), body: data }),
);

const fields = fc.array(fc.record({ code: fc.constantFrom('S', 'V', 'C', 'M', 'H'), valueBytes: text }), {
  maxLength: 5,
});

const backend: fc.Arbitrary<BackendMessage> = fc.oneof(
  fc
    .constantFrom(
      'AuthenticationOk' as const,
      'AuthenticationKerberosV5' as const,
      'AuthenticationCleartextPassword' as const,
      'AuthenticationGSS' as const,
      'AuthenticationSSPI' as const,
      'BindComplete' as const,
      'CloseComplete' as const,
      'CopyDone' as const,
      'EmptyQueryResponse' as const,
      'NoData' as const,
      'ParseComplete' as const,
      'PortalSuspended' as const,
    )
    .map((kind) => ({ kind })),
  fc.record({
    kind: fc.constant('AuthenticationMD5Password' as const),
    salt: fc.uint8Array({ minLength: 4, maxLength: 4 }),
  }),
  fc.record({
    kind: fc.constantFrom(
      'AuthenticationGSSContinue' as const,
      'AuthenticationSASLContinue' as const,
      'AuthenticationSASLFinal' as const,
      'CopyData' as const,
    ),
    data,
  }),
  fc.record({ kind: fc.constant('AuthenticationUnknown' as const), code: fc.constant(77), data }),
  fc.record({
    kind: fc.constant('AuthenticationSASL' as const),
    mechanisms: fc.array(
      name.filter((n) => n !== ''),
      { maxLength: 3 },
    ),
  }),
  fc.record({
    kind: fc.constant('BackendKeyData' as const),
    processId: oid,
    secretKey: fc.uint8Array({ minLength: 4, maxLength: 256 }),
  }),
  fc.record({ kind: fc.constant('CommandComplete' as const), tag: name }),
  fc.record({
    kind: fc.constantFrom('CopyInResponse' as const, 'CopyOutResponse' as const, 'CopyBothResponse' as const),
    format,
    columnFormats: formats,
  }),
  fc.record({ kind: fc.constant('DataRow' as const), values: fc.array(value, { maxLength: 6 }) }),
  fc.record({ kind: fc.constantFrom('ErrorResponse' as const, 'NoticeResponse' as const), fields }),
  fc.record({ kind: fc.constant('FunctionCallResponse' as const), value }),
  fc.record({
    kind: fc.constant('NegotiateProtocolVersion' as const),
    newestVersion: oid,
    unrecognizedOptions: fc.array(text, { maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant('NotificationResponse' as const),
    processId: oid,
    channelBytes: text,
    payloadBytes: text,
  }),
  fc.record({
    kind: fc.constant('ParameterDescription' as const),
    typeOids: fc.array(oid, { maxLength: 5 }),
  }),
  fc.record({ kind: fc.constant('ParameterStatus' as const), name, valueBytes: text }),
  fc.record({
    kind: fc.constant('ReadyForQuery' as const),
    status: fc.constantFrom('I' as const, 'T' as const, 'E' as const),
  }),
  fc.record({
    kind: fc.constant('RowDescription' as const),
    fields: fc.array(
      fc.record({
        nameBytes: text,
        tableOid: oid,
        columnNumber: fc.integer({ min: -32_768, max: 32_767 }),
        typeOid: oid,
        typeLength: fc.integer({ min: -32_768, max: 32_767 }),
        typeModifier: fc.integer(),
        format,
      }),
      { maxLength: 4 },
    ),
  }),
  fc.record({ kind: fc.constant('Unknown' as const), type: fc.constantFrom(1, 0x7a, 255), body: data }),
);

const startup: fc.Arbitrary<StartupPacket> = fc.oneof(
  fc.constantFrom('SSLRequest' as const, 'GSSENCRequest' as const).map((kind) => ({ kind })),
  fc.record({
    kind: fc.constant('CancelRequest' as const),
    processId: oid,
    secretKey: fc.uint8Array({ minLength: 1, maxLength: 256 }),
  }),
  fc.record({
    kind: fc.constant('StartupMessage' as const),
    protocolVersion: fc.constantFrom(0x30000, 0x30002, 0x3ffff),
    // In any encoding, and the same name perhaps again.
    parameters: fc.array(fc.tuple(withoutZero(1), withoutZero(0)), { maxLength: 5 }),
  }),
);

/** Bytes without a zero. */
function withoutZero(minLength: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ min: 1, minLength, maxLength: 15 });
}

function hasZeroInText(message: unknown): boolean {
  return JSON.stringify(message, (key, v: unknown) =>
    key.endsWith('Bytes') && v instanceof Uint8Array && v.includes(0) ? 'ZERO' : v,
  ).includes('"ZERO"');
}

describe('encode and decode are inverse', () => {
  test('for frontend messages', () => {
    fc.assert(
      fc.property(
        frontend.filter((message) => !hasZeroInText(message)),
        (message) => {
          const bytes = encodeFrontend(message);
          const again = decodeFrontend(bytes[0] ?? 0, bytes.subarray(5));
          expect(again).toEqual(message);
          expect(new DataView(bytes.buffer, bytes.byteOffset).getUint32(1)).toBe(bytes.length - 1);
        },
      ),
      { numRuns },
    );
  });

  test('for backend messages', () => {
    fc.assert(
      fc.property(
        backend.filter((message) => !hasZeroInText(message)),
        (message) => {
          const bytes = encodeBackend(message);
          expect(decodeBackend(bytes[0] ?? 0, bytes.subarray(5))).toEqual(message);
        },
      ),
      { numRuns },
    );
  });

  test('for start-up packets', () => {
    fc.assert(
      fc.property(startup, (packet) => {
        expect(decodeStartupPacket(encodeStartupPacket(packet))).toEqual(packet);
      }),
      { numRuns },
    );
  });

  test('for the messages of authentication', () => {
    const password = encodePasswordMessage('pässword');
    expect(utf8Text(decodePasswordMessage(password.subarray(5)))).toBe('pässword');
    for (const initial of [null, Uint8Array.of(1, 2)]) {
      const bytes = encodeSASLInitialResponse('SCRAM-SHA-256', initial);
      expect(decodeSASLInitialResponse(bytes.subarray(5))).toEqual({
        mechanism: 'SCRAM-SHA-256',
        data: initial,
      });
    }
    expect([...encodeSASLResponse(Uint8Array.of(9))]).toEqual([0x70, 0, 0, 0, 5, 9]);
  });
});

describe('errors as PostgreSQL says them', () => {
  const error = new CountersignError('AUTHENTICATION_FAILED', { user: 'a\0b' });

  test('an error has severity, SQLSTATE, message, detail and hint', () => {
    const bytes = encodeErrorResponse(error, 'FATAL', { detail: 'More.', position: 7 });
    const message = decodeBackend(bytes[0] ?? 0, bytes.subarray(5));
    if (message.kind !== 'ErrorResponse') throw new Error(message.kind);
    const fieldsOfMessage = Object.fromEntries(
      ['S', 'V', 'C', 'M', 'D', 'H', 'P'].map((code) => [
        code,
        utf8Text(responseField(message, code) ?? Uint8Array.of()),
      ]),
    );
    expect(fieldsOfMessage).toEqual({
      S: 'FATAL',
      V: 'FATAL',
      C: '28P01',
      M: 'Authentication failed for "a\uFFFDb".',
      D: 'More.',
      H: 'Use your Countersign name, and a token, password or one-time code that is still good; who has a second factor needs a new code of it, too. With a database client, the token is the password.',
      P: '7',
    });
  });

  test('a notice is the same with another type', () => {
    expect(encodeNoticeResponse(error, 'WARNING')[0]).toBe(0x4e);
  });
});

test('a zero byte inside a string is not encoded', () => {
  expect(() => encodeFrontend({ kind: 'Query', textBytes: Uint8Array.of(65, 0, 66) })).toThrow(
    CountersignError,
  );
});
