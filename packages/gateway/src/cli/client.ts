/** Requests to a gateway. What comes back is untrusted text for a terminal until output.ts shows it. */

import type { ErrorAnswer } from '../api/answers.ts';
import { CountersignError, type ErrorProblem, reasonOf } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { Secret } from '../core/secret.ts';
import type { CommandInput } from './command.ts';
import { type Credentials, loadCredentials } from './credentials.ts';

const SERVER_DEFAULT = 'http://127.0.0.1:8440';

export interface RequestOptions {
  readonly body?: unknown;
  /** Absent values are left out. */
  readonly query?: Readonly<Record<string, string | undefined>>;
}

/** One gateway, as somebody. */
export class Client {
  readonly server: string;
  readonly #token: Secret<string> | undefined;

  constructor(server: string, token: Secret<string> | undefined) {
    this.server = checkServer(server);
    this.#token = token;
  }

  /** The JSON that answers a request; the gateway's schema says that it is a T. */
  async json<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const response = await this.stream(method, path, options);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- This is the parse function.
    return JSON.parse(await boundedText(response)) as T;
  }

  /** The answer itself, for what is not JSON or too large to hold. */
  async stream(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    const { body, query = {} } = options;
    const url = new URL(path, this.server);
    for (const [key, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(key, value);
    }
    const headers = new Headers({ 'user-agent': 'countersign-cli' });
    if (this.#token !== undefined) headers.set('authorization', `Bearer ${this.#token.reveal()}`);
    if (body !== undefined) headers.set('content-type', 'application/json');
    let response: Response;
    try {
      response = await fetch(url, {
        method,
        headers,
        // A redirect would take the token elsewhere.
        redirect: 'error',
        signal: AbortSignal.timeout(LIMITS.cli.answerTimeoutMs),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      const reason = reasonOf(cause ?? error);
      throw new CountersignError('SERVER_UNREACHABLE', { server: this.server, reason }, { cause: error });
    }
    if (!response.ok) throw await refusal(response);
    return response;
  }
}

/** The client that flags, environment and login name; without a token where nobody has logged in. */
export async function clientOf(input: CommandInput): Promise<Client> {
  const { env } = input.context;
  const saved = await loadCredentials(env);
  const server = input.option('server') ?? env['COUNTERSIGN_SERVER'] ?? saved?.server ?? SERVER_DEFAULT;
  const client = new Client(server, tokenOf(input, saved, server));
  if (!isPrivate(client.server))
    input.context.warn(`warning: ${client.server} is neither https nor loopback\n`);
  return client;
}

/** The client for a login, which has no token yet. */
export function clientWithoutToken(input: CommandInput): Client {
  const { env } = input.context;
  return new Client(input.option('server') ?? env['COUNTERSIGN_SERVER'] ?? SERVER_DEFAULT, undefined);
}

/** The token that a command would send. */
export async function currentToken(input: CommandInput, server: string): Promise<Secret<string> | undefined> {
  return tokenOf(input, await loadCredentials(input.context.env), server);
}

function tokenOf(
  input: CommandInput,
  saved: Credentials | undefined,
  server: string,
): Secret<string> | undefined {
  const given = input.context.env['COUNTERSIGN_TOKEN'];
  if (given !== undefined && given !== '') return new Secret(given);
  // A token goes only to the gateway that gave it.
  return saved !== undefined && checkServer(saved.server) === checkServer(server) ? saved.token : undefined;
}

function checkServer(text: string): string {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.username !== '') {
    throw new CountersignError('REQUEST_INVALID', { reason: 'expected a server like https://gateway:8440' });
  }
  return url.origin;
}

function isPrivate(server: string): boolean {
  const { protocol, hostname } = new URL(server);
  return protocol === 'https:' || ['localhost', '[::1]'].includes(hostname) || hostname.startsWith('127.');
}

async function refusal(response: Response): Promise<CountersignError> {
  const answer = errorOf(await boundedText(response));
  const { code = '', message = `the gateway answered ${response.status}`, hint = '', problems = [] } = answer;
  return new CountersignError('SERVER_REFUSED', { code, message, hint }, { problems });
}

/** What a gateway says of a refusal, as far as it is one. */
type Refused = Partial<Omit<ErrorAnswer, 'problems'>> & { readonly problems?: readonly ErrorProblem[] };

function errorOf(text: string): Refused {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('code' in value) || !('message' in value)) return {};
    const hint = 'hint' in value && typeof value.hint === 'string' ? { hint: value.hint } : {};
    const given: unknown = Object.getOwnPropertyDescriptor(value, 'problems')?.value;
    const problems = Array.isArray(given) ? given.flatMap(problemOf) : [];
    return { code: String(value.code), message: String(value.message), ...hint, problems };
  } catch {
    // Something else than a gateway answered; its status says enough.
    return {};
  }
}

function problemOf(value: unknown): readonly ErrorProblem[] {
  if (typeof value !== 'object' || value === null || !('says' in value)) return [];
  const textAt = (key: string): string | undefined => {
    const found: unknown = Object.getOwnPropertyDescriptor(value, key)?.value;
    return typeof found === 'string' ? found : undefined;
  };
  const [kind, name] = [textAt('kind'), textAt('name')];
  const line = 'line' in value && Number.isSafeInteger(value.line) ? Number(value.line) : undefined;
  return [
    {
      says: String(value.says),
      ...(line === undefined ? {} : { line }),
      ...(kind === undefined ? {} : { kind }),
      ...(name === undefined ? {} : { name }),
    },
  ];
}

async function boundedText(response: Response): Promise<string> {
  const { answerBytesMax: allowed } = LIMITS.cli;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > allowed) {
      throw new CountersignError('LIMIT_EXCEEDED', { limit: 'cli.answerBytesMax', allowed, actual: length });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
