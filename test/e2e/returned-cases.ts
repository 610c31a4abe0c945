/** Scripts that return a known number of rows of `documents`, and every way in which a client sends them. */

import type { ReceivedFrame } from './frame-client.ts';
import { bind, execute, frame, parse, query, SYNC } from './raw-session.ts';

export type ReturnWay = 'simple' | 'extended' | 'in portions' | 'in one pipeline';

export interface ReturnCase {
  readonly texts: readonly string[];
  /** What a rule on `documents` counts. */
  readonly rows: number;
  readonly ways: readonly ReturnWay[];
  /** Its answer is kept back as a whole: beyond the bound the text gives nothing. */
  readonly kept: boolean;
}

export const DOCUMENTS = `
create table documents(id int primary key, title text, body text);
create table other(id int primary key, note text);
create table notes(id int);
create view shown as select * from documents;
create function f_documents(n int) returns setof documents language sql as
  $$select * from documents where id <= n order by id$$;
create function f_opened(c refcursor) returns refcursor language plpgsql as
  $$begin open c for select * from documents order by id; return c; end$$;
create procedure reset() language plpgsql as $$begin
  truncate documents, other, notes;
  insert into documents select g, 'title ' || g, repeat('secret ', 20) || g from generate_series(1, 40) g;
  insert into other select g, 'note ' || g from generate_series(1, 100) g;
end$$;
call reset();
`;

const EVERY: readonly ReturnWay[] = ['simple', 'extended', 'in portions', 'in one pipeline'];
const WITHOUT_PORTIONS: readonly ReturnWay[] = ['simple', 'extended', 'in one pipeline'];
const BY_ONE: readonly ReturnWay[] = ['simple', 'extended'];

type Row = readonly [rows: number, ...texts: readonly string[]];

/** They only read. */
const READING: readonly Row[] = [
  [40, 'select * from documents order by id'],
  [7, 'select * from documents where id <= 7 order by id'],
  [1, 'select count(*) from documents'],
  [0, 'select * from documents where false'],
  [40, 'table documents'],
  [5, 'with d as (select * from documents) select * from d where id <= 5 order by id'],
  [140, 'select id from documents union all select id from other order by 1'],
  [40, 'select id from other where id in (select id from documents) order by id'],
  [100, 'select (select title from documents d where d.id = o.id) from other o order by id'],
  [40, 'select d.* from documents d join other using (id) order by 1'],
  [6, 'select * from documents where id <= 6 order by id for update'],
];

const COPYING: readonly Row[] = [
  [40, 'copy documents to stdout'],
  [40, 'copy documents to stdout (format csv)'],
  [40, 'copy documents to stdout (format binary)'],
  [3, 'copy (select * from documents where id <= 3 order by id) to stdout (format binary)'],
  [0, 'copy (select * from documents where false) to stdout (format binary)'],
  [0, 'copy (select * from documents where false) to stdout'],
  // A header line is a message as a row is.
  [4, 'copy (select * from documents where id <= 3 order by id) to stdout (format csv, header)'],
];

/** In a transaction, all of it counts. */
const TOGETHER: readonly Row[] = [
  [
    20,
    'begin',
    'select * from documents where id <= 10 order by id',
    'select title from documents where id <= 10 order by id',
    'commit',
  ],
  [
    9,
    'begin',
    'copy (select * from documents where id <= 4 order by id) to stdout',
    'select * from documents where id <= 5 order by id',
    'commit',
  ],
];

const NAMED: readonly Row[] = [
  [9, 'prepare p9 as select * from documents where id <= $1 order by id', 'execute p9(9)', 'deallocate p9'],
];

const CURSORS: readonly Row[] = [
  [
    40,
    'begin',
    'declare c cursor for select * from documents order by id',
    'fetch 10 from c',
    'fetch next from c',
    'fetch forward all from c',
    'commit',
  ],
  [
    12,
    'begin',
    'declare c scroll cursor for select * from documents order by id',
    'move 10 in c',
    'fetch 5 from c',
    'fetch backward 7 from c',
    'close c',
    'commit',
  ],
  [
    30,
    'begin',
    'declare h cursor with hold for select * from documents order by id',
    'commit',
    'fetch 10 from h',
    'fetch 20 from h',
    'close h',
  ],
  [
    3,
    'begin',
    'declare o cursor for select * from other order by id',
    'fetch 50 from o',
    'declare d cursor for select * from documents order by id',
    'fetch 3 from d',
    'commit',
  ],
];

/** Several statements in one text, which only a Query can have. */
const SEVERAL: readonly Row[] = [
  [
    7,
    'select * from documents where id <= 3 order by id; select id from documents where id <= 4 order by id',
  ],
];

/** What has to be undone: nothing of it is given out. */
const KEPT: readonly Row[] = [
  [6, `update documents set body = 'x' where id <= 6 returning id, body`],
  [3, `insert into documents values (101, 'a'), (102, 'b'), (103, 'c') returning *`],
  [40, 'delete from documents returning id'],
  [6, `with u as (update documents set body = 'y' where id <= 6 returning id) select * from u order by id`],
  [40, `with n as (insert into notes values (1)) select * from documents order by id`],
  [8, 'select * from f_documents(8)'],
  [5, `copy (update documents set body = 'z' where id <= 5 returning id) to stdout`],
];

const KEPT_SEVERAL: readonly Row[] = [
  [
    7,
    'select id from documents where id <= 3 order by id; insert into notes values (1); select id from documents where id <= 4 order by id',
  ],
];

function cases(rows: readonly Row[], ways: readonly ReturnWay[], kept: boolean): readonly ReturnCase[] {
  return rows.map(([count, ...texts]) => ({ texts, rows: count, ways, kept }));
}

export const RETURN_CASES: readonly ReturnCase[] = [
  ...cases(READING, EVERY, false),
  ...cases(COPYING, WITHOUT_PORTIONS, false),
  ...cases(TOGETHER, WITHOUT_PORTIONS, false),
  ...cases(NAMED, BY_ONE, false),
  ...cases(CURSORS, BY_ONE, false),
  ...cases(SEVERAL, ['simple'], false),
  ...cases(KEPT, WITHOUT_PORTIONS, true),
  ...cases(KEPT_SEVERAL, ['simple'], true),
];

/** Rows that one Execute asks for where a portal gives its rows in portions. */
const PORTION = 3;

/** The flights of a script: frames that go together, each of which ends in one ReadyForQuery. */
export function flightsOf(texts: readonly string[], way: ReturnWay): readonly (readonly Buffer[])[] {
  switch (way) {
    case 'simple':
      return texts.map((text) => [query(text)]);
    case 'extended':
      return texts.map((text) => [parse('', text), bind('', ''), describePortal(), execute(), SYNC]);
    case 'in portions':
      return texts.map((text) => [
        parse('', text),
        bind('', ''),
        ...Array.from({ length: 50 }, () => executeSome(PORTION)),
        SYNC,
      ]);
    case 'in one pipeline':
      return [[...texts.flatMap((text) => [parse('', text), bind('', ''), execute()]), SYNC]];
    default:
      return way satisfies never;
  }
}

function describePortal(): Buffer {
  return frame('D', Buffer.from('P\0'));
}

function executeSome(rowsMax: number): Buffer {
  const count = Buffer.alloc(4);
  count.writeUInt32BE(rowsMax);
  return frame('E', Buffer.of(0), count);
}

/** Frames as one line each, for comparison. */
export function shown(frames: readonly ReceivedFrame[]): readonly string[] {
  return frames.map(({ type, body }) => `${type} ${body.toString('latin1')}`);
}
