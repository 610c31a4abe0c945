/** What may change what a name stands for, and what of that brings no code of its own. */

import type { Effect, StatementFacts } from '../../../core/effects.ts';
import type { KnownStatements } from '../../../policy/prepared-facts.ts';

/** Definitions, rights and settings: what they lead to is there already, or stands in their own text. */
const LEADS_ELSEWHERE: ReadonlySet<Effect> = new Set<Effect>([
  'create',
  'alter',
  'alter-drop',
  'drop',
  'rename',
  'grant',
  'role',
  'setting-risky',
]);
/** What may do anything. */
const OPAQUE: ReadonlySet<Effect> = new Set<Effect>([
  'two-phase',
  'execute',
  'code',
  'call',
  'function-unknown',
  'host',
  'remote',
  'admin',
  'unknown',
]);
const NAMING_SETTINGS = /^(?:search_path|role|session_authorization|row_security|all|temp|temporary|plans)$/;

export function changesNames({ effects }: StatementFacts): boolean {
  return effects.some(
    ({ effect, object }) =>
      LEADS_ELSEWHERE.has(effect) ||
      OPAQUE.has(effect) ||
      (effect === 'setting' && (object === undefined || NAMING_SETTINGS.test(object))),
  );
}

/** Whether names that are looked up in every schema before it runs are enough to know what they lead to behind it. */
export function bringsNoCode({ effects }: StatementFacts): boolean {
  return !effects.some(({ effect }) => OPAQUE.has(effect));
}

/** The same with what an EXECUTE runs. @param restless hidden code runs beside something that was prepared */
export function mayChangeNames(
  statement: StatementFacts,
  known: KnownStatements,
  restless: boolean,
): boolean {
  const { prepared } = statement;
  if (prepared?.verb !== 'execute') return changesNames(statement);
  const inner = prepared.name === undefined ? undefined : known(prepared.name);
  return inner === undefined || restless || changesNames(inner);
}
