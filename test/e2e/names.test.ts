/** A leaf never states a text that is not the one that ran, whatever SQL does to names behind the protocol's back. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Harness, startHarness } from './harness.ts';
import { bind, execute, frame, parse, query, rawSession, SYNC } from './raw-session.ts';

let harness: Harness;
let token: string;

beforeAll(async () => {
  harness = await startHarness();
  token = await harness.token('ana');
}, 60_000);

afterAll(() => harness?.[Symbol.asyncDispose]());

const HARMLESS = "select 'harmless'";
const EVIL = "PREPARE s AS select 'evil'";

/** Each step waits for its ReadyForQuery; gives what the server answered and what the Executes state. */
async function run(steps: readonly (readonly Buffer[])[]): Promise<{ answers: string; stated: string }> {
  const session = await rawSession(harness, token);
  let ready = 0;
  for (const step of steps) {
    ready += 1;
    await session.send(step, ready);
  }
  await session.close();
  const log = await harness.finishedLog();
  const id = log.findLast(({ leaf }) => leaf.type === 'session.start')?.leaf.session;
  const executes = log.filter(
    ({ leaf, body }) =>
      leaf.session === id && leaf.type === 'statement.intent' && body['protocol_message'] === 'Execute',
  );
  expect(executes.length).toBeGreaterThan(0);
  return {
    answers: session.answers().join(),
    stated: JSON.stringify(executes.map(({ body }) => body['sql'] ?? '')),
  };
}

function disguised(disguise: (sql: string) => string): readonly (readonly Buffer[])[] {
  return [
    [parse('s', HARMLESS), SYNC],
    [query(disguise('DEALLOCATE s'))],
    [query(disguise(EVIL))],
    [bind('', 's'), execute(), SYNC],
  ];
}

const LATIN1 = [query('set client_encoding = LATIN1')];
const UTF8 = [query('set client_encoding = UTF8')];

const CASES: readonly { readonly name: string; readonly steps: readonly (readonly Buffer[])[] }[] = [
  { name: 'plainly', steps: disguised((sql) => sql) },
  { name: 'behind a nested comment', steps: disguised((sql) => `/* /* */ */ ${sql}`) },
  { name: 'behind a comment that ends in a carriage return', steps: disguised((sql) => `-- x\r${sql}`) },
  { name: 'behind a comment mark in a literal', steps: disguised((sql) => `select '/*'; /* */ ${sql}`) },
  { name: 'behind a dollar quote', steps: disguised((sql) => `select $$/*$$; /**/ ${sql}`) },
  {
    name: 'by statements that were themselves prepared and forgotten',
    steps: [
      [parse('d', 'DEALLOCATE s'), SYNC],
      [parse('p', EVIL), SYNC],
      [query("select ';prepare'")],
      [parse('s', HARMLESS), SYNC],
      [bind('', 'd'), execute(), SYNC],
      [bind('', 'p'), execute(), SYNC],
      [bind('', 's'), execute(), SYNC],
    ],
  },
  {
    name: 'by a change of encoding that makes two names one',
    steps: [
      LATIN1,
      [parse(Buffer.from('c3a9', 'hex'), HARMLESS), SYNC],
      UTF8,
      [frame('C', Buffer.from('S'), Buffer.from('c383c2a900', 'hex')), SYNC],
      [parse(Buffer.from('c383c2a9', 'hex'), "select 'evil'"), SYNC],
      LATIN1,
      [bind('', Buffer.from('c3a9', 'hex')), execute(), SYNC],
    ],
  },
  {
    name: 'by a portal that DECLARE has replaced',
    steps: [
      [query('begin')],
      [parse('', HARMLESS), bind('c', ''), SYNC],
      [query('/* /* */ */ CLOSE c')],
      [query("/* /* */ */ DECLARE c CURSOR FOR select 'evil'")],
      [execute('c'), SYNC],
      [query('commit')],
    ],
  },
];

describe('the text in a leaf', () => {
  it.each(CASES)('is not another one where names were changed $name', async ({ steps }) => {
    const { answers, stated } = await run(steps);
    // The change works on the server, so that what was prepared under the name is not what runs.
    expect(answers).toContain('evil');
    expect(stated).not.toContain('harmless');
  });

  it('stays where a plain query only mentions such a word', async () => {
    const text = "select 'close, prepare and discard' as declared";
    const { stated } = await run([[parse('', text), bind('', ''), execute(), SYNC]]);
    expect(stated).toContain('as declared');
  });

  it.each([
    [
      'a literal that reads like a COPY',
      [parse('', "select ';copy t from stdin'"), bind('', ''), execute(), SYNC],
    ],
    [
      'COPY data that nobody asked for',
      [parse('', 'select 1'), frame('d', Buffer.from('x')), frame('c'), bind('', ''), execute(), SYNC],
    ],
  ])('does not make a pipeline wait for ever: %s', async (_name, frames) => {
    const session = await rawSession(harness, token);
    await session.send(frames, 1);
    expect(session.answers().length).toBe(1);
    await session.close();
    await harness.finishedLog();
  });

  it('is the one of the name that the server makes of a longer one, in messages of any size', async () => {
    const long = 'a'.repeat(64);
    const session = await rawSession(harness, token);
    const text = `select 'cut' /*${'x'.repeat(1_100_000)}*/`;
    await session.send([parse(long, text), SYNC, parse(`b${long}`, "select 'cut too'"), SYNC], 2);
    const first = [bind('', `b${'a'.repeat(62)}`), execute()];
    await session.send([...first, bind('', 'a'.repeat(63)), execute(), SYNC], 3);
    expect(session.answers()).toEqual([expect.stringContaining('cut too'), expect.stringContaining('cut')]);
    await session.close();
    const log = await harness.finishedLog();
    const texts = log.filter(({ leaf }) => leaf.type === 'statement.intent').map(({ body }) => body['sql']);
    expect(texts.at(-2)).toEqual("select 'cut too'");
    expect(texts.at(-1)).toMatchObject({ spooled: { bytes: expect.any(Number) } });
  });
});
