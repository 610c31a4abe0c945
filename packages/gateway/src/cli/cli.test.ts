import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseTlogProof } from '@countersign/ledger/tlog-proof';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TESTING_PASSWORD, type TestingApi, type TestingPerson, testingOnlyApi } from '../api/testing-api.ts';
import { type TestingRun, testingOnlyRun } from './testing-command.ts';

const BIN = fileURLToPath(new URL('../../bin/countersign.js', import.meta.url));

let api: TestingApi;
let home: string;

beforeAll(async () => {
  api = await testingOnlyApi();
  home = await mkdtemp(join(tmpdir(), 'countersign-cli-'));
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await rm(home, { recursive: true });
});

/** Runs a command in this process, as somebody. */
function run(who: TestingPerson | undefined, ...words: string[]): Promise<TestingRun> {
  return testingOnlyRun(words, { HOME: home, COUNTERSIGN_SERVER: api.url, COUNTERSIGN_TOKEN: who?.token });
}

/** Runs the program itself; what it is given on standard input ends. */
function runProgram(
  words: readonly string[],
  stdin = '',
  env: Record<string, string> = {},
): Promise<TestingRun> {
  return new Promise((resolve) => {
    const whole = { PATH: process.env['PATH'] ?? '', HOME: home, COUNTERSIGN_SERVER: api.url, ...env };
    const child = execFile(process.execPath, [BIN, ...words], { env: whole }, (error, out, err) => {
      const code = error === null ? 0 : error.code;
      resolve({ status: typeof code === 'number' ? code : 1, out, err });
    });
    child.stdin?.end(stdin);
  });
}

describe('the program', () => {
  it('enrols the first administrator, keeps the token in a private file, and is somebody from then on', async () => {
    const password = `${TESTING_PASSWORD.reveal()}\n`;
    const enrolled = await runProgram(
      ['enrol', '--code', api.firstCode, '--name', 'first', '--display-name', 'First'],
      password,
    );
    expect([enrolled.status, enrolled.err]).toEqual([0, '']);
    const file = join(home, '.config', 'countersign', 'credentials.json');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const kept: unknown = JSON.parse(await readFile(file, 'utf8'));
    expect(kept).toMatchObject({ name: 'first', server: api.url });
    const whoami = await runProgram(['whoami', '--json']);
    expect(JSON.parse(whoami.out)).toMatchObject({ name: 'first', groups: ['administrators'] });
    const text = JSON.stringify(kept);
    for (const { out, err } of [enrolled, whoami]) {
      const token = /cs_[0-9a-z]+/.exec(text)?.[0] ?? 'none';
      expect(out + err).not.toContain(token);
      expect(out + err).not.toContain(TESTING_PASSWORD.reveal());
    }
    const out = await runProgram(['logout']);
    expect(out.out).toBe('Logged out\n');
    expect((await runProgram(['whoami'])).status).toBe(4);
  });

  it('keeps a one-time code that it could not keep the login of', async () => {
    const code = (await run(api.people.admin, 'invite', 'ana')).out.match(/csenrol_\w+/)?.[0] ?? '';
    const file = join(home, 'a-file');
    await writeFile(file, '');
    const enrol = (config: string): Promise<TestingRun> =>
      runProgram(['enrol', '--code', code, '--name', 'ana'], TESTING_PASSWORD.reveal(), {
        XDG_CONFIG_HOME: config,
      });
    const refusedFirst = await enrol(file);
    expect([refusedFirst.status, refusedFirst.err]).toEqual([2, expect.stringContaining('XDG_CONFIG_HOME')]);
    expect((await enrol(join(home, 'another'))).status).toBe(0);
  });

  it('says what is wrong with its words, and ends with 2', async () => {
    const unknown = await runProgram(['sessions', 'list', '--nope']);
    expect([unknown.status, unknown.out]).toEqual([2, '']);
    expect(unknown.err).toContain("Unknown option '--nope'");
  });

  it('says why the gateway cannot start, and ends with 2', async () => {
    await using taken = await listening();
    const config = join(home, 'taken.yaml');
    await writeFile(
      config,
      `listen: { postgres: { port: ${taken.port} }, http: { port: 0 }, api: { port: 0 } }\n`,
    );
    const port = await runProgram(['up', '--config', config, '--data', join(home, 'taken')]);
    expect([port.status, port.err]).toEqual([2, expect.stringContaining('EADDRINUSE')]);
    const directory = await runProgram(['up', '--data', join(config, 'below-a-file')]);
    expect([directory.status, directory.err]).toEqual([2, expect.stringContaining('the data directory')]);
  });

  it('runs the gateway until SIGTERM, and gives the first code', async () => {
    const config = join(home, 'up.yaml');
    await writeFile(config, 'listen: { postgres: { port: 0 }, http: { port: 0 }, api: { port: 0 } }\n');
    const data = join(home, 'up');
    const child = execFile(process.execPath, [BIN, 'up', '--config', config, '--data', data, '--json'], {
      env: { PATH: process.env['PATH'] ?? '', HOME: home },
    });
    const line = await new Promise<string>((resolve, reject) => {
      child.stdout?.once('data', (chunk: Buffer | string) => resolve(String(chunk)));
      child.once('exit', () => reject(new Error('it ended')));
    });
    child.removeAllListeners('exit');
    expect(JSON.parse(line)).toMatchObject({ firstCode: expect.stringMatching(/^csenrol_/) });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    const verified = await run(undefined, 'ledger', 'verify', '--data', data, '--config', config);
    expect([verified.status, verified.err]).toEqual([0, '']);
    expect(verified.out).toMatch(/^ok: \d+ leaves, \d+ checkpoints?\n$/);
    const doctor = await run(undefined, 'doctor', '--data', data, '--config', config);
    expect([doctor.status, doctor.out]).toEqual([0, expect.stringContaining('ledger')]);
    await corrupt(join(data, 'ledger', 'journal'));
    const damaged = await run(undefined, 'ledger', 'doctor', '--data', data, '--config', config);
    expect([damaged.status, damaged.out]).toEqual([5, expect.stringContaining('FAILED')]);
  });
});

async function listening(): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { port, [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}

async function corrupt(journal: string): Promise<void> {
  const [segment = ''] = await readdir(journal);
  const file = join(journal, segment);
  const bytes = await readFile(file);
  const at = bytes.indexOf('"type"');
  bytes[at + 10] = (bytes[at + 10] ?? 0) ^ 1;
  await writeFile(file, bytes);
}

describe('words', () => {
  const cases: readonly (readonly [string, string[], string])[] = [
    ['an unknown command', ['fly'], 'there is no command "fly" (see countersign --help).'],
    [
      'an unknown command of a group',
      ['token', 'creat'],
      'there is no command "token creat" (see countersign token --help).',
    ],
    ['a missing name', ['sessions', 'show'], 'expected countersign sessions show ID'],
    ['one word too many', ['whoami', 'me'], 'expected countersign whoami.'],
    [
      'a session that is none',
      ['sessions', 'show', 'x'],
      'expected an id of the form ses_ and 26 characters',
    ],
    ['a missing option', ['apply'], '--file is missing'],
    [
      'a number that is none',
      ['token', 'create', '--name', 'x', '--days', 'many'],
      '--days must be a whole number',
    ],
    ['an output that is none', ['get', 'people', '-o', 'xml'], '--output must be yaml or json'],
    [
      'a configuration that is not there',
      ['up', '--config', '/nowhere/gateway.yaml', '--data', '/nowhere'],
      'The configuration is not valid: /nowhere/gateway.yaml cannot be read: there is no such file.',
    ],
    [
      'a configuration that is a directory',
      ['ledger', 'verify', '--config', '/', '--data', '/nowhere'],
      '/ cannot be read: it is a directory.',
    ],
    ['a server that is none', ['whoami', '--server', 'ftp://x'], 'expected a server like'],
  ];
  for (const [what, words, says] of cases) {
    it(`are refused with ${what}`, async () => {
      const { status, out, err } = await run(api.people.admin, ...words);
      expect([status, out]).toEqual([2, '']);
      expect(err).toContain(says);
    });
  }

  it('have a version, which is that of the package', async () => {
    expect(await run(undefined, '--version')).toEqual({ status: 0, out: 'countersign 1.2.3\n', err: '' });
    const manifest: unknown = JSON.parse(await readFile(join(BIN, '../../package.json'), 'utf8'));
    const version = await runProgram(['--version']);
    expect(manifest).toMatchObject({ version: version.out.replace(/^countersign (.*)\n$/, '$1') });
  });

  it('have a help that fits 80 columns', async () => {
    const groups = await Promise.all(['token', 'ledger'].map((group) => run(undefined, group)));
    const whole = await run(undefined, '--help');
    expect(groups.map(({ out }) => out.split('\n')[0])).toEqual([
      'Usage: countersign token COMMAND',
      'Usage: countersign ledger COMMAND',
    ]);
    const lines = [whole, ...groups].flatMap(({ out }) => out.split('\n'));
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
  });

  it('have a help for each command', async () => {
    const { out } = await run(undefined, '--help');
    const paths = out.split('\n').flatMap((line) => /^ {2}([a-z]+(?: [a-z-]+)?)/.exec(line)?.[1] ?? []);
    expect(paths.length).toBeGreaterThan(25);
    for (const path of paths) {
      const help = await run(undefined, ...path.split(' '), '--help');
      expect([help.status, help.out]).toEqual([0, expect.stringContaining(`Usage: countersign ${path}`)]);
      expect(help.out.split('\n').filter((line) => line.length > 80)).toEqual([]);
    }
  });
});

describe('errors', () => {
  it('of this process name their cause, for it has no other log', async () => {
    const { status, err } = await run(undefined, 'openapi');
    expect([status, err]).toEqual([70, expect.stringContaining('The cause: not in this test\n')]);
  });

  it('of the gateway keep their exit status, and come as JSON with --json', async () => {
    const denied = await run(api.people.ana, 'backup', '--out', '/nowhere', '--json');
    expect([denied.status, denied.out]).toEqual([3, '']);
    expect(JSON.parse(denied.err)).toMatchObject({ code: 'PERMISSION_DENIED' });
    expect((await run(undefined, 'whoami')).status).toBe(4);
    const away = await run(api.people.ana, 'whoami', '--server', 'http://127.0.0.1:9');
    expect([away.status, away.err]).toEqual([5, expect.stringContaining('cannot be reached')]);
  });

  it('of a credentials file that others can read stop the command', async () => {
    const other = await mkdtemp(join(home, 'open-'));
    const file = join(other, 'countersign', 'credentials.json');
    const login = ['login', '--name', 'first', '--json'];
    const logged = await runProgram(login, TESTING_PASSWORD.reveal(), { XDG_CONFIG_HOME: other });
    expect(logged.status).toBe(0);
    const text = await readFile(file, 'utf8');
    await writeFile(`${file}.copy`, text, { mode: 0o644 });
    await rm(file);
    await writeFile(file, text, { mode: 0o644 });
    const opened = await runProgram(['whoami'], '', { XDG_CONFIG_HOME: other });
    expect([opened.status, opened.err]).toEqual([2, expect.stringContaining('can be read by others')]);
    await rm(other, { recursive: true });
  });
});

describe('resources', () => {
  it('are compared, applied, read as YAML that applies again, and deleted', async () => {
    const { admin } = api.people;
    const file = join(home, 'resources.yaml');
    await writeFile(
      file,
      'kind: Connection\nname: db\nprotocol: postgres\ntarget: { host: db, database: rerank }\ncredential: { user: app }\n',
    );
    expect((await run(admin, 'diff', '-f', file)).out).toContain('Connection/db created, version 1');
    expect((await run(admin, 'apply', '-f', file)).out).toContain('target.port: + 5432');
    const second = join(home, 'second.yaml');
    await writeFile(second, 'kind: Person\nname: bea\ndisplayName: Bea\n');
    const both = (await run(admin, 'diff', '-f', file, '-f', second)).out;
    expect(both).toMatch(
      /^Nothing is changed yet; .*\n(.*\n)*Connection\/db unchanged.*\n(.*\n)*Person\/bea created/,
    );
    const yaml = await run(admin, 'get', 'connection', 'db', '-o', 'yaml');
    await writeFile(file, yaml.out);
    expect((await run(admin, 'apply', '-f', file)).out).toBe('Connection/db unchanged, version 1\n');
    expect((await run(admin, 'get', 'connections')).out).toMatch(
      /^KIND +NAME +VERSION.*\nConnection +db +1 +/,
    );
    expect(JSON.parse((await run(admin, 'get', 'people', '-o', 'json')).out)).toHaveLength(4);
    expect((await run(admin, 'delete', 'connection', 'db')).out).toBe('Connection/db deleted, version 2\n');
    expect((await run(admin, 'get', 'connection', 'db')).status).toBe(6);
  });
});

describe('sessions', () => {
  it('are listed, shown and replayed as tables, with nothing that drives a terminal', async () => {
    const { auditor, ana } = api.people;
    const id = await api.makeSession('ana', 'select title\n  from documents');
    const listed = await run(auditor, 'sessions', 'list', '--name', 'ana', '--limit', '1');
    expect(listed.out).toMatch(new RegExp(`^ID .*\\n${id}  ana  db/rerank +127.0.0.1 .* 1 +ok\\n`));
    const shown = await run(ana, 'sessions', 'show', id);
    expect(shown.out).toContain('select title from documents');
    expect(shown.out).toContain('from        127.0.0.1 (psql\\x1b[31m)');
    const replayed = await run(auditor, 'sessions', 'replay', id, '--reason', 'a look');
    expect(replayed.status).toBe(0);
    expect(replayed.out).toMatch(
      /\d\dZ {2}leaf \d+ {2}ok {2}1\.5 ms\n {2}select title\n {4}from documents\n/,
    );
    expect(replayed.out).toContain('\n a \\x1b[2J book\nSELECT 1\n');
    for (const { out } of [listed, shown, replayed]) expect(out).not.toContain('\u001b');
    const lines = (await run(auditor, 'sessions', 'replay', id, '--json')).out.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ kind: 'session' }, { kind: 'statement' }]);
  });

  it('are ended, and shredded', async () => {
    const { admin } = api.people;
    const open = await api.openSession('ana');
    expect((await run(admin, 'sessions', 'end', open.id)).out).toBe('Ended\n');
    const id = await api.makeSession('ana', 'select 1');
    const shredded = await run(admin, 'ledger', 'shred', '--session', id, '--reason', 'asked');
    expect([shredded.status, shredded.out]).toEqual([
      0,
      expect.stringContaining(`The content of ${id} is gone`),
    ]);
    const replayed = await run(admin, 'sessions', 'replay', id);
    expect([replayed.status, replayed.err]).toEqual([6, expect.stringContaining('was shredded')]);
  });
});

describe('what is handed over', () => {
  it('is a package with the SHA-256 that was announced; a file that is there stays as it is', async () => {
    const { auditor } = api.people;
    const out = join(home, 'package.zip');
    const words = ['evidence', 'export', '--from', '2026-01-01', '--to', '2027-01-01', '--out', out];
    const made = await run(auditor, ...words);
    expect([made.status, made.err]).toEqual([0, '']);
    expect(await readFile(out, 'utf8')).toMatch(/^package /);
    const again = await run(auditor, ...words);
    expect([again.status, again.err]).toEqual([2, expect.stringContaining('is there already')]);
    expect((await readdir(home)).filter((name) => name.startsWith('package'))).toEqual(['package.zip']);
    const verified = await run(undefined, 'verify', out);
    expect(verified.status).toBeGreaterThan(0);
  });

  it('is a proof, a token', async () => {
    const { ana } = api.people;
    expect(parseTlogProof((await run(ana, 'ledger', 'proof', '3')).out).index).toBe(3);
    const created = await run(ana, 'token', 'create', '--name', 'psql', '--days', '1');
    expect(created.out).toMatch(/^cs_\S+\n$/);
    expect((await run(ana, 'token', 'list')).out).toContain('psql');
    expect((await run(ana, 'ledger', 'status')).out).toContain('countersign.local/ledger/gw1');
  });
});

describe('connect', () => {
  beforeAll(async () => {
    const file = join(home, 'connections.yaml');
    await writeFile(
      file,
      `kind: Connection
name: shop-db
protocol: postgres
target: { host: db, database: shop }
credential: { user: app }
---
kind: Connection
name: reranker
protocol: http
target: { url: 'http://127.0.0.1:9', tls: disable }
credential: { scheme: none }
hosts: [reranker.example]
---
kind: Connection
name: not-for-ana
protocol: postgres
target: { host: db, database: hr }
credential: { user: app }
---
kind: Access
name: of-ana
who: [ana]
to: [shop-db, reranker]
`,
    );
    const { err } = await run(api.people.admin, 'apply', '-f', file);
    if (err !== '') throw new Error(err);
  });

  it('prints a psql line for a database, and a curl line for a service', async () => {
    const { ana } = api.people;
    const database = await run(ana, 'connect', 'shop-db/shop');
    expect(database.out).toContain("psql 'host=127.0.0.1 port=15432 user=ana dbname=shop-db/shop'");
    const service = await run(ana, 'connect', 'reranker');
    expect(service.out).toMatch(
      /^curl -H "Authorization: Bearer \$TOKEN" 'http:\/\/127\.0\.0\.1:8441\/reranker\/PATH'\n/,
    );
    expect(service.out).not.toContain('psql');
    const moved = await run(ana, 'connect', 'reranker', '--host', 'h', '--port', '9', '--json');
    expect(JSON.parse(moved.out)).toMatchObject({
      baseUrl: 'https://h:9/reranker',
      byHost: ['https://reranker.example:9'],
    });
  });

  it('says the same of a name that does not exist and of one that somebody may not use, and ends with 1', async () => {
    const { ana, admin } = api.people;
    const said = async (who: TestingPerson, name: string): Promise<readonly unknown[]> => {
      const { status, out, err } = await run(who, 'connect', name);
      return [status, out, err.replaceAll(name.split('/')[0] ?? '', 'NAME')];
    };
    const refused = [
      1,
      '',
      `countersign: There is no connection "NAME" that ana may use.\nLook at how it is spelled, or ask an administrator for an Access resource that names you or one of your groups.\n`,
    ];
    for (const name of ['not-for-ana', 'nowhere', 'nowhere/shop', 'No Name', 'x?y#z']) {
      expect(await said(ana, name)).toEqual(refused);
    }
    // Who administers resources uses them by an Access, too.
    expect((await run(admin, 'connect', 'shop-db')).status).toBe(1);
    expect((await run(ana, 'connect', '../whoami')).status).toBe(2);
  });

  it('runs psql for databases only', async () => {
    const { ana } = api.people;
    for (const words of [['reranker', '--exec'], ['reranker/x']]) {
      const { status, out, err } = await run(ana, 'connect', ...words);
      expect([status, out, err]).toEqual([
        2,
        '',
        expect.stringContaining('connection "reranker" is one of HTTP'),
      ]);
    }
  });
});
