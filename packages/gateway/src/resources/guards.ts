/**
 * Which rules hold a change of resources, and whether anybody could ever agree to one. Pure.
 *
 * Spec: spec/policy.md, "Rules on resources". Judged is what the resources are before the change against
 * what they would be. A guard guards what it stands on too: its own text, who approves for it, whom it
 * concerns, and who is an administrator, because a second account is a second person to it.
 */

import { isDeepStrictEqual } from 'node:util';
import { CountersignError } from '../core/errors.ts';
import { termsOf } from '../policy/guard.ts';
import type { HoldTerms, Rule } from '../policy/rule.ts';
import type { ResourceKind } from './documents.ts';
import type { ResourceView } from './view.ts';

/** Something that somebody is about to do to a resource, or to what lets somebody in as one. */
export interface Act {
  readonly kind: ResourceKind;
  readonly name: string;
  readonly action: 'created' | 'updated' | 'deleted' | 'password' | 'token' | 'invitation' | 'second-factor';
}

export interface JudgedChange {
  readonly before: ResourceView;
  /** As they would be; the same where only a credential changes. */
  readonly after: ResourceView;
  readonly acts: readonly Act[];
  /** Name of who changes it; undefined for the gateway itself, whom every guard concerns. */
  readonly by: string | undefined;
}

/** A guard that holds a change, and why. */
export interface Holding {
  readonly rule: Rule;
  readonly version: number;
  /** Whom it asks. */
  readonly terms: HoldTerms;
  readonly what: string;
}

const ADMINISTRATORS: readonly string[] = ['group:administrators'];
const BOTH = ['enabled', 'all'] as const;
/** What makes it easier to be somebody else. */
const WAYS_IN: ReadonlySet<Act['action']> = new Set(['token', 'invitation', 'second-factor']);

/** Every guard that holds the change, by name; each has to be satisfied. */
export function guardsHolding(change: JudgedChange): readonly Holding[] {
  const { before, by } = change;
  return before
    .guards()
    .filter((rule) => by === undefined || before.concerns(rule, by))
    .flatMap((rule) => {
      const what = whyHeld(rule, change);
      const version = before.find('Rule', rule.name)?.version ?? 0;
      return what === undefined ? [] : [{ rule, version, terms: termsOf(rule), what }];
    });
}

/** Throws RESOURCE_INVALID for a guard that nobody could ever satisfy, so that nothing locks itself in. */
export function checkGuards(next: ResourceView): void {
  for (const rule of next.guards()) {
    const reason = lockOut(rule, next);
    if (reason !== undefined)
      throw new CountersignError('RESOURCE_INVALID', { kind: 'Rule', name: rule.name, reason });
  }
}

function whyHeld(rule: Rule, change: JudgedChange): string | undefined {
  const named = change.acts.find((act) => isAbout(rule, act, change));
  if (named !== undefined) return describe(named);
  return changedGround(rule, change) ?? newWayIn(rule, change) ?? newSource(change);
}

function isAbout({ when, on }: Rule, { kind, name }: Act, { before, after }: JudgedChange): boolean {
  if (when.changes?.includes(kind) !== true) return false;
  return on.length === 0 || before.isOn(on, name) || after.isOn(on, name);
}

function describe({ kind, name, action }: Act): string {
  switch (action) {
    case 'created':
    case 'updated':
    case 'deleted':
      return `${kind} "${name}" is ${action}`;
    case 'password':
      return `the password of ${kind} "${name}" is set`;
    case 'token':
      return `a token of ${kind} "${name}" is made by somebody else`;
    case 'invitation':
      return `${kind} "${name}" is invited to set another password`;
    case 'second-factor':
      return `the second factor of ${kind} "${name}" is removed by somebody else`;
    default:
      return action satisfies never;
  }
}

/** The rule itself, or who it stands on, is another after the change. */
function changedGround(rule: Rule, { before, after }: JudgedChange): string | undefined {
  const own = before.find('Rule', rule.name)?.digest;
  if (after.find('Rule', rule.name)?.digest !== own) return 'the rule itself is changed';
  const { approvers } = termsOf(rule);
  if (!isSame(before, after, approvers)) return 'who approves for it is changed';
  if (!isSame(before, after, rule.who) || !isSame(before, after, rule.unless))
    return 'whom it concerns is changed';
  const added = BOTH.map((which) => {
    const known = new Set(before.accountsOf(ADMINISTRATORS, which));
    return after.accountsOf(ADMINISTRATORS, which).find((account) => !known.has(account));
  }).find((account) => account !== undefined);
  return added === undefined ? undefined : `${spoken(added)} becomes an administrator`;
}

/** Who is disabled today is one of them tomorrow. */
function isSame(before: ResourceView, after: ResourceView, who: readonly string[]): boolean {
  return BOTH.every(
    (which) => before.accountsOf(who, which).join(' ') === after.accountsOf(who, which).join(' '),
  );
}

/** Somebody else's way in as one who approves, asks, or is an exception. */
function newWayIn(rule: Rule, { before, acts }: JudgedChange): string | undefined {
  const entries = acts.filter(({ action }) => WAYS_IN.has(action));
  if (entries.length === 0) return undefined;
  const who = [...termsOf(rule).approvers, ...rule.who, ...rule.unless, ...ADMINISTRATORS];
  // Disabled ones too: who is enabled later has what was made for them before.
  const accounts = new Set(before.accountsOf(who, 'all'));
  const found = entries.find(({ kind, name }) => accounts.has(`${kind}/${name}`));
  return found === undefined ? undefined : describe(found);
}

/** What the gateway's machine would run, or send out, as a password: that reaches the store and the keys. */
function newSource({ before, after, acts }: JudgedChange): string | undefined {
  const found = acts.find(({ kind, name }) => {
    const source = kind === 'Connection' ? after.connection(name)?.credential.password : undefined;
    if (source === undefined || 'sealed' in source) return false;
    return !isDeepStrictEqual(before.connection(name)?.credential.password, source);
  });
  return found === undefined
    ? undefined
    : `Connection "${found.name}" takes a password from the gateway's machine`;
}

/** Why nobody could ever agree to a change of the rule; undefined where somebody could. */
function lockOut(rule: Rule, view: ResourceView): string | undefined {
  const { count } = termsOf(rule);
  const people = approversOf(rule, view);
  if (people.length < count) {
    return `${count} have to approve, and its approvers are ${people.length} people who are not disabled`;
  }
  const agreeing = view.guards().filter((other) => other === rule || other.when.changes?.includes('Rule'));
  const somebody = view.accountsOf(ADMINISTRATORS).some((account) => {
    const name = nameOf(account);
    return agreeing.every(
      (other) =>
        !view.concerns(other, name) ||
        approversOf(other, view).filter((person) => person !== account).length >= termsOf(other).count,
    );
  });
  return somebody
    ? undefined
    : 'nobody could ever change it again: whichever administrator asks, too few others may approve';
}

/** People only: no service account approves. */
function approversOf(rule: Rule, view: ResourceView): readonly string[] {
  return view.accountsOf(termsOf(rule).approvers).filter((account) => account.startsWith('Person/'));
}

function nameOf(account: string): string {
  return account.slice(account.indexOf('/') + 1);
}

function spoken(account: string): string {
  return `${account.slice(0, account.indexOf('/'))} "${nameOf(account)}"`;
}
