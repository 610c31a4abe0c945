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

const BACKSLASH = 0x5c;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

/** Of the patterns of the tables, which every request asks for again; rules and Masks have others. */
const segmentsByPattern = new Map<JsonPattern, readonly string[]>();

function segmentsIn(pattern: JsonPattern): readonly string[] {
  const known = segmentsByPattern.get(pattern);
  if (known !== undefined) return known;
  const segments = segmentsOf(pattern) ?? [];
  if (segmentsByPattern.size < HTTP_OPERATION_LIMITS.knownPatternsMax)
    segmentsByPattern.set(pattern, segments);
  return segments;
}

/** Every value that a pattern finds, in the order of the body; at most as many as limits allow. */
export function nodesAt(root: JsonNode | undefined, pattern: JsonPattern): readonly FoundNode[] {
  if (root === undefined) return [];
  const { foundMax } = HTTP_OPERATION_LIMITS;
  let found: readonly FoundNode[] = [new Found(root, undefined, '')];
  for (const token of segmentsIn(pattern)) {
    // Most patterns of a table find nothing in most contents.
    if (found.length === 0) return found;
    const next: FoundNode[] = [];
    for (const one of found) {
      eachChild(one.node, token, (child, name) => {
        if (next.length < foundMax) next.push(new Found(child, one, name));
      });
    }
    found = next;
  }
  return found;
}

/** Most of what is found is only looked at: where it stands is put together for whoever asks. */
class Found implements FoundNode {
  readonly node: JsonNode;
  readonly #around: FoundNode | undefined;
  readonly #name: string | number;

  /** @param name of the member, or the index of the item, in what is around it */
  constructor(node: JsonNode, around: FoundNode | undefined, name: string | number) {
    this.node = node;
    this.#around = around;
    this.#name = name;
  }

  get pointer(): string {
    return this.#around === undefined ? '' : `${this.#around.pointer}/${escaped(String(this.#name))}`;
  }
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
  const waiting: FoundNode[] = root === undefined ? [] : [new Found(root, undefined, '')];
  for (let at = 0; at < waiting.length && at < HTTP_OPERATION_LIMITS.foundMax; at += 1) {
    const current = waiting[at];
    if (current === undefined) break;
    eachChild(current.node, ANY, (child, name) => {
      const inner = new Found(child, current, name);
      if (typeof name === 'string' && names.has(name)) found.push(inner);
      if (child.kind === 'object' || child.kind === 'array') waiting.push(inner);
    });
  }
  return found;
}

/** The bytes of a value as they came. */
export function bytesOf({ bytes }: JsonBody, { kind, from, to }: JsonNode): string {
  // Of numbers, scores above all, there are as many as documents; they are ASCII.
  if (kind === 'number')
    return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
  return decoder.decode(bytes.subarray(from, to));
}

/** The text of a string, its escapes undone; undefined of anything else. */
export function textOf({ bytes }: JsonBody, node: JsonNode | undefined): string | undefined {
  return node?.kind === 'string' ? stringOf(bytes, node) : undefined;
}

/** The same as UTF-8: a view of the body where that is how it came. */
export function utf8Of({ bytes }: JsonBody, node: JsonNode | undefined): Uint8Array | undefined {
  if (node?.kind !== 'string') return undefined;
  const said = bytes.subarray(node.from + 1, node.to - 1);
  return said.includes(BACKSLASH) ? encoder.encode(stringOf(bytes, node)) : said;
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

/** Called for each: a list of them would be another million entries where a body has a million. */
function eachChild(
  node: JsonNode,
  token: string,
  take: (child: JsonNode, name: string | number) => void,
): void {
  if (node.kind === 'object') {
    for (const { key, value } of node.members) {
      if (token === ANY || key === token) take(value, key);
    }
  } else if (node.kind === 'array') {
    if (token === ANY) {
      for (const [index, item] of node.items.entries()) take(item, index);
      return;
    }
    const index = indexOfSegment(token) ?? -1;
    const item = node.items[index];
    if (item !== undefined) take(item, index);
  }
}

function escaped(token: string): string {
  if (!token.includes('~') && !token.includes('/')) return token;
  return token.replaceAll('~', '~0').replaceAll('/', '~1');
}
