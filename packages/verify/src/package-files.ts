/** The files of a package by their path in the bag. Untrusted: all of them. */

import { concat, utf8Text } from '@countersign/ledger/bytes';
import { isCanonical, type Json, parseJson } from '@countersign/ledger/jcs';
import { partName } from '@countersign/ledger/population-files';
import { BOUNDS } from './bounds.ts';
import type { Host, Source } from './host.ts';
import { PackageError } from './report.ts';
import { openZip, type ZipEntry } from './zip.ts';
import { readEntry } from './zip-content.ts';

const LINE_FEED = 0x0a;

/** One package; it keeps nothing of a file but its entry. */
export class PackageFiles {
  /** The directory that is the bag. */
  readonly directory: string;
  readonly #source: Source;
  readonly #host: Host;
  readonly #entries: ReadonlyMap<string, ZipEntry>;

  private constructor(source: Source, host: Host, directory: string, entries: ReadonlyMap<string, ZipEntry>) {
    this.#source = source;
    this.#host = host;
    this.directory = directory;
    this.#entries = entries;
  }

  static async open(source: Source, host: Host): Promise<PackageFiles> {
    const entries = await openZip(source);
    const [directory = ''] = (entries[0]?.name ?? '').split('/');
    const byPath = new Map<string, ZipEntry>();
    for (const entry of entries) {
      if (!entry.name.startsWith(`${directory}/`)) {
        throw new PackageError(`zip: ${entry.name} is not in the directory ${directory}/`);
      }
      byPath.set(entry.name.slice(directory.length + 1), entry);
    }
    if (byPath.size === 0) throw new PackageError('zip: there is no file in it');
    return new PackageFiles(source, host, directory, byPath);
  }

  /** Paths in the bag, in the order of the zip. */
  get paths(): readonly string[] {
    return [...this.#entries.keys()];
  }

  has(path: string): boolean {
    return this.#entries.has(path);
  }

  bytesOf(path: string): number {
    return this.#entry(path).bytes;
  }

  stream(path: string): AsyncGenerator<Uint8Array> {
    return readEntry(this.#source, this.#entry(path), this.#host);
  }

  /** Hex SHA-256 of a file, as it is and as it lies in the zip. */
  async hash(path: string): Promise<{ readonly sha256: string; readonly packed: string }> {
    const [hash, packed] = [this.#host.makeHash(), this.#host.makeHash()];
    const pieces = readEntry(this.#source, this.#entry(path), this.#host, (piece) => packed.update(piece));
    for await (const piece of pieces) hash.update(piece);
    return { sha256: await hash.digest(), packed: await packed.digest() };
  }

  /** A whole file of at most so many bytes. */
  async bytes(path: string, bytesMax: number): Promise<Uint8Array> {
    const entry = this.#entry(path);
    if (entry.bytes > bytesMax) {
      throw new PackageError(`${path}: expected at most ${bytesMax} bytes, got ${entry.bytes}`);
    }
    const pieces: Uint8Array[] = [];
    for await (const piece of this.stream(path)) pieces.push(piece);
    return concat(...pieces);
  }

  async text(path: string, bytesMax: number = BOUNDS.smallFileBytesMax): Promise<string> {
    return utf8Text(await this.bytes(path, bytesMax));
  }

  /** A file that is one canonical JSON value. */
  async json(path: string): Promise<Json> {
    return canonicalJson(await this.text(path), path);
  }

  /** Names of `stem.extension` and the parts that follow it. */
  parts(stem: string, extension: string): readonly string[] {
    const names: string[] = [];
    for (let number = 1; ; number++) {
      const name = partName(stem, extension, number);
      if (!this.has(name)) return names;
      names.push(name);
    }
  }

  /** The lines of all parts, without their line feeds. */
  async *lines(stem: string, extension: string, lineBytesMax: number): AsyncGenerator<Uint8Array> {
    const parts = this.parts(stem, extension);
    if (parts.length === 0) throw new PackageError(`${stem}.${extension} is not there`);
    for (const part of parts) yield* splitLines(this.stream(part), part, lineBytesMax);
  }

  #entry(path: string): ZipEntry {
    const entry = this.#entries.get(path);
    if (entry === undefined) throw new PackageError(`${path} is not there`);
    return entry;
  }
}

/** The value of an untrusted text that must be its own canonical form. */
export function canonicalJson(text: string, where: string): Json {
  const value = parseJson(text);
  if (!isCanonical(text, value)) throw new PackageError(`${where} is not canonical JSON`);
  return value;
}

async function* splitLines(
  pieces: AsyncIterable<Uint8Array>,
  name: string,
  lineBytesMax: number,
): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array[] = [];
  let restBytes = 0;
  for await (const piece of pieces) {
    let at = 0;
    for (let end = piece.indexOf(LINE_FEED); end >= 0; end = piece.indexOf(LINE_FEED, at)) {
      const tail = piece.subarray(at, end);
      yield restBytes === 0 ? tail : concat(...rest, tail);
      rest = [];
      restBytes = 0;
      at = end + 1;
    }
    if (at < piece.length) {
      rest.push(piece.subarray(at));
      restBytes += piece.length - at;
    }
    if (restBytes > lineBytesMax) throw new PackageError(`${name}: a line above ${lineBytesMax} bytes`);
  }
  if (restBytes > 0) throw new PackageError(`${name} does not end with a line feed`);
}
