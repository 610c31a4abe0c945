/**
 * Addresses of indexes in answers of Pinecone's control plane: a client that is told one goes there, past the
 * gateway. Each is replaced by the address of the gateway for it; every other byte stays.
 *
 * Spec: Pinecone's API, `describe_index` and `list_indexes`: `host`, and `private_host` where there is one.
 */

import { type JsonBody, nodesAt, textOf } from './json-values.ts';

export type RewrittenHosts =
  | { readonly kind: 'same' }
  | { readonly kind: 'rewritten'; readonly bytes: Uint8Array; readonly hosts: readonly string[] }
  /** It names an address for which the gateway has none: the answer must not be given out. */
  | { readonly kind: 'unknown-host'; readonly host: string };

const HOSTS = ['/host', '/private_host', '/indexes/*/host', '/indexes/*/private_host'] as const;

const encoder = new TextEncoder();

/**
 * @param addressOf where clients find this index at the gateway; undefined where they do not
 */
export function rewriteHosts(
  body: JsonBody,
  addressOf: (host: string) => string | undefined,
): RewrittenHosts {
  const found = HOSTS.flatMap((pattern) => nodesAt(body.root, pattern))
    .filter(({ node }) => node.kind === 'string')
    .toSorted((a, b) => a.node.from - b.node.from);
  if (found.length === 0) return { kind: 'same' };
  const parts: Uint8Array[] = [];
  const hosts: string[] = [];
  let from = 0;
  for (const { node } of found) {
    const host = textOf(body, node) ?? '';
    const address = addressOf(host);
    if (address === undefined) return { kind: 'unknown-host', host };
    hosts.push(host);
    parts.push(body.bytes.subarray(from, node.from), encoder.encode(JSON.stringify(address)));
    from = node.to;
  }
  parts.push(body.bytes.subarray(from));
  return { kind: 'rewritten', bytes: Buffer.concat(parts), hosts };
}
