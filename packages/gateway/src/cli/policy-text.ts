/** What `policy test` prints: a line a case, and of one that fails what was decided and why. */

import type { ReadText } from '../core/effects.ts';
import type { Cause } from '../policy/decide.ts';
import { CONNECTION_RULE } from '../policy/otherwise.ts';
import { safeText } from '../recording/table-text.ts';
import { counted, oneLine } from './output.ts';
import type { PolicyCase } from './policy-cases.ts';
import { lineOf } from './policy-requests.ts';
import type { Place } from './policy-files.ts';
import type { CaseResult } from './policy-run.ts';
import { underlined } from './underlined.ts';

type Places = ReadonlyMap<string, Place>;

const INDENT = '      ';
const CAUSES_SHOWN_MAX = 8;
const EFFECTS_CHARACTERS_MAX = 300;

/** Lines for people. */
export function caseLines(result: CaseResult, places: Places): readonly string[] {
  const { policyCase, passed } = result;
  const { place, name } = policyCase;
  const head = `${passed ? 'ok  ' : 'FAIL'}  ${safeText(name)}`;
  if (passed) return [head];
  return [`${head}  (${at(place)})`, ...failureLines(result, places).map((line) => `${INDENT}${line}`)];
}

export function summaryLine(results: readonly CaseResult[]): string {
  const failed = results.filter(({ passed }) => !passed).length;
  return `${counted(results.length - failed, 'case', 'cases')} passed, ${failed} failed`;
}

/** The same for programs. */
export function caseFacts(result: CaseResult, places: Places): unknown {
  const { policyCase, decided, passed } = result;
  const { place, name, expect, rule, breakGlass } = policyCase;
  return {
    ...place,
    name,
    passed,
    expected: {
      verdict: expect,
      ...(rule === undefined ? {} : { rule }),
      ...(breakGlass === undefined ? {} : { breakGlass }),
    },
    decided: {
      verdict: decided.verdict,
      causes: decided.causes.map((cause) => ({ ...cause, ...placeOf(cause, places) })),
      effects: effectsOf(decided.read),
      uncounted: decided.uncounted.map((one) => one.name),
      openers: decided.openers,
    },
  };
}

function failureLines({ policyCase, decided }: CaseResult, places: Places): readonly string[] {
  const { what, breakGlass } = policyCase;
  const bytes = new TextEncoder().encode('sql' in what ? what.sql : lineOf(what.request));
  const { verdict, causes, read, uncounted, openers } = decided;
  const different = [...new Map(causes.map((cause) => [keyOfCause(cause), cause])).values()];
  const shown = different.slice(0, CAUSES_SHOWN_MAX);
  const more = different.length - shown.length;
  return [
    `expected  ${expected(policyCase)}`,
    `decided   ${verdict}`,
    ...shown.flatMap((cause, index) => causeLines(cause, shown[index + 1], bytes, places)),
    ...(more > 0 ? [`and ${more} more`] : []),
    ...(causes.length === 0
      ? [`does      ${oneLine(effectsOf(read).join(', '), EFFECTS_CHARACTERS_MAX)}`]
      : []),
    ...(breakGlass === undefined
      ? []
      : openers.map((rules) => `opened    ${rules.length === 0 ? 'by no rule' : `by ${rules.join(', ')}`}`)),
    ...(uncounted.length === 0
      ? []
      : [`counts    ${uncounted.map(({ name }) => name).join(', ')}: the case gives no rows`]),
  ];
}

function expected({ expect, rule, breakGlass }: PolicyCase): string {
  const verdict = rule === undefined ? expect : `${expect} by ${safeText(rule)}`;
  if (breakGlass === undefined) return verdict;
  return `${verdict}, opened by ${breakGlass === false ? 'no rule' : breakGlass}`;
}

function keyOfCause({ rule, verdict, what, from, to }: Cause): string {
  return JSON.stringify([rule, verdict, what, from, to]);
}

/** The text stands once behind all causes that are about the same part of it. */
function causeLines(
  cause: Cause,
  next: Cause | undefined,
  bytes: Uint8Array,
  places: Places,
): readonly string[] {
  const { from, to } = cause;
  const head = causeHead(cause, places);
  if (next?.from === from && next.to === to) return [head];
  return [head, ...underlined(bytes, from, to).map((line) => `  ${line}`)];
}

function causeHead({ rule, version, verdict, what }: Cause, places: Places): string {
  const place = places.get(keyOf(rule));
  const where = place === undefined ? '' : `, ${at(place)}`;
  return `${verdict.padEnd(9)} by ${safeText(rule)} (version ${version}${where}): ${safeText(what)}`;
}

function placeOf({ rule }: Cause, places: Places): object {
  const place = places.get(keyOf(rule));
  return place === undefined ? {} : { place };
}

/** `access:NAME` is an Access resource, `connection:NAME` a Connection, everything else a Rule. */
function keyOf(rule: string): string {
  if (rule.startsWith(CONNECTION_RULE)) return `Connection/${rule.slice(CONNECTION_RULE.length)}`;
  return rule.startsWith('access:') ? `Access/${rule.slice('access:'.length)}` : `Rule/${rule}`;
}

function effectsOf(read: ReadText | undefined): readonly string[] {
  if (read === undefined) return ['nothing that anything decides about'];
  if (read.kind === 'syntax-error') return [read.message];
  if (read.kind === 'uninspectable') return [read.reason];
  const all = read.statements.flatMap(({ effects }) =>
    effects.map(({ effect, object }) => (object === undefined ? effect : `${effect} of ${object}`)),
  );
  return [...new Set(all)];
}

function at({ file, line }: Place): string {
  return safeText(`${file}:${line}`);
}
