/** node-postgres and postgres.js: prints what they got, so that two runs can be compared. PGHOST and so on say where. */

import { once } from 'node:events';
import { text as textOf } from 'node:stream/consumers';
import { Client, type ClientConfig } from 'pg';
import postgres from 'postgres';

function show(title: string, ...values: readonly unknown[]): void {
  const said = values.map((value) =>
    JSON.stringify(value, (_, one: unknown) =>
      one instanceof Uint8Array ? Buffer.from(one).toString('hex') : one,
    ),
  );
  process.stdout.write(`${title} ${said.join(' ')}\n`);
}

async function failing(title: string, work: () => Promise<unknown>): Promise<void> {
  try {
    show(title, 'no error', await work());
  } catch (error) {
    const { code, message, position, detail } = error as Error & Record<string, unknown>;
    show(title, code, message, position, detail);
  }
}

async function connected(more: ClientConfig = {}): Promise<Client> {
  const client = new Client(more);
  client.on('notice', ({ severity, message }) => show('notice', severity, message));
  client.on('error', (error) => show('lost', error.message));
  await client.connect();
  return client;
}

async function bound(client: Client): Promise<void> {
  for (let i = 0; i < 3; i++) {
    const given = [i, 'ü', Buffer.from([0, 255]), 2.5, [1, null], null, { a: [i] }];
    const text =
      'select $1::int a, $2::text b, $3::bytea c, $4::numeric d, $5::int[] e, $6::text f, $7::jsonb g';
    const plain = await client.query({ text, values: given, rowMode: 'array' });
    const named = await client.query({ name: 'named', text, values: given });
    show(
      'values',
      plain.rows,
      named.rows,
      plain.fields.map(({ name, dataTypeID }) => [name, dataTypeID]),
    );
  }
  const binary = { text: 'select $1::int4 + 1 as a, $2::text as b', values: [1, 'x'], binary: true };
  show('binary', (await client.query(binary)).rows);
  const several = (await client.query(
    'select 1 as a; select 2 as b, 3 as c; values (4), (5)',
  )) as unknown as { rows: unknown; command: string }[];
  show(
    'several',
    several.map(({ rows, command }) => [rows, command]),
  );
  show('none', (await client.query('')).rows, (await client.query(';')).command);
}

async function statements(client: Client): Promise<void> {
  await client.query('create temporary table item (id int primary key, name text)');
  show(
    'inserted',
    (await client.query('insert into item select g, g::text from generate_series(1, 500) g')).rowCount,
  );
  show('returned', (await client.query('delete from item where id < $1 returning id', [4])).rows);
  await failing('duplicate', () => client.query('insert into item values ($1, $2)', [10, 'again']));
  await failing('syntax', () => client.query('select * frm item'));
  await failing('bad value', () => client.query('select $1::int', ['x']));
  await failing('several fail', () => client.query('select 1; select 1/0; select 2'));
  await failing('other text under a name', () => client.query({ name: 'named', text: 'select 1' }));
  await client.query('begin');
  await failing('in a transaction', () => client.query('select 1/0'));
  await failing('behind it', () => client.query('select 1'));
  show('ended', (await client.query('commit')).command);
  await client.query("do $$ begin raise notice 'seen'; raise warning 'and this'; end $$");
  show(
    'many',
    (await Promise.all(Array.from({ length: 300 }, (_, i) => client.query('select $1::int as i', [i])))).map(
      ({ rows }) => rows[0]?.i,
    ),
  );
  show(
    'large',
    (await client.query("select repeat('x', 3000000) as x")).rows[0]?.x.length,
    (await client.query('select md5($1) as m', ['y'.repeat(3_000_000)])).rows,
  );
  await client.query('discard all');
  show(
    'behind discard',
    (await client.query({ name: 'fresh', text: 'select $1::int as a', values: [1] })).rows,
  );
}

async function notifications(): Promise<void> {
  const [listener, sender] = [await connected(), await connected()];
  await listener.query('listen channel');
  const heard = once(listener, 'notification');
  await sender.query("select pg_notify('channel', 'payload')");
  const [{ channel, payload }] = (await heard) as [{ channel: string; payload: string }];
  show('notification', channel, payload);
  await Promise.all([listener.end(), sender.end()]);
}

async function ends(): Promise<void> {
  const client = await connected();
  const over = new Promise((resolve) => client.once('end', resolve));
  await failing('terminated', () => client.query('select pg_terminate_backend(pg_backend_pid())'));
  await over;
  await failing('timeout', async () => {
    const slow = await connected({ statement_timeout: 100 });
    try {
      await slow.query('select pg_sleep(20)');
    } finally {
      await slow.end();
    }
  });
  await failing('no such setting', () => connected({ options: '-c nothing=1' }));
}

async function postgresJs(): Promise<void> {
  const sql = postgres({ max: 1, onnotice: ({ message }) => show('js notice', message) });
  for (let i = 0; i < 3; i++)
    show(
      'js values',
      await sql`select ${i}::int as a, ${'ü'} as b, ${null}::text as c, ${sql.array([1, 2])} as d, ${sql.json({ a: i })} as e`,
    );
  show(
    'js pipeline',
    (await Promise.all(Array.from({ length: 200 }, (_, i) => sql`select ${i}::int as i`))).map(
      ([row]) => row?.['i'],
    ),
  );
  await failing('js pipeline fails', () =>
    Promise.all([sql`select 1 as a`, sql`select 1/0`, sql`select 2 as b`]),
  );
  await sql.begin(async (transaction) => {
    await transaction`create temporary table item (id int primary key, name text)`;
    await transaction`insert into item ${transaction([
      { id: 1, name: 'one' },
      { id: 2, name: null },
    ])}`;
    await failing('js savepoint', () =>
      transaction.savepoint((inner) => inner`insert into item values (1, 'again')`),
    );
    show('js inside', await transaction`select * from item order by id`);
  });
  await failing('js undone', () =>
    sql.begin(async (transaction) => {
      await transaction`insert into item values (3, 'gone')`;
      throw new Error('enough');
    }),
  );
  let portions = 0;
  await sql`select g from generate_series(1, 1000) g`.cursor(70, (rows) => {
    portions += rows.length * (rows.length + 1);
  });
  show('js cursor', portions);
  for await (const rows of sql`select g from generate_series(1, 10) g`.cursor(4)) {
    show('js cursor left', rows);
    break;
  }
  const copyIn = await sql`copy item from stdin`.writable();
  copyIn.end('10\tten\n11\t\\N\n');
  await once(copyIn, 'finish');
  show('js copied', await textOf(await sql`copy (select * from item order by id) to stdout`.readable()));
  show('js simple', await sql`select 1 as a; select 2 as b`.simple());
  show('js described', (await sql`select ${1}::int as a, 'x' as b`.describe()).types);
  const heard = Promise.withResolvers<string>();
  const listening = await sql.listen('channel', heard.resolve);
  await sql.notify('channel', 'payload');
  show('js heard', await heard.promise);
  await listening.unlisten();
  const slow = sql`select pg_sleep(20)`.execute();
  setTimeout(() => slow.cancel(), 300);
  await failing('js cancelled', () => slow);
  show('js after', await sql`select 1 as a`);
  await sql.end();
  const unprepared = postgres({ max: 1, prepare: false });
  show('js unprepared', await unprepared`select ${1}::int as a`, await unprepared`select ${'x'} as b`);
  await unprepared.end();
}

const client = await connected();
await bound(client);
await statements(client);
await client.end();
await notifications();
await ends();
await postgresJs();
show('end');
