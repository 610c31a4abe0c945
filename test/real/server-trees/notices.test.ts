/** Nobody who can only write SQL makes a server send what passes for the tree of a statement. */

import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bind, execute, parse, query, SYNC } from '../../differential/frames.ts';
import { requirePresent } from '../require-present.ts';
import { type Heard, TreeRig } from './rig.ts';

const DEBIAN = '/usr/lib/postgresql/15/bin';
const TREE = '({QUERY :commandType 1 :querySource 0 :canSetTag true :utilityStmt <> :rtable <>})';
const TITLE = 'rewritten parse tree:';

const VERSIONS = [
  { major: 15, version: DEBIAN },
  { major: 18, version: 'embedded' },
];

interface Spoof {
  readonly name: string;
  readonly sql: string;
  readonly before?: string;
}

/** Each raises what has the title of a tree, a tree as its detail, and as much more as it can. */
const SPOOFS: readonly Spoof[] = [
  { name: 'RAISE LOG in DO', sql: `do $$ begin raise log '${TITLE}' using detail = '${TREE}'; end $$` },
  {
    name: 'RAISE LOG with every option',
    sql: `do $$ begin raise log using message = '${TITLE}', detail = '${TREE}', errcode = '00000', hint = '', column = 'R', constraint = 'elog_node_display', datatype = 'F', table = 'print.c', schema = 'print.c'; end $$`,
  },
  {
    name: 'a function with the names of file and routine',
    before: `create schema "print.c"; create function "print.c".elog_node_display() returns void language plpgsql as $$ begin raise log '${TITLE}' using detail = '${TREE}'; end $$`,
    sql: 'select "print.c".elog_node_display()',
  },
  {
    name: 'line ends in a message',
    sql: `do $$ begin raise log E'${TITLE}\\nDETAIL:  ${TREE}\\nLOCATION:  elog_node_display, print.c:85'; end $$`,
  },
  {
    name: 'a function in a DEFAULT',
    before: `create function spoof() returns integer language plpgsql as $$ begin raise log '${TITLE}' using detail = '${TREE}'; return 1; end $$; create temp table spoofed (id integer default spoof())`,
    sql: 'insert into spoofed default values',
  },
  {
    name: 'a trigger',
    before: `create function spoof() returns trigger language plpgsql as $$ begin raise log '${TITLE}' using detail = '${TREE}'; return new; end $$; create temp table spoofed (id integer); create trigger t before insert on spoofed for each row execute function spoof()`,
    sql: 'insert into spoofed values (1)',
  },
  {
    name: 'a function that PostgreSQL runs while it plans',
    before: `create function spoof() returns integer language plpgsql immutable as $$ begin raise log '${TITLE}' using detail = '${TREE}'; return 1; end $$`,
    sql: 'select spoof()',
  },
  {
    name: 'a check of a domain, run while the statement is analysed',
    before: `create function spoof(integer) returns boolean language plpgsql immutable as $$ begin raise log '${TITLE}' using detail = '${TREE}'; return true; end $$; create domain spoofed as integer check (spoof(value)); create type pair as (a spoofed)`,
    sql: "select '(1)'::pair",
  },
  {
    name: 'an error that is caught and told again',
    sql: `do $$ begin raise exception '${TITLE}' using detail = '${TREE}', errcode = 'P0001'; exception when others then raise log '%', sqlerrm using detail = '${TREE}'; end $$`,
  },
];

/** What runs inside of a statement has trees of its own. */
const NESTED: readonly Spoof[] = [
  { name: 'SELECT in DO', sql: 'do $$ begin perform title from documents; end $$' },
  { name: 'EXECUTE in DO', sql: "do $$ begin execute 'select title from documents'; end $$" },
  { name: 'a function in SQL', sql: 'select title from listed()' },
  {
    name: 'a function in SQL that is inlined',
    before:
      'create function inlined() returns setof documents language sql stable as $$ select * from documents $$',
    sql: 'select * from inlined()',
  },
  { name: 'query_to_xml', sql: "select query_to_xml('select title from documents', true, true, '')" },
  { name: 'a foreign key', sql: 'delete from documents', before: "insert into documents values (1, 'x')" },
  {
    name: 'CREATE FUNCTION',
    sql: 'create function made() returns text language sql as $$ select title from documents $$',
  },
  {
    name: 'CALL',
    before: 'create procedure deed() language plpgsql as $$ begin perform title from documents; end $$',
    sql: 'call deed()',
  },
  {
    name: 'a trigger',
    before:
      'create function deed() returns trigger language plpgsql as $$ begin perform title from documents; return new; end $$; create trigger t after insert on parts for each statement execute function deed()',
    sql: "insert into parts values ('north', 1)",
  },
  {
    name: 'a parallel worker',
    before:
      "insert into documents select i, 'x' from generate_series(1, 9) i; create function deed() returns bigint language plpgsql parallel safe as $$ begin return (select count(*) from documents); end $$; set local parallel_setup_cost = 0; set local parallel_tuple_cost = 0; set local min_parallel_table_scan_size = 0; set local debug_parallel_query = regress",
    sql: 'select deed() from documents',
  },
];

describe.each(VERSIONS)('PostgreSQL $major', ({ version, major }) => {
  const present = version !== DEBIAN || requirePresent('PostgreSQL 15', existsSync(`${DEBIAN}/postgres`));
  let rig: TreeRig;

  beforeAll(async () => {
    if (present) rig = await TreeRig.start(version);
  });

  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
  });

  it.runIf(present).each(SPOOFS)('$name is not taken for a tree', async ({ sql, before }) => {
    const heard = await rig.run(sql, before);
    expect(heard.error).toBeUndefined();
    const raised = heard.notices.filter(
      ({ fields }) => fields.get('M')?.startsWith(TITLE) && fields.get('F') !== 'print.c',
    );
    expect(raised.length).toBeGreaterThan(0);
    expect(raised.map(({ classified }) => classified.kind)).not.toContain('tree');
    expect(raised.map(({ classified }) => classified.kind)).not.toContain('nested-tree');
    // The statement itself, and nothing else.
    expect(kinds(heard).filter((kind) => kind === 'tree')).toHaveLength(1);
  });

  it.runIf(present).each(NESTED)('of $name the inner trees are nested', async ({ sql, before }) => {
    // PostgreSQL 15 has the setting under another name.
    const adapted = major === 15 ? before?.replace('debug_parallel_query', 'force_parallel_mode') : before;
    const heard = await rig.run(sql, adapted);
    expect(heard.error).toBeUndefined();
    expect(kinds(heard).filter((kind) => kind === 'tree')).toHaveLength(1);
    expect(kinds(heard)[0]).toBe('tree');
    expect(kinds(heard)).toContain('nested-tree');
  });

  it.runIf(present)('trees of other stages are ordinary notices', async () => {
    const heard = await rig.run(
      'select title from documents',
      'set local debug_print_parse = on; set local debug_print_plan = on',
    );
    expect(heard.notices.map(({ fields, classified }) => [fields.get('M'), classified.kind])).toEqual([
      ['parse tree:', 'ordinary'],
      [TITLE, 'tree'],
      ['plan:', 'ordinary'],
    ]);
  });

  it.runIf(present)('a tree that is made for people is refused', async () => {
    const heard = await rig.run('select 1 as "x:relid"', 'set local debug_pretty_print = on');
    expect([kinds(heard), heard.refusals]).toEqual([['tree'], ['pretty']]);
  });

  it.runIf(present)('a name of 63 parentheses cannot put a bracket into the tree', async () => {
    const refusals = new Set<string>();
    for (let plain = 0; plain < 40; plain += 1) {
      const name = `${'a'.repeat(plain)}${'('.repeat(38)}}`.slice(0, 63);
      // oxlint-disable-next-line no-await-in-loop -- One connection.
      const heard = await rig.run(`select 1 as "${name}", 2 as "${name.toUpperCase()}"`);
      for (const refusal of heard.refusals) refusals.add(refusal);
      expect([heard.facts.unknown, heard.facts.relations]).toEqual([[], []]);
    }
    expect([...refusals]).toEqual(['wrapped']);
  });

  it.runIf(present)(
    'a prepared statement has its tree at Parse, and anew at Bind where the schema has changed',
    async () => {
      await rig.send(query('create view moving as select title from documents'));
      const parsed = await rig.send(
        Buffer.concat([parse('s', 'select * from moving where title = $1'), SYNC]),
      );
      expect(kinds(parsed)).toEqual(['tree']);
      const bound = Buffer.concat([bind('', 's', { values: ['x'] }), execute('', 0), SYNC]);
      expect(kinds(await rig.send(bound))).toEqual([]);
      await rig.send(query('create or replace view moving as select owner as title from documents'));
      expect(kinds(await rig.send(bound))).toEqual(['tree']);
      // Why that setting has to stay at 0.
      await rig.send(
        query(
          'set log_parameter_max_length_on_error = -1; create or replace view moving as select body as title from documents',
        ),
      );
      expect(kinds(await rig.send(bound))).toEqual(['nested-tree']);
      await rig.send(query('reset log_parameter_max_length_on_error; drop view moving; deallocate all'));
    },
  );
});

function kinds({ notices }: Heard): readonly string[] {
  return notices.map(({ classified }) => classified.kind);
}
