/**
 * The words of `detect`: groups of entities, and entities by their names → what the scanner may call them.
 *
 * Spec: spec/masking.md, section 8.2. One number can be of several schemes, and the scanner says one of them
 * (section 2.2): a word for numbers stands for everything that the scanner may say in its place, so that
 * nothing is shown because it has two names.
 */

import { CODES_EUROPE } from '../detect/codes-europe.ts';
import { CODES_WORLD } from '../detect/codes-world.ts';
import { entityNames } from '../detect/entities.ts';
import { NUMBER_DETECTORS } from '../detect/number-table.ts';
import { nearest } from './nearest.ts';

/** What Detectors of the installation find is `CUSTOM:NAME`. */
const CUSTOM = 'CUSTOM';
/** Stands for every one of them, whenever it was added. */
export const EVERY_DETECTOR = 'CUSTOM:*';
const ONE_DETECTOR = /^custom:([a-z0-9][a-z0-9_.@-]{0,62})$/;
/** Codes of things, of which no person is told by a number that could be another. */
const NOT_OF_PERSONS: ReadonlySet<string> = new Set([
  'BIC',
  'DE_COMMERCIAL_REGISTER',
  'DE_VEHICLE_REGISTRATION',
  'ICCID',
  'IMEI',
  'IN_VEHICLE_REGISTRATION',
  'NG_VEHICLE_REGISTRATION',
  'POSTCODE',
  'TR_VEHICLE_REGISTRATION',
  'UK_POSTCODE',
  'UK_VEHICLE_REGISTRATION',
  'VIN',
]);

/** The tables name their entities where they are read: this one has those that nobody has read yet. */
const OF_TABLES: readonly string[] = [
  ...new Set([...NUMBER_DETECTORS, ...CODES_EUROPE, ...CODES_WORLD].map(({ entity }) => entity)),
];
const OF_COUNTRIES: readonly string[] = OF_TABLES.filter((entity) => !NOT_OF_PERSONS.has(entity));
/** Cards are looked for first, so that some numbers of persons are called so. */
const PERSON_NUMBERS: readonly string[] = [...OF_COUNTRIES, 'NATIONAL_ID', 'MRZ', 'CREDIT_CARD'];
/** Numbers in the grouping of a country are looked for before telephones are. */
const TELEPHONES: readonly string[] = ['PHONE', ...OF_COUNTRIES, 'CREDIT_CARD'];

const GROUPS: Readonly<Record<string, readonly string[]>> = {
  bank: ['IBAN', ...PERSON_NUMBERS, 'BIC'],
  birth: ['DATE_OF_BIRTH'],
  card: ['CREDIT_CARD', 'CVV', 'TRACK_DATA'],
  crypto: ['CRYPTO_ADDRESS'],
  device: ['ICCID', 'IMEI', 'MAC_ADDRESS', 'VIN'],
  email: ['EMAIL'],
  geo: ['GEO'],
  iban: ['IBAN'],
  ip: ['IPV4', 'IPV6'],
  'national-id': PERSON_NUMBERS,
  phone: TELEPHONES,
  postcode: ['POSTCODE', 'UK_POSTCODE'],
  secret: ['JWT', 'PRIVATE_KEY', 'SECRET', 'URL_CREDENTIALS'],
  ssn: PERSON_NUMBERS,
  vehicle: [...NOT_OF_PERSONS].filter(
    (entity) => entity.endsWith('_VEHICLE_REGISTRATION') || entity === 'VIN',
  ),
};

/** Every entity that the scanner knows without rules of an installation. */
export const NAMED_ENTITIES: readonly string[] = [
  ...new Set([...entityNames().filter((name) => !name.startsWith(CUSTOM)), ...OF_TABLES]),
];

/** Every group and every entity, in lower case. */
export const DETECT_WORDS: readonly string[] = [
  'all',
  'custom',
  ...Object.keys(GROUPS),
  ...NAMED_ENTITIES.map((name) => name.toLowerCase()),
];

/** What the scanner calls what a Detector finds. */
export function detectorEntity(name: string): string {
  return `${CUSTOM}:${name}`;
}

/** Names of entities that a word stands for; undefined where it is none. */
export function entitiesOf(word: string): readonly string[] | undefined {
  const lower = word.toLowerCase();
  if (lower === 'all') return [...NAMED_ENTITIES, EVERY_DETECTOR];
  if (lower === 'custom') return [EVERY_DETECTOR];
  const one = ONE_DETECTOR.exec(word)?.[1];
  if (one !== undefined) return [detectorEntity(one)];
  if (Object.hasOwn(GROUPS, lower)) return GROUPS[lower];
  const name = word.toUpperCase().replaceAll('-', '_');
  if (!NAMED_ENTITIES.includes(name)) return undefined;
  if (name === 'PHONE') return TELEPHONES;
  return OF_COUNTRIES.includes(name) || name === 'NATIONAL_ID' ? PERSON_NUMBERS : [name];
}

/** What to say of a word that is none. */
export function wordProblem(word: string): string {
  const meant = nearest(word.toLowerCase().replaceAll('-', '_'), DETECT_WORDS);
  const groups = ['all', 'custom', 'custom:DETECTOR', ...Object.keys(GROUPS)].join(', ');
  return meant === undefined
    ? `"${word}" is nothing that is detected: expected ${groups}, or the name of an entity`
    : `"${word}" is nothing that is detected; did you mean "${meant}"?`;
}
