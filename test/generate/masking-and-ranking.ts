/**
 * Prints what masking does to the demo's reranker, as a table for a document.
 *
 * Usage: node --conditions=source test/generate/masking-and-ranking.ts [SEED]
 */

import { type Effect, MaskingExperiment, USUAL } from '../reranking/masking-experiment.ts';

const SEED = 20_261_127;

function cells({ tau, overlapAt10, sameFirst, rightPersonFirst }: Effect): string {
  const numbers = [
    tau,
    overlapAt10,
    sameFirst,
    ...(rightPersonFirst === undefined ? [] : [rightPersonFirst]),
  ];
  return numbers.map((value) => value.toFixed(3)).join(' / ');
}

const experiment = new MaskingExperiment(Number(process.argv[2] ?? SEED));
console.log('| masking | topical: τ / top-10 overlap / same first | personal: … / right person first |');
console.log('|---|---|---|');
for (const [name, masking] of Object.entries(USUAL)) {
  const { topical, personal } = experiment.effects(masking);
  console.log(`| ${name} | ${cells(topical)} | ${cells(personal)} |`);
}
