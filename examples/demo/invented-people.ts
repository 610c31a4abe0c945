/**
 * Customers who do not exist, with numbers that pass every check a detector makes.
 *
 * Mail at example.com, telephone numbers from ranges reserved for fiction, US social security numbers
 * from an area that is never given out, card numbers in a test range, IBANs of a bank "TEST".
 */

import type { SeededRandom } from './random.ts';

export interface Customer {
  readonly customer_id: number;
  readonly full_name: string;
  readonly email: string;
  readonly phone: string;
  readonly national_id: string;
  readonly date_of_birth: string;
  readonly iban: string;
  readonly card_number: string;
  readonly country: string;
  readonly created_at: string;
}

const FIRST =
  'Ada Amir Anna Bela Carla Chidi Dana Elif Emil Farah Goran Hana Ines Ivan Jonas Kaja Lena Liam Maja Mateo Mina Nadia Noah Olga Omar Paula Priya Quinn Rosa Sami Tomas Uma Vera Wei Yara Zoe'.split(
    ' ',
  );
const LAST =
  'Adeyemi Becker Castillo Dubois Eriksen Fischer Garcia Haddad Ito Jansen Kowalski Lindqvist Moreau Nguyen Okafor Petrov Quist Rossi Schmidt Tanaka Ueda Varga Weber Xu Yilmaz Zeman'.split(
    ' ',
  );

/** One customer; the id keeps the mail address unique. */
export function inventCustomer(random: SeededRandom, id: number): Customer {
  const first = random.pick(FIRST);
  const last = random.pick(LAST);
  const country = random.pick(['US', 'GB', 'DE', 'NL']);
  return {
    customer_id: id,
    full_name: `${first} ${last}`,
    email: `${first}.${last}.${id}@example.com`.toLowerCase(),
    phone:
      country === 'US'
        ? `+1-${200 + random.below(700)}-555-01${random.digits(2)}`
        : `+44 7700 900${random.digits(3)}`,
    national_id: `9${random.digits(2)}-${random.digits(2)}-${random.digits(4)}`,
    date_of_birth: `${1950 + random.below(55)}-${two(1 + random.below(12))}-${two(1 + random.below(28))}`,
    iban: inventIban(random, country),
    card_number: withLuhn(`400000${random.digits(9)}`),
    country,
    created_at: inventTime(random, 2024),
  };
}

/** A time in the given year, UTC. */
export function inventTime(random: SeededRandom, year: number): string {
  const date = `${year}-${two(1 + random.below(12))}-${two(1 + random.below(28))}`;
  return `${date}T${two(random.below(24))}:${two(random.below(60))}:${two(random.below(60))}Z`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

function inventIban(random: SeededRandom, country: string): string {
  const accounts: Readonly<Record<string, string>> = {
    DE: `00000000${random.digits(10)}`,
    NL: `TEST0${random.digits(9)}`,
  };
  const code = country === 'US' ? 'GB' : country;
  return withMod97(code, accounts[code] ?? `TEST000000${random.digits(8)}`);
}

/** ISO 7064 MOD 97-10: letters count from 10, and the whole modulo 97 is 1. */
function withMod97(country: string, account: string): string {
  let rest = 0;
  for (const letter of `${account}${country}00`) {
    rest = Number(`${rest}${Number.parseInt(letter, 36)}`) % 97;
  }
  return `${country}${two(98 - rest)}${account}`;
}

/** ISO/IEC 7812-1, annex B: every second digit from the right doubled; the sum ends in 0. */
function withLuhn(digits: string): string {
  let sum = 0;
  for (const [index, digit] of digits.split('').toReversed().entries()) {
    const value = Number(digit) * (index % 2 === 0 ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  }
  return `${digits}${(10 - (sum % 10)) % 10}`;
}
