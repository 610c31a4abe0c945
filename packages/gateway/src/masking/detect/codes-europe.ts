/** Codes of letters and digits of Europe. */

import {
  check731,
  checkMod11And10,
  isDateIn,
  luhnIn,
  numberIn,
  spanishLetter,
  textOf,
  valueOf,
  weightedIn,
} from './codes-checks.ts';
import { isDay } from './checksums.ts';
import type { CodeDetector } from './entities.ts';
import { CONTEXT } from './lexicon.ts';

const { NATIONAL_ID, COMPANY, TRAVEL, DRIVING, VEHICLE, POSTCODE, HEALTH } = CONTEXT;

const HETU_CHECK = '0123456789ABCDEFHJKLMNPRSTUVWXY';
const IE_CHECK = 'WABCDEFGHIJKLMNOPQRSTUV';
/** Areas of British number plates have no I, Q and Z. */
const PLATE_AREA = /^[A-HJ-PR-Y]{2}/;
const POSTCODE_UK =
  /^(?:GIR0AA|(?:[A-PR-UWYZ](?:\d[A-HJKPSTUW\d]?|[A-HK-Y]\d[ABEHMNPRVWXY\d]?))\d[ABD-HJLNP-UW-Z]{2})$/;

export const CODES_EUROPE: readonly CodeDetector[] = [
  {
    entity: 'UK_NINO',
    shapes: ['aa999999a'],
    when: 'always',
    written: ['2-2-2-2-1', '2-6-1', '8-1'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    // HMRC, NIM39110.
    valid: (c) =>
      !has('DFIQUV', c[0]) &&
      !has('DFIQUVO', c[1]) &&
      !['BG', 'GB', 'NK', 'KN', 'TN', 'NT', 'ZZ'].includes(textOf(c, 0, 2)) &&
      has('ABCD', c[8]),
  },
  {
    entity: 'UK_DRIVING_LICENCE',
    shapes: ['xxxxx999999xxxaa'],
    when: 'always',
    context: DRIVING,
    // DVLA: surname with 9 as filler, decade, month (50 added for women), day, year, initials.
    valid(c) {
      const month = numberIn(c, 6, 8) % 50;
      return (
        /^[A-Z]{1,5}9*$/.test(textOf(c, 0, 5)) && numberIn(c, 6, 8) <= 62 && isDay(numberIn(c, 8, 10), month)
      );
    },
  },
  {
    entity: 'UK_POSTCODE',
    shapes: ['a99aa', 'a999aa', 'aa99aa', 'aa999aa', 'a9a9aa', 'aa9a9aa', 'aaa9aa'],
    when: 'context',
    written: ['2-3', '3-3', '4-3'],
    whenWritten: 'context',
    context: POSTCODE,
    valid: (c, n) => POSTCODE_UK.test(textOf(c, 0, n)),
  },
  {
    entity: 'UK_VEHICLE_REGISTRATION',
    shapes: ['aa99aaa', 'a999aaa', 'a99aaa', 'a9aaa', 'aaa999a', 'aaa99a', 'aaa9a'],
    when: 'context',
    written: ['4-3', '3-3', '2-3', '3-4', '3-2', '3-1'],
    whenWritten: 'context',
    context: VEHICLE,
    valid(c, n) {
      const text = textOf(c, 0, n);
      if (!/^[A-Z]{2}\d/.test(text)) return !/[IQZ]/.test(text);
      const age = numberIn(c, 2, 4);
      return (
        PLATE_AREA.test(text) &&
        ((age >= 2 && age <= 29) || (age >= 51 && age <= 79)) &&
        !/[IQ]/.test(text.slice(4))
      );
    },
  },
  {
    entity: 'UK_PASSPORT',
    shapes: ['aa9999999'],
    when: 'context',
    context: TRAVEL,
    valid: () => true,
  },
  {
    entity: 'DE_ID_DOCUMENT',
    shapes: ['axxxxxxx9', 'axxxxxxx99'],
    when: 'context',
    context: TRAVEL | NATIONAL_ID,
    // Identity card and passport: CFGHJKLMNPRTVWXYZ and digits, ICAO check digit.
    valid(c, n) {
      const text = textOf(c, 0, 9);
      if (!/^[CFGHJKLMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ\d]{7}\d$/.test(text)) return false;
      return n === 9 ? /\d/.test(text.slice(1)) : check731(c, 0, 9) === (c[9] ?? 0) - 48;
    },
  },
  {
    entity: 'DE_HEALTH_INSURANCE',
    shapes: ['a999999999'],
    when: 'always',
    context: NATIONAL_ID | HEALTH,
    // GKV-Spitzenverband: the letter as two digits, then Luhn from the left.
    valid(c) {
      const letter = (c[0] ?? 65) - 64;
      let sum = crossSum(Math.floor(letter / 10)) + crossSum((letter % 10) * 2);
      for (let at = 1; at < 9; at += 1) {
        const digit = (c[at] ?? 48) - 48;
        sum += crossSum(at % 2 === 0 ? digit * 2 : digit);
      }
      return sum % 10 === (c[9] ?? 0) - 48;
    },
  },
  {
    entity: 'DE_SOCIAL_SECURITY',
    shapes: ['99999999a999'],
    when: 'always',
    written: ['2-6-1-3', '2-6-1-2-1'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    // DRV, VKVV §4: weights 2 1 2 5 7 1 2 1 2 1 2 1 over digit sums.
    valid(c) {
      const month = numberIn(c, 4, 6);
      const day = numberIn(c, 2, 4) % 50;
      if (!isDay(day || 1, month || 1)) return false;
      const letter = (c[8] ?? 65) - 64;
      const digits = [
        ...Array.from({ length: 8 }, (_, at) => (c[at] ?? 48) - 48),
        Math.floor(letter / 10),
        letter % 10,
        (c[9] ?? 48) - 48,
        (c[10] ?? 48) - 48,
      ];
      const weights = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
      const sum = digits.reduce((all, digit, at) => all + crossSum(digit * (weights[at] ?? 0)), 0);
      return sum % 10 === (c[11] ?? 0) - 48;
    },
  },
  {
    entity: 'DE_DRIVING_LICENCE',
    shapes: ['xxxxxxxxxxx'],
    when: 'context',
    context: DRIVING,
    valid: (c) => /^[A-Z0-9]\d{2}[A-Z0-9]{6}\d[A-Z0-9]$|^[A-Z]{2}\d{8}[A-Z\d]$/.test(textOf(c, 0, 11)),
  },
  {
    entity: 'DE_VEHICLE_REGISTRATION',
    shapes: [
      'aaa9',
      'aaaa9',
      'aaa99',
      'aaaa99',
      'aaa999',
      'aaaa999',
      'aaa9999',
      'aaaa9999',
      'aa9',
      'aa99',
      'aa999',
      'aa9999',
      'aaaaa9',
      'aaaaa99',
      'aaaaa999',
      'aaaaa9999',
    ],
    when: 'context',
    written: [
      '1-1-1',
      '1-1-2',
      '1-1-3',
      '1-1-4',
      '1-2-1',
      '1-2-2',
      '1-2-3',
      '1-2-4',
      '2-1-1',
      '2-1-2',
      '2-1-3',
      '2-1-4',
      '2-2-1',
      '2-2-2',
      '2-2-3',
      '2-2-4',
      '3-1-1',
      '3-1-2',
      '3-1-3',
      '3-1-4',
      '3-2-1',
      '3-2-2',
      '3-2-3',
      '3-2-4',
    ],
    whenWritten: 'context',
    context: VEHICLE,
    valid: () => true,
  },
  {
    entity: 'DE_COMMERCIAL_REGISTER',
    shapes: [
      'HRA9',
      'HRA99',
      'HRA999',
      'HRA9999',
      'HRA99999',
      'HRA999999',
      'HRB9',
      'HRB99',
      'HRB999',
      'HRB9999',
      'HRB99999',
      'HRB999999',
    ],
    when: 'context',
    written: ['3-1', '3-2', '3-3', '3-4', '3-5', '3-6'],
    whenWritten: 'always',
    context: COMPANY,
    valid: () => true,
  },
  {
    entity: 'ES_NIF',
    shapes: ['99999999a', '9999999a'],
    when: 'always',
    written: ['8-1', '7-1'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    valid: (c, n) => spanishLetter(numberIn(c, 0, n - 1)) === c[n - 1],
  },
  {
    entity: 'ES_NIE',
    shapes: ['a9999999a'],
    when: 'always',
    written: ['8-1', '1-7-1'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    valid: (c) =>
      has('XYZ', c[0]) && spanishLetter(((c[0] ?? 88) - 88) * 10_000_000 + numberIn(c, 1, 8)) === c[8],
  },
  {
    entity: 'ES_CIF',
    shapes: ['a99999999', 'a9999999a'],
    when: 'context',
    context: COMPANY | NATIONAL_ID,
    valid(c) {
      if (!has('ABCDEFGHJNPQRSUVW', c[0])) return false;
      let sum = 0;
      for (let at = 1; at <= 7; at += 1) {
        const digit = (c[at] ?? 48) - 48;
        sum += at % 2 === 0 ? digit : crossSum(digit * 2);
      }
      const check = (10 - (sum % 10)) % 10;
      return c[8] === 48 + check || c[8] === 'JABCDEFGHI'.charCodeAt(check);
    },
  },
  {
    entity: 'ES_PASSPORT',
    shapes: ['aaa999999', 'aaa999999a'],
    when: 'context',
    context: TRAVEL,
    valid: () => true,
  },
  {
    entity: 'IT_CODICE_FISCALE',
    shapes: ['aaaaaaxxaxxaxxxa'],
    when: 'always',
    context: NATIONAL_ID,
    valid: (c) => isCodiceFiscale(c),
  },
  {
    entity: 'IT_DOCUMENT',
    shapes: ['aa9999999', 'aa99999aa', '9999999aa', 'aa99999aa', 'U1xxxxxxxa', 'aa9999999a'],
    when: 'context',
    context: TRAVEL | NATIONAL_ID | DRIVING,
    valid: () => true,
  },
  {
    entity: 'FI_HENKILOTUNNUS',
    shapes: ['999999a999x'],
    when: 'always',
    context: NATIONAL_ID,
    // The letter says the century, since 2023 one of many.
    valid: (c) =>
      has('ABCDEFYXWVU', c[6]) &&
      isDateIn(c, 0, 2) &&
      HETU_CHECK.charCodeAt((numberIn(c, 0, 6) * 1_000 + numberIn(c, 7, 10)) % 31) === c[10],
  },
  {
    entity: 'FI_HENKILOTUNNUS',
    // Written with the hyphen of the twentieth century, which is left out here.
    shapes: ['999999999x'],
    when: 'context',
    written: ['6-4'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    valid: (c) => isDateIn(c, 0, 2) && HETU_CHECK.charCodeAt(numberIn(c, 0, 9) % 31) === c[9],
  },
  {
    entity: 'IE_PPS',
    shapes: ['9999999a', '9999999aa'],
    when: 'context',
    context: NATIONAL_ID,
    valid(c, n) {
      const second = n === 9 && c[8] !== 87 ? ((c[8] ?? 64) - 64) * 9 : 0;
      return IE_CHECK.charCodeAt((weightedIn(c, 0, [8, 7, 6, 5, 4, 3, 2]) + second) % 23) === c[7];
    },
  },
  {
    entity: 'FR_NIR',
    shapes: ['999992A99999999', '999992B99999999'],
    when: 'always',
    context: NATIONAL_ID,
    // Corsica: 2A stands for 19, 2B for 18.
    valid(c) {
      const place = c[6] === 65 ? 19 : 18;
      const value = BigInt(textOf(c, 0, 5) + String(place) + textOf(c, 7, 13));
      return 97 - Number(value % 97n) === numberIn(c, 13, 15);
    },
  },
  ...vatNumbers(),
];

/** Where the check digits of a country are not known, or differ by kind. */
function any(): boolean {
  return true;
}

/** Prefix, what follows, and whether the check digits are right. Council Directive 2006/112/EC, article 215. */
function vatNumbers(): readonly CodeDetector[] {
  type Row = readonly [
    prefix: string,
    shapes: readonly string[],
    valid: (code: Uint8Array, count: number) => boolean,
  ];
  const rows: readonly Row[] = [
    [
      'ATU',
      ['99999999'],
      (c) => {
        let sum = 4;
        for (let at = 0; at < 7; at += 1) {
          const digit = (c[3 + at] ?? 48) - 48;
          sum += at % 2 === 0 ? digit : crossSum(digit * 2);
        }
        return (10 - (sum % 10)) % 10 === (c[10] ?? 0) - 48;
      },
    ],
    ['BE', ['0999999999', '1999999999'], (c) => 97 - (numberIn(c, 2, 10) % 97) === numberIn(c, 10, 12)],
    ['BG', ['999999999', '9999999999'], any],
    ['CY', ['99999999a'], any],
    ['CZ', ['99999999', '999999999', '9999999999'], any],
    ['DE', ['999999999'], (c) => c[2] !== 48 && checkMod11And10(c, 2, 11)],
    ['DK', ['99999999'], (c) => weightedIn(c, 2, [2, 7, 6, 5, 4, 3, 2, 1]) % 11 === 0],
    ['EE', ['999999999'], (c) => weightedIn(c, 2, [3, 7, 1, 3, 7, 1, 3, 7, 1]) % 10 === 0],
    [
      'EL',
      ['999999999'],
      (c) => (weightedIn(c, 2, [256, 128, 64, 32, 16, 8, 4, 2]) % 11) % 10 === (c[10] ?? 0) - 48,
    ],
    ['ES', ['x9999999x'], any],
    [
      'FI',
      ['99999999'],
      (c) => (11 - (weightedIn(c, 2, [7, 9, 10, 5, 8, 4, 2]) % 11)) % 11 === (c[9] ?? 0) - 48,
    ],
    ['FR', ['99999999999'], (c) => (12 + 3 * (numberIn(c, 4, 13) % 97)) % 97 === numberIn(c, 2, 4)],
    ['HR', ['99999999999'], (c) => checkMod11And10(c, 2, 13)],
    ['HU', ['99999999'], (c) => weightedIn(c, 2, [9, 7, 3, 1, 9, 7, 3, 1]) % 10 === 0],
    ['IE', ['9999999a', '9999999aa', '9x99999a'], any],
    ['IT', ['99999999999'], (c) => luhnIn(c, 2, 13)],
    ['LT', ['999999999', '999999999999'], any],
    ['LU', ['99999999'], (c) => numberIn(c, 2, 8) % 89 === numberIn(c, 8, 10)],
    ['LV', ['99999999999'], any],
    ['MT', ['99999999'], (c) => weightedIn(c, 2, [3, 4, 6, 7, 8, 9, 10, 1]) % 37 === 0],
    ['NL', ['999999999B99'], any],
    ['PL', ['9999999999'], (c) => weightedIn(c, 2, [6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 === (c[11] ?? 0) - 48],
    [
      'PT',
      ['999999999'],
      (c) => {
        const check = 11 - (weightedIn(c, 2, [9, 8, 7, 6, 5, 4, 3, 2]) % 11);
        return (check > 9 ? 0 : check) === (c[10] ?? 0) - 48;
      },
    ],
    ['RO', ['99999999', '999999999', '9999999999'], any],
    ['SE', ['999999999901'], (c) => luhnIn(c, 2, 12)],
    [
      'SI',
      ['99999999'],
      (c) => {
        const check = 11 - (weightedIn(c, 2, [8, 7, 6, 5, 4, 3, 2]) % 11);
        return (check === 10 ? 0 : check) === (c[9] ?? 0) - 48;
      },
    ],
    ['SK', ['9999999999'], (c) => numberIn(c, 2, 12) % 11 === 0],
  ];
  return rows.map(([prefix, shapes, valid]) => ({
    entity: 'EU_VAT',
    shapes: shapes.map((shape) => prefix + shape),
    when: valid === any ? 'context' : 'always',
    written: ['2-3-3-3', '2-9', '2-4-3-3', '2-2-3-3-3', '2-11', '2-8', '2-10', '2-4-4'],
    whenWritten: valid === any ? 'context' : 'always',
    context: NATIONAL_ID | COMPANY,
    valid,
  }));
}

function has(characters: string, byte: number | undefined): boolean {
  return byte !== undefined && characters.includes(String.fromCharCode(byte));
}

function crossSum(value: number): number {
  return Math.floor(value / 10) + (value % 10);
}

/** What characters in odd places count; those in even places count as they are. */
const ODD = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
/** Letters that stand for digits where two persons would have the same code. */
const OMOCODIA = 'LMNPQRSTUV';

/** DM 23.12.1976: name, year, month letter, day (40 added for women), place, check letter. */
function isCodiceFiscale(code: Uint8Array): boolean {
  for (const at of [6, 7, 9, 10, 12, 13, 14]) {
    const byte = code[at] ?? 0;
    if (byte >= 65 && !has(OMOCODIA, byte)) return false;
  }
  if (!has('ABCDEHLMPRST', code[8])) return false;
  let sum = 0;
  for (let at = 0; at < 15; at += 1) {
    const value = valueOf(code[at] ?? 48);
    const index = value >= 10 ? value - 10 : value;
    sum += at % 2 === 0 ? (ODD[index] ?? 0) : index;
  }
  return 65 + (sum % 26) === code[15];
}
