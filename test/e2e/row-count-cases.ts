/** Statements that write a known number of rows to the watched tables of row-count-schema.ts. */

/** How a statement comes to the server. */
export type Way = 'simple' | 'extended' | 'postgres.js' | 'in a transaction' | 'in an extended transaction';

export interface RowCase {
  readonly texts: readonly string[];
  readonly rows: number;
  readonly ways: readonly Way[];
  /** Lines of a COPY FROM STDIN, as bytes. */
  readonly data?: Uint8Array;
  /** Of the server. */
  readonly from: number;
  /** On the older servers too. */
  readonly everywhere: boolean;
}

const EVERY: readonly Way[] = [
  'simple',
  'extended',
  'postgres.js',
  'in a transaction',
  'in an extended transaction',
];
/** What may COMMIT by itself. */
const WITHOUT_COMMIT: readonly Way[] = ['simple', 'in a transaction', 'in an extended transaction'];
const SIMPLE: readonly Way[] = ['simple', 'in a transaction'];
const BLOCK: readonly Way[] = ['in a transaction', 'in an extended transaction'];

type Row = readonly [rows: number, text: string, from?: number];

/** One statement each, which runs every way. */
const STATEMENTS: readonly Row[] = [
  [7, 'update scores set score = 1 where id <= 7'],
  [40, 'update scores set score = score'],
  [1, 'update scores set score = 2 where kind = 1'],
  [39, 'update scores set score = 2 where kind = 9'],
  [0, 'update scores set score = 2 where false'],
  [10, 'delete from scores where id > 30'],
  [40, 'delete from scores'],
  [2, 'insert into scores values (101), (102)'],
  [25, 'insert into scores select g from generate_series(101, 125) g'],
  [0, 'insert into scores select g from generate_series(1, 0) g'],
  [5, 'insert into scores select g from generate_series(38, 45) g on conflict do nothing'],
  [8, 'insert into scores select g from generate_series(38, 45) g on conflict (id) do update set score = 3'],
  [
    5,
    'insert into scores select g from generate_series(38, 45) g on conflict (id) do update set score = 3 where false',
  ],
  [12, 'update scores set score = 5 where id <= 12 returning id, score'],
  [4, 'delete from scores s using generate_series(1, 4) g where s.id = g'],
  [2, 'update scores s set score = g.x from (values (1, 1), (1, 2), (2, 3)) g(id, x) where s.id = g.id'],
  [10, 'with d as (delete from scores where id <= 5 returning *) insert into scores select id + 200 from d'],
  [
    7,
    'with a as (update scores set score = 1 where id <= 3), b as (update scores set score = 2 where id between 11 and 14) select 1',
  ],
  [
    6,
    'with a as (insert into scores values (201), (202), (203) returning id), b as (update scores set score = 1 where id <= 3 returning id) select count(*) from a, b',
  ],
  [
    9,
    'with recursive r(n) as (values (1) union all select n + 1 from r where n < 9) update scores set score = n from r where id = n',
  ],
  [
    6,
    'merge into scores s using generate_series(38, 43) g on s.id = g when matched then update set score = 1 when not matched then insert values (g)',
  ],
  [3, 'merge into scores s using generate_series(38, 43) g on s.id = g when matched then delete'],
  [
    2,
    'merge into scores s using generate_series(38, 43) g on s.id = g when matched and s.id < 40 then update set score = 4 when matched then do nothing',
  ],
  [0, 'merge into scores s using generate_series(38, 43) g on s.id = g when matched then do nothing'],
  [
    40,
    'merge into scores s using generate_series(1, 10) g on s.id = g when matched then update set score = 1 when not matched by source then delete',
    17,
  ],
  [
    5,
    'merge into scores s using generate_series(1, 5) g on s.id = g when matched then update set score = 1 returning s.id',
    17,
  ],
  [5, 'update scores set score = 1 where id <= 5 returning old.score, new.score', 18],
  [6, 'insert into src_row select g from generate_series(1, 6) g'],
  [3, 'insert into src_statement values (1), (2), (3)'],
  [4, 'insert into src_before select g from generate_series(1, 4) g'],
  [8, 'insert into src_chain select g from generate_series(1, 4) g'],
  [4, 'insert into src_deferred select g from generate_series(1, 4) g'],
  [5, 'insert into src_deferred_2 select g from generate_series(1, 5) g'],
  [11, 'insert into src_rule values (11)'],
  [6, 'insert into src_upsert select g from generate_series(1, 6) g on conflict (id) do update set n = 1'],
  [2, 'insert into hard values (301, 1), (302, 2)'],
  [9, 'update hard set score = 5 where id < 10'],
  [6, 'delete from hard where id between 5 and 10'],
  [20, 'update easy set score = 1'],
  [3, 'delete from easy where id in (1, 2, 3, 33)'],
  [1, 'insert into easy values (401, 4)'],
  [13, 'delete from ruled where id <= 13'],
  [
    9,
    'delete from owners where id = 1 and id > (select count(*) from plain) and not exists (select from loose where owner = 77)',
  ],
  [9, 'update owners set id = 100 where id = 2'],
  [45, 'delete from owners'],
  [0, 'insert into plain select g from generate_series(1, 500) g'],
  [9, 'select f_sql(9)'],
  [11, 'select f_plpgsql(11)'],
  [8, 'select f_caught(5)'],
  [6, 'select f_dynamic(6)'],
  [7, 'select f_definer(7)'],
  [12, 'select f_sql(g) from generate_series(3, 5) g'],
  [10, 'do $$begin update scores set score = 1 where id <= 4; delete from scores where id > 34; end$$'],
  [
    15,
    "do $$begin for i in 1..5 loop execute 'update scores set score = score + 1 where id <= 3'; end loop; end$$",
  ],
  [
    6,
    "do $$begin begin insert into scores values (501), (502), (503); raise 'x'; exception when others then null; end; insert into scores values (501), (502), (503); end$$",
  ],
  [7, 'call p_add(7)'],
  [8, 'call p_nested(4)'],
  [30, 'update parts set score = 1'],
  [10, 'update parts set score = 1 where id between 151 and 160'],
  [6, 'insert into parts values (1), (2), (101), (102), (201), (202)'],
  [20, 'update parts set id = id + 20 where id between 81 and 90'],
  [10, 'update parts_hi_2 set score = 4'],
  [20, 'delete from parts_hi'],
  [4, 'insert into parts_hi_1 select g from generate_series(191, 194) g'],
  [
    10,
    'merge into parts p using generate_series(86, 95) g on p.id = g when matched then update set score = 1 when not matched then insert values (g)',
  ],
  [20, 'update kin set score = 1'],
  [10, 'update only kin set score = 1'],
  [10, 'delete from kin_child'],
  [3, 'insert into kin_child values (1), (2), (3)'],
  [40, 'explain analyze update scores set score = 1'],
  [0, 'explain update scores set score = 1'],
  [0, 'select * from scores for update'],
];

/** Several statements in one text. */
const TEXTS: readonly Row[] = [
  [7, 'update scores set score = 1 where id <= 3; delete from scores where id > 36'],
  [6, 'insert into src_deferred values (1), (2); insert into scores values (601), (602), (603), (604)'],
  [12, 'select 1; select f_sql(6); select f_sql(6)'],
  [
    4,
    'create temp table t(id int) on commit drop; insert into t values (1), (2); update scores set score = 1 where id <= 4',
  ],
];

/** Several texts in one transaction of the client's. */
const TRANSACTIONS: readonly (readonly [rows: number, ...texts: readonly string[]])[] = [
  [9, 'update scores set score = 1 where id <= 4', 'update scores set score = 2 where id <= 5'],
  [
    5,
    'declare c cursor for select id from scores for update',
    'fetch 2 from c',
    'update scores set score = 1 where current of c',
    'move 3 from c',
    'delete from scores where current of c',
    'update scores set score = 1 where id in (31, 32, 33)',
  ],
  [
    5,
    'savepoint a',
    'update scores set score = 1 where id <= 3',
    'rollback to a',
    'update scores set score = 1 where id <= 2',
  ],
  [4, 'savepoint a', 'delete from scores where id <= 4', 'release a'],
  [
    6,
    'create temp table t on commit drop as select g as id from generate_series(1, 6) g',
    'update scores s set score = 1 from t where t.id = s.id',
  ],
  [7, 'insert into src_deferred values (1), (2), (3)', 'update scores set score = 1 where id <= 4'],
  [3, 'set constraints all deferred', 'insert into src_deferred_2 values (1), (2), (3)'],
  [3, 'insert into src_deferred_2 values (1), (2), (3)', 'set constraints all immediate'],
  [
    8,
    'select 1',
    'insert into scores values (701), (702)',
    'select count(*) from scores',
    'call p_nested(3)',
  ],
  [10, 'set local enable_seqscan = off', 'update kin set score = 1 where id <= 10'],
];

const TSV = Array.from({ length: 17 }, (_, at) => `${801 + at}\t1\t9\n`).join('');
const CSV = `id,score,kind\n${Array.from({ length: 17 }, (_, at) => `${801 + at},1,9\n`).join('')}`;

/** Its signature, flags, no extension; a row has three columns of four bytes. */
function binaryRows(ids: readonly number[]): Buffer {
  const head = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
  const rows = ids.map((id) => {
    const row = Buffer.alloc(26);
    row.writeInt16BE(3, 0);
    for (const [at, value] of [id, 1, 9].entries()) {
      row.writeInt32BE(4, 2 + at * 8);
      row.writeInt32BE(value, 6 + at * 8);
    }
    return row;
  });
  return Buffer.concat([head, ...rows, Buffer.from([255, 255])]);
}

const COPIES: readonly (readonly [rows: number, text: string, data: Uint8Array])[] = [
  [17, 'copy scores from stdin', Buffer.from(TSV)],
  [17, 'copy scores from stdin (format csv, header)', Buffer.from(CSV)],
  [12, 'copy scores from stdin (format binary)', binaryRows([...Array(12).keys()].map((n) => 901 + n))],
  [6, 'copy scores from stdin (format csv, header) where id < 807', Buffer.from(CSV)],
  [0, 'copy scores from stdin', Buffer.alloc(0)],
  [3, 'copy src_row from stdin', Buffer.from('1\n2\n3\n')],
  [4, 'copy parts(id) from stdin', Buffer.from('1\n101\n102\n201\n')],
  [2, 'copy src_deferred from stdin', Buffer.from('1\n2\n')],
];

export const CASES: readonly RowCase[] = [
  ...STATEMENTS.map(([rows, text, from = 15], at) => ({
    texts: [text],
    rows,
    from,
    ways: /^(?:call|do)\b/.test(text) ? WITHOUT_COMMIT : EVERY,
    everywhere: at % 4 === 0,
  })),
  ...TEXTS.map(([rows, text]) => ({ texts: [text], rows, from: 15, ways: SIMPLE, everywhere: true })),
  ...TRANSACTIONS.map(([rows, ...texts]) => ({ texts, rows, from: 15, ways: BLOCK, everywhere: true })),
  ...COPIES.map(([rows, text, data]) => ({
    texts: [text],
    rows,
    data,
    from: 15,
    ways: ['simple' as const],
    everywhere: true,
  })),
];
