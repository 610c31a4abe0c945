/** `countersign-verify`: the report for people, or as JSON. Exit status: spec/evidence.md, section 5. */

import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { member, PACKAGE_VERSION } from '@countersign/ledger/evidence';
import { parseJson } from '@countersign/ledger/jcs';
import { VERIFY_HTML } from './html-file.ts';
import { FileSource, nodeHost } from './node-host.ts';
import { type Check, reasonOf, type Report } from './report.ts';
import { verifyPackage } from './verify-package.ts';

export interface CliOutput {
  readonly status: 0 | 1 | 2;
  readonly stdout: string;
  readonly stderr: string;
}

const USAGE = `Usage: countersign-verify [--vkey KEY] [--json] PACKAGE.zip

Checks an evidence package, offline, without trusting who made it.

  --vkey KEY   the log's verifier key, received by another way than the package;
               without it the result is consistency, not origin
  --json       the report as JSON
  --version    the version of this program, and of the packages that it reads
  --help       this text

Exit status
  0  every check passed; with --vkey: VERIFIED, without: CONSISTENT, KEY NOT CONFIRMED
  1  refused: a check failed, or what should be a package is damaged
  2  nothing was checked: wrong usage, a file that cannot be read, a file that is no zip
`;

const STATUS: Readonly<Record<Report['verdict'], CliOutput['status']>> = {
  verified: 0,
  consistent: 0,
  failed: 1,
  unreadable: 2,
};

const MARKS = { passed: 'ok', failed: 'FAILED', 'not checked': '-' } as const;

/** Runs the command; nothing is written here. */
export async function runCli(args: readonly string[]): Promise<CliOutput> {
  let parsed: Arguments;
  try {
    parsed = parse(args);
  } catch (error) {
    return { status: 2, stdout: '', stderr: `${reasonOf(error)}\n\n${USAGE}` };
  }
  const { vkey, json, file, help, version } = parsed;
  if (help) return { status: 0, stdout: USAGE, stderr: '' };
  if (version) return { status: 0, stdout: await versionText(), stderr: '' };
  if (file === undefined) return { status: 2, stdout: '', stderr: USAGE };
  try {
    await using source = await FileSource.open(file);
    const report = await verifyPackage(source, { host: nodeHost(), vkey, pageSha256: await ownPage() });
    const stdout = json ? `${JSON.stringify(report, undefined, 2)}\n` : formatReport(report);
    return { status: STATUS[report.verdict], stdout, stderr: '' };
  } catch (error) {
    return { status: 2, stdout: '', stderr: `${file}: ${reasonOf(error)}\n` };
  }
}

/** What the page has to be that a package carries: the one that came with this program. */
async function ownPage(): Promise<string | undefined> {
  try {
    return hash('sha256', await readFile(VERIFY_HTML), 'hex');
  } catch {
    // The page is not installed beside the program: then nothing is said of it.
    return undefined;
  }
}

/** The report for people. */
export function formatReport(report: Report): string {
  const { packageId, origin, from, to, leaves, startSize, endSize, key } = report;
  // There is no package of which something could be said.
  if (report.verdict === 'unreadable') return `${verdictText(report)}\n`;
  const lines = [
    ...(packageId === undefined
      ? []
      : [`Package  ${packageId}`, `Log      ${origin ?? ''}`, `Period   ${from ?? ''} to ${to ?? ''}`]),
    ...(leaves === undefined
      ? []
      : [`Range    leaves ${startSize ?? 0} to ${endSize ?? 0} (exclusive): ${leaves}`]),
    ...Object.entries(report.rows).map(([name, rows]) => `         ${name}: ${rows}`),
    ...(key === undefined ? [] : [`Key      ${key.vkey}`, `         fingerprint ${key.fingerprint}`]),
    '',
    ...report.checks.flatMap(formatCheck),
    '',
    verdictText(report),
    '',
  ];
  return lines.join('\n');
}

/** What the verdict means, in one sentence. */
export function verdictText({ verdict, checks }: Report): string {
  const failed = checks.filter(({ status }) => status === 'failed').length;
  const texts: Readonly<Record<Report['verdict'], string>> = {
    verified: 'VERIFIED: everything in the package follows from the log of the key that you gave.',
    consistent:
      'CONSISTENT, KEY NOT CONFIRMED: the package is whole, but its key came with it. Compare the fingerprint with one that you received by another way, or give the key.',
    failed: `FAILED: ${failed} of ${checks.length} checks failed. Do not rely on this package.`,
    unreadable: 'NOT A PACKAGE: the file is no zip. Nothing was checked.',
  };
  return texts[verdict];
}

function formatCheck({ name, says, status, problems, problemsCount, notes }: Check): readonly string[] {
  const more = problemsCount - problems.length;
  return [
    `${MARKS[status].padEnd(7)}${name.padEnd(13)}${says}`,
    ...problems.map((problem) => `         ! ${problem}`),
    ...(more > 0 ? [`         ! and ${more} more`] : []),
    ...notes.map((note) => `         · ${note}`),
  ];
}

interface Arguments {
  readonly vkey: string | undefined;
  readonly json: boolean;
  readonly help: boolean;
  readonly version: boolean;
  readonly file: string | undefined;
}

/** The version of the program is that of its package. */
async function versionText(): Promise<string> {
  const manifest = await readFile(join(import.meta.dirname, '../package.json'), 'utf8');
  const version = member(parseJson(manifest), 'version');
  return `countersign-verify ${typeof version === 'string' ? version : 'unknown'}, packages of version ${PACKAGE_VERSION}\n`;
}

function parse(args: readonly string[]): Arguments {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      vkey: { type: 'string' },
      json: { type: 'boolean' },
      version: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
    allowPositionals: true,
  });
  const [file, surplus] = positionals;
  if (surplus !== undefined) throw new Error('Expected one package.');
  const { vkey, json = false, help = false, version = false } = values;
  return { vkey, json, help, version, file };
}
