/** Messages, frames and recorded sessions of PostgreSQL, whole and broken. */

import { readFileSync } from 'node:fs';
import { encodeBackend, encodeFrontend } from '../../packages/gateway/src/protocols/postgres/encode.ts';
import type {
  BackendMessage,
  Format,
  FrontendMessage,
  StartupPacket,
} from '../../packages/gateway/src/protocols/postgres/messages.ts';
import { mutate, type Random } from './random.ts';

const VECTORS = new URL('../../vectors/postgres/', import.meta.url);

const NAMES: readonly string[] = ['', 's', 'p', 'S1', 'ü', 'a'.repeat(63), 'a'.repeat(64)];
const TEXTS: readonly string[] = [
  '',
  ';',
  'select 1',
  'select $1, $2',
  'fail',
  'copy t from stdin',
  'copy t(a, b) from stdin; select 1',
  '/* copy */ copy "t" from stdin -- x',
  'copy (select 1) to stdout',
  'prepare s as select 1',
  'deallocate all',
  'discard all',
  'declare p cursor for select 1',
  'close p',
  "select 'copy t from stdin'",
  'do $$ begin end $$',
];
const TAGS: readonly string[] = [
  'SELECT 1',
  'INSERT 0 5',
  'COPY 3',
  'BEGIN',
  '',
  'SELECT 99999999999999999999',
];

export interface RecordedSession {
  readonly chunks: readonly { readonly fromClient: boolean; readonly bytes: Uint8Array }[];
}

/** Sessions of real clients, and pipelines against a real server. */
export function recordedSessions(): readonly RecordedSession[] {
  return ['recorded-clients.txt', 'recorded-pipelines.txt'].flatMap((file) =>
    readFileSync(new URL(file, VECTORS), 'utf8')
      .split('\ncase: ')
      .slice(1)
      .map((block) => ({
        chunks: block
          .trimEnd()
          .split('\n')
          .slice(2)
          .map((line) => ({
            fromClient: line.startsWith('>'),
            bytes: new Uint8Array(Buffer.from(line.slice(2), 'hex')),
          })),
      })),
  );
}

/** Each frame of one direction of the recorded sessions; start-up packets and logins are left out. */
export function recordedFrames(sessions: readonly RecordedSession[], fromClient: boolean): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (const { chunks } of sessions) {
    for (const chunk of chunks) {
      if (chunk.fromClient !== fromClient || (chunk.bytes[0] ?? 0) < 0x31) continue;
      for (let at = 0; at + 5 <= chunk.bytes.length; ) {
        const end = at + 1 + new DataView(chunk.bytes.buffer, chunk.bytes.byteOffset + at + 1).getUint32(0);
        if (end <= chunk.bytes.length) frames.push(chunk.bytes.subarray(at, end));
        at = end;
      }
    }
  }
  return frames;
}

/** A whole frame with a body of its own; its length is true. */
export function frameOf(type: number, body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(5 + body.length);
  frame[0] = type;
  new DataView(frame.buffer).setUint32(1, body.length + 4);
  frame.set(body, 5);
  return frame;
}

/** A frame whose declared length is a lie, or whose type is none. */
export function liarFrame(frame: Uint8Array, random: Random): Uint8Array {
  const liar = frame.slice();
  if (random.oneIn(3)) liar[0] = random.uint32();
  else if (liar.length >= 5) new DataView(liar.buffer).setUint32(1, random.edge());
  return liar;
}

export function randomText(random: Random): Uint8Array {
  const text = Buffer.from(random.pick(TEXTS));
  return random.oneIn(8) ? mutate(text, random).filter((byte) => byte !== 0) : text;
}

function randomName(random: Random): string {
  return random.oneIn(3) ? '' : random.pick(NAMES);
}

function randomFormats(random: Random, count: number): Format[] {
  return Array.from({ length: random.pick([0, 1, count]) }, (): Format => (random.oneIn(2) ? 0 : 1));
}

function randomValue(random: Random): Uint8Array | null {
  return random.oneIn(4) ? null : random.bytes(random.length(200));
}

function randomValues(random: Random): (Uint8Array | null)[] {
  return Array.from({ length: random.length(20) }, () => randomValue(random));
}

const withoutZero = (bytes: Uint8Array): Uint8Array => bytes.filter((byte) => byte !== 0);

type Maker<M> = (random: Random) => M;

const FRONTEND_MAKERS: readonly Maker<FrontendMessage>[] = [
  (r) => ({ kind: 'Query', textBytes: randomText(r) }),
  (r) => ({
    kind: 'Parse',
    statement: randomName(r),
    textBytes: randomText(r),
    parameterTypeOids: Array.from({ length: r.length(8) }, () => r.edge()),
  }),
  (r) => {
    const values = randomValues(r);
    return {
      kind: 'Bind',
      portal: randomName(r),
      statement: randomName(r),
      valueFormats: randomFormats(r, values.length),
      values,
      resultFormats: randomFormats(r, r.length(5)),
    };
  },
  (r) => ({ kind: 'Describe', target: r.oneIn(2) ? 'S' : 'P', name: randomName(r) }),
  (r) => ({ kind: 'Execute', portal: randomName(r), rowsMax: r.pick([0, 0, 1, -1, 0x7fff_ffff]) }),
  (r) => ({ kind: 'Close', target: r.oneIn(2) ? 'S' : 'P', name: randomName(r) }),
  () => ({ kind: 'Sync' }),
  () => ({ kind: 'Sync' }),
  () => ({ kind: 'Flush' }),
  (r) => {
    const values = randomValues(r);
    const valueFormats = randomFormats(r, values.length);
    return { kind: 'FunctionCall', functionOid: r.edge(), valueFormats, values, resultFormat: 0 };
  },
  (r) => ({ kind: 'CopyData', data: r.bytes(r.length(300)) }),
  () => ({ kind: 'CopyDone' }),
  (r) => ({ kind: 'CopyFail', reasonBytes: withoutZero(r.bytes(r.length(20))) }),
  (r) => (r.oneIn(8) ? { kind: 'Terminate' } : { kind: 'Sync' }),
  (r) =>
    r.oneIn(8)
      ? { kind: 'AuthenticationResponse', body: r.bytes(r.length(40)) }
      : { kind: 'Query', textBytes: randomText(r) },
];

const BACKEND_MAKERS: readonly Maker<BackendMessage>[] = [
  (r) => ({ kind: 'DataRow', values: randomValues(r) }),
  (r) => ({ kind: 'CommandComplete', tag: r.pick(TAGS) }),
  (r) => ({ kind: 'ReadyForQuery', status: r.pick(['I', 'T', 'E']) }),
  (r) => ({
    kind: 'RowDescription',
    fields: Array.from({ length: r.length(10) }, () => ({
      nameBytes: withoutZero(r.bytes(r.length(12))),
      tableOid: r.edge(),
      columnNumber: (r.edge() << 16) >> 16,
      typeOid: r.edge(),
      typeLength: (r.edge() << 16) >> 16,
      typeModifier: r.edge() | 0,
      format: r.oneIn(2) ? 0 : 1,
    })),
  }),
  (r) => ({
    kind: r.oneIn(2) ? 'ErrorResponse' : 'NoticeResponse',
    fields: Array.from({ length: r.length(6) }, () => ({
      code: String.fromCharCode(1 + r.below(255)),
      valueBytes: withoutZero(r.bytes(r.length(40))),
    })),
  }),
  () => ({ kind: 'ParseComplete' }),
  () => ({ kind: 'BindComplete' }),
  () => ({ kind: 'CloseComplete' }),
  () => ({ kind: 'NoData' }),
  () => ({ kind: 'EmptyQueryResponse' }),
  () => ({ kind: 'PortalSuspended' }),
  (r) => ({ kind: 'ParameterDescription', typeOids: Array.from({ length: r.length(9) }, () => r.edge()) }),
  (r) => ({ kind: 'ParameterStatus', name: randomName(r), valueBytes: withoutZero(r.bytes(r.length(9))) }),
  (r) => ({ kind: 'BackendKeyData', processId: r.edge(), secretKey: r.bytes(r.pick([4, 32, 256])) }),
  (r) => ({
    kind: r.pick(['CopyInResponse', 'CopyOutResponse', 'CopyBothResponse'] as const),
    format: r.oneIn(2) ? 0 : 1,
    columnFormats: randomFormats(r, 3),
  }),
  (r) => ({ kind: 'CopyData', data: r.bytes(r.length(300)) }),
  () => ({ kind: 'CopyDone' }),
  (r) => ({ kind: 'FunctionCallResponse', value: randomValue(r) }),
  (r) => ({
    kind: 'NotificationResponse',
    processId: r.edge(),
    channelBytes: withoutZero(r.bytes(r.length(9))),
    payloadBytes: withoutZero(r.bytes(r.length(30))),
  }),
  (r) => ({
    kind: 'NegotiateProtocolVersion',
    newestVersion: r.edge(),
    unrecognizedOptions: Array.from({ length: r.length(3) }, () => Buffer.from(`_pq_.${randomName(r)}`)),
  }),
  (r) => ({ kind: 'AuthenticationSASL', mechanisms: r.oneIn(2) ? [] : ['SCRAM-SHA-256'] }),
  (r) => ({ kind: 'AuthenticationSASLContinue', data: r.bytes(r.length(60)) }),
  (r) => ({ kind: 'AuthenticationMD5Password', salt: r.bytes(4) }),
  () => ({ kind: 'AuthenticationOk' }),
];

export function randomFrontend(random: Random): Uint8Array {
  return encodeFrontend(random.pick(FRONTEND_MAKERS)(random));
}

export function randomBackend(random: Random): Uint8Array {
  return encodeBackend(random.pick(BACKEND_MAKERS)(random));
}

export function randomStartup(random: Random): StartupPacket {
  switch (random.below(8)) {
    case 0:
      return { kind: 'SSLRequest' };
    case 1:
      return { kind: 'GSSENCRequest' };
    case 2: {
      const secretKey = random.bytes(random.pick([4, 32, 256]));
      return { kind: 'CancelRequest', processId: random.edge(), secretKey };
    }
    default: {
      const parameters: (readonly [Uint8Array, Uint8Array])[] = [[Buffer.from('user'), Buffer.from('ana')]];
      for (let i = random.length(6); i > 0; i--)
        parameters.push([Buffer.from(`p${i}${randomName(random)}`), Buffer.from(randomName(random))]);
      return { kind: 'StartupMessage', protocolVersion: 0x0003_0000 + random.below(4), parameters };
    }
  }
}
