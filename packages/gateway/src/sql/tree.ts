/**
 * PostgreSQL's raw parse tree as libpg_query writes it in JSON, and how its parts are taken.
 *
 * A node where the grammar has a choice is wrapped, `{ "SelectStmt": { … } }`; where it has none, as in
 * `relation` of an UpdateStmt, its fields stand there at once. Zero, false, empty and the first value of an
 * enumeration are left out, a location of 0 too.
 */

export type TreeValue = string | number | boolean | null | TreeNode | readonly TreeValue[];

export interface TreeNode {
  readonly [field: string]: TreeValue | undefined;
}

export interface NamedNode {
  readonly name: string;
  readonly fields: TreeNode;
}

const EMPTY: TreeNode = {};
const NOTHING: readonly TreeValue[] = [];

/** The tree of a text. */
export function parseTree(json: string): TreeNode {
  const value: unknown = JSON.parse(json);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- JSON has no other values.
  return nodeOf(value as TreeValue);
}

/** The value as a node; one without fields where it is none. */
export function nodeOf(value: TreeValue | undefined): TreeNode {
  return isNode(value) ? value : EMPTY;
}

export function isNode(value: TreeValue | undefined): value is TreeNode {
  return typeof value === 'object' && value !== null && !isList(value);
}

export function isList(value: TreeValue | undefined): value is readonly TreeValue[] {
  return Array.isArray(value);
}

/** The value as a list; an empty one where it is none. */
export function listOf(value: TreeValue | undefined): readonly TreeValue[] {
  return isList(value) ? value : NOTHING;
}

export function textOf(value: TreeValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A wrapped node with its name; undefined where the value is none. */
export function named(value: TreeValue | undefined): NamedNode | undefined {
  if (!isNode(value)) return undefined;
  let name: string | undefined;
  for (const key in value) {
    if (name !== undefined) return undefined;
    name = key;
  }
  if (name === undefined || !isUpper(name)) return undefined;
  const fields = value[name];
  return isNode(fields) ? { name, fields } : undefined;
}

/** The fields of a wrapped node of this name; undefined where it has another. */
export function as(name: string, value: TreeValue | undefined): TreeNode | undefined {
  const node = named(value);
  return node?.name === name ? node.fields : undefined;
}

/** Strings of a list of String nodes, as names are written. */
export function stringsOf(value: TreeValue | undefined): readonly string[] {
  return listOf(value).flatMap((item) => textOf(as('String', item)?.['sval']) ?? []);
}

/** A location, 0 where it is left out; undefined where PostgreSQL does not know it. */
export function locationOf(fields: TreeNode): number | undefined {
  const location = fields['location'];
  if (location === undefined) return 0;
  return typeof location === 'number' && location >= 0 ? location : undefined;
}

function isUpper(name: string): boolean {
  const code = name.charCodeAt(0);
  return code >= 65 && code <= 90;
}
