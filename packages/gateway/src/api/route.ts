/** One route of the API: its schemas, who may call it, and what it does. */

import type { FastifyReply } from 'fastify';
import type { Static, TSchema } from 'typebox';
import type { HttpPeer } from '../identity/login.ts';
import type { Page } from './approval-page.ts';
import type { ApiPorts } from './ports.ts';
import type { Caller, RouteKey } from './who-may.ts';

/** What a handler is given. Untrusted: body, params and query, beyond what their schemas say. */
export interface RouteInput<B = unknown, P = unknown, Q = unknown> {
  readonly ports: ApiPorts;
  readonly body: B;
  readonly params: P;
  readonly query: Q;
  readonly peer: HttpPeer;
  /** Who it is; INTERNAL in a route that everyone may call. */
  caller(): Caller;
  readonly reply: FastifyReply;
}

/** What is sent where it is not JSON. */
export interface OtherAnswer {
  readonly contentType: string;
  readonly description: string;
}

export interface Route {
  readonly key: RouteKey;
  readonly summary: string;
  readonly body?: TSchema;
  readonly params?: TSchema;
  readonly query?: TSchema;
  /** Schema of the answer: what it does not name is not sent. */
  readonly answer: TSchema | OtherAnswer;
  readonly status?: 200 | 201 | 202;
  /** What a browser is shown that has no token; knows nothing but the path and where the gateway is reached. */
  readonly page?: (params: unknown, server: string) => Page | undefined;
  handle(input: RouteInput): Promise<unknown>;
}

type Given<S extends TSchema | undefined> = S extends TSchema ? Static<S> : undefined;

/** A route whose handler knows the types of its schemas. */
export interface TypedRoute<
  B extends TSchema | undefined,
  P extends TSchema | undefined,
  Q extends TSchema | undefined,
> extends Omit<Route, 'body' | 'params' | 'query' | 'handle'> {
  readonly body?: B;
  readonly params?: P;
  readonly query?: Q;
  handle(input: RouteInput<Given<B>, Given<P>, Given<Q>>): Promise<unknown>;
}

/** Checks that handler and schemas agree. */
export function route<
  B extends TSchema | undefined = undefined,
  P extends TSchema | undefined = undefined,
  Q extends TSchema | undefined = undefined,
>(typed: TypedRoute<B, P, Q>): Route {
  const { body, params, query, key, summary, answer, status, page } = typed;
  return {
    key,
    summary,
    answer,
    ...(status === undefined ? {} : { status }),
    ...(page === undefined ? {} : { page }),
    ...(body === undefined ? {} : { body }),
    ...(params === undefined ? {} : { params }),
    ...(query === undefined ? {} : { query }),
    handle(input) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The server has validated it with these schemas.
      return typed.handle(input as RouteInput<Given<B>, Given<P>, Given<Q>>);
    },
  };
}
