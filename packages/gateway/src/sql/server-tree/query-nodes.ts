/**
 * What is known of the nodes of an analysed query, so that what is new is noticed.
 *
 * Spec: PostgreSQL 15 to 18, src/include/nodes/parsenodes.h, primnodes.h. Some tags changed in 16, when
 * outfuncs.c began to be generated: `CASE` became `CASEEXPR`.
 */

/** Tags that a query may have below it, after analysis and rewriting. */
export const QUERY_TAGS: ReadonlySet<string> = new Set(
  [
    'QUERY RANGETBLENTRY RTEPERMISSIONINFO ALIAS FROMEXPR RANGETBLREF JOINEXPR RANGETBLFUNCTION TABLEFUNC',
    'TABLESAMPLECLAUSE TARGETENTRY SORTGROUPCLAUSE GROUPINGSET WINDOWCLAUSE ROWMARKCLAUSE WITHCHECKOPTION',
    'COMMONTABLEEXPR CTESEARCHCLAUSE CTECYCLECLAUSE SETOPERATIONSTMT ONCONFLICTEXPR INFERENCEELEM',
    'MERGEACTION MERGESUPPORTFUNC RETURNINGEXPR',
    'VAR CONST PARAM AGGREF GROUPINGFUNC WINDOWFUNC SUBSCRIPTINGREF FUNCEXPR NAMEDARGEXPR OPEXPR DISTINCTEXPR',
    'NULLIFEXPR SCALARARRAYOPEXPR BOOLEXPR SUBLINK FIELDSELECT FIELDSTORE RELABELTYPE COERCEVIAIO',
    'ARRAYCOERCEEXPR CONVERTROWTYPEEXPR COLLATE COLLATEEXPR CASE CASEEXPR WHEN CASEWHEN CASETESTEXPR ARRAY',
    'ARRAYEXPR ROW ROWEXPR ROWCOMPARE ROWCOMPAREEXPR COALESCE COALESCEEXPR MINMAX MINMAXEXPR',
    'SQLVALUEFUNCTION XMLEXPR NULLTEST BOOLEANTEST COERCETODOMAIN COERCETODOMAINVALUE SETTODEFAULT',
    'CURRENTOFEXPR NEXTVALUEEXPR',
    'JSONFORMAT JSONRETURNING JSONVALUEEXPR JSONCONSTRUCTOREXPR JSONISPREDICATE JSONBEHAVIOR JSONEXPR',
    'JSONTABLEPATH JSONTABLEPATHSCAN JSONTABLESIBLINGJOIN',
  ]
    .join(' ')
    .split(' '),
);

/** Kinds of entries of a range table, `RTEKind`: the last one is RTE_GROUP, of 18. */
export const RTE_KIND_MAX = 9;

export type ServerVerb = 'select' | 'update' | 'insert' | 'delete' | 'merge' | 'utility' | 'nothing';

/** `CmdType` since 15; 0 is CMD_UNKNOWN. */
export const COMMAND_TYPES: readonly (ServerVerb | undefined)[] = [
  undefined,
  'select',
  'update',
  'insert',
  'delete',
  'merge',
  'utility',
  'nothing',
];

/** `AclMode`, of what a statement needs: parsenodes.h. FOR UPDATE and FOR SHARE need UPDATE. */
export const ACL = { insert: 1, select: 2, update: 4, delete: 8 } as const;

/** `OnConflictAction`. */
export const ON_CONFLICT_UPDATE = 2;

/** What a field of any node names by its oid. */
export type OidRole = 'functions' | 'operators' | 'types';

/**
 * By the names that PostgreSQL gives such fields, so that those of nodes that are new are found too:
 * funcid, opfuncid, aggfnoid, winfnoid, startInRangeFunc, tsmhandler; opno, opnos, eqop, sortop,
 * cycle_mark_neop. The types are those that a value is made into by their own input function or checks, also
 * before anything runs: of a literal and of a parameter, whose type may have a domain in it.
 */
const ROLES: readonly (readonly [OidRole, RegExp])[] = [
  ['functions', /(?:func|fn)o?id$|Func$|handler$|proc$/],
  ['operators', /^\w+op$|opnos?$/],
  ['types', /^(?:resulttype|typid|minmaxtype|consttype|paramtype)$/],
];

export function oidRole(fieldName: string): OidRole | undefined {
  return ROLES.find(([, pattern]) => pattern.test(fieldName))?.[0];
}
