/**
 * Populations as files, cut into parts: spec/evidence.md, section 3.
 *
 * What it gives is the content itself, so that exporter and verifier cannot differ.
 */

import { utf8 } from './bytes.ts';
import { formatCsvRow, formatJsonLine } from './csv.ts';
import { PACKAGE_MINOR } from './evidence.ts';
import { columnsOf, hasRowsOf, type PopulationName, populationsOf } from './population-columns.ts';
import type { PopulationRow } from './populations.ts';

/** No file of a package is longer (spec/evidence.md, section 3, "Parts"). */
export const FILE_BYTES_MAX = 100_000_000;

/** The next bytes of a file. */
export interface Piece {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** 1 for a line, 0 for a header. */
  readonly rows: number;
}

/** Lines in parts of at most so many bytes; a line that is longer by itself has a part of its own. */
export class Parts {
  readonly #stem: string;
  readonly #extension: string;
  readonly #header: Uint8Array;
  readonly #bytesMax: number;
  #number = 1;
  #bytes: number;

  /** @param header what every part begins with */
  constructor(stem: string, extension: string, header: string, bytesMax: number) {
    this.#stem = stem;
    this.#extension = extension;
    this.#header = utf8(header);
    this.#bytesMax = bytesMax;
    this.#bytes = this.#header.length;
  }

  /** The beginning of the first part, which is there also when no line is. */
  first(): Piece {
    return { name: partName(this.#stem, this.#extension, 1), bytes: this.#header, rows: 0 };
  }

  add(line: Uint8Array): readonly Piece[] {
    const isFirstLine = this.#bytes === this.#header.length;
    const begins = !isFirstLine && this.#bytes + line.length > this.#bytesMax;
    if (begins) {
      this.#number += 1;
      this.#bytes = this.#header.length;
    }
    this.#bytes += line.length;
    const name = partName(this.#stem, this.#extension, this.#number);
    const piece = { name, bytes: line, rows: 1 };
    return begins ? [{ name, bytes: this.#header, rows: 0 }, piece] : [piece];
  }
}

/** `leaves.jsonl`, `leaves-0002.jsonl`, … */
export function partName(stem: string, extension: string, number: number): string {
  return number === 1 ? `${stem}.${extension}` : `${stem}-${String(number).padStart(4, '0')}.${extension}`;
}

/** All population files of one package. */
export class PopulationFiles {
  readonly #csv = new Map<PopulationName, Parts>();
  readonly #jsonl = new Map<PopulationName, Parts>();
  readonly #rows = new Map<PopulationName, number>();
  readonly #minor: number;
  readonly #columns = new Map<PopulationName, readonly string[]>();

  /** @param minor version of the package, which says which populations it has; rows of others are left out */
  constructor(partBytesMax: number, minor: number = PACKAGE_MINOR) {
    this.#minor = minor;
    for (const name of populationsOf(minor)) {
      const columns = columnsOf(name, minor);
      this.#columns.set(name, columns);
      this.#csv.set(name, new Parts(name, 'csv', formatCsvRow(columns), partBytesMax));
      this.#jsonl.set(name, new Parts(name, 'jsonl', '', partBytesMax));
      this.#rows.set(name, 0);
    }
  }

  /** Rows so far, by population. */
  get rows(): ReadonlyMap<PopulationName, number> {
    return this.#rows;
  }

  /** The beginning of every file. */
  first(): readonly Piece[] {
    return [...this.#csv.values(), ...this.#jsonl.values()].map((parts) => parts.first());
  }

  add({ population, row }: PopulationRow): readonly Piece[] {
    const count = this.#rows.get(population);
    if (count === undefined) return [];
    const { event_type: type } = row;
    if (typeof type === 'string' && !hasRowsOf(population, type, this.#minor)) return [];
    this.#rows.set(population, count + 1);
    const columns = this.#columns.get(population) ?? [];
    const csv = utf8(formatCsvRow(columns.map((column) => row[column])));
    const jsonl = utf8(formatJsonLine(Object.fromEntries(columns.map((column) => [column, row[column]]))));
    return [
      ...(this.#csv.get(population)?.add(csv) ?? []),
      ...(this.#jsonl.get(population)?.add(jsonl) ?? []),
    ];
  }
}
