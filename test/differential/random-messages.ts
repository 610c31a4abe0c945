/**
 * Random sequences of frontend messages: valid ones, and valid ones where they have no place.
 *
 * What is generated is deterministic for one server: nothing depends on time, other sessions or OIDs.
 */

import * as fc from 'fast-check';
import {
  bind,
  close,
  COPY_DONE,
  copyData,
  copyFail,
  describe,
  execute,
  FLUSH,
  frame,
  functionCall,
  parse,
  query,
  SYNC,
} from './frames.ts';

/** Temporary tables t(a int, b text) and u(a int primary key) are there, u with the rows 1 to 5. */
const TEXTS = [
  '',
  ';',
  'select 1',
  'select $1::int as a',
  'select $1::text, $2::int',
  'select a from u order by a',
  'select 1/0',
  'select 1 / (3 - a) from u order by a',
  'selekt',
  'begin',
  'commit',
  'rollback',
  'savepoint s',
  'rollback to s',
  'insert into t values (1, null)',
  "insert into t values ($1, 'x') returning a",
  'insert into u values (1)',
  'delete from u where a = $1',
  'copy t from stdin',
  'copy t (a) from stdin with (format csv)',
  'copy u to stdout',
  'copy nothing from stdin',
  'prepare q as select 7',
  'prepare s1(int) as select $1 + 1',
  'execute q',
  'execute s1(5)',
  'execute s2',
  'deallocate all',
  'deallocate s1',
  'discard all',
  'declare c cursor with hold for select a from u order by a',
  'declare p1 cursor for select a from u order by a',
  'fetch 2 from c',
  'fetch 1 from p1',
  'close c',
  'close all',
  'set datestyle = german',
  "set application_name = 'other'",
  "set client_encoding = 'LATIN1'",
  'reset all',
  "do $$ begin raise notice 'n'; raise warning 'w'; end $$",
  'notify x',
  'listen x',
  'show datestyle',
  'explain (costs off) select 1',
] as const;

const SEVERAL = [
  'select 1; select 2',
  'select 1; select 1/0; select 2',
  'begin; insert into t values (1, null); commit; select count(*) from t',
  'copy t from stdin; select 1',
  'select 1; copy t from stdin; copy t from stdin; select 2',
  'copy u to stdout; copy t from stdin; copy t to stdout',
  'begin; select 1/0; rollback',
  'deallocate all; prepare q as select 8; execute q',
] as const;

const ROWS = ['1\tx\n', '2\t\\N\n', 'bad\tx\n', '3', '\tx\n', '4\n', '\\.\n', ''] as const;

const statement = fc.constantFrom('', '', '', 's1', 's2', 'q', 'ä', 'n'.repeat(70));
const portal = fc.constantFrom('', '', '', 'p1', 'p2', 'c', 'ö');
const text = fc.constantFrom(...TEXTS);
const value = fc.constantFrom(null, '1', '3', 'x', Buffer.of(0, 0, 0, 2));
const format = fc.constantFrom(0, 0, 0, 1);

const binding = fc
  .record({
    values: fc.oneof(fc.constant([]), fc.constant(['1']), fc.array(value, { maxLength: 3 })),
    formats: fc.oneof(fc.constant([]), fc.constant([0]), fc.constant([1])),
    results: fc.oneof(fc.constant([]), fc.array(format, { maxLength: 1 })),
  })
  .map((options) => options);

const copyMessage = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...ROWS).map((data) => copyData(data)) },
  { weight: 2, arbitrary: fc.constant(COPY_DONE) },
  { weight: 1, arbitrary: fc.constant(copyFail('no')) },
);

const run = fc
  .tuple(text, binding, fc.constantFrom(0, 0, 1, 2))
  .map(([sql, options, rowsMax]) =>
    Buffer.concat([parse('', sql), bind('', '', options), describe('P'), execute('', rowsMax)]),
  );

/** A body that is cut off or goes on too long, of any message but what ends the session. */
const malformed = fc
  .tuple(
    fc.constantFrom(parse('s1', 'select 1'), bind('', '', { values: ['1'] }), execute(), describe('S', 's1')),
    fc.nat({ max: 12 }),
  )
  .map(([whole, cut]) => frame(whole.toString('latin1', 0, 1), whole.subarray(5, -1 - cut)));
const trailing = fc.constantFrom(
  ...['P', 'B', 'E', 'D', 'C', 'H', 'S', 'Q', 'F', 'c', 'f'].map((type) => frame(type, Buffer.of(120))),
  frame('Q', Buffer.from('select 1\0x')),
  bind('', '', { values: ['1'], formats: [2] }),
  bind('', '', { formats: [2], results: [3] }),
  functionCall(177, ['1'], [], 2),
);

const message = fc.oneof(
  { weight: 4, arbitrary: run },
  { weight: 2, arbitrary: fc.tuple(statement, text).map(([name, sql]) => parse(name, sql)) },
  {
    weight: 3,
    arbitrary: fc.tuple(portal, statement, binding).map(([to, from, options]) => bind(to, from, options)),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(portal, fc.constantFrom(0, 0, 1, 3)).map(([name, rowsMax]) => execute(name, rowsMax)),
  },
  { weight: 1, arbitrary: portal.map((name) => describe('P', name)) },
  { weight: 1, arbitrary: statement.map((name) => describe('S', name)) },
  { weight: 1, arbitrary: portal.map((name) => close('P', name)) },
  { weight: 1, arbitrary: statement.map((name) => close('S', name)) },
  { weight: 2, arbitrary: fc.constantFrom(...TEXTS, ...SEVERAL).map((sql) => query(sql)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(['1', '2'], ['1'], ['1', null]).map((values) => functionCall(177, values)),
  },
  { weight: 3, arbitrary: copyMessage },
  { weight: 1, arbitrary: fc.oneof(malformed, trailing) },
  { weight: 1, arbitrary: fc.constant(FLUSH) },
  { weight: 4, arbitrary: fc.constant(SYNC) },
);

/** Messages, and where the writes end. */
export const messages: fc.Arbitrary<readonly (readonly Buffer[])[]> = fc.array(
  fc.array(message, { minLength: 1, maxLength: 12 }),
  { minLength: 1, maxLength: 4 },
);

/**
 * Whatever came before, this ends a COPY and a pipeline; then the probe is answered, or nothing is. The
 * rollback: behind a pipeline that a FunctionCall ends, PostgreSQL fails the next statement with XX000.
 */
const PROBE = "select 'the probe' as probe";
export const END: readonly Buffer[] = [
  copyFail('end'),
  SYNC,
  copyFail('end'),
  SYNC,
  query('rollback'),
  query(PROBE),
];
