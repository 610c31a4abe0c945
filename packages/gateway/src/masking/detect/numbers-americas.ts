/** Numbers of persons, companies and banks of the Americas. */

import { isOneDigit, luhn, luhnSum, numberOf, weighted } from './checksums.ts';
import type { NumberDetector } from './entities.ts';
import { CONTEXT } from './lexicon.ts';

const { NATIONAL_ID, BANK, HEALTH, COMPANY, DRIVING } = CONTEXT;

export const NUMBERS_AMERICAS: readonly NumberDetector[] = [
  {
    entity: 'US_SSN',
    digits: [9],
    bare: 'context',
    written: ['3-2-4', '3 2 4', '3.2.4'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.89,
    // SSA, "Structure of Social Security Numbers", and the randomisation of 2011.
    valid(d) {
      const area = numberOf(d, 0, 3);
      return area !== 0 && area !== 666 && area < 900 && numberOf(d, 3, 5) !== 0 && numberOf(d, 5, 9) !== 0;
    },
  },
  {
    entity: 'US_ITIN',
    digits: [9],
    bare: 'context',
    written: ['3-2-4', '3 2 4'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.0455,
    hasNoCheck: true,
    // IRS: the fourth and fifth digits.
    valid(d) {
      const group = numberOf(d, 3, 5);
      return (
        d[0] === 9 &&
        ((group >= 50 && group <= 65) || (group >= 70 && group <= 88) || (group >= 90 && group !== 93))
      );
    },
  },
  {
    entity: 'US_EIN',
    digits: [9],
    bare: 'context',
    written: ['2-7'],
    whenWritten: 'context',
    context: NATIONAL_ID | COMPANY,
    chance: 0.9,
    // IRS campus prefixes that were never given out.
    valid: (d) =>
      ![0, 7, 8, 9, 17, 18, 19, 28, 29, 49, 69, 70, 78, 79, 89, 96, 97].includes(numberOf(d, 0, 2)),
  },
  {
    entity: 'US_NPI',
    digits: [10],
    bare: 'context',
    written: ['4 3 3', '4-3-3'],
    whenWritten: 'context',
    context: HEALTH,
    chance: 0.02,
    // 45 CFR 162.406: Luhn over 80840 and the number; the prefix adds 24.
    valid: (d, n) => (d[0] === 1 || d[0] === 2) && (luhnSum(d, n) + 24) % 10 === 0,
  },
  {
    entity: 'US_ABA_ROUTING',
    digits: [9],
    bare: 'context',
    written: ['4-4-1'],
    whenWritten: 'always',
    context: BANK,
    chance: 0.04,
    valid(d) {
      const district = numberOf(d, 0, 2);
      const isDistrict =
        district <= 12 ||
        (district >= 21 && district <= 32) ||
        (district >= 61 && district <= 72) ||
        district === 80;
      return isDistrict && !isOneDigit(d, 9) && weighted(d, [3, 7, 1, 3, 7, 1, 3, 7, 1]) % 10 === 0;
    },
  },
  {
    entity: 'US_BANK_ACCOUNT',
    digits: [8, 9, 10, 11, 12, 13, 14, 15, 16, 17],
    bare: 'context',
    context: BANK,
    chance: 1,
    valid: () => true,
  },
  {
    entity: 'US_DRIVING_LICENCE',
    digits: [7, 8, 9, 10, 12, 13],
    bare: 'context',
    context: DRIVING,
    chance: 1,
    valid: (d, n) => !isOneDigit(d, n),
  },
  {
    entity: 'CA_SIN',
    digits: [9],
    bare: 'context',
    written: ['3-3-3', '3 3 3'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.083,
    valid: (d, n) => d[0] !== 0 && d[0] !== 8 && luhn(d, n) && !isOneDigit(d, n),
  },
  {
    entity: 'BR_CPF',
    digits: [11],
    bare: 'context',
    written: ['3.3.3-2', '3 3 3-2', '3-3-3-2', '3.3.3.2'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.01,
    valid: (d, n) => !isOneDigit(d, n) && brazilian(d, 9, 10) && brazilian(d, 10, 11),
  },
  {
    entity: 'BR_CNPJ',
    digits: [14],
    bare: 'context',
    written: ['2.3.3/4-2'],
    whenWritten: 'always',
    context: NATIONAL_ID | COMPANY,
    chance: 0.0103,
    valid: (d, n) =>
      !isOneDigit(d, n) &&
      checkOf(weighted(d, [5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])) === d[12] &&
      checkOf(weighted(d, [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])) === d[13],
  },
  {
    entity: 'BR_PIS',
    digits: [11],
    bare: 'context',
    written: ['3.5.2-1'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.1,
    valid: (d, n) => !isOneDigit(d, n) && checkOf(weighted(d, [3, 2, 9, 8, 7, 6, 5, 4, 3, 2])) === d[10],
  },
  {
    entity: 'AR_CUIT',
    digits: [11],
    bare: 'context',
    written: ['2-8-1'],
    whenWritten: 'always',
    context: NATIONAL_ID | COMPANY,
    chance: 0.01,
    valid(d) {
      const check = (11 - (weighted(d, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11)) % 11;
      return [20, 23, 24, 25, 26, 27, 30, 33, 34].includes(numberOf(d, 0, 2)) && check === d[10];
    },
  },
  {
    entity: 'CO_NIT',
    digits: [9, 10],
    bare: 'context',
    written: ['3.3.3-1', '9-1'],
    whenWritten: 'always',
    context: NATIONAL_ID | COMPANY,
    chance: 0.1,
    valid(d, n) {
      const rest = weighted(d, [41, 37, 29, 23, 19, 17, 13, 7, 3].slice(10 - n)) % 11;
      return (rest < 2 ? rest : 11 - rest) === d[n - 1];
    },
  },
  {
    entity: 'CL_RUT',
    digits: [8, 9],
    bare: 'context',
    written: ['1.3.3-1', '2.3.3-1', '8-1', '7-1'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.0935,
    valid(d, n) {
      const check = 11 - (weighted(d, [3, 2, 7, 6, 5, 4, 3, 2].slice(9 - n)) % 11);
      return (check === 11 ? 0 : check) === d[n - 1];
    },
  },
  {
    entity: 'PE_RUC',
    digits: [11],
    bare: 'context',
    context: NATIONAL_ID | COMPANY,
    chance: 0.005,
    valid: (d) =>
      [10, 15, 16, 17, 20].includes(numberOf(d, 0, 2)) &&
      (11 - (weighted(d, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11)) % 10 === d[10],
  },
];

function brazilian(d: Uint8Array, from: number, first: number): boolean {
  let sum = 0;
  for (let at = 0; at < from; at += 1) sum += (d[at] ?? 0) * (first - at);
  return checkOf(sum) === d[from];
}

/** Receita Federal: 11 less the remainder; 10 and 11 become 0. */
function checkOf(sum: number): number {
  const rest = sum % 11;
  return rest < 2 ? 0 : 11 - rest;
}
