/** Bodies that PostgreSQL refuses with an error and goes on behind, and bytes behind which it does not. */

import {
  bind,
  close,
  COPY_DONE,
  copyData,
  describe,
  execute,
  FLUSH,
  frame,
  functionCall,
  parse,
  query,
  run,
  SYNC,
} from '../frames.ts';
import { closed, pipeline, ready, type Script, send, sendOn, type Step, wait } from '../run-script.ts';

/** Bytes as they are written, `\0` and `\xff` included. */
function raw(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** `abs(integer)` and `nextval(regclass)` in pg_proc. */
const ABS = 1397;
const NEXTVAL = 1574;

const PARSES: Readonly<Record<string, Buffer>> = {
  'an empty Parse': frame('P'),
  'a Parse whose name does not end': frame('P', raw('name')),
  'a Parse whose text does not end': frame('P', raw('n\0select 1')),
  'a Parse without a count of types': frame('P', raw('n\0select 1\0')),
  'a Parse with half a count': frame('P', raw('n\0select 1\0\0')),
  'a Parse with fewer types than it counts': frame('P', raw('n\0select 1\0\0\x02\0\0\0\x17')),
  'a Parse with 65,535 types that are not there': frame('P', raw('n\0select 1\0\xff\xff')),
  'a Parse with a byte too many': frame('P', raw('n\0select 1\0\0\0x')),
  'a Parse of the unnamed statement that ends early': frame('P', raw('\0select 1\0')),
};

/** Bound to `s`, which is `select $1::int + $2::int`. */
const BINDS: Readonly<Record<string, Buffer>> = {
  'an empty Bind': frame('B'),
  'a Bind whose portal does not end': frame('B', raw('p')),
  'a Bind whose statement does not end': frame('B', raw('\0s')),
  'a Bind without formats': frame('B', raw('\0s\0')),
  'a Bind with fewer formats than it counts': frame('B', raw('\0s\0\0\x02\0\0')),
  'a Bind with three formats and two values': bind('', 's', { values: ['1', '2'], formats: [0, 0, 0] }),
  'a Bind with two formats and no value': bind('', 'none', { formats: [0, 0] }),
  'a Bind with too few values': bind('', 's', { values: ['1'] }),
  'a Bind with a value in format 2': bind('', 's', { values: ['1', '2'], formats: [2] }),
  'a Bind with the second value in format 2': bind('', 's', { values: ['1', '2'], formats: [0, 2] }),
  'a Bind with a NULL in format -1': bind('', 's', { values: [null, '2'], formats: [0xffff, 0] }),
  'a Bind with a value that is cut off': frame('B', raw('\0s\0\0\0\0\x02\0\0\0\x011\0\0\0\x09')),
  'a Bind with a value of length -2': frame('B', raw('\0s\0\0\0\0\x02\xff\xff\xff\xfe')),
  'a Bind with a value of length 2147483647': frame('B', raw('\0s\0\0\0\0\x02\x7f\xff\xff\xff')),
  'a Bind with fewer values than it counts': frame('B', raw('\0s\0\0\0\0\x02\0\0\0\x011')),
  'a Bind without result formats': frame('B', raw('\0s\0\0\0\0\x02\0\0\0\x011\0\0\0\x012')),
  'a Bind with fewer result formats than it counts': frame(
    'B',
    raw('\0s\0\0\0\0\x02\0\0\0\x011\0\0\0\x012\0\x02\0\0'),
  ),
  'a Bind with a byte too many': frame('B', raw('\0s\0\0\0\0\x02\0\0\0\x011\0\0\0\x012\0\0x')),
  'a Bind of bad values that ends early': frame('B', raw('\0s\0\0\0\0\x02\0\0\0\x01x')),
};

const OTHERS: Readonly<Record<string, Buffer>> = {
  'an empty Execute': frame('E'),
  'an Execute whose portal does not end': frame('E', raw('p')),
  'an Execute without a limit': frame('E', raw('\0')),
  'an Execute with half a limit': frame('E', raw('\0\0\0')),
  'an Execute with a byte too many': frame('E', raw('\0\0\0\0\0x')),
  'an empty Describe': frame('D'),
  'a Describe of nothing': frame('D', raw('S')),
  'a Describe whose name does not end': frame('D', raw('Sname')),
  'a Describe with a byte too many': frame('D', raw('Ss\0x')),
  'a Describe of something else': frame('D', raw('X\0')),
  'a Describe of something else with a byte too many': frame('D', raw('\xff\0x')),
  'an empty Close': frame('C'),
  'a Close of nothing': frame('C', raw('P')),
  'a Close whose name does not end': frame('C', raw('Sname')),
  'a Close with a byte too many': frame('C', raw('Ss\0x')),
  'a Close of something else': frame('C', raw('\0\0')),
  'a Flush with a body': frame('H', raw('x')),
};

const SIMPLE: Readonly<Record<string, Buffer>> = {
  'an empty Query': frame('Q'),
  'a Query that does not end': frame('Q', raw('select 1')),
  'a Query with a byte too many': frame('Q', raw('select 1\0x')),
  'a Query of two texts': frame('Q', raw('select 1\0select 2\0')),
  'an empty FunctionCall': frame('F'),
  'a FunctionCall of half a function': frame('F', raw('\0\0')),
  'a FunctionCall without formats': frame('F', raw('\0\0\x05\x75')),
  'a FunctionCall with three formats and one value': functionCall(ABS, ['1'], [0, 0, 0]),
  'a FunctionCall with a value in format 2': functionCall(ABS, ['1'], [2]),
  'a FunctionCall with a value of length -2': frame('F', raw('\0\0\x05\x75\0\0\0\x01\xff\xff\xff\xfe\0\0')),
  'a FunctionCall with a value that is cut off': frame('F', raw('\0\0\x05\x75\0\0\0\x01\0\0\0\x09-1')),
  'a FunctionCall without a result format': frame('F', raw('\0\0\x05\x75\0\0\0\x01\0\0\0\x02-1')),
  'a FunctionCall with a byte too many': Buffer.concat([
    frame('F', raw('\0\0\x05\x75\0\0\0\x01\0\0\0\x02-1\0\0x')),
  ]),
  'a Sync with a body': frame('S', raw('x')),
};

/** What the names of the unnamed statement and portal still stand for, and that of a statement. */
const KEPT: readonly Buffer[] = [
  bind('', ''),
  describe('P'),
  execute(),
  bind('', 's', { values: ['3', '4'] }),
  execute(),
  SYNC,
];

const PREPARE = [close('S', 's'), parse('', 'select 1'), parse('s', 'select $1::int + $2::int'), SYNC];

/** In a pipeline: what stands behind it up to Sync is skipped, and names are what they were. */
function extended(name: string, malformed: Readonly<Record<string, Buffer>>): Script {
  const steps = Object.values(malformed).flatMap((bytes) => [
    send(bytes, run('select 2'), query('select 3'), FLUSH, SYNC, ...PREPARE, ...KEPT),
    ready(3),
    send(query('begin'), bind('', ''), bytes, execute(), SYNC, run('select 4'), SYNC),
    ready(3),
    send(query('rollback'), bytes, bytes, close('P', 'none'), SYNC, query('select 5')),
    ready(3),
  ]);
  return { name, steps };
}

/** Answered with an error and ReadyForQuery at once, inside of a pipeline too. */
function simple(name: string, malformed: Readonly<Record<string, Buffer>>): Script {
  const steps = Object.values(malformed).flatMap((bytes) => [
    send(...PREPARE),
    ready(),
    send(bytes, ...KEPT),
    ready(2),
    send(query('begin'), bytes, query('select 1'), query('rollback')),
    ready(4),
    send(bind('', 's', { values: ['1', '2'] }), bytes, execute(), SYNC, run('selekt'), bytes, SYNC),
    wait('Z', 3),
    // A Sync ends what an error began, whatever its body; nothing else does.
    send(SYNC, query('select 1')),
    ready(2),
  ]);
  return { name, steps };
}

/** Formats that nothing is written in, or nobody reads: these are no errors, or are only when rows come. */
const FORMATS: readonly Script[] = [
  pipeline(
    'format codes that PostgreSQL does not look at',
    3,
    query('create temporary table t(a int)'),
    parse('', 'insert into t values (7)'),
    bind('', '', { formats: [2], results: [9, 9, 9] }),
    describe('P'),
    execute(),
    parse('', 'select a from t'),
    bind('', '', { formats: [0xffff], results: [2] }),
    describe('P'),
    SYNC,
    query('select * from t'),
  ),
  pipeline(
    'a result in format 2, and no row to write in it',
    4,
    parse('r', 'select 1 as one where $1::int = 1'),
    bind('', 'r', { values: ['2'], results: [2] }),
    describe('P'),
    execute(),
    SYNC,
    bind('', 'r', { values: ['1'], results: [2] }),
    execute(),
    SYNC,
    bind('', 'r', { values: ['1'], results: [1, 1] }),
    SYNC,
    query('select 1'),
  ),
  {
    name: 'a function is called although its result has no format',
    setup: 'create sequence public.calls',
    cleanup: 'drop sequence public.calls',
    steps: [
      send(functionCall(ABS, ['-1'], [], 2), functionCall(ABS, [null], [], 2), functionCall(ABS, ['x'])),
      ready(3),
      send(functionCall(NEXTVAL, ['public.calls'], [], 7), query("select nextval('public.calls')")),
      ready(2),
    ],
  },
];

const TABLE: readonly Step[] = [send(query('create temporary table t(a int, b text)')), ready()];

const COPIES: readonly Script[] = [
  {
    name: 'malformed Sync, Flush and CopyDone in copy-in mode are read over',
    steps: [
      ...TABLE,
      send(query('copy t from stdin')),
      wait('G'),
      send(
        copyData('1\tx\n'),
        frame('S', raw('x')),
        frame('H', raw('x')),
        copyData('2\ty\n'),
        frame('c', raw('x')),
      ),
      ready(),
      send(run('copy t from stdin'), FLUSH),
      wait('G'),
      send(copyData('3\tz\n'), frame('H', raw('x')), COPY_DONE, SYNC),
      ready(),
      send(query('copy t from stdin')),
      wait('G'),
      send(frame('f', raw('no end')), query('select * from t')),
      ready(2),
      // Nobody reads these.
      send(frame('c', raw('x')), frame('f', raw('no end')), frame('d'), query('select 1')),
      ready(),
    ],
  },
  {
    name: 'a malformed Parse in copy-in mode',
    steps: [...TABLE, send(query('copy t from stdin')), wait('G'), send(frame('P')), closed()],
  },
];

/** Only the type, or the type and the length, is sent: nothing more is read. */
const LOST: Readonly<Record<string, Buffer>> = {
  'type 0': raw('\0'),
  'type 255': raw('\xff'),
  'a small z': raw('z'),
  'a password': frame('p', raw('secret\0')),
  'a message of the server': frame('Z', raw('I')),
  'a request of HTTP': raw('GET / HTTP/1.1\r\n\r\n'),
  'a Query of length 0': raw('Q\0\0\0\0'),
  'a Query of length 3': raw('Q\0\0\0\x03'),
  'a Query of length -1': raw('Q\xff\xff\xff\xff'),
  'a Query of length 1073741823': raw('Q\x3f\xff\xff\xff'),
  'a Parse of length 2147483647': raw('P\x7f\xff\xff\xff'),
  'a Bind of length 3': raw('B\0\0\0\x03'),
  'a CopyData of length 3': raw('d\0\0\0\x03'),
  'a CopyDone of length 10001': raw('c\0\0\x27\x11'),
  'a Sync of length 10001': raw('S\0\0\x27\x11'),
  'a Terminate of length 10001': raw('X\0\0\x27\x11'),
  'an Execute of length 10001': raw('E\0\0\x27\x11'),
  'a Describe of length 1073741824': raw('D\x40\0\0\0'),
};

/** Each in a session of its own, all at once. */
function lost(name: string, ...before: readonly Step[]): Script {
  const all = Object.entries(LOST);
  const behind = query('select 2');
  return {
    name,
    steps: [
      ...all.flatMap(([on]) => before.map((step) => ({ ...step, on }))),
      ...all.map(([on, bytes]) => sendOn(on, bytes, behind)),
      ...all.map(([on]) => closed(on)),
    ],
  };
}

const LOSSES: readonly Script[] = [
  lost('what is no message, and nothing behind it is read', send(query('select 1')), ready()),
  {
    ...lost(
      'what is no message, behind a pipeline',
      send(query('begin'), run('select 1'), run('select 1/0'), run('select 2')),
    ),
    large: true,
  },
  {
    ...lost(
      'what is no message, behind statements that take a while',
      send(query('select pg_sleep(0.2)'), run('select pg_sleep(0.2)'), SYNC),
    ),
    large: true,
  },
  {
    ...lost(
      'what is no message, in the middle of COPY in',
      send(query('create temporary table t(a int, b text); copy t from stdin')),
      wait('G'),
      send(copyData('1\tx\n')),
    ),
    large: true,
  },
];

const SIZES: readonly Script[] = [
  {
    name: 'the longest small message there is',
    steps: [
      send(
        frame('D', raw(`S${'n'.repeat(9_994)}\0`)),
        SYNC,
        frame('S', Buffer.alloc(9_996)),
        query('select 1'),
      ),
      ready(3),
    ],
  },
];

export const MALFORMED_SCRIPTS: readonly Script[] = [
  extended('malformed Parses', PARSES),
  extended('malformed Binds', BINDS),
  extended('malformed Executes, Describes, Closes and Flushes', OTHERS),
  simple('malformed Queries, FunctionCalls and Syncs', SIMPLE),
  ...FORMATS,
  ...COPIES,
  ...LOSSES,
  ...SIZES,
];
