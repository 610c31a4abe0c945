/**
 * Which patterns a place in a content is of, worked out level by level as a walker goes down: once for each way
 * that leads there, and then remembered.
 *
 * What a pattern means is everything below it, too. So a place knows the patterns that it is of itself and those
 * that something around it is of.
 */

import { BODY_MASK_LIMITS } from '../../core/http-body-limits.ts';
import { ANY, indexOfSegment } from '../../core/json-pattern.ts';
import { utf8Bytes } from '../operators/text-encoding.ts';
import { ANY_LEVELS } from './field-pattern.ts';

/** A pattern, and what it is for. */
export interface PlaceRule<What> {
  readonly segments: readonly string[];
  readonly isOfNames: boolean;
  readonly what: What;
}

/** A name that leads somewhere else than other names do. */
interface Named<Done> {
  readonly bytes: Uint8Array;
  readonly place: Place<Done>;
}

export interface Place<Done> {
  /** What is done with a value that stands here, or with what is in it. */
  readonly value: Done | undefined;
  /** What is done with the names of its members. */
  readonly names: Done | undefined;
  /** The member of this name; the bytes are what the name says. */
  member(bytes: Uint8Array, from: number, to: number): Place<Done>;
  item(index: number): Place<Done>;
}

/** A pattern, and how many of its segments lead to a place. */
interface Position {
  readonly rule: number;
  readonly length: number;
}

export class Places<What, Done> {
  readonly root: Place<Done>;
  readonly #rules: readonly PlaceRule<What>[];
  readonly #combine: (all: readonly [What, ...What[]]) => Done;
  readonly #known = new Map<string, KnownPlace<What, Done>>();

  /** @param combine what is done where several patterns meet */
  constructor(rules: readonly PlaceRule<What>[], combine: (all: readonly [What, ...What[]]) => Done) {
    this.#rules = rules;
    this.#combine = combine;
    this.root = this.#place(this.#closed(rules.map((_, rule) => ({ rule, length: 0 }))));
  }

  /** Where a name leads from here; undefined stands for one that no pattern has. */
  next(from: readonly Position[], name: string | undefined): Place<Done> {
    const positions: Position[] = [];
    for (const position of from) {
      const { segments, isOfNames } = this.#ruleAt(position);
      const segment = segments[position.length];
      if (segment === undefined) {
        if (!isOfNames) positions.push(position);
      } else if (segment === ANY_LEVELS) positions.push(position);
      else if (segment === ANY || segment === name)
        positions.push({ rule: position.rule, length: position.length + 1 });
    }
    return this.#place(this.#closed(positions));
  }

  /** Names that patterns have at these positions. */
  namesOf(positions: readonly Position[]): readonly string[] {
    const names = positions.flatMap((position) => this.#ruleAt(position).segments[position.length] ?? []);
    return [...new Set(names)].filter((name) => name !== ANY && name !== ANY_LEVELS);
  }

  /** What the patterns that end here say, of values or of names. */
  doneAt(positions: readonly Position[], isOfNames: boolean): Done | undefined {
    const [first, ...more] = positions.flatMap((position) => {
      const rule = this.#ruleAt(position);
      return rule.isOfNames === isOfNames && position.length === rule.segments.length ? [rule.what] : [];
    });
    return first === undefined ? undefined : this.#combine([first, ...more]);
  }

  #ruleAt({ rule }: Position): PlaceRule<What> {
    const found = this.#rules[rule];
    if (found === undefined) throw new RangeError('a position of no pattern');
    return found;
  }

  /** `**` may be no level at all. Sorted, each once. */
  #closed(positions: readonly Position[]): readonly Position[] {
    const all = new Map<string, Position>();
    for (const position of positions) {
      for (let { length } = position; ; length += 1) {
        all.set(`${position.rule}.${length}`, { rule: position.rule, length });
        if (this.#ruleAt(position).segments[length] !== ANY_LEVELS) break;
      }
    }
    return [...all.values()].toSorted((a, b) => a.rule - b.rule || a.length - b.length);
  }

  #place(positions: readonly Position[]): Place<Done> {
    const key = positions.map(({ rule, length }) => `${rule}.${length}`).join(' ');
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const made = new KnownPlace(this, positions);
    if (this.#known.size < BODY_MASK_LIMITS.placesMax) this.#known.set(key, made);
    return made;
  }
}

class KnownPlace<What, Done> implements Place<Done> {
  readonly value: Done | undefined;
  readonly names: Done | undefined;
  readonly #places: Places<What, Done>;
  readonly #positions: readonly Position[];
  #other: Place<Done> | undefined;
  #named: readonly Named<Done>[] | undefined;
  #hasIndexes: boolean | undefined;

  constructor(places: Places<What, Done>, positions: readonly Position[]) {
    this.#places = places;
    this.#positions = positions;
    this.value = places.doneAt(positions, false);
    this.names = places.doneAt(positions, true);
  }

  member(bytes: Uint8Array, from: number, to: number): Place<Done> {
    // Nothing leads on from here: so it is all the way down.
    if (this.#positions.length === 0) return this;
    this.#named ??= this.#places.namesOf(this.#positions).map((name) => ({
      bytes: utf8Bytes(name),
      place: this.#places.next(this.#positions, name),
    }));
    for (const named of this.#named) if (isSame(named.bytes, bytes, from, to)) return named.place;
    return this.#elsewhere();
  }

  item(index: number): Place<Done> {
    if (this.#positions.length === 0) return this;
    this.#hasIndexes ??= this.#places
      .namesOf(this.#positions)
      .some((name) => indexOfSegment(name) !== undefined);
    if (!this.#hasIndexes) return this.#elsewhere();
    const name = utf8Bytes(String(index));
    return this.member(name, 0, name.length);
  }

  /** Under any name that no pattern has. */
  #elsewhere(): Place<Done> {
    this.#other ??= this.#places.next(this.#positions, undefined);
    return this.#other;
  }
}

function isSame(name: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (name.length !== to - from) return false;
  for (let index = 0; index < name.length; index += 1) if (name[index] !== bytes[from + index]) return false;
  return true;
}
