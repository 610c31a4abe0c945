/** What the demo tells: how to connect, what to try, what was recorded, what was proven. */

import type { MaskTour } from './mask-tour.ts';
import type { RerankTour } from './rerank-tour.ts';
import type { OpenRequest, PolicyTour } from './policy-tour.ts';
import { CONNECTION, type DemoPeople, type DemoPerson } from './seed.ts';
import type { TourCounts } from './tour-session.ts';

export interface DemoFacts {
  readonly postgres: { readonly host: string; readonly port: number };
  /** Base URL of the reranking service, through the gate. */
  readonly reranker: string;
  readonly api: string;
  readonly verifierKey: string;
  readonly people: DemoPeople;
  /** Rows of the database, before the tour. */
  readonly rows: number;
  readonly seconds: number;
  readonly toured: Toured | undefined;
  /** Where the data stays. */
  readonly kept: string | undefined;
}

export interface Toured {
  readonly counts: TourCounts;
  readonly reranking: RerankTour;
  readonly policy: PolicyTour;
  readonly masking: MaskTour;
  readonly open: OpenRequest;
  readonly evidence: DemoEvidence;
}

export interface DemoEvidence {
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly leaves: number;
  readonly verified: boolean;
  /** Checks that passed, and all of them. */
  readonly passed: number;
  readonly checks: number;
  /** Rows by population. */
  readonly rows: Readonly<Record<string, number>>;
  readonly verifierKey: string;
}

/** One JSON value for programs. */
export function machineReadable(facts: DemoFacts): object {
  const { postgres, reranker, api, verifierKey, people, seconds, toured } = facts;
  const persons = Object.entries(people).map(([role, { name, token }]) => [role, { user: name, token }]);
  return {
    ready: true,
    seconds: Number(seconds.toFixed(2)),
    postgres: { ...postgres, dbname: CONNECTION },
    reranker: { url: reranker },
    api: { url: api },
    ledger: { verifierKey },
    people: Object.fromEntries(persons),
    ...(toured === undefined ? {} : tourReadable(toured, people)),
  };
}

function tourReadable(
  { counts, reranking, policy, masking, open, evidence }: Toured,
  people: DemoPeople,
): object {
  const { as, sql, rule, hold, rows, tables } = open;
  return {
    tour: { ...counts, reranking, ...policy, masking },
    try: {
      blocked: { as: policy.blocked[0].as, sql: policy.blocked[0].sql },
      held: { as: policy.approved.as, sql: policy.approved.sql },
      masked: { as: masking.shown.as, sql: masking.shown.sql },
      maskBlocked: { as: masking.blocked.as, sql: masking.blocked.sql },
    },
    open: {
      hold,
      as,
      sql,
      rule,
      rows,
      tables,
      approver: people.rankingOwner.name,
      approve: { method: 'POST', path: `/v1/approvals/${hold}/approve`, body: { reason: 'ok' } },
    },
    evidence,
  };
}

interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
}

/** Lines for a terminal of 80 columns; styled only where it can show it. */
export function summary(facts: DemoFacts, styled: boolean): string {
  const style: Style = {
    bold: (text) => (styled ? `\u001b[1m${text}\u001b[22m` : text),
    dim: (text) => (styled ? `\u001b[2m${text}\u001b[22m` : text),
  };
  const { toured, seconds, rows } = facts;
  const sections = [
    [
      `  ${style.bold('Countersign')} is up after ${seconds.toFixed(1)} s, in front of a PostgreSQL 18 with ${number(rows)} rows,`,
      '  and of a reranking service.',
    ],
    ...(toured === undefined ? [] : [tourLines(toured, style), evidenceLines(toured.evidence, style)]),
    connectLines(facts, style),
    ...(toured === undefined ? [] : [tryLines(toured, style), approveLines(facts, toured, style)]),
    othersLines(facts, style),
    [
      facts.kept === undefined
        ? `  ${style.dim('Ctrl-C ends it and removes everything; npm run demo -- --data DIR keeps it.')}`
        : `  ${style.dim(`Ctrl-C ends it; ${facts.kept} keeps the data.`)}`,
    ],
  ];
  return `\n${sections.map((lines) => `${lines.join('\n')}\n`).join('\n')}\n`;
}

function connectLines({ postgres, reranker, people: { analyst } }: DemoFacts, { bold }: Style): string[] {
  return [
    `  ${bold('Connect')} as ${analyst.name}, the ${analyst.title}, with the psql that you have. The token is the`,
    '  password, the database names the connection, and \\dt rr.* lists the tables.',
    '',
    `    export PGPASSWORD=${analyst.token}`,
    `    psql "host=${postgres.host} port=${postgres.port} user=${analyst.name} dbname=${CONNECTION}"`,
    '',
    '  The same token is the key of the reranking service:',
    '',
    `    curl -s ${reranker}/v2/rerank \\`,
    '      -H "authorization: Bearer $PGPASSWORD" -H content-type:application/json \\',
    `      -d '{"model":"lexical-blend","query":"tea","documents":["lamp","tea"]}'`,
  ];
}

/** The statements are those of the tour, and the rules those that stopped them there. */
function tryLines({ policy, masking }: Toured, { bold, dim }: Style): string[] {
  const [blocked] = policy.blocked;
  const { approved } = policy;
  return [
    `  ${bold('Try')} in psql what is blocked, what waits for somebody else, and what is masked.`,
    '',
    `    ${dim(`-- rule ${blocked.rule} blocks it`)}`,
    `    ${blocked.sql};`,
    `    ${dim(`-- rule ${approved.rule} holds it, and psql waits`)}`,
    `    ${approved.sql};`,
    `    ${dim(`-- Masks hide it from ${masking.shown.as}, and not from ${masking.exempt}`)}`,
    `    ${masking.shown.sql};`,
    `    ${dim(`-- Mask ${masking.blocked.rule} blocks it: rows would tell what it hides`)}`,
    `    ${masking.blocked.sql};`,
  ];
}

function approveLines({ api, people }: DemoFacts, { open }: Toured, { bold }: Style): string[] {
  const { name, title, token } = people.rankingOwner;
  return [
    `  ${bold('Approve')} as ${name}, the ${title}, in a second terminal in this directory.`,
    `  One request is open now: ${open.as} waits to write ${number(open.rows)} rows of ${open.tables.join(', ')}.`,
    '',
    `    export COUNTERSIGN_SERVER=${api}`,
    `    export COUNTERSIGN_TOKEN=${token}`,
    '    npx countersign approvals list',
    `    npx countersign approvals approve ${open.hold} --reason ok`,
  ];
}

function othersLines({ people, toured }: DemoFacts, { bold, dim }: Style): string[] {
  const { rankingOwner, modelOwner, privacyOfficer, ciJob, searchService, auditor } = people;
  const others: readonly DemoPerson[] = [
    ...(toured === undefined ? [rankingOwner] : []),
    modelOwner,
    privacyOfficer,
    ciJob,
    searchService,
    auditor,
  ];
  const width = Math.max(...others.map(({ name }) => name.length));
  return [
    `  ${bold('Others')}, with tokens; the ${auditor.title} sees what is recorded, and cannot connect.`,
    '',
    ...others.map(({ name, title, token }) => `    ${name.padEnd(width)}  ${token}  ${dim(title)}`),
  ];
}

function tourLines({ counts, reranking, policy, masking, open }: Toured, { bold }: Style): string[] {
  const { blocked, approved, denied, promoted } = policy;
  const rules = blocked.map(({ rule }) => rule).join(' and ');
  return [
    `  ${bold('Recorded')} on a tour`,
    '',
    `${column(counts.statements)} statements in ${counts.sessions} sessions, each durable in the ledger before`,
    '           PostgreSQL heard it',
    `${column(counts.rowsRead)} rows read, ${number(counts.rowsWritten)} written, those that were rolled back included`,
    `${column(reranking.calls)} rerank calls of ${number(reranking.documents)} documents by ${reranking.model}, answers logged by SQL`,
    `${column(blocked.length)} statements blocked, by ${rules}`,
    `${column(1)} held by ${approved.rule}, approved by ${approved.by}: ${number(approved.rowsCounted)} rows, as counted`,
    `${column(1)} held by ${promoted.rule}, approved by ${promoted.by}: model ${promoted.before} to ${promoted.after}`,
    `${column(1)} held by ${denied.rule}, denied by ${denied.by}`,
    `${column(1)} held by ${open.rule}, and it still waits`,
    `${column(1)} customer masked for ${masking.shown.as}, as ${masking.shown.row.email}`,
    `${column(1)} condition on a masked column blocked, by ${masking.blocked.rule}`,
    `${column(counts.loginsFailed)} login with a wrong token, ${counts.sessionsRefused} person without access: refused`,
  ];
}

function evidenceLines(evidence: DemoEvidence, { bold, dim }: Style): string[] {
  const { verified, leaves, bytes, passed, checks, rows, file, verifierKey } = evidence;
  const verdict = verified ? 'verified' : 'NOT VERIFIED';
  const counts = (names: readonly string[]): string =>
    names.map((name) => `${name} ${rows[name] ?? 0}`).join(', ');
  return [
    `  ${bold('Proven')}: ${leaves} leaves in a package of ${Math.ceil(bytes / 1024)} KiB, ${verdict} (${passed} of ${checks} checks)`,
    '',
    `    rows of ${counts(['changes', 'changes-unapproved', 'approvals', 'denied'])},`,
    `    ${counts(['masking-summary', 'pii-flows', 'masking-blocked', 'reveals'])}`,
    `    ${dim('# check it yourself, offline')}`,
    `    npx countersign-verify --vkey '${verifierKey}' \\`,
    `      ${file}`,
  ];
}

export function number(count: number): string {
  return count.toLocaleString('en-US');
}

function column(count: number): string {
  return `    ${number(count).padStart(6)}`;
}
