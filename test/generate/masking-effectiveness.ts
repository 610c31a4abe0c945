/**
 * Measures what the detectors find of what others labelled, and writes it where packages take it from:
 *
 *     node --conditions=source test/generate/masking-effectiveness.ts "$(date -u +%F)" "2 cores, x64"
 *
 * A test measures it again at each run, so that the file cannot fall behind the detectors.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MEASURES } from '../../packages/gateway/src/evidence/effectiveness-table.ts';
import { measureEffectiveness } from '../../packages/gateway/src/masking/detect/testing-effectiveness.ts';
import { DETECTOR_VERSION } from '../../packages/gateway/src/masking/detect/version.ts';

const [date = '', machine = ''] = process.argv.slice(2);
if (date === '' || machine === '') throw new Error('expected a date and a machine');

const measured = {
  command: 'node --conditions=source test/generate/masking-effectiveness.ts DATE MACHINE',
  date,
  machine: `${machine}, Node ${process.versions.node}`,
  detector_version: DETECTOR_VERSION,
};
const corpora = measureEffectiveness().map(({ entities, ...corpus }) => ({
  ...corpus,
  entities: entities.map((entity) => MEASURES.map((name) => entity[name])),
}));

const file = join(import.meta.dirname, '../../packages/gateway/src/evidence/measured-effectiveness.ts');
writeFileSync(
  file,
  `/** Written by test/generate/masking-effectiveness.ts; effectiveness.test.ts measures it again. */

import type { MeasuredBy, MeasuredTable } from './effectiveness-table.ts';

export const MEASURED_BY: MeasuredBy = ${JSON.stringify(measured, undefined, 2)};

export const MEASURED: readonly MeasuredTable[] = ${JSON.stringify(corpora, undefined, 2)};
`,
);
