/** Where a client of the gateway finds what the control plane of a store says is at some address. */

import type { Principal } from '../core/principal.ts';
import type { HttpConnection } from '../resources/documents.ts';
import type { Resources } from '../resources/resources.ts';
import type { AddressAsked } from '../session/http/http-ports.ts';

/** Scheme, host and port as clients of an SDK mean them: `https` where there is none. */
const WITH_SCHEME = /^https?:\/\//i;
const LOOPBACK = /^(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]+)?$/;

/** Looked up anew where the resources have changed. */
export function indexAddresses(
  resources: Resources,
): (host: string, asked: AddressAsked, principal: Principal) => string | undefined {
  let revision = -1;
  let connections: ReadonlyMap<string, readonly HttpConnection[]> = new Map();
  return (host, asked, principal) => {
    if (revision !== resources.revision) {
      ({ revision } = resources);
      connections = byTarget(resources);
    }
    // Which connections there are is told to those who may use them.
    const found = connections
      .get(placeOf(host) ?? '')
      ?.find(({ name }) => resources.stillAllowed(principal, name));
    return found === undefined ? undefined : addressAt(found, asked);
  };
}

function byTarget(resources: Resources): ReadonlyMap<string, readonly HttpConnection[]> {
  const found = new Map<string, HttpConnection[]>();
  for (const { document } of resources.get('Connection')) {
    if (document.kind !== 'Connection' || document.protocol !== 'http') continue;
    const place = placeOf(document.target.url);
    if (place === undefined) continue;
    const known = found.get(place);
    if (known === undefined) found.set(place, [document]);
    else known.push(document);
  }
  return found;
}

/** `host:port/prefix`, the same however it is written; undefined for what is no address. */
function placeOf(text: string): string | undefined {
  const url = URL.parse(WITH_SCHEME.test(text) ? text : `https://${text}`);
  if (url === null || url.hostname === '' || url.username !== '' || url.password !== '') return undefined;
  const port = url.port === '' ? (url.protocol === 'http:' ? '80' : '443') : url.port;
  return `${url.hostname}:${port}${url.pathname.replace(/\/+$/, '')}`;
}

/** By the way by which the client came: at a host name of a connection no path leads to another one. */
function addressAt({ name, hosts = [] }: HttpConnection, asked: AddressAsked): string | undefined {
  const { authority, isByHost, isTls } = asked;
  // In front of a gateway that somebody calls by a name, TLS may have ended: who is told http goes round that.
  const scheme = !isTls && LOOPBACK.test(authority.toLowerCase()) ? 'http' : 'https';
  if (!isByHost) return `${scheme}://${authority}/${name}`;
  const [own] = hosts;
  const port = /:[0-9]+$/.exec(authority)?.[0] ?? '';
  return own === undefined ? undefined : `${scheme}://${own}${port}`;
}
