/** Whether all resources together make sense: nothing names what is not there. Pure. */

import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { Secret } from '../core/secret.ts';
import { detectorsNamed, detectorsProblem } from '../masking/plan/detector.ts';
import { isOfProtocol, type Mask } from '../masking/plan/mask.ts';
import type { Rule } from '../policy/rule.ts';
import type { Access, Connection, Group, ResourceDocument, ResourceKind } from './documents.ts';
import type { PlannedChange } from './plan.ts';
import type { ResourceView } from './view.ts';

/** A resource that names what is not there. */
interface ReferenceProblem {
  readonly kind: ResourceKind;
  readonly name: string;
  readonly reason: string;
}

/** Every resource that names what is not there, with the first such name. */
export function referenceProblems(next: ResourceView): readonly ReferenceProblem[] {
  const problems = next.all.flatMap(({ document }): readonly ReferenceProblem[] => {
    const reason = problemWith(document, next);
    return reason === undefined ? [] : [{ kind: document.kind, name: document.name, reason }];
  });
  const detectors = next.documents('Detector');
  const [detector] = detectors;
  const together = detectorsProblem(detectors);
  if (detector === undefined || together === undefined) return problems;
  return [...problems, { kind: 'Detector', name: detector.name, reason: together }];
}

/** Throws RESOURCE_INVALID for the first of them. */
export function checkReferences(next: ResourceView): void {
  const [first] = referenceProblems(next);
  if (first !== undefined) throw new CountersignError('RESOURCE_INVALID', { ...first });
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

function problemWith(document: ResourceDocument, view: ResourceView): string | undefined {
  switch (document.kind) {
    case 'Person':
    case 'ServiceAccount':
      return problemWithAccount(document, view);
    case 'Group':
      return problemWithMembers(document, view);
    case 'Access':
      return problemWithAccess(document, view);
    case 'Rule':
      return problemWithRule(document, view);
    case 'Mask':
      return problemWithMask(document, view);
    case 'Detector':
      return undefined;
    case 'Connection':
      return problemWithHosts(document, view);
    default:
      return document satisfies never;
  }
}

/** A host name leads to one connection. */
function problemWithHosts(document: Connection, view: ResourceView): string | undefined {
  if (document.protocol !== 'http') return undefined;
  for (const other of view.documents('Connection')) {
    if (other.protocol !== 'http' || other.name === document.name) continue;
    const shared = document.hosts?.find((host) => other.hosts?.includes(host) === true);
    if (shared !== undefined) return `the host ${shared} leads to the Connection "${other.name}" already`;
  }
  return undefined;
}

function problemWithAccount(
  document: Extract<ResourceDocument, { readonly kind: 'Person' | 'ServiceAccount' }>,
  view: ResourceView,
): string | undefined {
  const other = document.kind === 'Person' ? 'ServiceAccount' : 'Person';
  if (view.find(other, document.name) !== undefined) return `a ${other} has that name already`;
  const missing = document.groups.find((group) => !isGroup(group, view));
  return missing === undefined ? undefined : `there is no group "${missing}"`;
}

function problemWithMembers(group: Group, view: ResourceView): string | undefined {
  for (const member of group.members) {
    const problem = problemWithName(member, view);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function problemWithAccess(access: Access, view: ResourceView): string | undefined {
  return problemWithWho(access.who, view) ?? problemWithTargets(access.to, view);
}

function problemWithRule(rule: Rule, view: ResourceView): string | undefined {
  const { on, who, unless, then: consequence } = rule;
  return (
    problemWithWho([...who, ...unless, ...decidersOf(consequence)], view) ?? problemWithTargets(on, view)
  );
}

function problemWithMask(mask: Mask, view: ResourceView): string | undefined {
  const { on, who, unless, reveal } = mask;
  const approvers = reveal?.approvers ?? [];
  return (
    problemWithWho([...who, ...unless, ...approvers], view) ??
    problemWithTargets(on, view) ??
    problemWithProtocol(mask, view) ??
    problemWithDetectors(mask, view)
  );
}

/** A Mask that looks for what nobody has said would promise something and find nothing. */
function problemWithDetectors({ detect = [] }: Mask, view: ResourceView): string | undefined {
  const { isAll, names } = detectorsNamed(detect);
  const missing = names.find((name) => view.find('Detector', name) === undefined);
  if (missing !== undefined) return `there is no Detector "${missing}"`;
  return isAll && view.documents('Detector').length === 0
    ? 'there is no Detector, and detect: [custom] would find nothing'
    : undefined;
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

function decidersOf(consequence: Rule['then']): readonly string[] {
  if (typeof consequence !== 'object') return [];
  return 'hold' in consequence ? consequence.hold.approvers : consequence.breakGlass.reviewers;
}

function problemWithWho(names: readonly string[], view: ResourceView): string | undefined {
  for (const who of names) {
    const problem = who.startsWith('group:')
      ? problemWithGroup(who.slice('group:'.length), view)
      : problemWithName(who, view);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function problemWithTargets(targets: readonly string[], view: ResourceView): string | undefined {
  const missing = targets.find((to) => !to.startsWith('label:') && view.connection(to) === undefined);
  return missing === undefined ? undefined : `there is no connection "${missing}"`;
}

function problemWithGroup(name: string, view: ResourceView): string | undefined {
  return isGroup(name, view) ? undefined : `there is no group "${name}"`;
}

function problemWithName(who: string, view: ResourceView): string | undefined {
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
