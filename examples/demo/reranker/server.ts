/**
 * A lexical reranking service over HTTP, in the forms of Cohere v1 and v2, Jina, Voyage, Mixedbread, TEI, Infinity
 * and Pinecone, with models that can be changed while it runs.
 *
 * It is what the demo and the tests have in the place of a service with weights: real answers, of a real ranking,
 * in milliseconds. Plain HTTP on loopback; a key where one is given.
 */

import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { administer, refuseAdmin } from './admin.ts';
import { catalog, SERVICE_VERSION } from './catalog.ts';
import type { Call, Dialect } from './dialect.ts';
import { bodyOf } from './fields.ts';
import { LIMITS, type Limits } from './limits.ts';
import { type Model, Models } from './models.ts';
import { Problem } from './problem.ts';
import { isKeyed, readBytes } from './requests.ts';
import { dialectOf, isRerank, type Place, placeOf, type ServiceName } from './routes.ts';
import { rank } from './score.ts';

export interface RerankerOptions {
  /** 0: one that is free. */
  readonly port: number;
  /** Default: 127.0.0.1. */
  readonly host?: string;
  /** What the root speaks; without it the dialect is guessed. */
  readonly service?: ServiceName;
  /** Without it, everybody may ask. */
  readonly apiKey?: string;
  /** For `/admin`; without it, `apiKey` is. */
  readonly adminKey?: string;
  /** Where uploaded models are kept; without it, they end with the process. */
  readonly folder?: string;
  readonly limits?: Partial<Limits>;
  readonly now?: () => Date;
}

export interface Reranker {
  readonly host: string;
  readonly port: number;
  /** Without a slash at its end. */
  readonly url: string;
  /** What answers now, without asking over HTTP. */
  models(): readonly Model[];
  /** Requests that came, whatever became of them. */
  asked(): number;
  /** Calls that were answered with a ranking. */
  answered(): number;
  /** Takes no more, lets what runs finish within `closeTimeoutMs`, and ends what does not. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts a service; it answers when the promise is kept. */
export async function startReranker(options: RerankerOptions): Promise<Reranker> {
  const limits = { ...LIMITS, ...options.limits };
  const now = options.now ?? ((): Date => new Date());
  const models = await Models.open({ folder: options.folder, versionsMax: limits.versionsMax, now });
  const service = new Service(models, limits, options, now);
  const server = createServer({ requestTimeout: limits.requestTimeoutMs }, (request, response) => {
    void service.serve(request, response);
  });
  const host = options.host ?? '127.0.0.1';
  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    server.listen(options.port, host, listening);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  let closing: Promise<void> | undefined;
  function close(): Promise<void> {
    service.isClosing = true;
    closing ??= closeServer(server, limits.closeTimeoutMs);
    return closing;
  }
  return {
    host,
    port,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    models: () => models.list(),
    asked: () => service.asked,
    answered: () => service.answered,
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function closeServer(server: Server, timeoutMs: number): Promise<void> {
  const closed = new Promise<void>((done) => server.close(() => done()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), timeoutMs);
  await closed;
  clearTimeout(timer);
}

/** What goes out. */
interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string | number>>;
}

class Service {
  asked = 0;
  answered = 0;
  isClosing = false;
  readonly #models: Models;
  readonly #limits: Limits;
  readonly #options: RerankerOptions;
  readonly #now: () => Date;
  #calls = 0;

  constructor(models: Models, limits: Limits, options: RerankerOptions, now: () => Date) {
    this.#models = models;
    this.#limits = limits;
    this.#options = options;
    this.#now = now;
  }

  /** Answers one request, whatever it is. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.asked += 1;
    const [path = '/'] = (request.url ?? '/').split('?');
    const isAdmin = path.startsWith('/admin/');
    const answer = await (isAdmin ? this.#administer(request, path) : this.#answer(request, path));
    // What was not read of a refused body is not read, and a service that ends keeps no connection.
    write(response, answer, request.method === 'HEAD', this.isClosing || !request.complete);
  }

  async #administer(request: IncomingMessage, path: string): Promise<Answer> {
    try {
      const key = this.#options.adminKey ?? this.#options.apiKey;
      if (!isKeyed(request.headers, key))
        throw new Problem('unauthorized', 'The key of the admin API is wrong.');
      const bytes = (bytesMax: number): Promise<Uint8Array> => readBytes(request, bytesMax);
      return await administer(this.#models, { method: request.method ?? 'GET', path, bytes });
    } catch (error) {
      return refuseAdmin(problemOf(error));
    }
  }

  async #answer(request: IncomingMessage, path: string): Promise<Answer> {
    const place = placeOf(path, this.#options.service);
    // Until the body says more.
    let dialect = dialectOf(place, request.headers);
    try {
      if (request.method === 'GET' && place.path === '/health')
        return { status: 200, body: { status: 'ok' } };
      if (!isKeyed(request.headers, this.#options.apiKey)) {
        throw new Problem('unauthorized', 'The API key is missing or wrong.');
      }
      if (request.method === 'GET' || request.method === 'HEAD') return this.#read(request, place);
      if (!isRerank(place)) throw new Problem('no-route', `There is nothing at ${place.path}.`);
      if (request.method !== 'POST') throw new Problem('no-method', 'Expected POST.');
      const body = bodyOf(await this.#bytes(request, dialect));
      dialect = dialectOf(place, request.headers, body);
      return this.#rank(dialect, dialect.read(body, this.#limits));
    } catch (error) {
      const problem = problemOf(error);
      const headers = problem.kind === 'overloaded' ? { headers: { 'retry-after': 1 } } : {};
      return { ...dialect.refuse(problem), ...headers };
    }
  }

  #read(request: IncomingMessage, place: Place): Answer {
    const isPinecone = request.headers['x-pinecone-api-version'] !== undefined;
    const body = catalog(place, this.#models, this.#limits, isPinecone);
    if (body === undefined) {
      const kind = isRerank(place) ? 'no-method' : 'no-route';
      throw new Problem(kind, kind === 'no-method' ? 'Expected POST.' : `There is nothing at ${place.path}.`);
    }
    return { status: 200, body };
  }

  /** One place of `callsMax` while the body comes; what follows does not wait. */
  async #bytes(request: IncomingMessage, dialect: Dialect): Promise<Uint8Array> {
    if (this.#calls >= this.#limits.callsMax) throw new Problem('overloaded', 'The model is overloaded.');
    this.#calls += 1;
    try {
      const { bodyBytesMax, teiBodyBytesMax } = this.#limits;
      return await readBytes(request, dialect.name === 'tei' ? teiBodyBytesMax : bodyBytesMax);
    } finally {
      this.#calls -= 1;
    }
  }

  #rank(dialect: Dialect, call: Call): Answer {
    const started = performance.now();
    const model = this.#models.resolve(call.model);
    const { wordsMax } = model.parameters;
    const { ranked, wordsCount } = rank(
      model.parameters,
      call.query,
      call.documents.map(({ passage }) => passage),
      Math.min(call.wordsMax ?? wordsMax, wordsMax),
    );
    const body = dialect.answer({
      call,
      ranked: ranked.slice(0, call.top),
      model,
      wordsCount,
      id: randomUUID(),
      created: Math.floor(this.#now().getTime() / 1_000),
    });
    this.answered += 1;
    const ms = Math.round(performance.now() - started);
    return { status: 200, body, headers: dialect.name === 'tei' ? timings(call, wordsCount, ms) : {} };
  }
}

/** TEI's header fields; times in ms. */
function timings(call: Call, words: number, ms: number): Readonly<Record<string, string | number>> {
  const lengths = call.documents.map(({ echo }) => (typeof echo === 'string' ? echo.length : 0));
  return {
    'x-compute-type': 'cpu',
    'x-compute-time': ms,
    'x-compute-characters': lengths.reduce((sum, length) => sum + length, call.query.length),
    'x-compute-tokens': words,
    'x-total-time': ms,
    'x-tokenization-time': 0,
    'x-queue-time': 0,
    'x-inference-time': ms,
  };
}

/** What was not foreseen is said on the error stream, and to the client only that it happened. */
function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  console.error(error);
  return new Problem('broken', 'The service failed.', undefined, { cause: error });
}

function write(response: ServerResponse, answer: Answer, isHead: boolean, isLast: boolean): void {
  const { status, body, headers } = answer;
  const bytes =
    body instanceof Uint8Array ? body : Buffer.from(body === undefined ? '' : JSON.stringify(body));
  response.writeHead(status, {
    ...headers,
    server: `lexical-reranker/${SERVICE_VERSION}`,
    ...(status === 204 ? {} : { 'content-type': 'application/json', 'content-length': bytes.length }),
    ...(isLast ? { connection: 'close' } : {}),
  });
  response.end(isHead || status === 204 ? undefined : bytes);
}
