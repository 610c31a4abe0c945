/**
 * What a node of an expression calls, and what is known of that.
 *
 * Operators count as their functions. A base type's own functions, and those that sort and compare values of a type,
 * count as pure where a value comes out: only a superuser makes them. What makes a value of a user's type may run the
 * checks of a domain within it, which anybody writes.
 */

import { fieldOf, numberOf, TreeNode } from '../server-tree/nodes.ts';
import { QUERY_TAGS } from '../server-tree/query-nodes.ts';
import type { FunctionKind, FunctionKnowledge } from './function-knowledge.ts';
import { oidsOf } from './scope.ts';

export interface Call {
  readonly kind: FunctionKind;
  /** Why nobody knows what comes out: `function 16420`; undefined where it is known. */
  readonly reason: string | undefined;
}

/** `FirstNormalObjectId` of access/transam.h: what is not PostgreSQL's own has oids from here on. */
const FIRST_USER_OID = 16_384;

type Rule = (node: TreeNode, functions: FunctionKnowledge) => Call | undefined;

const PURE: Call = { kind: 'pure', reason: undefined };

const RULES: ReadonlyMap<string, Rule> = new Map([
  ['FUNCEXPR', (node, functions) => functionCall(numberOf(node, 'funcid'), functions)],
  ['AGGREF', (node, functions) => functionCall(numberOf(node, 'aggfnoid'), functions)],
  ['WINDOWFUNC', (node, functions) => functionCall(numberOf(node, 'winfnoid'), functions)],
  ['OPEXPR', operatorCall],
  ['DISTINCTEXPR', operatorCall],
  ['NULLIFEXPR', operatorCall],
  ['SCALARARRAYOPEXPR', operatorCall],
  // Which functions they are stands in operator families, not in the tree.
  ['ROWCOMPARE', (node) => usersOwn('operator', oidsOf(fieldOf(node, 'opnos')))],
  ['ROWCOMPAREEXPR', (node) => usersOwn('operator', oidsOf(fieldOf(node, 'opnos')))],
  ['COERCEVIAIO', (node) => usersOwn('type', [numberOf(node, 'resulttype')])],
  ['TABLEFUNC', (node) => usersOwn('type', oidsOf(fieldOf(node, 'coltypes')))],
  ['JSONEXPR', returnedType],
  ['JSONCONSTRUCTOREXPR', returnedType],
  ['TABLESAMPLECLAUSE', (node) => usersOwn('sampling method', [numberOf(node, 'tsmhandler')])],
]);

/** @returns undefined for a node that calls nothing */
export function callOf(node: TreeNode, functions: FunctionKnowledge): Call | undefined {
  return RULES.get(node.tag)?.(node, functions);
}

/** Why nobody knows what is in the value of a node beside what is in its parts. */
export function opacityOf(node: TreeNode, functions: FunctionKnowledge): string | undefined {
  const rule = RULES.get(node.tag);
  if (rule !== undefined) return rule(node, functions)?.reason;
  return QUERY_TAGS.has(node.tag) ? undefined : 'a node of an unknown kind';
}

function functionCall(oid: number | undefined, functions: FunctionKnowledge): Call {
  if (oid === undefined || oid <= 0) return { kind: 'opaque', reason: 'a function without its number' };
  const kind = functions.of(oid);
  return kind === 'pure' || kind === 'sink'
    ? { kind, reason: undefined }
    : { kind, reason: `function ${oid}` };
}

/** In what came out of a view PostgreSQL 15 has operators without their functions. */
function operatorCall(node: TreeNode, functions: FunctionKnowledge): Call {
  const oid = numberOf(node, 'opfuncid') ?? 0;
  return oid > 0 ? functionCall(oid, functions) : usersOwn('operator', [numberOf(node, 'opno')]);
}

function returnedType(node: TreeNode): Call {
  const returning = fieldOf(node, 'returning') ?? null;
  if (returning === null) return PURE;
  return usersOwn('type', [returning instanceof TreeNode ? numberOf(returning, 'typid') : undefined]);
}

/** None of PostgreSQL's own operators and types shows or keeps anything beside. */
function usersOwn(what: string, oids: readonly (number | undefined)[]): Call {
  for (const oid of oids) {
    if (oid === undefined) return { kind: 'opaque', reason: `${what} without its number` };
    if (oid >= FIRST_USER_OID) return { kind: 'opaque', reason: `${what} ${oid}` };
  }
  return PURE;
}
