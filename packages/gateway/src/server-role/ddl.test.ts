import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Parser } from '../sql/parser.ts';
import { testingOnlyParser } from '../sql/testing-parser.ts';
import { listOf, nodeOf } from '../sql/tree.ts';
import { type DdlFacts, maskingDdl, undoDdl } from './ddl.ts';
import type { RelationRights } from './former-rights.ts';
import { formerRightsComment, parseFormerRights } from './former-rights.ts';
import type { MaskedRelation } from './masked-relations.ts';
import { maskingSchema } from './masking-views.ts';

let parser: Parser;
beforeAll(async () => {
  parser = await testingOnlyParser();
});

function relation(
  schema: string,
  name: string,
  columns: readonly [string, string],
  more = {},
): MaskedRelation {
  const [plain, hidden] = columns;
  const text = {
    type: { kind: 'base', name: 'text', typmod: -1 },
    typeText: 'text',
    isBuiltIn: true,
  } as const;
  const choice = { mask: 'm', version: 1, operator: { kind: 'partial' }, entity: 'EMAIL' } as const;
  return {
    oid: 20_000,
    schema,
    name,
    relkind: 'r',
    hasRowSecurity: false,
    isInvoker: false,
    columns: [
      { ...text, attnum: 1, name: plain, hidden: undefined, isCompared: false },
      { ...text, attnum: 2, name: hidden, hidden: choice, isCompared: true },
    ],
    ...more,
  };
}

function facts(relations: readonly MaskedRelation[], more: Partial<DdlFacts> = {}): DdlFacts {
  const all = { select: true, insert: true, update: true };
  const columns = new Map([1, 2].map((attnum) => [attnum, all]));
  return {
    connection: 'db',
    database: 'shop',
    role: 'reader',
    isOther: false,
    masks: ['m (version 1)'],
    relations,
    uses: new Map(relations.map(({ oid }) => [oid, { columns, delete: true, usage: true }])),
    granted: new Map<number, RelationRights>(
      relations.map(({ oid }) => [oid, { '': ['SELECT', 'DELETE'], a: ['UPDATE'] }]),
    ),
    former: new Map(),
    searchPath: '"$user", public',
    ownSearchPath: null,
    problems: [],
    ...more,
  };
}

/** Kinds of statements, in their order. */
function kinds(sql: string): readonly string[] {
  const parsed = parser.parse(Buffer.from(sql));
  if (parsed.kind !== 'tree') throw new Error(`${JSON.stringify(parsed)}\n${sql}`);
  return listOf(parsed.tree['stmts']).map((one) => Object.keys(nodeOf(nodeOf(one)['stmt']))[0] ?? '');
}

const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom('"', "'", '\\', '$countersign$', '; drop table t; --', '*/', '\n', '\r', '\u202e', 'é'),
      fc.string(),
    ),
    {
      minLength: 1,
    },
  )
  .map((parts) => parts.join('').replaceAll('\0', ''))
  .filter((name) => name !== '' && name.isWellFormed());

describe('the script', () => {
  it('has these statements for a table, and the same text for the same facts', () => {
    const one = facts([relation('public', 'customers', ['id', 'email'])]);
    const sql = maskingDdl(one);
    expect(maskingDdl(one)).toBe(sql);
    expect(kinds(sql)).toEqual([
      'TransactionStmt',
      'VariableSetStmt',
      'VariableSetStmt',
      'VariableSetStmt',
      'DoStmt',
      'CreateSchemaStmt',
      'GrantStmt',
      'GrantStmt',
      'CommentStmt',
      'DropStmt',
      'GrantStmt',
      'GrantStmt',
      'GrantStmt',
      'GrantStmt',
      'GrantStmt',
      'ViewStmt',
      'GrantStmt',
      'GrantStmt',
      'GrantStmt',
      'GrantStmt',
      'GrantStmt',
      'AlterRoleSetStmt',
      'TransactionStmt',
    ]);
    expect(sql).toContain('GRANT SELECT ("id") ON "public"."customers" TO "reader";');
    expect(sql).toContain('GRANT INSERT ("id") ON "public"."customers" TO "reader";');
    expect(sql).toContain(`SET search_path TO '$user', 'reader_masked_public', 'public';`);
    expect(sql).not.toMatch(/GRANT [A-Z]+ \([^)]*email/);
  });

  it('is the same statements whatever things are called', () => {
    const usual = kinds(maskingDdl(facts([relation('public', 'customers', ['id', 'email'])])));
    const former = new Map([['s', { path: null, tables: { t: { '': ['SELECT'] } } }]]);
    const undone = kinds(undoDdl(facts([], { former })));
    fc.assert(
      fc.property(hostile, hostile, hostile, hostile, hostile, (schema, name, column, role, connection) => {
        const names = facts([relation(schema, name, [column, `${column}2`])], {
          role,
          connection,
          database: name,
        });
        const sql = maskingDdl({ ...names, problems: [role, column] });
        expect(kinds(sql)).toEqual(usual);
        const taken = new Map([
          [schema, { path: `"${role.replaceAll('"', '""')}"`, tables: { [name]: { [column]: ['SELECT'] } } }],
        ]);
        expect(kinds(undoDdl({ ...names, former: taken, problems: [name] }))).toEqual(undone);
      }),
      { numRuns: 150 },
    );
  });

  it('makes no view where policies choose rows by who asks, and takes the right to read all the same', () => {
    const sql = maskingDdl(
      facts([relation('public', 'customers', ['id', 'email'], { hasRowSecurity: true })]),
    );
    expect(sql).not.toContain('CREATE VIEW');
    expect(sql).toContain('REVOKE ALL PRIVILEGES ON "public"."customers" FROM "reader";');
    expect(sql).toContain('It has row security');
  });

  it('makes another role where it is asked to, with no rights of an administrator', () => {
    const sql = maskingDdl(facts([relation('public', 'customers', ['id', 'email'])], { isOther: true }));
    expect(sql).toContain(
      'CREATE ROLE "reader" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;',
    );
  });

  it('changes nothing where no Mask reaches what the role may use', () => {
    expect(kinds(maskingDdl(facts([])))).toEqual(kinds(undoDdl(facts([]))));
  });

  it('leaves what others have to its reader, in comments', () => {
    const sql = maskingDdl(facts([], { problems: ['public: PUBLIC may read "a"\nDROP TABLE t'] }));
    expect(sql).toContain('-- ! public: PUBLIC may read "a"?DROP TABLE t');
  });

  it('remembers what was granted before the first script, and gives back what no Mask reaches any more', () => {
    const former = new Map([
      [
        'public',
        {
          path: 'public',
          tables: { customers: { '': ['INSERT'] }, gone: { '': ['SELECT'], a: ['UPDATE'] } },
        },
      ],
    ]);
    const sql = maskingDdl(facts([relation('public', 'customers', ['id', 'email'])], { former }));
    expect(sql).toContain(`{"path":"public","tables":{"customers":{"":["INSERT"]}}}`);
    expect(sql).toContain('DROP VIEW IF EXISTS "reader_masked_public"."gone";');
    expect(sql).toContain('GRANT UPDATE ("a") ON "public"."gone" TO "reader";');
    const undo = undoDdl(facts([], { former }));
    expect(undo).toContain('GRANT INSERT ON "public"."customers" TO "reader";');
    expect(undo).toContain(`SET search_path TO 'public';`);
    expect(undo).toContain('DROP SCHEMA IF EXISTS "reader_masked_public";');
  });
});

describe('what was written down', () => {
  it('is read as it was written', () => {
    const rights = { path: '"$user", public', tables: { t: { '': ['SELECT'], c: ['UPDATE', 'INSERT'] } } };
    expect(parseFormerRights(formerRightsComment(rights))).toEqual(rights);
  });

  it.each([
    '',
    'a comment of somebody else',
    'Masking views of Countersign; before: {',
    'Masking views of Countersign; before: {"path":1,"tables":{}}',
    'Masking views of Countersign; before: {"path":null,"tables":{"t":{"":["SELECT; DROP TABLE t"]}}}',
    'Masking views of Countersign; before: {"path":null,"tables":{"t":{"":"SELECT"}}}',
    'Masking views of Countersign; before: {"path":null,"tables":{"t":[]}}',
  ])('is not there where the comment is %j', (comment) => {
    expect(parseFormerRights(comment)).toBeUndefined();
  });
});

it('names masking schemas within the limit of a name, and never two alike', () => {
  expect(maskingSchema('reader', 'public')).toBe('reader_masked_public');
  const long = ['a', 'b'].map((end) => maskingSchema('r'.repeat(60), `${'s'.repeat(60)}${end}`));
  expect(long[0]).not.toBe(long[1]);
  for (const name of [...long, maskingSchema('é'.repeat(31), 'public')]) {
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
    expect(name).not.toContain('\uFFFD');
  }
});
