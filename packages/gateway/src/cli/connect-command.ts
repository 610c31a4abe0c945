/** `connect NAME`: how to reach a connection with psql or curl, or psql itself. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ConnectionAnswer, WhoamiAnswer } from '../api/answers.ts';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { type Client, clientOf, currentToken } from './client.ts';
import { CLIENT_OPTIONS, type Command, type CommandInput } from './command.ts';
import { conninfoOf, curlLines, httpSettings, type PostgresSettings, psqlLines } from './connect-text.ts';

const connect: Command = {
  path: 'connect',
  summary: 'How to reach a connection with psql or curl: NAME or NAME/DATABASE',
  positionals: ['NAME'],
  options: {
    host: {
      type: 'string',
      value: 'HOST',
      says: 'Of the listener for clients; that of the gateway where absent',
    },
    port: {
      type: 'string',
      value: 'PORT',
      says: 'Of the listener for clients; what the gateway says where absent',
    },
    exec: { type: 'boolean', says: 'Run psql with the token of the login' },
    ...CLIENT_OPTIONS,
  },
  async run(input) {
    const client = await clientOf(input);
    const wanted = input.positional(0);
    const [name = '', ...database] = wanted.split('/');
    // A path would end above them.
    if (/^\.*$/.test(name)) throw invalid(`"${name}" is no name of a connection`);
    const path = `/v1/connections/${encodeURIComponent(name)}`;
    const connection = await client.json<ConnectionAnswer>('GET', path);
    const host = input.option('host') ?? new URL(client.server).hostname.replace(/^\[(.*)\]$/, '$1');
    const port = input.option('port') ?? String(connection.port);
    if (connection.protocol === 'http') {
      if (database.length > 0) throw invalid(`connection "${name}" is one of HTTP, and has no databases`);
      if (input.flag('exec')) throw invalid(`--exec runs psql, and connection "${name}" is one of HTTP`);
      const settings = httpSettings(connection, host, port);
      await input.show(settings, curlLines(settings));
      return undefined;
    }
    const { name: user } = await client.json<WhoamiAnswer>('GET', '/v1/whoami');
    const settings = { host, port, user, dbname: wanted };
    if (input.flag('exec')) return runPsql(input, client, settings);
    await input.show(settings, psqlLines(settings));
    return undefined;
  },
};

export const CONNECT_COMMANDS: readonly Command[] = [connect];

function invalid(reason: string, cause?: unknown): CountersignError {
  return new CountersignError('REQUEST_INVALID', { reason }, { cause });
}

/** The token goes through the environment, which other users of the machine cannot read. */
async function runPsql(input: CommandInput, { server }: Client, settings: PostgresSettings): Promise<number> {
  const token = await currentToken(input, server);
  if (token === undefined) throw new CountersignError('TOKEN_REQUIRED');
  const env = { ...process.env, PGPASSWORD: token.reveal() };
  const child = spawn('psql', [conninfoOf(settings)], { stdio: 'inherit', env });
  try {
    await once(child, 'exit');
  } catch (error) {
    throw invalid(`psql cannot be run (${reasonOf(error)})`, error);
  }
  return child.exitCode ?? 1;
}
