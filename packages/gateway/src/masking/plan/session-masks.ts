/** The Masks that reach one principal on one connection. */

import type { TypeDescription } from '../operators/operator.ts';
import type { ColumnMask, CompiledMask, DetectingMask, FieldMask } from './compile-mask.ts';
import type { ColumnPattern } from './column-pattern.ts';
import type { DetectMask } from './column-plan.ts';
import { type Choice, strictest } from './precedence.ts';

const TEXT: TypeDescription = { kind: 'base', name: 'text', typmod: -1 };

export class SessionMasks {
  /** By origin, in the order of their names. */
  readonly columns: readonly ColumnMask[];
  /** Of contents of HTTP, in the order of their names. */
  readonly fields: readonly FieldMask[];
  /** By looks, each entity in one of them at most: what becomes of it. */
  readonly detecting: readonly DetectMask[];
  /** All patterns, each text once, in the order of the texts: what the catalog of the database is asked about. */
  readonly patterns: readonly ColumnPattern[];
  /** Their texts, in the same order. */
  readonly names: readonly string[];
  readonly #byName: ReadonlyMap<string, readonly ColumnMask[]>;

  constructor(masks: readonly CompiledMask[]) {
    const sorted = masks.toSorted((one, other) => (one.mask < other.mask ? -1 : 1));
    this.columns = sorted.filter((mask) => mask.kind === 'columns');
    this.fields = sorted.filter((mask) => mask.kind === 'fields');
    this.detecting = detectMasks(sorted.filter((mask) => mask.kind === 'detect'));
    const byName = new Map<string, ColumnMask[]>();
    const patterns = new Map<string, ColumnPattern>();
    for (const mask of this.columns) {
      for (const pattern of mask.patterns) {
        const { text } = pattern;
        patterns.set(text, pattern);
        byName.set(text, [...(byName.get(text) ?? []), mask]);
      }
    }
    this.#byName = byName;
    this.names = [...patterns.keys()].toSorted();
    this.patterns = this.names.flatMap((name) => patterns.get(name) ?? []);
  }

  /** Whether results have to be looked at at all. */
  get isEmpty(): boolean {
    return this.columns.length === 0 && this.fields.length === 0 && this.detecting.length === 0;
  }

  /** The Masks of these patterns, each once, by name; undefined where a pattern is of none. */
  of(names: readonly string[]): readonly [ColumnMask, ...ColumnMask[]] | undefined {
    const found = new Set<ColumnMask>();
    for (const name of names) {
      const masks = this.#byName.get(name);
      if (masks === undefined) return undefined;
      for (const mask of masks) found.add(mask);
    }
    const [first, ...more] = this.columns.filter((mask) => found.has(mask));
    return first === undefined ? undefined : [first, ...more];
  }
}

/** Of a session from which nothing is hidden. */
export const NO_MASKS: SessionMasks = new SessionMasks([]);

/** For each entity the most restrictive of the Masks that look for it, and entities alike together. */
function detectMasks(masks: readonly DetectingMask[]): readonly DetectMask[] {
  const made = new Map<string, { choice: Choice; entities: Set<string> }>();
  for (const entity of new Set(masks.flatMap(({ entities }) => [...entities]))) {
    const [first, ...more] = masks.filter(({ entities }) => entities.has(entity)).map(choiceOf);
    if (first === undefined) continue;
    const choice = strictest([first, ...more], TEXT);
    const key = JSON.stringify([choice.mask, choice.operator]);
    const group = made.get(key) ?? { choice, entities: new Set() };
    group.entities.add(entity);
    made.set(key, group);
  }
  return [...made.values()].map(({ choice: { mask, version, operator }, entities }) => ({
    mask,
    version,
    operator,
    entities,
  }));
}

/** The entity is that of what is found, which is one for all of them. */
function choiceOf({ mask, version, operator }: DetectingMask): Choice {
  return { mask, version, operator, entity: 'DETECTED' };
}
