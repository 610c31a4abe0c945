/**
 * The one form that the zip of a package has: spec/evidence.md, section 4, "Zip".
 *
 * Every byte of a zip but the deflated data follows from names, sizes, CRCs and offsets. The exporter
 * writes what this file gives and a verifier compares with it, so that there is nothing to choose.
 * Spec: APPNOTE.TXT 6.3.10 (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), sections 4.3.7 to 4.3.16.
 */

import { concat, utf8 } from './bytes.ts';

/** One file of the zip. */
export interface ZipMember {
  readonly name: string;
  readonly crc: number;
  readonly bytes: number;
  readonly compressedBytes: number;
  /** Where its local header begins. */
  readonly offset: number;
  /** As it is, with its sizes in the local header; otherwise deflated, with a data descriptor. */
  readonly stored: boolean;
}

export const ZIP_SIGNATURE = {
  local: 0x04034b50,
  descriptor: 0x08074b50,
  central: 0x02014b50,
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
} as const;

export const ZIP_BYTES = {
  local: 30,
  descriptor: 16,
  central: 46,
  end: 22,
  end64: 56,
  locator64: 20,
} as const;

/** Values from these on are in Zip64 records (APPNOTE, section 4.4.1.4). */
export const ZIP_MAX_16 = 0xffff;
export const ZIP_MAX_32 = 0xffffffff;

/** The longest name: with a drive and a short directory it is within the 259 characters of Windows. */
export const ZIP_NAME_MAX = 240;

const STORED = 0;
const DEFLATED = 8;
const FLAG_DESCRIPTOR = 0x0008;
const FLAG_UTF8 = 0x0800;
/** Version 2.0: deflate. Version 4.5: Zip64. */
const VERSION = 20;
const VERSION_64 = 45;
/** High byte 3: Unix, which is what gives the mode its meaning. */
const MADE_BY_UNIX = 3 << 8;
/** 1980-01-01 00:00, the date in the high half. */
const DOS_TIME = 0x0021_0000;
const MODE = 0o100644;
const ZIP64_EXTRA = 0x0001;

/** The header before a file's data. */
export function localHeader(member: ZipMember): Uint8Array {
  const name = utf8(member.name);
  const view = new DataView(new ArrayBuffer(ZIP_BYTES.local));
  view.setUint32(0, ZIP_SIGNATURE.local, true);
  view.setUint16(4, VERSION, true);
  view.setUint16(6, flagsOf(member), true);
  view.setUint16(8, methodOf(member), true);
  view.setUint32(10, DOS_TIME, true);
  if (member.stored) {
    view.setUint32(14, member.crc, true);
    view.setUint32(18, member.compressedBytes, true);
    view.setUint32(22, member.bytes, true);
  }
  view.setUint16(26, name.length, true);
  return concat(bytesOf(view), name);
}

/** What follows a file's data; nothing where it is stored. */
export function dataDescriptor(member: ZipMember): Uint8Array {
  if (member.stored) return new Uint8Array(0);
  const view = new DataView(new ArrayBuffer(ZIP_BYTES.descriptor));
  view.setUint32(0, ZIP_SIGNATURE.descriptor, true);
  view.setUint32(4, member.crc, true);
  view.setUint32(8, member.compressedBytes, true);
  view.setUint32(12, member.bytes, true);
  return bytesOf(view);
}

/** A file's entry in the directory. */
export function centralHeader(member: ZipMember): Uint8Array {
  const name = utf8(member.name);
  const far = member.offset >= ZIP_MAX_32;
  const view = new DataView(new ArrayBuffer(ZIP_BYTES.central));
  view.setUint32(0, ZIP_SIGNATURE.central, true);
  view.setUint16(4, MADE_BY_UNIX | VERSION_64, true);
  view.setUint16(6, far ? VERSION_64 : VERSION, true);
  view.setUint16(8, flagsOf(member), true);
  view.setUint16(10, methodOf(member), true);
  view.setUint32(12, DOS_TIME, true);
  view.setUint32(16, member.crc, true);
  view.setUint32(20, member.compressedBytes, true);
  view.setUint32(24, member.bytes, true);
  view.setUint16(28, name.length, true);
  view.setUint16(30, far ? 12 : 0, true);
  view.setUint32(38, (MODE << 16) >>> 0, true);
  view.setUint32(42, far ? ZIP_MAX_32 : member.offset, true);
  return far ? concat(bytesOf(view), name, zip64Offset(member.offset)) : concat(bytesOf(view), name);
}

/** Everything after the directory. */
export function endRecords(count: number, offset: number, bytes: number): Uint8Array {
  const wide = count >= ZIP_MAX_16 || offset >= ZIP_MAX_32 || bytes >= ZIP_MAX_32;
  const view = new DataView(new ArrayBuffer(ZIP_BYTES.end));
  view.setUint32(0, ZIP_SIGNATURE.end, true);
  view.setUint16(8, Math.min(count, ZIP_MAX_16), true);
  view.setUint16(10, Math.min(count, ZIP_MAX_16), true);
  view.setUint32(12, Math.min(bytes, ZIP_MAX_32), true);
  view.setUint32(16, Math.min(offset, ZIP_MAX_32), true);
  return wide ? concat(endRecords64(count, offset, bytes), bytesOf(view)) : bytesOf(view);
}

/**
 * Orders paths as they stand in the zip: by their code units, and last the signature, which is over
 * what is before it.
 */
export function compareInZip(a: string, b: string, last: string): number {
  if (a === b) return 0;
  if (a === last) return 1;
  if (b === last) return -1;
  return a < b ? -1 : 1;
}

/** Device names of Windows, with whatever extension. */
const RESERVED = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/i;

/**
 * Whether a path means the same file on every system: letters, digits, `.`, `_` and `-` only, so that
 * nothing escapes, folds or normalises; no device of Windows, no segment that ends in a dot.
 */
export function isSafePath(path: string): boolean {
  if (path.length > ZIP_NAME_MAX) return false;
  return path
    .split('/')
    .every(
      (segment) => /^[A-Za-z0-9._-]+$/.test(segment) && !segment.endsWith('.') && !RESERVED.test(segment),
    );
}

function flagsOf({ stored }: ZipMember): number {
  return stored ? FLAG_UTF8 : FLAG_UTF8 | FLAG_DESCRIPTOR;
}

function methodOf({ stored }: ZipMember): number {
  return stored ? STORED : DEFLATED;
}

function zip64Offset(offset: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(12));
  view.setUint16(0, ZIP64_EXTRA, true);
  view.setUint16(2, 8, true);
  view.setBigUint64(4, BigInt(offset), true);
  return bytesOf(view);
}

function endRecords64(count: number, offset: number, bytes: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(ZIP_BYTES.end64 + ZIP_BYTES.locator64));
  view.setUint32(0, ZIP_SIGNATURE.end64, true);
  view.setBigUint64(4, BigInt(ZIP_BYTES.end64 - 12), true);
  view.setUint16(12, MADE_BY_UNIX | VERSION_64, true);
  view.setUint16(14, VERSION_64, true);
  view.setBigUint64(24, BigInt(count), true);
  view.setBigUint64(32, BigInt(count), true);
  view.setBigUint64(40, BigInt(bytes), true);
  view.setBigUint64(48, BigInt(offset), true);
  view.setUint32(ZIP_BYTES.end64, ZIP_SIGNATURE.locator64, true);
  view.setBigUint64(ZIP_BYTES.end64 + 8, BigInt(offset + bytes), true);
  view.setUint32(ZIP_BYTES.end64 + 16, 1, true);
  return bytesOf(view);
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
