/**
 * `fake`: a value that looks like one of its kind and is nobody's, the same one each time.
 *
 * Spec: spec/masking-operators.md, section 1. Addresses and numbers are of those that are set aside for
 * examples: RFC 2606 (`.invalid`), RFC 5737 and RFC 3849 (documentation networks), the North American 555-01xx
 * and Ofcom's numbers for drama. Names are few: two people often get the same one, and joins do not hold.
 */

import type { PurposeKeys } from './key-ring.ts';
import { compactOf, keyed } from './tokens.ts';

const FIRST_NAMES =
  'Alex Amal Anna Ben Carla Chen Clara Daniel David Elena Emil Emma Felix Finn Grace Hana Hugo Ida Ines Ivan Jan Jana Jonas Julia Kai Karl Lara Lea Leo Lina Luca Lucia Maja Marco Maria Mark Mia Mila Nadia Nico Nina Noah Nora Olga Oscar Paul Petra Rafael Rosa Sam Sara Simon Sofia Tara Theo Tina Tom Uma Vera Victor Yara Yusuf Zoe Zora'.split(
    ' ',
  );
const LAST_NAMES =
  'Adler Baker Bauer Berg Blanc Brown Castro Costa Cruz Dahl Diaz Evans Fischer Fontaine Ford Garcia Gray Gruber Haas Hill Horvat Ivanov Jensen Jones Keller Kim Klein Kovac Lang Larsen Lee Leroy Lopez Marin Martin Meyer Moreau Nagy Novak Nunes Olsen Ortega Park Petrov Popov Reed Ricci Rossi Roux Santos Sato Schmidt Silva Simon Smith Stone Tanaka Torres Vogel Wagner Weber White Wolf Young'.split(
    ' ',
  );
const STREETS =
  'Birch Street|Bridge Street|Cedar Avenue|Chapel Lane|Church Road|Elm Street|Forest Road|Garden Street|Hill Road|King Street|Lake Avenue|Maple Street|Market Square|Mill Lane|Oak Avenue|Park Road|Pine Street|Queen Street|River Road|School Lane|Spring Street|Station Road|Sunset Avenue|Valley Road|Victoria Street|Walnut Street|Water Lane|Well Street|West Avenue|Willow Road|Windmill Lane|York Street'.split(
    '|',
  );
const CITIES =
  'Ashford|Bayview|Brookside|Cedarville|Claremont|Easton|Fairview|Glenwood|Greenfield|Hillcrest|Kingsport|Lakeside|Lindenau|Milltown|Newbridge|Northfield|Oakdale|Parkville|Pinehurst|Redwater|Ridgeway|Riverton|Rosewood|Southgate|Springdale|Stonebridge|Summerfield|Waterford|Westbrook|Whitehall|Willowbrook|Woodside'.split(
    '|',
  );

/** Numbers that the value alone decides. */
type Pick = (count: number) => number;

interface Faked {
  readonly pick: Pick;
  readonly keys: PurposeKeys;
  readonly entity: string;
  readonly value: Uint8Array;
  readonly text: string;
}

const BY_ENTITY: Readonly<Record<string, (faked: Faked) => string>> = {
  PERSON: ({ pick }) => `${from(FIRST_NAMES, pick)} ${from(LAST_NAMES, pick)}`,
  FIRST_NAME: ({ pick }) => from(FIRST_NAMES, pick),
  LAST_NAME: ({ pick }) => from(LAST_NAMES, pick),
  ADDRESS: ({ pick }) => `${pick(199) + 1} ${from(STREETS, pick)}, ${from(CITIES, pick)}`,
  STREET: ({ pick }) => `${pick(199) + 1} ${from(STREETS, pick)}`,
  CITY: ({ pick }) => from(CITIES, pick),
  EMAIL: ({ keys, entity, value }) =>
    `user-${compactOf(keys, 'tok', entity, value).slice('tok_'.length)}@example.invalid`,
  PHONE: ({ pick, text }) =>
    /^(\+44|0044|07)/.test(text.replace(/[^+\d]/g, ''))
      ? `+44 7700 900${padded(pick(1_000), 3)}`
      : `+1-${201 + pick(700)}-555-01${padded(pick(100), 2)}`,
  IP_ADDRESS: ({ pick, text }) => (text.includes(':') ? fakeSix(pick) : fakeFour(pick)),
  IPV4: ({ pick }) => fakeFour(pick),
  IPV6: ({ pick }) => fakeSix(pick),
};

/** Whether there is anything to make up for an entity; for others `fake` is `redact`. */
export function isFaked(entity: string): boolean {
  return Object.hasOwn(BY_ENTITY, entity);
}

/** A made-up text for a text; undefined for an entity that has none. */
export function fakeText(
  keys: PurposeKeys,
  entity: string,
  value: Uint8Array,
  text: string,
): string | undefined {
  return BY_ENTITY[entity]?.({ pick: picker(keys, entity, value), keys, entity, value, text });
}

/** Thirty-two bits for each pick, of which a remainder of at most a thousand shows no bias that matters. */
function picker(keys: PurposeKeys, entity: string, value: Uint8Array): Pick {
  const bytes = keyed(keys.pick, 'fake', entity, value);
  const view = new DataView(bytes.buffer);
  let next = 0;
  return (count) => {
    const number = view.getUint32(next);
    next += 4;
    return number % count;
  };
}

function from(list: readonly string[], pick: Pick): string {
  return list[pick(list.length)] ?? '';
}

function fakeFour(pick: Pick): string {
  const networks = ['192.0.2', '198.51.100', '203.0.113'];
  return `${from(networks, pick)}.${pick(254) + 1}`;
}

function fakeSix(pick: Pick): string {
  return `2001:db8::${pick(0x1_0000).toString(16)}:${pick(0x1_0000).toString(16)}`;
}

function padded(number: number, digits: number): string {
  return String(number).padStart(digits, '0');
}
