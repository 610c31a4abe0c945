/**
 * The battery is honest: straight from PostgreSQL each try shows a secret, and each oracle tells a right guess
 * from a wrong one. What shows nothing there would prove nothing behind a gateway.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import type { Endpoint } from '../differential/wire-client.ts';
import { serverVersions } from '../e2e/clients.ts';
import { canariesOf, makeSecrets, SEED } from './canaries.ts';
import { DatabaseCopy, makeTemplate, SERVER_SETTINGS } from './copies.ts';
import { schemaWith } from './schema.ts';
import { LeakSearch } from './search.ts';
import { runScript, type Seen } from './session-script.ts';
import { someTriesFor, TRIES } from './tries.ts';
import { type Guess, RIGHT, type Try, WRONG } from './tries/try.ts';

const BUSY_TIMES_MAX = 3;
const SEARCH = new LeakSearch(canariesOf(makeSecrets(SEED)));

it('has 180 tries or more, each with a title of its own', () => {
  expect(TRIES.length).toBeGreaterThanOrEqual(180);
  expect(TRIES.map(({ title }) => title).toSorted()).toEqual(
    [...new Set(TRIES.map(({ title }) => title))].toSorted(),
  );
});

describe.each(serverVersions())('PostgreSQL $major', ({ version, major, isPresent }) => {
  let server: PostgresServer;
  let copy: DatabaseCopy;
  let endpoint: Endpoint;

  beforeAll(async () => {
    if (!isPresent) return;
    server = await startPostgres({ version, settings: SERVER_SETTINGS });
    await makeTemplate(server, 'shop_template', [schemaWith()]);
    copy = new DatabaseCopy(server, 'shop', 'shop_template');
    await copy.renew();
    endpoint = { port: server.port, user: 'postgres', database: 'shop', password: server.password };
  }, 120_000);

  afterAll(async () => {
    await copy?.close();
    await server?.stop();
  });

  async function run({ script }: Try, guess: Guess): Promise<Seen> {
    const seen = await runScript(endpoint, script(guess), copy);
    await copy.renewIfWritten();
    return seen;
  }

  it.runIf(isPresent).each(someTriesFor(major, major === 18 ? 3 : 9).filter(({ bit }) => bit === undefined))(
    'shows a secret: $title',
    async (one) => {
      const seen = await run(one, RIGHT);
      // What came instead is the message.
      expect(SEARCH.leaksOf(seen.frames).length > 0 ? 'shown' : said(seen)).toBe('shown');
    },
  );

  it.runIf(isPresent).each(someTriesFor(major, major === 18 ? 3 : 9).filter(({ bit }) => bit !== undefined))(
    'tells right from wrong: $title',
    async (one) => {
      let right = await run(one, RIGHT);
      let wrong = await run(one, WRONG);
      // A busy machine may be slow where nothing sleeps.
      for (let left = BUSY_TIMES_MAX; left > 0 && one.bit?.(wrong) === true; left -= 1) {
        right = await run(one, RIGHT);
        wrong = await run(one, WRONG);
      }
      const told = one.bit?.(right) === true && !one.bit(wrong);
      expect(told ? 'told' : `${said(right)}\n${said(wrong)}`).toBe('told');
    },
  );
});

/** What is worth reading of it when it was not what was expected. */
function said({ frames, elapsedMs }: Seen): string {
  const shown = frames
    .filter(({ type }) => !'RKS'.includes(type))
    .map(({ type, body }) => `${type} ${body.toString('latin1').slice(0, 300)}`);
  return `${Math.round(elapsedMs)} ms\n${shown.slice(0, 40).join('\n')}`;
}
