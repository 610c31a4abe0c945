/** The demo's people, rules and resources, made through the API as an administrator would. */

import { readPack } from '../../packages/gateway/src/cli/policy-packs.ts';
import type { DemoApi } from './api-client.ts';

export interface DemoPerson {
  readonly name: string;
  readonly title: string;
  readonly token: string;
}

export interface DemoPeople {
  readonly administrator: DemoPerson;
  readonly analyst: DemoPerson;
  readonly rankingOwner: DemoPerson;
  /** Owns the models, and the ranking too: what the other owner asks for needs somebody else. */
  readonly modelOwner: DemoPerson;
  readonly auditor: DemoPerson;
  readonly ciJob: DemoPerson;
  readonly searchService: DemoPerson;
  /** Whom the Masks of the pack leave out. */
  readonly privacyOfficer: DemoPerson;
}

/** Where the demo's database is. */
export interface DemoTarget {
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** Where the reranking service is. */
  readonly reranker: string;
}

/** Name of the connection. */
export const CONNECTION = 'reranker-db';
/** Name of the connection to the service that ranks. */
export const RERANKER = 'reranker';

/** The rules and Masks, as `countersign policy pack` prints them. */
const PACK = 'reranking-iso27001';

const NAMES = {
  analyst: 'ana',
  rankingOwner: 'rolf',
  modelOwner: 'mona',
  auditor: 'audra',
  ciJob: 'nightly-rerank',
  searchService: 'rerank-api',
  privacyOfficer: 'pia',
} as const;
const ADMINISTRATOR = 'ada';

/** Makes the administrator, the rules and the resources; gives the token of their login. */
export async function seed(
  api: DemoApi,
  firstCode: string,
  password: string,
  target: DemoTarget,
): Promise<string> {
  const { token } = await api.call<{ readonly token: string }>('POST', '/v1/enrol', undefined, {
    code: firstCode,
    name: ADMINISTRATOR,
    displayName: 'Ada Administrator',
    password,
  });
  // The pack names its approvers and exceptions as groups without members; the resources after it say who they are.
  await apply(api, token, await readPack(PACK, 'rules'));
  await apply(api, token, yamlOf(resources(target)));
  return token;
}

/** The administrator of an earlier start; the token of that login may have expired. */
export async function logIn(api: DemoApi, password: string): Promise<string> {
  const body = { name: ADMINISTRATOR, password };
  return (await api.call<{ readonly token: string }>('POST', '/v1/login', undefined, body)).token;
}

/** Database server and reranking service have other ports after each start. */
export async function moveTarget(api: DemoApi, token: string, target: DemoTarget): Promise<void> {
  await apply(api, token, yamlOf([connection(target), rerankerConnection(target)]));
}

/** Everybody, with a token for a day. */
export async function giveTokens(api: DemoApi, token: string): Promise<DemoPeople> {
  const person = async (role: keyof typeof NAMES, title: string): Promise<DemoPerson> => {
    const body = { name: 'demo', owner: NAMES[role], days: 1 };
    const made = await api.call<{ readonly token: string }>('POST', '/v1/tokens', token, body);
    return { name: NAMES[role], title, token: made.token };
  };
  return {
    administrator: { name: ADMINISTRATOR, title: 'administrator', token },
    analyst: await person('analyst', 'analyst'),
    rankingOwner: await person('rankingOwner', 'ranking owner'),
    modelOwner: await person('modelOwner', 'model owner'),
    auditor: await person('auditor', 'auditor'),
    ciJob: await person('ciJob', 'CI job'),
    searchService: await person('searchService', 'search service'),
    privacyOfficer: await person('privacyOfficer', 'privacy officer'),
  };
}

function connection({ port, database, user }: DemoTarget): unknown {
  return {
    kind: 'Connection',
    name: CONNECTION,
    protocol: 'postgres',
    target: { host: '127.0.0.1', port, database, tls: 'disable' },
    credential: { user, password: { env: 'DEMO_RERANK_PASSWORD' } },
    // The rules of the pack are about connections of this class.
    labels: { environment: 'demo', class: 'reranking' },
  };
}

function rerankerConnection({ reranker }: DemoTarget): unknown {
  return {
    kind: 'Connection',
    name: RERANKER,
    protocol: 'http',
    target: { url: reranker, tls: 'disable' },
    credential: { scheme: 'bearer', password: { env: 'DEMO_RERANKER_KEY' } },
    // By itself, `/admin` could be that of other services.
    dialect: 'cohere-v2',
    labels: { environment: 'demo', class: 'reranking' },
  };
}

function resources(target: DemoTarget): readonly unknown[] {
  const { analyst, rankingOwner, modelOwner, auditor, ciJob, searchService, privacyOfficer } = NAMES;
  return [
    connection(target),
    rerankerConnection(target),
    { kind: 'Person', name: analyst, displayName: 'Ana Analyst' },
    { kind: 'Person', name: rankingOwner, displayName: 'Rolf Ranking' },
    { kind: 'Person', name: modelOwner, displayName: 'Mona Models' },
    { kind: 'Person', name: privacyOfficer, displayName: 'Pia Privacy' },
    { kind: 'Person', name: auditor, displayName: 'Audra Auditor', groups: ['auditors'] },
    { kind: 'ServiceAccount', name: ciJob, displayName: 'Nightly rerank', type: 'ci' },
    { kind: 'ServiceAccount', name: searchService, displayName: 'Search service', type: 'service' },
    { kind: 'Group', name: 'search', members: [analyst] },
    { kind: 'Group', name: 'ranking-owners', members: [rankingOwner, modelOwner] },
    { kind: 'Group', name: 'model-owners', members: [modelOwner] },
    { kind: 'Group', name: 'privacy', members: [privacyOfficer] },
    {
      kind: 'Access',
      name: 'search-and-ranking',
      who: [
        'group:search',
        'group:ranking-owners',
        'group:model-owners',
        'group:privacy',
        `service:${ciJob}`,
        `service:${searchService}`,
      ],
      to: [CONNECTION, RERANKER],
    },
  ];
}

function yamlOf(documents: readonly unknown[]): string {
  return documents.map((document) => JSON.stringify(document)).join('\n---\n');
}

async function apply(api: DemoApi, token: string, text: string): Promise<void> {
  await api.call('POST', '/v1/resources/apply', token, { text });
}
