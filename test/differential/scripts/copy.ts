/** COPY in every form, and what goes wrong in the middle of it. */

import {
  bind,
  COPY_DONE,
  copyData,
  copyFail,
  describe,
  execute,
  FLUSH,
  frame,
  parse,
  query,
  run,
  SYNC,
  TERMINATE,
} from '../frames.ts';
import { closed, login, ready, type Script, send, type Step, wait } from '../run-script.ts';

export const TABLE: readonly Step[] = [send(query('create temporary table t(a int, b text)')), ready()];
const COUNT: readonly Step[] = [send(query('select * from t order by a, b')), ready()];
const BINARY_HEADER = Buffer.from('5047434f50590aff0d0a000000000000000000', 'hex');

export function copyScript(name: string, ...steps: readonly Step[]): Script {
  return { name, steps: [...TABLE, ...steps, ...COUNT] };
}

const INS: readonly Script[] = [
  copyScript(
    'COPY in, as text, csv and binary',
    send(query('copy t from stdin')),
    wait('G'),
    send(copyData('1\tone\n2\t\\N\n'), copyData('3\tth'), copyData('ree\n'), COPY_DONE),
    ready(),
    send(query('copy t (b, a) from stdin with (format csv, header true)')),
    wait('G'),
    send(copyData('b,a\n"x, ""y""",4\n,5\n'), COPY_DONE),
    ready(),
    send(query('copy t from stdin (format binary)')),
    wait('G'),
    send(
      copyData(BINARY_HEADER),
      copyData(Buffer.from('0002000000040000000600000001', 'hex')),
      copyData('zÿ'.slice(0, 1)),
      copyData(Buffer.from('ffff', 'hex')),
      COPY_DONE,
    ),
    ready(),
  ),
  copyScript(
    'COPY in pipelined: data directly behind the Query',
    send(query('copy t from stdin'), copyData('1\tx\n'), COPY_DONE, query('select 1')),
    ready(2),
  ),
  copyScript('COPY in of nothing', send(query('copy t from stdin'), COPY_DONE), ready()),
  copyScript(
    'COPY in that the client fails',
    send(query('copy t from stdin')),
    wait('G'),
    send(copyData('1\tx\n'), copyFail('enough')),
    ready(),
  ),
  copyScript(
    'COPY in with a bad row, more data behind it',
    send(query('copy t from stdin')),
    wait('G'),
    send(copyData('1\tx\nbad\ty\n'), copyData('2\tz\n'), COPY_DONE),
    ready(),
    send(copyData('3\tz\n'), COPY_DONE, query('select 1')),
    ready(),
  ),
  copyScript(
    'COPY in with a bad row, seen before the end is sent',
    send(query('copy t from stdin')),
    wait('G'),
    send(copyData('1\tx\nbad\ty\n'.repeat(20_000))),
    ready(),
    send(copyData('2\tx\n'), COPY_DONE, query('select 1')),
    ready(),
  ),
  copyScript(
    'end-of-data marks, and data behind them',
    send(query('copy t from stdin'), copyData('1\tx\n\\.\n'), COPY_DONE),
    ready(),
  ),
  copyScript(
    'COPY in inside of a transaction that fails',
    send(query('begin; copy t from stdin; select 1')),
    wait('G'),
    send(copyData('x\n'), COPY_DONE),
    ready(),
    send(query('copy t from stdin')),
    ready(),
    send(query('rollback')),
    ready(),
  ),
  copyScript(
    'COPY in among other statements of one message, two of them',
    send(query('select 1; copy t from stdin; select 2; copy t(a) from stdin; select 3')),
    wait('G'),
    send(copyData('1\tx\n'), COPY_DONE),
    wait('G'),
    send(copyData('2\n3\n'), COPY_DONE),
    ready(),
    send(
      query('copy t from stdin; copy t from stdin'),
      copyData('4\tx\n'),
      COPY_DONE,
      copyData('5\tx\n'),
      COPY_DONE,
      query('select 9'),
    ),
    ready(2),
    send(query('copy t from stdin; copy t from stdin')),
    wait('G'),
    send(copyFail('no'), copyData('5\tx\n'), COPY_DONE, query('select 9')),
    ready(2),
  ),
  copyScript(
    'Sync and Flush are ignored in copy-in mode',
    send(query('copy t from stdin')),
    wait('G'),
    send(copyData('1\tx\n'), SYNC, FLUSH, copyData('2\ty\n'), SYNC, COPY_DONE),
    ready(),
  ),
];

/** Texts that are a COPY FROM STDIN, although it takes a parser to see it. */
const SPELLINGS = [
  'copy t from stdin',
  'COPY/* from */t--\nFROM/**/STDIN',
  '/* a /* nested */ comment */ copy t from stdin',
  ' ; ;copy pg_temp . "t" ( "a" , b )from stdin with(delimiter e\'\\t\')',
  'copy U&"\\0074" from stdin',
  'copy "we""ird" from stdin',
  'copy "we;ird (" ("a)", "b""") from stdin',
  "copy t from stdin where a > 0 and b <> ';'",
  "select ';'; copy t from stdin",
  'select $$ ; $$; select $a$ ; $a$; copy t from stdin',
  "select '--'; copy t from stdin",
  "select E'\\''; copy t from stdin --'",
];

const SPELLED: readonly Script[] = [
  {
    name: 'COPY in however it is spelled',
    steps: [
      ...TABLE,
      send(
        query(
          'create temporary table "we""ird"(a int, b text); create temporary table "we;ird ("("a)" int, "b""" text)',
        ),
      ),
      ready(),
      ...SPELLINGS.flatMap((text, i) => [
        send(query(text), copyData(`${i + 1}\tpipelined\n`), COPY_DONE),
        ready(),
        send(query(text)),
        wait('G'),
        send(copyData(`${i + 100}\twaited\n`), COPY_DONE),
        ready(),
      ]),
      ...COUNT,
      send(query('select count(*) from "we""ird" union all select count(*) from "we;ird ("')),
      ready(),
    ],
  },
  {
    name: 'COPY in of the extended protocol, however it is spelled',
    steps: [
      ...TABLE,
      send(
        query(
          'create temporary table "we""ird"(a int, b text); create temporary table "we;ird ("("a)" int, "b""" text)',
        ),
      ),
      ready(),
      ...SPELLINGS.filter((text) => !text.includes('select') && !text.includes(' ; ;')).flatMap((text, i) => [
        send(run(text), copyData(`${i + 1}\tpipelined\n`), COPY_DONE, SYNC),
        ready(),
        send(run(text), SYNC),
        wait('G'),
        send(copyData(`${i + 100}\twaited\n`), COPY_DONE, SYNC),
        ready(),
      ]),
      ...COUNT,
    ],
  },
  copyScript(
    'a COPY that SQL executes by the name of a statement',
    send(parse('c', 'copy t from stdin'), SYNC),
    ready(),
    send(query('execute c')),
    wait('G'),
    send(copyData('1\tx\n'), COPY_DONE),
    ready(),
    send(query('execute c'), copyData('2\tpipelined\n'), COPY_DONE, query('select 1')),
    ready(2),
    send(run('execute c'), copyData('3\tpipelined\n'), COPY_DONE, SYNC),
    ready(),
  ),
];

const EXTENDED: readonly Script[] = [
  copyScript(
    'COPY in of the extended protocol',
    send(run('copy t from stdin'), FLUSH),
    wait('G'),
    send(copyData('1\tx\n'), COPY_DONE, run('select 1'), SYNC),
    ready(),
    send(run('copy t from stdin'), SYNC),
    wait('G'),
    send(copyData('2\tx\n'), COPY_DONE, SYNC),
    ready(),
    send(
      parse('c', 'copy t from stdin'),
      bind('p', 'c'),
      execute('p'),
      copyData('3\tx\n'),
      COPY_DONE,
      SYNC,
      bind('p', 'c'),
      execute('p', 1),
      copyData('4\tx\n'),
      COPY_DONE,
      execute('p'),
      SYNC,
    ),
    ready(2),
  ),
  copyScript(
    'COPY in of the extended protocol that fails: bad row, CopyFail, a missing table',
    send(
      run('copy t from stdin'),
      copyData('bad\n'),
      copyData('1\tx\n'),
      COPY_DONE,
      run('select 1'),
      SYNC,
      run('select 2'),
      SYNC,
    ),
    ready(2),
    send(run('copy t from stdin'), copyFail('no'), run('select 1'), SYNC),
    ready(),
    send(run('copy nothing from stdin'), copyData('1\tx\n'), COPY_DONE, run('select 1'), SYNC),
    ready(),
    send(run('select 1/0'), run('copy t from stdin'), copyData('1\tx\n'), COPY_DONE, SYNC),
    ready(),
    send(run('copy t from stdin'), SYNC),
    wait('G'),
    send(copyData('bad\n'), COPY_DONE, SYNC),
    ready(),
    send(run('copy t from stdin'), SYNC),
    wait('G'),
    send(copyFail('no'), SYNC, run('select 7'), SYNC),
    ready(2),
  ),
  copyScript(
    'COPY in a pipeline with work before and behind it',
    send(
      run('insert into t values (1)'),
      run('copy t from stdin'),
      copyData('2\tx\n'),
      COPY_DONE,
      run('insert into t values (3)'),
      SYNC,
    ),
    ready(),
    send(
      run('insert into t values (4)'),
      run('copy t from stdin'),
      copyData('bad\tx\n'),
      COPY_DONE,
      run('insert into t values (5)'),
      SYNC,
    ),
    ready(),
  ),
];

const OUTS: readonly Script[] = [
  {
    name: 'COPY out, as text, csv and binary',
    steps: [
      send(query("copy (select i, 'x\ty', null from generate_series(1, 5) i) to stdout")),
      ready(),
      send(query("copy (values (1, 'a,\"b'), (2, null)) to stdout (format csv, header, force_quote *)")),
      ready(),
      send(query("copy (values (1, 'a'::text), (2, null)) to stdout (format binary)")),
      ready(),
      send(query('copy (select 1 where false) to stdout; copy (select 2) to stdout; select 3')),
      ready(),
      send(query('copy (select 1 / (3 - i) from generate_series(1, 5) i) to stdout')),
      ready(),
      send(query('copy nothing to stdout')),
      ready(),
      send(run('copy (values (1), (2)) to stdout'), run('select 1'), SYNC),
      ready(),
      send(parse('', 'copy (values (1), (2)) to stdout (format binary)'), bind('', ''), execute('', 1), SYNC),
      ready(),
    ],
  },
  {
    name: 'COPY out of megabytes',
    large: true,
    steps: [send(query("copy (select repeat('x', 1000) from generate_series(1, 20000)) to stdout")), ready()],
  },
  copyScript(
    'COPY in, out and in again in one message',
    send(query('copy t from stdin; copy t to stdout; copy t from stdin; copy t to stdout')),
    wait('G'),
    send(copyData('1\tx\n'), COPY_DONE),
    wait('G'),
    send(copyData('2\ty\n'), COPY_DONE),
    ready(),
  ),
  {
    name: 'COPY both ways: streaming replication is refused or answered alike',
    steps: [send(query('START_REPLICATION 0/0')), ready()],
  },
];

const ENDS: readonly Script[] = [
  {
    name: 'Terminate in the middle of COPY in',
    steps: [
      ...TABLE,
      send(query('copy t from stdin')),
      wait('G'),
      send(copyData('1\tx\n'), TERMINATE),
      closed(),
    ],
  },
  {
    name: 'the client closes its side in the middle of COPY in',
    steps: [
      ...TABLE,
      send(query('copy t from stdin')),
      wait('G'),
      send(copyData('1\tx\n')),
      { kind: 'fin', on: 'a' },
      closed(),
    ],
  },
  {
    name: 'a Query in the middle of COPY in',
    steps: [
      ...TABLE,
      send(query('copy t from stdin')),
      wait('G'),
      send(copyData('1\tx\n'), query('select 1')),
      closed(),
    ],
  },
  {
    name: 'a Parse in the middle of COPY in',
    steps: [
      ...TABLE,
      send(run('copy t from stdin'), FLUSH),
      wait('G'),
      send(copyData('1\tx\n'), parse('', 'select 1'), SYNC),
      closed(),
    ],
  },
  {
    // The target closes while the client still sends; what it said before is read all the same.
    name: 'a Query in the middle of COPY in, and writes behind it',
    steps: [
      ...TABLE,
      send(copyData('\\.\n')),
      send(run('copy t (a) from stdin with (format csv)'), query(''), bind('', '', { results: [0] })),
      send(run('', { values: ['1'] }), describe('S', 's1')),
      send(run(''), frame('B', Buffer.of(120))),
      send(copyFail('end'), SYNC, copyFail('end'), SYNC, query('rollback')),
      closed(),
    ],
  },
  {
    name: 'a Parse directly behind the Sync of a COPY in',
    steps: [
      ...TABLE,
      send(run('copy t from stdin'), SYNC),
      wait('G'),
      send(parse('', 'select 1'), SYNC),
      closed(),
    ],
  },
  copyScript(
    'a trigger fails before COPY in reads anything, and the pipeline goes on',
    send(
      query(
        "create function pg_temp.no() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$; create trigger no before insert on t for each statement execute function pg_temp.no()",
      ),
    ),
    ready(),
    send(run('copy t from stdin'), SYNC, run('select 1'), SYNC),
    ready(2),
    send(query('copy t from stdin'), SYNC, query('select 2')),
    ready(3),
    send(run('copy t from stdin')),
    wait('E'),
    send(copyData('1\tx\n'), COPY_DONE, SYNC),
    ready(),
  ),
  copyScript(
    'Sync behind COPY data that has failed',
    send(run('copy t from stdin'), FLUSH),
    wait('G'),
    send(copyData('bad\n'), SYNC),
    ready(),
    send(run('copy t from stdin'), FLUSH),
    wait('G'),
    send(copyData('1\tx\n'), FLUSH, SYNC, copyData('bad\n'), SYNC),
    ready(),
  ),
  {
    name: 'a pipeline goes on behind a COPY in without its data',
    steps: [...TABLE, send(run('copy t from stdin'), run('select 1'), SYNC), closed()],
  },
  copyScript(
    'a Query behind a COPY in that has failed',
    send(query('copy t from stdin')),
    wait('G'),
    send(copyData('bad\n'.repeat(30_000)), query('select 1'), query('select 2')),
    ready(3),
  ),
  {
    name: 'a COPY of megabytes',
    large: true,
    steps: [
      ...TABLE,
      send(query('copy t from stdin')),
      wait('G'),
      ...Array.from({ length: 40 }, () => send(copyData(`1\t${'y'.repeat(60_000)}\n`.repeat(5)))),
      send(COPY_DONE),
      ready(),
      send(query('select count(*), sum(length(b)) from t')),
      ready(),
    ],
  },
  {
    name: 'one CopyData of megabytes',
    large: true,
    steps: [
      ...TABLE,
      send(query('copy t from stdin'), copyData(`1\t${'y'.repeat(3_000_000)}\n`), COPY_DONE),
      ready(),
      send(query('select a, length(b), md5(b) from t')),
      ready(),
    ],
  },
  {
    name: 'COPY in another client encoding',
    steps: [
      login({ client_encoding: 'LATIN1' }),
      ...TABLE,
      send(query('copy t from stdin'), copyData(Buffer.from('1\t\xe4\xf6\n', 'latin1')), COPY_DONE),
      ready(),
      send(query('copy t to stdout')),
      ready(),
      send(query("copy t from stdin (encoding 'UTF8')"), copyData('2\tü\n'), frame('c')),
      ready(),
      ...COUNT,
    ],
  },
];

export const COPY_SCRIPTS: readonly Script[] = [...INS, ...SPELLED, ...EXTENDED, ...OUTS, ...ENDS];
