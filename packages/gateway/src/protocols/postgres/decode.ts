/**
 * PostgreSQL messages: the body of one whole frame → {@link FrontendMessage} or {@link BackendMessage}.
 *
 * Spec: PostgreSQL 18, "Message Formats" (https://www.postgresql.org/docs/18/protocol-message-formats.html)
 * Frame: see frames.ts; start-up packets are in startup.ts, authentication bodies in authentication.ts.
 * Refused: a body that ends inside a field or goes on after the last one, a value in a format that is
 * neither text nor binary, a count of formats that does not fit the values. For what a client sends this
 * is what PostgreSQL refuses too, and nothing else: see {@link readFrontend}.
 * Untrusted: every byte. What comes out are views of the body; copy the body first where it is reused.
 */

import { CountersignError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { decodeAuthentication } from './authentication.ts';
import { ByteReader, violation } from './byte-reader.ts';
import {
  BACKEND,
  type BackendMessage,
  type CopyResponse,
  type ErrorOrNotice,
  FRONTEND,
  type Format,
  type FormatCode,
  type FrontendMessage,
  type MalformedMessage,
  type ResponseField,
  type RowField,
  type StatementOrPortal,
  type TransactionStatus,
} from './messages.ts';

const lenientUtf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * One frontend message.
 *
 * @example
 * decodeFrontend(0x45, Uint8Array.of(0, 0, 0, 0, 9)); // { kind: 'Execute', portal: '', rowsMax: 9 }
 */
export function decodeFrontend(type: number, body: Uint8Array): FrontendMessage {
  return decodeWith(FRONTEND_DECODERS, type, body);
}

/**
 * One frontend message, or that it is malformed.
 *
 * Each body that is refused here makes PostgreSQL answer with an error instead of running anything:
 * pq_getmsgstring, pq_getmsgint, pq_getmsgbytes and pq_getmsgend (src/backend/libpq/pqformat.c) where it
 * is cut off or too long; exec_bind_message and parse_fcall_arguments (tcop/postgres.c, tcop/fastpath.c)
 * for formats and lengths, before a portal is defined or the function called; PostgresMain for what a
 * Describe or Close names. The formats of results are not looked at there, and not here.
 */
export function readFrontend(type: number, body: Uint8Array): FrontendMessage | MalformedMessage {
  try {
    return decodeFrontend(type, body);
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code !== 'PROTOCOL_VIOLATION') throw error;
    return { kind: 'Malformed', type, body, reason: error.message };
  }
}

/** One backend message. */
export function decodeBackend(type: number, body: Uint8Array): BackendMessage {
  return decodeWith(BACKEND_DECODERS, type, body);
}

/** The value of one field of an ErrorResponse or NoticeResponse, for example `C` for the SQLSTATE. */
export function responseField(message: ErrorOrNotice, code: string): Uint8Array | undefined {
  return message.fields.find((field) => field.code === code)?.valueBytes;
}

/** The format of the value at an index: none given is text, one given is for all. */
export function formatAt(formats: readonly FormatCode[], index: number): FormatCode {
  return (formats.length === 1 ? formats[0] : formats[index]) ?? 0;
}

interface Decoder<M> {
  readonly kind: string;
  readonly read: (reader: ByteReader) => M;
}

const FRONTEND_DECODERS: ReadonlyMap<number, Decoder<FrontendMessage>> = new Map([
  decoder<FrontendMessage>(FRONTEND.Bind, 'Bind', readBind),
  decoder<FrontendMessage>(FRONTEND.Close, 'Close', (r) => ({
    kind: 'Close',
    target: readTarget(r),
    name: readName(r),
  })),
  decoder<FrontendMessage>(FRONTEND.CopyData, 'CopyData', (r) => ({ kind: 'CopyData', data: r.rest() })),
  decoder<FrontendMessage>(FRONTEND.CopyDone, 'CopyDone', () => ({ kind: 'CopyDone' })),
  decoder<FrontendMessage>(FRONTEND.CopyFail, 'CopyFail', (r) => ({
    kind: 'CopyFail',
    reasonBytes: r.stringBytes(),
  })),
  decoder<FrontendMessage>(FRONTEND.Describe, 'Describe', (r) => ({
    kind: 'Describe',
    target: readTarget(r),
    name: readName(r),
  })),
  decoder<FrontendMessage>(FRONTEND.Execute, 'Execute', (r) => ({
    kind: 'Execute',
    portal: readName(r),
    rowsMax: r.int32(),
  })),
  decoder<FrontendMessage>(FRONTEND.Flush, 'Flush', () => ({ kind: 'Flush' })),
  decoder<FrontendMessage>(FRONTEND.FunctionCall, 'FunctionCall', readFunctionCall),
  decoder<FrontendMessage>(FRONTEND.Parse, 'Parse', (r) => ({
    kind: 'Parse',
    statement: readName(r),
    textBytes: r.stringBytes(),
    parameterTypeOids: readList(r, r.uint16(), (item) => item.uint32()),
  })),
  decoder<FrontendMessage>(FRONTEND.AuthenticationResponse, 'AuthenticationResponse', (r) => ({
    kind: 'AuthenticationResponse',
    body: r.rest(),
  })),
  decoder<FrontendMessage>(FRONTEND.Query, 'Query', (r) => ({ kind: 'Query', textBytes: r.stringBytes() })),
  decoder<FrontendMessage>(FRONTEND.Sync, 'Sync', () => ({ kind: 'Sync' })),
  decoder<FrontendMessage>(FRONTEND.Terminate, 'Terminate', () => ({ kind: 'Terminate' })),
]);

const BACKEND_DECODERS: ReadonlyMap<number, Decoder<BackendMessage>> = new Map([
  decoder<BackendMessage>(BACKEND.Authentication, 'Authentication', decodeAuthentication),
  decoder<BackendMessage>(BACKEND.BackendKeyData, 'BackendKeyData', (r) => ({
    kind: 'BackendKeyData',
    processId: r.uint32(),
    secretKey: readSecretKey(r),
  })),
  decoder<BackendMessage>(BACKEND.BindComplete, 'BindComplete', () => ({ kind: 'BindComplete' })),
  decoder<BackendMessage>(BACKEND.CloseComplete, 'CloseComplete', () => ({ kind: 'CloseComplete' })),
  decoder<BackendMessage>(BACKEND.CommandComplete, 'CommandComplete', (r) => ({
    kind: 'CommandComplete',
    tag: r.string(),
  })),
  decoder<BackendMessage>(BACKEND.CopyData, 'CopyData', (r) => ({ kind: 'CopyData', data: r.rest() })),
  decoder<BackendMessage>(BACKEND.CopyDone, 'CopyDone', () => ({ kind: 'CopyDone' })),
  decoder<BackendMessage>(BACKEND.CopyInResponse, 'CopyInResponse', (r) => readCopy(r, 'CopyInResponse')),
  decoder<BackendMessage>(BACKEND.CopyOutResponse, 'CopyOutResponse', (r) => readCopy(r, 'CopyOutResponse')),
  decoder<BackendMessage>(BACKEND.CopyBothResponse, 'CopyBothResponse', (r) =>
    readCopy(r, 'CopyBothResponse'),
  ),
  decoder<BackendMessage>(BACKEND.DataRow, 'DataRow', (r) => ({
    kind: 'DataRow',
    values: readList(r, r.uint16(), (item) => item.value()),
  })),
  decoder<BackendMessage>(BACKEND.EmptyQueryResponse, 'EmptyQueryResponse', () => ({
    kind: 'EmptyQueryResponse',
  })),
  decoder<BackendMessage>(BACKEND.ErrorResponse, 'ErrorResponse', (r) => readFields(r, 'ErrorResponse')),
  decoder<BackendMessage>(BACKEND.FunctionCallResponse, 'FunctionCallResponse', (r) => ({
    kind: 'FunctionCallResponse',
    value: r.value(),
  })),
  decoder<BackendMessage>(BACKEND.NegotiateProtocolVersion, 'NegotiateProtocolVersion', (r) => ({
    kind: 'NegotiateProtocolVersion',
    newestVersion: r.uint32(),
    unrecognizedOptions: readList(r, r.uint32(), (item) => item.stringBytes()),
  })),
  decoder<BackendMessage>(BACKEND.NoData, 'NoData', () => ({ kind: 'NoData' })),
  decoder<BackendMessage>(BACKEND.NoticeResponse, 'NoticeResponse', (r) => readFields(r, 'NoticeResponse')),
  decoder<BackendMessage>(BACKEND.NotificationResponse, 'NotificationResponse', (r) => ({
    kind: 'NotificationResponse',
    processId: r.uint32(),
    channelBytes: r.stringBytes(),
    payloadBytes: r.stringBytes(),
  })),
  decoder<BackendMessage>(BACKEND.ParameterDescription, 'ParameterDescription', (r) => ({
    kind: 'ParameterDescription',
    typeOids: readList(r, r.uint16(), (item) => item.uint32()),
  })),
  decoder<BackendMessage>(BACKEND.ParameterStatus, 'ParameterStatus', (r) => ({
    kind: 'ParameterStatus',
    name: r.string(),
    valueBytes: r.stringBytes(),
  })),
  decoder<BackendMessage>(BACKEND.ParseComplete, 'ParseComplete', () => ({ kind: 'ParseComplete' })),
  decoder<BackendMessage>(BACKEND.PortalSuspended, 'PortalSuspended', () => ({ kind: 'PortalSuspended' })),
  decoder<BackendMessage>(BACKEND.ReadyForQuery, 'ReadyForQuery', (r) => ({
    kind: 'ReadyForQuery',
    status: readStatus(r),
  })),
  decoder<BackendMessage>(BACKEND.RowDescription, 'RowDescription', (r) => ({
    kind: 'RowDescription',
    fields: readList(r, r.uint16(), readRowField),
  })),
]);

function decoder<M>(type: number, kind: string, read: (reader: ByteReader) => M): [number, Decoder<M>] {
  return [type, { kind, read }];
}

function decodeWith<M>(
  decoders: ReadonlyMap<number, Decoder<M>>,
  type: number,
  body: Uint8Array,
): M | { readonly kind: 'Unknown'; readonly type: number; readonly body: Uint8Array } {
  const found = decoders.get(type);
  if (found === undefined) return { kind: 'Unknown', type, body };
  const reader = new ByteReader(body, found.kind);
  const message = found.read(reader);
  reader.end();
  return message;
}

function readBind(reader: ByteReader): FrontendMessage {
  const portal = readName(reader);
  const statement = readName(reader);
  const { valueFormats, values } = readValues(reader);
  const resultFormats = readList(reader, reader.uint16(), readFormatCode);
  return { kind: 'Bind', portal, statement, valueFormats, values, resultFormats };
}

function readFunctionCall(reader: ByteReader): FrontendMessage {
  const functionOid = reader.uint32();
  const { valueFormats, values } = readValues(reader);
  return { kind: 'FunctionCall', functionOid, valueFormats, values, resultFormat: readFormatCode(reader) };
}

function readValues(reader: ByteReader): {
  readonly valueFormats: readonly FormatCode[];
  readonly values: readonly (Uint8Array | null)[];
} {
  const valueFormats = readList(reader, reader.uint16(), readFormatCode);
  const values = readList(reader, reader.uint16(), (item) => item.value());
  if (valueFormats.length > 1 && valueFormats.length !== values.length) {
    throw violation(`${values.length} values come with ${valueFormats.length} formats`);
  }
  // Without values there is nothing in the one format that may stand here, and PostgreSQL takes any.
  if (values.length > 0) for (const format of valueFormats) refuseUnknown(format);
  return { valueFormats, values };
}

function readCopy(reader: ByteReader, kind: CopyResponse['kind']): CopyResponse {
  const overall = reader.uint8();
  if (overall !== 0 && overall !== 1) throw violation(`${kind} has the format ${overall}`);
  return { kind, format: overall, columnFormats: readList(reader, reader.uint16(), readFormat) };
}

function readFields(reader: ByteReader, kind: ErrorOrNotice['kind']): ErrorOrNotice {
  const fields: ResponseField[] = [];
  for (;;) {
    const code = reader.uint8();
    if (code === 0) return { kind, fields };
    fields.push({ code: String.fromCharCode(code), valueBytes: reader.stringBytes() });
  }
}

function readRowField(reader: ByteReader): RowField {
  return {
    nameBytes: reader.stringBytes(),
    tableOid: reader.uint32(),
    columnNumber: reader.int16(),
    typeOid: reader.uint32(),
    typeLength: reader.int16(),
    typeModifier: reader.int32(),
    format: readFormatCode(reader),
  };
}

/** Reads items one by one: a count that the peer declares allocates nothing by itself. */
function readList<T>(reader: ByteReader, count: number, read: (reader: ByteReader) => T): T[] {
  const items: T[] = [];
  for (let i = 0; i < count; i++) items.push(read(reader));
  return items;
}

function readFormat(reader: ByteReader): Format {
  return refuseUnknown(reader.uint16());
}

function readFormatCode(reader: ByteReader): FormatCode {
  return reader.uint16();
}

function refuseUnknown(format: FormatCode): Format {
  if (format === 0 || format === 1) return format;
  throw violation(`the format ${format} is neither text nor binary`);
}

function readTarget(reader: ByteReader): StatementOrPortal {
  const target = String.fromCharCode(reader.uint8());
  if (target !== 'S' && target !== 'P') throw violation('expected a statement (S) or a portal (P)');
  return target;
}

/**
 * The server cuts a name to 63 bytes (NAMEDATALEN), so that longer ones with the same beginning are one.
 * In another client encoding than UTF-8 a name may have U+FFFD here: then it tells nothing apart.
 */
function readName(reader: ByteReader): string {
  return lenientUtf8.decode(reader.stringBytes().subarray(0, LIMITS.postgres.nameBytesMax));
}

function readStatus(reader: ByteReader): TransactionStatus {
  const status = String.fromCharCode(reader.uint8());
  if (status !== 'I' && status !== 'T' && status !== 'E') throw violation('expected a status I, T or E');
  return status;
}

/** 4 bytes in protocol 3.0, up to 256 in 3.2. */
function readSecretKey(reader: ByteReader): Uint8Array {
  const key = reader.rest();
  if (key.length < 4 || key.length > 256) throw violation(`a cancel key has ${key.length} bytes`);
  return key;
}
