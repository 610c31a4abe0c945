/** What somebody may do to the files about masking, sealed again by the log's own key: found by their content. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  asVersion10,
  type Change,
  type Files,
  lines,
  LOG,
  makeGoodPackage,
  pack,
  REAL_SEEDS,
  replaceIn,
  seal,
  setLines,
  VKEY,
} from '../../../test/conformance/evidence-files.ts';
import { masksBefore, masksWithin } from '../../gateway/src/evidence/testing-masks.ts';
import { nodeHost } from './node-host.ts';
import type { CheckName, Report } from './report.ts';
import { memorySource } from './testing-zip.ts';
import { verifyPackage } from './verify-package.ts';

const RESOURCES = `${LOG}/resources.jsonl`;
const RULES = 'data/masking/masking-rules.json';

let directory: string;
let good: Files;
let bag: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'countersign-masking-attacks-'));
  ({ bag, files: good } = await makeGoodPackage(directory, 3, { before: masksBefore, within: masksWithin }));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function verified(change: Change): Promise<Report> {
  const files = new Map(good);
  change(files);
  seal(files, REAL_SEEDS.second);
  return await verifyPackage(memorySource(pack(bag, files)), { host: nodeHost(), vkey: VKEY });
}

function onLine(path: string, at: number, line: (before: string) => string | undefined): Change {
  return (files) => {
    const all = lines(files, path);
    const changed = line(all[at] ?? '');
    setLines(files, path, changed === undefined ? all.toSpliced(at, 1) : all.with(at, changed));
  };
}

const ATTACKS: readonly (readonly [title: string, change: Change, check: CheckName, says: RegExp])[] = [
  ['a change that is left out', onLine(RESOURCES, 0, () => undefined), 'tree', /no line for leaf/],
  ['the last change that is left out', onLine(RESOURCES, 3, () => undefined), 'tree', /no line for leaf/],
  [
    'a Mask that is called shredded',
    onLine(RESOURCES, 0, (line) => JSON.stringify({ n: numberOf(line), shredded: true })),
    'populations',
    /masking-rules\.json is not what/,
  ],
  [
    'a Mask that hid more, as the package says',
    onLine(RESOURCES, 0, (line) => line.replace('customers.email', 'customers.every')),
    'tree',
    /./,
  ],
  [
    'a Mask that is called an Access',
    onLine(RESOURCES, 0, (line) => line.replace('"value":"Mask"', '"value":"Rule"')),
    'tree',
    /./,
  ],
  [
    'a line for what was no change',
    (files) => setLines(files, RESOURCES, [...lines(files, RESOURCES), '{"n":20,"shredded":true}']),
    'tree',
    /a line for leaf 20/,
  ],
  ['no changes', (files) => files.delete(RESOURCES), 'tree', /is not there/],
  [
    'another document',
    replaceIn(RULES, 'customers.phone', 'customers.other'),
    'populations',
    /masking-rules/,
  ],
  ['no end of a Mask', replaceIn(RULES, '"until":"deleted"', '"until":"changed"'), 'populations', /rules/],
  ['no rules', (files) => files.delete(RULES), 'populations', /masking-rules\.json is not there/],
  [
    'more values that were masked',
    replaceIn('data/populations/masking-summary.csv', ',partial,1,5,', ',partial,1,500,'),
    'populations',
    /masking-summary\.csv is not what/,
  ],
  [
    'a flow that is left out',
    onLine('data/populations/pii-flows.jsonl', 1, () => undefined),
    'populations',
    /pii-flows\.jsonl is not what/,
  ],
  [
    'a statement that no Mask stopped',
    onLine('data/populations/masking-blocked.jsonl', 0, () => undefined),
    'populations',
    /masking-blocked\.jsonl is not what/,
  ],
  [
    'a reveal that is left out',
    onLine('data/populations/reveals.jsonl', 0, () => undefined),
    'populations',
    /reveals\.jsonl is not what/,
  ],
  [
    'a reveal that was approved, as the package says',
    onLine('data/populations/reveals.jsonl', 0, (line) =>
      line.replace('"approved_before_shown":false', '"approved_before_shown":true'),
    ),
    'populations',
    /reveals\.jsonl is not what/,
  ],
  [
    'no list of reveals',
    (files) => files.delete('data/populations/reveals.csv'),
    'populations',
    /reveals\.csv/,
  ],
  [
    'no second scan',
    (files) => files.delete('data/masking/masking-second-scan.csv'),
    'populations',
    /second-scan\.csv is not there/,
  ],
  [
    'no measure',
    (files) => files.delete('data/masking/masking-effectiveness.json'),
    'populations',
    /effectiveness\.json is not there/,
  ],
  [
    'a body that is withheld',
    (files) => {
      const path = `${LOG}/bodies.jsonl`;
      const at = lines(files, path).findIndex((line) => line.includes('"masked_whole"'));
      onLine(path, at, (line) => JSON.stringify({ n: numberOf(line), withheld: true }))(files);
    },
    'populations',
    /masking-summary\.csv is not what/,
  ],
];

function numberOf(line: string): number {
  const { n }: { n: number } = JSON.parse(line);
  return n;
}

describe('found', () => {
  it.each(ATTACKS)('%s', async (_, change, name, says) => {
    const report = await verified(change);
    const check = report.checks.find((one) => one.name === name);
    expect(report.verdict).toBe('failed');
    expect(check?.problems.join('\n')).toMatch(says);
  });
});

describe('a package', () => {
  it('is good as it is, and says nothing of unknown files', async () => {
    const report = await verified(() => undefined);
    expect(report.checks.filter(({ status }) => status !== 'passed')).toEqual([]);
    expect(report.rows['pii-flows']).toBe(5);
  });

  it('of version 1.0 is good, and is said to have no lists about masking', async () => {
    const report = await verified(asVersion10);
    expect(report.checks.filter(({ status }) => status !== 'passed')).toEqual([]);
    expect(report.verdict).toBe('verified');
    expect(report.checks.flatMap(({ notes }) => notes)).toContain('version 1.0 has no lists about masking');
    expect(report.rows).not.toHaveProperty('pii-flows');
  });

  it('of version 1.0 that has a list of 1.1 is refused', async () => {
    const report = await verified((files) => {
      const summary = files.get('data/populations/masking-summary.csv');
      asVersion10(files);
      if (summary !== undefined) files.set('data/populations/masking-summary.csv', summary);
    });
    expect(report.verdict).toBe('failed');
  });
});
