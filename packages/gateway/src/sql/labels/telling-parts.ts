/**
 * Parts of an expression that tell of their values though nobody sees the result: they decide what else is
 * computed, which takes time, fails, or leaves something behind; or the computing itself fails on some of them.
 *
 * Spec: spec/masking.md, section 8.5; PostgreSQL 15 to 18, src/include/nodes/primnodes.h. A node that is not known
 * here, or does not look as it should, tells of all its parts.
 */

import type { UseKind } from '../../core/column-labels.ts';
import { fieldOf, itemsOf, numberOf, TreeList, TreeNode, type TreeValue } from '../server-tree/nodes.ts';
import { isTotal, isTotalOperator } from './total-functions.ts';

export interface TellingPart {
  readonly kind: Extract<UseKind, 'choice' | 'fallible'>;
  readonly values: readonly TreeValue[];
}

const NOTHING: readonly TellingPart[] = [];

/** Types whose output as text every value has: text, varchar, bpchar, name, unknown, cstring. */
const TEXT_TYPES: ReadonlySet<number> = new Set([25, 1043, 1042, 19, 705, 2275]);
/** Nothing that is computed: it takes no time, and cannot fail. */
const COMPUTES_NOTHING: ReadonlySet<string> = new Set([
  'VAR',
  'CONST',
  'PARAM',
  'RELABELTYPE',
  'COLLATEEXPR',
]);

type Rule = (node: TreeNode) => readonly TellingPart[];

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['CASEEXPR', (node) => choice(fieldOf(node, 'arg') ?? null)],
  ['CASEWHEN', (node) => choice(fieldOf(node, 'expr') ?? null)],
  ['CASE', (node) => choice(fieldOf(node, 'arg') ?? null)],
  ['WHEN', (node) => choice(fieldOf(node, 'expr') ?? null)],
  ['NULLIFEXPR', (node) => choice(...node.values)],
  ['BOOLEXPR', allButTheLast],
  ['COALESCE', allButTheLast],
  ['COALESCEEXPR', allButTheLast],
  ['FUNCEXPR', (node) => called(node, numberOf(node, 'funcid'))],
  ['OPEXPR', operated],
  ['DISTINCTEXPR', operated],
  ['SCALARARRAYOPEXPR', operated],
  ['AGGREF', (node) => called(node, numberOf(node, 'aggfnoid'))],
  ['COERCEVIAIO', (node) => (isText(numberOf(node, 'resulttype')) ? NOTHING : fallible(...node.values))],
  ['ARRAYCOERCEEXPR', (node) => fallible(fieldOf(node, 'arg') ?? null)],
]);

export function tellingParts(node: TreeNode): readonly TellingPart[] {
  return RULES.get(node.tag)?.(node) ?? NOTHING;
}

/** The last one decides nothing, and neither do the others where what follows is not computed. */
function allButTheLast(node: TreeNode): readonly TellingPart[] {
  const parts = itemsOf(node, 'args');
  const rest = parts.slice(1);
  if (rest.every((part) => part instanceof TreeNode && COMPUTES_NOTHING.has(part.tag))) return NOTHING;
  return choice(...parts.slice(0, -1));
}

function called(node: TreeNode, oid: number | undefined): readonly TellingPart[] {
  const given = itemsOf(node, 'args');
  // An aggregate has its arguments as targets of a query.
  const failing = given.filter((_, argument) => oid === undefined || !isTotal(oid, argument));
  return failing.length === 0 ? NOTHING : fallible(...failing);
}

/** In what came out of a view PostgreSQL 15 has operators without their functions. */
function operated(node: TreeNode): readonly TellingPart[] {
  const oid = numberOf(node, 'opfuncid') ?? 0;
  if (oid > 0) return called(node, oid);
  const operator = numberOf(node, 'opno') ?? 0;
  const failing = itemsOf(node, 'args').filter((_, argument) => !isTotalOperator(operator, argument));
  return failing.length === 0 ? NOTHING : fallible(...failing);
}

function isText(oid: number | undefined): boolean {
  return oid !== undefined && TEXT_TYPES.has(oid);
}

function choice(...values: readonly TreeValue[]): readonly TellingPart[] {
  return values.some((value) => value instanceof TreeNode || value instanceof TreeList)
    ? [{ kind: 'choice', values }]
    : NOTHING;
}

function fallible(...values: readonly TreeValue[]): readonly TellingPart[] {
  return [{ kind: 'fallible', values }];
}
