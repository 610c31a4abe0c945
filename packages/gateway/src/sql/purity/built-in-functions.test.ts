import { describe, expect, it } from 'vitest';
import { functionKnowledge } from './built-in-functions.ts';

const RELEASES = [150_018, 160_014, 170_010, 180_004];

/** Oids of pg_proc.dat, which are the same in every release. */
const KNOWN: readonly (readonly [name: string, oid: number, kind: string])[] = [
  ['lower(text)', 870, 'pure'],
  ['count("any")', 2147, 'pure'],
  ['now()', 1299, 'pure'],
  ['query_to_xml', 2925, 'reader'],
  ['lo_get(oid)', 3458, 'reader'],
  ['current_setting(text)', 2077, 'pure'],
  ['pg_stat_get_activity', 2022, 'reader'],
  ['set_config', 2078, 'sink'],
  ['pg_notify', 3036, 'sink'],
  ['lo_from_bytea', 3457, 'sink'],
  ['setval', 1576, 'sink'],
  ['nextval', 1574, 'sink'],
  ['lo_tell', 958, 'opaque'],
  ['pg_sleep', 2626, 'sink'],
  ['ts_rewrite(tsquery, text)', 3685, 'opaque'],
];

describe.each(RELEASES)('functions of %i', (release) => {
  const functions = functionKnowledge(release);

  it.each(KNOWN)('%s (%i) is %s', (_, oid, kind) => {
    expect(functions.of(oid)).toBe(kind);
  });

  it('knows nothing of what initdb, users and extensions made, of no function and of what is no oid', () => {
    for (const oid of [0, -1, 1.5, Number.NaN, 12_000, 16_383, 16_384, 4_294_967_295]) {
      expect(functions.of(oid)).toBe('opaque');
      expect(functions.callsFunctionsOfTypes(oid)).toBe(true);
    }
  });

  it('takes the word of whoever declares a function pure, but not of one that it knows', () => {
    const declared = functionKnowledge(release, new Set([16_400, 2925]));
    expect(declared.of(16_400)).toBe('pure');
    expect(declared.of(2925)).toBe('reader');
  });

  it('says which call functions of types', () => {
    expect(functions.callsFunctionsOfTypes(3176)).toBe(true); // to_json(anyelement)
    expect(functions.callsFunctionsOfTypes(2147)).toBe(false); // count("any")
    expect(functions.callsFunctionsOfTypes(870)).toBe(false);
  });
});

it.each([0, 90_624, 140_012, 190_000, Number.NaN])('knows no function of release %d', (release) => {
  expect(functionKnowledge(release).of(870)).toBe('opaque');
});
