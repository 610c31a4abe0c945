/**
 * The packets before the protocol proper: StartupMessage, SSLRequest, GSSENCRequest, CancelRequest.
 *
 * Spec: PostgreSQL 18, "Message Formats" (https://www.postgresql.org/docs/18/protocol-message-formats.html)
 * Frame: Int32 length (counts itself), Int32 version or request code, body. No type byte.
 * Refused, as PostgreSQL's ProcessStartupPacket does: every major version but 3, a packet whose
 * terminator is not its last byte, a packet without a user, a cancel key of no or more than 256 bytes.
 * Untrusted: every byte. Names and values may be in any encoding, so they stay bytes.
 */

import { CountersignError } from '../../core/errors.ts';
import { ByteReader, utf8Bytes, utf8Text, violation } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { PROTOCOL_3_2, STARTUP_CODE, type StartupPacket, type StartupParameter } from './messages.ts';

/** PostgreSQL 18, "CancelRequest": the key is as long as the rest of the packet, and at most this long. */
const CANCEL_KEY_BYTES_MAX = 256;
/** Length, version. */
const HEAD_BYTES = 8;
const MAJOR = 3;

/** Name and value as they are sent: text is sent as UTF-8. */
type SentParameter = readonly [name: string | Uint8Array, value: string | Uint8Array];

/** A packet that the gateway sends; a Map of texts is a list of parameters too. */
export type SentStartupPacket =
  | Exclude<StartupPacket, { readonly kind: 'StartupMessage' }>
  | {
      readonly kind: 'StartupMessage';
      readonly protocolVersion: number;
      readonly parameters: Iterable<SentParameter>;
    };

/** One whole packet, its four bytes of length included; see `startupPacketLength`. */
export function decodeStartupPacket(packet: Uint8Array): StartupPacket {
  const reader = new ByteReader(packet, 'the start-up packet');
  const length = reader.uint32();
  if (length !== packet.length) throw violation(`the start-up packet declares ${length} bytes`);
  const code = reader.uint32();
  switch (code) {
    // What follows the code of these two is not looked at, as PostgreSQL does not.
    case STARTUP_CODE.SSLRequest:
      return { kind: 'SSLRequest' };
    case STARTUP_CODE.GSSENCRequest:
      return { kind: 'GSSENCRequest' };
    case STARTUP_CODE.CancelRequest:
      return { kind: 'CancelRequest', processId: reader.uint32(), secretKey: readCancelKey(reader) };
    default:
      if (code >>> 16 !== MAJOR) throw unsupportedProtocol(code);
      return { kind: 'StartupMessage', protocolVersion: code, parameters: readParameters(packet) };
  }
}

/** The bytes of a packet that the gateway sends to a server. */
export function encodeStartupPacket(packet: SentStartupPacket): Uint8Array {
  const writer = new ByteWriter(undefined);
  switch (packet.kind) {
    case 'StartupMessage':
      writer.uint32(packet.protocolVersion);
      for (const [name, value] of packet.parameters) {
        writer.stringBytes(bytesOf(name)).stringBytes(bytesOf(value));
      }
      return writer.uint8(0).finish();
    case 'CancelRequest':
      return writer
        .uint32(STARTUP_CODE.CancelRequest)
        .uint32(packet.processId)
        .bytes(packet.secretKey)
        .finish();
    case 'SSLRequest':
    case 'GSSENCRequest':
      return writer.uint32(STARTUP_CODE[packet.kind]).finish();
    default:
      return packet satisfies never;
  }
}

/** What PostgreSQL says to a version, or to a request where it expects none. */
export function unsupportedProtocol(code: number): CountersignError {
  return new CountersignError('PROTOCOL_UNSUPPORTED', { asked: `${code >>> 16}.${code & 0xffff}` });
}

/**
 * Whether an error is told in the form of protocol 2, as PostgreSQL does where a client asks for 1 or 2.
 */
export function isBeforeProtocol3(error: CountersignError): boolean {
  const asked = String(error.details['asked'] ?? '');
  return error.code === 'PROTOCOL_UNSUPPORTED' && /^[12]\./.test(asked);
}

/** Protocol 2: `E`, a text, a zero byte; no length. */
export function encodeProtocol2Error(error: CountersignError): Uint8Array {
  return utf8Bytes(`EFATAL:  ${error.message}\n\0`);
}

/** Protocol-level options (`_pq_.`), of which PostgreSQL 18 knows none. */
export function protocolOptions(parameters: readonly StartupParameter[]): readonly Uint8Array[] {
  return parameters.map(([name]) => name).filter(isProtocolOption);
}

/** The last value of a name, as the server takes it; undefined where it is not given. */
export function startupParameter(
  parameters: readonly StartupParameter[],
  name: string,
): Uint8Array | undefined {
  const wanted = utf8Bytes(name);
  return parameters.findLast(([candidate]) => equal(candidate, wanted))?.[1];
}

/** Like {@link startupParameter}, as text for people and leaves: what is not UTF-8 is U+FFFD. */
export function startupText(parameters: readonly StartupParameter[], name: string): string | undefined {
  const value = startupParameter(parameters, name);
  return value === undefined ? undefined : lenientUtf8.decode(value);
}

/** Parameters that are sent on to the target: in order, repeated or not. */
export function forwardedParameters(parameters: readonly StartupParameter[]): readonly StartupParameter[] {
  return parameters.filter(([name]) => {
    const text = utf8Text(name);
    return (text === null || !OWN_PARAMETERS.has(text)) && !isProtocolOption(name);
  });
}

/** Whether replication is asked for; throws where a value is none, as PostgreSQL does for each of them. */
export function asksForReplication(parameters: readonly StartupParameter[]): boolean {
  const name = utf8Bytes('replication');
  let asked = false;
  for (const [candidate, value] of parameters) if (equal(candidate, name)) asked = isReplication(value);
  return asked;
}

/** PostgreSQL: `database` as it stands, else a boolean by any unique beginning of its words, in any case. */
function isReplication(value: Uint8Array): boolean {
  const text = lenientUtf8.decode(value);
  if (text === 'database') return true;
  const word = text.toLowerCase();
  // `o` could be `on` or `off`.
  if (word !== '' && word !== 'o') {
    if (['false', 'no', 'off', '0'].some((off) => off.startsWith(word))) return false;
    if (['true', 'yes', 'on', '1'].some((on) => on.startsWith(word))) return true;
  }
  throw new CountersignError('REPLICATION_INVALID', { value: text });
}

/** The gateway's to answer or to set; the README says why each. All others are the target's. */
const OWN_PARAMETERS: ReadonlySet<string> = new Set(['user', 'database', 'replication']);

const PROTOCOL_OPTION_PREFIX = utf8Bytes('_pq_.');

const lenientUtf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** The minor version that both sides speak from now on. */
export function negotiatedVersion(asked: number): number {
  return Math.min(asked, PROTOCOL_3_2);
}

function readCancelKey(reader: ByteReader): Uint8Array {
  const length = reader.remaining;
  if (length === 0 || length > CANCEL_KEY_BYTES_MAX) throw violation(`a cancel key has ${length} bytes`);
  return reader.bytes(length);
}

/** Names and values up to an empty name, which has to be the last byte. */
function readParameters(packet: Uint8Array): readonly StartupParameter[] {
  const parameters: StartupParameter[] = [];
  let offset = HEAD_BYTES;
  while (offset < packet.length && packet[offset] !== 0) {
    const nameEnd = packet.indexOf(0, offset);
    const valueEnd = nameEnd === -1 ? -1 : packet.indexOf(0, nameEnd + 1);
    if (valueEnd === -1) throw new CountersignError('STARTUP_INVALID');
    parameters.push([packet.subarray(offset, nameEnd), packet.subarray(nameEnd + 1, valueEnd)]);
    offset = valueEnd + 1;
  }
  if (offset !== packet.length - 1) throw new CountersignError('STARTUP_INVALID');
  return parameters;
}

function isProtocolOption(name: Uint8Array): boolean {
  return equal(name.subarray(0, PROTOCOL_OPTION_PREFIX.length), PROTOCOL_OPTION_PREFIX);
}

function bytesOf(text: string | Uint8Array): Uint8Array {
  return typeof text === 'string' ? utf8Bytes(text) : text;
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
