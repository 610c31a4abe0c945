/**
 * Words that stand for several effects, in `may` of an Access resource and in rules.
 *
 * Spec: spec/policy.md §2.
 */

import { EFFECTS, type Effect } from '../core/effects.ts';

export type EffectClass =
  | 'read'
  | 'write'
  | 'export'
  | 'define'
  | 'maintain'
  | 'grant'
  | 'run'
  | 'rerank'
  | 'model'
  | 'administer'
  | 'unknown';

/** What every statement may have: alone, none of these reads, changes or sends out anything. */
export const HARMLESS: ReadonlySet<Effect> = new Set<Effect>([
  'transaction',
  'setting',
  'prepare',
  'execute',
  'cursor',
  'explain',
]);

/** Class → effects. Every effect that is not harmless is in exactly one of them. */
const CLASSES: Readonly<Record<EffectClass, readonly Effect[]>> = {
  read: ['read', 'lock', 'notify'],
  write: [
    'insert',
    'update',
    'update-unqualified',
    'delete',
    'delete-unqualified',
    'merge',
    'truncate',
    'copy-in',
    'sequence',
    'large-object',
  ],
  export: ['export'],
  define: ['create', 'alter', 'alter-drop', 'drop', 'rename', 'alias', 'comment', 'refresh'],
  maintain: ['maintain'],
  grant: ['grant', 'role'],
  run: ['code', 'call', 'function-unknown', 'sleep', 'egress:model'],
  rerank: ['rerank'],
  model: ['model-change', 'model-redirect', 'model-delete'],
  administer: ['admin', 'host', 'remote', 'setting-risky', 'two-phase'],
  unknown: ['unknown'],
};

/** Words that name effects: each effect, and each class. */
export const EFFECT_WORDS: readonly string[] = [...new Set([...Object.keys(CLASSES), ...EFFECTS])];

/** Effects that change rows, which can be counted. */
export const WRITE_EFFECTS: ReadonlySet<string> = new Set(CLASSES.write);

/**
 * What an Access resource that does not say `may` does not let through: what nobody understood, and what
 * reaches out of the database or may do anything at all there.
 */
const ONLY_WHERE_SAID: ReadonlySet<Effect> = new Set<Effect>([
  'unknown',
  'function-unknown',
  'code',
  'host',
  'remote',
  'admin',
  'egress:model',
  'model-change',
  'model-redirect',
  'model-delete',
]);

/**
 * What it lets through over HTTP. A service of which only some routes are known does more with a POST than
 * a database with a statement: whatever is no read is held where a rule holds it, and else not let through.
 */
const OVER_HTTP: readonly Effect[] = ['read', 'rerank'];

/**
 * The effects that words stand for. A word that is a class and an effect (`read`, `export`, `maintain`,
 * `grant`, `unknown`) is the class.
 */
export function effectsOf(words: readonly string[]): ReadonlySet<Effect> {
  const effects = new Set<Effect>();
  for (const word of words) {
    if (isClass(word)) for (const effect of CLASSES[word]) effects.add(effect);
    else for (const effect of EFFECTS) if (effect === word) effects.add(effect);
  }
  return effects;
}

/** What an Access resource lets through. */
export function effectsThatMay(may: readonly string[] | undefined): ReadonlySet<Effect> {
  const allowed =
    may === undefined ? EFFECTS.filter((effect) => !ONLY_WHERE_SAID.has(effect)) : effectsOf(may);
  return new Set([...HARMLESS, ...allowed]);
}

/** The same over HTTP. */
export function effectsThatMayOverHttp(may: readonly string[] | undefined): ReadonlySet<Effect> {
  return may === undefined ? new Set([...HARMLESS, ...OVER_HTTP]) : effectsThatMay(may);
}

function isClass(word: string): word is EffectClass {
  return Object.hasOwn(CLASSES, word);
}
