import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { utf8 } from '@countersign/ledger/bytes';
import {
  centralHeader,
  dataDescriptor,
  endRecords,
  localHeader,
  type ZipMember,
} from '@countersign/ledger/zip-form';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Source } from './host.ts';
import { nodeHost } from './node-host.ts';
import { NoPackageError, PackageError } from './report.ts';
import { makeZip, memorySource, type TestingEntry } from './testing-zip.ts';
import { webHost } from './web-host.ts';
import { openZip } from './zip.ts';
import { readEntry } from './zip-content.ts';

const A: TestingEntry = { name: 'bag/a', bytes: utf8('content of a') };
const B: TestingEntry = { name: 'bag/b', bytes: utf8('content of b') };
const LONG = 'deflated '.repeat(200_000);

/** Names and contents, as text. */
async function readAll(zip: Uint8Array, host = nodeHost()): Promise<Record<string, string>> {
  const source = memorySource(zip);
  const read: Record<string, string> = {};
  for (const entry of await openZip(source)) {
    const pieces: Uint8Array[] = [];
    for await (const piece of readEntry(source, entry, host)) pieces.push(piece);
    read[entry.name] = Buffer.concat(pieces).toString();
  }
  return read;
}

/** A zip of which nothing but the headers is there; its data reads as zeros. */
function hollowSource(members: readonly ZipMember[]): Source {
  const parts = new Map<number, Uint8Array>();
  let end = 0;
  for (const member of members) {
    const header = localHeader(member);
    const dataEnd = member.offset + header.length + member.compressedBytes;
    parts.set(member.offset, header).set(dataEnd, dataDescriptor(member));
    end = dataEnd + dataDescriptor(member).length;
  }
  const directory = Buffer.concat(members.map(centralHeader));
  const tail = Buffer.concat([directory, endRecords(members.length, end, directory.length)]);
  return {
    size: end + tail.length,
    read: async (from, to) => {
      if (from >= end) return tail.subarray(from - end, to - end);
      const bytes = new Uint8Array(to - from);
      bytes.set(parts.get(from)?.subarray(0, to - from) ?? []);
      return bytes;
    },
  };
}

/** Members of one size, one behind the other. */
function membersOf(count: number, bytes: number): ZipMember[] {
  let offset = 0;
  return Array.from({ length: count }, (_, i) => {
    const member = {
      name: `bag/${String(i).padStart(6, '0')}`,
      crc: 0,
      bytes,
      compressedBytes: bytes,
      offset,
      stored: false,
    };
    offset += localHeader(member).length + bytes + dataDescriptor(member).length;
    return member;
  });
}

describe('a zip', () => {
  it('is read where it is what it should be, in a browser as in Node', async () => {
    const zip = makeZip([A, B, { name: 'bag/c', bytes: utf8(LONG) }, { name: 'bag/d', bytes: utf8('') }]);
    const content = { 'bag/a': 'content of a', 'bag/b': 'content of b', 'bag/c': LONG, 'bag/d': '' };
    expect(await readAll(zip)).toEqual(content);
    expect(await readAll(zip, webHost())).toEqual(content);
  });

  it('is a zip for unzip too', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'countersign-zip-'));
    try {
      await writeFile(join(directory, 'a.zip'), makeZip([A, B]));
      const { stdout } = await promisify(execFile)('unzip', ['-t', join(directory, 'a.zip')]);
      expect(stdout).toContain('No errors detected');
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('is read beyond 4 GiB, and with more files than 16 bits count', async () => {
    const large = membersOf(50, 100_000_000);
    expect((await openZip(hollowSource(large))).at(-1)?.offset).toBeGreaterThan(2 ** 32);
    const many = membersOf(70_000, 1);
    expect(await openZip(hollowSource(many))).toHaveLength(70_000);
  });

  it('with a changed byte in a Zip64 record is refused', async () => {
    const hollow = hollowSource(membersOf(70_000, 1));
    const tail = 22 + 20 + 56;
    for (let at = hollow.size - tail; at < hollow.size; at++) {
      const changed: Source = {
        size: hollow.size,
        read: async (from, to) => {
          const bytes = new Uint8Array(await hollow.read(from, to));
          if (at >= from && at < to) bytes[at - from] = (bytes[at - from] ?? 0) ^ 1;
          return bytes;
        },
      };
      await expect(openZip(changed)).rejects.toBeInstanceOf(PackageError);
    }
  });

  it('with a changed byte is refused, or has the same content', async () => {
    const zip = makeZip([A, B]);
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

  it('that is cut anywhere is refused, as one that was a zip', async () => {
    const zip = makeZip([A, B]);
    for (let length = 0; length < zip.length; length++) {
      const refused = await openZip(memorySource(zip.subarray(0, length))).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(PackageError);
      expect(refused instanceof NoPackageError).toBe(length < 4);
    }
  });

  it('that is random bytes, or a hostile directory, ends in nothing but a refusal', async () => {
    const zip = makeZip([A, B]);
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        async (bytes, record) => {
          const hostile = zip.slice();
          hostile.set(record, zip.length - 18);
          for (const input of [bytes, hostile]) {
            const result = await openZip(memorySource(input)).catch((error: unknown) => error);
            expect(Array.isArray(result) || result instanceof PackageError).toBe(true);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
