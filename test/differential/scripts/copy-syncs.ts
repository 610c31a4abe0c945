/** Sync, and a malformed Flush, where the server reads COPY data, or has stopped to. */

import {
  close,
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
} from '../frames.ts';
import { closed, ready, type Script, send, wait } from '../run-script.ts';
import { copyScript, TABLE } from './copy.ts';

const COPIES = [query('copy t from stdin'), Buffer.concat([run('copy t from stdin'), FLUSH])];
const BAD_FLUSH = frame('H', Buffer.of(120));
const BAD_SYNC = frame('S', Buffer.of(120));

/** Behind the COPY of a Query it has an error, and what follows is skipped; that of an Execute skips it. */
const MALFORMED_FLUSHES: readonly Script[] = COPIES.flatMap((copy, i) => {
  const isSimple = i === 0 ? 1 : 0;
  const rest = [execute(), FLUSH, SYNC, describe('P'), SYNC, query('select 1')];
  return [
    copyScript(
      `a malformed Flush in copy-in mode, behind data that is bad (${i + 1})`,
      send(copy),
      wait('G'),
      send(copyData('bad\n'), BAD_FLUSH, ...rest),
      ready(3 + isSimple),
      send(copy),
      wait('G'),
      send(copyData('bad\n'), SYNC, BAD_FLUSH, BAD_FLUSH, query('skipped'), SYNC, query('select 2')),
      ready(3 + isSimple),
      send(copy),
      wait('G'),
      send(
        copyData('bad\n'),
        BAD_SYNC,
        BAD_FLUSH,
        BAD_SYNC,
        BAD_FLUSH,
        copyData('1\tx\n'),
        SYNC,
        query('selekt'),
      ),
      ready(4 + isSimple),
    ),
    copyScript(
      `a malformed Flush in copy-in mode, before data that is bad (${i + 1})`,
      send(copy),
      wait('G'),
      send(BAD_FLUSH, copyData('bad\n'), ...rest),
      ready(3 + isSimple),
      send(copy),
      wait('G'),
      send(SYNC, BAD_FLUSH, copyData('bad\n'), SYNC, BAD_FLUSH, query('skipped'), SYNC, query('select 2')),
      ready(3 + isSimple),
      send(copy),
      wait('G'),
      send(BAD_FLUSH, copyData('bad\n'), BAD_SYNC, SYNC, query('selekt')),
      ready(3 + isSimple),
      send(copy),
      wait('G'),
      send(
        BAD_SYNC,
        copyData('bad\n'),
        BAD_FLUSH,
        copyData('1\tx\n'),
        run('select 3'),
        SYNC,
        query('select 4'),
      ),
      ready(2 + isSimple),
    ),
    copyScript(
      `a malformed Flush in copy-in mode, and CopyDone or CopyFail behind it (${i + 1})`,
      send(copy),
      wait('G'),
      send(BAD_FLUSH, copyData('1\tx\n'), BAD_FLUSH, COPY_DONE, run('select 1'), SYNC),
      ready(1 + isSimple),
      send(copy),
      wait('G'),
      send(BAD_FLUSH, SYNC, BAD_FLUSH, copyFail('no'), BAD_FLUSH, run('select 1'), SYNC, query('select 2')),
      ready(2 + isSimple),
    ),
    {
      name: `a malformed Flush, good data and a Query in copy-in mode (${i + 1})`,
      steps: [
        ...TABLE,
        send(copy),
        wait('G'),
        send(copyData('1\tx\n'), BAD_FLUSH, copyData('2\tx\n'), query('select 1')),
        closed(),
      ],
    },
  ];
});

/** Whether a Sync in copy-in mode was read over depends on the data around it, and what follows on that. */
export const COPY_SYNC_SCRIPTS: readonly Script[] = [
  copyScript(
    'a Sync in the COPY of an Execute, behind data that is bad: what follows runs',
    send(run('copy t from stdin'), FLUSH),
    wait('G'),
    send(copyData('bad\n'), SYNC, copyData('1\tx\n'), run('select 1'), SYNC, query('select 2')),
    ready(3),
    send(run('copy t from stdin'), FLUSH),
    wait('G'),
    send(copyData('bad\n'), SYNC, SYNC, copyData('1\tx\n'), query('select 3')),
    ready(3),
  ),
  copyScript(
    'a Sync in the COPY of an Execute, before data that is bad: what follows is skipped',
    send(query('begin'), run('copy t from stdin'), FLUSH),
    wait('G'),
    send(SYNC, copyData('bad\n'), run('select 1'), query('select 2'), SYNC, query('rollback')),
    ready(2),
    send(run('copy t from stdin'), FLUSH),
    wait('G'),
    send(copyData('1\tx\n'), SYNC, SYNC, copyData('bad\n'), SYNC, query('select 4')),
    ready(2),
    send(run('copy t from stdin'), FLUSH),
    wait('G'),
    send(SYNC, copyData('bad\n')),
    wait('E'),
    send(frame('F'), close('S', 'none'), SYNC, run('select 5'), SYNC),
    ready(2),
  ),
  copyScript(
    'a Sync in the COPY of an Execute, and CopyDone or CopyFail behind it',
    send(run('copy t from stdin'), FLUSH),
    wait('G'),
    send(SYNC, copyData('1\tx\n'), COPY_DONE, run('select 1'), SYNC),
    ready(),
    send(run('copy t from stdin'), FLUSH),
    wait('G'),
    send(SYNC, copyData('bad\n'), COPY_DONE, run('select 1'), SYNC),
    ready(),
    send(run('copy t from stdin'), FLUSH),
    wait('G'),
    send(copyData('bad\n'), SYNC, COPY_DONE, run('select 1'), SYNC),
    ready(2),
    send(run('copy t from stdin'), FLUSH),
    wait('G'),
    send(SYNC, copyFail('no'), run('select 1'), SYNC),
    ready(),
  ),
  copyScript(
    'a Sync in the COPY of a Query, with bad data before or behind it',
    send(query('copy t from stdin')),
    wait('G'),
    send(copyData('bad\n'), SYNC, copyData('1\tx\n'), run('select 1'), SYNC),
    ready(3),
    send(query('copy t from stdin')),
    wait('G'),
    send(SYNC, copyData('bad\n'), query('select 1')),
    ready(2),
  ),
  ...[query('copy t from stdin'), Buffer.concat([run('copy t from stdin'), FLUSH])].flatMap((copy, i) => {
    const malformed = frame('S', Buffer.of(120));
    // Where the COPY of an Execute fails behind its Syncs, what follows is skipped up to the next one.
    const skipped = i === 1 ? [SYNC] : [];
    const isSimple = i === 0 ? 1 : 0;
    return [
      copyScript(
        `a malformed Sync in copy-in mode, behind data that is bad: it has an error (${i + 1})`,
        send(copy),
        wait('G'),
        send(copyData('bad\n'), malformed, query('selekt'), SYNC, malformed, query('select 1')),
        ready(5 + isSimple),
        send(copy),
        wait('G'),
        send(copyData('bad\n'), SYNC, malformed, SYNC, run('selekt'), malformed, SYNC, run('select 2'), SYNC),
        ready(6 + isSimple),
      ),
      copyScript(
        `a malformed Sync in copy-in mode, before data that is bad: it is read over (${i + 1})`,
        send(copy),
        wait('G'),
        send(malformed, copyData('bad\n'), ...skipped, query('selekt')),
        ready(2),
        send(copy),
        wait('G'),
        send(SYNC, malformed, copyData('1\tx\n'), SYNC, copyData('bad\n'), SYNC, run('selekt'), SYNC),
        ready(2 + isSimple),
        send(copy),
        wait('G'),
        send(SYNC, malformed, copyData('1\tx\n'), COPY_DONE, malformed, SYNC, query('select 3')),
        ready(3 + isSimple),
      ),
      {
        name: `a malformed Sync, good data and a Query in copy-in mode (${i + 1})`,
        steps: [
          ...TABLE,
          send(copy),
          wait('G'),
          send(copyData('1\tx\n'), malformed, copyData('2\tx\n'), query('select 1')),
          closed(),
        ],
      },
    ];
  }),
  ...MALFORMED_FLUSHES,
  ...[query('select 1'), parse('', 'select 1'), execute(), frame('F'), close('P')].map((behind, i) => ({
    name: `a Sync, good data and a request in copy-in mode (${i + 1})`,
    steps: [
      ...TABLE,
      send(run('copy t from stdin'), FLUSH),
      wait('G'),
      send(copyData('1\tx\n'), SYNC, copyData('2\tx\n'), behind, query('select 2')),
      closed(),
    ],
  })),
  {
    name: 'a Sync and a request of megabytes in copy-in mode',
    large: true,
    steps: [
      ...TABLE,
      send(run('copy t from stdin'), FLUSH),
      wait('G'),
      send(
        SYNC,
        copyData('bad\n'),
        query(`select length('${'x'.repeat(1_500_000)}')`),
        SYNC,
        query('select 2'),
      ),
      ready(2),
      send(run('copy t from stdin'), FLUSH),
      wait('G'),
      send(copyData('bad\n'), SYNC, query(`select length('${'x'.repeat(1_500_000)}')`)),
      ready(2),
      send(run('copy t from stdin'), FLUSH),
      wait('G'),
      send(copyData('1\tx\n'), SYNC, query(`select length('${'x'.repeat(1_500_000)}')`)),
      closed(),
    ],
  },
];
