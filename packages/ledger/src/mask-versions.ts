/**
 * The Masks and Detectors that were in force in a period, each version with its document and digest: spec/evidence.md, section 4,
 * `masking-rules.json`.
 *
 * Made of the leaves of changes, from the first leaf of the log on: a Mask that nobody has touched for a year is in
 * force too. Documents are put together from differences, and shown only where they give the digest that the leaf
 * has. Untrusted: bodies.
 */

import { toHex, utf8 } from './bytes.ts';
import { isObject, type Json, jcs } from './jcs.ts';
import type { Leaf } from './leaf.ts';
import { maskEntries } from './masking-rows.ts';
import { sha256 } from './sha256.ts';

type Values = Readonly<Record<string, Json>>;

/** Versions in one package; people write some dozens a year. */
const VERSIONS_MAX = 10_000;
/** Bytes of documents in one package, beyond which a version has its digest only. */
const DOCUMENT_BYTES_MAX = 16_777_216;
/** Masks that are named and whose changes are not in the log. */
const NAMED_ONLY_MAX = 1_000;
/** Deeper than any document; the schema needs four. */
const DEPTH_MAX = 16;
/** What was found of the roles of targets, in one package: another line for each change of it. */
const SERVER_ROLES_MAX = 1_000;
/** What a look at a role says, as the leaf has it. */
const SERVER_ROLE_FIELDS = [
  'database',
  'target_user',
  'target_version',
  'masks',
  'masked_columns',
  'masking_views',
  'digest',
  'problems',
];
const NAMES_IN_PATHS = /[^.]+/g;
const NAMED_FIELDS = ['masks', 'masked', 'masks_exempt', 'predicate_on_masked'];

/** Looks at one role that found the same, one after the other. */
interface ServerRole {
  readonly facts: Readonly<Record<string, Json>>;
  readonly first: Leaf;
  last: Leaf;
  looks: number;
}

interface Version {
  readonly facts: Readonly<Record<string, Json>>;
  /** As it would be; `undefined` where the differences do not give the digest. */
  readonly document: Json | undefined;
  readonly leaf: Leaf;
}

/** Of one kind of resource. */
class Versions {
  readonly current = new Map<string, Version>();
  readonly ended: Json[] = [];
}

/** The owner of what is in force; one for each pass over a log. */
export class MaskVersions {
  readonly #from: string;
  readonly #to: string;
  readonly #masks = new Versions();
  readonly #detectors = new Versions();
  /** `name version` of each version that any leaf made, */
  readonly #known = new Set<string>();
  /** and of those that statements name. */
  readonly #named = new Map<string, Json>();
  /** By target, in their order. */
  readonly #serverRoles: ServerRole[] = [];
  readonly #lastOfTarget = new Map<string, ServerRole>();
  #moreServerRoles = 0;
  #documentBytes = 0;
  #undisclosed = 0;
  #more = 0;

  constructor(period: { readonly from: string; readonly to: string }) {
    this.#from = period.from;
    this.#to = period.to;
  }

  /** The next change of a resource, of whatever kind. */
  change(leaf: Leaf, values: Values): void {
    const { resource_kind: kind, name } = values;
    if (kind !== undefined && kind !== 'Mask' && kind !== 'Detector') return;
    if (kind === undefined || typeof name !== 'string') {
      if (leaf.t < this.#to) this.#undisclosed += 1;
      return;
    }
    const of = kind === 'Mask' ? this.#masks : this.#detectors;
    const before = of.current.get(name);
    if (before !== undefined) this.#end(of, before, leaf);
    of.current.delete(name);
    if (leaf.type !== 'resource.apply') return;
    const subject = kind === 'Mask' ? 'mask' : 'detector';
    of.current.set(name, this.#versionOf({ [subject]: name }, leaf, values, before));
    if (kind === 'Mask') this.#known.add(jcs([name, values['version'] ?? 0]));
  }

  /** A leaf of the period that may name Masks. */
  statement(values: Values): void {
    for (const field of NAMED_FIELDS) {
      for (const { mask, version } of maskEntries(values, field)) {
        const key = jcs([mask, version ?? 0]);
        if (this.#named.size >= NAMED_ONLY_MAX || this.#named.has(key)) continue;
        this.#named.set(key, { mask, ...(version === undefined ? {} : { version }) });
      }
    }
  }

  /** A `mask.role` of the period. */
  serverRole(leaf: Leaf, values: Values): void {
    const facts: Record<string, Json> = { target: leaf.target ?? '', status: leaf.status ?? '' };
    for (const field of SERVER_ROLE_FIELDS) {
      const value = Object.hasOwn(values, field) ? values[field] : undefined;
      if (value !== undefined) facts[field] = value;
    }
    const key = jcs([leaf.target ?? '', values['database'] ?? '']);
    const before = this.#lastOfTarget.get(key);
    if (before !== undefined && jcs(before.facts) === jcs(facts)) {
      before.last = leaf;
      before.looks += 1;
      return;
    }
    if (this.#serverRoles.length >= SERVER_ROLES_MAX) {
      this.#moreServerRoles += 1;
      return;
    }
    const found = { facts, first: leaf, last: leaf, looks: 1 };
    this.#serverRoles.push(found);
    this.#lastOfTarget.set(key, found);
  }

  /** After the last leaf: the file. */
  format(): string {
    const all = this.#all(this.#masks);
    const detectors = this.#all(this.#detectors);
    const namedOnly = [...this.#named].filter(([key]) => !this.#known.has(key)).map(([, entry]) => entry);
    return jcs({
      from: this.#from,
      to: this.#to,
      masks: all.slice(0, VERSIONS_MAX),
      more: this.#more + Math.max(0, all.length - VERSIONS_MAX),
      // A log without Detectors has the file of versions that did not know them.
      ...(detectors.length === 0 ? {} : { detectors: detectors.slice(0, VERSIONS_MAX) }),
      named_only: namedOnly,
      // A log without the mode has the file of versions that did not know it.
      ...(this.#serverRoles.length === 0 ? {} : { server_roles: this.#serverRoles.map(serverRoleShown) }),
      ...(this.#moreServerRoles === 0 ? {} : { more_server_roles: this.#moreServerRoles }),
      undisclosed: this.#undisclosed,
    });
  }

  /** Those that ended within the period, and those that are in force at its end. */
  #all({ ended, current }: Versions): readonly Json[] {
    const open = [...current.values()]
      .filter(({ leaf }) => leaf.t < this.#to)
      .map((version) => this.#shown(version, {}));
    return [...ended, ...open];
  }

  #versionOf(
    named: Readonly<Record<string, Json>>,
    leaf: Leaf,
    values: Values,
    before: Version | undefined,
  ): Version {
    const facts: Record<string, Json> = { ...named };
    const shown = [
      ['version', 'version'],
      ['to_digest', 'digest'],
      ['from_digest', 'previous_digest'],
      ['changed_by', 'changed_by'],
      ['hold_ids', 'hold_ids'],
    ] as const;
    for (const [field, as] of shown) {
      const value = values[field];
      if (value !== undefined) facts[as] = value;
    }
    const start = values['from_digest'] === undefined ? {} : before?.document;
    const document = start === undefined ? undefined : patched(start, values['diff']);
    const isRight = document !== undefined && toHex(sha256(utf8(jcs(document)))) === values['to_digest'];
    return { facts, document: isRight ? document : undefined, leaf };
  }

  #end({ ended }: Versions, version: Version, leaf: Leaf): void {
    if (version.leaf.t >= this.#to || leaf.t <= this.#from) return;
    if (ended.length >= VERSIONS_MAX) {
      this.#more += 1;
      return;
    }
    const until = leaf.type === 'resource.delete' ? 'deleted' : 'changed';
    ended.push(this.#shown(version, { until, until_leaf: leaf.n, until_time: leaf.t }));
  }

  #shown({ facts, document, leaf }: Version, end: Readonly<Record<string, Json>>): Json {
    const bytes = document === undefined ? 0 : jcs(document).length;
    const fits = this.#documentBytes + bytes <= DOCUMENT_BYTES_MAX;
    if (fits) this.#documentBytes += bytes;
    return {
      ...facts,
      ...(document === undefined || !fits ? {} : { document }),
      from_leaf: leaf.n,
      from_time: leaf.t,
      ...end,
    };
  }
}

function serverRoleShown({ facts, first, last, looks }: ServerRole): Json {
  return { ...facts, looks, from_leaf: first.n, from_time: first.t, last_leaf: last.n, last_time: last.t };
}

/** A document after a change; undefined where the differences are not what spec/events.md says. */
function patched(document: Json, diff: Json | undefined): Json | undefined {
  if (!Array.isArray(diff)) return undefined;
  let result: Json | undefined = document;
  for (const entry of diff) {
    if (!isObject(entry) || result === undefined) return undefined;
    const { path, to } = entry;
    const names = typeof path === 'string' ? (path.match(NAMES_IN_PATHS) ?? []) : [];
    if (names.length === 0 || names.length > DEPTH_MAX) return undefined;
    result = placed(result, names, to) ?? {};
  }
  return result;
}

/** A value with another at a place; undefined where nothing is left of it. */
function placed(value: Json | undefined, names: readonly string[], to: Json | undefined): Json | undefined {
  const [name, ...rest] = names;
  if (name === undefined) return to;
  const members = new Map(isObject(value) ? Object.entries(value) : []);
  const inner = placed(members.get(name), rest, to);
  if (inner === undefined) members.delete(name);
  else members.set(name, inner);
  return members.size === 0 ? undefined : Object.fromEntries(members);
}
