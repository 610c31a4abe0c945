/** The files about masking that are no population: spec/evidence.md, section 4, "Masking". */

import { MASKING_EFFECTIVENESS, MASKING_RULES, MASKING_SECOND_SCAN } from '@countersign/ledger/evidence';
import type { Hashes } from './check-bag.ts';
import type { LeavesFacts } from './check-leaves.ts';
import type { PackageFiles } from './package-files.ts';
import type { Findings } from './report.ts';

/** The rules follow from the leaves; the scan and its measure are the exporter's word, and have to be there. */
export function checkMasking(
  files: PackageFiles,
  hashes: Hashes,
  { maskingRules }: Pick<LeavesFacts, 'maskingRules'>,
  findings: Findings,
): void {
  for (const path of [MASKING_RULES, MASKING_SECOND_SCAN, MASKING_EFFECTIVENESS]) {
    if (!files.has(path)) findings.problem(`${path} is not there`);
  }
  if (files.has(MASKING_RULES) && hashes.get(MASKING_RULES) !== maskingRules) {
    findings.problem(`${MASKING_RULES} is not what the leaves and bodies give`);
  }
  findings.note('masking-second-scan.csv and masking-effectiveness.json follow from no leaf');
}
