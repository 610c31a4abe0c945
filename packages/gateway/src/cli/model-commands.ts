/** Commands about the models behind connections: what is known of them, and a look at one now. */

import type { ModelAnswer, ModelLook, ModelProbe, ModelProbeAnswer, ModelsAnswer } from '../api/answers.ts';
import { clientOf } from './client.ts';
import { CLIENT_OPTIONS, type Command } from './command.ts';
import { columns, facts, oneLine, shortTime } from './output.ts';

const DIGEST_SHOWN = 12;
const VALUE_CHARACTERS = 100;
/** As of a policy that says no: something is not as it was agreed. */
const FOUND = 3;
/** As of a service that cannot be had. */
const UNKNOWN = 5;

const listModels: Command = {
  path: 'models list',
  summary: 'Connections whose model is looked at, and what was found',
  positionals: [],
  options: CLIENT_OPTIONS,
  async run(input) {
    const answer = await (await clientOf(input)).json<ModelsAnswer>('GET', '/v1/models');
    const rows = answer.models.flatMap(({ connection, probes }) =>
      probes.map((probe) => [
        connection,
        probe.kind,
        probe.baseline?.digest.slice(0, DIGEST_SHOWN) ?? '-',
        shortTime(probe.baseline?.at),
        shortTime(probe.answeredAt),
        String(probe.findings.length),
        probe.failure === undefined ? '' : oneLine(probe.failure, VALUE_CHARACTERS),
      ]),
    );
    const head = ['CONNECTION', 'LOOK', 'DIGEST', 'SINCE', 'ANSWERED', 'FINDINGS', 'FAILURE'];
    await input.show(answer, rows.length === 0 ? ['No connection has probes.'] : columns(head, rows));
    return undefined;
  },
};

const show: Command = {
  path: 'models show',
  summary: 'What is known of the model behind a connection, and each change that nobody had agreed to',
  positionals: ['CONNECTION'],
  options: CLIENT_OPTIONS,
  async run(input) {
    const path = `/v1/models/${encodeURIComponent(input.positional(0))}`;
    const answer = await (await clientOf(input)).json<ModelAnswer>('GET', path);
    await input.show(answer, shownLines(answer));
    return undefined;
  },
};

const probe: Command = {
  path: 'models probe',
  summary: `Look at the model behind a connection now; ends with ${FOUND} where it changed and nobody had agreed, with ${UNKNOWN} where nobody could tell`,
  positionals: ['CONNECTION'],
  options: CLIENT_OPTIONS,
  async run(input) {
    const path = `/v1/models/${encodeURIComponent(input.positional(0))}/probe`;
    const answer = await (await clientOf(input)).json<ModelProbeAnswer>('POST', path, { body: {} });
    await input.show(answer, answer.looks.map(lookLine));
    if (answer.looks.some(({ finding }) => finding)) return FOUND;
    return answer.looks.some(({ status }) => status === 'unknown') ? UNKNOWN : undefined;
  },
};

export const MODEL_COMMANDS: readonly Command[] = [listModels, show, probe];

function lookLine(look: ModelLook): string {
  return oneLine(`${look.kind}: ${lookText(look)} (leaf ${look.leaf})`, 3 * VALUE_CHARACTERS);
}

function lookText({
  status,
  first,
  digest = '',
  was = '',
  finding,
  approval,
  failure = '',
}: ModelLook): string {
  const is = digest.slice(0, DIGEST_SHOWN);
  if (status === 'unknown') return `nobody can tell: ${failure}`;
  if (first) return `${is}, the first; later answers are compared with it`;
  const before = was.slice(0, DIGEST_SHOWN);
  if (status === 'same') return is === before ? `as before, ${is}` : `as before but for noise, ${is}`;
  return finding
    ? `CHANGED from ${before} to ${is}, and nobody had agreed to that`
    : `changed from ${before} to ${is}, let by leaf ${approval ?? ''}`;
}

function shownLines(answer: ModelAnswer): readonly string[] {
  const { connection, model = '-', everySeconds, reviewers, probes, identity, canary } = answer;
  return [
    ...facts([
      ['connection', connection],
      ['model', model],
      ['every', `${everySeconds} s`],
      ['reviewers', reviewers.join(', ')],
    ]),
    ...probes.flatMap(probeLines),
    ...(identity === undefined ? [] : ['', 'What the service says of its model', ...identityLines(identity)]),
    ...(canary === undefined
      ? []
      : [
          '',
          `What the fixed question was answered; within ${canary.tolerance} is noise`,
          ...canary.order.map(
            (place, at) => `  document ${place}  ${oneLine(canary.scores[at] ?? '', VALUE_CHARACTERS)}`,
          ),
        ]),
  ];
}

function probeLines({
  kind,
  dialect,
  baseline,
  answeredAt,
  failure,
  findings,
}: ModelProbe): readonly string[] {
  return [
    '',
    ...facts([
      [kind, dialect],
      ['digest', baseline?.digest ?? '-'],
      ['since', baseline === undefined ? '-' : `${shortTime(baseline.at)}, leaf ${baseline.leaf}`],
      ['answered', shortTime(answeredAt)],
      ...(failure === undefined ? [] : [['failure', oneLine(failure, VALUE_CHARACTERS)] as const]),
      ['findings', String(findings.length)],
    ]),
    ...findings.map(
      ({ leaf, at, was, is }) =>
        `  ${shortTime(at)}  leaf ${leaf}  ${was.slice(0, DIGEST_SHOWN)} -> ${is.slice(0, DIGEST_SHOWN)}`,
    ),
  ];
}

/** As JSON, a line for each path and model: members are of the service's own choice. */
function identityLines(identity: unknown): readonly string[] {
  if (typeof identity !== 'object' || identity === null) return [];
  return Object.entries(identity).flatMap(([path, said]: [string, unknown]) =>
    (Array.isArray(said) ? said : [said]).map(
      (members: unknown) => `  ${oneLine(`${path}  ${JSON.stringify(members)}`, 3 * VALUE_CHARACTERS)}`,
    ),
  );
}
