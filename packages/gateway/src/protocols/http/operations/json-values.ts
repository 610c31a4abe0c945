/**
 * Values of a JSON body, found by pattern: RFC 6901, with `*` for each item or member.
 *
 * A pattern walks the nodes that the parser made, so that nothing of a body becomes a JavaScript object with
 * keys of the client's.
 */

import { HTTP_OPERATION_LIMITS } from '../../../core/http-operation-limits.ts';
import { ANY, indexOfSegment, segmentsOf } from '../../../core/json-pattern.ts';
import type { JsonPattern } from '../../../core/rerank.ts';
import type { JsonNode } from '../json/json-node.ts';
import { stringOf } from '../json/strings.ts';

export interface JsonBody {
  readonly bytes: Uint8Array;
  /** Undefined: it is not one JSON value, or nobody could read it. */
  readonly root: JsonNode | undefined;
}

export interface FoundNode {
  readonly node: JsonNode;
  /** Of the value itself: without any `*`. */
  readonly pointer: string;
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Every value that a pattern finds, in the order of the body; at most as many as limits allow. */
export function nodesAt(root: JsonNode | undefined, pattern: JsonPattern): readonly FoundNode[] {
  if (root === undefined) return [];
  let found: readonly FoundNode[] = [{ node: root, pointer: '' }];
  for (const token of segmentsOf(pattern) ?? []) {
    const next: FoundNode[] = [];
    for (const { node, pointer } of found) {
      for (const child of childrenOf(node, token)) {
        next.push({ node: child.node, pointer: `${pointer}/${escaped(child.token)}` });
        if (next.length >= HTTP_OPERATION_LIMITS.foundMax) break;
      }
    }
    found = next;
  }
  return found;
}

/** The first value of the first pattern that finds any. */
export function firstAt(root: JsonNode | undefined, patterns: readonly JsonPattern[]): FoundNode | undefined {
  for (const pattern of patterns) {
    const [first] = nodesAt(root, pattern);
    if (first !== undefined) return first;
  }
  return undefined;
}

/** Pointers of members with one of these names, at whatever depth; the inner ones behind the outer. */
export function membersNamed(root: JsonNode | undefined, names: ReadonlySet<string>): readonly FoundNode[] {
  const found: FoundNode[] = [];
  const waiting: FoundNode[] = root === undefined ? [] : [{ node: root, pointer: '' }];
  for (let at = 0; at < waiting.length && at < HTTP_OPERATION_LIMITS.foundMax; at += 1) {
    const current = waiting[at];
    if (current === undefined) break;
    for (const child of childrenOf(current.node, ANY)) {
      const inner = { node: child.node, pointer: `${current.pointer}/${escaped(child.token)}` };
      if (current.node.kind === 'object' && names.has(child.token)) found.push(inner);
      if (child.node.kind === 'object' || child.node.kind === 'array') waiting.push(inner);
    }
  }
  return found;
}

/** The bytes of a value as they came. */
export function bytesOf({ bytes }: JsonBody, { from, to }: JsonNode): string {
  return decoder.decode(bytes.subarray(from, to));
}

/** The text of a string, its escapes undone; undefined of anything else. */
export function textOf({ bytes }: JsonBody, node: JsonNode | undefined): string | undefined {
  return node?.kind === 'string' ? stringOf(bytes, node) : undefined;
}

/** A name: a string, or a number as it came. */
export function nameOf(body: JsonBody, node: JsonNode | undefined): string | undefined {
  return node?.kind === 'number' ? bytesOf(body, node) : textOf(body, node);
}

/** Items of an array; 1 of a single value that stands in its place. */
export function countOf(node: JsonNode): number {
  if (node.kind === 'array') return node.items.length;
  return node.kind === 'null' ? 0 : 1;
}

/** Whether it is an object or array with nothing in it, or null. */
export function isEmpty(node: JsonNode): boolean {
  if (node.kind === 'object') return node.members.length === 0;
  if (node.kind === 'array') return node.items.length === 0;
  return node.kind === 'null';
}

function* childrenOf(
  node: JsonNode,
  token: string,
): Generator<{ readonly node: JsonNode; readonly token: string }> {
  if (node.kind === 'object') {
    for (const { key, value } of node.members) {
      if (token === ANY || key === token) yield { node: value, token: key };
    }
  } else if (node.kind === 'array') {
    if (token === ANY) {
      for (const [index, item] of node.items.entries()) yield { node: item, token: String(index) };
      return;
    }
    const item = node.items[indexOfSegment(token) ?? -1];
    if (item !== undefined) yield { node: item, token };
  }
}

function escaped(token: string): string {
  return token.replaceAll('~', '~0').replaceAll('/', '~1');
}
