/** The command line of the bench. */

import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { type Settings, WAY_NAMES, type WayName, WAYS_COMPARED } from './stage.ts';

export const USAGE = `Usage: npm run bench -- [OPTION…]

Direct, PgBouncer, HAProxy and the gateway in one interleaved run; of HTTP, direct, nginx and the gateway. The whole run writes
bench/results/DATE.md; a part of it is only printed.

  --only ID,ID…      measurements whose name begins so: select, select/16/prepared, http, http/32, …
  --ways NAME,NAME…  of ${WAY_NAMES.join(', ')} (all but relay, which looks at no byte)
  --rounds N         rounds of each measurement (5)
  --seconds N        seconds of each run of pgbench, or of calls (2)
  --dir DIRECTORY    on the disk that is measured (${tmpdir()})
  --profile DIR      CPU profiles of the gateway's threads, ranked at the end
  --write            write the results of a part, too
  --list             the names of the measurements
`;

export interface Options extends Settings {
  readonly only: readonly string[];
  readonly write: boolean;
  readonly list: boolean;
  readonly help: boolean;
}

export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      ways: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      dir: { type: 'string', default: tmpdir() },
      profile: { type: 'string' },
      write: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const only = listOf(values.only);
  const ways = listOf(values.ways);
  return {
    only,
    ways: ways.length === 0 ? WAYS_COMPARED : ways.map(wayName),
    rounds: countOf('--rounds', values.rounds),
    seconds: countOf('--seconds', values.seconds),
    parent: values.dir,
    profile: values.profile,
    write: values.write || (only.length === 0 && ways.length === 0 && values.profile === undefined),
    list: values.list,
    help: values.help,
  };
}

function listOf(text: string | undefined): string[] {
  return (text ?? '').split(',').filter((word) => word !== '');
}

function wayName(word: string): WayName {
  const found = WAY_NAMES.find((name) => name === word);
  if (found === undefined) throw new Error(`--ways: expected ${WAY_NAMES.join(', ')}, got ${word}`);
  return found;
}

function countOf(option: string, text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new Error(`${option}: expected 1 or more, got ${text}`);
  return count;
}
