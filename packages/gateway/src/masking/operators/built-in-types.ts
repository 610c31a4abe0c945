/**
 * The types that every database has, by their OIDs. Spec: PostgreSQL 18, `src/include/catalog/pg_type.dat`.
 *
 * Types of users and extensions have other OIDs in each database: whoever asked the catalog describes them.
 */

import type { TypeDescription } from './operator.ts';

/** Name, OID, OID of its array. */
const BASE: readonly (readonly [name: string, oid: number, arrayOid: number])[] = [
  ['bool', 16, 1000],
  ['bytea', 17, 1001],
  ['char', 18, 1002],
  ['name', 19, 1003],
  ['int8', 20, 1016],
  ['int2', 21, 1005],
  ['int4', 23, 1007],
  ['text', 25, 1009],
  ['oid', 26, 1028],
  ['xid', 28, 1011],
  ['json', 114, 199],
  ['xml', 142, 143],
  ['point', 600, 1017],
  ['lseg', 601, 1018],
  ['path', 602, 1019],
  ['box', 603, 1020],
  ['polygon', 604, 1027],
  ['line', 628, 629],
  ['cidr', 650, 651],
  ['float4', 700, 1021],
  ['float8', 701, 1022],
  ['circle', 718, 719],
  ['macaddr8', 774, 775],
  ['money', 790, 791],
  ['macaddr', 829, 1040],
  ['inet', 869, 1041],
  ['bpchar', 1042, 1014],
  ['varchar', 1043, 1015],
  ['date', 1082, 1182],
  ['time', 1083, 1183],
  ['timestamp', 1114, 1115],
  ['timestamptz', 1184, 1185],
  ['interval', 1186, 1187],
  ['timetz', 1266, 1270],
  ['bit', 1560, 1561],
  ['varbit', 1562, 1563],
  ['numeric', 1700, 1231],
  ['uuid', 2950, 2951],
  ['pg_lsn', 3220, 3221],
  ['tsvector', 3614, 3643],
  ['tsquery', 3615, 3645],
  ['jsonb', 3802, 3807],
  ['jsonpath', 4072, 4073],
];

/** Subtype, OIDs of the range, its array, the multirange and its array. */
const RANGES: readonly (readonly [subtype: string, ...oids: readonly [number, number, number, number]])[] = [
  ['int4', 3904, 3905, 4451, 6150],
  ['numeric', 3906, 3907, 4532, 6151],
  ['timestamp', 3908, 3909, 4533, 6152],
  ['timestamptz', 3910, 3911, 4534, 6153],
  ['date', 3912, 3913, 4535, 6155],
  ['int8', 3926, 3927, 4536, 6157],
];

const RECORD_OID = 2249;
const RECORD_ARRAY_OID = 2287;

const TYPES: ReadonlyMap<number, (typmod: number) => TypeDescription> = describeTypes();

/** The type of an OID, or `unknown`, whose values become NULL. */
export function builtInType(oid: number, typmod = -1): TypeDescription {
  return TYPES.get(oid)?.(typmod) ?? { kind: 'unknown' };
}

function describeTypes(): ReadonlyMap<number, (typmod: number) => TypeDescription> {
  const types = new Map<number, (typmod: number) => TypeDescription>();
  const add = (oid: number, arrayOid: number, describe: (typmod: number) => TypeDescription): void => {
    // PostgreSQL delimits with commas, and boxes, which have commas inside, with semicolons.
    const delimiter = oid === 603 ? ';' : ',';
    types.set(oid, describe);
    types.set(arrayOid, (typmod) => ({ kind: 'array', element: describe(typmod), delimiter }));
  };
  for (const [name, oid, arrayOid] of BASE) add(oid, arrayOid, (typmod) => ({ kind: 'base', name, typmod }));
  for (const [name, rangeOid, arrayOid, multirangeOid, multirangeArrayOid] of RANGES) {
    const subtype: TypeDescription = { kind: 'base', name, typmod: -1 };
    add(rangeOid, arrayOid, () => ({ kind: 'range', subtype }));
    add(multirangeOid, multirangeArrayOid, () => ({ kind: 'multirange', subtype }));
  }
  add(RECORD_OID, RECORD_ARRAY_OID, () => ({ kind: 'composite', fields: undefined }));
  return types;
}
