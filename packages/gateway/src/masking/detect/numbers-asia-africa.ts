/** Numbers of persons, companies and devices of Asia, the Pacific, Africa and the Middle East. */

import { isDateYMD, isDay, isOneDigit, luhn, numberOf, verhoeff, weighted } from './checksums.ts';
import type { NumberDetector } from './entities.ts';
import { CONTEXT } from './lexicon.ts';

const { NATIONAL_ID, COMPANY, DEVICE, HEALTH } = CONTEXT;

export const NUMBERS_ASIA_AFRICA: readonly NumberDetector[] = [
  {
    entity: 'IN_AADHAAR',
    digits: [12],
    bare: 'context',
    written: ['4 4 4', '4-4-4', '4:4:4'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.083,
    valid: (d, n) => (d[0] ?? 0) >= 2 && verhoeff(d, n) && !isPalindrome(d, n),
  },
  {
    entity: 'AU_TFN',
    digits: [8, 9],
    bare: 'context',
    written: ['3 3 3'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.094,
    valid: (d, n) =>
      !isOneDigit(d, n) &&
      weighted(d, n === 9 ? [1, 4, 3, 7, 5, 8, 6, 9, 10] : [10, 7, 8, 4, 6, 3, 5, 1]) % 11 === 0,
  },
  {
    entity: 'AU_ABN',
    digits: [11],
    bare: 'context',
    written: ['2 3 3 3'],
    whenWritten: 'always',
    context: NATIONAL_ID | COMPANY,
    chance: 0.011,
    valid: (d) => (weighted(d, [10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) - 10) % 89 === 0 && d[0] !== 0,
  },
  {
    entity: 'AU_ACN',
    digits: [9],
    bare: 'context',
    written: ['3 3 3'],
    whenWritten: 'always',
    context: NATIONAL_ID | COMPANY,
    chance: 0.1,
    valid: (d, n) => !isOneDigit(d, n) && (10 - (weighted(d, [8, 7, 6, 5, 4, 3, 2, 1]) % 10)) % 10 === d[8],
  },
  {
    entity: 'AU_MEDICARE',
    digits: [10, 11],
    bare: 'context',
    written: ['4 5 1', '4-5-1', '4 5 1-1'],
    whenWritten: 'always',
    context: NATIONAL_ID | HEALTH,
    chance: 0.052,
    valid(d) {
      const first = d[0] ?? 0;
      return first >= 2 && first <= 6 && weighted(d, [1, 3, 7, 9, 1, 3, 7, 9]) % 10 === d[8];
    },
  },
  {
    entity: 'NZ_IRD',
    digits: [8, 9],
    bare: 'context',
    written: ['2-3-3', '3-3-3'],
    whenWritten: 'context',
    context: NATIONAL_ID,
    chance: 0.1,
    valid(d, n) {
      const value = numberOf(d, 0, n);
      if (value < 10_000_000 || value > 150_000_000) return false;
      return (
        irdCheck(d, n, [3, 2, 7, 6, 5, 4, 3, 2]) === d[n - 1] ||
        (irdCheck(d, n, [3, 2, 7, 6, 5, 4, 3, 2]) === 10 &&
          irdCheck(d, n, [7, 4, 3, 2, 5, 2, 7, 6]) === d[n - 1])
      );
    },
  },
  {
    entity: 'MY_NRIC',
    digits: [12],
    bare: 'context',
    written: ['6-2-4'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.037,
    hasNoCheck: true,
    valid(d) {
      const place = numberOf(d, 6, 8);
      return isDateYMD(d, 0) && place !== 0 && place !== 17 && place !== 18 && place !== 19 && place !== 20;
    },
  },
  {
    entity: 'TH_TNIN',
    digits: [13],
    bare: 'context',
    written: ['1-4-5-2-1', '1 4 5 2 1'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.09,
    valid: (d) =>
      d[0] !== 0 &&
      d[0] !== 9 &&
      d[1] !== 0 &&
      (11 - (weighted(d, [13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11)) % 10 === d[12],
  },
  {
    entity: 'PH_TIN',
    digits: [9, 12],
    bare: 'context',
    written: ['3-3-3', '3-3-3-3'],
    whenWritten: 'context',
    context: NATIONAL_ID,
    chance: 1,
    hasNoCheck: true,
    valid: (d, n) => !isOneDigit(d, n),
  },
  {
    entity: 'ID_NIK',
    digits: [16],
    bare: 'context',
    context: NATIONAL_ID,
    chance: 0.064,
    hasNoCheck: true,
    valid(d) {
      const province = numberOf(d, 0, 2);
      const day = numberOf(d, 6, 8);
      return (
        province >= 11 &&
        province <= 96 &&
        isDay(day > 40 ? day - 40 : day, numberOf(d, 8, 10)) &&
        numberOf(d, 12, 16) !== 0
      );
    },
  },
  {
    entity: 'VN_CCCD',
    digits: [12],
    bare: 'context',
    context: NATIONAL_ID,
    chance: 0.04,
    hasNoCheck: true,
    valid: (d) => d[0] === 0 && numberOf(d, 0, 3) >= 1 && numberOf(d, 0, 3) <= 96 && (d[3] ?? 9) <= 3,
  },
  {
    entity: 'JP_MY_NUMBER',
    digits: [12],
    bare: 'context',
    written: ['4 4 4', '4-4-4'],
    whenWritten: 'context',
    context: NATIONAL_ID,
    chance: 0.1,
    valid(d, n) {
      const rest = weighted(d, [6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
      return !isOneDigit(d, n) && (rest <= 1 ? 0 : 11 - rest) === d[11];
    },
  },
  {
    entity: 'JP_CORPORATE_NUMBER',
    digits: [13],
    bare: 'context',
    context: NATIONAL_ID | COMPANY,
    chance: 0.1,
    valid: (d) => d[0] !== 0 && 9 - (weighted(d, [2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1], 1) % 9) === d[0],
  },
  {
    entity: 'KR_RRN',
    digits: [13],
    bare: 'context',
    written: ['6-7'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.015,
    hasNoCheck: true,
    // Numbers since October 2020 have no check digit, so that a wrong one does not clear a value.
    valid: (d) => isDateYMD(d, 0) && d[6] !== 0 && d[6] !== 9 && (d[6] ?? 0) <= 4,
  },
  {
    entity: 'KR_FRN',
    digits: [13],
    bare: 'context',
    written: ['6-7'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.0155,
    hasNoCheck: true,
    valid: (d) => isDateYMD(d, 0) && (d[6] ?? 0) >= 5 && (d[6] ?? 0) <= 8,
  },
  {
    entity: 'KR_BRN',
    digits: [10],
    bare: 'context',
    written: ['3-2-5'],
    whenWritten: 'always',
    context: NATIONAL_ID | COMPANY,
    chance: 0.1,
    valid: (d) =>
      (10 -
        ((weighted(d, [1, 3, 7, 1, 3, 7, 1, 3]) + 5 * (d[8] ?? 0) + Math.floor((5 * (d[8] ?? 0)) / 10)) %
          10)) %
        10 ===
      d[9],
  },
  {
    entity: 'CN_RESIDENT_ID',
    digits: [18],
    bare: 'text',
    context: NATIONAL_ID,
    chance: 0.0001,
    // GB 11643-1999: place, date, sequence, ISO/IEC 7064 MOD 11-2.
    valid: (d) => isChineseId(d, d[17] ?? 0),
  },
  {
    entity: 'IL_ID',
    digits: [9],
    bare: 'context',
    written: ['8-1', '1 7 1'],
    whenWritten: 'context',
    context: NATIONAL_ID,
    chance: 0.1,
    // Doubling begins with the second digit, as Luhn does for nine.
    valid: (d, n) => luhn(d, n) && !isOneDigit(d, n),
  },
  {
    entity: 'ZA_ID',
    digits: [13],
    bare: 'text',
    written: ['6 4 2 1', '6 4 3'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.0005,
    valid: (d, n) =>
      isDateYMD(d, 0) && (d[10] ?? 9) <= 2 && ((d[11] ?? 0) === 8 || (d[11] ?? 0) === 9) && luhn(d, n),
  },
  {
    entity: 'AE_EMIRATES_ID',
    digits: [15],
    bare: 'always',
    written: ['3-4-7-1', '3 4 7 1'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.0001,
    valid: (d, n) => numberOf(d, 0, 3) === 784 && luhn(d, n),
  },
  {
    entity: 'SA_ID',
    digits: [10],
    bare: 'context',
    context: NATIONAL_ID,
    chance: 0.0215,
    valid: (d, n) => (d[0] === 1 || d[0] === 2) && luhn(d, n),
  },
  {
    entity: 'NG_NIN',
    digits: [11],
    bare: 'context',
    context: NATIONAL_ID,
    chance: 0.1,
    valid: (d, n) => verhoeff(d, n) && !isOneDigit(d, n),
  },
  {
    entity: 'EG_ID',
    digits: [14],
    bare: 'context',
    context: NATIONAL_ID,
    chance: 0.0028,
    hasNoCheck: true,
    valid(d) {
      const place = numberOf(d, 7, 9);
      return (d[0] === 2 || d[0] === 3) && isDateYMD(d, 1) && place >= 1 && (place <= 35 || place === 88);
    },
  },
  {
    entity: 'TR_TCKN',
    digits: [11],
    bare: 'context',
    context: NATIONAL_ID,
    chance: 0.009,
    valid(d) {
      const odd = (d[0] ?? 0) + (d[2] ?? 0) + (d[4] ?? 0) + (d[6] ?? 0) + (d[8] ?? 0);
      const even = (d[1] ?? 0) + (d[3] ?? 0) + (d[5] ?? 0) + (d[7] ?? 0);
      const tenth = (((odd * 7 - even) % 10) + 10) % 10;
      return d[0] !== 0 && tenth === d[9] && (odd + even + tenth) % 10 === d[10];
    },
  },
  {
    entity: 'KZ_IIN',
    digits: [12],
    bare: 'context',
    context: NATIONAL_ID,
    chance: 0.003,
    valid(d) {
      const first = weighted(d, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) % 11;
      const check = first < 10 ? first : weighted(d, [3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2]) % 11;
      return isDateYMD(d, 0) && (d[6] ?? 9) <= 6 && check === d[11];
    },
  },
  {
    entity: 'IMEI',
    digits: [15],
    bare: 'context',
    written: ['2-6-6-1', '2 6 6 1'],
    whenWritten: 'always',
    context: DEVICE,
    chance: 0.1,
    valid: (d, n) => luhn(d, n) && !isOneDigit(d, n),
  },
  {
    entity: 'ICCID',
    digits: [19, 20],
    bare: 'context',
    context: DEVICE,
    chance: 0.001,
    // ITU-T E.118: the industry is 89.
    valid: (d, n) => numberOf(d, 0, 2) === 89 && luhn(d, n),
  },
];

function irdCheck(d: Uint8Array, n: number, weights: readonly number[]): number {
  const rest = weighted(d, weights.slice(9 - n)) % 11;
  return rest === 0 ? 0 : 11 - rest;
}

function isPalindrome(d: Uint8Array, n: number): boolean {
  for (let at = 0; at < n / 2; at += 1) if (d[at] !== d[n - 1 - at]) return false;
  return true;
}

/** Seventeen digits and what the eighteenth character stands for; X is 10. */
export function isChineseId(d: Uint8Array, last: number): boolean {
  const province = numberOf(d, 0, 2);
  const year = numberOf(d, 6, 10);
  if (province < 11 || province > 82 || year < 1880 || year > 2099) return false;
  if (!isDay(numberOf(d, 12, 14), numberOf(d, 10, 12))) return false;
  const sum = weighted(d, [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
  return (12 - (sum % 11)) % 11 === last;
}
