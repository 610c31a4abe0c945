/** Whether all resources together make sense: nothing names what is not there. Pure. */

import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { POLICY_LIMITS } from '../core/policy-limits.ts';
import type { Secret } from '../core/secret.ts';
import { detectorsNamed, detectorsProblem } from '../masking/plan/detector.ts';
import { isOfProtocol, type Mask } from '../masking/plan/mask.ts';
import type { Rule } from '../policy/rule.ts';
import type { Connection, Group, ResourceDocument, ResourceKind } from './documents.ts';
import type { PlannedChange } from './plan.ts';
import type { ResourceView } from './view.ts';

/** What is wrong within one resource, and the keys that lead to it. */
interface Missing {
  readonly path: readonly string[];
  readonly reason: string;
}

/** A resource that names what is not there. */
interface ReferenceProblem extends Missing {
  readonly kind: ResourceKind;
  readonly name: string;
}

/** Every name of what is not there, in every resource. */
export function referenceProblems(next: ResourceView): readonly ReferenceProblem[] {
  const problems = next.all.flatMap(({ document }): readonly ReferenceProblem[] => {
    const { kind, name } = document;
    return problemsWith(document, next).map((missing) => ({ kind, name, ...missing }));
  });
  const detectors = next.documents('Detector');
  const [detector] = detectors;
  const together = detectorsProblem(detectors);
  if (detector === undefined || together === undefined) return problems;
  return [...problems, { kind: 'Detector', name: detector.name, path: [], reason: together }];
}

/** Throws RESOURCE_INVALID for the first of them, which has all. */
export function checkReferences(next: ResourceView): void {
  const found = referenceProblems(next).slice(0, POLICY_LIMITS.problemsMax);
  const [first] = found;
  if (first === undefined) return;
  const { kind, name, reason } = first;
  const problems = found.map(({ reason: says, ...rest }) => ({ ...rest, says }));
  throw new CountersignError('RESOURCE_INVALID', { kind, name, reason }, { problems });
}

/** Nobody could undo a change that leaves no administrator. */
export function checkAdministrators(before: ResourceView, next: ResourceView): void {
  if (before.administrators().length === 0 || next.administrators().length > 0) return;
  throw new CountersignError('REQUEST_INVALID', {
    reason: 'it would leave no person in the group administrators who is not disabled',
  });
}

/**
 * A rule by which glass is broken needs somebody who looks at it afterwards and cannot break it by the same
 * rule. Later changes of people and groups are not held up by it; then nobody can break it.
 */
export function checkReviewers(
  changes: readonly Pick<PlannedChange, 'action' | 'document'>[],
  next: ResourceView,
): void {
  for (const { action, document } of changes) {
    if (document?.kind !== 'Rule' || action === 'unchanged') continue;
    const { name, who, unless, then: consequence } = document;
    if (typeof consequence !== 'object' || !('breakGlass' in consequence)) continue;
    const exempt = new Set(next.people(unless));
    const using = new Set(next.people(who).filter((person) => !exempt.has(person)));
    if (next.people(consequence.breakGlass.reviewers).some((person) => !using.has(person))) continue;
    const reason = 'nobody among its reviewers is a person who cannot break the glass by it';
    throw new CountersignError('RESOURCE_INVALID', { kind: 'Rule', name, reason });
  }
}

/**
 * A name that was a person's never becomes a service account's, nor the other way round: the
 * pseudonym in the log would be one for both.
 */
export function checkNames(
  changes: readonly { readonly kind: string; readonly name: string }[],
  versions: ReadonlyMap<string, number>,
): void {
  for (const { kind, name } of changes) {
    const other = kind === 'Person' ? 'ServiceAccount' : kind === 'ServiceAccount' ? 'Person' : undefined;
    if (other === undefined || !versions.has(`${other}/${name}`)) continue;
    const reason = `a ${other} has or had that name`;
    throw new CountersignError('RESOURCE_INVALID', { kind, name, reason });
  }
}

/** A password that is kept goes to a connection that says so. */
export function checkPassword(view: ResourceView, name: string, password: Secret<string>): void {
  const connection = view.connection(name);
  if (connection === undefined) throw new CountersignError('NOT_FOUND', { what: `Connection "${name}"` });
  const source = connection.credential.password;
  if (source === undefined || !('sealed' in source)) {
    const reason = 'its password is not { sealed: true }';
    throw new CountersignError('RESOURCE_INVALID', { kind: 'Connection', name, reason });
  }
  const bytes = Buffer.byteLength(password.reveal());
  if (bytes === 0 || bytes > LIMITS.resources.passwordBytesMax) {
    const reason = `a password has 1 to ${LIMITS.resources.passwordBytesMax} bytes`;
    throw new CountersignError('REQUEST_INVALID', { reason });
  }
}

function problemsWith(document: ResourceDocument, view: ResourceView): readonly Missing[] {
  switch (document.kind) {
    case 'Person':
    case 'ServiceAccount':
      return problemsWithAccount(document, view);
    case 'Group':
      return problemsWithMembers(document, view);
    case 'Access':
      return [
        ...problemsWithWho(document.who, ['who'], view),
        ...problemsWithTargets(document.to, ['to'], view),
      ];
    case 'Rule':
      return problemsWithRule(document, view);
    case 'Mask':
      return problemsWithMask(document, view);
    case 'Detector':
      return [];
    case 'Connection':
      return [
        ...problemsWithHosts(document, view),
        ...problemsWithOtherwise(document, view),
        ...problemsWithWho(document.probes?.reviewers ?? [], ['probes', 'reviewers'], view),
      ];
    default:
      return document satisfies never;
  }
}

/** A host name leads to one connection. */
function problemsWithHosts(document: Connection, view: ResourceView): readonly Missing[] {
  if (document.protocol !== 'http') return [];
  const { hosts = [] } = document;
  return view.documents('Connection').flatMap((other): readonly Missing[] => {
    if (other.protocol !== 'http' || other.name === document.name) return [];
    const shared = hosts.findIndex((host) => other.hosts?.includes(host) === true);
    const reason = `the host ${hosts[shared] ?? ''} leads to the Connection "${other.name}" already`;
    return shared === -1 ? [] : [{ path: ['hosts', String(shared)], reason }];
  });
}

function problemsWithOtherwise({ otherwise }: Connection, view: ResourceView): readonly Missing[] {
  return problemsWithWho(otherwise?.hold.approvers ?? [], ['otherwise', 'hold', 'approvers'], view);
}

function problemsWithAccount(
  document: Extract<ResourceDocument, { readonly kind: 'Person' | 'ServiceAccount' }>,
  view: ResourceView,
): readonly Missing[] {
  const other = document.kind === 'Person' ? 'ServiceAccount' : 'Person';
  const twice = view.find(other, document.name) !== undefined;
  return [
    ...(twice ? [{ path: ['name'], reason: `a ${other} has that name already` }] : []),
    ...eachAt(document.groups, ['groups'], (group) => groupProblem(group, view)),
  ];
}

function problemsWithMembers({ members }: Group, view: ResourceView): readonly Missing[] {
  return eachAt(members, ['members'], (member) => nameProblem(member, view));
}

function problemsWithRule(rule: Rule, view: ResourceView): readonly Missing[] {
  const { on, who, unless, then: consequence } = rule;
  return [
    ...problemsWithWho(who, ['who'], view),
    ...problemsWithWho(unless, ['unless'], view),
    ...problemsWithDeciders(consequence, view),
    ...problemsWithTargets(on, ['on'], view),
  ];
}

function problemsWithDeciders(consequence: Rule['then'], view: ResourceView): readonly Missing[] {
  if (typeof consequence !== 'object') return [];
  return 'hold' in consequence
    ? problemsWithWho(consequence.hold.approvers, ['then', 'hold', 'approvers'], view)
    : problemsWithWho(consequence.breakGlass.reviewers, ['then', 'breakGlass', 'reviewers'], view);
}

function problemsWithMask(mask: Mask, view: ResourceView): readonly Missing[] {
  const { on, who, unless, reveal } = mask;
  const protocol = problemWithProtocol(mask, view);
  return [
    ...problemsWithWho(who, ['who'], view),
    ...problemsWithWho(unless, ['unless'], view),
    ...problemsWithWho(reveal?.approvers ?? [], ['reveal', 'approvers'], view),
    ...problemsWithTargets(on, ['on'], view),
    ...(protocol === undefined ? [] : [{ path: ['on'], reason: protocol }]),
    ...problemsWithDetectors(mask, view).map((reason) => ({ path: ['detect'], reason })),
  ];
}

/** A Mask that looks for what nobody has said would promise something and find nothing. */
function problemsWithDetectors({ detect = [] }: Mask, view: ResourceView): readonly string[] {
  const { isAll, names } = detectorsNamed(detect);
  const missing = names
    .filter((name) => view.find('Detector', name) === undefined)
    .map((name) => `there is no Detector "${name}"`);
  return isAll && view.documents('Detector').length === 0
    ? [...missing, 'there is no Detector, and detect: [custom] would find nothing']
    : missing;
}

/** A connection that is named, and has nothing that the Mask is about. */
function problemWithProtocol(mask: Mask, view: ResourceView): string | undefined {
  const [other] = mask.on.flatMap((name) => {
    const connection = view.connection(name);
    return connection === undefined || isOfProtocol(mask, connection) ? [] : [connection];
  });
  if (other === undefined) return undefined;
  const { name, protocol } = other;
  if (mask.detect !== undefined) {
    return `requests are of HTTP, and the connection "${name}" is ${protocol}: leave direction out, or add response`;
  }
  return mask.columns === undefined
    ? `fields are of HTTP, and the connection "${name}" is ${protocol}: name columns, or what to detect`
    : `columns are of databases, and the connection "${name}" is ${protocol}: name fields, or what to detect`;
}

function problemsWithWho(
  names: readonly string[],
  path: readonly string[],
  view: ResourceView,
): readonly Missing[] {
  return eachAt(names, path, (who) =>
    who.startsWith('group:') ? groupProblem(who.slice('group:'.length), view) : nameProblem(who, view),
  );
}

function problemsWithTargets(
  targets: readonly string[],
  path: readonly string[],
  view: ResourceView,
): readonly Missing[] {
  return eachAt(targets, path, (to) =>
    to.startsWith('label:') || view.connection(to) !== undefined
      ? undefined
      : `there is no connection "${to}"`,
  );
}

/** What is wrong with each item of a list, at its place. */
function eachAt(
  items: readonly string[],
  path: readonly string[],
  problemWith: (item: string) => string | undefined,
): readonly Missing[] {
  return items.flatMap((item, index) => {
    const reason = problemWith(item);
    return reason === undefined ? [] : [{ path: [...path, String(index)], reason }];
  });
}

function groupProblem(name: string, view: ResourceView): string | undefined {
  return isGroup(name, view) ? undefined : `there is no group "${name}"`;
}

function nameProblem(who: string, view: ResourceView): string | undefined {
  if (!who.startsWith('service:')) {
    return view.find('Person', who) === undefined ? `there is no person "${who}"` : undefined;
  }
  const name = who.slice('service:'.length);
  return view.find('ServiceAccount', name) === undefined
    ? `there is no service account "${name}"`
    : undefined;
}

/** A group that an account merely says it is in does not exist by that. */
function isGroup(name: string, view: ResourceView): boolean {
  return view.find('Group', name) !== undefined || view.isBuiltInGroup(name);
}
