/**
 * What is known of PostgreSQL's own functions: whether their results show more than they were given.
 *
 * Only oids count, because names can be shadowed. A release that is not in the table has no function that is known,
 * and neither has any release above `FirstUnpinnedObjectId`: there initdb, users and extensions put theirs.
 */

import type { FunctionKind, FunctionKnowledge } from '../labels/function-knowledge.ts';
import { FUNCTION_RANGES } from './functions-table.ts';

/** More than {@link FunctionKnowledge} asks, for whoever can use it. */
export interface BuiltInFunctions extends FunctionKnowledge {
  /**
   * Whether it calls functions that belong to the types of its arguments or of its result: comparisons, output,
   * casts to json, checks of domains. With a type of a user it is no better than what that user made.
   */
  callsFunctionsOfTypes(functionOid: number): boolean;
}

interface Known {
  readonly kinds: ReadonlyMap<number, FunctionKind>;
  readonly polymorphic: ReadonlySet<number>;
}

/** By major release; made when they are asked for. */
const made = new Map<number, Known>();

/**
 * @param serverVersionNum `server_version_num`: 180004
 * @param declared functions that somebody says are pure: of information_schema, of extensions that are trusted
 */
export function functionKnowledge(
  serverVersionNum: number,
  declared: ReadonlySet<number> = new Set(),
): BuiltInFunctions {
  const { kinds, polymorphic } = knownOf(Math.floor(serverVersionNum / 10_000));
  return {
    of: (oid) => kinds.get(oid) ?? (declared.has(oid) ? 'pure' : 'opaque'),
    callsFunctionsOfTypes: (oid) => polymorphic.has(oid) || !kinds.has(oid),
  };
}

function knownOf(major: number): Known {
  const known = made.get(major);
  if (known !== undefined) return known;
  const kinds = new Map<number, FunctionKind>();
  const row = FUNCTION_RANGES[major];
  for (const kind of ['pure', 'reader', 'sink'] as const) {
    for (const oid of row === undefined ? [] : oidsOf(row[kind])) kinds.set(oid, kind);
  }
  const polymorphic = new Set(row === undefined ? [] : oidsOf(row.polymorphic));
  // A release that is not in the table is not kept: nobody bounds what a server says of itself.
  if (row !== undefined) made.set(major, { kinds, polymorphic });
  return { kinds, polymorphic };
}

function* oidsOf(ranges: string): Generator<number> {
  for (const range of ranges.trim().split(/\s+/)) {
    const [first = Number.NaN, last = first] = range.split('-').map(Number);
    for (let oid = first; oid <= last; oid += 1) yield oid;
  }
}
