/** The whole table of attacks, and how a report is held against a row. */

import type { Report } from '../../../packages/verify/src/report.ts';
import { type Attack, byStranger, type Found, onContent } from './attack.ts';
import { ON_LOG } from './on-log.ts';
import { ON_SEALS } from './on-seals.ts';
import { ON_ZIP } from './on-zip.ts';

/** Every row, each sealed as far as its attacker goes. */
export const ATTACKS: readonly Attack[] = [
  ...[...ON_LOG, ...ON_SEALS].map(onContent),
  ...[...ON_LOG, ...ON_SEALS].filter(({ sealed }) => sealed === 'stolen').map(byStranger),
  ...ON_ZIP,
];

/** Whether everything runs, or each row in one of the two front ends. */
const SOAK = process.env['COUNTERSIGN_SOAK'] !== undefined;

/** The rows that a front end runs: each row runs in the one or the other, and in soak in both. */
export function rowsFor(frontEnd: 'command' | 'page', seed: number): readonly Attack[] {
  const parity = (seed + (frontEnd === 'page' ? 1 : 0)) % 2;
  return SOAK ? ATTACKS : ATTACKS.filter((_, i) => i % 2 === parity);
}

/** What of a row the checks did not find; empty where all is as it should be. */
export function missing(found: Found, { verdict, checks }: Pick<Report, 'verdict' | 'checks'>): string[] {
  const wrong = verdict === 'failed' ? [] : [`the verdict is ${verdict}`];
  for (const [name, says] of found) {
    const check = checks.find((candidate) => candidate.name === name);
    const problems = check?.problems.join('\n') ?? '';
    if (check?.status !== 'failed') wrong.push(`${name}: ${check?.status ?? 'not there'}`);
    else if (!says.test(problems)) wrong.push(`${name}: ${problems.slice(0, 300)}`);
  }
  return wrong;
}
