import { describe, expect, it } from 'vitest';
import type { Catalog, CatalogFunction } from './catalog.ts';
import { FIRST_USER_OID } from './catalog-sql.ts';
import { calledEffects } from './function-effects.ts';

const IN_C: CatalogFunction = {
  oid: FIRST_USER_OID,
  schema: 'public',
  name: 'gen_salt',
  isAggregate: false,
  volatility: 'volatile',
  securityDefiner: false,
  language: 'c',
  trustedLanguage: false,
  owner: 'postgres',
  ownerIsSuperuser: true,
  hasAcl: false,
  argumentTypes: 'text',
  components: [],
};

function effectsOf(called: CatalogFunction): readonly string[] {
  const catalog: Catalog = {
    relations: new Map(),
    functions: new Map([[called.oid, called]]),
    operators: new Map(),
    types: new Map(),
    casts: [],
  };
  const facts = {
    commands: [],
    relations: [],
    functions: [called.oid],
    operators: [],
    types: [],
    expanded: true,
    unknown: [],
  };
  const rules = { builtIn: () => [], trustedOwners: new Set<string>() };
  return calledEffects(facts, catalog, rules).flatMap(({ effects }) => effects);
}

describe('functions in C', () => {
  it.each(['uuid_generate_v4', 'uuid_generate_v1mc', 'gen_random_uuid', 'gen_random_bytes', 'gen_salt'])(
    'takes %s for one that makes a value',
    (name) => {
      expect(effectsOf({ ...IN_C, name })).toEqual([]);
    },
  );

  it.each(['c', 'internal'])('takes an immutable one in %s for one that computes', (language) => {
    expect(effectsOf({ ...IN_C, name: 'l2_distance', volatility: 'immutable', language })).toEqual([]);
  });

  it.each([
    ['any other', { name: 'postgres_fdw_handler' }],
    [
      'one that calls itself immutable, and is not a superuser’s',
      { volatility: 'immutable', ownerIsSuperuser: false },
    ],
    [
      'one that calls itself immutable, and runs as its owner',
      { volatility: 'immutable', securityDefiner: true },
    ],
    ['one that calls itself stable', { name: 'crosstab', volatility: 'stable' }],
    ['one of that name that is not a superuser’s', { ownerIsSuperuser: false }],
    ['one of that name that runs as its owner', { securityDefiner: true }],
    ['one of that name in another language', { language: 'plpython3u' }],
  ] as const)('takes %s for what may do anything', (_what, changed) => {
    expect(effectsOf({ ...IN_C, ...changed })).toEqual(['host']);
  });
});
