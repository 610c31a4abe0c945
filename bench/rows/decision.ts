/** What a decision costs a core: of a text that was decided on before, and of a short one that is new, with its reading. */

import { SessionPolicy } from '../../packages/gateway/src/policy/decide.ts';
import { effectsThatMay } from '../../packages/gateway/src/policy/effect-classes.ts';
import { compileRule, type CompiledRule } from '../../packages/gateway/src/policy/rule.ts';
import { parseResources } from '../../packages/gateway/src/resources/parse.ts';
import type { Parser } from '../../packages/gateway/src/sql/parser.ts';
import { readText } from '../../packages/gateway/src/sql/read-text.ts';
import { TextCache } from '../../packages/gateway/src/sql/text-cache.ts';
import { testingOnlyParser } from '../../packages/gateway/src/sql/testing-parser.ts';
import { readPack } from '../../packages/gateway/src/cli/policy-packs.ts';
import { formatSpread, spreadOf } from '../measure/statistics.ts';
import { metIf, type Row, type RowResult } from './row.ts';

const PACK = 'reranking-iso27001';
/** Decisions in one measurement: a cached one is a look-up, which a clock of microseconds does not see. */
const CACHED_RUNS = 200_000;
const NEW_RUNS = 4_000;

const encoder = new TextEncoder();
let next = 0;

export const DECISION_ROW: Row = {
  id: 'decision',
  async run({ rounds }) {
    const rules = await packRules();
    const parser = await testingOnlyParser();
    const cached = measure(rounds, CACHED_RUNS, cachedDecision(rules, parser));
    const anew = measure(rounds, NEW_RUNS, newDecision(rules, parser));
    return resultOf(rules.length, cached, anew);
  },
};

function resultOf(rulesCount: number, cached: readonly number[], anew: readonly number[]): RowResult {
  return {
    tables: [
      {
        title: `Deciding, with the ${rulesCount} rules of ${PACK}`,
        columns: ['statement', 'µs of one core'],
        rows: [
          ['decided on before', formatSpread(cached, 2)],
          ['new and short, read and decided on', formatSpread(anew, 1)],
        ],
      },
    ],
    goals: [
      {
        what: 'a decision that is remembered',
        goal: '≤ 2 µs of one core',
        measured: formatSpread(cached, 2),
        met: metIf(spreadOf(cached).median, (value) => value <= 2),
      },
      {
        what: 'a decision about a new short statement, with its reading',
        goal: '≤ 100 µs of one core',
        measured: formatSpread(anew, 1),
        met: metIf(spreadOf(anew).median, (value) => value <= 100),
      },
    ],
  };
}

/** The rules on statements of the pack, in the order of their names. */
async function packRules(): Promise<readonly CompiledRule[]> {
  const documents = parseResources(await readPack(PACK, 'rules'));
  return documents
    .flatMap((document) => (document.kind === 'Rule' ? [compileRule(document, 1)] : []))
    .filter((rule): rule is CompiledRule => !('terms' in rule))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function policyOf(rules: readonly CompiledRule[]): SessionPolicy {
  const allowance = { access: 'team', version: 1, effects: effectsThatMay(undefined) };
  return new SessionPolicy(rules, allowance, { kind: 'user', address: '10.0.0.5', client: 'psql' });
}

function cachedDecision(rules: readonly CompiledRule[], parser: Parser): () => void {
  const policy = policyOf(rules);
  const cache = new TextCache();
  const bytes = encoder.encode('update rr.ranking_scores set boost = $1 where doc_id = $2');
  return () => {
    policy.decide(
      cache.read(bytes, (text) => readText(text, parser)),
      0,
    );
  };
}

function newDecision(rules: readonly CompiledRule[], parser: Parser): () => void {
  const policy = policyOf(rules);
  const cache = new TextCache();
  return () => {
    next += 1;
    const bytes = encoder.encode(
      `update rr.ranking_scores set boost = ${next} where doc_id = ${next} and query_class = 'returns'`,
    );
    policy.decide(
      cache.read(bytes, (text) => readText(text, parser)),
      0,
    );
  };
}

/** Microseconds of this process on a core for each run, so that others on the machine count for less. */
function measure(rounds: number, runs: number, run: () => void): readonly number[] {
  const round = (): number => {
    const before = process.cpuUsage();
    for (let at = 0; at < runs; at += 1) run();
    return process.cpuUsage(before).user / runs;
  };
  round();
  return Array.from({ length: rounds }, round);
}
