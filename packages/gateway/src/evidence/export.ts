/**
 * An evidence package: a period of the log as a bag in a zip.
 *
 * Spec: spec/evidence.md. Two passes over the log, a bag in a temporary directory beside the zip, then
 * the zip. Nothing of the moment goes in: the same period, checkpoints, keys and disclosure give the
 * same bytes.
 */

import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { utf8 } from '@countersign/ledger/bytes';
import { parseCheckpoint } from '@countersign/ledger/checkpoint';
import { formatCsvRow } from '@countersign/ledger/csv';
import {
  headJson,
  logDirectoryName,
  MASKING_EFFECTIVENESS,
  PACKAGE_VERSION,
  packageIdOf,
  type PackageSubject,
  SIGNATURE_NOTE,
  signatureText,
} from '@countersign/ledger/evidence';
import { jcs } from '@countersign/ledger/jcs';
import { emptyRoot } from '@countersign/ledger/merkle';
import { VERIFY_HTML } from '@countersign/verify/html-file';
import type { LogReader } from '../audit/log-reader.ts';
import { formatTimeUs } from '../core/clock.ts';
import { CountersignError } from '../core/errors.ts';
import type { ScopeKeys } from '../core/ledger-port.ts';
import { LIMITS } from '../core/limits.ts';
import { Bag, formatManifest } from './bag.ts';
import { indexedKind } from './controls.ts';
import { Discloser } from './disclosure.ts';
import { type DocumentFacts, limitationsText, verifyText } from './documents.ts';
import { effectivenessText } from './effectiveness.ts';
import { type LogPartCounts, writeLogPart } from './log-part.ts';
import { type Survey, surveyLog } from './survey.ts';
import { writeZip } from './zip-file.ts';

export interface EvidenceOptions {
  readonly reader: LogReader;
  readonly keys: Pick<ScopeKeys, 'find'>;
  readonly origin: string;
  /** Verifier keys of the log, first to current. */
  readonly verifierKeys: readonly string[];
  /** The period: from ≤ t < to, microseconds since the epoch. */
  readonly fromUs: number;
  readonly toUs: number;
  /** The zip, which must not be there yet. */
  readonly out: string;
  /** A directory beside `out` that is there already; it is removed in any case. Made where it is not given. */
  readonly temporary?: string;
  /** Name and version of this software. */
  readonly software: string;
  /** Signs what is durable; called where no checkpoint covers the period. */
  readonly checkpointNow: () => Promise<string>;
  /** A signed note over the text, by the log's current key. */
  readonly sign: (text: string) => string | Promise<string>;
  /** Body fields that are shown by their digest only. */
  readonly withheldFields?: readonly string[];
  readonly partBytesMax?: number;
  /** Where the recordings are, which are scanned again; undefined where there are none at hand. */
  readonly recordings?: string;
  /** Bytes of recordings that are read for that. */
  readonly recordedBytesMax?: number;
}

export interface EvidenceResult {
  readonly packageId: string;
  /** Hex, of the zip. */
  readonly sha256: string;
  readonly bytes: number;
  /** The directory in the zip. */
  readonly directory: string;
  /** Sizes of the range, and the leaves in it. */
  readonly startSize: number;
  readonly endSize: number;
  readonly leaves: number;
  /** Rows by population. */
  readonly rows: Readonly<Record<string, number>>;
  /** Bodies that cannot be read. */
  readonly shredded: number;
}

interface Plan {
  readonly options: EvidenceOptions;
  readonly survey: Survey;
  readonly subject: PackageSubject;
  readonly node: string;
  readonly directory: string;
  readonly withheldFields: readonly string[];
  readonly partBytesMax: number;
}

/** Writes a package; what was written before an error is removed. */
export async function exportEvidence(options: EvidenceOptions): Promise<EvidenceResult> {
  const plan = await makePlan(options);
  const temporary = options.temporary ?? (await makeTemporary(options.out));
  const bag = new Bag(join(temporary, 'bag'));
  try {
    const { counts, tagManifest } = await fillBag(bag, plan);
    const zip = join(temporary, basename(options.out));
    const written = await writeZip(bag, plan.directory, zip, async (packed) => {
      const note = await options.sign(signatureText(plan.subject, { tagManifest, packed }));
      return { path: SIGNATURE_NOTE, bytes: utf8(note) };
    });
    await rename(zip, options.out);
    return {
      packageId: packageIdOf(plan.subject),
      ...written,
      directory: plan.directory,
      startSize: plan.subject.start.size,
      endSize: plan.subject.end.size,
      leaves: counts.leaves,
      rows: Object.fromEntries(counts.rows),
      shredded: counts.bodies.shredded,
    };
  } finally {
    bag.abandon();
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Beside the zip, so that it can be renamed to its place. */
export function makeTemporary(out: string): Promise<string> {
  return mkdtemp(join(dirname(out), '.countersign-evidence-'));
}

async function makePlan(options: EvidenceOptions): Promise<Plan> {
  const { fromUs, toUs, reader, checkpointNow, origin } = options;
  if (!(Number.isSafeInteger(fromUs) && Number.isSafeInteger(toUs) && fromUs < toUs)) {
    throw new CountersignError('REQUEST_INVALID', { reason: 'expected a period that begins before it ends' });
  }
  const period = { from: formatTimeUs(fromUs), to: formatTimeUs(toUs) };
  const survey = await surveyLog(reader, period, checkpointNow);
  const start = survey.start === undefined ? undefined : parseCheckpoint(survey.start.note);
  const end = parseCheckpoint(survey.end.note);
  const subject: PackageSubject = {
    origin,
    ...period,
    start: start ?? { size: 0, root: emptyRoot() },
    end,
  };
  return {
    options,
    survey,
    subject,
    node: logDirectoryName(origin),
    directory: `countersign-evidence-${compact(period.from)}-${compact(period.to)}`,
    withheldFields: [...(options.withheldFields ?? [])].toSorted(),
    partBytesMax: options.partBytesMax ?? LIMITS.evidence.partBytesMax,
  };
}

/** Everything but the signature, which is over how it lies in the zip. */
async function fillBag(
  bag: Bag,
  plan: Plan,
): Promise<{ readonly counts: LogPartCounts; readonly tagManifest: string }> {
  const { options, survey, subject, node, withheldFields, partBytesMax } = plan;
  const counts = await writeLogPart(options.reader, {
    bag,
    directory: `data/ledger/${node}`,
    survey,
    period: subject,
    discloser: new Discloser((scope) => options.keys.find(scope), new Set(withheldFields)),
    verifierKeys: options.verifierKeys,
    partBytesMax,
    secondScan: {
      directory: options.recordings,
      findKey: (scope) => options.keys.find(scope),
      fromUs: options.fromUs,
      toUs: options.toUs,
      ...(options.recordedBytesMax === undefined ? {} : { recordedBytesMax: options.recordedBytesMax }),
    },
  });
  const facts: DocumentFacts = {
    packageId: packageIdOf(subject),
    origin: subject.origin,
    node,
    from: subject.from,
    to: subject.to,
    startSize: subject.start.size,
    endSize: subject.end.size,
    directory: plan.directory,
    verifierKeys: options.verifierKeys,
    shredded: counts.bodies.shredded,
    withheldFields,
  };
  bag.put(MASKING_EFFECTIVENESS, effectivenessText());
  bag.put('data/limitations.md', limitationsText(facts));
  bag.put('data/VERIFY.md', verifyText(facts));
  bag.put('data/verify.html', await readFile(VERIFY_HTML));
  bag.put('data/generation.json', generationText(plan, counts));
  bag.put('data/index.csv', indexText(bag, counts));
  return { counts, tagManifest: writeTags(bag, plan) };
}

function generationText(plan: Plan, counts: LogPartCounts): string {
  const { subject, options, withheldFields, partBytesMax } = plan;
  return jcs({
    version: PACKAGE_VERSION,
    package_id: packageIdOf(subject),
    origin: subject.origin,
    from: subject.from,
    to: subject.to,
    start: headJson(subject.start),
    end: headJson(subject.end),
    software: options.software,
    part_bytes_max: partBytesMax,
    withheld_fields: withheldFields,
    counts: Object.fromEntries(counts.types),
    bodies: counts.bodies,
    populations: Object.fromEntries(counts.rows),
  });
}

function indexText(bag: Bag, counts: LogPartCounts): string {
  const rows = bag.payload
    .filter(({ path }) => !/^data\/ledger\/[^/]+\/tile\//.test(path))
    .map(({ path, sha256 }) => {
      const { kind, controls2022, controls2013 } = indexedKind(path);
      return formatCsvRow([path, controls2022, controls2013, kind, counts.lines.get(path), sha256]);
    });
  return formatCsvRow(['path', 'control_2022', 'control_2013', 'kind', 'rows', 'sha256']) + rows.join('');
}

/** The tag files of BagIt; the SHA-256 of the last one is over all of the bag. */
function writeTags(bag: Bag, { subject }: Plan): string {
  const { payload } = bag;
  bag.put('bagit.txt', 'BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n');
  bag.put(
    'bag-info.txt',
    [
      `Source-Organization: ${subject.origin}`,
      `External-Identifier: ${packageIdOf(subject)}`,
      `Countersign-Period: ${subject.from}/${subject.to}`,
      `Countersign-Version: ${PACKAGE_VERSION}`,
      `Payload-Oxum: ${bag.payloadBytes}.${payload.length}`,
      '',
    ].join('\n'),
  );
  bag.put('manifest-sha256.txt', formatManifest(payload));
  const tags = bag.entries.filter(({ path }) => !path.startsWith('data/'));
  const tagManifest = bag.put('tagmanifest-sha256.txt', formatManifest(tags));
  return tagManifest.sha256;
}

/** `20261101T000000Z`, with microseconds where there are some. */
function compact(time: string): string {
  const seconds = time.slice(0, 19).replaceAll(/[-:]/g, '');
  const micros = time.slice(20, 26);
  return micros === '000000' ? `${seconds}Z` : `${seconds}.${micros}Z`;
}
