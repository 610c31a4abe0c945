/** Numbers of persons, companies and doctors of western and northern Europe. */

import {
  isDateDMY,
  isDateYMD,
  isDay,
  isOneDigit,
  luhn,
  mod11And10,
  numberOf,
  remainder,
  weighted,
} from './checksums.ts';
import type { NumberDetector } from './entities.ts';
import { CONTEXT } from './lexicon.ts';

const { NATIONAL_ID, COMPANY, HEALTH, BANK, POSTCODE } = CONTEXT;

export const NUMBERS_EUROPE_WEST: readonly NumberDetector[] = [
  {
    entity: 'UK_NHS',
    digits: [10],
    bare: 'context',
    written: ['3 3 4'],
    whenWritten: 'always',
    context: NATIONAL_ID | HEALTH,
    chance: 0.093,
    valid(d, n) {
      const check = 11 - (weighted(d, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11);
      return check !== 10 && (check === 11 ? 0 : check) === d[9] && !isOneDigit(d, n);
    },
  },
  {
    entity: 'UK_UTR',
    digits: [10],
    bare: 'context',
    written: ['5 5'],
    whenWritten: 'context',
    context: NATIONAL_ID,
    chance: 0.1,
    valid: (d) =>
      [2, 1, 9, 8, 7, 6, 5, 4, 3, 2, 1][weighted(d, [6, 7, 8, 9, 10, 5, 4, 3, 2], 1) % 11] === d[0],
  },
  {
    entity: 'UK_SORT_CODE',
    digits: [6],
    bare: 'context',
    written: ['2-2-2'],
    whenWritten: 'context',
    context: BANK,
    chance: 1,
    valid: (d, n) => !isOneDigit(d, n),
  },
  {
    entity: 'DE_TAX_ID',
    digits: [11],
    bare: 'context',
    written: ['2 3 3 3'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.004,
    valid: (d, n) => d[0] !== 0 && mod11And10(d, n) && hasOneRepetition(d),
  },
  {
    entity: 'DE_TAX_NUMBER',
    digits: [10, 11, 13],
    bare: 'context',
    written: ['2/3/5', '3/3/5', '3/4/4', '2/4/4', '3/3/4'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 1,
    // The thirteen digits of ELSTER begin with the number of an office; the shorter have no common check digit.
    valid: (d, n) => !isOneDigit(d, n) && (n !== 13 || numberOf(d, 0, 2) !== 0),
  },
  {
    entity: 'DE_LANR',
    digits: [9],
    bare: 'context',
    context: HEALTH | NATIONAL_ID,
    chance: 0.1,
    valid: (d) => (10 - (weighted(d, [4, 9, 4, 9, 4, 9]) % 10)) % 10 === d[6],
  },
  {
    entity: 'DE_BSNR',
    digits: [9],
    bare: 'context',
    context: HEALTH | NATIONAL_ID,
    chance: 0.33,
    // KBV: the association of physicians of a state.
    valid: (d) =>
      [
        1, 2, 3, 6, 7, 8, 17, 20, 31, 35, 38, 46, 47, 48, 49, 50, 51, 52, 55, 60, 61, 62, 71, 72, 73, 74, 78,
        83, 88, 93, 98, 99,
      ].includes(numberOf(d, 0, 2)),
  },
  {
    entity: 'POSTCODE',
    digits: [4, 5],
    bare: 'context',
    written: ['3 2', '2-3'],
    whenWritten: 'context',
    context: POSTCODE,
    chance: 1,
    valid: (d, n) => n === 4 || numberOf(d, 0, 5) > 1_000,
  },
  {
    entity: 'POSTCODE',
    digits: [7, 8, 9],
    bare: 'context',
    written: ['5-3', '5-4', '3-4'],
    whenWritten: 'context',
    context: POSTCODE,
    chance: 1,
    valid: () => true,
  },
  {
    entity: 'FR_NIR',
    digits: [15],
    bare: 'text',
    written: ['1 2 2 2 3 3 2', '1 2 2 2 3 3', '13 2'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.0055,
    // INSEE: sex, year, month (or a code for unknown), place; 97 less the remainder.
    valid(d) {
      const month = numberOf(d, 3, 5);
      const isMonth = (month >= 1 && month <= 12) || (month >= 20 && month <= 42) || month >= 50;
      const sex = d[0] ?? 0;
      const isSex = sex === 1 || sex === 2 || sex === 3 || sex === 4 || sex === 7 || sex === 8;
      return isSex && isMonth && 97 - remainder(d, 0, 13, 97) === numberOf(d, 13, 15);
    },
  },
  {
    entity: 'FR_SIREN',
    digits: [9],
    bare: 'context',
    written: ['3 3 3'],
    whenWritten: 'context',
    context: COMPANY,
    chance: 0.1,
    valid: (d, n) => luhn(d, n) && !isOneDigit(d, n),
  },
  {
    entity: 'FR_SIRET',
    digits: [14],
    bare: 'context',
    written: ['3 3 3 5'],
    whenWritten: 'always',
    context: COMPANY,
    chance: 0.1,
    valid: (d, n) => luhn(d, n) && !isOneDigit(d, n),
  },
  {
    entity: 'IT_PARTITA_IVA',
    digits: [11],
    bare: 'context',
    context: NATIONAL_ID | COMPANY,
    chance: 0.1,
    valid: (d, n) => luhn(d, n) && numberOf(d, 0, 7) !== 0,
  },
  {
    entity: 'PT_NIF',
    digits: [9],
    bare: 'context',
    written: ['3 3 3'],
    whenWritten: 'context',
    context: NATIONAL_ID | COMPANY,
    chance: 0.07,
    valid(d) {
      const check = 11 - (weighted(d, [9, 8, 7, 6, 5, 4, 3, 2]) % 11);
      return [1, 2, 3, 5, 6, 8, 9].includes(d[0] ?? 0) && (check > 9 ? 0 : check) === d[8];
    },
  },
  {
    entity: 'NL_BSN',
    digits: [8, 9],
    bare: 'context',
    written: ['4.2.3', '3.3.3', '4 2 3'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.093,
    valid: (d, n) =>
      !isOneDigit(d, n) &&
      (n === 9
        ? weighted(d, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0
        : weighted(d, [8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0),
  },
  {
    entity: 'BE_RIJKSREGISTERNUMMER',
    digits: [11],
    bare: 'context',
    written: ['2.2.2-3.2', '2.2.2-3-2', '6-3-2'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.0055,
    valid(d) {
      const month = numberOf(d, 2, 4) % 20;
      const check = numberOf(d, 9, 11);
      const isDate = month === 0 || isDay(numberOf(d, 4, 6), month) || numberOf(d, 4, 6) === 0;
      // Who was born from 2000 on has a 2 put before the nine digits.
      return isDate && (97 - remainder(d, 0, 9, 97) === check || 97 - remainder(d, 0, 9, 97, 2) === check);
    },
  },
  {
    entity: 'AT_SVNR',
    digits: [10],
    bare: 'context',
    written: ['4 6', '4-6'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.003,
    valid: (d) => d[0] !== 0 && isDateDMY(d, 4) && weighted(d, [3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11 === d[3],
  },
  {
    entity: 'CH_AHV',
    digits: [13],
    bare: 'always',
    written: ['3.4.4.2'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.0002,
    // GS1: EAN-13 under 756.
    valid: (d) =>
      numberOf(d, 0, 3) === 756 &&
      (10 - (weighted(d, [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]) % 10)) % 10 === d[12],
  },
  {
    entity: 'DK_CPR',
    digits: [10],
    bare: 'context',
    written: ['6-4', '6 4'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.039,
    hasNoCheck: true,
    // No check digit since 2007.
    valid: (d) => isDateDMY(d, 0) && numberOf(d, 6, 10) !== 0,
  },
  {
    entity: 'SE_PERSONNUMMER',
    digits: [10, 12],
    bare: 'context',
    written: ['6-4', '8-4', '6+4'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.0078,
    valid(d, n) {
      const from = n - 10;
      const day = numberOf(d, from + 4, from + 6);
      const isCentury = n === 10 || [18, 19, 20].includes(numberOf(d, 0, 2));
      // A coordination number has 60 added to the day.
      return (
        isCentury && isDay(day > 60 ? day - 60 : day, numberOf(d, from + 2, from + 4)) && luhn(d, 10, from)
      );
    },
  },
  {
    entity: 'SE_ORGANISATIONSNUMMER',
    digits: [10],
    bare: 'context',
    written: ['6-4'],
    whenWritten: 'always',
    context: COMPANY,
    chance: 0.08,
    valid: (d, n) => d[0] !== 0 && (d[2] ?? 0) >= 2 && luhn(d, n),
  },
  {
    entity: 'NO_FODSELSNUMMER',
    digits: [11],
    bare: 'context',
    written: ['6 5', '6-5'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.002,
    valid(d) {
      const day = numberOf(d, 0, 2);
      const month = numberOf(d, 2, 4);
      const isDate = isDay(
        day > 40 ? day - 40 : day,
        month > 80 ? month - 80 : month > 40 ? month - 40 : month,
      );
      const first = (11 - (weighted(d, [3, 7, 6, 1, 8, 9, 4, 5, 2]) % 11)) % 11;
      const second = (11 - (weighted(d, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11)) % 11;
      return isDate && first === d[9] && second === d[10];
    },
  },
  {
    entity: 'IS_KENNITALA',
    digits: [10],
    bare: 'context',
    written: ['6-4'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.0075,
    valid(d) {
      const day = numberOf(d, 0, 2);
      const check = (11 - (weighted(d, [3, 2, 7, 6, 5, 4, 3, 2]) % 11)) % 11;
      return isDay(day > 40 ? day - 40 : day, numberOf(d, 2, 4)) && check === d[8];
    },
  },
  {
    entity: 'LU_ID',
    digits: [13],
    bare: 'context',
    context: NATIONAL_ID,
    chance: 0.0001,
    valid: (d) => numberOf(d, 0, 4) >= 1880 && numberOf(d, 0, 4) <= 2099 && isDateYMD(d, 2) && luhn(d, 12),
  },
];

/** Since 2016 one digit of the first ten comes twice or three times; before it came twice. */
function hasOneRepetition(d: Uint8Array): boolean {
  let repeated = 0;
  for (let digit = 0; digit < 10; digit += 1) {
    let times = 0;
    for (let at = 0; at < 10; at += 1) if (d[at] === digit) times += 1;
    if (times > 3) return false;
    if (times > 1) repeated += 1;
  }
  return repeated === 1;
}
