/**
 * PostgreSQL messages: {@link FrontendMessage} or {@link BackendMessage} → the bytes of one frame.
 *
 * Spec: PostgreSQL 18, "Message Formats" (https://www.postgresql.org/docs/18/protocol-message-formats.html)
 * Frame: Byte1 type, Int32 length (counts itself, not the type), body.
 * Refused: a zero byte inside a string, a count or value that does not fit its field.
 * Untrusted: nothing. What a peer sent and nothing changed is forwarded as it came, not encoded again.
 */

import type { CountersignError } from '../../core/errors.ts';
import { utf8Bytes } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import {
  AUTHENTICATION_CODE,
  type AuthenticationMessage,
  BACKEND,
  type BackendMessage,
  type CopyResponse,
  type ErrorOrNotice,
  FRONTEND,
  type FrontendMessage,
  type FormatCode,
  type RowField,
} from './messages.ts';

/** ERROR ends the statement, FATAL the session; NOTICE and WARNING end nothing. */
type Severity = 'ERROR' | 'FATAL' | 'WARNING' | 'NOTICE';

/**
 * The bytes of a frontend message.
 *
 * @example
 * encodeFrontend({ kind: 'Sync' }); // 53 00 00 00 04
 */
export function encodeFrontend(message: FrontendMessage): Uint8Array {
  if (message.kind === 'Unknown') return new ByteWriter(message.type).bytes(message.body).finish();
  const writer = new ByteWriter(FRONTEND[message.kind]);
  writeFrontend(writer, message);
  return writer.finish();
}

/** The bytes of a backend message. */
export function encodeBackend(message: BackendMessage): Uint8Array {
  if (message.kind === 'Unknown') return new ByteWriter(message.type).bytes(message.body).finish();
  if (isAuthentication(message)) {
    const writer = new ByteWriter(BACKEND.Authentication);
    writeAuthentication(writer, message);
    return writer.finish();
  }
  const writer = new ByteWriter(BACKEND[message.kind]);
  writeBackend(writer, message);
  return writer.finish();
}

/** A PasswordMessage: the answer to a request for a password, in the clear or hashed with MD5. */
export function encodePasswordMessage(password: string): Uint8Array {
  return new ByteWriter(FRONTEND.AuthenticationResponse).string(password).finish();
}

/** The message that begins a SASL exchange. */
export function encodeSASLInitialResponse(mechanism: string, data: Uint8Array | null): Uint8Array {
  return new ByteWriter(FRONTEND.AuthenticationResponse).string(mechanism).value(data).finish();
}

/** A message that goes on with a SASL exchange. */
export function encodeSASLResponse(data: Uint8Array): Uint8Array {
  return new ByteWriter(FRONTEND.AuthenticationResponse).bytes(data).finish();
}

/** What stands beside the sentence and the hint of an error. */
export interface ErrorContext {
  /** A second sentence; no secrets and no values of rows. */
  readonly detail?: string | undefined;
  /** Where in the text, in characters from 1. */
  readonly position?: number | undefined;
}

/** An error of ours in the server's form: psql shows it with its hint. */
export function encodeErrorResponse(
  error: CountersignError,
  severity: 'ERROR' | 'FATAL',
  context: ErrorContext = {},
): Uint8Array {
  return encodeBackend({ kind: 'ErrorResponse', fields: fieldsOf(error, severity, context) });
}

/** An error of ours that ends nothing. */
export function encodeNoticeResponse(
  error: CountersignError,
  severity: 'WARNING' | 'NOTICE',
  context: ErrorContext = {},
): Uint8Array {
  return encodeBackend({ kind: 'NoticeResponse', fields: fieldsOf(error, severity, context) });
}

function fieldsOf(
  error: CountersignError,
  severity: Severity,
  { detail, position }: ErrorContext,
): ErrorOrNotice['fields'] {
  const { sqlstate, hint } = error.row;
  const fields: [string, string | undefined][] = [
    ['S', severity],
    ['V', severity],
    ['C', sqlstate],
    ['M', error.message],
    ['D', detail],
    ['H', hint],
    ['P', position === undefined ? undefined : String(position)],
  ];
  return fields.flatMap(([code, text]) =>
    // A String cannot carry a zero byte, and the text may quote a name that a peer chose.
    text === undefined ? [] : [{ code, valueBytes: utf8Bytes(text.replaceAll('\0', '\uFFFD')) }],
  );
}

function isAuthentication(message: BackendMessage): message is AuthenticationMessage {
  return message.kind.startsWith('Authentication');
}

function writeAuthentication(w: ByteWriter, message: AuthenticationMessage): void {
  w.uint32(message.kind === 'AuthenticationUnknown' ? message.code : AUTHENTICATION_CODE[message.kind]);
  switch (message.kind) {
    case 'AuthenticationMD5Password':
      w.bytes(message.salt);
      return;
    case 'AuthenticationSASL':
      for (const mechanism of message.mechanisms) w.string(mechanism);
      w.uint8(0);
      return;
    case 'AuthenticationGSSContinue':
    case 'AuthenticationSASLContinue':
    case 'AuthenticationSASLFinal':
    case 'AuthenticationUnknown':
      w.bytes(message.data);
      return;
    case 'AuthenticationOk':
    case 'AuthenticationKerberosV5':
    case 'AuthenticationCleartextPassword':
    case 'AuthenticationGSS':
    case 'AuthenticationSSPI':
      return;
    default:
      message satisfies never;
  }
}

function writeFrontend(w: ByteWriter, message: Exclude<FrontendMessage, { kind: 'Unknown' }>): void {
  switch (message.kind) {
    case 'Bind':
      w.string(message.portal).string(message.statement);
      writeValues(w, message.valueFormats, message.values);
      return writeFormats(w, message.resultFormats);
    case 'Close':
    case 'Describe':
      w.uint8(message.target.charCodeAt(0)).string(message.name);
      return;
    case 'CopyData':
      w.bytes(message.data);
      return;
    case 'CopyFail':
      w.stringBytes(message.reasonBytes);
      return;
    case 'Execute':
      w.string(message.portal).int32(message.rowsMax);
      return;
    case 'FunctionCall':
      w.uint32(message.functionOid);
      writeValues(w, message.valueFormats, message.values);
      w.uint16(message.resultFormat);
      return;
    case 'Parse':
      w.string(message.statement).stringBytes(message.textBytes);
      return writeOids(w, message.parameterTypeOids);
    case 'AuthenticationResponse':
      w.bytes(message.body);
      return;
    case 'Query':
      w.stringBytes(message.textBytes);
      return;
    case 'CopyDone':
    case 'Flush':
    case 'Sync':
    case 'Terminate':
      return;
    default:
      message satisfies never;
  }
}

type PlainBackendMessage = Exclude<BackendMessage, AuthenticationMessage | { kind: 'Unknown' }>;

function writeBackend(w: ByteWriter, message: PlainBackendMessage): void {
  switch (message.kind) {
    case 'BackendKeyData':
      w.uint32(message.processId).bytes(message.secretKey);
      return;
    case 'CommandComplete':
      w.string(message.tag);
      return;
    case 'CopyData':
      w.bytes(message.data);
      return;
    case 'CopyInResponse':
    case 'CopyOutResponse':
    case 'CopyBothResponse':
      return writeCopy(w, message);
    case 'DataRow':
      w.uint16(message.values.length);
      for (const value of message.values) w.value(value);
      return;
    case 'ErrorResponse':
    case 'NoticeResponse':
      for (const field of message.fields) w.uint8(field.code.charCodeAt(0)).stringBytes(field.valueBytes);
      w.uint8(0);
      return;
    case 'FunctionCallResponse':
      w.value(message.value);
      return;
    case 'NegotiateProtocolVersion':
      w.uint32(message.newestVersion).uint32(message.unrecognizedOptions.length);
      for (const option of message.unrecognizedOptions) w.stringBytes(option);
      return;
    case 'NotificationResponse':
      w.uint32(message.processId).stringBytes(message.channelBytes).stringBytes(message.payloadBytes);
      return;
    case 'ParameterDescription':
      return writeOids(w, message.typeOids);
    case 'ParameterStatus':
      w.string(message.name).stringBytes(message.valueBytes);
      return;
    case 'ReadyForQuery':
      w.uint8(message.status.charCodeAt(0));
      return;
    case 'RowDescription':
      w.uint16(message.fields.length);
      for (const field of message.fields) writeRowField(w, field);
      return;
    case 'BindComplete':
    case 'CloseComplete':
    case 'CopyDone':
    case 'EmptyQueryResponse':
    case 'NoData':
    case 'ParseComplete':
    case 'PortalSuspended':
      return;
    default:
      message satisfies never;
  }
}

function writeValues(
  w: ByteWriter,
  formats: readonly FormatCode[],
  values: readonly (Uint8Array | null)[],
): void {
  writeFormats(w, formats);
  w.uint16(values.length);
  for (const value of values) w.value(value);
}

function writeFormats(w: ByteWriter, formats: readonly FormatCode[]): void {
  w.uint16(formats.length);
  for (const format of formats) w.uint16(format);
}

function writeOids(w: ByteWriter, oids: readonly number[]): void {
  w.uint16(oids.length);
  for (const oid of oids) w.uint32(oid);
}

function writeCopy(w: ByteWriter, message: CopyResponse): void {
  w.uint8(message.format);
  writeFormats(w, message.columnFormats);
}

function writeRowField(w: ByteWriter, field: RowField): void {
  w.stringBytes(field.nameBytes)
    .uint32(field.tableOid)
    .int16(field.columnNumber)
    .uint32(field.typeOid)
    .int16(field.typeLength)
    .int32(field.typeModifier)
    .uint16(field.format);
}
