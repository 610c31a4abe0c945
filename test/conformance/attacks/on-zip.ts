/**
 * Attacks on the zip itself. The files and their seal are good, so that nothing but the form of the zip
 * can tell; where bytes of deflated data change, the signature tells.
 */

import { deflateRawSync } from 'node:zlib';
import { concat, utf8 } from '@countersign/ledger/bytes';
import { crc32 } from '../../../packages/verify/src/crc32.ts';
import {
  all,
  append,
  type Edit,
  makeZip,
  put,
  type TestingEntry,
  type ZipHooks,
} from '../../../packages/verify/src/testing-zip.ts';
import { entriesOf, OWN_SEED, pack, REAL_SEEDS, seal } from '../evidence-files.ts';
import type { Attack, Found, Good } from './attack.ts';

interface ZipAttack {
  readonly title: string;
  readonly change?: (entries: readonly TestingEntry[], bag: string) => readonly TestingEntry[];
  readonly hooks?: (zip: Uint8Array) => ZipHooks;
  /** The finished zip, changed. */
  readonly zip?: (zip: Uint8Array<ArrayBuffer>) => Uint8Array;
  readonly found: Found;
}

const X: Uint8Array = utf8('x');
const DIFFERS = /zip: (the local header|the directory’s entry|the directory's entry) of/;
const NAME = /leaves the package, or is not the same on every system/;
const DIRECTORY_ELSEWHERE = /does not end where the end record begins|as the last 22 bytes/;

/** Fields of the local header and of the directory, and what they may not say: even where both say so. */
const FIELDS: readonly (readonly [title: string, local: Edit | undefined, central: Edit | undefined])[] = [
  ['a mode that runs', undefined, put(38, 4, (0o100755 << 16) >>> 0)],
  ['a mode with setuid', undefined, put(38, 4, (0o104755 << 16) >>> 0)],
  ['a symbolic link', undefined, put(38, 4, (0o120777 << 16) >>> 0)],
  ['a directory by its mode', undefined, put(38, 4, (0o040755 << 16) >>> 0)],
  ['a hidden file of DOS', undefined, put(38, 1, 2)],
  ['another system that made it', undefined, put(5, 1, 0)],
  ['a text flag in the internal attributes', undefined, put(36, 2, 1)],
  ['another disk', undefined, put(34, 2, 1)],
  ['another version needed', put(4, 2, 63), put(6, 2, 63)],
  ['another time', put(10, 2, 1), put(12, 2, 1)],
  ['another date', put(12, 2, 0x5a21), put(14, 2, 0x5a21)],
  ['a time in the directory only', undefined, put(12, 2, 1)],
  ['an encrypted flag', put(6, 2, 0x0809), put(8, 2, 0x0809)],
  ['strong encryption', put(6, 2, 0x0848), put(8, 2, 0x0848)],
  ['a masked directory', put(6, 2, 0x2808), put(8, 2, 0x2808)],
  ['a name in another encoding', put(6, 2, 0x0008), put(8, 2, 0x0008)],
  ['deflate’s own flags', put(6, 2, 0x080a), put(8, 2, 0x080a)],
  ['another method', put(8, 2, 9), put(10, 2, 9)],
  ['two methods', put(8, 2, 0), undefined],
  ['a CRC in the local header', put(14, 4, 1), undefined],
  ['sizes in the local header', put(18, 4, 1), undefined],
  ['sizes in the directory that are Zip64’s', undefined, put(24, 4, 0xffffffff)],
];

const ENTRY = 3;

const TABLE: readonly ZipAttack[] = [
  ...FIELDS.map(([title, local, central]) => ({
    title,
    change: on(ENTRY, (entry) => ({
      ...entry,
      ...(local === undefined ? {} : { local }),
      ...(central === undefined ? {} : { central }),
    })),
    found: [['zip', /zip: /]] as const,
  })),
  {
    title: 'two names in the two headers',
    change: on(ENTRY, (entry) => ({ ...entry, local: put(31, 1, 0x58) })),
    found: [['zip', /the local header of .*: expected another name/]],
  },
  {
    title: 'an extra field in the directory',
    change: on(ENTRY, (entry) => ({
      ...entry,
      central: all(put(30, 2, 9), append(Uint8Array.of(0x55, 0x54, 5, 0, 1, 0, 0, 0, 0))),
    })),
    found: [['zip', /expected another extra field/]],
  },
  {
    title: 'an extra field in the local header',
    change: on(ENTRY, (entry) => ({
      ...entry,
      local: all(put(28, 2, 4), append(Uint8Array.of(0x99, 0, 0, 0))),
    })),
    found: [['zip', /expected another extra field|overlaps|begins at/]],
  },
  {
    title: 'a Zip64 field that says another offset',
    change: on(ENTRY, (entry) => ({
      ...entry,
      central: all(
        put(30, 2, 12),
        put(42, 4, 0xffffffff),
        append(Uint8Array.of(1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0)),
      ),
    })),
    found: [['zip', /zip: /]],
  },
  {
    title: 'a comment of a file',
    change: on(ENTRY, (entry) => ({ ...entry, central: all(put(32, 2, 1), append(X)) })),
    found: [['zip', /expected another comment/]],
  },
  {
    title: 'another descriptor',
    change: on(ENTRY, (entry) => ({ ...entry, descriptor: put(4, 4, 1) })),
    found: [['zip', /data descriptor of .* differs/]],
  },
  {
    title: 'a descriptor without its signature',
    change: on(ENTRY, (entry) => ({ ...entry, descriptor: (part) => part.slice(4) })),
    found: [['zip', /data descriptor|begins at|overlaps/]],
  },
  {
    title: 'a stored file where it must be deflated',
    change: on(ENTRY, (entry) => ({ ...entry, stored: true })),
    found: [['zip', DIFFERS]],
  },
  { title: 'a file twice', change: twice((name) => name), found: [['zip', /is there twice/]] },
  {
    title: 'a file twice, in capitals',
    change: twice((name) => name.replace('bag-info', 'BAG-INFO')),
    found: [['zip', /is there twice/]],
  },
  {
    title: 'a file twice, composed and decomposed',
    change: (entries, bag) => [
      { name: `${bag}/caf\u00e9`, bytes: X },
      { name: `${bag}/cafe\u0301`, bytes: X },
      ...entries,
    ],
    found: [['zip', NAME]],
  },
  ...(
    [
      ['that climbs out', (bag) => `${bag}/../../etc/passwd`],
      ['that climbs and comes back', (bag) => `${bag}/data/../bagit.txt`],
      ['that is absolute', () => '/etc/passwd'],
      ['with a drive', () => 'c:/bag/x'],
      ['with a backslash', (bag) => `${bag}\\..\\x`],
      ['with NUL', (bag) => `${bag}/bagit.txt\0.exe`],
      ['with a control character', (bag) => `${bag}/\u001b[2J`],
      ['with a text that runs from right to left', (bag) => `${bag}/\u202etxt.exe`],
      ['with an empty segment', (bag) => `${bag}//x`],
      ['of a directory', (bag) => `${bag}/x/`],
      ['of a device of Windows', (bag) => `${bag}/data/aux.txt`],
      ['that ends in a dot', (bag) => `${bag}/bagit.txt.`],
      ['that ends in a space', (bag) => `${bag}/bagit.txt `],
      ['that is empty', () => ''],
      ['of a stream of NTFS', (bag) => `${bag}/bagit.txt:x`],
      ['that is too long', (bag) => `${bag}/${'x'.repeat(300)}`],
    ] satisfies readonly (readonly [string, (bag: string) => string])[]
  ).map(([title, nameOf]) => ({
    title: `a name ${title}`,
    change: (entries: readonly TestingEntry[], bag: string) => [{ name: nameOf(bag), bytes: X }, ...entries],
    found: [['zip', /leaves the package|malformed/]] as const,
  })),
  {
    title: 'a file that is a directory too',
    change: (entries, bag) => [{ name: `${bag}/BAGIT.TXT/x`, bytes: X }, ...entries],
    found: [['zip', /is a file and a directory|not in its place/]],
  },
  {
    title: 'a second directory beside the bag',
    change: (entries) => [{ name: 'a/x', bytes: X }, ...entries],
    found: [['zip', /is not in the directory/]],
  },
  {
    title: 'files in another order',
    change: (entries) => [...entries.slice(1, -1), ...entries.slice(0, 1), ...entries.slice(-1)],
    found: [['zip', /not in its place/]],
  },
  {
    title: 'the signature first',
    change: (entries) => [...entries.slice(-1), ...entries.slice(0, -1)],
    found: [['zip', /not in its place/]],
  },
  {
    title: 'a directory in another order than the files',
    hooks: () => ({ directory: (headers) => headers.toReversed() }),
    found: [['zip', /not in its place/]],
  },
  {
    title: 'files that share their bytes',
    change: on(ENTRY, (entry) => ({ ...entry, offset: 0 })),
    found: [['zip', /begins at 0/]],
  },
  {
    title: 'a file that the directory does not name',
    hooks: () => ({ directory: (headers) => headers.toSpliced(ENTRY, 1) }),
    found: [['zip', /begins at|expected \d+ files/]],
  },
  {
    title: 'bytes between the files and the directory',
    hooks: () => ({ between: utf8('hidden') }),
    found: [['zip', /6 bytes belong to no file/]],
  },
  {
    title: 'another zip between the files and the directory',
    hooks: (zip) => ({ between: zip }),
    found: [['zip', /bytes belong to no file/]],
  },
  {
    title: 'a program before it',
    zip: (zip) => concat(utf8('MZ'), zip),
    found: [['zip', DIRECTORY_ELSEWHERE]],
  },
  { title: 'a byte after it', zip: (zip) => concat(zip, X), found: [['zip', DIRECTORY_ELSEWHERE]] },
  {
    title: 'a comment of the zip',
    hooks: () => ({ end: all(put(20, 2, 1), append(X)) }),
    found: [['zip', DIRECTORY_ELSEWHERE]],
  },
  {
    title: 'a second end record after it',
    zip: (zip) => concat(zip, zip.slice(-22)),
    found: [['zip', DIRECTORY_ELSEWHERE]],
  },
  {
    title: 'a second end record before it, in a comment',
    hooks: () => ({ end: (record) => concat(put(20, 2, 22)(record), record) }),
    found: [['zip', /comment|does not end where/]],
  },
  {
    title: 'another zip after it',
    zip: (zip) => concat(zip, zip),
    found: [['zip', /does not end|expected|belong/]],
  },
  {
    title: 'an end record of two disks',
    hooks: () => ({ end: put(4, 2, 1) }),
    found: [['zip', /end record has/]],
  },
  {
    title: 'an end record with two counts',
    hooks: () => ({ end: put(8, 2, 1) }),
    found: [['zip', /end record has/]],
  },
  {
    title: 'an end record with another count',
    hooks: () => ({ end: all(put(8, 2, 2), put(10, 2, 2)) }),
    found: [['zip', /expected 2 files/]],
  },
  {
    title: 'an end record that points to Zip64 records which are not there',
    hooks: () => ({ end: all(put(8, 2, 0xffff), put(10, 2, 0xffff)) }),
    found: [['zip', /zip: /]],
  },
  {
    title: 'Zip64 records with other places than the end record',
    zip: withZip64,
    found: [['zip', /does not end where|end record/]],
  },
  {
    title: 'a bomb: more than it says',
    change: on(ENTRY, (entry) => ({ ...entry, raw: deflateRawSync(new Uint8Array(20_000_000)) })),
    found: [['bag', /longer than it says/]],
  },
  {
    title: 'a bomb that says how large it is',
    change: on(ENTRY, (entry) => bomb(entry, 99_000_000, new Uint8Array(99_000_000))),
    found: [['bag', /is not the file/]],
  },
  {
    title: 'a bomb above what a file may have',
    change: on(ENTRY, (entry) => ({ ...entry, declaredBytes: 100_000_001 })),
    found: [['zip', /at most 100000000/]],
  },
  {
    title: 'a promise that deflate cannot keep',
    change: on(ENTRY, (entry) => ({ ...entry, declaredBytes: 90_000_000 })),
    found: [['zip', /inflate to 90000000/]],
  },
  {
    title: 'less than it says',
    change: on(ENTRY, (entry) => ({ ...entry, declaredBytes: entry.bytes.length + 1 })),
    found: [['bag', /shorter than it says/]],
  },
  {
    title: 'a wrong CRC',
    change: on(ENTRY, (entry) => ({ ...entry, crc: 1 })),
    found: [['bag', /CRC of .* is wrong/]],
  },
  {
    title: 'bytes after the deflated data',
    change: on(ENTRY, (entry) => ({ ...entry, raw: concat(deflateRawSync(entry.bytes), utf8('more')) })),
    found: [['bag', /does not inflate/]],
  },
  {
    title: 'the same content, deflated in another way',
    change: on(ENTRY, (entry) => ({ ...entry, raw: deflateRawSync(entry.bytes, { level: 0 }) })),
    found: [['signature', /expected "packed-sha256/]],
  },
  {
    title: 'a bit that no inflater reads',
    change: on(ENTRY, (entry) => ({
      ...entry,
      raw: concat(Uint8Array.of(0, 0, 0, 0xff, 0xff), deflateRawSync(entry.bytes)),
    })),
    found: [['signature', /expected "packed-sha256/]],
  },
];

/** The table. */
export const ON_ZIP: readonly Attack[] = TABLE.map(({ title, change, hooks, zip, found }) => ({
  title,
  found,
  make: ({ bag, files }: Good) => {
    const entries = entriesOf(bag, files);
    const whole = makeZip(change?.(entries, bag) ?? entries, hooks?.(pack(bag, files)));
    return new Uint8Array(zip?.(whole) ?? whole);
  },
}));

function on(
  index: number,
  change: (entry: TestingEntry) => TestingEntry,
): (entries: readonly TestingEntry[]) => readonly TestingEntry[] {
  return (entries) => entries.map((entry, i) => (i === index ? change(entry) : entry));
}

function twice(
  nameOf: (name: string) => string,
): (entries: readonly TestingEntry[]) => readonly TestingEntry[] {
  return ([first, ...rest]) => {
    if (first === undefined) throw new Error('no entry');
    return [{ ...first, name: nameOf(first.name) }, first, ...rest];
  };
}

function bomb(entry: TestingEntry, declaredBytes: number, content: Uint8Array): TestingEntry {
  return { ...entry, declaredBytes, raw: deflateRawSync(content), crc: crc32(content, 0) };
}

/** Zip64 records before an end record that does not need them. */
function withZip64(zip: Uint8Array): Uint8Array {
  const records = new DataView(new ArrayBuffer(76));
  records.setUint32(0, 0x06064b50, true);
  records.setBigUint64(4, 44n, true);
  records.setUint32(56, 0x07064b50, true);
  records.setUint32(72, 1, true);
  return concat(zip.slice(0, -22), new Uint8Array(records.buffer), zip.slice(-22));
}

/** A good package that is sealed again, to tell that the seal is not what is found above. */
export function sealedAgain({ bag, files: good }: Good, byStranger: boolean): Uint8Array<ArrayBuffer> {
  const files = new Map(good);
  seal(files, byStranger ? OWN_SEED : REAL_SEEDS.second);
  return pack(bag, files);
}
