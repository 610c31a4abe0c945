/** The demo's people and resources, made through the API as an administrator would. */

export interface DemoPerson {
  readonly name: string;
  readonly title: string;
  readonly token: string;
}

export interface DemoPeople {
  readonly administrator: DemoPerson;
  readonly analyst: DemoPerson;
  readonly rankingOwner: DemoPerson;
  readonly auditor: DemoPerson;
  readonly ciJob: DemoPerson;
}

/** Where the demo's database is. */
export interface DemoTarget {
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

/** Name of the connection. */
export const CONNECTION = 'reranker-db';

const NAMES = { analyst: 'ana', rankingOwner: 'rolf', auditor: 'audra', ciJob: 'nightly-rerank' } as const;
const ADMINISTRATOR = 'ada';

/** A client of the API. */
export class DemoApi {
  readonly #base: string;

  constructor(base: string) {
    this.#base = base;
  }

  async call(
    method: string,
    path: string,
    token: string | undefined,
    body?: unknown,
  ): Promise<Record<string, unknown>> {
    const response = await this.raw(method, path, token, body);
    return (await response.json()) as Record<string, unknown>;
  }

  /** The database server has another port after each start. */
  async moveTarget(token: string, target: DemoTarget): Promise<void> {
    const text = JSON.stringify(connection(target));
    await this.call('POST', '/v1/resources/apply', token, { text });
  }

  /** The answer itself; anything but success is an error with what the gateway said. */
  async raw(method: string, path: string, token: string | undefined, body?: unknown): Promise<Response> {
    const response = await fetch(`${this.#base}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response;
  }
}

/** Makes the administrator, and the resources; gives the token of their login. */
export async function seed(
  api: DemoApi,
  firstCode: string,
  password: string,
  target: DemoTarget,
): Promise<string> {
  const enrolled = await api.call('POST', '/v1/enrol', undefined, {
    code: firstCode,
    name: ADMINISTRATOR,
    displayName: 'Ada Administrator',
    password,
  });
  const token = String(enrolled['token']);
  await api.call('POST', '/v1/resources/apply', token, {
    text: resources(target)
      .map((resource) => JSON.stringify(resource))
      .join('\n---\n'),
  });
  return token;
}

/** The administrator of an earlier start; the token of that login may have expired. */
export async function logIn(api: DemoApi, password: string): Promise<string> {
  const answer = await api.call('POST', '/v1/login', undefined, { name: ADMINISTRATOR, password });
  return String(answer['token']);
}

/** Everybody, with a token for a day. */
export async function giveTokens(api: DemoApi, token: string): Promise<DemoPeople> {
  const tokenOf = async (owner: string): Promise<string> => {
    const made = await api.call('POST', '/v1/tokens', token, { name: 'demo', owner, days: 1 });
    return String(made['token']);
  };
  return {
    administrator: { name: ADMINISTRATOR, title: 'administrator', token },
    analyst: { name: NAMES.analyst, title: 'analyst', token: await tokenOf(NAMES.analyst) },
    rankingOwner: {
      name: NAMES.rankingOwner,
      title: 'ranking owner',
      token: await tokenOf(NAMES.rankingOwner),
    },
    auditor: { name: NAMES.auditor, title: 'auditor', token: await tokenOf(NAMES.auditor) },
    ciJob: { name: NAMES.ciJob, title: 'CI job', token: await tokenOf(NAMES.ciJob) },
  };
}

function connection({ port, database, user }: DemoTarget): unknown {
  return {
    kind: 'Connection',
    name: CONNECTION,
    protocol: 'postgres',
    target: { host: '127.0.0.1', port, database, tls: 'disable' },
    credential: { user, password: { env: 'DEMO_RERANK_PASSWORD' } },
    labels: { environment: 'demo', class: 'reranking' },
  };
}

function resources(target: DemoTarget): unknown[] {
  return [
    connection(target),
    { kind: 'Person', name: NAMES.analyst, displayName: 'Ana Analyst' },
    { kind: 'Person', name: NAMES.rankingOwner, displayName: 'Rolf Ranking' },
    { kind: 'Person', name: NAMES.auditor, displayName: 'Audra Auditor', groups: ['auditors'] },
    { kind: 'ServiceAccount', name: NAMES.ciJob, displayName: 'Nightly rerank', type: 'ci' },
    { kind: 'Group', name: 'search', members: [NAMES.analyst] },
    { kind: 'Group', name: 'ranking-owners', members: [NAMES.rankingOwner] },
    {
      kind: 'Access',
      name: 'search-and-ranking',
      who: ['group:search', 'group:ranking-owners', `service:${NAMES.ciJob}`],
      to: [CONNECTION],
    },
  ];
}
