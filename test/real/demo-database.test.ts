import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LoadedDatabase, loadDatabase } from '../../examples/demo/database.ts';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import { generateSample } from '../../examples/demo/sample-data.ts';
import { runTour } from '../../examples/demo/tour.ts';
import { noCounts } from '../../examples/demo/tour-session.ts';

let server: PostgresServer;
let loaded: LoadedDatabase;

beforeAll(async () => {
  server = await startPostgres({ settings: { fsync: 'off' } });
  loaded = await loadDatabase(server, { seed: 7 });
});
afterAll(() => server?.stop());

describe('the reranking database', () => {
  it('has the rows that the knowledge of reranking services asks for', () => {
    expect(loaded.rows).toEqual({
      customers: 500,
      documents: 5_000,
      ranking_models: 4,
      ranking_scores: 15_000,
      search_queries: 2_000,
      rerank_results: 20_000,
    });
  });

  it('is the same for the same seed, and another for another', () => {
    expect(generateSample(7)).toEqual(generateSample(7));
    expect(generateSample(8)['customers']).not.toEqual(generateSample(7)['customers']);
  });

  it('has card numbers and IBANs that pass their checks', () => {
    for (const customer of generateSample(7)['customers'] ?? []) {
      const digits = String(customer['card_number']).split('').map(Number).toReversed();
      const sum = digits.map(
        (digit, index) => (index % 2 ? [0, 2, 4, 6, 8, 1, 3, 5, 7, 9][digit] : digit) ?? 0,
      );
      expect(sum.reduce((a, b) => a + b) % 10).toBe(0);
      const iban = String(customer['iban']);
      const number = `${iban.slice(4)}${iban.slice(0, 4)}`
        .split('')
        .map((letter) => Number.parseInt(letter, 36));
      expect(BigInt(number.join('')) % 97n).toBe(1n);
    }
  });

  it('is loaded once, and takes a new password', async () => {
    const again = await loadDatabase(server, { seed: 9, appPassword: loaded.appPassword });
    expect(again.rows).toEqual(loaded.rows);
  });

  it.each([
    ['drop table rr.documents', '42501'],
    ['delete from rr.rerank_results', '42501'],
    ['truncate rr.ranking_scores', '42501'],
    ['update rr.customers set email = email', '42501'],
    ['update rr.rerank_results set clicked = true', '42501'],
    ['create table rr.mine (n int)', '42501'],
    ['create table public.mine (n int)', '42501'],
  ])('lets its role not run: %s', async (statement, code) => {
    const client = appClient();
    await client.connect();
    try {
      await expect(client.query(statement)).rejects.toMatchObject({ code });
    } finally {
      await client.end();
    }
  });
});

describe('runTour', () => {
  it('runs every statement of the tour with the rights of the role', async () => {
    // Directly on PostgreSQL, where the people are roles of their own; the outsider may not connect.
    await asSuperuser(`
      create role ana login password 'a' in role rerank_app;
      create role rana login password 'r' in role rerank_app;
      create role nightly login password 'n' in role rerank_app;
      create role search login password 's' in role rerank_app;
      create role audrey login password 'o';
      revoke connect on database ${loaded.database} from public;
      grant connect on database ${loaded.database} to rerank_app;`);
    const counts = noCounts();
    await runTour({
      counts,
      endpoints: { postgres: { host: server.host, port: server.port, connection: loaded.database } },
      people: {
        analyst: { name: 'ana', token: 'a' },
        rankingOwner: { name: 'rana', token: 'r' },
        ciJob: { name: 'nightly', token: 'n' },
        searchService: { name: 'search', token: 's' },
        outsider: { name: 'audrey', token: 'o' },
      },
    });
    expect(counts).toMatchInlineSnapshot(`
      {
        "loginsFailed": 1,
        "rowsRead": 187,
        "rowsWritten": 63,
        "sessions": 4,
        "sessionsRefused": 1,
        "statementErrors": 1,
        "statements": 43,
      }
    `);
  });
});

function appClient(): Client {
  const { host, port } = server;
  const { appUser: user, appPassword: password, database } = loaded;
  return new Client({ host, port, user, password, database });
}

async function asSuperuser(text: string): Promise<void> {
  const { host, port, superuser: user, password } = server;
  const client = new Client({ host, port, user, password });
  await client.connect();
  await client.query(text);
  await client.end();
}
