/**
 * Reads vectors/: plain text, records divided by empty lines, one `field: value` per line.
 *
 * A field may come more than once. Lines that begin with `#` are comments. A field that the test
 * does not know fails it, so that no vector is checked by half.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../vectors');

/** One vector: each field with its values, in order. */
export interface Vector {
  /** The one value of a field; throws where there is none. */
  readonly one: (field: string) => string;
  /** The one value of a field, if it is there. */
  readonly maybe: (field: string) => string | undefined;
  readonly all: (field: string) => readonly string[];
}

/** @param fields every field that the test understands */
export function readVectors(path: string, fields: readonly string[]): readonly Vector[] {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const records = text
    .split(/\n{2,}/)
    .map((record) => record.split('\n').filter((line) => line !== '' && !line.startsWith('#')))
    .filter((lines) => lines.length > 0);
  if (records.length === 0) throw new Error(`no vectors in ${path}`);
  return records.map((lines) => toVector(lines, path, new Set(fields)));
}

/** The bytes of a file under vectors/. */
export function vectorBytes(path: string): Uint8Array {
  return readFileSync(join(ROOT, path));
}

function toVector(lines: readonly string[], path: string, fields: ReadonlySet<string>): Vector {
  const values = new Map<string, string[]>();
  for (const line of lines) {
    const match = /^([a-zA-Z0-9-]+):(?: (.*))?$/.exec(line);
    const [, field, value = ''] = match ?? [];
    if (field === undefined || !fields.has(field)) throw new Error(`unknown field in ${path}: ${line}`);
    values.set(field, [...(values.get(field) ?? []), value]);
  }
  function maybe(field: string): string | undefined {
    const found = values.get(field) ?? [];
    if (found.length > 1) throw new Error(`${path}: more than one ${field}`);
    return found[0];
  }
  return {
    maybe,
    one: (field) => {
      const value = maybe(field);
      if (value === undefined) throw new Error(`${path}: expected ${field}`);
      return value;
    },
    all: (field) => values.get(field) ?? [],
  };
}
