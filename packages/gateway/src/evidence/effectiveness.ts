/** `masking-effectiveness.json`: what the detectors of this version find, measured, and whether they still do. */

import { type Json, jcs } from '@countersign/ledger/jcs';
import { DETECTOR_VERSION } from '../masking/detect/version.ts';
import { plantCanaries } from './canaries.ts';
import { MEASURES } from './effectiveness-table.ts';
import { MEASURED, MEASURED_BY } from './measured-effectiveness.ts';

/** The file: the same bytes for one version of the detectors. */
export function effectivenessText(): string {
  const { planted, found, missed } = plantCanaries();
  return jcs({
    detector_version: DETECTOR_VERSION,
    canaries: { planted, found, missed: [...missed] },
    measured: { ...MEASURED_BY, corpora: measuredCorpora() },
  });
}

/** What was measured, with names. */
export function measuredCorpora(): readonly { readonly [name: string]: Json }[] {
  return MEASURED.map(({ entities, ...corpus }) => ({
    ...corpus,
    entities: entities.map((row) => Object.fromEntries(MEASURES.map((name, i) => [name, row[i] ?? 0]))),
  }));
}
