/**
 * PostgreSQL messages as types: what a client sends, what a server sends, and their type bytes.
 *
 * Spec: PostgreSQL 18, "Message Formats" (https://www.postgresql.org/docs/18/protocol-message-formats.html)
 * Names: `kind` is the name that the specification gives. Text that may be in any client encoding
 * is carried as bytes (`…Bytes`); see `utf8Text` in byte-reader.ts.
 * Refused: nothing here; decode.ts and states.ts say what is refused.
 * Untrusted: every field.
 */

/** 0 is text, 1 is binary. */
export type Format = 0 | 1;

/** A format as a client asked for it: PostgreSQL looks at the code only where it writes a value in it. */
export type FormatCode = number;

/** Idle, in a transaction block, in a failed transaction block. */
export type TransactionStatus = 'I' | 'T' | 'E';

/** `S` for a prepared statement, `P` for a portal. */
export type StatementOrPortal = 'S' | 'P';

/** The first packet of a session. */
interface StartupMessage {
  readonly kind: 'StartupMessage';
  /** Major version in the high 16 bits, minor in the low 16; the major one is always 3. */
  readonly protocolVersion: number;
  /** In the order of the packet. */
  readonly parameters: readonly StartupParameter[];
}

/** Name and value as they came, in whatever encoding; a name may be given more than once. */
export type StartupParameter = readonly [name: Uint8Array, value: Uint8Array];

/** What comes before the protocol proper: packets without a type byte. */
export type StartupPacket =
  | StartupMessage
  | { readonly kind: 'SSLRequest' }
  | { readonly kind: 'GSSENCRequest' }
  | { readonly kind: 'CancelRequest'; readonly processId: number; readonly secretKey: Uint8Array };

export type FrontendMessage =
  | {
      readonly kind: 'Bind';
      readonly portal: string;
      readonly statement: string;
      /** None (all text), one for all, or one for each value. */
      readonly valueFormats: readonly FormatCode[];
      readonly values: readonly (Uint8Array | null)[];
      /** None (all text), one for all, or one for each column. */
      readonly resultFormats: readonly FormatCode[];
    }
  | { readonly kind: 'Close'; readonly target: StatementOrPortal; readonly name: string }
  | { readonly kind: 'CopyData'; readonly data: Uint8Array }
  | { readonly kind: 'CopyDone' }
  | { readonly kind: 'CopyFail'; readonly reasonBytes: Uint8Array }
  | { readonly kind: 'Describe'; readonly target: StatementOrPortal; readonly name: string }
  | { readonly kind: 'Execute'; readonly portal: string; readonly rowsMax: number }
  | { readonly kind: 'Flush' }
  | {
      readonly kind: 'FunctionCall';
      readonly functionOid: number;
      readonly valueFormats: readonly FormatCode[];
      readonly values: readonly (Uint8Array | null)[];
      readonly resultFormat: FormatCode;
    }
  | {
      readonly kind: 'Parse';
      readonly statement: string;
      readonly textBytes: Uint8Array;
      /** 0 leaves the type to the server. */
      readonly parameterTypeOids: readonly number[];
    }
  | {
      /**
       * Type `p`: a PasswordMessage, SASLInitialResponse, SASLResponse or GSSResponse. Only the
       * authentication exchange knows which; see the decode functions of authentication.ts.
       */
      readonly kind: 'AuthenticationResponse';
      readonly body: Uint8Array;
    }
  | { readonly kind: 'Query'; readonly textBytes: Uint8Array }
  | { readonly kind: 'Sync' }
  | { readonly kind: 'Terminate' }
  | { readonly kind: 'Unknown'; readonly type: number; readonly body: Uint8Array };

/** A message of a known type with a body that PostgreSQL refuses: it answers with an error, and goes on. */
export interface MalformedMessage {
  readonly kind: 'Malformed';
  readonly type: number;
  readonly body: Uint8Array;
  /** What is wrong with it. */
  readonly reason: string;
}

/** One column of a RowDescription. */
export interface RowField {
  readonly nameBytes: Uint8Array;
  /** 0 when the column is not a column of a table. */
  readonly tableOid: number;
  /** Attribute number in the table, or 0. */
  readonly columnNumber: number;
  readonly typeOid: number;
  /** Negative for types of variable width. */
  readonly typeLength: number;
  readonly typeModifier: number;
  readonly format: FormatCode;
}

/** One field of an ErrorResponse or NoticeResponse: `S`, `V`, `C`, `M`, `D`, `H` and so on. */
export interface ResponseField {
  readonly code: string;
  readonly valueBytes: Uint8Array;
}

export type AuthenticationMessage =
  | { readonly kind: 'AuthenticationOk' }
  | { readonly kind: 'AuthenticationKerberosV5' }
  | { readonly kind: 'AuthenticationCleartextPassword' }
  | { readonly kind: 'AuthenticationMD5Password'; readonly salt: Uint8Array }
  | { readonly kind: 'AuthenticationGSS' }
  | { readonly kind: 'AuthenticationGSSContinue'; readonly data: Uint8Array }
  | { readonly kind: 'AuthenticationSSPI' }
  | { readonly kind: 'AuthenticationSASL'; readonly mechanisms: readonly string[] }
  | { readonly kind: 'AuthenticationSASLContinue'; readonly data: Uint8Array }
  | { readonly kind: 'AuthenticationSASLFinal'; readonly data: Uint8Array }
  | { readonly kind: 'AuthenticationUnknown'; readonly code: number; readonly data: Uint8Array };

export type BackendMessage =
  | AuthenticationMessage
  | { readonly kind: 'BackendKeyData'; readonly processId: number; readonly secretKey: Uint8Array }
  | { readonly kind: 'BindComplete' }
  | { readonly kind: 'CloseComplete' }
  | { readonly kind: 'CommandComplete'; readonly tag: string }
  | { readonly kind: 'CopyData'; readonly data: Uint8Array }
  | { readonly kind: 'CopyDone' }
  | CopyResponse
  | { readonly kind: 'DataRow'; readonly values: readonly (Uint8Array | null)[] }
  | { readonly kind: 'EmptyQueryResponse' }
  | ErrorOrNotice
  | { readonly kind: 'FunctionCallResponse'; readonly value: Uint8Array | null }
  | {
      readonly kind: 'NegotiateProtocolVersion';
      /** As servers send it: the whole version number, major in the high 16 bits. */
      readonly newestVersion: number;
      /** Names as the client sent them, in whatever encoding. */
      readonly unrecognizedOptions: readonly Uint8Array[];
    }
  | { readonly kind: 'NoData' }
  | {
      readonly kind: 'NotificationResponse';
      readonly processId: number;
      readonly channelBytes: Uint8Array;
      readonly payloadBytes: Uint8Array;
    }
  | { readonly kind: 'ParameterDescription'; readonly typeOids: readonly number[] }
  | { readonly kind: 'ParameterStatus'; readonly name: string; readonly valueBytes: Uint8Array }
  | { readonly kind: 'ParseComplete' }
  | { readonly kind: 'PortalSuspended' }
  | { readonly kind: 'ReadyForQuery'; readonly status: TransactionStatus }
  | { readonly kind: 'RowDescription'; readonly fields: readonly RowField[] }
  | { readonly kind: 'Unknown'; readonly type: number; readonly body: Uint8Array };

/** The three messages that start a COPY. */
export interface CopyResponse {
  readonly kind: 'CopyInResponse' | 'CopyOutResponse' | 'CopyBothResponse';
  readonly format: Format;
  readonly columnFormats: readonly Format[];
}

export interface ErrorOrNotice {
  readonly kind: 'ErrorResponse' | 'NoticeResponse';
  readonly fields: readonly ResponseField[];
}

/** Type bytes of what a client sends. */
export const FRONTEND = {
  Bind: 0x42,
  Close: 0x43,
  CopyData: 0x64,
  CopyDone: 0x63,
  CopyFail: 0x66,
  Describe: 0x44,
  Execute: 0x45,
  Flush: 0x48,
  FunctionCall: 0x46,
  Parse: 0x50,
  AuthenticationResponse: 0x70,
  Query: 0x51,
  Sync: 0x53,
  Terminate: 0x58,
} as const;

/** Type bytes of what a server sends. */
export const BACKEND = {
  Authentication: 0x52,
  BackendKeyData: 0x4b,
  BindComplete: 0x32,
  CloseComplete: 0x33,
  CommandComplete: 0x43,
  CopyData: 0x64,
  CopyDone: 0x63,
  CopyInResponse: 0x47,
  CopyOutResponse: 0x48,
  CopyBothResponse: 0x57,
  DataRow: 0x44,
  EmptyQueryResponse: 0x49,
  ErrorResponse: 0x45,
  FunctionCallResponse: 0x56,
  NegotiateProtocolVersion: 0x76,
  NoData: 0x6e,
  NoticeResponse: 0x4e,
  NotificationResponse: 0x41,
  ParameterDescription: 0x74,
  ParameterStatus: 0x53,
  ParseComplete: 0x31,
  PortalSuspended: 0x73,
  ReadyForQuery: 0x5a,
  RowDescription: 0x54,
} as const;

/** The Int32 after the message type of an Authentication message. */
export const AUTHENTICATION_CODE = {
  AuthenticationOk: 0,
  AuthenticationKerberosV5: 2,
  AuthenticationCleartextPassword: 3,
  AuthenticationMD5Password: 5,
  AuthenticationGSS: 7,
  AuthenticationGSSContinue: 8,
  AuthenticationSSPI: 9,
  AuthenticationSASL: 10,
  AuthenticationSASLContinue: 11,
  AuthenticationSASLFinal: 12,
} as const;

/** The Int32 where a start-up packet has its protocol version: major 1234, chosen not to be a version. */
export const STARTUP_CODE = {
  CancelRequest: 80_877_102,
  SSLRequest: 80_877_103,
  GSSENCRequest: 80_877_104,
} as const;

export const PROTOCOL_3_0 = 0x0003_0000;
/** Longer cancel keys; 3.1 was never given out and is like 3.0. */
export const PROTOCOL_3_2 = 0x0003_0002;

/** Whatever its body is, the target takes it for a Sync. */
export function isSync(message: FrontendMessage | MalformedMessage): boolean {
  return message.kind === 'Sync' || (message.kind === 'Malformed' && message.type === FRONTEND.Sync);
}
