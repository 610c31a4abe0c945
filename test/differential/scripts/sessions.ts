/** Several sessions, and what reaches one from outside: notifications, cancel, termination, timeouts. */

import { bind, describe, execute, FLUSH, parse, query, run, SYNC } from '../frames.ts';
import { closed, ready, type Script, send, sendOn, type Step, wait } from '../run-script.ts';

const RUNNING = 'select pg_sleep(30) /* cancelled */';

/** What sleeps must sleep already: before that it may be interrupted before its first answer. */
function running(text: string): Step {
  const step: Step = { kind: 'running', on: 'a', text };
  return text === '/* cancelled */' ? { ...step, waitsFor: 'PgSleep' } : step;
}

const KILL: Step = {
  kind: 'admin',
  on: 'a',
  sql: "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'victim'",
};

const NOTIFICATIONS: readonly Script[] = [
  {
    name: 'LISTEN and NOTIFY across sessions',
    steps: [
      send(query('listen "Kanal"; listen other')),
      ready(),
      sendOn('b', query("notify \"Kanal\", 'payload'; select pg_notify('other', 'second')")),
      ready(1, 'b'),
      wait('A', 2),
      sendOn(
        'b',
        query("begin; notify other, 'in a transaction'; notify other, 'in a transaction'; notify other"),
      ),
      ready(1, 'b'),
      send(query('begin; select 1')),
      ready(),
      sendOn('b', query('commit')),
      ready(1, 'b'),
      // Delivered when the transaction of the listener ends.
      send(query('select 2')),
      ready(),
      send(query('commit')),
      ready(),
      send(query("notify other, 'to myself'; select 3")),
      ready(),
      send(run("select pg_notify('other', 'extended')"), SYNC),
      ready(),
      send(query('unlisten *')),
      ready(),
      sendOn('b', query("notify other, 'nobody hears'")),
      ready(1, 'b'),
      send(query('select 4')),
      ready(),
    ],
  },
  {
    name: 'a session waits for the lock of another',
    steps: [
      send(query('begin; select pg_advisory_xact_lock(99)')),
      ready(),
      sendOn('b', query('select pg_advisory_lock(99) /* b waits */; select pg_advisory_unlock(99)')),
      running('b waits'),
      send(query('commit')),
      ready(),
      ready(1, 'b'),
    ],
  },
  {
    name: 'a serialization failure, a lock that is not there, a deadlock',
    setup:
      'create table shared_rows(a int primary key, b int); insert into shared_rows values (1, 0), (2, 0)',
    cleanup: 'drop table shared_rows',
    steps: [
      send(query('begin isolation level repeatable read; select * from shared_rows order by a')),
      ready(),
      sendOn('b', query('update shared_rows set b = 1 where a = 1')),
      ready(1, 'b'),
      send(query('update shared_rows set b = 2 where a = 1')),
      ready(),
      send(query('rollback; begin; update shared_rows set b = 3 where a = 1')),
      ready(),
      sendOn('b', query('select * from shared_rows where a = 1 for update nowait')),
      ready(1, 'b'),
      sendOn('b', query("begin; set deadlock_timeout = '100s'; update shared_rows set b = 4 where a = 2")),
      ready(1, 'b'),
      sendOn('b', query('update shared_rows set b = 5 where a = 1 /* b waits for a */')),
      running('b waits for a'),
      send(query("set deadlock_timeout = '10ms'; update shared_rows set b = 6 where a = 2")),
      ready(),
      ready(1, 'b'),
      send(query('rollback')),
      ready(),
    ],
  },
];

const CANCELS: readonly Script[] = [
  {
    name: 'cancel of a simple Query',
    steps: [
      send(query(`select 1; ${RUNNING}; select 2`)),
      running('/* cancelled */'),
      { kind: 'cancel', on: 'a' },
      ready(),
      send(query('select 3')),
      ready(),
    ],
  },
  {
    name: 'cancel inside of a transaction',
    steps: [
      send(query('begin')),
      ready(),
      send(query(RUNNING)),
      running('/* cancelled */'),
      { kind: 'cancel', on: 'a' },
      ready(),
      send(query('select 3')),
      ready(),
      send(query('rollback')),
      ready(),
    ],
  },
  {
    name: 'cancel in the middle of a pipeline',
    steps: [
      // Nothing behind the Sync: PostgreSQL itself may let the request hit what comes next.
      send(run('select 1'), run(RUNNING), run('select 2'), SYNC),
      running('/* cancelled */'),
      { kind: 'cancel', on: 'a' },
      ready(),
    ],
  },
  {
    name: 'cancel of an idle session does nothing',
    steps: [send(query('select 1')), ready(), { kind: 'cancel', on: 'a' }, send(query('select 2')), ready()],
  },
];

const TIMEOUTS: readonly Script[] = [
  {
    name: 'statement_timeout and lock_timeout',
    steps: [
      // Long enough for a busy machine to have begun the statement: before that there is no RowDescription.
      send(query("set statement_timeout = '200ms'")),
      ready(),
      send(query('select pg_sleep(10)')),
      ready(),
      send(run('select pg_sleep(10)'), run('select 1'), SYNC),
      ready(),
      send(
        query("begin; set local statement_timeout = 0; set local lock_timeout = '20ms'; select 1; rollback"),
      ),
      ready(),
      send(query('select 1')),
      ready(),
    ],
  },
  {
    name: 'idle_in_transaction_session_timeout ends the session',
    steps: [send(query("set idle_in_transaction_session_timeout = '50ms'; begin")), ready(), closed()],
  },
  {
    name: 'idle_session_timeout ends the session',
    steps: [send(query("set idle_session_timeout = '50ms'")), ready(), closed()],
  },
];

const ENDS: readonly Script[] = [
  {
    name: 'pg_terminate_backend of an idle session',
    steps: [send(query("set application_name = 'victim'")), ready(), KILL, closed()],
  },
  {
    name: 'pg_terminate_backend in the middle of a statement',
    steps: [
      send(query("set application_name = 'victim'")),
      ready(),
      send(query(RUNNING)),
      running('/* cancelled */'),
      KILL,
      closed(),
    ],
  },
  {
    name: 'pg_terminate_backend in the middle of a pipeline',
    steps: [
      send(query("set application_name = 'victim'")),
      ready(),
      send(run('select 1'), run(RUNNING), run('select 2'), SYNC),
      running('/* cancelled */'),
      KILL,
      closed(),
    ],
  },
  {
    name: 'pg_terminate_backend in the middle of COPY in',
    steps: [
      send(query("set application_name = 'victim'; create temporary table t(a int)")),
      ready(),
      send(query('copy t from stdin /* waits */')),
      wait('G'),
      { kind: 'running', on: 'a', text: '/* waits */', waitsFor: 'ClientRead' },
      KILL,
      closed(),
    ],
  },
  {
    name: 'a session that ends itself',
    steps: [send(query('select 1; select pg_terminate_backend(pg_backend_pid()); select 2')), closed()],
  },
  {
    name: 'a session that ends itself in a pipeline',
    steps: [
      send(
        parse('', 'select pg_terminate_backend(pg_backend_pid())'),
        bind('', ''),
        describe('P'),
        execute(),
        FLUSH,
        SYNC,
      ),
      closed(),
    ],
  },
];

export const SESSION_SCRIPTS: readonly Script[] = [...NOTIFICATIONS, ...CANCELS, ...TIMEOUTS, ...ENDS];
