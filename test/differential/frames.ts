/** Frontend frames for scripts: what the specification has, and what no driver would send. */

const ZERO = Buffer.of(0);

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function cString(text: string | Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(text), ZERO]);
}

/** One frontend frame. */
export function frame(type: string, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type, 'latin1'), int32(body.length + 4), body]);
}

export function query(text: string | Uint8Array): Buffer {
  return frame('Q', cString(text));
}

export function parse(
  statement: string | Uint8Array,
  text: string | Uint8Array,
  types: readonly number[] = [],
): Buffer {
  return frame('P', cString(statement), cString(text), int16(types.length), ...types.map(int32));
}

/** A value as text, as bytes, or NULL. */
export type Value = string | Uint8Array | null;

export interface BindOptions {
  readonly values?: readonly Value[];
  /** 0 is text, 1 is binary. */
  readonly formats?: readonly number[];
  readonly results?: readonly number[];
}

export function bind(
  portal: string | Uint8Array,
  statement: string | Uint8Array,
  options: BindOptions = {},
): Buffer {
  const { values = [], formats = [], results = [] } = options;
  return frame('B', cString(portal), cString(statement), valuesPart(formats, values), formatsPart(results));
}

export function functionCall(
  oid: number,
  values: readonly Value[],
  formats: readonly number[] = [],
  result = 0,
): Buffer {
  return frame('F', int32(oid), valuesPart(formats, values), int16(result));
}

export function execute(portal: string | Uint8Array = '', rowsMax = 0): Buffer {
  return frame('E', cString(portal), int32(rowsMax));
}

export function describe(target: 'S' | 'P', name: string | Uint8Array = ''): Buffer {
  return frame('D', Buffer.from(target), cString(name));
}

export function close(target: 'S' | 'P', name: string | Uint8Array = ''): Buffer {
  return frame('C', Buffer.from(target), cString(name));
}

export function copyData(data: string | Uint8Array): Buffer {
  return frame('d', Buffer.from(data));
}

export function copyFail(reason: string): Buffer {
  return frame('f', cString(reason));
}

/** Parse, Bind and Execute of the unnamed statement. */
export function run(text: string, options: BindOptions = {}): Buffer {
  return Buffer.concat([parse('', text), bind('', '', options), describe('P'), execute()]);
}

export const COPY_DONE: Buffer = frame('c');
export const FLUSH: Buffer = frame('H');
export const SYNC: Buffer = frame('S');
export const TERMINATE: Buffer = frame('X');

function formatsPart(formats: readonly number[]): Buffer {
  return Buffer.concat([int16(formats.length), ...formats.map(int16)]);
}

function valuesPart(formats: readonly number[], values: readonly Value[]): Buffer {
  const pieces = values.flatMap((value) => {
    if (value === null) return [int32(-1)];
    const bytes = Buffer.from(value);
    return [int32(bytes.length), bytes];
  });
  return Buffer.concat([formatsPart(formats), int16(values.length), ...pieces]);
}
