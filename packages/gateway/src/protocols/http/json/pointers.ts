/** What an RFC 6901 pointer means in a content that was read; `*` stands for each item or member. */

import { ANY, indexOfSegment, segmentsOf } from '../../../core/json-pattern.ts';
import type { JsonNode } from './json-node.ts';

const NOTHING: readonly JsonNode[] = [];

/** The values at a pointer, in the order of the content; none where there is nothing there, or it is no pointer. */
export function at(root: JsonNode, pointer: string): readonly JsonNode[] {
  const segments = segmentsOf(pointer);
  if (segments === undefined) return NOTHING;
  let nodes: readonly JsonNode[] = [root];
  for (const segment of segments) nodes = nodes.flatMap((node) => below(node, segment));
  return nodes;
}

function below(node: JsonNode, segment: string): readonly JsonNode[] {
  if (node.kind === 'object') {
    if (segment === ANY) return node.members.map(({ value }) => value);
    const member = node.members.find(({ key }) => key === segment);
    return member === undefined ? NOTHING : [member.value];
  }
  if (node.kind !== 'array') return NOTHING;
  if (segment === ANY) return node.items;
  const item = node.items[indexOfSegment(segment) ?? -1];
  return item === undefined ? NOTHING : [item];
}
