/**
 * A column whose values are looked through: what looks like something that a Mask is for is masked in its
 * place, and everything else stays as it came.
 *
 * Texts, and texts in arrays, composites, ranges and JSON, are masked in part. A value of another type in
 * which something is found (a number that is a card, an address) is masked as a whole, to one that its type
 * accepts. Spec: spec/masking.md, section 10.
 */

import { ColumnStatistics, promotedBy } from '../detect/column-statistics.ts';
import { NO_HINTS } from '../detect/scan-state.ts';
import type { Scanner } from '../detect/scanner.ts';
import { byteaContent } from '../operators/bytea.ts';
import { isMalformed, joined } from '../operators/bytes.ts';
import { TEXT_TYPES } from '../operators/constants.ts';
import { mapLeaves } from '../operators/leaves.ts';
import type { Span } from '../operators/mask-spans.ts';
import type { BaseType, LeafType, TypeDescription, Wire } from '../operators/operator.ts';
import { readText, utf8Bytes } from '../operators/text-encoding.ts';
import type { ScanPlan } from '../plan/column-plan.ts';
import type { ColumnMasker, MaskingTools } from './column-masker.ts';
import { Detection } from './detected.ts';
import { broughtBack, foreignText, isUtf8 } from './foreign-text.ts';
import { JsonWalker } from './json-walker.ts';
import { rendered } from './rendered.ts';

const TEXT: BaseType = { kind: 'base', name: 'text', typmod: -1 };
const NUMBER: BaseType = { kind: 'base', name: 'numeric', typmod: -1 };
/** Values of other types that are texts in both formats, of which parts can be masked. */
const TEXT_LIKE: ReadonlySet<string> = new Set([...TEXT_TYPES, 'xml', 'cstring', 'unknown']);
/** Values whose text form is one of parts, and whose binary form is not. */
const IN_TEXT_FORMAT_ONLY: ReadonlySet<string> = new Set(['hstore']);
/** The one version of jsonb's binary form. */
const JSONB_VERSION = 1;
/** From here on, and each time that there are twice as many, the values of a column are asked what they are. */
const VERDICT_AT_FIRST = 8;
/** No more different values are counted than half of this. */
const VERDICT_AT_LAST = 4_096;
const SPACE = 0x20;

type ScannedValue = Uint8Array | null | undefined;

export class ScannedColumn implements ColumnMasker {
  readonly #type: TypeDescription;
  readonly #wire: Wire;
  readonly #utf8Wire: Wire;
  readonly #scanner: Scanner;
  readonly #detection: Detection;
  readonly #context: number;
  /** Made when a value comes: most results have few. */
  #statistics: ColumnStatistics | undefined;
  #taken = 0;
  #askAt = VERDICT_AT_FIRST;
  /** One object for all values, as it is read and not kept. */
  readonly #hints: { context: number; isColumnValue: boolean; promoted: Uint8Array | undefined };
  #promoted: Uint8Array | undefined;
  #json: JsonWalker | undefined;

  constructor(plan: ScanPlan, wire: Wire, { scanner, keys, counts }: MaskingTools) {
    this.#type = withoutDomain(plan.type);
    this.#wire = wire;
    this.#utf8Wire = { ...wire, format: 'text', clientEncoding: 'UTF8' };
    this.#scanner = scanner;
    this.#detection = new Detection(plan, keys, counts);
    this.#context = plan.hints.context;
    this.#statistics = plan.hints.statistics;
    this.#promoted = this.#statistics && promotedBy(this.#statistics.verdict());
    this.#hints = { ...NO_HINTS, isColumnValue: true };
  }

  mask(bytes: Uint8Array, from: number, to: number): ScannedValue {
    const type = this.#type;
    if (type.kind === 'base') {
      if (isJson(type)) return this.#maskJson(type, bytes, from, to);
      if (isTextLike(type, this.#wire)) return this.#maskText(type, bytes, from, to, this.#wire);
      return this.#maskOther(type, bytes.subarray(from, to), this.#wire);
    }
    if (type.kind === 'enum') return undefined;
    return this.#walk(type, bytes.subarray(from, to));
  }

  /** Elements, fields and bounds, one by one. */
  #walk(type: TypeDescription, value: Uint8Array): ScannedValue {
    let isSame = true;
    try {
      const masked = mapLeaves(type, value, this.#wire, {
        leaf: (leafType, leaf, wire) => {
          const replaced = this.#leaf(leafType, leaf, wire);
          if (replaced === undefined) return leaf;
          isSame = false;
          return replaced;
        },
        ranges: 'bounds',
        jsonNull: 'null',
      });
      return isSame ? undefined : masked;
    } catch (error) {
      if (!isMalformed(error)) throw error;
      // Not of its type's form: it is looked through as it is, and goes where something is found.
      return this.#found(value, this.#wire).length === 0 ? undefined : null;
    }
  }

  #leaf(type: LeafType, value: Uint8Array, wire: Wire): ScannedValue {
    if (type.kind === 'enum') return undefined;
    if (type.kind === 'base' && isTextLike(type, wire))
      return this.#maskText(type, value, 0, value.length, wire);
    return this.#maskOther(type, value, wire);
  }

  /** A text, or a part of a row that is one. */
  #maskText(type: BaseType, bytes: Uint8Array, from: number, to: number, wire: Wire): ScannedValue {
    if (!isUtf8(wire.clientEncoding, bytes, from, to))
      return this.#maskForeign(type, bytes.subarray(from, to), wire);
    let end = to;
    // The spaces that fill char(n) up are none of the value.
    if (type.name === 'bpchar') while (end > from && bytes[end - 1] === SPACE) end -= 1;
    const count = this.#scan(bytes, from, end);
    if (count === 0) return undefined;
    const spans = this.#detection.spans(this.#scanner, count, from);
    return spans.length === 0
      ? undefined
      : this.#detection.parts(type, bytes.subarray(from, to), spans, wire);
  }

  #maskForeign(type: BaseType, value: Uint8Array, wire: Wire): ScannedValue {
    const spans = this.#found(value, wire);
    return spans.length === 0 ? undefined : this.#detection.parts(type, value, spans, wire);
  }

  /** A value that is masked as a whole where anything is found in it. */
  #maskOther(type: LeafType, value: Uint8Array, wire: Wire): ScannedValue {
    const typeName = type.kind === 'base' ? type.name : type.kind === 'constant' ? type.base.name : '';
    const isText = wire.format === 'text' || TEXT_TYPES.has(typeName);
    let text: Uint8Array | undefined = value;
    if (typeName === 'bytea') text = contentOf(value, wire);
    else if (!isText) text = rendered(typeName, value);
    if (text === undefined) return undefined;
    const [first] = isText && typeName !== 'bytea' ? this.#found(text, wire) : this.#foundIn(text);
    return first === undefined ? undefined : this.#detection.whole(type, value, first, wire);
  }

  #maskJson(type: BaseType, bytes: Uint8Array, from: number, to: number): ScannedValue {
    const hasVersion = type.name === 'jsonb' && this.#wire.format === 'binary';
    if (hasVersion && bytes[from] !== JSONB_VERSION)
      return this.#maskOther(type, bytes.subarray(from, to), this.#wire);
    const start = hasVersion ? from + 1 : from;
    if (!isUtf8(this.#wire.clientEncoding, bytes, start, to))
      return this.#maskForeignJson(type, bytes.subarray(start, to), hasVersion);
    const masked = this.#walker().mask(bytes, start, to, this.#context);
    return masked === undefined || !hasVersion ? masked : joined([Uint8Array.of(JSONB_VERSION), masked]);
  }

  #maskForeignJson(type: BaseType, value: Uint8Array, hasVersion: boolean): ScannedValue {
    const read = readText(value, this.#wire.clientEncoding);
    if (read === undefined) {
      const [first] = this.#found(value, this.#wire);
      return first === undefined ? undefined : this.#detection.whole(type, value, first, this.#wire);
    }
    const utf8 = utf8Bytes(read.text);
    const masked = this.#walker().mask(utf8, 0, utf8.length, this.#context);
    if (masked === undefined) return undefined;
    const encoded = read.encode(new TextDecoder().decode(masked)) ?? null;
    return encoded === null || !hasVersion ? encoded : joined([Uint8Array.of(JSONB_VERSION), encoded]);
  }

  #walker(): JsonWalker {
    this.#json ??= new JsonWalker({
      string: (bytes, from, to, context) => {
        const count = this.#scanWith(bytes, from, to, context, undefined);
        if (count === 0) return undefined;
        const spans = this.#detection.spans(this.#scanner, count, from);
        if (spans.length === 0) return undefined;
        return this.#detection.parts(TEXT, bytes.subarray(from, to), spans, this.#utf8Wire) ?? undefined;
      },
      number: (bytes, from, to, context) => {
        const count = this.#scanWith(bytes, from, to, context, undefined);
        const [first] = count === 0 ? [] : this.#detection.spans(this.#scanner, count, from);
        if (first === undefined) return undefined;
        return this.#detection.whole(NUMBER, bytes.subarray(from, to), first, this.#utf8Wire);
      },
    });
    return this.#json;
  }

  /** What is found in a text of any encoding, as parts of its bytes. */
  #found(value: Uint8Array, wire: Wire): readonly Span[] {
    if (isUtf8(wire.clientEncoding, value, 0, value.length)) return this.#foundIn(value);
    const foreign = foreignText(value, wire.clientEncoding);
    if (foreign === undefined) return [this.#detection.unread(value.length)];
    const { utf8, isOneByte } = foreign;
    const spans = this.#foundIn(utf8);
    if (isOneByte) return broughtBack(utf8, spans);
    return spans.slice(0, 1).map((span) => ({ ...span, start: 0, end: value.length }));
  }

  #foundIn(utf8: Uint8Array): readonly Span[] {
    const count = this.#scan(utf8, 0, utf8.length);
    return count === 0 ? [] : this.#detection.spans(this.#scanner, count, 0);
  }

  #scan(bytes: Uint8Array, from: number, to: number): number {
    this.#learn(bytes, from, to);
    return this.#scanWith(bytes, from, to, this.#context, this.#promoted);
  }

  #scanWith(
    bytes: Uint8Array,
    from: number,
    to: number,
    context: number,
    promoted: Uint8Array | undefined,
  ): number {
    const hints = this.#hints;
    hints.context = context;
    hints.promoted = promoted;
    return this.#scanner.scan(bytes, from, to, hints);
  }

  /** What the values of the column say together. */
  #learn(bytes: Uint8Array, from: number, to: number): void {
    if (this.#taken === VERDICT_AT_LAST) return;
    this.#statistics ??= new ColumnStatistics();
    this.#statistics.take(bytes, from, to);
    this.#taken += 1;
    if (this.#taken < this.#askAt) return;
    this.#askAt *= 2;
    this.#promoted = promotedBy(this.#statistics.verdict());
  }
}

/** A domain is looked through as what it is made of; a constant is for values that are masked as a whole. */
function withoutDomain(type: TypeDescription): TypeDescription {
  return type.kind === 'domain' && type.constant === undefined ? withoutDomain(type.base) : type;
}

function isJson({ name }: BaseType): boolean {
  return name === 'json' || name === 'jsonb';
}

function isTextLike({ name }: BaseType, { format }: Wire): boolean {
  return TEXT_LIKE.has(name) || (format === 'text' && IN_TEXT_FORMAT_ONLY.has(name));
}

function contentOf(value: Uint8Array, wire: Wire): Uint8Array {
  try {
    return byteaContent(value, wire);
  } catch (error) {
    if (!isMalformed(error)) throw error;
    // Not of its type's form: it is looked through as it is.
    return value;
  }
}
