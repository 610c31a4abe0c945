/** Messages where they have no place, which PostgreSQL answers all the same. */

import { bind, execute, frame, parse, query, run, SYNC } from '../frames.ts';
import { pipeline, type Script } from '../run-script.ts';

/** What the specification forbids, and PostgreSQL answers all the same. */
export const ODD_SCRIPTS: readonly Script[] = [
  pipeline(
    'COPY messages that nobody asked for',
    3,
    frame('d', Buffer.from('x')),
    frame('c'),
    frame('f', Buffer.from('x\0')),
    query('select 1'),
    parse('', 'select 2'),
    frame('d'),
    bind('', ''),
    frame('c'),
    execute(),
    SYNC,
    frame('c'),
    SYNC,
  ),
  pipeline(
    'a COPY message behind what only looks like a COPY',
    1,
    run("select 'copy t from stdin'"),
    frame('d', Buffer.from('x')),
    frame('c'),
    SYNC,
  ),
  pipeline(
    'a rule that gives a statement several results',
    4,
    query(
      'create temp table ruled (a int); create rule several as on insert to ruled do instead (select 1; select 2, 3)',
    ),
    query('insert into ruled values (1)'),
    query('select 0; insert into ruled values (1); select 4'),
    parse('', 'insert into ruled values (1)'),
    bind('', ''),
    execute(),
    SYNC,
  ),
  pipeline(
    'a COPY message behind a portal of a cursor',
    2,
    query('begin; declare c cursor for select 1'),
    execute('c'),
    frame('d', Buffer.from('x')),
    frame('c'),
    SYNC,
  ),
];
