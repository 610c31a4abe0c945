/** Which Mask is for what a scan has found, and the masked value. */

import { entityName } from '../detect/entities.ts';
import type { Scanner } from '../detect/scanner.ts';
import type { MaskingKeyRing } from '../operators/key-ring.ts';
import { maskLeaf } from '../operators/mask-leaf.ts';
import { maskSpans, type Span } from '../operators/mask-spans.ts';
import type { BaseType, LeafType, Wire } from '../operators/operator.ts';
import { utf8Bytes } from '../operators/text-encoding.ts';
import type { DetectMask, ScanPlan } from '../plan/column-plan.ts';
import type { MaskCounts, Tally } from './mask-counts.ts';

/** A value that could not be read, and so not be looked through: all of it is masked. */
const UNREAD = 'UNREAD';
/** The one entity that has no longest value. */
const IN_PARTS = 'PRIVATE_KEY';
const TEXT: BaseType = { kind: 'base', name: 'text', typmod: -1 };

interface Detected {
  readonly detect: DetectMask;
  readonly entity: string;
  readonly tally: Tally;
}

/** What is done in one column with what is found there. */
export class Detection {
  readonly #plan: ScanPlan;
  readonly #keys: MaskingKeyRing;
  readonly #counts: MaskCounts;
  /** By the number of the entity; null for what no Mask looks for. */
  readonly #byEntity = new Map<number, Detected | null>();

  constructor(plan: ScanPlan, keys: MaskingKeyRing, counts: MaskCounts) {
    this.#plan = plan;
    this.#keys = keys;
    this.#counts = counts;
  }

  /** The spans of a scan that some Mask is for, from the beginning of the value. */
  spans(scanner: Scanner, count: number, begin: number): readonly Span[] {
    const spans: Span[] = [];
    for (let index = 0; index < count; index += 1) {
      const detected = this.#of(scanner.entity[index] ?? 0);
      if (detected === null) continue;
      detected.tally.values += 1;
      const { entity, detect } = detected;
      const start = (scanner.from[index] ?? 0) - begin;
      const end = (scanner.to[index] ?? 0) - begin;
      spans.push({ start, end, entity, operator: detect.operator });
    }
    return spans;
  }

  /** The text with these parts masked. */
  parts(type: BaseType, value: Uint8Array, spans: readonly Span[], wire: Wire): Uint8Array | null {
    return maskSpans(type, value, spans, wire, this.#keys).value;
  }

  /**
   * What stands for a value of a stream; undefined where no Mask is for it. One that comes in parts (a private key)
   * is redacted where its first part stands, whatever the operator: it is never there as a whole.
   */
  streamed(
    id: number,
    part: Uint8Array,
    isFirst: boolean,
    isLast: boolean,
    wire: Wire,
  ): Uint8Array | undefined {
    const detected = this.#of(id);
    if (detected === null) return undefined;
    if (isFirst) detected.tally.values += 1;
    const { entity, detect } = detected;
    if (entity === IN_PARTS || !isFirst || !isLast) {
      const isGone = detect.operator.kind === 'drop' || detect.operator.kind === 'nullify';
      return utf8Bytes(isFirst && !isGone ? `[REDACTED:${entity}]` : '');
    }
    const span = { start: 0, end: part.length, entity, operator: detect.operator };
    return this.parts(TEXT, part, [span], wire) ?? utf8Bytes('');
  }

  /** A value of which no part can be masked, because it is no text or not read: masked as the first thing in it. */
  whole(type: LeafType, value: Uint8Array, { entity, operator }: Span, wire: Wire): Uint8Array | null {
    return maskLeaf({ entity, operator, keys: this.#keys.current }, type, value, wire).value;
  }

  /** What stands for all of a value that is not read. */
  unread(length: number): Span {
    const [detect] = this.#plan.masks;
    if (detect === undefined) throw new Error('a column without Masks is not looked through');
    this.#tally(detect, UNREAD).values += 1;
    return { start: 0, end: length, entity: UNREAD, operator: detect.operator };
  }

  #of(id: number): Detected | null {
    const known = this.#byEntity.get(id);
    if (known !== undefined) return known;
    const name = entityName(id);
    // Rules are named by people; tokens and brackets have room for names of entities only.
    const entity = name.startsWith('CUSTOM:') ? 'CUSTOM' : name;
    const detect = this.#plan.masks.find(({ entities }) => entities.has(name));
    const detected = detect === undefined ? null : { detect, entity, tally: this.#tally(detect, entity) };
    this.#byEntity.set(id, detected);
    return detected;
  }

  #tally({ mask, version, operator }: DetectMask, entity: string): Tally {
    return this.#counts.tally({ mask, version, column: this.#plan.column, entity, operator: operator.kind });
  }
}
