/** The Masks that reach one principal on one connection. */

import { CompiledRules } from '../detect/custom-rules.ts';
import type { TypeDescription } from '../operators/operator.ts';
import type { ColumnMask, CompiledMask, DetectingMask, FieldMask } from './compile-mask.ts';
import type { ColumnPattern } from './column-pattern.ts';
import type { DetectMask } from './column-plan.ts';
import { customRuleOf, type Detector } from './detector.ts';
import type { MaskRef } from './mask.ts';
import { detectorEntity, EVERY_DETECTOR } from './detect-words.ts';
import type { MaskDirection } from './mask.ts';
import { type Choice, strictest } from './precedence.ts';

/** What the scanner calls what a Detector and something else have a part of. */
const SEVERAL = 'CUSTOM';
const CUSTOM_PREFIX = detectorEntity('');
const TEXT: TypeDescription = { kind: 'base', name: 'text', typmod: -1 };

/** Who hides the columns of a Mask: the gateway, or in the mode `server-role` the target by the rights of its role. */
export type HiddenBy = 'gateway' | 'target';

/** What becomes of contents of HTTP that go one way. */
export interface ContentMasks {
  readonly fields: readonly FieldMask[];
  readonly detecting: readonly DetectMask[];
  /** What Detectors find beside the scanner's own; undefined where no Mask looks for any. */
  readonly rules: CompiledRules | undefined;
  /** Those Detectors. */
  readonly detectors: readonly Detector[];
}

/** What becomes of what is sent over HTTP. */
export interface RequestMasks extends ContentMasks {
  /** Where texts of reranking calls have masks of their own. */
  readonly rerankSafe: RerankSafeMasks | undefined;
}

export interface RerankSafeMasks {
  /** What goes under pseudonyms there. */
  readonly detecting: readonly DetectMask[];
  /** What becomes in those texts what their operators make. */
  readonly others: readonly DetectMask[];
}

export class SessionMasks {
  /** By origin, in the order of their names. */
  readonly columns: readonly ColumnMask[];
  /** Of contents of HTTP that come back, in the order of their names. */
  readonly fields: readonly FieldMask[];
  /** Of what goes to a target over HTTP. */
  readonly requests: RequestMasks;
  /** Of contents of HTTP, whichever way they go: what a leaf may show of them. */
  readonly either: ContentMasks;
  /** By looks of what comes back, each entity in one of them at most: what becomes of it. */
  readonly detecting: readonly DetectMask[];
  /** What Detectors find of that beside the scanner's own; undefined where no Mask looks for any. */
  readonly rules: CompiledRules | undefined;
  /** All patterns, each text once, in the order of the texts: what the catalog of the database is asked about. */
  readonly patterns: readonly ColumnPattern[];
  /** Their texts, in the same order. */
  readonly names: readonly string[];
  readonly #byName: ReadonlyMap<string, readonly ColumnMask[]>;
  readonly #all: readonly CompiledMask[];
  readonly #detectors: Detectors;
  /** Masks that would reach the session, but for their `unless`; in the order of their names. */
  readonly exempt: readonly MaskRef[];

  /**
   * @param hiddenBy of which Masks the columns are: of those that the gateway has to hide, unless somebody asks for others
   * @param detectors of the installation; those that no Mask looks for are not looked for
   */
  constructor(
    masks: readonly CompiledMask[],
    hiddenBy: readonly HiddenBy[] = ['gateway'],
    detectors: Detectors = NO_DETECTORS,
    exempt: readonly MaskRef[] = [],
  ) {
    this.#detectors = detectors;
    this.exempt = exempt.toSorted((one, other) => (one.mask < other.mask ? -1 : 1));
    const sorted = masks.toSorted((one, other) => (one.mask < other.mask ? -1 : 1));
    this.#all = sorted;
    const columns = sorted.filter((mask) => mask.kind === 'columns');
    this.columns = columns.filter((mask) => hiddenBy.includes(hiderOf(mask)));
    const answers = contentMasks(sorted, 'response', detectors);
    ({ fields: this.fields, detecting: this.detecting, rules: this.rules } = answers);
    this.requests = requestMasks(sorted, detectors);
    this.either = contentMasks(sorted, undefined, detectors);
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

  /** Whether results have to be looked at at all; of what goes to a target it says nothing. */
  get isEmpty(): boolean {
    return this.columns.length === 0 && this.fields.length === 0 && this.detecting.length === 0;
  }

  /** The same Masks, with the columns of those that somebody else hides, or everybody. */
  by(...hiddenBy: readonly HiddenBy[]): SessionMasks {
    return new SessionMasks(this.#all, hiddenBy, this.#detectors, this.exempt);
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

/** The Detectors of an installation at one moment; each set of them that sessions look for is compiled once. */
export class Detectors {
  readonly #byEntity: ReadonlyMap<string, Detector>;
  readonly #compiled = new Map<string, CompiledRules>();

  constructor(detectors: readonly Detector[]) {
    this.#byEntity = new Map(detectors.map((detector) => [detectorEntity(detector.name), detector]));
  }

  get entities(): readonly string[] {
    return [...this.#byEntity.keys()];
  }

  /** Those whose entity is among these. */
  among(entities: ReadonlySet<string>): readonly Detector[] {
    return [...this.#byEntity].flatMap(([entity, detector]) => (entities.has(entity) ? [detector] : []));
  }

  /** Of those whose entity is among these: what nobody looks for must not become one with what somebody does. */
  rulesOf(entities: ReadonlySet<string>): CompiledRules | undefined {
    const chosen = this.among(entities);
    if (chosen.length === 0) return undefined;
    const key = JSON.stringify(chosen.map(({ name }) => name));
    const known = this.#compiled.get(key);
    if (known !== undefined) return known;
    const compiled = new CompiledRules(chosen.map(customRuleOf));
    this.#compiled.set(key, compiled);
    return compiled;
  }
}

const NO_DETECTORS = new Detectors([]);

/** The word for every Detector, as those that there are. */
function withDetectors(mask: DetectingMask, detectors: Detectors): DetectingMask {
  if (!mask.entities.has(EVERY_DETECTOR)) return mask;
  const named = [...mask.entities].filter((entity) => entity !== EVERY_DETECTOR);
  return { ...mask, entities: new Set([...named, ...detectors.entities]) };
}

/** Of a session from which nothing is hidden. */
export const NO_MASKS: SessionMasks = new SessionMasks([]);

function hiderOf({ mode }: ColumnMask): HiddenBy {
  return mode === 'server-role' ? 'target' : 'gateway';
}

function requestMasks(masks: readonly CompiledMask[], detectors: Detectors): RequestMasks {
  const detecting = detectingOf(masks, 'request', detectors);
  const safe = detecting.filter(({ isRerankSafe }) => isRerankSafe);
  const looked = looksForDetectors(detecting);
  const rerankSafe =
    safe.length === 0
      ? undefined
      : {
          detecting: detectMasks(safe, looked),
          others: detectMasks(
            detecting.filter(({ isRerankSafe }) => !isRerankSafe),
            looked,
          ),
        };
  return { ...contentMasks(masks, 'request', detectors), rerankSafe };
}

/** @param direction undefined: either */
function contentMasks(
  masks: readonly CompiledMask[],
  direction: MaskDirection | undefined,
  detectors: Detectors,
): ContentMasks {
  const detecting = detectingOf(masks, direction, detectors);
  const entities = new Set(detecting.flatMap((mask) => [...mask.entities]));
  return {
    fields: masks
      .filter((mask) => mask.kind === 'fields')
      .filter(({ directions }) => direction === undefined || directions.includes(direction)),
    detecting: detectMasks(detecting, looksForDetectors(detecting)),
    rules: detectors.rulesOf(entities),
    detectors: detectors.among(entities),
  };
}

function detectingOf(
  masks: readonly CompiledMask[],
  direction: MaskDirection | undefined,
  detectors: Detectors,
): readonly DetectingMask[] {
  return masks
    .filter((mask) => mask.kind === 'detect')
    .filter(({ directions }) => direction === undefined || directions.includes(direction))
    .map((mask) => withDetectors(mask, detectors));
}

function looksForDetectors(masks: readonly DetectingMask[]): boolean {
  return masks.some(({ entities }) => [...entities].some((entity) => entity.startsWith(CUSTOM_PREFIX)));
}

/** For each entity the most restrictive of the Masks that look for it, and entities alike together. */
function detectMasks(masks: readonly DetectingMask[], looked: boolean): readonly DetectMask[] {
  // What several have a part of is hidden by the strictest of all, whichever they are.
  return byEntity(
    looked ? masks.map((mask) => ({ ...mask, entities: new Set([...mask.entities, SEVERAL]) })) : masks,
  );
}

function byEntity(masks: readonly DetectingMask[]): readonly DetectMask[] {
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
