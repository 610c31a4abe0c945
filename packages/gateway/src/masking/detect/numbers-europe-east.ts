/** Numbers of persons and companies of eastern and southern Europe. */

import {
  isDateDMY,
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

const { NATIONAL_ID, COMPANY } = CONTEXT;

export const NUMBERS_EUROPE_EAST: readonly NumberDetector[] = [
  {
    entity: 'PL_PESEL',
    digits: [11],
    bare: 'context',
    context: NATIONAL_ID,
    chance: 0.019,
    // The month carries the century: 80, 0, 20, 40, 60.
    valid: (d) =>
      isDay(numberOf(d, 4, 6), numberOf(d, 2, 4) % 20) &&
      (10 - (weighted(d, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10)) % 10 === d[10],
  },
  {
    entity: 'PL_NIP',
    digits: [10],
    bare: 'context',
    written: ['3-3-2-2', '3-2-2-3'],
    whenWritten: 'always',
    context: NATIONAL_ID | COMPANY,
    chance: 0.09,
    valid: (d) => d[0] !== 0 && weighted(d, [6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 === d[9],
  },
  {
    entity: 'PL_REGON',
    digits: [9, 14],
    bare: 'context',
    context: NATIONAL_ID | COMPANY,
    chance: 0.1,
    valid: (d, n) =>
      !isOneDigit(d, n) &&
      (n === 9
        ? (weighted(d, [8, 9, 2, 3, 4, 5, 6, 7]) % 11) % 10 === d[8]
        : (weighted(d, [2, 4, 8, 5, 0, 9, 7, 3, 6, 1, 2, 4, 8]) % 11) % 10 === d[13]),
  },
  {
    entity: 'CZ_RODNE_CISLO',
    digits: [9, 10],
    bare: 'context',
    written: ['6/4', '6/3'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.08,
    // Before 1954 without a check digit; women have 50 added to the month, and from 2004 20 may be added.
    valid(d, n) {
      const month = numberOf(d, 2, 4) % 50;
      if (!isDay(numberOf(d, 4, 6), month > 20 ? month - 20 : month)) return false;
      if (n === 9) return numberOf(d, 0, 2) < 54;
      const rest = remainder(d, 0, 9, 11);
      return (rest === 10 ? 0 : rest) === d[9];
    },
  },
  {
    entity: 'RO_CNP',
    digits: [13],
    bare: 'context',
    context: NATIONAL_ID,
    chance: 0.0038,
    valid(d) {
      const rest = weighted(d, [2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
      return d[0] !== 0 && isDay(numberOf(d, 5, 7), numberOf(d, 3, 5)) && (rest === 10 ? 1 : rest) === d[12];
    },
  },
  {
    entity: 'BG_EGN',
    digits: [10],
    bare: 'context',
    context: NATIONAL_ID,
    chance: 0.012,
    // The month has 20 added before 1900 and 40 from 2000 on.
    valid: (d) =>
      numberOf(d, 2, 4) <= 52 &&
      isDay(numberOf(d, 4, 6), numberOf(d, 2, 4) % 20) &&
      (weighted(d, [2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11) % 10 === d[9],
  },
  {
    entity: 'HR_OIB',
    digits: [11],
    bare: 'context',
    context: NATIONAL_ID,
    chance: 0.1,
    valid: (d, n) => mod11And10(d, n),
  },
  {
    entity: 'JMBG',
    digits: [13],
    bare: 'context',
    context: NATIONAL_ID,
    chance: 0.0034,
    // The states that came of Yugoslavia; EMŠO in Slovenia.
    valid(d) {
      const check = 11 - (weighted(d, [7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11);
      return isDateDMY(d, 0) && check !== 10 && (check === 11 ? 0 : check) === d[12];
    },
  },
  {
    entity: 'BALTIC_PERSONAL_CODE',
    digits: [11],
    bare: 'context',
    context: NATIONAL_ID,
    chance: 0.0032,
    // Lithuania’s asmens kodas and Estonia’s isikukood.
    valid(d) {
      const first = weighted(d, [1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
      const second = weighted(d, [3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11;
      const check = first < 10 ? first : second < 10 ? second : 0;
      const sex = d[0] ?? 0;
      return sex >= 1 && sex <= 8 && isDay(numberOf(d, 5, 7), numberOf(d, 3, 5)) && check === d[10];
    },
  },
  {
    entity: 'LV_PERSONAS_KODS',
    digits: [11],
    bare: 'context',
    written: ['6-5'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.0152,
    // Since 2017 numbers begin with 32 and say nothing else.
    valid: (d) =>
      numberOf(d, 0, 2) === 32 ||
      (isDateDMY(d, 0) && ((1 + weighted(d, [10, 5, 8, 4, 2, 1, 6, 3, 7, 9])) % 11) % 10 === d[10]),
  },
  {
    entity: 'GR_AMKA',
    digits: [11],
    bare: 'context',
    context: NATIONAL_ID,
    chance: 0.0037,
    valid: (d, n) => isDateDMY(d, 0) && luhn(d, n),
  },
  {
    entity: 'GR_AFM',
    digits: [9],
    bare: 'context',
    context: NATIONAL_ID | COMPANY,
    chance: 0.1,
    valid: (d, n) => !isOneDigit(d, n) && (weighted(d, [256, 128, 64, 32, 16, 8, 4, 2]) % 11) % 10 === d[8],
  },
  {
    entity: 'HU_TAX_ID',
    digits: [10],
    bare: 'context',
    context: NATIONAL_ID,
    chance: 0.0095,
    valid: (d) => d[0] === 8 && weighted(d, [1, 2, 3, 4, 5, 6, 7, 8, 9]) % 11 === d[9],
  },
  {
    entity: 'HU_TAJ',
    digits: [9],
    bare: 'context',
    written: ['3 3 3', '3-3-3'],
    whenWritten: 'context',
    context: NATIONAL_ID,
    chance: 0.1,
    valid: (d, n) => !isOneDigit(d, n) && weighted(d, [3, 7, 3, 7, 3, 7, 3, 7]) % 10 === d[8],
  },
  {
    entity: 'UA_RNOKPP',
    digits: [10],
    bare: 'context',
    context: NATIONAL_ID,
    chance: 0.1,
    valid: (d) => {
      const sum = weighted(d, [-1, 5, 7, 9, 4, 6, 10, 5, 7]);
      return (((sum % 11) + 11) % 11) % 10 === d[9];
    },
  },
  {
    entity: 'RU_INN',
    digits: [10, 12],
    bare: 'context',
    context: NATIONAL_ID | COMPANY,
    chance: 0.1,
    valid: (d, n) =>
      !isOneDigit(d, n) &&
      (n === 10
        ? (weighted(d, [2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11) % 10 === d[9]
        : (weighted(d, [7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11) % 10 === d[10] &&
          (weighted(d, [3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11) % 10 === d[11]),
  },
  {
    entity: 'RU_SNILS',
    digits: [11],
    bare: 'context',
    written: ['3-3-3 2', '3-3-3-2'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    chance: 0.01,
    valid: (d, n) =>
      !isOneDigit(d, n) && (weighted(d, [9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101) % 100 === numberOf(d, 9, 11),
  },
];
