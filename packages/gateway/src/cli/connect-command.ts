/** `connect NAME`: how to reach a connection with psql, or psql itself. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { WhoamiAnswer } from '../api/answers.ts';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { clientOf, currentToken } from './client.ts';
import { CLIENT_OPTIONS, type Command } from './command.ts';

const connect: Command = {
  path: 'connect',
  summary: 'How to reach a connection with psql: NAME or NAME/DATABASE',
  positionals: ['NAME'],
  options: {
    host: {
      type: 'string',
      value: 'HOST',
      says: 'Of the PostgreSQL listener; that of the gateway where absent',
    },
    port: {
      type: 'string',
      value: 'PORT',
      says: 'Of the PostgreSQL listener; what the gateway says where absent',
    },
    exec: { type: 'boolean', says: 'Run psql with the token of the login' },
    ...CLIENT_OPTIONS,
  },
  async run(input) {
    const client = await clientOf(input);
    const { name, postgresPort } = await client.json<WhoamiAnswer>('GET', '/v1/whoami');
    const host = input.option('host') ?? new URL(client.server).hostname.replace(/^\[(.*)\]$/, '$1');
    const port = input.option('port') ?? String(postgresPort);
    const settings = { host, port, user: name, dbname: input.positional(0) };
    const conninfo = Object.entries(settings)
      .map(([key, value]) => `${key}=${quoted(value)}`)
      .join(' ');
    if (!input.flag('exec')) {
      await input.show(settings, [
        `psql ${shellWord(conninfo)}`,
        'The password is a personal token: countersign token create --name psql',
      ]);
      return undefined;
    }
    const token = await currentToken(input, client.server);
    if (token === undefined) throw new CountersignError('TOKEN_REQUIRED');
    return runPsql(conninfo, token.reveal());
  },
};

export const CONNECT_COMMANDS: readonly Command[] = [connect];

/** The token goes through the environment, which other users of the machine cannot read. */
async function runPsql(conninfo: string, token: string): Promise<number> {
  const child = spawn('psql', [conninfo], { stdio: 'inherit', env: { ...process.env, PGPASSWORD: token } });
  try {
    await once(child, 'exit');
  } catch (error) {
    throw new CountersignError(
      'REQUEST_INVALID',
      { reason: `psql cannot be run (${reasonOf(error)})` },
      { cause: error },
    );
  }
  return child.exitCode ?? 1;
}

/** PostgreSQL 18, "Connection Strings", keyword/value. */
function quoted(value: string): string {
  return /^[A-Za-z0-9_.:/@-]+$/.test(value) ? value : `'${value.replaceAll(/['\\]/g, '\\$&')}'`;
}

function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
