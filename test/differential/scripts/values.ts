/** Values at the edges: none, NULL, very many, very long, messages that are too long to be held. */

import { bind, describe, execute, functionCall, parse, query, run, SYNC } from '../frames.ts';
import { ready, type Script, send } from '../run-script.ts';

const COLUMNS = Array.from({ length: 1_600 }, (_, i) => `${i % 3 === 0 ? 'null' : i} as c${i}`).join(', ');
const MEGABYTES = Buffer.alloc(10_000_000, 'long value ');

export const VALUE_SCRIPTS: readonly Script[] = [
  {
    name: 'no column, NULLs, empty strings, 1,600 columns',
    steps: [
      send(query("select; select null, '', ' ', null; select from generate_series(1, 3)")),
      ready(),
      send(query(`select ${COLUMNS}`)),
      ready(),
      send(parse('', `select ${COLUMNS}`), describe('S'), bind('', '', { results: [1] }), execute(), SYNC),
      ready(),
      send(query(`select ${COLUMNS}, 1 as one_too_many, 2, 3, ${COLUMNS}`)),
      ready(),
    ],
  },
  {
    name: 'a value of 10 MB in each direction, text and binary',
    large: true,
    steps: [
      send(query("select repeat('abcdefghij', 1000000) as long")),
      ready(),
      send(
        parse('', 'select length($1), md5($1), $1'),
        bind('', '', { values: [MEGABYTES] }),
        describe('P'),
        execute(),
        SYNC,
      ),
      ready(),
      send(
        parse('s', 'select length($1::bytea), $1::bytea'),
        bind('p', 's', { values: [MEGABYTES], formats: [1], results: [1] }),
        execute('p'),
        SYNC,
      ),
      ready(),
      send(functionCall(2010, [MEGABYTES], [1], 1)),
      ready(),
    ],
  },
  {
    name: 'statements of megabytes, good and bad, in a pipeline',
    large: true,
    steps: [
      send(query(`select 1 /* ${'x'.repeat(3_000_000)} */`), query(`selekt /* ${'x'.repeat(3_000_000)} */`)),
      ready(2),
      send(
        run('select 1'),
        parse('big', `select 2 /* ${'x'.repeat(2_000_000)} */`),
        bind('', 'big'),
        execute(),
        run('select 3'),
        SYNC,
        run('select 1/0'),
        parse('skipped', `select 2 /* ${'x'.repeat(2_000_000)} */`),
        query(`select 4 /* ${'x'.repeat(2_000_000)} */`),
        SYNC,
        bind('', 'skipped'),
        SYNC,
      ),
      ready(3),
    ],
  },
  {
    name: '65,535 parameters, and one row limit after another',
    large: true,
    steps: [
      send(
        parse(
          '',
          `select array_length(array[${Array.from({ length: 65_535 }, (_, i) => `$${i + 1}::int`).join(',')}], 1)`,
        ),
        bind('', '', { values: Array.from({ length: 65_535 }, (_, i) => String(i)) }),
        execute(),
        SYNC,
      ),
      ready(),
    ],
  },
  {
    name: 'a result of a hundred thousand rows',
    large: true,
    steps: [send(query('select i, i::text from generate_series(1, 100000) i')), ready()],
  },
];
