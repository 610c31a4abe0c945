/**
 * Whether digits are a telephone number of a country: asked of libphonenumber-js, behind a filter by length
 * and by the general pattern of a country, because most groups of digits are no number anywhere.
 */

import { parsePhoneNumberFromString } from 'libphonenumber-js/max';
import metadata from 'libphonenumber-js/max/metadata';

/** Countries whose national numbers are looked for where nothing else is said. */
const REGIONS_BY_DEFAULT: readonly string[] = [
  'US',
  'GB',
  'DE',
  'FR',
  'IT',
  'ES',
  'PT',
  'NL',
  'BE',
  'LU',
  'CH',
  'AT',
  'IE',
  'DK',
  'SE',
  'NO',
  'FI',
  'IS',
  'PL',
  'CZ',
  'SK',
  'HU',
  'SI',
  'HR',
  'GR',
  'CY',
  'AU',
  'NZ',
  'ZA',
  'IL',
  'JP',
  'KR',
  'IN',
  'BR',
  'MX',
  'TR',
];

/** For whoever names no countries; the tables of all of them are compiled once. */
let byDefault: PhoneNumbers | undefined;

/** Numbers of countries; of those by default where none are named. */
export function phoneNumbers(regions: readonly string[] | undefined): PhoneNumbers {
  if (regions !== undefined) return new PhoneNumbers(regions);
  byDefault ??= new PhoneNumbers(REGIONS_BY_DEFAULT);
  return byDefault;
}

type Country = keyof typeof metadata.countries;

interface Plan {
  readonly country: Country;
  /** What every national number matches, with or without the prefix that is dialled before it. */
  readonly pattern: RegExp;
}

/** Answers that are kept: a column tends to repeat itself. A power of two. */
const ANSWERS_MAX = 1_024;

/** The numbers of some countries. */
export class PhoneNumbers {
  readonly #plans: readonly Plan[];
  readonly #asked: string[] = Array.from({ length: ANSWERS_MAX }, () => '');
  readonly #keys = new Float64Array(ANSWERS_MAX);
  readonly #answers = new Uint8Array(ANSWERS_MAX);

  constructor(regions: readonly string[]) {
    this.#plans = regions.map(planOf);
  }

  /**
   * Whether digits, as they are dialled within one of the countries, are a number there and are grouped as
   * people group them there; `key` is that of number-table.ts, 0 for any grouping.
   */
  isNational(digits: Uint8Array, count: number, key: number): boolean {
    let text = '';
    let hash = key | 0;
    for (let at = 0; at < count; at += 1) {
      const digit = digits[at] ?? 0;
      text += String.fromCharCode(48 + digit);
      hash = (Math.imul(hash, 31) + digit) | 0;
    }
    const slot = (hash ^ (hash >>> 16)) & (ANSWERS_MAX - 1);
    if (this.#asked[slot] === text && this.#keys[slot] === key) return this.#answers[slot] === 1;
    const answer = this.#plans.some(
      ({ country, pattern }) => pattern.test(text) && isGroupedSo(text, country, key),
    );
    this.#asked[slot] = text;
    this.#keys[slot] = key;
    this.#answers[slot] = answer ? 1 : 0;
    return answer;
  }
}

/** Whether the first group is that of the national format; the rest may be grouped at will. */
function isGroupedSo(text: string, country: Country, key: number): boolean {
  const number = parsePhoneNumberFromString(text, country);
  if (number?.isValid() !== true) return false;
  if (key === 0) return true;
  const groups = number
    .formatNational()
    .split(/\D+/)
    .filter((group) => group !== '');
  if (groups.join('') !== text) return false;
  const lengths = key.toString(16);
  return (groups[0] ?? '').length === Number.parseInt(lengths[0] ?? '0', 16);
}

function planOf(region: string): Plan {
  const country = Object.keys(metadata.countries).find((known): known is Country => known === region);
  const plan: unknown = country === undefined ? undefined : metadata.countries[country];
  if (country === undefined || !Array.isArray(plan)) {
    throw new TypeError(`expected a country by ISO 3166-1 that has telephone numbers, not "${region}"`);
  }
  // Places of the compact form: 2 the pattern, 5 the national prefix.
  const pattern: unknown = plan[2];
  const prefix: unknown = plan[5];
  if (typeof pattern !== 'string') throw new TypeError(`expected a pattern for ${region} in the metadata`);
  const before = typeof prefix === 'string' && /^\d+$/.test(prefix) ? `(?:${prefix})?` : '';
  return { country, pattern: new RegExp(`^${before}(?:${pattern})$`) };
}

/** ITU-T E.164: 1 for a calling code that is assigned. No code begins with another. */
const CALLING_CODES = new Uint8Array(1_000);
for (const code of Object.keys(metadata.country_calling_codes)) CALLING_CODES[Number(code)] = 1;

/** How many digits of an international number, from a place on, are its calling code; 0 where there is none such. */
export function callingCodeLength(digits: Uint8Array, from: number, count: number): number {
  let code = 0;
  for (let at = 0; at < 3 && at < count; at += 1) {
    code = code * 10 + (digits[from + at] ?? 0);
    if (code === 0) return 0;
    if (CALLING_CODES[code] === 1) return at + 1;
  }
  return 0;
}
