/** What an apply or a delete would change: documents × view → changes with their diffs. Pure. */

import type { Json } from '@countersign/ledger/jcs';
import { isObject, jcs, parseJson } from '@countersign/ledger/jcs';
import type { BodyValue } from '../core/ledger-port.ts';
import type { Detector } from '../masking/plan/detector.ts';
import type { ResourceDocument, ResourceKind } from './documents.ts';
import { canonical } from './parse.ts';
import { digestOf, keyOf, ResourceView, type StoredResource } from './view.ts';

/** One place where two versions differ; absent is what was or is not there. */
export interface DiffEntry {
  /** `target.port`. */
  readonly path: string;
  readonly from?: BodyValue;
  readonly to?: BodyValue;
}

export type ChangeAction = 'created' | 'updated' | 'deleted' | 'unchanged';

export interface PlannedChange {
  readonly kind: ResourceKind;
  readonly name: string;
  readonly action: ChangeAction;
  readonly previous: StoredResource | undefined;
  /** 0 where there never was a version. */
  readonly previousVersion: number;
  readonly version: number;
  /** Undefined where it is deleted. */
  readonly document: ResourceDocument | undefined;
  /** Canonical JSON; empty where it is deleted. */
  readonly text: string;
  readonly digest: string;
  readonly diff: readonly DiffEntry[];
}

/** What applying the documents would do; `versions` also knows resources that were deleted. */
export function planApply(
  documents: readonly ResourceDocument[],
  view: ResourceView,
  versions: ReadonlyMap<string, number>,
): readonly PlannedChange[] {
  return documents.map((document) => {
    const previous = view.find(document.kind, document.name);
    const text = canonical(document);
    const digest = digestOf(text);
    const previousVersion = versions.get(keyOf(document)) ?? 0;
    const same = previous?.digest === digest;
    return {
      kind: document.kind,
      name: document.name,
      action: same ? 'unchanged' : previous === undefined ? 'created' : 'updated',
      previous,
      previousVersion,
      version: same ? previousVersion : previousVersion + 1,
      document,
      text,
      digest,
      diff: diffOf(shownText(previous?.document), shownText(document)),
    };
  });
}

/** What deleting a resource would do. */
export function planDelete(previous: StoredResource): PlannedChange {
  const { kind, name } = previous.document;
  return {
    kind,
    name,
    action: 'deleted',
    previous,
    previousVersion: previous.version,
    version: previous.version + 1,
    document: undefined,
    text: '',
    digest: previous.digest,
    diff: diffOf(shownText(previous.document), ''),
  };
}

/** The resources as they would be. */
export function viewAfter(view: ResourceView, changes: readonly PlannedChange[]): ResourceView {
  const resources = new Map(view.all.map((resource) => [keyOf(resource.document), resource]));
  for (const { kind, name, document, version, digest } of changes) {
    if (document === undefined) resources.delete(keyOf({ kind, name }));
    else resources.set(keyOf(document), { document, version, digest, changedUs: 0, changedBy: '' });
  }
  return new ResourceView(resources.values());
}

/** The differences between two canonical texts; an empty one is no resource. Lists differ as a whole. */
export function diffOf(from: string, to: string): readonly DiffEntry[] {
  const entries: DiffEntry[] = [];
  compare('', from === '' ? undefined : parseJson(from), to === '' ? undefined : parseJson(to), entries);
  return entries;
}

/** What of a resource is in differences; empty where there is none. */
function shownText(document: ResourceDocument | undefined): string {
  if (document === undefined) return '';
  return document.kind === 'Detector' ? jcs(withoutLists(document)) : canonical(document);
}

/**
 * The values that a Detector lists are names of people and the like: differences go into leaves and packages, and
 * have only how many there are, and the SHA-256 of the list.
 */
function withoutLists({ exact, dictionary, ...rest }: Detector): Json {
  return {
    ...rest,
    ...(exact === undefined ? {} : { exact: listed(exact) }),
    ...(dictionary === undefined ? {} : { dictionary: listed(dictionary) }),
  };
}

function listed(values: readonly string[]): Json {
  return { values: values.length, sha256: digestOf(jcs([...values])) };
}

function compare(path: string, from: Json | undefined, to: Json | undefined, entries: DiffEntry[]): void {
  const inside = (from === undefined || isObject(from)) && (to === undefined || isObject(to));
  if (inside && (isObject(from) || isObject(to))) {
    const before = isObject(from) ? from : {};
    const after = isObject(to) ? to : {};
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    if (keys.size > 0) {
      for (const key of keys) compare(path === '' ? key : `${path}.${key}`, before[key], after[key], entries);
      return;
    }
  }
  if (from !== undefined && to !== undefined && jcs(from) === jcs(to)) return;
  if (from === undefined && to === undefined) return;
  entries.push({
    path,
    ...(from === undefined ? {} : { from: toBody(from) }),
    ...(to === undefined ? {} : { to: toBody(to) }),
  });
}

/** The schemas let no null through, so that none can come here. */
function toBody(value: Json): BodyValue {
  if (value === null) return '';
  if (typeof value !== 'object') return value;
  if (isObject(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toBody(item)]));
  }
  return Array.from(value, toBody);
}
