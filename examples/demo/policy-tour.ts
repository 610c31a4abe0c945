/**
 * What the rules of the demo stop: statements that are blocked, and statements that wait for an owner of the
 * ranking, who decides over the API with a token of their own.
 */

import type { ApprovalAnswer, ApprovalDetail } from '../../packages/gateway/src/api/answers.ts';
import type { DemoApi } from './api-client.ts';
import { type Promotion, promoteModel } from './rerank-tour.ts';
import {
  type Counts,
  type HeldStatement,
  type RerankEndpoints,
  type TourPerson,
  TourSession,
  withSession,
} from './tour-session.ts';

export interface PolicyPeople {
  readonly analyst: TourPerson;
  readonly rankingOwner: TourPerson;
  readonly ciJob: TourPerson;
  readonly modelOwner: TourPerson;
}

export interface PolicyTourOptions {
  readonly endpoints: RerankEndpoints;
  readonly people: PolicyPeople;
  readonly api: DemoApi;
  /** Those of the rest of the tour, which go on here. */
  readonly counts: Counts;
}

/** A statement that did not pass by itself. */
export interface Stopped {
  readonly as: string;
  readonly sql: string;
  readonly rule: string;
}

/** What somebody has said to a statement that waited. */
export interface Decided extends Stopped {
  readonly hold: string;
  readonly by: string;
}

/** A statement that ran when somebody had approved it. */
export interface Approved extends Decided {
  /** Rows that the gateway had counted and undone before, and that it then wrote. */
  readonly rowsCounted: number;
}

export interface PolicyTour {
  readonly blocked: readonly [Stopped, ...Stopped[]];
  readonly approved: Approved;
  readonly denied: Decided;
  readonly promoted: Promotion;
}

/** A statement whose client waits until somebody decides, or until it is given up. */
export interface OpenRequest extends Stopped {
  readonly hold: string;
  readonly rows: number;
  readonly tables: readonly string[];
  readonly answer: HeldStatement['answer'];
  /** Its client leaves. */
  giveUp(): Promise<void>;
}

/** Runs what is stopped; rejects where the wrong thing happens. */
export async function runPolicyTour(options: PolicyTourOptions): Promise<PolicyTour> {
  const { analyst, rankingOwner, ciJob } = options.people;
  return {
    approved: await approve(options, analyst, bulkUpdate('returns')),
    promoted: await promoteModel(options),
    blocked: [
      await block(options, analyst, 'drop table rr.ranking_scores'),
      await block(options, rankingOwner, "delete from rr.search_queries where query_class = 'billing'"),
    ],
    denied: await deny(
      options,
      ciJob,
      "update rr.ranking_scores set score = 0.5 where doc_id = 7 and query_class = 'returns'",
    ),
  };
}

/** One more request of the analyst's, about which nobody has decided. */
export async function leaveOneOpen({
  endpoints,
  people,
  api,
  counts,
}: PolicyTourOptions): Promise<OpenRequest> {
  const { analyst } = people;
  const sql = bulkUpdate('shipping');
  const session = await TourSession.open(endpoints, analyst, counts);
  try {
    const { hold, answer } = await session.sendHeld(sql);
    const { rule, exactRows, tables } = await look(api, analyst, hold);
    if (exactRows === undefined) throw new Error(`Expected the rows of ${hold} to be counted.`);
    return {
      as: analyst.name,
      sql,
      rule,
      hold,
      rows: exactRows,
      tables,
      answer,
      giveUp: () => session.end(),
    };
  } catch (error) {
    await session.end();
    throw error;
  }
}

/** Whoever asked sees what became of it. */
export async function look(api: DemoApi, { token }: TourPerson, hold: string): Promise<ApprovalDetail> {
  return (await api.call<ApprovalAnswer>('GET', `/v1/approvals/${hold}`, token)).approval;
}

/** Every score of a class of queries. */
function bulkUpdate(queryClass: string): string {
  return `update rr.ranking_scores set boost = 1.2 where query_class = '${queryClass}'`;
}

/** A statement that a rule or a Mask must block. */
export async function block(options: PolicyTourOptions, person: TourPerson, sql: string): Promise<Stopped> {
  const { endpoints, counts } = options;
  return withSession(endpoints, person, counts, async (session) => {
    const { message } = await session.expectError(sql, '42501');
    const [, rule] = /^Blocked by rule "([^"]+)"/.exec(message) ?? [];
    if (rule === undefined) throw new Error(`Expected "${sql}" to be blocked by a rule, got "${message}".`);
    return { as: person.name, sql, rule };
  });
}

async function approve(options: PolicyTourOptions, person: TourPerson, sql: string): Promise<Approved> {
  const { endpoints, counts } = options;
  return withSession(endpoints, person, counts, async (session) => {
    const { hold, answer } = await session.sendHeld(sql);
    const { exactRows } = await look(options.api, person, hold);
    const decided = await decide(options, person, sql, hold, 'approve', 'returns are on sale');
    const { rowCount } = await answer;
    if (exactRows === undefined || rowCount !== exactRows) {
      throw new Error(`Expected the ${exactRows} rows that were approved, got ${rowCount}.`);
    }
    return { ...decided, rowsCounted: exactRows };
  });
}

async function deny(options: PolicyTourOptions, person: TourPerson, sql: string): Promise<Decided> {
  const { endpoints, counts } = options;
  return withSession(endpoints, person, counts, async (session) => {
    const { hold, answer } = await session.sendHeld(sql);
    const decided = await decide(options, person, sql, hold, 'deny', 'the nightly job only reads');
    await session.expectErrorOf(answer, '42501', sql);
    return decided;
  });
}

/** An owner of the ranking looks, and says yes or no. */
async function decide(
  { api, people }: PolicyTourOptions,
  asker: TourPerson,
  sql: string,
  hold: string,
  decision: 'approve' | 'deny',
  reason: string,
): Promise<Decided> {
  const { name: by, token } = people.rankingOwner;
  const { rule, statement } = await look(api, people.rankingOwner, hold);
  if (statement !== sql) throw new Error(`Expected ${hold} to be about "${sql}", got "${statement}".`);
  await api.call('POST', `/v1/approvals/${hold}/${decision}`, token, { reason });
  return { as: asker.name, sql, rule, hold, by };
}
