/**
 * What goes through the gate over HTTP: searches whose candidates come by SQL and are ranked by the reranking
 * service, and a change of the model that ranks, which waits for an owner of the models.
 */

import type { ApprovalsAnswer } from '../../packages/gateway/src/api/answers.ts';
import type { DemoApi } from './api-client.ts';
import {
  type Counts,
  type RerankEndpoints,
  type TourPerson,
  type TourSession,
  withSession,
} from './tour-session.ts';

export interface RerankTour {
  readonly calls: number;
  /** Documents of all calls. */
  readonly documents: number;
  /** What the calls named. */
  readonly model: string;
}

/** A model that answers since somebody else agreed. */
export interface Promotion {
  readonly as: string;
  readonly by: string;
  readonly rule: string;
  readonly hold: string;
  readonly model: string;
  readonly before: string;
  readonly after: string;
}

export interface RerankTourOptions {
  readonly endpoints: RerankEndpoints;
  readonly people: { readonly searchService: TourPerson };
  readonly counts: Counts;
}

interface PromotionOptions {
  readonly endpoints: RerankEndpoints;
  readonly people: { readonly rankingOwner: TourPerson; readonly modelOwner: TourPerson };
  readonly api: DemoApi;
  readonly counts: Counts;
}

interface Ranked {
  readonly results: readonly { readonly index: number; readonly relevance_score: number }[];
}

interface Activated {
  readonly version: string;
  readonly previous: { readonly version: string };
}

const MODEL = 'lexical-blend';
const NEXT_VERSION = '1.5.0';
const SHOWN = 5;
/** Far below the 25 s for which a request is held. */
const HELD_WITHIN_MS = 15_000;
const POLL_MS = 20;

const SEARCHES = [
  ['warranty claim kettle', 'returns'],
  ['customs form', 'shipping'],
  ['VAT number', 'billing'],
] as const;

const CANDIDATES = `
  select d.doc_id, d.title || '. ' || d.body as text, ts_rank_cd(d.tsv, q) as first_stage
    from rr.documents d, websearch_to_tsquery('english', $1) q
   where d.tsv @@ q
   order by first_stage desc, d.doc_id
   limit 50`;

const LOG_QUERY = `
  insert into rr.search_queries (user_email, client_ip, session_id, query_text, query_class, created_at)
  values ('visitor@example.com', '192.0.2.1', gen_random_uuid(), $1, $2, now()) returning query_id`;

const LOG_RESULTS = `
  insert into rr.rerank_results (query_id, position, doc_id, model_id, first_stage_score, rerank_score)
  select $1, p.position, p.doc_id, 2, p.first_stage, p.score
    from unnest($2::int[], $3::real[], $4::real[]) with ordinality as p(doc_id, first_stage, score, position)`;

/** The search service retrieves, has ranked, and logs; rejects where a call does not pass. */
export async function runRerankTour({ endpoints, people, counts }: RerankTourOptions): Promise<RerankTour> {
  const { searchService } = people;
  let documents = 0;
  await withSession(endpoints, searchService, counts, async (session) => {
    for (const [query, queryClass] of SEARCHES) {
      documents += await search(session, { endpoints, person: searchService, query, queryClass });
    }
  });
  // All calls of one principal from one address are one session.
  counts.sessions += 1;
  return { calls: SEARCHES.length, documents, model: MODEL };
}

interface Search {
  readonly endpoints: RerankEndpoints;
  readonly person: TourPerson;
  readonly query: string;
  readonly queryClass: string;
}

/** Gives how many documents were ranked. */
async function search(
  session: TourSession,
  { endpoints, person, query, queryClass }: Search,
): Promise<number> {
  const { rows } = await session.query({ name: 'candidates', text: CANDIDATES }, [query]);
  const answer = await ask<Ranked>(endpoints, person, '/v2/rerank', {
    model: MODEL,
    query,
    documents: rows.map(({ text }) => String(text)),
    top_n: SHOWN,
  });
  const shown = answer.results.map(({ index, relevance_score: score }) => ({ row: rows[index], score }));
  await session.query('begin');
  const logged = await session.query(LOG_QUERY, [query, queryClass]);
  await session.query(LOG_RESULTS, [
    logged.rows[0]?.query_id,
    shown.map(({ row }) => row?.doc_id),
    shown.map(({ row }) => row?.first_stage),
    shown.map(({ score }) => score),
  ]);
  await session.query('commit');
  return rows.length;
}

/** The owner of the ranking asks for another model, and waits; the owner of the models agrees. */
export async function promoteModel({ endpoints, people, api, counts }: PromotionOptions): Promise<Promotion> {
  const { rankingOwner, modelOwner } = people;
  const ended = new AbortController();
  const body = { version: NEXT_VERSION };
  const asked = ask<Activated>(endpoints, rankingOwner, `/admin/models/${MODEL}/activate`, body);
  counts.sessions += 1;
  try {
    const { id: hold, rule } = await Promise.race([
      findHold(api, modelOwner, rankingOwner.name, ended.signal),
      asked.then(() => {
        throw new Error(`Expected the change of ${MODEL} to be held, and it was made.`);
      }),
    ]);
    await api.call('POST', `/v1/approvals/${hold}/approve`, modelOwner.token, { reason: 'tested offline' });
    const { version: after, previous } = await asked;
    if (after !== NEXT_VERSION) throw new Error(`Expected ${NEXT_VERSION} to answer, got ${after}.`);
    return {
      as: rankingOwner.name,
      by: modelOwner.name,
      rule,
      hold,
      model: MODEL,
      before: previous.version,
      after,
    };
  } finally {
    ended.abort();
  }
}

/** What an approver sees waiting of somebody's. */
async function findHold(
  api: DemoApi,
  approver: TourPerson,
  asker: string,
  ended: AbortSignal,
): Promise<{ readonly id: string; readonly rule: string }> {
  const lastMs = performance.now() + HELD_WITHIN_MS;
  while (!ended.aborted && performance.now() < lastMs) {
    const { approvals } = await api.call<ApprovalsAnswer>('GET', '/v1/approvals', approver.token);
    const found = approvals.find(({ state, requester }) => state === 'asked' && requester === asker);
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`Expected a request of ${asker} to wait within ${HELD_WITHIN_MS / 1_000} s.`);
}

/** One POST of JSON through the gate; anything but success is an error with what was said. */
async function ask<T>(
  endpoints: RerankEndpoints,
  person: TourPerson,
  path: string,
  body: unknown,
): Promise<T> {
  const response = await fetch(`${endpoints.reranker}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${person.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${text}`);
  const answer: T = JSON.parse(text);
  return answer;
}
