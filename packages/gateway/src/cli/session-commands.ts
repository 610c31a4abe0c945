/** Commands about sessions: which there were, what ran, the replay, and the end of an open one. */

import type { SessionAnswer, SessionsAnswer } from '../api/answers.ts';
import { CountersignError } from '../core/errors.ts';
import { parseId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { clientOf } from './client.ts';
import { CLIENT_OPTIONS, type Command } from './command.ts';
import { operationTable } from './operation-table.ts';
import { columns, duration, shortTime, terminalJson } from './output.ts';
import { type ReplayLine, replayText, sessionLines } from './replay-text.ts';

const REASON = { reason: { type: 'string', value: 'TEXT', says: 'Why; it stands in the leaf' } } as const;

const list: Command = {
  path: 'sessions list',
  summary: 'Sessions, newest first',
  positionals: [],
  options: {
    name: { type: 'string', value: 'NAME', says: 'Whose' },
    connection: { type: 'string', value: 'NAME', says: 'On which connection' },
    from: { type: 'string', value: 'TIME', says: 'Started at or after: 2026-11-24 or 2026-11-24T14:00:00Z' },
    to: { type: 'string', value: 'TIME', says: 'Started before' },
    open: { type: 'boolean', says: 'Only those that are open' },
    before: { type: 'string', value: 'ID', says: 'The page that follows this session' },
    limit: { type: 'string', value: 'ROWS', says: 'Rows of the page' },
    ...CLIENT_OPTIONS,
  },
  async run(input) {
    const client = await clientOf(input);
    const names = ['name', 'connection', 'from', 'to', 'before', 'limit'];
    const filters = Object.fromEntries(names.map((name) => [name, input.option(name)]));
    const query = { ...filters, ...(input.flag('open') ? { open: 'true' } : {}) };
    const answer = await client.json<SessionsAnswer>('GET', '/v1/sessions', { query });
    const rows = answer.sessions.map((session) => [
      session.id,
      session.name,
      session.database === '' ? session.connection : `${session.connection}/${session.database}`,
      session.address,
      shortTime(session.startedAt),
      session.endedAt === undefined
        ? '-'
        : duration((Date.parse(session.endedAt) - Date.parse(session.startedAt)) * 1_000),
      String(session.statements),
      session.status,
    ]);
    const head = ['ID', 'WHO', 'CONNECTION', 'FROM', 'STARTED', 'LASTED', 'STATEMENTS', 'STATUS'];
    const more = answer.next === undefined ? [] : ['', `More: --before ${answer.next}`];
    await input.show(answer, [...columns(head, rows), ...more]);
    return undefined;
  },
};

const show: Command = {
  path: 'sessions show',
  summary: 'A session with its statements, out of the ledger',
  positionals: ['ID'],
  options: {
    from: { type: 'string', value: 'LEAF', says: 'Go on at this leaf' },
    limit: { type: 'string', value: 'ROWS', says: 'Statements of the page' },
    ...REASON,
    ...CLIENT_OPTIONS,
  },
  async run(input) {
    const client = await clientOf(input);
    const query = {
      from: input.option('from'),
      limit: input.option('limit'),
      reason: input.option('reason'),
    };
    const path = `/v1/sessions/${parseId('session', input.positional(0))}`;
    const answer = await client.json<SessionAnswer>('GET', path, { query });
    const table = operationTable(answer.statements);
    const shredded = answer.shredded
      ? ['', 'The content of this session was shredded; its proofs remain valid.']
      : [];
    const more = answer.next === undefined ? [] : ['', `More: --from ${answer.next}`];
    await input.show(answer, [...sessionLines(answer.session), '', ...table, ...shredded, ...more]);
    return undefined;
  },
};

const replay: Command = {
  path: 'sessions replay',
  summary: 'The recording of a session: statements with their results as tables',
  positionals: ['ID'],
  options: { ...REASON, ...CLIENT_OPTIONS },
  async run(input) {
    const client = await clientOf(input);
    const path = `/v1/sessions/${parseId('session', input.positional(0))}/replay`;
    const response = await client.stream('GET', path, { query: { reason: input.option('reason') } });
    let failed = false;
    for await (const text of linesOf(response)) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- This is the parse function.
      const line = JSON.parse(text) as ReplayLine;
      failed ||= line.kind === 'error';
      await input.context.print(input.json ? `${terminalJson(text)}\n` : replayText(line));
    }
    return failed ? 6 : undefined;
  },
};

const end: Command = {
  path: 'sessions end',
  summary: 'End an open session at once',
  positionals: ['ID'],
  options: CLIENT_OPTIONS,
  async run(input) {
    const client = await clientOf(input);
    const answer = await client.json('DELETE', `/v1/sessions/${parseId('session', input.positional(0))}`);
    await input.show(answer, ['Ended']);
    return undefined;
  },
};

export const SESSION_COMMANDS: readonly Command[] = [list, show, replay, end];

/** Lines of an answer, of bounded length. */
async function* linesOf(response: Response): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  const { lineBytesMax: allowed } = LIMITS.cli;
  let rest = '';
  for await (const chunk of response.body ?? []) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > allowed) {
      throw new CountersignError('LIMIT_EXCEEDED', {
        limit: 'cli.lineBytesMax',
        allowed,
        actual: rest.length,
      });
    }
    yield* lines;
  }
  // Every line ends in a line feed: what does not was cut off.
  if (rest !== '')
    throw new CountersignError('SERVER_UNREACHABLE', {
      server: response.url,
      reason: 'the answer was cut off',
    });
}
