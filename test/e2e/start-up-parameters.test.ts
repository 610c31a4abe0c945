/** Start-up parameters, and what the target says at login: the same as without the gateway. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BareClient, fieldsOf, startupMessage } from './bare-client.ts';
import { serverVersions } from './clients.ts';
import { login, type Pair, type Side, startTwoSides, type TwoSides } from './two-sides.ts';

describe.each(serverVersions())('PostgreSQL $major', ({ version: server, major, isPresent }) => {
  if (!isPresent) return;
  let sides: TwoSides;
  let direct: Side;
  let through: Side;

  beforeAll(async () => {
    sides = await startTwoSides(server);
    ({ direct, through } = sides);
  }, 60_000);

  afterAll(() => sides?.[Symbol.asyncDispose]());

  async function sameLogin(
    parameters: readonly Pair[],
    statements: readonly string[] = [],
    version?: number,
  ): Promise<string[]> {
    const [straight, gated] = await Promise.all([
      login(direct, parameters, statements, version),
      login(through, parameters, statements, version),
    ]);
    expect(gated).toEqual(straight);
    return gated;
  }

  describe('start-up parameters reach the target as they came', () => {
    it.each<[string, readonly Pair[], string]>([
      ['options -c', [['options', '-c work_mem=77kB -c geqo=off']], 'work_mem'],
      ['options --name', [['options', '--work-mem=78kB']], 'work_mem'],
      ['options with escapes', [['options', String.raw`-c my.text=a\ b\\c\d`]], 'my.text'],
      ['client_encoding', [['client_encoding', 'LATIN1']], 'client_encoding'],
      ['application_name', [['application_name', 'a client']], 'application_name'],
      [
        'application_name in another encoding',
        [
          ['client_encoding', 'LATIN1'],
          ['application_name', Buffer.of(0x66, 0xe9)],
        ],
        'application_name',
      ],
      [
        'search_path in another encoding',
        [
          ['client_encoding', 'LATIN1'],
          ['search_path', Buffer.of(0x66, 0xe9)],
        ],
        'search_path',
      ],
      ['DateStyle', [['DateStyle', 'German, DMY']], 'datestyle'],
      ['TimeZone', [['timezone', 'Asia/Tokyo']], 'timezone'],
      ['extra_float_digits', [['extra_float_digits', '0']], 'extra_float_digits'],
      ['role', [['role', 'pg_monitor']], 'role'],
      ['geqo', [['geqo', 'off']], 'geqo'],
      ['a custom setting', [['my.setting', 'x']], 'my.setting'],
      [
        'a name twice',
        [
          ['work_mem', '77kB'],
          ['work_mem', '79kB'],
        ],
        'work_mem',
      ],
      [
        'default_transaction_read_only',
        [['default_transaction_read_only', 'on']],
        'default_transaction_read_only',
      ],
    ])('%s', async (_, parameters, name) => {
      const frames = await sameLogin(parameters, [
        `show "${name}"`,
        "select '1.1'::float4, now() < '2000-01-01'",
      ]);
      // What cannot be shown in the client's encoding is an error, on both sides.
      expect(frames.filter((frame) => /^[DE]/.test(frame)).length).toBe(name === 'search_path' ? 1 : 2);
    });

    it.each<[string, readonly Pair[], string]>([
      ['a value that is none', [['geqo', 'perhaps']], '22023'],
      [
        'a value that is none, before a good one',
        [
          ['geqo', 'perhaps'],
          ['geqo', 'on'],
        ],
        '22023',
      ],
      ['a setting that is none', [['nothing_of_the_sort', '1']], '42704'],
      ['a setting that nobody may set', [['server_version', '1']], '55P02'],
      ['a name that is not UTF-8', [[Buffer.of(0x66, 0xe9), 'x']], ''],
      ['a time zone of Mars', [['TimeZone', 'Mars/Phobos']], '22023'],
      ['an encoding that is none', [['client_encoding', 'klingon']], ''],
      ['a role that is none', [['role', 'nobody_here']], '22023'],
      ['options that are none', [['options', '-Z']], '42601'],
      ['options without a value', [['options', '-c geqo']], '42601'],
    ])('%s gives PostgreSQL’s own FATAL', async (_, parameters, sqlstate) => {
      const frames = await sameLogin(parameters);
      expect(frames[0]).toBe('R \0\0\0\0');
      expect(frames.at(-1)).toMatch(/^ESFATAL|^E SFATAL/);
      expect(frames.at(-1)).toContain(`\0C${sqlstate}`);
    });

    it('takes the last of several users and databases', async () => {
      for (const { port, user, database, scram } of [direct, through]) {
        const last = async (...names: readonly string[]): Promise<string | undefined> => {
          const client = await BareClient.open(port);
          const users = names.map((name): Pair => ['user', name]);
          const databases = ['', 'nowhere', database].map((name): Pair => ['database', name]);
          client.send(startupMessage(0x30000, [...users, ...databases]));
          const frame = (await client.login(scram)).at(-1);
          client.destroy();
          return frame?.type === 'E' ? fieldsOf(frame)['C'] : frame?.type;
        };
        expect(await last('', 'nobody', user)).toBe('Z');
        expect(await last(user, 'nobody')).toBe('28P01');
      }
    });

    it('takes the user for the database where none or an empty one is given', async () => {
      await sides.harness.apply(
        `kind: Connection\nname: ana\nprotocol: postgres\ntarget: { host: 127.0.0.1, port: ${sides.harness.server.port}, database: postgres, tls: disable }\ncredential: { user: postgres, password: { env: DB_PASSWORD } }\n---\nkind: Access\nname: ana\nwho: [ana]\nto: [ana]\n`,
      );
      for (const database of [[], [['database', '']]] as readonly (readonly Pair[])[]) {
        const client = await BareClient.open(through.port);
        client.send(startupMessage(0x30000, [['user', 'ana'], ...database]));
        expect((await client.login(through.scram)).at(-1)?.type).toBe('Z');
        client.destroy();
      }
    });

    it.each(['true', 'ON', 'y', '1', 'database'])(
      'replication=%s is refused, and that is recorded',
      async (value) => {
        const frames = await login(through, [['replication', value]]);
        expect(frames.at(-1)).toContain('C0A000');
        expect(frames.at(-1)).toContain('Replication connections are not carried');
        const refused = (await sides.harness.log()).findLast(({ leaf }) => leaf.type === 'session.refused');
        expect(refused?.body).toMatchObject({ name: 'ana', code: 'REPLICATION_REFUSED', connection: 'db' });
      },
    );

    it('are in session.start: repeated ones as a list, other encodings as bytes', async () => {
      await login(through, [
        ['work_mem', '77kB'],
        ['client_encoding', 'LATIN1'],
        ['work_mem', '78kB'],
        ['application_name', Buffer.of(0x66, 0xe9)],
      ]);
      const started = (await sides.harness.log()).findLast(({ leaf }) => leaf.type === 'session.start');
      expect(started?.body['parameters']).toEqual({
        work_mem: ['77kB', '78kB'],
        client_encoding: 'LATIN1',
        application_name: { base64: 'Zuk=' },
      });
    });
  });

  // The first with triggers on a login.
  if (major < 17) return;

  describe('what the target says at login arrives in its order', () => {
    beforeAll(async () => {
      await login(
        direct,
        [],
        [
          `create function at_login() returns event_trigger language plpgsql as $$ begin
         raise notice 'hello %', current_setting('application_name');
         perform set_config('application_name', 'set at login', false);
         raise warning '%', repeat('long ', 30000);
         if current_setting('work_mem') = '66kB' then raise exception 'not with this memory'; end if;
       end $$`,
          'create event trigger at_login on login execute function at_login()',
        ],
      );
    });

    afterAll(() => login(direct, [], ['drop event trigger at_login']));

    it.each([0x30000, 0x30002])('notices, parameters and the key (version %i)', async (version) => {
      const frames = await sameLogin([], ['show application_name'], version);
      const types = frames.map((frame) => frame.charAt(0)).join('');
      expect(types).toMatch(/^RS+KNNSZ/);
      expect(frames).toContain(version === 0x30002 ? 'K 36' : 'K 8');
    });

    it('an error of the trigger, behind all that came before it', async () => {
      const frames = await sameLogin([['work_mem', '66kB']]);
      expect(frames.at(-1)).toContain('not with this memory');
      expect(frames.map((frame) => frame.charAt(0)).join('')).toMatch(/^RS+KNNE$/);
    });
  });
});
