/**
 * The same battery in the mode server-role: the target itself hides what Masks name, from a role that may do
 * everything else.
 */

import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MaskDdlAnswer } from '../../packages/gateway/src/api/answers.ts';
import type { Endpoint, ServerFrame } from '../differential/wire-client.ts';
import { everyServerVersion, serverVersions } from '../e2e/clients.ts';
import { type Harness, startHarness } from '../e2e/harness.ts';
import { canariesOf, makeSecrets, SEED } from './canaries.ts';
import { compareHarmless } from './compare-harmless.ts';
import { DatabaseCopy, makeTemplate, SERVER_SETTINGS } from './copies.ts';
import { EVERYTHING_MAY, SERVER_ROLE_MASKS } from './masks.ts';
import { schemaWith } from './schema.ts';
import { LeakSearch } from './search.ts';
import { runScript, type Seen } from './session-script.ts';
import { SOAKS, someTriesFor } from './tries.ts';
import { type Guess, RIGHT, type Try, WRONG } from './tries/try.ts';

const SEARCH = new LeakSearch(canariesOf(makeSecrets(SEED)));
const ROLE = 'shopper';
const TEMPLATE = 'shop_template';
/** As it was before the script. */
const OPEN_TEMPLATE = 'open_template';
/** A part of them each time, another on each version; all of them in a soak. */
const TRIES_OF = (major: number): readonly Try[] => someTriesFor(major, major === 18 ? 6 : 24);
/**
 * PostgreSQL shows to everybody what a session calls itself: here another one, by another way than the gateway
 * and with the rights to read the column, calls itself by the value (spec/masking.md, section 20.4).
 */
const SHOWN_BY_OTHERS = 'message: what others run';
const CHANCES_MAX = 3;
/** Of those that the role may send at all. */
const HARMLESS_MIN = 450;
/** Qualified names of tables, lists of the catalog, CREATE without a schema: 82 of 687 on PostgreSQL 18. */
const STOPPED_SHARE_MAX = 0.13;
const BY_TARGET = /: (?:42501|42703) /;

/** What an administrator decides where the script only says what has to be decided. */
const DECIDED = `
revoke execute on function customer_lookup(integer) from public;
revoke insert, update, delete on inbox from ${ROLE};
`;

const GRANTS = `
grant usage, create on schema public, vault to ${ROLE};
grant all on all tables in schema public, vault to ${ROLE};
grant all on all sequences in schema public, vault to ${ROLE};
`;

/** Those between the newest and the oldest in a soak. */
const VERSIONS = SOAKS ? everyServerVersion() : serverVersions();

describe.each(VERSIONS)('PostgreSQL $major', ({ version, major, isPresent }) => {
  if (!isPresent) return;
  let harness: Harness;
  let copy: DatabaseCopy;
  /** As it is for the role before the script. */
  let open: DatabaseCopy;
  let through: Endpoint;
  let directly: Endpoint;
  let problems: readonly string[];

  beforeAll(async () => {
    harness = await startHarness({ postgres: { version, settings: SERVER_SETTINGS } });
    const { server } = harness;
    await makeTemplate(server, TEMPLATE, [
      schemaWith(),
      `create role ${ROLE} login password '${server.password}'`,
      GRANTS,
    ]);
    await makeTemplate(server, OPEN_TEMPLATE, ['select 1'], TEMPLATE);
    open = new DatabaseCopy(server, 'open', OPEN_TEMPLATE);
    await open.renew();
    await harness.apply(
      [connection(server.port), EVERYTHING_MAY.replace('CONNECTIONS', 'shop'), SERVER_ROLE_MASKS].join(
        '---\n',
      ),
    );
    const answer = await ddl(harness);
    ({ problems } = answer);
    await inTemplate(
      harness,
      `${DECIDED}${answer.sql}
      alter role ${ROLE} set search_path to ${ROLE}_masked_public, public;`,
    );
    copy = new DatabaseCopy(server, 'shop', TEMPLATE);
    await copy.renew();
    const token = await harness.token('ana');
    through = { port: harness.gateway.postgres.port, user: 'ana', database: 'shop', password: token };
    directly = { port: server.port, user: ROLE, database: 'open', password: server.password };
  }, 120_000);

  afterAll(async () => {
    await copy?.close();
    await open?.close();
    await harness?.[Symbol.asyncDispose]();
  });

  async function ask(one: Try, guess: Guess): Promise<Seen> {
    const seen = await runScript(through, one.script(guess), copy);
    await copy.renewIfWritten();
    return seen;
  }

  it('says in the script what its reader has to decide', () => {
    expect(problems).toEqual([
      expect.stringContaining('public.customer_lookup(integer) runs with the rights of postgres'),
      expect.stringContaining('rule forward on public.inbox'),
    ]);
  });

  /** A control: the role sees what the battery looks for, as long as the script has not run. */
  it('has tries that show secrets to the role without the mode', async () => {
    const sample = someTriesFor(major, 12)
      .filter(({ bit }) => bit === undefined)
      .slice(0, 16);
    let shown = 0;
    for (const one of sample) {
      const seen = await runScript(directly, one.script(RIGHT), open);
      await open.renewIfWritten();
      if (SEARCH.leaksOf(seen.frames).length > 0) shown += 1;
    }
    expect(shown).toBeGreaterThan(sample.length / 3);
  }, 120_000);

  it.each(TRIES_OF(major).filter(({ bit, title }) => bit === undefined && title !== SHOWN_BY_OTHERS))(
    'shows no secret: $title',
    async (one) => {
      const seen = await ask(one, RIGHT);
      expect(SEARCH.leaksOf(seen.frames)).toEqual([]);
    },
  );

  it('does not hide what another session that may read it calls itself', async () => {
    const [one] = someTriesFor(major, 1).filter(({ title }) => title === SHOWN_BY_OTHERS);
    if (one === undefined) throw new Error('no such try');
    const found = SEARCH.leaksOf((await ask(one, RIGHT)).frames);
    expect([...new Set(found.map(({ canary }) => canary))]).toEqual(['email of 1']);
  });

  it.each(TRIES_OF(major).filter(({ bit }) => bit !== undefined))('tells nothing: $title', async (one) => {
    let told = true;
    let shown: readonly unknown[] = [];
    // Chance may tell once, and a busy machine may be slow where nothing sleeps.
    for (let left = CHANCES_MAX; left > 0 && told; left -= 1) {
      const right = await ask(one, RIGHT);
      const wrong = await ask(one, WRONG);
      told = one.bit?.(right) === true && !one.bit(wrong);
      shown = [...shown, ...SEARCH.leaksOf(withoutGuess(wrong.frames))];
    }
    expect({ told, shown }).toEqual({ told: false, shown: [] });
  });

  it('lets everyday statements through, or the target refuses them itself', async () => {
    await open.renew();
    const found = await compareHarmless(SEARCH, { directly, through }, () =>
      DatabaseCopy.renewIfWritten([copy, open]),
    );
    const total = found.passed + found.stopped.length + found.changed.length + found.leaked.length;
    process.stdout.write(
      `${major}: ${found.passed} of ${total} as without masks\nstopped: ${found.stopped.join('\n  ')}\nchanged: ${found.changed.join('\n  ')}\n`,
    );
    expect(found.leaked).toEqual([]);
    expect(found.stopped.filter((line) => !BY_TARGET.test(line))).toEqual([]);
    expect(total).toBeGreaterThanOrEqual(HARMLESS_MIN);
    expect((found.stopped.length + found.changed.length) / total).toBeLessThanOrEqual(STOPPED_SHARE_MAX);
  }, 300_000);
});

/** EXPLAIN says what it was asked about: a guess, of which one letter is not the secret's. */
function withoutGuess(frames: readonly ServerFrame[]): readonly ServerFrame[] {
  return frames.map((frame) => ({
    ...frame,
    body: Buffer.from(frame.body.toString('latin1').replaceAll(WRONG.email, ''), 'latin1'),
  }));
}

function connection(port: number): string {
  return `
kind: Person
name: root
displayName: Root
groups: [administrators]
---
kind: Connection
name: shop
protocol: postgres
target: { host: 127.0.0.1, port: ${port}, database: shop, tls: disable }
credential: { user: ${ROLE}, password: { env: DB_PASSWORD } }
`;
}

async function ddl(harness: Harness): Promise<MaskDdlAnswer> {
  const token = await harness.token('root');
  const url = `http://127.0.0.1:${harness.gateway.api.port}/v1/connections/shop/mask-ddl`;
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ database: TEMPLATE }),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(text);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The tests look at what they use.
  return JSON.parse(text) as MaskDdlAnswer;
}

async function inTemplate({ server }: Harness, text: string): Promise<void> {
  const { host, port, password } = server;
  const client = new Client({ host, port, user: 'postgres', password, database: TEMPLATE });
  await client.connect();
  await client.query(text);
  await client.end();
}
