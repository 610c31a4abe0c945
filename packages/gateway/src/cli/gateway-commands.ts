/** Commands of the machine that the gateway runs on: up, demo, restore, doctor, openapi. */

import { existsSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import { resolve } from 'node:path';
import { reasonOf } from '../core/errors.ts';
import { safeText } from '../recording/table-text.ts';
import { Client } from './client.ts';
import {
  type CliContext,
  type Command,
  type CommandInput,
  JSON_OPTION,
  type StartedGateway,
} from './command.ts';
import { credentialsFile } from './credentials.ts';
import { checkLedger, verifierKeysOf } from './ledger-check.ts';
import { loadedConfig, OFFLINE_OPTIONS } from './offline-config.ts';
import { columns, errorLine } from './output.ts';

const FREE_BYTES_MIN = 1_073_741_824;
const NODE_MAJOR_MIN = 24;

const up: Command = {
  path: 'up',
  summary: 'Run the gateway until SIGTERM or Ctrl-C',
  positionals: [],
  options: { ...OFFLINE_OPTIONS, ...JSON_OPTION },
  async run(input) {
    const { context } = input;
    const config = await loadedConfig(input);
    const gateway = await context.ports.startGateway(config, {
      onError: (error, where) => context.warn(`${errorLine(error, where, new Date())}\n`),
      onNotice: (line) => context.warn(`${safeText(line)}\n`),
    });
    await input.show(readyFacts(gateway), readyLines(config.node, gateway));
    if (await onOneDisk(config.ledger.directory, config.checkpoints.secondPlace)) {
      context.warn(
        'Warning: the second place is on the disk of the ledger, so that a restored snapshot of it goes unnoticed. Set checkpoints.secondPlace to another one.\n',
      );
    }
    const ended = await Promise.race([
      context.stopped.then((signal) => ({ reason: signal, status: undefined })),
      gateway.halted.then((error) => ({ reason: error.message, status: error.row.exit })),
    ]);
    if (ended.status !== undefined) context.warn(`${ended.reason}\n`);
    await gateway.close(ended.reason);
    return ended.status;
  },
};

const demo: Command = {
  path: 'demo',
  summary: 'How to see it work with a real PostgreSQL and sample data',
  positionals: [],
  options: JSON_OPTION,
  async run(input) {
    const script = 'npm run demo';
    await input.show({ run: script }, [
      'The demo is part of the source repository:',
      '',
      `  npm ci && ${script}`,
    ]);
    return undefined;
  },
};

const restore: Command = {
  path: 'restore',
  summary: 'Put a backup into an empty data directory',
  positionals: [],
  options: {
    from: { type: 'string', value: 'DIR', says: 'The backup' },
    data: { type: 'string', value: 'DIR', says: 'The data directory, empty or not there' },
    ...JSON_OPTION,
  },
  async run(input) {
    const data = resolve(input.required('data'));
    const { bytes, parts } = await input.context.ports.restore(resolve(input.required('from')), data);
    await input.show({ data, bytes, parts }, [
      `${data}: ${bytes} bytes (${parts.join(', ')})`,
      'A log that is older than what was signed last is not signed before this was recorded:',
      `  countersign ledger doctor --data ${data} --accept-rollback --reason TEXT --by NAME`,
    ]);
    return undefined;
  },
};

const doctor: Command = {
  path: 'doctor',
  summary: 'Check this machine, a data directory and a gateway, as far as they are named',
  positionals: [],
  options: {
    ...OFFLINE_OPTIONS,
    server: { type: 'string', value: 'URL', says: 'A gateway to ask whether it is well' },
    ...JSON_OPTION,
  },
  async run(input) {
    const checks = [
      nodeCheck(),
      await credentialsCheck(input.context),
      ...(input.option('data') === undefined ? [] : await dataChecks(input)),
      ...(await serverChecks(input)),
    ];
    await input.show(
      checks,
      columns(
        ['CHECK', 'RESULT', 'WHAT'],
        checks.map(({ check, result, what }) => [check, result, what]),
      ),
    );
    return checks.some(({ result }) => result === 'failed') ? 5 : undefined;
  },
};

const openApi: Command = {
  path: 'openapi',
  summary: 'Print the OpenAPI description of this version',
  positionals: [],
  options: {},
  async run(input) {
    await input.context.print(await input.context.ports.openApi());
    return undefined;
  },
};

export const GATEWAY_COMMANDS: readonly Command[] = [up, demo];
export const MACHINE_COMMANDS: readonly Command[] = [restore, doctor, openApi];

interface Check {
  readonly check: string;
  readonly result: 'ok' | 'failed';
  readonly what: string;
}

async function onOneDisk(...directories: readonly string[]): Promise<boolean> {
  const found = await Promise.all(directories.map((directory) => stat(directory).catch(() => undefined)));
  return found[0] !== undefined && found[0].dev === found[1]?.dev;
}

function readyFacts({ postgres, http, api, firstCode }: StartedGateway): unknown {
  const code = firstCode === undefined ? {} : { firstCode: firstCode.reveal() };
  return { postgres, http, api: { ...api, url: urlOf(api) }, ...code };
}

function readyLines(node: string, gateway: StartedGateway): string[] {
  const { postgres, http, api, firstCode } = gateway;
  const first =
    firstCode === undefined
      ? []
      : [
          '',
          'Nobody administers this installation yet. Once, within 24 hours:',
          `  countersign enrol --server ${urlOf(api)} --code ${firstCode.reveal()} --name NAME --display-name "Your Name"`,
        ];
  return [
    `countersign ${node} is ready`,
    `  PostgreSQL  ${postgres.host}:${postgres.port}`,
    `  HTTP        ${http.host}:${http.port}`,
    `  API         ${urlOf(api)}`,
    ...first,
  ];
}

function urlOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function nodeCheck(): Check {
  const { node } = process.versions;
  const good = Number(node.split('.')[0]) >= NODE_MAJOR_MIN;
  return { check: 'node', result: good ? 'ok' : 'failed', what: `${node}, needs ${NODE_MAJOR_MIN}` };
}

async function credentialsCheck({ env }: CliContext): Promise<Check> {
  const file = credentialsFile(env);
  if (!existsSync(file)) return { check: 'credentials', result: 'ok', what: 'nobody has logged in' };
  return privateCheck('credentials', file);
}

async function dataChecks(input: CommandInput): Promise<Check[]> {
  const config = await loadedConfig(input);
  if (!existsSync(config.data))
    return [{ check: 'data', result: 'failed', what: `${config.data} is not there` }];
  const { bavail, bsize } = await statfs(config.data);
  const free = bavail * bsize;
  const room = free >= FREE_BYTES_MIN ? 'ok' : 'failed';
  return [
    await privateCheck('data', config.data),
    { check: 'disk', result: room, what: `${Math.floor(free / 1_048_576)} MiB free` },
    ...('file' in config.installationKey
      ? [await privateCheck('installation key', config.installationKey.file)]
      : []),
    await attempted('ledger', async () => {
      const { size, problems } = await checkLedger(config, await verifierKeysOf(config, input.context.env));
      if (problems.length > 0) throw new Error(problems.join('; '));
      return `${size} leaves`;
    }),
  ];
}

async function serverChecks(input: CommandInput): Promise<Check[]> {
  const server = input.option('server') ?? input.context.env['COUNTERSIGN_SERVER'];
  if (server === undefined) return [];
  return [
    await attempted('gateway', async () => {
      const { status } = await new Client(server, undefined).json<{ readonly status: string }>(
        'GET',
        '/healthz',
      );
      return status;
    }),
  ];
}

async function privateCheck(check: string, path: string): Promise<Check> {
  return attempted(check, async () => {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) throw new Error(`${path} can be read by others`);
    return path;
  });
}

async function attempted(check: string, run: () => Promise<string>): Promise<Check> {
  try {
    return { check, result: 'ok', what: await run() };
  } catch (error) {
    return { check, result: 'failed', what: reasonOf(error) };
  }
}
