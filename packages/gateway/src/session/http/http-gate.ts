/**
 * Every request of every client comes through here: its head is read, its client known, its session found.
 *
 * Pipeline: authenticate, admit. A session is one principal with one token on one connection from one address
 * with one client; a second request of the same finds it open.
 */

import { hash } from 'node:crypto';
import { CountersignError, toCountersignError } from '../../core/errors.ts';
import { HTTP_LIMITS as LIMITS } from '../../core/http-limits.ts';
import { Secret } from '../../core/secret.ts';
import { findCredential } from '../../protocols/http/credentials.ts';
import { requestFieldsFor, valueOf } from '../../protocols/http/fields.ts';
import { type HeadResult, type ReadHead, readRequestHead } from '../../protocols/http/request-head.ts';
import { saysItIsSigned } from '../../protocols/http/sigv4/read-signature.ts';
import { splitFirstSegment } from '../../protocols/http/target.ts';
import { ContentBudget } from './content-budget.ts';
import { Exchange } from './exchange.ts';
import type { ClientRequest, HttpPeer, HttpPorts } from './http-ports.ts';
import type { HttpSession } from './http-session.ts';
import { type OpeningSession, openHttpSession } from './open-http-session.ts';
import { refusalOf, sendRefusal } from './refuse.ts';
import { checkSignature, moveContent, type SignedRequest, UnprovenContents } from './signed-request.ts';

/** Which connection a request is for, and the path that is left of it. */
interface Route {
  readonly connection: string;
  readonly path: string;
  readonly isByHost: boolean;
}

/** How a client shows who it is. */
interface Shown extends Pick<OpeningSession, 'login' | 'method'> {
  /** The same for every request that is shown in the same way; it says nothing of a secret that could be guessed. */
  readonly owner: string;
  readonly signed: SignedRequest | undefined;
}

const NOTHING: ReadonlySet<string> = new Set();

/** Owned by the listener. */
export class HttpGate {
  readonly #ports: HttpPorts;
  readonly #budget = new ContentBudget();
  readonly #unproven = new UnprovenContents();
  readonly #sessions = new Map<string, Promise<HttpSession>>();
  /** How many of them each token has. */
  readonly #perToken = new Map<string, number>();

  constructor(ports: HttpPorts) {
    this.#ports = ports;
  }

  /** Never rejects. */
  async handle(request: ClientRequest): Promise<void> {
    const read = readRequestHead(request.head);
    if (read.kind === 'malformed') return this.#malformed(request, read);
    let route: Route | undefined;
    let signed: SignedRequest | undefined;
    try {
      route = this.#route(read, request.serverName);
      const peer = { ...request.peer, client: valueOf(read.fields, 'user-agent') ?? '' };
      const contentLength = contentLengthOf(request, read);
      const shown = await this.#shown(request, read, contentLength, peer);
      ({ signed } = shown);
      const session = await this.#sessionFor(shown, route.connection, peer);
      request.known();
      const budget = this.#budget.shareOf(session.principal.id, session.connection);
      if (signed?.content !== undefined) signed = { ...signed, content: moveContent(signed.content, budget) };
      const { method } = read;
      const { query, fields } = signed ?? read;
      const exchange = new Exchange(session, {
        request,
        head: { method, path: route.path, query, fields: requestFieldsFor(fields, NOTHING) },
        authority: read.authority,
        isByHost: route.isByHost,
        contentLength,
        budget,
        signed,
      });
      await session.run(exchange, (number) => exchange.run(number));
    } catch (thrown) {
      const error = toCountersignError(thrown);
      this.#turnAway(request, read, error, route?.connection ?? '');
    } finally {
      signed?.content?.release();
    }
  }

  /** What a client sent that is no request at all. */
  stranger(peer: ClientRequest['peer'], reason: string): void {
    this.#ports.refusedStranger(peer, '', reason, 'HTTP_MALFORMED');
  }

  #route({ hostName, path }: ReadHead, serverName: string | undefined): Route {
    const ports = this.#ports;
    const byHost = ports.connectionOfHost(hostName);
    const byServerName = serverName === undefined ? undefined : ports.connectionOfHost(serverName);
    // A certificate was shown for one name, and the request is for another.
    if (byServerName !== undefined && byServerName !== byHost) {
      throw new CountersignError('HTTP_MISDIRECTED', { connection: byServerName });
    }
    if (byHost !== undefined) return { connection: byHost, path, isByHost: true };
    const split = splitFirstSegment(path);
    if (split === undefined) {
      throw new CountersignError('HTTP_MALFORMED', {
        reason: 'expected the name of a connection as the first part of its path',
      });
    }
    // Whether there is such a connection is told to those who may use it.
    return { connection: split.first, path: split.rest, isByHost: false };
  }

  /** Who a request is of, as it says; of one that is signed, as was checked. */
  async #shown(
    request: ClientRequest,
    read: ReadHead,
    contentLength: number | 'chunked' | 'none',
    peer: HttpPeer,
  ): Promise<Shown> {
    const ports = this.#ports;
    const found = findCredential(read.fields, read.query);
    switch (found.kind) {
      case 'none':
        throw new CountersignError('TOKEN_REQUIRED');
      case 'refused':
        throw new CountersignError('HTTP_MALFORMED', { reason: found.reason });
      case 'token': {
        const token = new Secret(found.token);
        const owner = keyOf([found.token]);
        return { owner, method: 'bearer', login: () => ports.login(token, peer), signed: undefined };
      }
      case 'signature': {
        const signed = await checkSignature(ports, this.#unproven, request, read, contentLength, peer);
        const { tokenId } = signed;
        const owner = keyOf(['sigv4', tokenId]);
        return { owner, method: 'sigv4', login: () => ports.signedLogin(tokenId, peer), signed };
      }
      default:
        return found satisfies never;
    }
  }

  async #sessionFor(shown: Shown, connection: string, peer: HttpPeer): Promise<HttpSession> {
    const key = keyOf([shown.owner, connection, peer.address, peer.client]);
    for (;;) {
      const known = this.#sessions.get(key);
      const opening = known ?? this.#open(key, shown, connection, peer);
      // oxlint-disable-next-line no-await-in-loop -- One that has ended meanwhile is opened again.
      const session = await opening;
      if (!session.isOver && !session.admission.isCurrent())
        session.endWhenIdle({ reason: 'its connection was changed' });
      if (!session.isOver) return session;
      if (this.#sessions.get(key) === opening) this.#sessions.delete(key);
    }
  }

  #open(
    key: string,
    { owner, login, method }: Shown,
    connection: string,
    peer: HttpPeer,
  ): Promise<HttpSession> {
    const others = this.#perToken.get(owner) ?? 0;
    if (others >= LIMITS.sessionsPerTokenMax) {
      const allowed = LIMITS.sessionsPerTokenMax;
      throw new CountersignError('TOO_MANY_CONNECTIONS', { allowed, what: 'sessions of one token' });
    }
    this.#perToken.set(owner, others + 1);
    const opening = openHttpSession(this.#ports, { login, method, connection, peer });
    this.#sessions.set(key, opening);
    const forget = (): void => {
      if (this.#sessions.get(key) === opening) this.#sessions.delete(key);
      const left = (this.#perToken.get(owner) ?? 1) - 1;
      if (left > 0) this.#perToken.set(owner, left);
      else this.#perToken.delete(owner);
    };
    opening.then((session) => session.closed.then(forget), forget);
    return opening;
  }

  #malformed(request: ClientRequest, { reason, status }: Extract<HeadResult, { kind: 'malformed' }>): void {
    const error = new CountersignError('HTTP_MALFORMED', { reason });
    this.#ports.refusedStranger(request.peer, '', reason, error.code);
    this.#answer(request, request.head.method, error, { status });
  }

  #turnAway(request: ClientRequest, head: ReadHead, error: CountersignError, connection: string): void {
    if (error.row.http >= 500 && error.code !== 'SHUTTING_DOWN') {
      this.#ports.onError(error, request.peer.address);
    }
    if (NOBODY.has(error.code)) {
      this.#ports.refusedStranger(request.peer, connection, error.message, error.code);
    }
    const isSigned = saysItIsSigned(head.fields, head.query);
    this.#answer(request, head.method, error, { isSigned });
  }

  #answer(
    request: ClientRequest,
    method: string,
    error: CountersignError,
    how: { readonly status?: number; readonly isSigned?: boolean },
  ): void {
    request.answer.closeAfter();
    sendRefusal(request.answer, method, refusalOf(error, 'auto', how));
  }
}

/** Errors of those who have shown no token: nothing else has a leaf of them. */
const NOBODY: ReadonlySet<string> = new Set([
  'HTTP_MALFORMED',
  'HTTP_MISDIRECTED',
  'SIGNATURE_MALFORMED',
  'SIGNATURE_REFUSED',
  'TOKEN_REQUIRED',
]);

function contentLengthOf(
  { version, endsWithHead }: ClientRequest,
  { fields }: ReadHead,
): number | 'chunked' | 'none' {
  if (endsWithHead) return 'none';
  const length = valueOf(fields, 'content-length');
  if (length !== undefined) return Number(length) === 0 ? 'none' : Number(length);
  return version === '2' || valueOf(fields, 'transfer-encoding') !== undefined ? 'chunked' : 'none';
}

/** The token is not kept as it is. */
function keyOf(parts: readonly string[]): string {
  return hash('sha256', JSON.stringify(parts), 'base64');
}
