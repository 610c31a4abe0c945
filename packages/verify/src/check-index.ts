/** Populations, index.csv, generation.json and bag-info.txt against what was computed: spec/evidence.md, section 5. */

import { formatCsvRow, parseCsv } from '@countersign/ledger/csv';
import { headJson, member, packageIdOf, type PackageSubject } from '@countersign/ledger/evidence';
import { type Json, jcs } from '@countersign/ledger/jcs';
import { POPULATION_NAMES } from '@countersign/ledger/population-columns';
import { BOUNDS } from './bounds.ts';
import { bagInfo, type Hashes } from './check-bag.ts';
import type { LeavesFacts } from './check-leaves.ts';
import type { PackageFiles } from './package-files.ts';
import { type Findings, PackageError } from './report.ts';

const INDEX = 'data/index.csv';
const HEADER = ['path', 'control_2022', 'control_2013', 'kind', 'rows', 'sha256'];
const POPULATIONS = 'data/populations/';

/** Each population file is the one that follows from the leaves, and there is no other. */
export function checkPopulations(
  files: PackageFiles,
  hashes: Hashes,
  { populationHashes, rows }: LeavesFacts,
  findings: Findings,
): void {
  const unreviewed = rows.get('breakglass-unreviewed') ?? 0;
  if (unreviewed > 0) findings.note(`opened by break-glass and not reviewed in the range: ${unreviewed}`);
  for (const [name, expected] of populationHashes) {
    const path = `${POPULATIONS}${name}`;
    if (!files.has(path)) findings.problem(`${path} is not there`);
    else if (hashes.get(path) !== expected)
      findings.problem(`${path} is not what the leaves and bodies give`);
  }
  for (const path of files.paths) {
    const name = path.startsWith(POPULATIONS) ? path.slice(POPULATIONS.length) : undefined;
    if (name === undefined || populationHashes.has(name)) continue;
    const [stem = ''] = /^[a-z-]+(?=(?:-[0-9]{4})?\.)/.exec(name) ?? [];
    const known = POPULATION_NAMES.some((population) => population === stem);
    if (known) findings.problem(`${path} does not follow from the leaves and bodies`);
    else findings.note(`unknown population: ${path}`);
  }
}

export interface IndexOptions {
  readonly files: PackageFiles;
  readonly hashes: Hashes;
  readonly directory: string;
  readonly subject: PackageSubject;
  readonly generation: Json;
  /** Undefined where the leaves could not be read. */
  readonly leaves: LeavesFacts | undefined;
}

/** index.csv, generation.json and bag-info.txt. */
export async function checkIndex(options: IndexOptions, findings: Findings): Promise<void> {
  await findings.run(() => checkIndexFile(options, findings));
  await findings.run(async () => checkGeneration(options, findings));
  await findings.run(() => checkBagInfo(options, findings));
}

async function checkIndexFile(options: IndexOptions, findings: Findings): Promise<void> {
  const { files, hashes, directory } = options;
  const text = await files.text(INDEX, BOUNDS.lineBytesMax);
  const [header, ...rows] = parseCsv(text);
  if (header === undefined || formatCsvRow(header) !== formatCsvRow(HEADER)) {
    throw new PackageError(`${INDEX}: expected the header ${HEADER.join(',')}`);
  }
  const listed = new Set<string>();
  const rowsOf = countedRows(options);
  for (const [path = '', , , , count = '', sha256] of rows) {
    if (listed.has(path)) findings.problem(`${INDEX} lists ${path} twice`);
    listed.add(path);
    if (!files.has(path)) findings.problem(`${INDEX} lists ${path}, which is not there`);
    else if (hashes.get(path) !== sha256) findings.problem(`${INDEX} has another SHA-256 for ${path}`);
    const expected = rowsOf.get(path);
    if (expected !== undefined && String(expected) !== count) {
      findings.problem(`${INDEX} says that ${path} has ${count} rows, expected ${expected}`);
    }
  }
  for (const path of files.paths) {
    const tile = path.startsWith(`${directory}/tile/`);
    if (path.startsWith('data/') && path !== INDEX && !tile && !listed.has(path)) {
      findings.problem(`${path} is not in ${INDEX}`);
    }
  }
}

function countedRows({ leaves }: IndexOptions): ReadonlyMap<string, number> {
  const rows = new Map<string, number>();
  for (const [name, count] of leaves?.populationRows ?? []) rows.set(`${POPULATIONS}${name}`, count);
  return rows;
}

function checkGeneration({ subject, generation, leaves }: IndexOptions, findings: Findings): void {
  const expected: Record<string, Json> = {
    package_id: packageIdOf(subject),
    origin: subject.origin,
    start: headJson(subject.start),
    end: headJson(subject.end),
  };
  if (leaves !== undefined) {
    expected['counts'] = Object.fromEntries(leaves.types);
    expected['bodies'] = leaves.bodies;
    expected['populations'] = Object.fromEntries(leaves.rows);
  }
  for (const [name, value] of Object.entries(expected)) {
    const stated = member(generation, name);
    if (stated === undefined || jcs(stated) !== jcs(value)) {
      findings.problem(`generation.json: ${name} is not ${jcs(value)}`);
    }
  }
}

async function checkBagInfo({ files, subject }: IndexOptions, findings: Findings): Promise<void> {
  const text = await files.text('bag-info.txt');
  const expected = {
    'Source-Organization': subject.origin,
    'External-Identifier': packageIdOf(subject),
    'Countersign-Period': `${subject.from}/${subject.to}`,
  };
  for (const [label, value] of Object.entries(expected)) {
    if (bagInfo(text, label) !== value) findings.problem(`bag-info.txt: ${label} is not ${value}`);
  }
}
