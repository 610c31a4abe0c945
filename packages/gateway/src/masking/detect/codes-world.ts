/** Codes of letters and digits of the rest of the world, and of no country. */

import { isDay } from './checksums.ts';
import { check731, isDateIn, numberIn, textOf, valueOf, weightedIn } from './codes-checks.ts';
import type { CodeDetector } from './entities.ts';
import { CONTEXT } from './lexicon.ts';
import { isChineseId } from './numbers-asia-africa.ts';

const { NATIONAL_ID, COMPANY, TRAVEL, DRIVING, VEHICLE, BANK, HEALTH, VOTER } = CONTEXT;

const MBI =
  /^[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d[AC-HJKMNP-RT-Y]{2}\d{2}$/;
const NRIC_ST = 'JZIHGFEDCBA';
const NRIC_FG = 'XWUTRQPNMLK';
const NRIC_M = 'XWUTRQPNJLK';
const COUNTRIES =
  'AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BM BN BO BR BS BT BW BY BZ CA CD CF CG CH CI CL CM CN CO CR CU CV CW CY CZ DE DJ DK DM DO DZ EC EE EG ER ES ET FI FJ FO FR GA GB GD GE GG GH GI GL GM GN GQ GR GT GW GY HK HN HR HT HU ID IE IL IM IN IQ IR IS IT JE JM JO JP KE KG KH KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MG MK ML MM MN MO MR MT MU MV MW MX MY MZ NA NE NG NI NL NO NP NZ OM PA PE PG PH PK PL PS PT PY QA RO RS RU RW SA SB SC SD SE SG SI SK SL SM SN SO SR SS ST SV SY SZ TD TG TH TJ TL TM TN TO TR TT TW TZ UA UG US UY UZ VA VC VE VG VN VU WS XK YE ZA ZM ZW';
const COUNTRY_CODES = new Set(COUNTRIES.split(' '));

export const CODES_WORLD: readonly CodeDetector[] = [
  {
    entity: 'US_MBI',
    shapes: ['9ax9ax9aa99'],
    when: 'always',
    written: ['4-3-4'],
    whenWritten: 'always',
    context: HEALTH | NATIONAL_ID,
    // CMS: no S, L, O, I, B, Z.
    valid: (c) => MBI.test(textOf(c, 0, 11)),
  },
  {
    entity: 'US_DEA',
    shapes: ['aa9999999', 'a99999999'],
    when: 'context',
    context: HEALTH,
    valid: (c) => {
      const at = (index: number): number => (c[index] ?? 48) - 48;
      return (
        /^[ABCDEFGHJKLMPRSTUX]/.test(textOf(c, 0, 1)) &&
        (at(2) + at(4) + at(6) + 2 * (at(3) + at(5) + at(7))) % 10 === at(8)
      );
    },
  },
  {
    entity: 'US_PASSPORT',
    shapes: ['a99999999', '999999999'],
    when: 'context',
    context: TRAVEL,
    valid: () => true,
  },
  {
    entity: 'US_DRIVING_LICENCE',
    shapes: [
      'a9999999',
      'a99999999',
      'a999999999',
      'a99999999999',
      'a999999999999',
      'a99999999999999',
      'aa999999',
      'aa999999a',
      'aa9999999',
      'a9999999999999',
      '99aaa99999',
    ],
    when: 'context',
    context: DRIVING,
    valid: () => true,
  },
  {
    entity: 'VIN',
    shapes: ['xxxxxxxxxxxxx9999', 'xxxxxxxxxxxxxx999'],
    when: 'context',
    context: VEHICLE,
    // ISO 3779: no I, O, Q. The check digit of 49 CFR 565 is not used everywhere.
    valid: (c) => {
      const text = textOf(c, 0, 17);
      return /^[A-HJ-NPR-Z0-9]{17}$/.test(text) && /[A-Z]/.test(text);
    },
  },
  {
    entity: 'BIC',
    shapes: ['aaaaaaxx', 'aaaaaaxxxxx'],
    when: 'context',
    context: BANK,
    valid: (c) => COUNTRY_CODES.has(textOf(c, 4, 6)),
  },
  {
    entity: 'MX_CURP',
    shapes: ['aaaa999999aaaaaax9'],
    when: 'always',
    context: NATIONAL_ID,
    valid(c) {
      if (!isDateIn(c, 8, 6) || !/^[HMX]$/.test(textOf(c, 10, 11))) return false;
      const alphabet = '0123456789ABCDEFGHIJKLMN\u00d1OPQRSTUVWXYZ';
      let sum = 0;
      for (let at = 0; at < 17; at += 1) sum += alphabet.indexOf(textOf(c, at, at + 1)) * (18 - at);
      return (10 - (sum % 10)) % 10 === (c[17] ?? 0) - 48;
    },
  },
  {
    entity: 'MX_RFC',
    shapes: ['aaaa999999xxx', 'aaa999999xxx'],
    when: 'context',
    context: NATIONAL_ID | COMPANY,
    valid: (c, n) => isDay(numberIn(c, n - 5, n - 3), numberIn(c, n - 7, n - 5)),
  },
  {
    entity: 'CL_RUT',
    shapes: ['99999999K', '9999999K'],
    when: 'context',
    written: ['8-1', '7-1', '2-3-3-1', '1-3-3-1'],
    whenWritten: 'always',
    context: NATIONAL_ID,
    valid: (c, n) => weightedIn(c, 0, [3, 2, 7, 6, 5, 4, 3, 2].slice(9 - n)) % 11 === 1,
  },
  {
    entity: 'IN_PAN',
    shapes: ['aaaaa9999a'],
    when: 'always',
    context: NATIONAL_ID,
    // The fourth letter says whose it is.
    valid: (c) => 'PCHFATBLJGN'.includes(textOf(c, 3, 4)) && numberIn(c, 5, 9) !== 0,
  },
  {
    entity: 'IN_GSTIN',
    shapes: ['99aaaaa9999axZx'],
    when: 'always',
    context: NATIONAL_ID | COMPANY,
    // The last character is a check over 36; who types one wrong still has a state and a PAN in it.
    valid: (c) => numberIn(c, 0, 2) >= 1 && numberIn(c, 0, 2) <= 37 && c[12] !== 48,
  },
  {
    entity: 'IN_VOTER_ID',
    shapes: ['aaa9999999'],
    when: 'context',
    context: VOTER | NATIONAL_ID,
    valid: () => true,
  },
  {
    entity: 'IN_PASSPORT',
    shapes: ['a9999999'],
    when: 'context',
    context: TRAVEL,
    valid: (c) => c[1] !== 48,
  },
  {
    entity: 'IN_VEHICLE_REGISTRATION',
    shapes: ['aa99a9999', 'aa99aa9999', 'aa99aaa9999', 'aa9aa9999', 'aa9aaa9999'],
    when: 'context',
    written: ['2-2-1-4', '2-2-2-4', '4-1-4', '4-2-4'],
    whenWritten: 'context',
    context: VEHICLE,
    valid: () => true,
  },
  {
    entity: 'CN_RESIDENT_ID',
    shapes: ['99999999999999999x'],
    when: 'always',
    context: NATIONAL_ID,
    valid(c) {
      if (c[17] !== 88) return false;
      const digits = Uint8Array.from({ length: 17 }, (_, at) => (c[at] ?? 48) - 48);
      return isChineseId(digits, 10);
    },
  },
  {
    entity: 'CN_PASSPORT',
    shapes: ['a99999999', 'aa9999999'],
    when: 'context',
    context: TRAVEL,
    valid: (c) => 'EGDSPH'.includes(textOf(c, 0, 1)),
  },
  {
    entity: 'SG_NRIC',
    shapes: ['a9999999a'],
    when: 'always',
    context: NATIONAL_ID,
    valid(c) {
      const kind = textOf(c, 0, 1);
      const sum = weightedIn(c, 1, [2, 7, 6, 5, 4, 3, 2]);
      const last = textOf(c, 8, 9);
      if (kind === 'S') return NRIC_ST[sum % 11] === last;
      if (kind === 'T') return NRIC_ST[(sum + 4) % 11] === last;
      if (kind === 'F') return NRIC_FG[sum % 11] === last;
      if (kind === 'G') return NRIC_FG[(sum + 4) % 11] === last;
      return kind === 'M' && NRIC_M[(sum + 3) % 11] === last;
    },
  },
  {
    entity: 'SG_UEN',
    shapes: ['99999999a', '999999999a', 'a99aa9999a'],
    when: 'context',
    context: COMPANY | NATIONAL_ID,
    valid: (c, n) => n !== 10 || valueOf(c[0] ?? 0) < 10 || 'RST'.includes(textOf(c, 0, 1)),
  },
  {
    entity: 'HK_HKID',
    shapes: ['a999999x', 'aa999999x'],
    when: 'context',
    context: NATIONAL_ID,
    valid(c, n) {
      // A missing first letter counts as a space, 36.
      let sum = n === 8 ? 36 * 9 : valueOf(c[0] ?? 0) * 9;
      for (let at = n - 8; at < n - 1; at += 1) sum += valueOf(c[at] ?? 0) * (n - at);
      const check = (11 - (sum % 11)) % 11;
      return check === 10 ? c[n - 1] === 65 : c[n - 1] === 48 + check;
    },
  },
  {
    entity: 'TW_ID',
    shapes: ['a999999999'],
    when: 'context',
    context: NATIONAL_ID,
    valid(c) {
      const value = 10 + 'ABCDEFGHJKLMNPQRSTUVXYWZIO'.indexOf(textOf(c, 0, 1));
      const sum = Math.floor(value / 10) + (value % 10) * 9 + weightedIn(c, 1, [8, 7, 6, 5, 4, 3, 2, 1, 1]);
      return (c[1] === 49 || c[1] === 50 || c[1] === 56 || c[1] === 57) && sum % 10 === 0;
    },
  },
  {
    entity: 'KR_PASSPORT',
    shapes: ['a999a9999', 'a99999999'],
    when: 'context',
    context: TRAVEL,
    valid: (c) => 'MSROD'.includes(textOf(c, 0, 1)),
  },
  {
    entity: 'NG_VEHICLE_REGISTRATION',
    shapes: ['aaa999aa'],
    when: 'context',
    written: ['3-5'],
    whenWritten: 'context',
    context: VEHICLE,
    valid: () => true,
  },
  {
    entity: 'TR_VEHICLE_REGISTRATION',
    shapes: [
      '99a9999',
      '99a99999',
      '99aa999',
      '99aa9999',
      '99aaa99',
      '99aaa999',
      '99a999',
      '99aa99',
      '99a99',
      '99aaa9999',
    ],
    when: 'context',
    written: ['2-1-2', '2-1-3', '2-1-4', '2-1-5', '2-2-2', '2-2-3', '2-2-4', '2-3-2', '2-3-3', '2-3-4'],
    whenWritten: 'context',
    context: VEHICLE,
    valid: (c) => numberIn(c, 0, 2) >= 1 && numberIn(c, 0, 2) <= 81,
  },
];

/**
 * A line of the machine-readable zone of a passport or a card: ICAO Doc 9303, check digits of number, date
 * of birth and date of expiry, in the second line of 44 or 36 characters.
 */
export function isMachineReadableLine(code: Uint8Array, from: number, length: number): boolean {
  if (length !== 44 && length !== 36) return false;
  const digit = (at: number): number => (code[from + at] ?? 0) - 48;
  return (
    check731(code, from, from + 9) === digit(9) &&
    check731(code, from + 13, from + 19) === digit(19) &&
    check731(code, from + 21, from + 27) === digit(27)
  );
}
