/**
 * The HTTP API: routes on a socket, each with who may call it, what it takes and what it answers.
 *
 * Bearer tokens (RFC 6750), no cookies and no CORS, so that no browser acts for somebody unasked.
 * Untrusted: every byte of a request.
 */

import swagger from '@fastify/swagger';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { type TSchema, Type } from 'typebox';
import { CountersignError, type ErrorCode, reasonOf } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { Strangers } from '../core/strangers.ts';
import { Secret } from '../core/secret.ts';
import type { HttpPeer } from '../identity/login.ts';
import { type Page, wantsPage } from './approval-page.ts';
import { errorAnswer, requestError } from './http-errors.ts';
import type { ApiPorts, RunningApi } from './ports.ts';
import type { OtherAnswer, Route, RouteInput } from './route.ts';
import { ROUTES } from './routes.ts';
import { counts, list, object, texts } from './schemas.ts';
import { type Caller, callerOf, WHO_MAY } from './who-may.ts';

const BEARER = 'token';

/** Listens; resolves when requests are answered. */
export async function startApi(ports: ApiPorts): Promise<RunningApi> {
  const app = await buildApp(ports);
  const { host, port } = ports.listen;
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    const reason = `the API cannot listen on ${host}:${port} (${reasonOf(error)})`;
    throw new CountersignError('CONFIG_INVALID', { reason }, { cause: error });
  }
  const address = app.server.address();
  if (address === null || typeof address === 'string') throw new CountersignError('INTERNAL');
  return { host, port: address.port, close: () => app.close() };
}

/** The OpenAPI description of all routes, as spec/api.openapi.json has it. */
export async function openApiDocument(): Promise<string> {
  const app = await buildApp(undefined);
  await app.ready();
  const text = `${JSON.stringify(app.swagger(), undefined, 2)}\n`;
  await app.close();
  return text;
}

async function buildApp(ports: ApiPorts | undefined): Promise<FastifyInstance> {
  const app = Fastify({
    logger: false,
    bodyLimit: LIMITS.api.bodyBytesMax,
    requestTimeout: LIMITS.api.requestTimeoutMs,
    connectionTimeout: LIMITS.api.stalledAnswerMs,
    http: {
      headersTimeout: LIMITS.api.headersTimeoutMs,
      connectionsCheckingInterval: LIMITS.api.timeoutCheckMs,
    },
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 256 },
    ajv: {
      customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, strict: false },
    },
  });
  app.server.maxConnections = LIMITS.api.connectionsMax;
  const strangers = watchStrangers(app);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Countersign', version: '1', description: 'Errors are { code, message, hint }.' },
      components: { securitySchemes: { [BEARER]: { type: 'http', scheme: 'bearer' } } },
    },
  });
  app.addHook('onSend', async (_request, reply) => {
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
    reply.header('x-content-type-options', 'nosniff');
  });
  app.setNotFoundHandler((request, reply) => {
    answerError(
      reply,
      new CountersignError('NOT_FOUND', { what: 'route of this method and path' }),
      ports,
      request,
    );
  });
  app.setErrorHandler((thrown, request, reply) => answerError(reply, requestError(thrown), ports, request));
  for (const route of ROUTES) addRoute(app, route, ports, strangers);
  return app;
}

/** Sockets that wait, or whose request is by nobody known: they give way to others where there are many. */
function watchStrangers(app: FastifyInstance): Strangers {
  const strangers = new Strangers(LIMITS.api.strangersMax);
  app.server.on('connection', (socket) => {
    const address = socket.remoteAddress ?? '';
    strangers.add(socket, address);
    socket.once('close', () => strangers.remove(socket, address));
  });
  app.addHook('onResponse', async ({ socket }) => {
    const address = socket.remoteAddress ?? '';
    strangers.remove(socket, address);
    if (!socket.destroyed) strangers.add(socket, address);
  });
  return strangers;
}

function addRoute(
  app: FastifyInstance,
  route: Route,
  ports: ApiPorts | undefined,
  strangers: Strangers,
): void {
  const who = WHO_MAY[route.key];
  const [method = '', url = ''] = route.key.split(' ');
  const open = who === 'everyone';
  app.route({
    method,
    url,
    schema: {
      summary: route.summary,
      description: `May be called by: ${who}.${route.page === undefined ? '' : PAGE_SAYS}`,
      operationId: operationId(method, url),
      security: open ? [] : [{ [BEARER]: [] }],
      ...(route.body === undefined ? {} : { body: route.body }),
      ...(route.params === undefined ? {} : { params: route.params }),
      ...(route.query === undefined ? {} : { querystring: route.query }),
      response: { [route.status ?? 200]: answerSchema(route.answer), default: ERROR },
    },
    // Before the body is read: who is unknown sends none.
    onRequest: async (request, reply) => {
      if (ports === undefined || open) return undefined;
      const page = pageFor(request, ports, route);
      if (page !== undefined) return answerPage(reply, page);
      callers.set(request, await identify(request, ports, route));
      strangers.remove(request.socket, request.socket.remoteAddress ?? '');
      return undefined;
    },
    handler: async (request, reply) => {
      if (ports === undefined) throw new CountersignError('INTERNAL');
      reply.status(route.status ?? 200);
      return route.handle(inputOf(request, reply, ports));
    },
  });
}

const PAGE_SAYS =
  ' A browser that asks without a token gets a page with 401 that says what to do, and nothing of what is asked for.';

/** What a browser is shown: it has no token, and whoever shows one gets JSON. */
function pageFor(request: FastifyRequest, ports: ApiPorts, route: Route): Page | undefined {
  const { accept, authorization } = request.headers;
  if (route.page === undefined || authorization !== undefined || !wantsPage(accept)) return undefined;
  const { host } = ports.listen;
  const own = `http://${host.includes(':') ? `[${host}]` : host}:${request.socket.localPort ?? ports.listen.port}`;
  return route.page(request.params, new URL(ports.baseUrl ?? own).origin);
}

function answerPage(reply: FastifyReply, { html, fields }: Page): FastifyReply {
  return reply
    .status(401)
    .headers({ ...fields, 'www-authenticate': 'Bearer' })
    .send(html);
}

/** Who each request is by, between its two hooks. */
const callers = new WeakMap<FastifyRequest, Caller>();

async function identify(request: FastifyRequest, ports: ApiPorts, route: Route): Promise<Caller> {
  const [, token] = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(request.headers.authorization ?? '') ?? [];
  if (token === undefined) throw new CountersignError('TOKEN_REQUIRED');
  const { principal, tokenId } = await ports.identity.identity.bearer(new Secret(token), peerOf(request));
  const caller = callerOf(principal, tokenId, WHO_MAY[route.key]);
  if (caller === undefined) {
    const action = `call ${route.key}`;
    throw new CountersignError('PERMISSION_DENIED', { principal: principal.name, action });
  }
  return caller;
}

function inputOf(request: FastifyRequest, reply: FastifyReply, ports: ApiPorts): RouteInput {
  return {
    ports,
    body: request.body,
    params: request.params,
    query: request.query,
    peer: peerOf(request),
    caller() {
      const caller = callers.get(request);
      if (caller === undefined) throw new CountersignError('INTERNAL');
      return caller;
    },
    reply,
  };
}

function peerOf(request: FastifyRequest): HttpPeer {
  const { remoteAddress, remotePort } = request.socket;
  return {
    address: remoteAddress ?? '',
    port: remotePort ?? 0,
    client: request.headers['user-agent'] ?? '',
    tls: 'none',
  };
}

function answerError(
  reply: FastifyReply,
  error: CountersignError,
  ports: ApiPorts | undefined,
  request: FastifyRequest,
): void {
  const { http } = error.row;
  // The path may hold what a caller typed into the wrong place, so only the route is named.
  if (http >= 500 && !TOLD_ALREADY.has(error.code)) {
    ports?.onError(error, `${request.method} ${request.routeOptions.url ?? ''}`);
  }
  if (http === 401) reply.header('www-authenticate', 'Bearer');
  if (error.code === 'AUTHENTICATION_LOCKED')
    reply.header('retry-after', String(error.details['seconds'] ?? 1));
  reply.removeHeader('content-disposition');
  reply.status(http).header('content-type', 'application/json; charset=utf-8').send(errorAnswer(error));
}

/** A ledger that halts is reported once, by itself, and not by each request that meets it. */
const TOLD_ALREADY: ReadonlySet<ErrorCode> = new Set(['LEDGER_HALTED', 'SHUTTING_DOWN']);

const ERROR: TSchema = Type.Object(
  {
    code: Type.String(),
    message: Type.String(),
    hint: Type.Optional(Type.String()),
    problems: Type.Optional(
      // Everything that is wrong with a text of resources.
      list(object({ ...texts('says kind? name? path?'), ...counts('line?') })),
    ),
  },
  { description: 'What went wrong: code is stable, message is for people.' },
);

function answerSchema(answer: TSchema | OtherAnswer): object {
  if (!isOther(answer)) return { description: 'The answer.', ...answer };
  const { contentType, description } = answer;
  return { description, content: { [contentType]: { schema: { type: 'string' } } } };
}

function isOther(answer: TSchema | OtherAnswer): answer is OtherAnswer {
  return 'contentType' in answer;
}

/** `get_v1_sessions_id`. */
function operationId(method: string, url: string): string {
  return `${method.toLowerCase()}${url.replaceAll(/[^a-zA-Z0-9]+/g, '_')}`.replace(/_$/, '');
}
