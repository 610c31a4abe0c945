/** What the demo tells: how to connect, what was recorded, what was proven. */

import type { TourCounts } from './tour.ts';
import { CONNECTION, type DemoPeople } from './seed.ts';

export interface DemoFacts {
  readonly postgres: { readonly host: string; readonly port: number };
  readonly api: string;
  readonly people: DemoPeople;
  readonly rows: number;
  readonly seconds: number;
  readonly tour: TourCounts | undefined;
  readonly evidence: DemoEvidence | undefined;
  readonly kept: string | undefined;
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
  readonly verifierKey: string;
}

/** Lines for a terminal; styled only where it can show it. */
export function summary(facts: DemoFacts, styled: boolean): string {
  const bold = (text: string): string => (styled ? `\u001b[1m${text}\u001b[22m` : text);
  const dim = (text: string): string => (styled ? `\u001b[2m${text}\u001b[22m` : text);
  const { people, postgres } = facts;
  const lines = [
    '',
    `  ${bold('Countersign')} is up after ${facts.seconds.toFixed(1)} s: PostgreSQL 18 with ${facts.rows.toLocaleString('en-US')} rows behind it.`,
    '',
    `  ${bold('Connect')} with the psql that you have. The password is a token; the`,
    '  database names the connection. The tables are in schema rr: \\dt rr.*',
    '',
  ];
  for (const person of [people.analyst, people.rankingOwner, people.ciJob]) {
    lines.push(`    ${dim(`# ${person.title}`)}`);
    lines.push(
      `    PGPASSWORD=${person.token} psql "host=${postgres.host} port=${postgres.port} user=${person.name} dbname=${CONNECTION}"`,
    );
  }
  lines.push(
    '',
    `    ${dim(`# ${people.auditor.title}: may look at everything recorded, and may not connect`)}`,
  );
  lines.push(`    export COUNTERSIGN_SERVER=${facts.api} COUNTERSIGN_TOKEN=${people.auditor.token}`);
  lines.push('    npx countersign sessions list', '');
  if (facts.tour !== undefined) lines.push(...tourLines(facts.tour, bold), '');
  if (facts.evidence !== undefined) lines.push(...evidenceLines(facts.evidence, bold, dim), '');
  lines.push(
    facts.kept === undefined
      ? `  ${dim('Ctrl-C ends it and removes everything; npm run demo -- --data DIR keeps it.')}`
      : `  ${dim(`Ctrl-C ends it; ${facts.kept} keeps the data.`)}`,
    '',
  );
  return `${lines.join('\n')}\n`;
}

function tourLines(tour: TourCounts, bold: (text: string) => string): string[] {
  return [
    `  ${bold('Recorded')} on the tour`,
    '',
    `    ${column(tour.sessions)} sessions, ${tour.statements} statements, each durable in the ledger before`,
    '         PostgreSQL heard it',
    `    ${column(tour.rowsRead)} rows read, ${tour.rowsWritten} written, ${tour.statementErrors} statements that failed`,
    `    ${column(tour.loginsFailed)} login with a wrong token, ${tour.sessionsRefused} person without access: refused,`,
    '         and a leaf each',
  ];
}

function evidenceLines(
  evidence: DemoEvidence,
  bold: (text: string) => string,
  dim: (text: string) => string,
): string[] {
  const verdict = evidence.verified ? 'verified' : 'NOT VERIFIED';
  return [
    `  ${bold('Proven')}: ${evidence.leaves} leaves in a package of ${Math.ceil(evidence.bytes / 1024)} KiB, ${verdict} (${evidence.passed} of ${evidence.checks} checks)`,
    '',
    `    ${evidence.file}`,
    `    sha256 ${evidence.sha256}`,
    `    ${dim('check it yourself, offline:')}  npx countersign-verify --vkey '${evidence.verifierKey}' ${evidence.file}`,
  ];
}

function column(count: number): string {
  return String(count).padStart(4);
}
