/**
 * Text forms of arrays, composites, ranges and multiranges: their members replaced one by one.
 *
 * Spec: PostgreSQL 18, "Array Input and Output Syntax", "Composite Type Input and Output Syntax", "Range
 * Input/Output"; what the server writes, and not all that it reads. A member is null where the text says NULL,
 * or for composites nothing at all.
 * Refused: what is left over, quotes without an end, arrays of more than six dimensions.
 */

import { malformed } from './bytes.ts';

/** What becomes of a member, which is null for NULL. */
export type MapMember = (member: string | null, index: number) => string | null;

/** MAXDIM of PostgreSQL. */
const DIMENSIONS_MAX = 6;

/** `[0:1]={{a,"b c"},{NULL,d}}`: bounds and dimensions stay. */
export function mapArrayText(text: string, delimiter: ',' | ';', map: MapMember): string {
  const scanner = new Scanner(text, 'an array');
  let result = scanner.take(/(?:(?:\[[+-]?\d+:[+-]?\d+\])+=)?/y);
  let depth = 0;
  let index = 0;
  const plain = delimiter === ',' ? /[^,{}"\\]*/y : /[^;{}"\\]*/y;
  do {
    if (scanner.skip('{')) {
      depth += 1;
      if (depth > DIMENSIONS_MAX) throw malformed('an array');
      result += '{';
      if (scanner.isAt('{') || scanner.isAt('}')) continue;
      result += member();
    } else if (scanner.skip('}')) {
      depth -= 1;
      result += '}';
    } else if (depth > 0 && scanner.skip(delimiter)) {
      result += delimiter;
      if (!scanner.isAt('{')) result += member();
    } else {
      throw malformed('an array');
    }
  } while (depth > 0);
  scanner.end();
  return result;

  function member(): string {
    const isQuoted = scanner.isAt('"');
    const value = scanner.member(plain, false);
    const isNull = !isQuoted && value.toUpperCase() === 'NULL';
    const mapped = map(isNull ? null : value, index++);
    return mapped === null ? 'NULL' : quotedInArray(mapped, delimiter);
  }
}

/** `(1,"a ""b""",)`: as many fields as came. */
export function mapCompositeText(text: string, map: MapMember): string {
  const scanner = new Scanner(text, 'a composite');
  scanner.expect('(');
  const fields: string[] = [];
  // A composite without columns.
  if (scanner.skip(')')) {
    scanner.end();
    return text;
  }
  do {
    const isNull = scanner.isAt(',') || scanner.isAt(')');
    const value = scanner.member(/[^,()"\\]*/y, true);
    const mapped = map(isNull ? null : value, fields.length);
    fields.push(mapped === null ? '' : quotedInComposite(mapped));
  } while (scanner.skip(','));
  scanner.expect(')');
  scanner.end();
  return `(${fields.join(',')})`;
}

/** `[1,5)`, `(,"2024-01-01 00:00:00")`; `empty` has no bounds. */
export function mapRangeText(text: string, map: (bound: string) => string | null): string {
  const scanner = new Scanner(text, 'a range');
  const result = rangeText(scanner, map);
  scanner.end();
  return result;
}

/** `{[1,5),[7,9)}`. */
export function mapMultirangeText(text: string, map: (bound: string) => string | null): string {
  const scanner = new Scanner(text, 'a multirange');
  scanner.expect('{');
  const ranges: string[] = [];
  if (!scanner.isAt('}')) {
    do ranges.push(rangeText(scanner, map));
    while (scanner.skip(','));
  }
  scanner.expect('}');
  scanner.end();
  return `{${ranges.filter((range) => range !== 'empty').join(',')}}`;
}

function rangeText(scanner: Scanner, map: (bound: string) => string | null): string {
  if (scanner.take(/empty/y) !== '') return 'empty';
  const opening = scanner.take(/[[(]/y);
  if (opening === '') throw malformed('a range');
  const lower = bound();
  scanner.expect(',');
  const upper = bound();
  const closing = scanner.take(/[\])]/y);
  if (closing === '') throw malformed('a range');
  // From one value to the same one, and not with it.
  if (lower !== '' && lower === upper && opening + closing !== '[]') return 'empty';
  return `${opening}${lower},${upper}${closing}`;

  function bound(): string {
    // Nothing is no bound; "" is an empty text.
    if (scanner.isAt(',') || scanner.isAt(']') || scanner.isAt(')')) return '';
    const mapped = map(scanner.member(/[^,()[\]"\\]*/y, true));
    return mapped === null ? '' : quotedInRange(mapped);
  }
}

/** array_out, "array_needs_quotes"; white space is ASCII's alone here and below. */
function quotedInArray(value: string, delimiter: string): string {
  const isPlain = value !== '' && !/[ \t-\r"\\{}]/.test(value) && !value.includes(delimiter);
  return isPlain && value.toUpperCase() !== 'NULL' ? value : `"${value.replace(/["\\]/g, '\\$&')}"`;
}

/** record_out. */
function quotedInComposite(value: string): string {
  return value !== '' && !/[ \t-\r"\\(),]/.test(value) ? value : `"${value.replace(/["\\]/g, '$&$&')}"`;
}

/** range_bound_escape. */
function quotedInRange(value: string): string {
  return value !== '' && !/[ \t-\r"\\(),[\]]/.test(value) ? value : `"${value.replace(/["\\]/g, '$&$&')}"`;
}

class Scanner {
  readonly #text: string;
  readonly #what: string;
  #offset = 0;

  constructor(text: string, what: string) {
    this.#text = text;
    this.#what = what;
  }

  isAt(character: string): boolean {
    return this.#text.charAt(this.#offset) === character;
  }

  skip(character: string): boolean {
    if (!this.isAt(character)) return false;
    this.#offset += 1;
    return true;
  }

  expect(character: string): void {
    if (!this.skip(character)) throw malformed(this.#what);
  }

  /** What a sticky pattern finds here, which may be nothing. */
  take(pattern: RegExp): string {
    pattern.lastIndex = this.#offset;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#offset += found.length;
    return found;
  }

  /** A member whose quotes and backslashes are undone; `doubles`: "" inside quotes is one of them. */
  member(plain: RegExp, doubles: boolean): string {
    let value = '';
    for (;;) {
      value += this.take(plain);
      if (this.isAt('\\')) value += this.#escaped();
      else if (this.isAt('"')) value += this.#quoted(doubles);
      else return value;
    }
  }

  end(): void {
    if (this.#offset !== this.#text.length) throw malformed(this.#what);
  }

  #quoted(doubles: boolean): string {
    this.expect('"');
    let value = '';
    for (;;) {
      value += this.take(/[^"\\]*/y);
      if (this.isAt('\\')) {
        value += this.#escaped();
        continue;
      }
      this.expect('"');
      if (!doubles || !this.skip('"')) return value;
      value += '"';
    }
  }

  /** One character, of two code units where it has them. */
  #escaped(): string {
    this.expect('\\');
    const escaped = this.take(/./suy);
    if (escaped === '') throw malformed(this.#what);
    return escaped;
  }
}
