/**
 * Looks at what was delivered in one session with every detector, whatever was masked at the time: how many values
 * of which entity, in which column of which statement. Values themselves are never kept.
 *
 * Spec: spec/evidence.md, section 4, "Masking". Untrusted: every byte.
 */

import { MASKING_SCAN_LIMITS as LIMITS } from '../core/masking-scan-limits.ts';
import { contextOfNames } from '../masking/detect/context.ts';
import { entityName } from '../masking/detect/entities.ts';
import { type Hints, NO_HINTS } from '../masking/detect/scan-state.ts';
import { Scanner } from '../masking/detect/scanner.ts';
import { StreamingScanner } from '../masking/detect/streaming-scanner.ts';
import type { DeliveredPlace, DeliveryObserver } from '../recording/delivered.ts';
import type { ReplayedStatement } from '../recording/replayed-statement.ts';

/** So many values of an entity in one place. */
export interface Finding {
  /** The `statement.intent`; undefined where nobody knows which one. */
  readonly leaf: number | undefined;
  readonly place: DeliveredPlace | 'value';
  /** Of `value`: as the result named it; `*` for all that have no row of their own. */
  readonly column: string;
  readonly entity: string;
  readonly values: number;
}

interface Stream {
  readonly scanner: StreamingScanner;
  readonly place: 'copy' | 'row';
}

/** What was found of one statement, before it is known which leaf it is about. */
class Found {
  readonly counts = new Map<string, number>();
  stream: Stream | undefined;
}

const OTHERS = '*';
const SEPARATOR = '\u0000';

/** The owner of what was found in one session; times are those of the entries that {@link at} was told. */
export class DeliveredScan implements DeliveryObserver {
  readonly #period: { readonly fromUs: number; readonly toUs: number };
  readonly #leafOf: (statement: ReplayedStatement) => number | undefined;
  readonly #scanner = new Scanner();
  readonly #hints = new Map<string, Hints>();
  readonly #statements = new Map<object, Found>();
  readonly #ownerless = new Found();
  readonly #findings = new Map<string, { finding: Omit<Finding, 'values'>; values: number }>();
  #scannedBytes = 0;
  #within = false;

  /** @param leafOf the intent that a statement is about; statements come in the order in which they ended */
  constructor(
    period: { readonly fromUs: number; readonly toUs: number },
    leafOf: (statement: ReplayedStatement) => number | undefined,
  ) {
    this.#period = period;
    this.#leafOf = leafOf;
  }

  /** Bytes that were looked at, of the period. */
  get scannedBytes(): number {
    return this.#scannedBytes;
  }

  /** What follows was recorded at this time. */
  at(timeUs: number): void {
    this.#within = timeUs >= this.#period.fromUs && timeUs < this.#period.toUs;
  }

  value(owner: object | undefined, column: string, bytes: Uint8Array): void {
    if (this.#within) this.#scan(this.#foundOf(owner), 'value', column, bytes, this.#hintsOf(column));
  }

  text(owner: object | undefined, place: DeliveredPlace, bytes: Uint8Array): void {
    if (this.#within) this.#scan(this.#foundOf(owner), place, '', bytes, NO_HINTS);
  }

  stream(owner: object | undefined, place: 'copy' | 'row', bytes: Uint8Array, isLast: boolean): void {
    const found = this.#foundOf(owner);
    if (this.#within) {
      if (found.stream?.place !== place) this.#endStream(found);
      found.stream ??= this.#begin(found, place);
      this.#scannedBytes += bytes.length;
      found.stream.scanner.push(bytes);
    }
    if (isLast) this.#endStream(found);
  }

  ended(owner: object, statement: ReplayedStatement): void {
    const leaf = this.#leafOf(statement);
    const found = this.#statements.get(owner);
    if (found === undefined) return;
    this.#statements.delete(owner);
    this.#add(found, leaf);
  }

  /** Everything that was found, in the order of leaves. */
  finish(): readonly Finding[] {
    for (const found of [...this.#statements.values(), this.#ownerless]) this.#add(found, undefined);
    this.#statements.clear();
    return [...this.#findings.values()]
      .map(({ finding, values }) => ({ ...finding, values }))
      .toSorted((a, b) => (a.leaf ?? Number.MAX_SAFE_INTEGER) - (b.leaf ?? Number.MAX_SAFE_INTEGER));
  }

  #foundOf(owner: object | undefined): Found {
    if (owner === undefined) return this.#ownerless;
    let found = this.#statements.get(owner);
    if (found === undefined) {
      found = new Found();
      this.#statements.set(owner, found);
    }
    return found;
  }

  #begin(found: Found, place: 'copy' | 'row'): Stream {
    const sink = {
      clear: () => undefined,
      found: (entity: number, _bytes: Uint8Array, isLast: boolean) => {
        if (isLast) count(found, place, '', entityName(entity));
      },
    };
    return { place, scanner: new StreamingScanner(sink) };
  }

  #endStream(found: Found): void {
    found.stream?.scanner.finish();
    found.stream = undefined;
  }

  #scan(found: Found, place: Finding['place'], column: string, bytes: Uint8Array, hints: Hints): void {
    this.#scannedBytes += bytes.length;
    const spans = this.#scanner.scan(bytes, 0, bytes.length, hints);
    for (let span = 0; span < spans; span += 1) {
      count(found, place, column, entityName(this.#scanner.entity[span] ?? 0));
    }
  }

  #hintsOf(column: string): Hints {
    const known = this.#hints.get(column);
    if (known !== undefined) return known;
    if (this.#hints.size >= LIMITS.namesMax) this.#hints.clear();
    const hints = { context: contextOfNames(column), isColumnValue: true, promoted: undefined };
    this.#hints.set(column, hints);
    return hints;
  }

  #add(found: Found, leaf: number | undefined): void {
    this.#endStream(found);
    for (const [key, values] of found.counts) {
      const [place = '', entity = '', column = ''] = key.split(SEPARATOR);
      const isNew = !this.#findings.has(`${leaf ?? ''}${SEPARATOR}${key}`);
      const isOther = isNew && this.#findings.size >= LIMITS.findingsMax;
      const about = isOther
        ? { leaf: undefined, place: placeOf(place), column: OTHERS, entity }
        : { leaf, place: placeOf(place), column, entity };
      const id = [about.leaf ?? '', place, entity, about.column].join(SEPARATOR);
      const before = this.#findings.get(id);
      if (before === undefined) this.#findings.set(id, { finding: about, values });
      else before.values += values;
    }
    found.counts.clear();
  }
}

function count(found: Found, place: Finding['place'], column: string, entity: string): void {
  const key = [place, entity, column.replaceAll(SEPARATOR, '')].join(SEPARATOR);
  found.counts.set(key, (found.counts.get(key) ?? 0) + 1);
}

const PLACES: readonly Finding['place'][] = [
  'value',
  'copy',
  'row',
  'error',
  'notice',
  'notification',
  'parameter',
];

function placeOf(text: string): Finding['place'] {
  return PLACES.find((place) => place === text) ?? 'value';
}
