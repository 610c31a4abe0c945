/**
 * What a statement may have changed: spec/evidence.md, section 3, `changes`.
 *
 * By its effects (spec/policy.md, section 2) where somebody has read it, and by the command tags of the
 * target where nobody has. Untrusted: both.
 */

import type { Json } from './jcs.ts';

/** `unknown`: it may have changed anything; `undisclosed`: the package does not have what would say so. */
export type ChangeKind =
  | 'data'
  | 'schema'
  | 'grants'
  | 'settings'
  | 'server'
  | 'model'
  | 'unknown'
  | 'undisclosed';

/** Effects that are no change stand here too, so that a new one is decided on. */
export const CHANGE_OF_EFFECT: ReadonlyMap<string, ChangeKind | undefined> = new Map([
  ...each('data', 'insert update update-unqualified delete delete-unqualified merge truncate copy-in'),
  ...each('data', 'sequence large-object refresh'),
  ...each('schema', 'create alter alter-drop drop rename alias comment code'),
  ...each('grants', 'grant'),
  ...each('settings', 'setting-risky role'),
  ...each('server', 'admin host remote'),
  ...each('model', 'model-change model-redirect model-delete'),
  ...each('unknown', 'call function-unknown two-phase unknown'),
  ...each(undefined, 'read lock notify export maintain sleep rerank egress:model'),
  // A setting ends with its session; a transaction changes what its statements change.
  ...each(undefined, 'transaction setting prepare execute cursor explain'),
]);

/** By the beginning of a tag; the first that matches. */
const KIND_OF_TAG: readonly (readonly [RegExp, ChangeKind])[] = [
  [/^(?:INSERT|UPDATE|DELETE|MERGE|TRUNCATE TABLE|REFRESH MATERIALIZED VIEW)\b/, 'data'],
  [/^(?:GRANT|REVOKE|REASSIGN OWNED|SECURITY LABEL|ALTER DEFAULT PRIVILEGES)\b/, 'grants'],
  [/^(?:CREATE|ALTER|DROP) (?:ROLE|POLICY|USER MAPPING)\b/, 'grants'],
  [/^(?:CREATE|ALTER|DROP) (?:DATABASE|TABLESPACE|SYSTEM|SERVER|PUBLICATION|SUBSCRIPTION)\b/, 'server'],
  [/^(?:CREATE|ALTER|DROP|COMMENT|IMPORT)\b/, 'schema'],
  [/^(?:DO|CALL|LOAD|PREPARE TRANSACTION|COMMIT PREPARED)\b/, 'unknown'],
];

/** An effect that this version does not know may be any change. */
export function kindsOfEffects(effects: readonly Json[]): ReadonlySet<ChangeKind> {
  const kinds = new Set<ChangeKind>();
  for (const effect of effects) {
    const isKnown = typeof effect === 'string' && CHANGE_OF_EFFECT.has(effect);
    const kind = isKnown ? CHANGE_OF_EFFECT.get(effect) : 'unknown';
    if (kind !== undefined) kinds.add(kind);
  }
  return kinds;
}

/** @param fromClient whether the client sent COPY data: then a COPY has written it */
export function kindsOfTags(tags: readonly Json[], fromClient: boolean): ReadonlySet<ChangeKind> {
  const kinds = new Set<ChangeKind>();
  for (const tag of tags) {
    if (typeof tag !== 'string') continue;
    const kind = KIND_OF_TAG.find(([pattern]) => pattern.test(tag))?.[1];
    if (kind !== undefined) kinds.add(kind);
    else if (fromClient && /^COPY\b/.test(tag)) kinds.add('data');
  }
  return kinds;
}

function each(
  kind: ChangeKind | undefined,
  effects: string,
): readonly (readonly [string, ChangeKind | undefined])[] {
  return effects.split(' ').map((effect) => [effect, kind] as const);
}
