/**
 * The packets before the protocol proper: StartupMessage, SSLRequest, GSSENCRequest, CancelRequest.
 *
 * Spec: PostgreSQL 18, "Message Formats" (https://www.postgresql.org/docs/18/protocol-message-formats.html)
 * Frame: Int32 length (counts itself), Int32 version or request code, body. No type byte.
 * Refused: protocol 2, a major version other than 3, a parameter twice, a packet without a user, text
 * that is not UTF-8, a cancel key of fewer than 4 or more than 256 bytes, bytes left over.
 * Untrusted: every byte.
 */

import { ByteReader, violation } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { STARTUP_CODE, type StartupPacket } from './messages.ts';

const CANCEL_KEY_BYTES_MIN = 4;
const CANCEL_KEY_BYTES_MAX = 256;

/** One whole packet, its four bytes of length included; see `startupPacketLength`. */
export function decodeStartupPacket(packet: Uint8Array): StartupPacket {
  const reader = new ByteReader(packet, 'the start-up packet');
  const length = reader.uint32();
  if (length !== packet.length) throw violation(`the start-up packet declares ${length} bytes`);
  const decoded = readPacket(reader, reader.uint32());
  reader.end();
  return decoded;
}

/** The bytes of a packet that the gateway sends to a server. */
export function encodeStartupPacket(packet: StartupPacket): Uint8Array {
  const writer = new ByteWriter(undefined);
  switch (packet.kind) {
    case 'StartupMessage':
      writer.uint32(packet.protocolVersion);
      for (const [name, value] of packet.parameters) writer.string(name).string(value);
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

function readPacket(reader: ByteReader, code: number): StartupPacket {
  switch (code) {
    case STARTUP_CODE.SSLRequest:
      return { kind: 'SSLRequest' };
    case STARTUP_CODE.GSSENCRequest:
      return { kind: 'GSSENCRequest' };
    case STARTUP_CODE.CancelRequest:
      return { kind: 'CancelRequest', processId: reader.uint32(), secretKey: readCancelKey(reader) };
    default:
      if (code >>> 16 !== 3) throw violation(`protocol ${code >>> 16}.${code & 0xffff} is not spoken here`);
      return { kind: 'StartupMessage', protocolVersion: code, parameters: readParameters(reader) };
  }
}

function readCancelKey(reader: ByteReader): Uint8Array {
  const length = reader.remaining;
  if (length < CANCEL_KEY_BYTES_MIN || length > CANCEL_KEY_BYTES_MAX) {
    throw violation(`a cancel key has ${length} bytes`);
  }
  return reader.bytes(length);
}

function readParameters(reader: ByteReader): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (;;) {
    const name = reader.string();
    if (name === '') break;
    if (parameters.has(name)) throw violation('a start-up parameter is given twice');
    parameters.set(name, reader.string());
  }
  if ((parameters.get('user') ?? '') === '') throw violation('the start-up packet names no user');
  return parameters;
}
