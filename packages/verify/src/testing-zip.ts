/** Zips for tests: stored entries, and a hook for what an attacker would write instead. */

import { concat, utf8 } from '@countersign/ledger/bytes';
import { crc32 } from './crc32.ts';
import type { Source } from './host.ts';

/** One entry; the fields after `bytes` are lies. */
export interface TestingEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly localName?: string;
  readonly declaredBytes?: number;
  readonly crc?: number;
  readonly flags?: number;
  readonly mode?: number;
  readonly method?: number;
  /** Written to the directory in place of where it is. */
  readonly offset?: number;
  readonly extra?: Uint8Array;
  readonly comment?: string;
}

const FLAG_UTF8 = 0x0800;
const DOS_1980 = 0x00210000;
const REGULAR_FILE = 0o100644;

/** @param between bytes that belong to no entry, before the directory */
export function makeZip(
  entries: readonly TestingEntry[],
  between: Uint8Array = new Uint8Array(0),
): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  let at = 0;
  for (const entry of entries) {
    const local = concat(localHeader(entry), entry.bytes);
    central.push(centralHeader(entry, at));
    parts.push(local);
    at += local.length;
  }
  const directory = concat(...central);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, entries.length, true);
  end.setUint16(10, entries.length, true);
  end.setUint32(12, directory.length, true);
  end.setUint32(16, at + between.length, true);
  return new Uint8Array(concat(...parts, between, directory, new Uint8Array(end.buffer)));
}

/** The zip as a file that is in memory. */
export function memorySource(bytes: Uint8Array): Source {
  return { size: bytes.length, read: async (from, to) => bytes.slice(from, to) };
}

function localHeader(entry: TestingEntry): Uint8Array {
  const name = utf8(entry.localName ?? entry.name);
  const view = new DataView(new ArrayBuffer(30));
  view.setUint32(0, 0x04034b50, true);
  view.setUint16(4, 20, true);
  writeCommon(view, 6, entry, name.length);
  return concat(new Uint8Array(view.buffer), name);
}

function centralHeader(entry: TestingEntry, offset: number): Uint8Array {
  const name = utf8(entry.name);
  const extra = entry.extra ?? new Uint8Array(0);
  const comment = utf8(entry.comment ?? '');
  const view = new DataView(new ArrayBuffer(46));
  view.setUint32(0, 0x02014b50, true);
  view.setUint16(4, (3 << 8) | 63, true);
  view.setUint16(6, 20, true);
  writeCommon(view, 8, entry, name.length);
  view.setUint16(30, extra.length, true);
  view.setUint16(32, comment.length, true);
  view.setUint32(38, ((entry.mode ?? REGULAR_FILE) << 16) >>> 0, true);
  view.setUint32(42, entry.offset ?? offset, true);
  return concat(new Uint8Array(view.buffer), name, extra, comment);
}

/** What both headers have, from the flags to the length of the name. */
function writeCommon(view: DataView, at: number, entry: TestingEntry, nameLength: number): void {
  view.setUint16(at, entry.flags ?? FLAG_UTF8, true);
  view.setUint16(at + 2, entry.method ?? 0, true);
  view.setUint32(at + 4, DOS_1980, true);
  view.setUint32(at + 8, entry.crc ?? crc32(entry.bytes, 0), true);
  view.setUint32(at + 12, entry.bytes.length, true);
  view.setUint32(at + 16, entry.declaredBytes ?? entry.bytes.length, true);
  view.setUint16(at + 20, nameLength, true);
}
