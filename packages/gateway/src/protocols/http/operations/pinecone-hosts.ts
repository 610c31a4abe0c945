/**
 * Addresses of indexes in answers of Pinecone's control plane: a client that is told one goes there, past the
 * gateway. Each is replaced by the address of the gateway for it; every other byte stays.
 *
 * Spec: Pinecone's API, `describe_index` and `list_indexes`: `host`, and `private_host` where there is one, which
 * are two names of one index. Assistants have a `host` too.
 * Untrusted: the answer.
 */

import type { JsonNode, JsonObject } from '../json/json-node.ts';
import { type JsonBody, textOf } from './json-values.ts';
import type { HttpReading } from './read-request.ts';

export type RewrittenHosts =
  | { readonly kind: 'same' }
  | { readonly kind: 'rewritten'; readonly bytes: Uint8Array; readonly hosts: readonly string[] }
  /** It names an address for which the gateway has none: the answer must not be given out. */
  | { readonly kind: 'unknown-host'; readonly host: string };

/** In a list: no name is ever below `invalid` (RFC 6761, section 6.4), so that whoever goes there goes nowhere. */
export const NOWHERE = 'no-connection.invalid';

const DIALECT = 'pinecone';
const HOSTS: ReadonlySet<string> = new Set(['host', 'private_host']);
const LISTS: ReadonlySet<string> = new Set(['indexes', 'assistants']);
/** Routes that describe indexes; others of the control plane name none, and some of those other stores have too. */
const DESCRIBES = ['/indexes', '/backups/{backup}/create-index'];

const encoder = new TextEncoder();

/**
 * Whether an answer may name addresses: of what describes indexes, and where the connection is Pinecone's, of
 * whatever route nobody knows.
 *
 * @param dialect of the connection
 */
export function mayNameHosts(dialect: string, reading: Pick<HttpReading, 'dialect' | 'template'>): boolean {
  const { template } = reading;
  if (template === undefined) return dialect === DIALECT;
  if (dialect !== DIALECT && reading.dialect !== DIALECT) return false;
  return DESCRIBES.some((prefix) => template.startsWith(prefix));
}

/**
 * @param addressOf where clients find this index at the gateway; undefined where they do not
 */
export function rewriteHosts(
  body: JsonBody,
  addressOf: (host: string) => string | undefined,
): RewrittenHosts {
  const replaced: { readonly node: JsonNode; readonly host: string; readonly address: string }[] = [];
  for (const { index, isListed } of indexesOf(body.root)) {
    const named = index.members
      .filter(({ key, value }) => HOSTS.has(key) && value.kind === 'string')
      .map(({ value }) => ({ node: value, host: textOf(body, value) ?? '' }));
    const known = named.map(({ host }) => addressOf(host)).find((address) => address !== undefined);
    const [first] = named;
    if (first === undefined) continue;
    if (known === undefined && !isListed) return { kind: 'unknown-host', host: first.host };
    // Where one name of an index is known, the other one is the same index.
    replaced.push(
      ...named.map(({ node, host }) => ({ node, host, address: addressOf(host) ?? known ?? NOWHERE })),
    );
  }
  if (replaced.length === 0) return { kind: 'same' };
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const { node, address } of replaced.toSorted((a, b) => a.node.from - b.node.from)) {
    parts.push(body.bytes.subarray(from, node.from), encoder.encode(JSON.stringify(address)));
    from = node.to;
  }
  parts.push(body.bytes.subarray(from));
  return { kind: 'rewritten', bytes: Buffer.concat(parts), hosts: replaced.map(({ host }) => host) };
}

/** Every one: what was left out of a list would be given out as it came. */
function indexesOf(
  root: JsonNode | undefined,
): readonly { readonly index: JsonObject; readonly isListed: boolean }[] {
  if (root?.kind !== 'object') return [];
  const listed = root.members.flatMap(({ key, value }) =>
    LISTS.has(key) && value.kind === 'array' ? value.items : [],
  );
  return [
    { index: root, isListed: false },
    ...listed.flatMap((item) => (item.kind === 'object' ? [{ index: item, isListed: true }] : [])),
  ];
}
