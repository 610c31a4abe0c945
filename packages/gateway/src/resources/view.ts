/**
 * All resources at one moment, and what follows from them: who is in which group, who may use which
 * connection, and the digest of all that. Pure; a change makes a new view.
 */

import { createHash } from 'node:crypto';
import { type Json, jcs } from '@countersign/ledger/jcs';
import { LIMITS } from '../core/limits.ts';
import type { Principal } from '../core/principal.ts';
import { compileMask, type CompiledMask } from '../masking/plan/compile-mask.ts';
import { isOfProtocol, type Mask } from '../masking/plan/mask.ts';
import { Detectors, SessionMasks } from '../masking/plan/session-masks.ts';
import type { Allowance } from '../policy/decide.ts';
import { effectsThatMay, effectsThatMayOverHttp } from '../policy/effect-classes.ts';
import { isGuard } from '../policy/guard.ts';
import { type BreakGlassRule, compileRule, type CompiledRule, type Rule } from '../policy/rule.ts';
import {
  type Access,
  BUILT_IN_GROUPS,
  type Connection,
  type Group,
  type Person,
  type ResourceDocument,
  type ResourceKind,
  type ServiceAccount,
} from './documents.ts';
import { otherwiseOf } from './otherwise.ts';
import { canonical } from './parse.ts';

/** A resource with what the store knows of it. */
export interface StoredResource {
  readonly document: ResourceDocument;
  /** 1, 2, 3 …; never given twice, not even after the resource was deleted. */
  readonly version: number;
  /** SHA-256 of the canonical JSON, 64 hex digits. */
  readonly digest: string;
  readonly changedUs: number;
  readonly changedBy: string;
}

/** What lets a principal in. */
export interface Grant {
  readonly connection: Connection;
  /** Name of the Access resource. */
  readonly access: string;
}

/** The rules that reach a principal on a connection, and what the Access resources let through. */
export interface Ruling {
  readonly rules: readonly CompiledRule[];
  readonly allowance: Allowance;
  /** Rules by which they may open a hold in an emergency; they make nobody's statements be read. */
  readonly breakGlass: readonly BreakGlassRule[];
}

/** How a principal was let in. */
export interface AccessGrant {
  readonly connection: Connection;
  /** Name of the Access resource. */
  readonly access: string;
  readonly database: string;
  /** The digest of the whole bundle at that moment. */
  readonly policy: string;
}

export class ResourceView {
  readonly #byKey: ReadonlyMap<string, StoredResource>;
  readonly #groups: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #groupsOf: ReadonlyMap<string, readonly string[]>;
  readonly #access: readonly Access[];
  #rules: readonly { readonly rule: Rule; readonly compiled: CompiledRule | BreakGlassRule }[] | undefined;
  #masks: readonly { readonly mask: Mask; readonly compiled: CompiledMask }[] | undefined;
  #detectors: Detectors | undefined;
  #guards: readonly Rule[] | undefined;
  #bundle: string | undefined;
  readonly #deciding = new Map<string, string | undefined>();

  constructor(resources: Iterable<StoredResource>) {
    const sorted = [...resources].toSorted((a, b) => compare(keyOf(a.document), keyOf(b.document)));
    this.#byKey = new Map(sorted.map((resource) => [keyOf(resource.document), resource]));
    this.#groups = membersOf(sorted.map((resource) => resource.document));
    this.#groupsOf = invert(this.#groups);
    this.#access = this.documents('Access');
  }

  get all(): readonly StoredResource[] {
    return [...this.#byKey.values()];
  }

  find(kind: ResourceKind, name: string): StoredResource | undefined {
    return this.#byKey.get(`${kind}/${name}`);
  }

  documents<K extends ResourceKind>(kind: K): readonly Extract<ResourceDocument, { readonly kind: K }>[] {
    return this.all
      .map((resource) => resource.document)
      .filter(
        (document): document is Extract<ResourceDocument, { readonly kind: K }> => document.kind === kind,
      );
  }

  connection(name: string): Connection | undefined {
    const document = this.find('Connection', name)?.document;
    return document?.kind === 'Connection' ? document : undefined;
  }

  /** The person or service account of a name; the two never share one. */
  account(name: string): Person | ServiceAccount | undefined {
    const document = (this.find('Person', name) ?? this.find('ServiceAccount', name))?.document;
    return document?.kind === 'Person' || document?.kind === 'ServiceAccount' ? document : undefined;
  }

  isBuiltInGroup(name: string): boolean {
    return BUILT_IN_GROUPS.includes(name);
  }

  /** Every group that a person or service account is in, sorted. */
  groupsOf(name: string): readonly string[] {
    return this.#groupsOf.get(name) ?? [];
  }

  /** People who are administrators and not disabled. */
  administrators(): readonly string[] {
    const members = [...(this.#groups.get('administrators') ?? [])];
    return members.filter((name) => {
      const account = this.account(name);
      return account?.kind === 'Person' && !account.disabled;
    });
  }

  /** The first Access resource, by name, that lets a principal use a connection. */
  grant(principal: Pick<Principal, 'name'>, connectionName: string): Grant | undefined {
    const connection = this.connection(connectionName);
    const account = this.account(principal.name);
    if (connection === undefined || account === undefined || account.disabled) return undefined;
    const access = this.#access.find((candidate) => this.#grants(candidate, account, connection));
    return access === undefined ? undefined : { connection, access: access.name };
  }

  /**
   * What decides about statements; undefined where nothing does, so that none has to be read. Every request over
   * HTTP is decided about.
   */
  ruling(
    principal: Pick<Principal, 'name'>,
    connectionName: string,
    over: 'sql' | 'http' = 'sql',
  ): Ruling | undefined {
    const connection = this.connection(connectionName);
    const account = this.account(principal.name);
    if (connection === undefined || account === undefined) return undefined;
    const granting = this.#access.filter((access) => this.#grants(access, account, connection));
    const [first] = granting;
    if (first === undefined) return undefined;
    const reaching = this.#reaching(account, connection);
    const rules = reaching.filter((rule) => 'verdict' in rule);
    const isHidden = !this.masks(principal, connectionName).isEmpty;
    // Of HTTP every request is decided on: what nobody knows is not let through by saying nothing.
    const isUnruled = rules.length === 0 && !isHidden && granting.some(({ may }) => may === undefined);
    if (isUnruled && over === 'sql') return undefined;
    const effects = new Set(granting.flatMap(({ may }) => [...effectsThatMay(may)]));
    const overHttp = new Set(granting.flatMap(({ may }) => [...effectsThatMayOverHttp(may)]));
    const version = this.find('Access', first.name)?.version ?? 0;
    const breakGlass = reaching.filter((rule) => 'terms' in rule);
    const asked = otherwiseOf(this, connection, account);
    const otherwise = asked === undefined ? {} : { otherwise: asked };
    return { rules, allowance: { access: first.name, version, effects, overHttp, ...otherwise }, breakGlass };
  }

  /** What hides values from a principal on a connection: from one that is not known, everything that hides there. */
  masks({ name }: Pick<Principal, 'name'>, connectionName: string): SessionMasks {
    this.#masks ??= this.documents('Mask').map((mask) => ({
      mask,
      compiled: compileMask(mask, this.find('Mask', mask.name)?.version ?? 0),
    }));
    const connection = this.connection(connectionName);
    const reaching = this.#masks.filter(({ mask }) => this.#hidesFrom(mask, name, connection));
    this.#detectors ??= new Detectors(this.documents('Detector'));
    return new SessionMasks(
      reaching.map(({ compiled }) => compiled),
      ['gateway'],
      this.#detectors,
      this.#masks
        .filter(({ mask }) => this.#isExempt(mask, name, connection))
        .map(({ compiled: { mask, version } }) => ({ mask, version })),
    );
  }

  /** Those of {@link breakGlass} of which somebody else may say afterwards whether it was justified. */
  reviewableBreakGlass(person: Pick<Principal, 'name'>, connectionName: string): readonly BreakGlassRule[] {
    return this.breakGlass(person, connectionName).filter(({ terms }) =>
      this.people(terms.reviewers).some((reviewer) => reviewer !== person.name),
    );
  }

  /** The rules by which a person who is not disabled may open their own holds on a connection now. */
  breakGlass({ name }: Pick<Principal, 'name'>, connectionName: string): readonly BreakGlassRule[] {
    const connection = this.connection(connectionName);
    const account = this.account(name);
    if (connection === undefined || account?.kind !== 'Person' || account.disabled) return [];
    return this.#reaching(account, connection).filter((rule) => 'terms' in rule);
  }

  /** People who are not disabled and are one of these, by `NAME` or `group:NAME`. */
  people(names: readonly string[]): readonly string[] {
    return this.documents('Person')
      .filter((person) => !person.disabled && names.some((name) => this.#isWho(name, person)))
      .map((person) => person.name);
  }

  /**
   * Everything that decides about what a principal does on a connection, as canonical JSON: who they are, what
   * lets them in, and the rules and Masks that reach them. Undefined where nothing lets them in.
   */
  deciding({ name }: Pick<Principal, 'name'>, connectionName: string): string | undefined {
    const key = `${name} ${connectionName}`;
    if (this.#deciding.has(key)) return this.#deciding.get(key);
    if (this.#deciding.size >= LIMITS.resources.decidingKeptMax) this.#deciding.clear();
    const text = this.#decidingText(name, connectionName);
    this.#deciding.set(key, text);
    return text;
  }

  #decidingText(name: string, connectionName: string): string | undefined {
    const connection = this.connection(connectionName);
    const account = this.account(name);
    if (connection === undefined || account === undefined || account.disabled) return undefined;
    const access = this.#access.filter((candidate) => this.#grants(candidate, account, connection));
    if (access.length === 0) return undefined;
    const rules = this.documents('Rule').filter(
      (rule) => !isGuard(rule) && this.#reaches(rule, account, connection),
    );
    const masks = this.documents('Mask').filter((mask) => this.#hidesFrom(mask, name, connection));
    return jcs({
      access: access.map((document) => this.#versionOf(document)),
      connection: this.#versionOf(connection),
      groups: [...this.groupsOf(name)],
      // Where nothing is hidden the text is the one of versions that had no Masks.
      ...(masks.length === 0 ? {} : { masks: masks.map((mask) => this.#versionOf(mask)) }),
      ...this.#decidingDetectors(masks),
      rules: rules.map((rule) => this.#versionOf(rule)),
    });
  }

  /** Where no Mask looks for any, the text is the one of versions that had no Detectors. */
  #decidingDetectors(masks: readonly Mask[]): { readonly detectors?: Json } {
    const looked = masks.flatMap(({ detect = [] }) => detect.map((word) => word.toLowerCase()));
    const isLooked = looked.some((word) => word === 'all' || word.startsWith('custom'));
    const detectors = this.documents('Detector');
    if (!isLooked || detectors.length === 0) return {};
    return { detectors: detectors.map((detector) => this.#versionOf(detector)) };
  }

  /** Which version of a resource this is, and what stands in it. */
  #versionOf(document: ResourceDocument): Json {
    const stored = this.#byKey.get(keyOf(document));
    return [document.name, stored?.version ?? 0, stored?.digest ?? ''];
  }

  #reaching(
    account: Person | ServiceAccount,
    connection: Connection,
  ): readonly (CompiledRule | BreakGlassRule)[] {
    return this.#compiled()
      .filter(({ rule }) => this.#reaches(rule, account, connection))
      .map(({ compiled }) => compiled);
  }

  #compiled(): readonly { readonly rule: Rule; readonly compiled: CompiledRule | BreakGlassRule }[] {
    this.#rules ??= this.documents('Rule')
      .filter((rule) => !isGuard(rule))
      .map((rule) => ({
        rule,
        compiled: compileRule(rule, this.find('Rule', rule.name)?.version ?? 0),
      }));
    return this.#rules;
  }

  /** Rules on changes of resources, by name; none of them is about a statement. */
  guards(): readonly Rule[] {
    this.#guards ??= this.documents('Rule').filter(isGuard);
    return this.#guards;
  }

  /** Whether a rule is about what somebody does; somebody who is not there is nobody's exception. */
  concerns({ who, unless }: Pick<Rule, 'who' | 'unless'>, name: string): boolean {
    const account = this.account(name);
    if (account === undefined) return true;
    return (
      (who.length === 0 || who.some((one) => this.#isWho(one, account))) &&
      !unless.some((one) => this.#isWho(one, account))
    );
  }

  /** Accounts that names and groups stand for, as `Kind/name`, sorted. */
  accountsOf(who: readonly string[], alsoDisabled: 'enabled' | 'all' = 'enabled'): readonly string[] {
    return [...this.documents('Person'), ...this.documents('ServiceAccount')]
      .filter((account) => alsoDisabled === 'all' || !account.disabled)
      .filter((account) => who.some((one) => this.#isWho(one, account)))
      .map(keyOf);
  }

  /** Whether a name or label of `on` is a connection that is there. */
  isOn(on: readonly string[], connectionName: string): boolean {
    const connection = this.connection(connectionName);
    return connection !== undefined && on.some((to) => isTarget(to, connection));
  }

  #grants({ who, to }: Access, account: Person | ServiceAccount, connection: Connection): boolean {
    return who.some((name) => this.#isWho(name, account)) && to.some((name) => isTarget(name, connection));
  }

  #reaches(rule: Rule, account: Person | ServiceAccount, connection: Connection): boolean {
    return isAbout(rule, connection) && this.concerns(rule, account.name);
  }

  /** As {@link #reaches}; a connection that is gone is one of which everything hides. */
  #hidesFrom(mask: Mask, name: string, connection: Connection | undefined): boolean {
    return isThere(mask, connection) && this.concerns(mask, name);
  }

  /** Whether it hides nothing because of its `unless` alone. */
  #isExempt(mask: Mask, name: string, connection: Connection | undefined): boolean {
    if (!isThere(mask, connection) || this.concerns(mask, name)) return false;
    return this.concerns({ who: mask.who, unless: [] }, name);
  }

  /**
   * Everything that decides about access, as canonical JSON: connections, Access resources, rules, Masks, and the
   * members of each group however they came into it, and who is disabled.
   */
  bundle(): string {
    this.#bundle ??= `[${[
      ...this.documents('Access').map(canonical),
      ...this.documents('Connection').map(canonical),
      ...this.documents('Detector').map(canonical),
      jcs({ kind: 'Disabled', names: this.#disabled() }),
      ...[...this.#groups].map(([name, members]) => jcs({ kind: 'Group', name, members: [...members] })),
      ...this.documents('Mask').map(canonical),
      ...this.documents('Rule').map(canonical),
    ].join(',')}]`;
    return this.#bundle;
  }

  #disabled(): readonly string[] {
    return [...this.documents('Person'), ...this.documents('ServiceAccount')]
      .filter((account) => account.disabled)
      .map((account) => account.name)
      .toSorted(compare);
  }

  #isWho(who: string, account: Person | ServiceAccount): boolean {
    if (who.startsWith('group:'))
      return this.#groups.get(who.slice('group:'.length))?.has(account.name) === true;
    if (who.startsWith('service:')) {
      return account.kind === 'ServiceAccount' && who === `service:${account.name}`;
    }
    return account.kind === 'Person' && who === account.name;
  }
}

/** `Kind/name`. */
export function keyOf(document: { readonly kind: string; readonly name: string }): string {
  return `${document.kind}/${document.name}`;
}

/** SHA-256 of a text, 64 hex digits. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

function isAbout({ on }: Pick<Rule, 'on'>, connection: Connection): boolean {
  return on.length === 0 || on.some((to) => isTarget(to, connection));
}

function isTarget(to: string, connection: Connection): boolean {
  if (!to.startsWith('label:')) return to === connection.name;
  const label = to.slice('label:'.length);
  const at = label.indexOf('=');
  const key = label.slice(0, at);
  return Object.hasOwn(connection.labels, key) && connection.labels[key] === label.slice(at + 1);
}

/** Members of each group by name, both sorted: from the group, and from the account. */
function membersOf(documents: readonly ResourceDocument[]): ReadonlyMap<string, ReadonlySet<string>> {
  const members = new Map<string, Set<string>>(BUILT_IN_GROUPS.map((name) => [name, new Set()]));
  for (const document of documents) {
    if (document.kind === 'Group') addAll(members, document);
    else if (document.kind === 'Person' || document.kind === 'ServiceAccount') {
      for (const group of document.groups) setOf(members, group).add(document.name);
    }
  }
  return new Map(
    [...members]
      .toSorted(([a], [b]) => compare(a, b))
      .map(([name, names]) => [name, new Set([...names].toSorted(compare))]),
  );
}

function addAll(members: Map<string, Set<string>>, group: Group): void {
  const names = setOf(members, group.name);
  for (const member of group.members) names.add(member.replace(/^service:/, ''));
}

function setOf(sets: Map<string, Set<string>>, key: string): Set<string> {
  const known = sets.get(key);
  if (known !== undefined) return known;
  const made = new Set<string>();
  sets.set(key, made);
  return made;
}

function invert(groups: ReadonlyMap<string, ReadonlySet<string>>): ReadonlyMap<string, readonly string[]> {
  const inverted = new Map<string, string[]>();
  for (const [group, names] of groups) {
    for (const name of names) inverted.set(name, [...(inverted.get(name) ?? []), group]);
  }
  return inverted;
}

/** By code units: the same order on every machine. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function isThere(mask: Mask, connection: Connection | undefined): boolean {
  return connection === undefined || (isAbout(mask, connection) && isOfProtocol(mask, connection));
}
