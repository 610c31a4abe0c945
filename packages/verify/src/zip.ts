/**
 * The zip of a package, strictly: spec/evidence.md, section 4, "Zip".
 *
 * Sizes, CRCs and names are read from the directory; every other byte outside of the files' data must
 * be the one that follows from them (zip-form.ts). So what is not in that form is refused, whatever it
 * is: comments, extra fields, modes, times, gaps, encryption, links, several disks, a second end record.
 * Untrusted: every byte.
 */

import { equalBytes, utf8Text } from '@countersign/ledger/bytes';
import { SIGNATURE_NOTE } from '@countersign/ledger/evidence';
import { FILE_BYTES_MAX } from '@countersign/ledger/population-files';
import {
  centralHeader,
  compareInZip,
  dataDescriptor,
  endRecords,
  isSafePath,
  localHeader,
  ZIP_BYTES,
  ZIP_MAX_16,
  ZIP_MAX_32,
  ZIP_NAME_MAX,
  ZIP_SIGNATURE,
  type ZipMember,
} from '@countersign/ledger/zip-form';
import { BOUNDS } from './bounds.ts';
import type { Source } from './host.ts';
import { NoPackageError, PackageError } from './report.ts';

/** One file of the zip; sizes and CRC are what the central directory says. */
export interface ZipEntry extends ZipMember {
  /** Where its data begins. */
  readonly dataOffset: number;
}

interface Directory {
  readonly offset: number;
  readonly bytes: number;
  readonly count: number;
}

/** Fields of a header, for the message: where each begins, and what it is. */
type Fields = readonly (readonly [at: number, says: string])[];

const LOCAL_FIELDS: Fields = [
  [0, 'signature'],
  [4, 'version'],
  [6, 'set of flags (encryption, for one)'],
  [8, 'method'],
  [10, 'time'],
  [14, 'CRC'],
  [18, 'pair of sizes'],
  [26, 'length of the name'],
  [28, 'extra field'],
  [ZIP_BYTES.local, 'name'],
];

const CENTRAL_FIELDS: Fields = [
  [0, 'signature'],
  [4, 'version'],
  [8, 'set of flags (encryption, for one)'],
  [10, 'method'],
  [12, 'time'],
  [16, 'CRC'],
  [20, 'pair of sizes'],
  [28, 'length of the name'],
  [30, 'extra field'],
  [32, 'comment'],
  [34, 'disk'],
  [36, 'attributes'],
  [38, 'mode'],
  [42, 'offset'],
  [ZIP_BYTES.central, 'name or extra field'],
];

/**
 * The entries, in the order of the directory.
 *
 * @throws PackageError at the first thing that is wrong, NoPackageError where it never was a zip
 */
export async function openZip(source: Source): Promise<readonly ZipEntry[]> {
  await refuseWhatIsNoZip(source);
  const directory = await findDirectory(source);
  const view = viewOf(await source.read(directory.offset, directory.offset + directory.bytes));
  const members = readCentral(view, directory);
  checkNames(members);
  const entries: ZipEntry[] = [];
  let at = 0;
  for (const member of members) {
    if (member.offset !== at) {
      throw new PackageError(`zip: ${member.name} begins at ${member.offset}, expected ${at}`);
    }
    const { entry, end } = await checkLocal(source, member, directory.offset);
    entries.push(entry);
    at = end;
  }
  if (at !== directory.offset)
    throw new PackageError(`zip: ${directory.offset - at} bytes belong to no file`);
  return entries;
}

/** A zip that was changed or cut still begins or ends like one. */
async function refuseWhatIsNoZip(source: Source): Promise<void> {
  const begin = source.size < 4 ? 0 : viewOf(await source.read(0, 4)).getUint32(0, true);
  if (begin === ZIP_SIGNATURE.local || begin === ZIP_SIGNATURE.end) return;
  const tail = source.size - ZIP_BYTES.end;
  const end = tail < 0 ? 0 : viewOf(await source.read(tail, tail + 4)).getUint32(0, true);
  if (end !== ZIP_SIGNATURE.end) throw new NoPackageError(`expected a zip, got ${source.size} other bytes`);
}

async function findDirectory(source: Source): Promise<Directory> {
  if (source.size < ZIP_BYTES.end) throw new PackageError(`zip: ${source.size} bytes are no whole zip`);
  const endOffset = source.size - ZIP_BYTES.end;
  const end = viewOf(await source.read(endOffset, source.size));
  if (end.getUint32(0, true) !== ZIP_SIGNATURE.end) {
    throw new PackageError('zip: expected the end record as the last 22 bytes, without a comment');
  }
  const short = {
    count: end.getUint16(10, true),
    bytes: end.getUint32(12, true),
    offset: end.getUint32(16, true),
  };
  const wide = short.count === ZIP_MAX_16 || short.offset === ZIP_MAX_32 || short.bytes === ZIP_MAX_32;
  const directory = wide ? await findDirectory64(source, endOffset) : short;
  const { count, offset, bytes } = directory;
  if (bytes > BOUNDS.centralDirectoryBytesMax || count > BOUNDS.entriesMax) {
    throw new PackageError(`zip: ${count} files are more than this verifier reads`);
  }
  const expected = endRecords(count, offset, bytes);
  if (offset + bytes + expected.length !== source.size) {
    throw new PackageError('zip: the directory does not end where the end record begins');
  }
  const actual = await source.read(offset + bytes, source.size);
  if (!equalBytes(actual, expected)) {
    throw new PackageError('zip: the end record has a comment, another disk, or two counts');
  }
  return directory;
}

/** Where the directory is, as the Zip64 end record says; the caller compares the rest. */
async function findDirectory64(source: Source, endOffset: number): Promise<Directory> {
  const start = endOffset - ZIP_BYTES.locator64 - ZIP_BYTES.end64;
  if (start < 0) throw new PackageError('zip: expected a Zip64 end record');
  const view = viewOf(await source.read(start, endOffset));
  const found = { count: uint64(view, 32), bytes: uint64(view, 40), offset: uint64(view, 48) };
  if (!Object.values(found).every(Number.isSafeInteger)) {
    throw new PackageError('zip: the Zip64 end record is malformed');
  }
  return found;
}

function readCentral(view: DataView, { count }: Directory): readonly ZipMember[] {
  const members: ZipMember[] = [];
  let at = 0;
  while (at < view.byteLength) {
    if (at + ZIP_BYTES.central > view.byteLength || view.getUint32(at, true) !== ZIP_SIGNATURE.central) {
      throw new PackageError(`zip: the directory is malformed at its byte ${at}`);
    }
    const member = readCentralEntry(view, at);
    const expected = centralHeader(member);
    const actual = bytesOf(view, at, Math.min(expected.length, view.byteLength - at));
    requireSame(expected, actual, CENTRAL_FIELDS, `the directory's entry of ${member.name}`);
    members.push(member);
    at += expected.length;
  }
  if (members.length !== count) throw new PackageError(`zip: expected ${count} files, got ${members.length}`);
  return members;
}

function readCentralEntry(view: DataView, at: number): ZipMember {
  const nameLength = view.getUint16(at + 28, true);
  const nameAt = at + ZIP_BYTES.central;
  if (nameLength > ZIP_NAME_MAX || nameAt + nameLength > view.byteLength) {
    throw new PackageError(`zip: the directory is malformed at its byte ${at}`);
  }
  const name = utf8Text(bytesOf(view, nameAt, nameLength));
  const offset = view.getUint32(at + 42, true);
  const far = offset === ZIP_MAX_32 && nameAt + nameLength + 12 <= view.byteLength;
  return {
    name,
    crc: view.getUint32(at + 16, true),
    compressedBytes: view.getUint32(at + 20, true),
    bytes: view.getUint32(at + 24, true),
    offset: far ? uint64(view, nameAt + nameLength + 4) : offset,
    stored: isSignature(name),
  };
}

/** Only the signature is stored: it is over the deflated data of all others. */
function isSignature(name: string): boolean {
  return name.slice(name.indexOf('/') + 1) === SIGNATURE_NOTE;
}

function checkNames(members: readonly ZipMember[]): void {
  const seen = new Set<string>();
  const directories = new Set<string>();
  let before: string | undefined;
  const last = members.find(({ stored }) => stored)?.name ?? '';
  for (const { name } of members) {
    if (!isSafePath(name)) {
      throw new PackageError(
        `zip: the name "${name}" leaves the package, or is not the same on every system`,
      );
    }
    // Two names that differ in case only are one file on some systems.
    const folded = name.toLowerCase();
    if (seen.has(folded)) throw new PackageError(`zip: ${name} is there twice`);
    seen.add(folded);
    for (let end = folded.lastIndexOf('/'); end > 0; end = folded.lastIndexOf('/', end - 1)) {
      if (directories.has(folded.slice(0, end))) break;
      directories.add(folded.slice(0, end));
    }
    if (before !== undefined && compareInZip(before, name, last) > 0) {
      throw new PackageError(`zip: ${name} is not in its place: expected the order of the paths`);
    }
    before = name;
  }
  for (const name of seen) {
    if (directories.has(name)) throw new PackageError(`zip: ${name} is a file and a directory`);
  }
}

/** The local header and the data descriptor must be those that follow from the directory. */
async function checkLocal(
  source: Source,
  member: ZipMember,
  dataEnd: number,
): Promise<{ readonly entry: ZipEntry; readonly end: number }> {
  checkSizes(member);
  const { name, offset, compressedBytes } = member;
  const header = localHeader(member);
  const descriptor = dataDescriptor(member);
  const dataOffset = offset + header.length;
  const end = dataOffset + compressedBytes + descriptor.length;
  if (!Number.isSafeInteger(end) || end > dataEnd)
    throw new PackageError(`zip: ${name} overlaps what follows`);
  requireSame(header, await source.read(offset, dataOffset), LOCAL_FIELDS, `the local header of ${name}`);
  if (!equalBytes(await source.read(end - descriptor.length, end), descriptor)) {
    throw new PackageError(`zip: the data descriptor of ${name} differs from the directory`);
  }
  return { entry: { ...member, dataOffset }, end };
}

function checkSizes({ name, stored, bytes, compressedBytes }: ZipMember): void {
  if (stored && bytes !== compressedBytes) throw new PackageError(`zip: ${name} is stored with two sizes`);
  if (bytes > FILE_BYTES_MAX) {
    throw new PackageError(`zip: ${name} has ${bytes} bytes, expected at most ${FILE_BYTES_MAX}`);
  }
  if (bytes > compressedBytes * BOUNDS.deflateRatioMax) {
    throw new PackageError(`zip: ${name} says that ${compressedBytes} bytes inflate to ${bytes}`);
  }
}

function requireSame(expected: Uint8Array, actual: Uint8Array, fields: Fields, what: string): void {
  if (equalBytes(expected, actual)) return;
  const at = expected.findIndex((byte, i) => byte !== actual[i]);
  const [, field = ''] = fields.findLast(([begin]) => begin <= at) ?? [];
  throw new PackageError(`zip: ${what}: expected another ${field} (byte ${at})`);
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
