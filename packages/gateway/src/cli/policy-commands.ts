/** Commands about policy: test it against cases, replay what was recorded under it, and packs to begin with. */

import type { PolicyReplayAnswer } from '../api/answers.ts';
import { clientOf } from './client.ts';
import { CLIENT_OPTIONS, type Command, type CommandInput, JSON_OPTION } from './command.ts';
import { complainOf, type FileProblem, sendFiles } from './file-problems.ts';
import { columns, terminalJson } from './output.ts';
import type { PlacedDocument } from './policy-files.ts';
import { listPacks, readPack } from './policy-packs.ts';
import { differenceLines, ReplaySummary } from './policy-replay-text.ts';

const test: Command = {
  path: 'policy test',
  summary: 'Decide the cases of files against resources of files, without a gateway',
  positionals: ['FILE…'],
  options: {
    resources: {
      type: 'string',
      multiple: true,
      value: 'FILE',
      says: 'Resources, beside those that the cases name; may be given more than once',
    },
    ...JSON_OPTION,
  },
  run: runTest,
};

const replay: Command = {
  path: 'policy replay',
  summary: 'What a changed policy would have decided about recorded operations',
  positionals: [],
  options: {
    since: { type: 'string', value: 'TIME', says: 'From then on: 2026-11-24 or 2026-11-24T14:00:00Z' },
    until: { type: 'string', value: 'TIME', says: 'Up to then; else up to now' },
    resources: {
      type: 'string',
      multiple: true,
      value: 'FILE',
      says: 'What changes, as for apply; may be given more than once. Without it, the policy as it is now',
    },
    connection: { type: 'string', value: 'NAME', says: 'On which connection; else on all' },
    reason: {
      type: 'string',
      value: 'TEXT',
      says: 'Why; it stands in the leaf of each session that is shown',
    },
    ...CLIENT_OPTIONS,
  },
  run: runReplay,
};

const pack: Command = {
  path: 'policy pack',
  summary: 'Print a pack of rules to begin with, or the names of all',
  positionals: ['[NAME]'],
  options: {
    cases: { type: 'boolean', says: 'Print the cases for policy test that belong to the pack' },
    ...JSON_OPTION,
  },
  async run(input) {
    const [name] = input.positionals;
    if (name === undefined) {
      const packs = await listPacks();
      const rows = packs.map((one) => [one.name, String(one.rules), String(one.masks), one.summary]);
      await input.show(packs, columns(['PACK', 'RULES', 'MASKS', 'WHAT'], rows));
    } else {
      await input.context.print(await readPack(name, input.flag('cases') ? 'cases' : 'rules'));
    }
    return undefined;
  },
};

export const POLICY_COMMANDS: readonly Command[] = [test, replay, pack];

/** Page after page; what differs is printed as it comes. */
async function runReplay(input: CommandInput): Promise<number | undefined> {
  const files = input.options('resources');
  return sendFiles(input, files, (text) => showReplay(input, files.length === 0 ? undefined : text));
}

async function showReplay(input: CommandInput, text: string | undefined): Promise<void> {
  const since = input.required('since');
  const client = await clientOf(input);
  const given = {
    since,
    until: input.option('until'),
    connection: input.option('connection'),
    reason: input.option('reason'),
    text,
  };
  const summary = new ReplaySummary();
  for (let from: number | undefined, isFirst = true; isFirst || from !== undefined; isFirst = false) {
    const body = { ...given, from };
    const page: PolicyReplayAnswer = await client.json<PolicyReplayAnswer>('POST', '/v1/policy/replay', {
      body,
    });
    summary.add(page);
    for (const row of page.different) {
      const lines = input.json
        ? [terminalJson(JSON.stringify({ kind: 'operation', ...row }))]
        : differenceLines(row);
      await input.context.print(`${lines.join('\n')}\n`);
    }
    from = page.next;
  }
  await input.show({ kind: 'summary', ...summary.facts }, summary.lines);
}

/** The rooms that decide are loaded by this command only, so that others start at once. */
async function runTest(input: CommandInput): Promise<number | undefined> {
  const [{ loadCases }, { runCases }, { SqlReading }, text] = await Promise.all([
    import('./policy-cases.ts'),
    import('./policy-run.ts'),
    import('../session/sql-reading.ts'),
    import('./policy-text.ts'),
  ]);
  const { documents, problems } = await sharedResources(input.options('resources'));
  const loaded = await Promise.all(input.positionals.map((file) => loadCases(file, documents)));
  const sets = loaded.filter((one) => 'cases' in one);
  const wrong = [...problems, ...loaded.flatMap((one) => ('cases' in one ? [] : one))];
  if (wrong.length > 0) return complainOf(input, wrong);
  const reader = new SqlReading();
  try {
    const results = [];
    for (const set of sets) {
      const { places } = set.loaded;
      for (const result of await runCases(set, reader)) {
        results.push({ result, facts: text.caseFacts(result, places) });
        if (input.json) continue;
        await input.context.print(`${text.caseLines(result, places).join('\n')}\n`);
      }
    }
    const all = results.map(({ result }) => result);
    const failed = all.filter(({ passed }) => !passed).length;
    const facts = { cases: results.map((one) => one.facts), passed: all.length - failed, failed };
    await input.show(facts, [text.summaryLine(all)]);
    return failed === 0 ? undefined : 1;
  } finally {
    await reader.close();
  }
}

async function sharedResources(
  files: readonly string[],
): Promise<{ readonly documents: readonly PlacedDocument[]; readonly problems: readonly FileProblem[] }> {
  const { readDocuments } = await import('./policy-files.ts');
  const read = await Promise.all(files.map((file) => readDocuments(file)));
  return {
    documents: read.flatMap(({ documents }) => documents),
    problems: read.flatMap(({ problems }) => problems),
  };
}
