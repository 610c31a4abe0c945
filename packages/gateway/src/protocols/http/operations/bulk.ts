/**
 * NDJSON of Elasticsearch and OpenSearch: what the action lines of `_bulk` do, and which indexes `_msearch` names.
 *
 * Spec: "Bulk API" and "Multi search API" of their references. A line is one JSON value; `delete` has no
 * line of content behind it, every other action has one.
 * Untrusted: every byte.
 */

import type { Effect } from '../../../core/effects.ts';
import { HTTP_OPERATION_LIMITS } from '../../../core/http-operation-limits.ts';
import { parseJson } from '../json/parse-json.ts';
import { nodesAt, textOf } from './json-values.ts';

export interface LinesReading {
  readonly effects: readonly Effect[];
  readonly indexes: readonly string[];
  /** Actions; undefined where there are too many to be read. */
  readonly rows: number | undefined;
  /** Lines that name no index: that of the path counts for them. */
  readonly unnamed: boolean;
  /** Why it was not understood. */
  readonly problem: string | undefined;
}

const LINE_BOUNDS = { depthMax: 8, nodesMax: 256 } as const;
const HEADER_BOUNDS = { depthMax: 16, nodesMax: 1_024 } as const;
const ACTIONS: ReadonlyMap<string, readonly Effect[]> = new Map<string, readonly Effect[]>([
  ['index', ['insert', 'update']],
  ['create', ['insert']],
  ['update', ['insert', 'update']],
  ['delete', ['delete']],
]);
const ALL: readonly Effect[] = ['insert', 'update', 'delete', 'unknown'];
const NEWLINE = 0x0a;

/** What a `_bulk` does; what cannot be read does everything, and nobody knows what else. */
export function readBulk(bytes: Uint8Array): LinesReading {
  const effects = new Set<Effect>();
  const indexes = new Set<string>();
  let rows = 0;
  let unnamed = false;
  let skips = false;
  for (const line of linesOf(bytes)) {
    if (line === undefined) return notRead('it has more lines than are read');
    if (skips) {
      skips = false;
      continue;
    }
    if (isBlank(line)) continue;
    if (line.length > HTTP_OPERATION_LIMITS.bulkLineBytesMax) return notRead('a line is no action');
    const result = parseJson(line, LINE_BOUNDS);
    if (result.kind !== 'json' || result.root.kind !== 'object') return notRead('a line is no action');
    const [action, second] = result.root.members;
    const does = action === undefined || second !== undefined ? undefined : ACTIONS.get(action.key);
    if (action === undefined || does === undefined) return notRead('a line is no action');
    for (const effect of does) effects.add(effect);
    const [named] = nodesAt(action.value, '/_index');
    const index = textOf({ bytes: line, root: result.root }, named?.node);
    if (index === undefined) unnamed = true;
    else if (indexes.size < HTTP_OPERATION_LIMITS.namesMax) indexes.add(index);
    else indexes.add('*');
    rows += 1;
    skips = action.key !== 'delete';
  }
  return { effects: [...effects], indexes: [...indexes], rows, unnamed, problem: undefined };
}

/** Which indexes a `_msearch` reads: every other line is a header. */
export function readMultiSearch(bytes: Uint8Array): LinesReading {
  const indexes = new Set<string>();
  let isHeader = true;
  let unnamed = false;
  for (const line of linesOf(bytes)) {
    if (line === undefined) return { ...notRead('it has more lines than are read'), effects: ['unknown'] };
    if (!isHeader) {
      isHeader = true;
      continue;
    }
    if (isBlank(line)) continue;
    isHeader = false;
    const result = parseJson(line, HEADER_BOUNDS);
    if (result.kind !== 'json') return { ...notRead('a line is no header'), effects: ['unknown'] };
    const names = ['/index', '/index/*', '/indices/*', '/indices']
      .flatMap((pattern) => nodesAt(result.root, pattern))
      .map(({ node }) => textOf({ bytes: line, root: result.root }, node))
      .filter((name) => name !== undefined);
    if (names.length === 0) unnamed = true;
    for (const name of names) indexes.add(indexes.size < HTTP_OPERATION_LIMITS.namesMax ? name : '*');
  }
  return { effects: [], indexes: [...indexes], rows: undefined, unnamed, problem: undefined };
}

function notRead(problem: string): LinesReading {
  return { effects: ALL, indexes: ['*'], rows: undefined, unnamed: true, problem };
}

/** Lines without their ends; undefined in the place of those that are too many. */
function* linesOf(bytes: Uint8Array): Generator<Uint8Array | undefined> {
  let from = 0;
  for (let count = 0; from < bytes.length; count += 1) {
    if (count >= HTTP_OPERATION_LIMITS.bulkLinesMax) {
      yield undefined;
      return;
    }
    const newline = bytes.indexOf(NEWLINE, from);
    const to = newline === -1 ? bytes.length : newline;
    yield bytes.subarray(from, to);
    from = to + 1;
  }
}

/** An empty line, or the return of one that ends in CRLF. */
function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
