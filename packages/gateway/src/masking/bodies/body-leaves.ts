/** What the Masks do to one value of a content: by the field that it is, or by what it looks like. */

import type { CompiledRules } from '../detect/custom-rules.ts';
import { NO_HINTS } from '../detect/scan-state.ts';
import { Scanner, type ScannerOptions } from '../detect/scanner.ts';
import type { MaskingKeyRing } from '../operators/key-ring.ts';
import type { Wire } from '../operators/operator.ts';
import { utf8Bytes } from '../operators/text-encoding.ts';
import type { ScanPlan } from '../plan/column-plan.ts';
import type { Choice } from '../plan/precedence.ts';
import { type ColumnMasker, columnMasker } from '../rows/column-masker.ts';
import { Detection } from '../rows/detected.ts';
import type { MaskCounts } from '../rows/mask-counts.ts';
import { MaskMemory } from '../rows/mask-memory.ts';
import { type BodyPlan, type FieldRule, LEAF_TYPES, type LeafKind } from './body-plan.ts';
import type { JsonLeaves, Leaf } from './json-masker.ts';
import { isNumber, wholeEnd } from './json-strings.ts';

/** What contents of one session share. */
export interface BodyTools {
  readonly keys: MaskingKeyRing;
  /** With the same options as below. */
  readonly scanner: Scanner;
  readonly scannerOptions: ScannerOptions;
  readonly memory: MaskMemory;
  readonly counts: MaskCounts;
}

/** Those of one operation. @param rules what Detectors find beside the scanner's own */
export function bodyTools(
  keys: MaskingKeyRing,
  counts: MaskCounts,
  rules: CompiledRules | undefined,
): BodyTools {
  const scannerOptions: ScannerOptions = rules === undefined ? {} : { rules };
  const scanner = new Scanner(scannerOptions);
  return { keys, scanner, scannerOptions, memory: new MaskMemory(), counts };
}

/** How texts of HTTP are written. */
export const BODY_WIRE: Wire = {
  format: 'text',
  clientEncoding: 'UTF8',
  dateStyle: 'ISO, MDY',
  intervalStyle: 'postgres',
};
/** Under which what is found by its looks is counted. */
const CONTENT = 'content';
const TRUE = utf8Bytes('true');
const FALSE = utf8Bytes('false');
const LETTER_T = 0x74;

/** Digits of a number that nothing is found in without a word that says what it is. */
const PLAIN_DIGITS_MAX = 6;

export class BodyLeaves implements JsonLeaves<FieldRule> {
  readonly looks: boolean;
  readonly detection: Detection;
  readonly #tools: BodyTools;
  readonly #hints = { ...NO_HINTS };
  readonly #maskers = new WeakMap<FieldRule, Map<LeafKind, ColumnMasker>>();

  /** @param column under which what is found by its looks is counted */
  constructor(plan: BodyPlan, tools: BodyTools, column: string = CONTENT) {
    this.#tools = tools;
    this.looks = plan.detecting.length > 0;
    const scan: ScanPlan = {
      kind: 'scan',
      type: LEAF_TYPES.text,
      hints: { context: 0, statistics: undefined },
      masks: plan.detecting,
      column,
    };
    this.detection = new Detection(scan, tools.keys, tools.counts);
  }

  string(bytes: Uint8Array, from: number, to: number, context: number, rule: FieldRule | undefined): Leaf {
    if (rule !== undefined) return this.#masker(rule, 'text').mask(bytes, from, to);
    return this.looks ? this.#found(bytes, from, to, context) : undefined;
  }

  number(bytes: Uint8Array, from: number, to: number, context: number, rule: FieldRule | undefined): Leaf {
    if (rule !== undefined) return numberOrNull(this.#masker(rule, 'number').mask(bytes, from, to));
    if (!this.looks || (context === 0 && isPlain(bytes, from, to))) return undefined;
    const [first] = this.spans(bytes, from, wholeEnd(bytes, from, to), context);
    if (first === undefined) return undefined;
    return numberOrNull(this.detection.whole(LEAF_TYPES.number, bytes.subarray(from, to), first, BODY_WIRE));
  }

  word(bytes: Uint8Array, from: number, _to: number, rule: FieldRule): Leaf {
    const masked = this.#masker(rule, 'word').mask(utf8Bytes(bytes[from] === LETTER_T ? 't' : 'f'), 0, 1);
    return masked instanceof Uint8Array ? (masked[0] === LETTER_T ? TRUE : FALSE) : masked;
  }

  name(
    bytes: Uint8Array,
    from: number,
    to: number,
    context: number,
    rule: FieldRule | undefined,
  ): Uint8Array | undefined {
    const masked = this.string(bytes, from, to, context, rule);
    // A name cannot be null: it says nothing then.
    return masked === null ? utf8Bytes('[REDACTED]') : masked;
  }

  drops({ choices }: FieldRule): boolean {
    return choices.text.operator.kind === 'drop';
  }

  /** What is found in a text by its looks. */
  spans(bytes: Uint8Array, from: number, to: number, context: number): ReturnType<Detection['spans']> {
    const { scanner } = this.#tools;
    this.#hints.context = context;
    const count = scanner.scan(bytes, from, to, this.#hints);
    return count === 0 ? NOTHING : this.detection.spans(scanner, count, from);
  }

  #found(bytes: Uint8Array, from: number, to: number, context: number): Uint8Array | undefined {
    const spans = this.spans(bytes, from, to, context);
    if (spans.length === 0) return undefined;
    return this.detection.parts(LEAF_TYPES.text, bytes.subarray(from, to), spans, BODY_WIRE) ?? undefined;
  }

  #masker(rule: FieldRule, kind: LeafKind): ColumnMasker {
    let maskers = this.#maskers.get(rule);
    if (maskers === undefined) {
      maskers = new Map();
      this.#maskers.set(rule, maskers);
    }
    let masker = maskers.get(kind);
    if (masker === undefined) {
      masker = maskerOf(rule.choices[kind], kind, rule.column, this.#tools);
      maskers.set(kind, masker);
    }
    return masker;
  }
}

const NOTHING: ReturnType<Detection['spans']> = [];

function maskerOf(choice: Choice, kind: LeafKind, column: string, tools: BodyTools): ColumnMasker {
  const { mask, version, operator, entity } = choice;
  const masks = [{ mask, version }];
  const type = LEAF_TYPES[kind];
  const plan = {
    kind: 'mask',
    operator,
    entity,
    type,
    mask,
    version,
    masks,
    column,
    hidesNull: false,
  } as const;
  const masker = columnMasker(plan, 0, BODY_WIRE, tools);
  if (masker === undefined) throw new Error('a plan that masks has a masker');
  return masker;
}

/** What a number becomes is one that JSON can write. */
function numberOrNull(masked: Leaf): Leaf {
  return masked instanceof Uint8Array && !isNumber(masked, 0, masked.length) ? null : masked;
}

/**
 * Whether a number is too short to be anything that says itself what it is: an index, a score, a coordinate of
 * a vector.
 */
function isPlain(bytes: Uint8Array, from: number, to: number): boolean {
  let digits = 0;
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at] ?? 0;
    // Behind the point nothing begins that the digits before it do not.
    if (byte === 0x2e) return digits <= 3;
    if (byte >= 0x30 && byte <= 0x39) digits += 1;
  }
  return digits <= PLAIN_DIGITS_MAX;
}
