/**
 * What the stand-ins for vector stores have in common: routes over plain HTTP on loopback, and a witness of
 * everything that came, byte for byte.
 *
 * A stand-in answers the operations that official clients call in tests, in the form of the store's specification,
 * over data in memory. What it does not know it refuses with 404, never with success: a test of what it does not
 * have cannot pass by it.
 */

import { type IncomingHttpHeaders, type IncomingMessage, createServer } from 'node:http';

/** A request as it came. */
export interface Witnessed {
  readonly method: string;
  /** With its query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
}

export interface FakeRequest extends Witnessed {
  readonly query: URLSearchParams;
  /** What the route's pattern has in parentheses, decoded. */
  readonly names: readonly string[];
}

export interface FakeAnswer {
  readonly status: number;
  /** Goes as JSON; bytes as they are; `undefined`: no body. */
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Methods apart by spaces; `*` in a pattern is one segment of a path. */
export type FakeRoute = readonly [
  methods: string,
  pattern: string,
  answer: (request: FakeRequest) => FakeAnswer,
];

/** What goes wrong on purpose: a status and a sentence, to which the store gives its own form. */
export class FakeProblem extends Error {
  readonly status: number;
  readonly type: string;

  constructor(status: number, message: string, type = 'error') {
    super(message);
    this.status = status;
    this.type = type;
  }
}

export interface FakeStoreOptions {
  readonly routes: readonly FakeRoute[];
  /** The store's own form of an error. */
  readonly refuse: (problem: FakeProblem) => FakeAnswer;
  /** Whether the key that came is right; without it, none is asked for. */
  readonly isKeyed?: (headers: IncomingHttpHeaders) => boolean;
  /** Of every answer. */
  readonly headers?: (request: FakeRequest) => Readonly<Record<string, string>>;
}

export interface FakeStore {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly url: string;
  /** In the order in which they came. */
  readonly seen: readonly Witnessed[];
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startFakeStore(options: FakeStoreOptions): Promise<FakeStore> {
  const seen: Witnessed[] = [];
  const routes = options.routes.map(([methods, pattern, answer]) => ({
    methods: methods.split(' '),
    pattern: new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '([^/]+)')}$`),
    answer,
  }));
  function answerTo(request: FakeRequest): FakeAnswer {
    const path = request.url.split('?')[0] ?? '';
    try {
      if (options.isKeyed?.(request.headers) === false)
        throw new FakeProblem(401, 'Unauthorized', 'unauthorized');
      for (const { methods, pattern, answer } of routes) {
        const found = pattern.exec(path);
        if (found === null || !methods.includes(request.method)) continue;
        return answer({ ...request, names: found.slice(1).map(decodeURIComponent) });
      }
      throw new FakeProblem(404, `This stand-in has no ${request.method} ${path}.`, 'no_such_route');
    } catch (error) {
      if (error instanceof FakeProblem) return options.refuse(error);
      console.error(error);
      return options.refuse(new FakeProblem(500, String(error), 'fake_failed'));
    }
  }
  const server = createServer((incoming, outgoing) => {
    void readAll(incoming).then((bytes) => {
      const { method = 'GET', url = '/', headers } = incoming;
      seen.push({ method, url, headers, bytes });
      const query = new URLSearchParams(url.split('?')[1] ?? '');
      const request = { method, url, headers, bytes, query, names: [] };
      const { status, body, headers: own } = answerTo(request);
      const isText = body !== undefined && !(body instanceof Uint8Array);
      const content = isText ? Buffer.from(JSON.stringify(body)) : body;
      outgoing.writeHead(status, {
        'content-type': 'application/json',
        ...options.headers?.(request),
        ...own,
      });
      outgoing.end(method === 'HEAD' ? undefined : content);
    });
  });
  await new Promise<void>((listening) => {
    server.listen(0, '127.0.0.1', listening);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  async function close(): Promise<void> {
    const closed = new Promise<void>((done) => server.close(() => done()));
    server.closeAllConnections();
    await closed;
  }
  return {
    host: '127.0.0.1',
    port,
    url: `http://127.0.0.1:${port}`,
    seen,
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function readAll(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of incoming) chunks.push(chunk);
  } catch {
    // Who left gets no answer; what came until then is witnessed.
  }
  return Buffer.concat(chunks);
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** The body as an object; an empty one where there is none. */
export function objectOf({ bytes }: { readonly bytes: Buffer }): JsonObject {
  if (bytes.length === 0) return {};
  return asObject(parse(bytes.toString()));
}

/** One object a line, as `_bulk` and Pinecone's records have them. */
export function linesOf({ bytes }: { readonly bytes: Buffer }): readonly JsonObject[] {
  const lines = bytes.toString().split('\n');
  return lines.filter((line) => line.trim() !== '').map((line) => asObject(parse(line)));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new FakeProblem(400, 'The body is not JSON.', 'parse_exception');
  }
}

export function asObject(value: unknown): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return Object.fromEntries(Object.entries(value));
  throw new FakeProblem(400, `Expected an object, got ${JSON.stringify(value)}.`, 'parse_exception');
}

export function asList(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new FakeProblem(400, `Expected a list, got ${JSON.stringify(value)}.`, 'parse_exception');
}

export function asNumber(value: unknown, otherwise: number): number {
  if (value === undefined || value === null) return otherwise;
  if (typeof value === 'number') return value;
  throw new FakeProblem(400, `Expected a number, got ${JSON.stringify(value)}.`, 'parse_exception');
}

/** A text, or a number as one; nothing else has a name. */
export function asText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return `${value}`;
  throw new FakeProblem(400, `Expected a text, got ${JSON.stringify(value)}.`, 'parse_exception');
}

export function asVector(value: unknown): readonly number[] {
  return asList(value).map((one) => asNumber(one, 0));
}

/** The member at a path of names, `a.b`. */
export function memberOf(from: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, name) => (typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined),
      from,
    );
}

/** Cosine of the angle between two vectors. */
export function cosine(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) throw new FakeProblem(400, `Expected ${a.length} dimensions, got ${b.length}.`);
  const dot = a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
  return dot / (Math.hypot(...a) * Math.hypot(...b) || 1);
}
