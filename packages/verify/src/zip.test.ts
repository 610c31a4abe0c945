import { deflateRawSync } from 'node:zlib';
import { concat, utf8 } from '@countersign/ledger/bytes';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32 } from './crc32.ts';
import { PackageError } from './report.ts';
import { makeZip, memorySource, type TestingEntry } from './testing-zip.ts';
import { openZip } from './zip.ts';
import { readEntry } from './zip-content.ts';

const A: TestingEntry = { name: 'bag/a', bytes: utf8('content of a') };
const B: TestingEntry = { name: 'bag/b', bytes: utf8('content of b') };

/** Names and contents, as text. */
async function readAll(zip: Uint8Array): Promise<Record<string, string>> {
  const source = memorySource(zip);
  const read: Record<string, string> = {};
  for (const entry of await openZip(source)) {
    const pieces: Uint8Array[] = [];
    for await (const piece of readEntry(source, entry)) pieces.push(piece);
    read[entry.name] = Buffer.concat(pieces).toString();
  }
  return read;
}

function deflated(name: string, bytes: Uint8Array, declaredBytes = bytes.length): TestingEntry {
  return { name, bytes: deflateRawSync(bytes), method: 8, crc: crc32(bytes, 0), declaredBytes };
}

describe('a zip', () => {
  it('is read where it is what it should be', async () => {
    const long = utf8('deflated '.repeat(100_000));
    expect(await readAll(makeZip([A, B, deflated('bag/c', long)]))).toEqual({
      'bag/a': 'content of a',
      'bag/b': 'content of b',
      'bag/c': 'deflated '.repeat(100_000),
    });
  });

  const zeros = new Uint8Array(10_000_000);
  const refused: readonly (readonly [title: string, zip: Uint8Array, says: RegExp])[] = [
    ['the same name twice', makeZip([A, A]), /bag\/a is there twice/],
    ['names that differ in case only', makeZip([A, { ...A, name: 'bag/A' }]), /is there twice/],
    ['a name with ..', makeZip([{ ...A, name: 'bag/../../etc/passwd' }]), /leaves the package/],
    ['an absolute name', makeZip([{ ...A, name: '/bag/a' }]), /leaves the package/],
    ['a backslash', makeZip([{ ...A, name: 'bag\\a' }]), /leaves the package/],
    ['a drive', makeZip([{ ...A, name: 'c:a' }]), /leaves the package/],
    ['a directory', makeZip([{ ...A, name: 'bag/' }]), /leaves the package/],
    ['a control character in a name', makeZip([{ ...A, name: 'bag/\u001b[2J' }]), /leaves the package/],
    ['bytes after the end', concat(makeZip([A]), utf8('x')), /end record as the last 22 bytes/],
    [
      'bytes before the first entry',
      concat(utf8('MZ'), makeZip([A])),
      /does not end where the end record begins/,
    ],
    ['bytes between entries and directory', makeZip([A, B], utf8('hidden')), /6 bytes belong to no file/],
    ['entries that share their bytes', makeZip([A, { ...B, offset: 0 }]), /begins at|overlaps/],
    [
      'an entry that overlaps the directory',
      makeZip([
        { ...A, method: 8, bytes: A.bytes, declaredBytes: 5 },
        { ...B, offset: 20 },
      ]),
      /begins at|overlaps|headers/,
    ],
    ['two names in the two headers', makeZip([{ ...A, localName: 'bag/x' }]), /two headers of bag\/a differ/],
    ['encryption', makeZip([{ ...A, flags: 0x0801 }]), /encrypted/],
    ['a link', makeZip([{ ...A, mode: 0o120777 }]), /no regular file/],
    ['another method', makeZip([{ ...A, method: 14 }]), /neither stored nor deflated/],
    ['an extra field', makeZip([{ ...A, extra: Uint8Array.of(0x55, 0x54, 1, 0, 0) }]), /extra field/],
    ['a comment', makeZip([{ ...A, comment: 'x' }]), /comment/],
    ['a wrong CRC', makeZip([{ ...A, crc: 1 }]), /CRC of bag\/a is wrong/],
    ['a file above 100 MB', makeZip([{ ...A, method: 8, declaredBytes: 100_000_001 }]), /at most 100000000/],
    [
      'a promise that deflate cannot keep',
      makeZip([{ ...A, method: 8, declaredBytes: 90_000_000 }]),
      /say.* inflate to 90000000/,
    ],
    ['a bomb: more than it says', makeZip([deflated('bag/bomb', zeros, 1_000)]), /longer than it says/],
    ['less than it says', makeZip([deflated('bag/c', zeros, 10_000_001)]), /shorter than it says/],
    ['what does not inflate', makeZip([{ ...A, method: 8, crc: 0 }]), /does not inflate|shorter|longer/],
    [
      'bytes after the deflated data',
      makeZip([{ ...deflated('bag/c', B.bytes), bytes: concat(deflateRawSync(B.bytes), utf8('more')) }]),
      /does not inflate/,
    ],
    ['nothing', new Uint8Array(0), /no zip/],
  ];
  it.each(refused)('is refused with %s', async (_, zip, says) => {
    await expect(readAll(zip)).rejects.toThrow(says);
    await expect(readAll(zip)).rejects.toBeInstanceOf(PackageError);
  });

  it('with a changed byte is refused, or has the same content', async () => {
    const zip = makeZip([A, deflated('bag/b', B.bytes)]);
    const whole = await readAll(zip);
    await fc.assert(
      fc.asyncProperty(fc.nat(zip.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const changed = zip.slice();
        changed[at] = (changed[at] ?? 0) ^ change;
        expect(await readAll(changed).catch(() => whole)).toEqual(whole);
      }),
      { numRuns: 500 },
    );
  });

  it('that is cut anywhere is refused', async () => {
    const zip = makeZip([A, B]);
    for (let length = 0; length < zip.length; length++) {
      await expect(readAll(zip.subarray(0, length))).rejects.toBeInstanceOf(PackageError);
    }
  });
});
