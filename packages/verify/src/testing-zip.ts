/** Zips for tests: in the one form of a package, with hooks for what an attacker would write instead. */

import { deflateRawSync } from 'node:zlib';
import { concat, toHex, utf8 } from '@countersign/ledger/bytes';
import { packedLine, SIGNATURE_NOTE } from '@countersign/ledger/evidence';
import { sha256 } from '@countersign/ledger/sha256';
import {
  centralHeader,
  dataDescriptor,
  endRecords,
  localHeader,
  type ZipMember,
} from '@countersign/ledger/zip-form';
import { crc32 } from './crc32.ts';
import type { Source } from './host.ts';

/** One entry; the fields after `bytes` are lies. */
export interface TestingEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** The data as it lies in the zip, in place of the deflated content. */
  readonly raw?: Uint8Array;
  readonly stored?: boolean;
  readonly declaredBytes?: number;
  readonly crc?: number;
  /** Written to the directory in place of where it is. */
  readonly offset?: number;
  /** Changes each part after it was made; lengths may change too. */
  readonly local?: Edit;
  readonly descriptor?: Edit;
  readonly central?: Edit;
}

export type Edit = (part: Uint8Array) => Uint8Array;

export interface ZipHooks {
  /** Bytes that belong to no entry, before the directory. */
  readonly between?: Uint8Array;
  readonly end?: Edit;
  /** The directory in another order than the data. */
  readonly directory?: (headers: readonly Uint8Array[]) => readonly Uint8Array[];
}

/** The zip of these entries, in this order. */
export function makeZip(entries: readonly TestingEntry[], hooks: ZipHooks = {}): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  let at = 0;
  for (const entry of entries) {
    const { raw, member } = memberOf(entry, at);
    const { local = same, descriptor = same, central: directory = same } = entry;
    const part = concat(local(localHeader(member)), raw, descriptor(dataDescriptor(member)));
    central.push(directory(centralHeader({ ...member, offset: entry.offset ?? at })));
    parts.push(part);
    at += part.length;
  }
  const { between = new Uint8Array(0), end = same, directory = (headers) => headers } = hooks;
  const headers = concat(...directory(central));
  const records = end(endRecords(entries.length, at + between.length, headers.length));
  return new Uint8Array(concat(...parts, between, headers, records));
}

/** What `packed-sha256` is for these entries, whose names begin with one directory. */
export function packedSha256(entries: readonly TestingEntry[]): string {
  const lines = entries
    .filter(({ name }) => !name.endsWith(`/${SIGNATURE_NOTE}`))
    .map((entry) => packedLine(entry.name.slice(entry.name.indexOf('/') + 1), toHex(sha256(rawOf(entry)))));
  return toHex(sha256(utf8(lines.join(''))));
}

/** The zip as a file that is in memory. */
export function memorySource(bytes: Uint8Array): Source {
  return { size: bytes.length, read: async (from, to) => bytes.slice(from, to) };
}

/** An edit that writes a number of so many bytes at a place. */
export function put(at: number, bytes: 1 | 2 | 4, value: number): Edit {
  return (part) => {
    const changed = part.slice();
    const view = new DataView(changed.buffer);
    if (bytes === 1) view.setUint8(at, value);
    else if (bytes === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    return changed;
  };
}

/** One edit after the other. */
export function all(...edits: readonly Edit[]): Edit {
  return (part) => edits.reduce((changed, edit) => edit(changed), part);
}

/** An edit that adds bytes at the end. */
export function append(more: Uint8Array): Edit {
  return (part) => concat(part, more);
}

function memberOf(entry: TestingEntry, offset: number): { raw: Uint8Array; member: ZipMember } {
  const raw = rawOf(entry);
  const member = {
    name: entry.name,
    crc: entry.crc ?? crc32(entry.bytes, 0),
    bytes: entry.declaredBytes ?? entry.bytes.length,
    compressedBytes: raw.length,
    offset,
    stored: isStored(entry),
  };
  return { raw, member };
}

function rawOf(entry: TestingEntry): Uint8Array {
  if (entry.raw !== undefined) return entry.raw;
  return isStored(entry) ? entry.bytes : deflateRawSync(entry.bytes);
}

function isStored({ name, stored }: TestingEntry): boolean {
  return stored ?? name.endsWith(`/${SIGNATURE_NOTE}`);
}

function same(part: Uint8Array): Uint8Array {
  return part;
}
