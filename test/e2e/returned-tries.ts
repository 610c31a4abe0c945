/** What somebody tries who wants more rows of `documents` than a bound of ten allows. */

import { bind, execute, frame, parse, query, SYNC } from './raw-session.ts';

export const ALL = 'select * from documents order by id';

/** Queries, one after the other. */
export const TEXTS: readonly (readonly [string, readonly string[]])[] = [
  ['a cursor in many small steps', ['begin', `declare c cursor for ${ALL}`, ...fetches(30, 'c')]],
  [
    'a cursor, again after each error',
    [
      'begin',
      `declare c cursor for ${ALL}`,
      'savepoint s',
      ...Array.from({ length: 8 }, () => ['fetch 3 from c', 'rollback to s']).flat(),
    ],
  ],
  [
    'a cursor WITH HOLD over transactions',
    ['begin', `declare c cursor with hold for ${ALL}`, 'commit', ...fetches(30, 'c')],
  ],
  [
    'one WITH HOLD, each time in a transaction',
    [
      'begin',
      `declare c cursor with hold for ${ALL}`,
      'commit',
      ...Array.from({ length: 10 }, () => ['begin', 'fetch 3 from c', 'commit']).flat(),
    ],
  ],
  [
    'two cursors of one transaction',
    [
      'begin',
      `declare c cursor for ${ALL}`,
      `declare d cursor for ${ALL}`,
      'fetch 6 from c',
      'fetch 6 from d',
    ],
  ],
  [
    'a cursor that a failed DECLARE renames',
    [
      'begin',
      `declare c cursor with hold for ${ALL}`,
      'commit',
      'fetch 6 from c',
      'begin',
      'declare c cursor for select 1',
      'rollback',
      'fetch 6 from c',
    ],
  ],
  [
    'a name that another cursor had',
    ['begin', 'declare c cursor for select 1', 'close c', `declare c cursor for ${ALL}`, 'fetch all from c'],
  ],
  ['a cursor of a function', ['begin', "select f_opened('c')", 'fetch all from c']],
  [
    'a cursor of a function, under a known name',
    ['begin', 'declare c cursor for select 1', 'close c', "select f_opened('c')", 'fetch all from c'],
  ],
  [
    'a cursor that is declared in the text that reads it',
    ['begin', `declare c cursor for ${ALL}; fetch all from c`],
  ],
  ['EXECUTE', [`prepare p as ${ALL}`, 'execute p']],
  [
    'EXECUTE of a name that a block has changed',
    [
      'prepare q as select 1',
      `do $$ begin execute 'deallocate q'; execute 'prepare q as select * from documents'; end $$`,
      'execute q',
    ],
  ],
  [
    'statements of one transaction',
    ['begin', ...Array.from({ length: 30 }, (_, at) => `select * from documents where id = ${at}`)],
  ],
  [
    'savepoints',
    [
      'begin',
      ...Array.from({ length: 30 }, (_, at) => [
        'savepoint s',
        `select * from documents where id = ${at + 1}`,
        'rollback to s',
      ]).flat(),
    ],
  ],
  [
    'several statements of one text',
    [Array.from({ length: 30 }, (_, at) => `select * from documents where id = ${at + 1}`).join(';')],
  ],
  [
    'COPY and SELECT together',
    [
      'begin',
      'copy (select * from documents where id <= 8) to stdout',
      'select * from documents where id <= 8',
    ],
  ],
  ['a quoted name', ['select * from "documents"']],
  ['a qualified name', ['select * from public.documents']],
  ['ONLY and an alias', ['select d.* from only documents as d']],
  ['a function', ['select * from f_documents(40)']],
  ['a function in the list', ['select f_documents(40)']],
  ['RETURNING in a COPY', [`copy (update documents set title = 'x' returning *) to stdout`]],
  ['RETURNING of many', [`update documents set title = 'x' returning *`]],
  [
    'a write that reads',
    [`with n as (insert into notes values (1) returning id) select * from n, documents`],
  ],
];

/** Frames of one's own making, flight by flight. */
export const FLIGHTS: readonly (readonly [string, readonly (readonly Buffer[])[]])[] = [
  [
    'a portal in portions, Sync after each, in a transaction',
    [
      [query('begin')],
      [parse('', ALL), bind('p', ''), executeSome('p', 4), SYNC],
      [executeSome('p', 4), SYNC],
      [executeSome('p', 4), SYNC],
      [executeSome('p', 0), SYNC],
    ],
  ],
  [
    'a portal that FETCH reads',
    [[query('begin')], [parse('', ALL), bind('p', ''), SYNC], [query('fetch all from p')]],
  ],
  [
    'a portal that FETCH reads, under the name of a known cursor',
    [
      [query('begin')],
      [query('declare p cursor for select 1')],
      [frame('C', Buffer.from('Pp\0')), parse('', ALL), bind('p', ''), SYNC],
      [query('fetch all from p')],
    ],
  ],
  [
    'a cursor that an Execute reads',
    [
      [query('begin')],
      [query(`declare c cursor for ${ALL}`)],
      [executeSome('c', 4), SYNC],
      [executeSome('c', 4), SYNC],
      [executeSome('c', 4), SYNC],
    ],
  ],
  [
    'a cursor WITH HOLD that an Execute reads',
    [
      [query(`begin`)],
      [query(`declare c cursor with hold for ${ALL}`)],
      [query(`commit`)],
      [executeSome('c', 4), SYNC],
      [executeSome('c', 4), SYNC],
      [executeSome('c', 4), SYNC],
    ],
  ],
  [
    'one pipeline of small statements',
    [
      [
        parse('s', 'select * from documents where id <= 4'),
        ...Array.from({ length: 8 }, () => [bind('', 's'), execute()]).flat(),
        SYNC,
      ],
    ],
  ],
  ['EXECUTE of a statement that a Parse has prepared', [[parse('s', ALL), SYNC], [query('execute s')]]],
  [
    'EXECUTE of a statement that a Parse has prepared, under the name of a known one',
    [
      [query('prepare s as select 1')],
      [query('execute s')],
      [frame('C', Buffer.from('Ss\0')), parse('s', ALL), SYNC],
      [query('execute s')],
    ],
  ],
  ['a statement that SQL has prepared', [[query(`prepare p as ${ALL}`)], [bind('', 'p'), execute(), SYNC]]],
  ['Queries that come before their answers', [[query(ALL), query('select * from documents where id = 11')]]],
  [
    'an Execute and a Query behind it',
    [[parse('', 'select * from documents where id <= 10'), bind('', ''), execute(), query('begin')]],
  ],
];

function fetches(count: number, from: string): readonly string[] {
  return Array.from({ length: count }, () => `fetch 1 from ${from}`);
}

function executeSome(portal: string, rowsMax: number): Buffer {
  const count = Buffer.alloc(4);
  count.writeUInt32BE(rowsMax);
  return frame('E', Buffer.from(`${portal}\0`), count);
}
