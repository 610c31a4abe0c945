/**
 * The messages of the authentication exchange, whose type bytes (`R` and `p`) do not say which they are.
 *
 * Spec: PostgreSQL 18, "Message Formats" (https://www.postgresql.org/docs/18/protocol-message-formats.html)
 * and "SASL Authentication" (https://www.postgresql.org/docs/18/sasl-authentication.html)
 * Frame: R carries Int32 code and its data; p carries what the code before asked for.
 * Refused: an empty password, a mechanism list without an end, bytes left over.
 * Untrusted: every byte.
 */

import { ByteReader, violation } from './byte-reader.ts';
import { AUTHENTICATION_CODE, type AuthenticationMessage } from './messages.ts';

export interface SASLInitialResponse {
  readonly mechanism: string;
  /** Null where the client sends no initial response. */
  readonly data: Uint8Array | null;
}

/** Reads the body of a message of type `R`. */
export function decodeAuthentication(reader: ByteReader): AuthenticationMessage {
  const code = reader.uint32();
  switch (code) {
    case AUTHENTICATION_CODE.AuthenticationOk:
      return { kind: 'AuthenticationOk' };
    case AUTHENTICATION_CODE.AuthenticationKerberosV5:
      return { kind: 'AuthenticationKerberosV5' };
    case AUTHENTICATION_CODE.AuthenticationCleartextPassword:
      return { kind: 'AuthenticationCleartextPassword' };
    case AUTHENTICATION_CODE.AuthenticationMD5Password:
      return { kind: 'AuthenticationMD5Password', salt: reader.bytes(4) };
    case AUTHENTICATION_CODE.AuthenticationGSS:
      return { kind: 'AuthenticationGSS' };
    case AUTHENTICATION_CODE.AuthenticationGSSContinue:
      return { kind: 'AuthenticationGSSContinue', data: reader.rest() };
    case AUTHENTICATION_CODE.AuthenticationSSPI:
      return { kind: 'AuthenticationSSPI' };
    case AUTHENTICATION_CODE.AuthenticationSASL:
      return { kind: 'AuthenticationSASL', mechanisms: readMechanisms(reader) };
    case AUTHENTICATION_CODE.AuthenticationSASLContinue:
      return { kind: 'AuthenticationSASLContinue', data: reader.rest() };
    case AUTHENTICATION_CODE.AuthenticationSASLFinal:
      return { kind: 'AuthenticationSASLFinal', data: reader.rest() };
    default:
      return { kind: 'AuthenticationUnknown', code, data: reader.rest() };
  }
}

/** The body of a PasswordMessage: the password's bytes, in whatever encoding the client has. */
export function decodePasswordMessage(body: Uint8Array): Uint8Array {
  const reader = new ByteReader(body, 'PasswordMessage');
  const password = reader.stringBytes();
  reader.end();
  if (password.length === 0) throw violation('the password is empty');
  return password;
}

/** The body of a SASLInitialResponse. A SASLResponse needs no decoding: its body is the data. */
export function decodeSASLInitialResponse(body: Uint8Array): SASLInitialResponse {
  const reader = new ByteReader(body, 'SASLInitialResponse');
  const mechanism = reader.string();
  const data = reader.value();
  reader.end();
  return { mechanism, data };
}

function readMechanisms(reader: ByteReader): readonly string[] {
  const mechanisms: string[] = [];
  for (;;) {
    const mechanism = reader.string();
    if (mechanism === '') return mechanisms;
    mechanisms.push(mechanism);
  }
}
