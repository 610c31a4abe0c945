/**
 * The zip of a package, strictly: spec/evidence.md, section 4, "Zip".
 *
 * Spec: APPNOTE.TXT 6.3.10 (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), sections 4.3.7 to 4.3.16.
 * Refused: a byte that belongs to nothing, comments, extra fields but Zip64's, encryption, links,
 * directories, names that leave the directory or are there twice, headers that differ, several disks.
 * Untrusted: every byte.
 */

import { FILE_BYTES_MAX } from '@countersign/ledger/population-files';
import { utf8Text } from '@countersign/ledger/bytes';
import { BOUNDS } from './bounds.ts';
import type { Source } from './host.ts';
import { PackageError } from './report.ts';

/** One file of the zip; sizes and CRC are what the central directory says. */
export interface ZipEntry {
  readonly name: string;
  readonly method: 'stored' | 'deflated';
  readonly crc: number;
  readonly compressedBytes: number;
  readonly bytes: number;
  /** Where its data begins. */
  readonly dataOffset: number;
}

interface CentralEntry {
  readonly name: string;
  readonly nameBytes: Uint8Array;
  readonly flags: number;
  readonly method: number;
  readonly dosTime: number;
  readonly crc: number;
  readonly compressedBytes: number;
  readonly bytes: number;
  readonly localOffset: number;
  readonly zip64: boolean;
}

interface Directory {
  readonly offset: number;
  readonly bytes: number;
  readonly count: number;
}

const END_BYTES = 22;
const END_64_BYTES = 56;
const LOCATOR_64_BYTES = 20;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
const SIGNATURE = {
  local: 0x04034b50,
  descriptor: 0x08074b50,
  central: 0x02014b50,
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
} as const;
const FLAG_DESCRIPTOR = 0x0008;
const FLAG_UTF8 = 0x0800;
const METHODS: Readonly<Record<number, ZipEntry['method']>> = { 0: 'stored', 8: 'deflated' };
const MAX_16 = 0xffff;
const MAX_32 = 0xffffffff;
const ZIP64_EXTRA = 0x0001;
/** File type bits of a Unix mode: regular file, or not said. */
const REGULAR_TYPES: ReadonlySet<number> = new Set([0, 0x8]);

/** The entries, in the order of the directory. Throws PackageError at the first thing that is wrong. */
export async function openZip(source: Source): Promise<readonly ZipEntry[]> {
  const directory = await findDirectory(source);
  const view = viewOf(await source.read(directory.offset, directory.offset + directory.bytes));
  const central = readCentral(view, directory);
  checkNames(central);
  const byOffset = central.toSorted((a, b) => a.localOffset - b.localOffset);
  const entries = new Map<CentralEntry, ZipEntry>();
  let at = 0;
  for (const entry of byOffset) {
    if (entry.localOffset !== at) {
      throw new PackageError(`zip: ${entry.name} begins at ${entry.localOffset}, expected ${at}`);
    }
    const { dataOffset, end } = await checkLocal(source, entry, directory.offset);
    entries.set(entry, toEntry(entry, dataOffset));
    at = end;
  }
  if (at !== directory.offset)
    throw new PackageError(`zip: ${directory.offset - at} bytes belong to no file`);
  return central.map((entry) => entries.get(entry)).filter((entry) => entry !== undefined);
}

async function findDirectory(source: Source): Promise<Directory> {
  if (source.size < END_BYTES) throw new PackageError(`zip: ${source.size} bytes are no zip`);
  const endOffset = source.size - END_BYTES;
  const end = viewOf(await source.read(endOffset, source.size));
  if (end.getUint32(0, true) !== SIGNATURE.end || end.getUint16(20, true) !== 0) {
    throw new PackageError('zip: expected the end record as the last 22 bytes, without a comment');
  }
  const count = end.getUint16(10, true);
  if (end.getUint16(4, true) !== 0 || end.getUint16(6, true) !== 0 || end.getUint16(8, true) !== count) {
    throw new PackageError('zip: expected one disk');
  }
  const directory = { offset: end.getUint32(16, true), bytes: end.getUint32(12, true), count };
  const isZip64 = count === MAX_16 || directory.offset === MAX_32 || directory.bytes === MAX_32;
  const found = isZip64 ? await findDirectory64(source, endOffset) : { ...directory, end: endOffset };
  if (found.bytes > BOUNDS.centralDirectoryBytesMax || found.count > BOUNDS.entriesMax) {
    throw new PackageError(`zip: ${found.count} files are more than this verifier reads`);
  }
  if (found.offset + found.bytes !== found.end) {
    throw new PackageError('zip: the directory does not end where the end record begins');
  }
  return found;
}

async function findDirectory64(
  source: Source,
  endOffset: number,
): Promise<Directory & { readonly end: number }> {
  const start = endOffset - LOCATOR_64_BYTES - END_64_BYTES;
  if (start < 0) throw new PackageError('zip: expected a Zip64 end record');
  const view = viewOf(await source.read(start, endOffset));
  const good =
    view.getUint32(0, true) === SIGNATURE.end64 &&
    uint64(view, 4) === END_64_BYTES - 12 &&
    view.getUint32(16, true) === 0 &&
    view.getUint32(20, true) === 0 &&
    uint64(view, 24) === uint64(view, 32) &&
    view.getUint32(END_64_BYTES, true) === SIGNATURE.locator64 &&
    view.getUint32(END_64_BYTES + 4, true) === 0 &&
    uint64(view, END_64_BYTES + 8) === start &&
    view.getUint32(END_64_BYTES + 16, true) === 1;
  if (!good) throw new PackageError('zip: the Zip64 end record is malformed');
  return { count: uint64(view, 32), bytes: uint64(view, 40), offset: uint64(view, 48), end: start };
}

function readCentral(view: DataView, { count }: Directory): readonly CentralEntry[] {
  const entries: CentralEntry[] = [];
  let at = 0;
  while (at < view.byteLength) {
    if (at + CENTRAL_BYTES > view.byteLength || view.getUint32(at, true) !== SIGNATURE.central) {
      throw new PackageError(`zip: the directory is malformed at its byte ${at}`);
    }
    const { entry, end } = readCentralEntry(view, at);
    entries.push(entry);
    at = end;
  }
  if (entries.length !== count) throw new PackageError(`zip: expected ${count} files, got ${entries.length}`);
  return entries;
}

function readCentralEntry(
  view: DataView,
  at: number,
): { readonly entry: CentralEntry; readonly end: number } {
  const nameLength = view.getUint16(at + 28, true);
  const extraLength = view.getUint16(at + 30, true);
  const end = at + CENTRAL_BYTES + nameLength + extraLength;
  if (nameLength > BOUNDS.nameBytesMax || end > view.byteLength) {
    throw new PackageError(`zip: the directory is malformed at its byte ${at}`);
  }
  const nameBytes = bytesOf(view, at + CENTRAL_BYTES, nameLength);
  const name = utf8Text(nameBytes);
  if (view.getUint16(at + 32, true) !== 0) throw new PackageError(`zip: ${name} has a comment`);
  if (view.getUint16(at + 34, true) !== 0) throw new PackageError(`zip: ${name} is on another disk`);
  // Version made by, high byte 3: Unix; the mode is in the high half of the external attributes.
  const type = view.getUint16(at + 40, true) >>> 12;
  if (!REGULAR_TYPES.has(type)) throw new PackageError(`zip: ${name} is no regular file`);
  const entry = withZip64(view, at, name, bytesOf(view, at + CENTRAL_BYTES + nameLength, extraLength));
  return { entry: { ...entry, nameBytes }, end };
}

/** Sizes and offset, out of the Zip64 extra field where the header says so (section 4.5.3). */
function withZip64(
  view: DataView,
  at: number,
  name: string,
  extra: Uint8Array,
): Omit<CentralEntry, 'nameBytes'> {
  const values = [
    view.getUint32(at + 24, true),
    view.getUint32(at + 20, true),
    view.getUint32(at + 42, true),
  ];
  const extended = viewOf(extra);
  let next = 4;
  if (extra.length > 0) {
    const length = extra.length >= 4 ? extended.getUint16(2, true) : -1;
    if (length !== extra.length - 4 || extended.getUint16(0, true) !== ZIP64_EXTRA) {
      throw new PackageError(`zip: ${name} has an extra field that is not Zip64's`);
    }
    for (const [i, value] of values.entries()) {
      // yazl writes all three values also where a smaller field would hold one.
      if (value !== MAX_32 && length !== 24) continue;
      if (next + 8 > extra.length) throw new PackageError(`zip: ${name} has a malformed Zip64 field`);
      values[i] = uint64(extended, next);
      next += 8;
    }
    if (next !== extra.length) throw new PackageError(`zip: ${name} has a malformed Zip64 field`);
  }
  const [bytes = 0, compressedBytes = 0, localOffset = 0] = values;
  return {
    name,
    flags: view.getUint16(at + 8, true),
    method: view.getUint16(at + 10, true),
    dosTime: view.getUint32(at + 12, true),
    crc: view.getUint32(at + 16, true),
    compressedBytes,
    bytes,
    localOffset,
    zip64: extra.length > 0,
  };
}

function checkNames(entries: readonly CentralEntry[]): void {
  const seen = new Set<string>();
  for (const { name } of entries) {
    if (!isSafeName(name))
      throw new PackageError(`zip: the name "${name}" leaves the package or is no file's`);
    // Two names that differ in case or form are one file on some systems.
    const folded = name.normalize('NFC').toLowerCase();
    if (seen.has(folded)) throw new PackageError(`zip: ${name} is there twice`);
    seen.add(folded);
  }
}

function isSafeName(name: string): boolean {
  // oxlint-disable-next-line no-control-regex -- These are what must not be in a name.
  if (name === '' || /[\u0000-\u001f\u007f\\:%]/.test(name)) return false;
  return name.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
}

/** The local header and the data descriptor must say what the directory says. */
async function checkLocal(
  source: Source,
  entry: CentralEntry,
  dataEnd: number,
): Promise<{ readonly dataOffset: number; readonly end: number }> {
  const { name, nameBytes, flags, method, localOffset, compressedBytes } = entry;
  checkEntry(entry);
  const dataOffset = localOffset + LOCAL_BYTES + nameBytes.length;
  const hasDescriptor = (flags & FLAG_DESCRIPTOR) !== 0;
  const descriptorBytes = hasDescriptor ? (entry.zip64 ? 24 : 16) : 0;
  const end = dataOffset + compressedBytes + descriptorBytes;
  if (!Number.isSafeInteger(end) || end > dataEnd)
    throw new PackageError(`zip: ${name} overlaps what follows`);
  const local = await source.read(localOffset, dataOffset);
  const view = viewOf(local);
  const sizes = hasDescriptor ? [0, 0, 0] : [entry.crc, compressedBytes, entry.bytes];
  const same =
    view.getUint32(0, true) === SIGNATURE.local &&
    view.getUint16(6, true) === flags &&
    view.getUint16(8, true) === method &&
    view.getUint32(10, true) === entry.dosTime &&
    sizes.every((size, i) => view.getUint32(14 + 4 * i, true) === size) &&
    view.getUint16(26, true) === nameBytes.length &&
    view.getUint16(28, true) === 0 &&
    nameBytes.every((byte, i) => local[LOCAL_BYTES + i] === byte);
  if (!same) throw new PackageError(`zip: the two headers of ${name} differ`);
  if (hasDescriptor) await checkDescriptor(source, entry, end - descriptorBytes, end);
  return { dataOffset, end };
}

function checkEntry({ name, flags, method, bytes, compressedBytes }: CentralEntry): void {
  if ((flags & ~(FLAG_DESCRIPTOR | FLAG_UTF8)) !== 0) {
    throw new PackageError(`zip: ${name} is encrypted or has an unknown flag`);
  }
  if (METHODS[method] === undefined) throw new PackageError(`zip: ${name} is neither stored nor deflated`);
  if (METHODS[method] === 'stored' && bytes !== compressedBytes) {
    throw new PackageError(`zip: ${name} is stored with two sizes`);
  }
  if (bytes > FILE_BYTES_MAX) {
    throw new PackageError(`zip: ${name} has ${bytes} bytes, expected at most ${FILE_BYTES_MAX}`);
  }
  if (bytes > compressedBytes * BOUNDS.deflateRatioMax) {
    throw new PackageError(`zip: ${name} says that ${compressedBytes} bytes inflate to ${bytes}`);
  }
}

async function checkDescriptor(source: Source, entry: CentralEntry, from: number, to: number): Promise<void> {
  const view = viewOf(await source.read(from, to));
  const wide = to - from === 24;
  const compressed = wide ? uint64(view, 8) : view.getUint32(8, true);
  const bytes = wide ? uint64(view, 16) : view.getUint32(12, true);
  const same =
    view.getUint32(0, true) === SIGNATURE.descriptor &&
    view.getUint32(4, true) === entry.crc &&
    compressed === entry.compressedBytes &&
    bytes === entry.bytes;
  if (!same) throw new PackageError(`zip: the data descriptor of ${entry.name} differs from the directory`);
}

function toEntry(entry: CentralEntry, dataOffset: number): ZipEntry {
  const { name, crc, compressedBytes, bytes } = entry;
  const method = METHODS[entry.method];
  if (method === undefined) throw new PackageError(`zip: ${name} is neither stored nor deflated`);
  return { name, method, crc, compressedBytes, bytes, dataOffset };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function bytesOf(view: DataView, from: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + from, length);
}

/** Values above 2^53-1 stay above every bound. */
function uint64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}
